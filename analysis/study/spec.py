"""The study file as frozen records: what may be set, its unit and its default.

Owns the keys of the TOML file, in sections named after HARPER, and the digest that every estimate carries; exposure rules
are in `exposure_rule.py`, the source is in `source.py`. Does not know the reference tables nor the rows of `spec.*`
(`tables.py` joins and makes them).
No clinical setting has a default outside these two. Source: Wang 2022, HARPER, Pharmacoepidemiol Drug Saf 32:44.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from analysis.study.code_map import CodeSystem
from analysis.study.comparison import Comparison, Diagnostics
from analysis.study.exposure_rule import ExposureGrid, ExposureRule
from analysis.study.pkpd import Pkpd
from analysis.study.quality import Quality
from analysis.study.reactions import AdverseEvents, Reactions
from analysis.study.section import AfterStopDays, Days, Identifier, Section
from analysis.study.source import Source, Vocabulary

LONGEST_WINDOW_DAYS = 400  # of one record, definitions 11
RESERVED_IDS = frozenset({"none", "all"})

Estimator = Literal[
    "pooled_period_odds_ratio", "matched_odds_ratio", "toruner_replica_odds_ratio", "time_zero_comparison", "time_varying_cox"
]  # fmt: skip
Ladder = Literal["toruner", "broad", "study_drugs"]


class Study(Section):
    """What the study is and the calendar time it covers."""

    id: Identifier
    title: str
    version: str = "1.0"
    question: str = ""
    start_date: dt.date | None = Field(None, description="First day that time zero and follow-up may use.")
    end_date: dt.date | None = Field(None, description="Last day that time zero and follow-up may use.")
    data_cut: dt.date | None = Field(None, description="Last day of data; by default the latest observed day.")

    @model_validator(mode="after")
    def _calendar(self) -> Study:
        if self.start_date and self.end_date and self.end_date < self.start_date:
            raise ValueError(f"study.end_date {self.end_date} is before study.start_date {self.start_date}")
        if self.start_date and self.data_cut and self.data_cut < self.start_date:
            raise ValueError(f"study.data_cut {self.data_cut} is before study.start_date {self.start_date}")
        return self


class Population(Section):
    """Who enters the cohort."""

    look_back_days: Days = Field(365, description="Observed days required before cohort entry.")
    minimum_age_years: Annotated[int, Field(ge=0, le=130)] = 0
    maximum_age_years: Annotated[int, Field(ge=0, le=130)] = 130
    age_band_starts: tuple[int, ...] = Field((0, 18, 50, 65), description="First year of life of each age band.")

    @model_validator(mode="after")
    def _ages(self) -> Population:
        if self.maximum_age_years < self.minimum_age_years:
            raise ValueError("population.maximum_age_years is below population.minimum_age_years")
        if (
            not self.age_band_starts
            or self.age_band_starts[0] != 0
            or list(self.age_band_starts) != sorted(set(self.age_band_starts))
        ):
            raise ValueError("population.age_band_starts must rise from 0")
        return self


class Drugs(Section):
    """The drugs of the study by role; `agent_type:NAME` stands for every drug of that type in the reference."""

    study: tuple[str, ...] = Field(min_length=1, description="Drugs that form regimens.")
    background: tuple[str, ...] = Field((), description="Counted in ladders and classes, never in a regimen.")
    concomitant: tuple[str, ...] = Field((), description="Kept for the care rules only.")


class Drug(Section):
    """A drug that the reference lacks, or settings that replace those of the reference."""

    id: Identifier
    name: str | None = None
    drug_class: str | None = None
    agent_type: str | None = None
    is_biologic: bool | None = None
    is_injectable: bool | None = None
    counts_toruner: bool | None = None
    counts_broad: bool | None = None
    interval_days: Annotated[int, Field(ge=1, le=400)] | None = None
    induction_days: tuple[int, ...] | None = Field(
        None, description="Days of the doses before maintenance, from 0; [] for none."
    )
    units_per_day: Annotated[float, Field(ge=0.001, le=1_000_000)] | None = Field(
        None, description="Units of quantity used a day; absent: a quantity says nothing of days."
    )
    half_life_days: Annotated[float, Field(gt=0, le=3_650)] | None = None
    gap_days: Days | None = None
    tail_days: Days | None = None
    washout_days: Days | None = Field(None, description="Observed and free of the drug before a new course or use.")
    names: tuple[str, ...] = Field((), description="Names that mean this drug, compared without case.")
    name_patterns: tuple[str, ...] = Field((), description="SQL LIKE patterns on the name, compared without case.")
    codes: dict[CodeSystem, tuple[str, ...]] = Field(default_factory=dict, description="Codes by code system.")

    @model_validator(mode="after")
    def _reserved(self) -> Drug:
        if self.id in RESERVED_IDS:
            raise ValueError(f"drug id {self.id!r} is reserved")
        return self

    @model_validator(mode="after")
    def _series(self) -> Drug:
        days = self.induction_days or ()
        spaces = [following - day for day, following in pairwise(days)]
        if days and (days[0] != 0 or min(spaces, default=1) < 1 or max(spaces, default=1) > LONGEST_WINDOW_DAYS):
            raise ValueError(
                f"drug {self.id!r}: induction_days must rise from 0 by at most {LONGEST_WINDOW_DAYS} days a dose"
            )
        if self.units_per_day is not None and round(self.units_per_day, 3) != self.units_per_day:
            raise ValueError(f"drug {self.id!r}: units_per_day has more than three decimals")
        return self


class Combination(Section):
    """When two or three drugs together are called a combination."""

    min_overlap_days: Days = Field(28, description="A shorter pair episode is labelled a switch overlap.")
    max_drugs: Annotated[int, Field(ge=2, le=3)] = 3


class Outcome(Section):
    """An outcome of the reference, or one that the reference lacks when codes or terms are given."""

    id: Identifier
    label: str | None = None
    based_on: str | None = Field(None, description="Reference outcome whose codes and terms are taken.")
    date_rule: Literal["start", "end", "visit_end"] = Field(
        "start", description="Which date of a condition dates the outcome."
    )
    setting: Literal["any", "inpatient"] | None = None
    position: Literal["any", "primary"] | None = None
    serious_only: bool | None = Field(None, description="Adverse events count only when serious = Y.")
    episode_gap_days: Days | None = Field(None, description="A later record within this many days is the same event.")
    lag_days: Days | None = Field(None, description="Exposure is the state this many days before; infections 7.")
    codes: dict[Vocabulary, tuple[str, ...]] = Field(default_factory=dict, description="Code prefixes by vocabulary.")
    exclude_codes: dict[Vocabulary, tuple[str, ...]] = Field(default_factory=dict)
    terms: tuple[str, ...] = Field((), description="Names of adverse events, compared without case.")
    any_term: bool = Field(False, description="Every adverse event counts, whatever its name.")
    severity: tuple[str, ...] = Field(
        (), description="Adverse events count only with one of these severities, compared without case."
    )
    negative_control: bool | None = Field(
        None, description="No drug of the study causes or prevents it; by default as in the reference."
    )

    @model_validator(mode="after")
    def _every_event(self) -> Outcome:
        if self.any_term and (self.terms or self.based_on):
            raise ValueError(f"outcome {self.id!r}: any_term takes every adverse event: leave terms and based_on out")
        return self


class Contrast(Section):
    """One comparison: a ladder of exposure or the number of study drugs, against an outcome."""

    id: Identifier
    estimator: Estimator
    outcome: Identifier
    ladder: Ladder = "toruner"
    comparator_level: Literal["0", "1"] = "0"


class Analysis(Section):
    """Settings of the estimators."""

    confidence_level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    period_days: Annotated[int, Field(ge=1, le=366)] = Field(30, description="Length of a pooled period.")
    small_cell: Annotated[int, Field(ge=0)] = Field(5, description="Below this many in a cell exact methods are used.")
    persistence_days: tuple[int, ...] = Field((182, 365, 730, 1095), description="Days at which persistence is read.")
    after_stop_days: AfterStopDays = Field(
        180, description="What follows a stop, restart or switch, is looked for so long."
    )
    misclassification_draws: Annotated[int, Field(ge=1_000, le=1_000_000)] = Field(
        10_000, description="Draws of the bias analysis of misclassified outcomes."
    )
    misclassification_correlation: Annotated[float, Field(ge=0, le=1)] = Field(
        0.8, description="How alike the predictive values of two levels are; 1: equal."
    )
    subgroup_minimum_events: Annotated[int, Field(ge=1)] = Field(10, description="Fewer: a subgroup has no ratio.")
    calendar_starts: tuple[int, ...] = Field((2020, 2023), description="First years of calendar periods of entry.")
    lag_grid_days: tuple[Days, ...] = Field((0, 30), description="Further lags of the hazard ratio.")
    stop_reason_window_days: Days = Field(30, description="A stop record this near to the stop names its reason.")

    @model_validator(mode="after")
    def _rising(self) -> Analysis:
        if list(self.calendar_starts) != sorted(set(self.calendar_starts)):
            raise ValueError("analysis.calendar_starts must rise")
        return self


class CaseControl(Section):
    """How controls are matched to cases; by default sex, age, indication and entry."""

    controls_per_case: Annotated[int, Field(ge=1, le=20)] = 4
    age_caliper_years: Annotated[int, Field(ge=1, le=50)] = Field(2, description="Most years between birth dates.")
    wider_age_caliper_years: Annotated[int, Field(ge=1, le=50)] = Field(
        5, description="Where the narrow is too narrow."
    )
    entry_caliper_days: Days = Field(90, description="Most days between cohort entries, and so of time since entry.")
    match_indication: bool = True
    pair_minimum_persons: Annotated[int, Field(ge=1)] = Field(10, description="Fewer on both drugs: no joint estimate.")
    steroid_window_days: Days = Field(
        14, description="Steroids begun so near to the index date: also without; 0 is off."
    )
    seed: Annotated[int, Field(ge=0, le=2**62)] = Field(1, description="Another seed draws other controls.")

    @model_validator(mode="after")
    def _ordered(self) -> CaseControl:
        if self.wider_age_caliper_years < self.age_caliper_years:
            raise ValueError("case_control: wider_age_caliper_years is below age_caliper_years")
        return self


class Disclosure(Section):
    """How the report treats small counts."""

    profile: Literal["internal", "public"] = "internal"
    minimum_count: Annotated[int, Field(ge=1, le=100)] = 5


class Report(Section):
    """What the report says besides numbers."""

    title: str | None = None
    organisation: str = ""
    limitations: tuple[str, ...] = ()
    benchmarks: bool = Field(True, description="Literature values beside ours.")


class StudySpec(Section):
    """The whole study file."""

    study: Study
    source: Source = Field(default_factory=Source)
    population: Population = Field(default_factory=Population)
    drugs: Drugs
    drug: tuple[Drug, ...] = ()
    exposure_rule: tuple[ExposureRule, ...] = Field(default_factory=lambda: (ExposureRule(id="primary"),))
    exposure_grid: ExposureGrid = Field(default_factory=ExposureGrid)
    combination: Combination = Field(default_factory=Combination)
    outcome: Annotated[tuple[Outcome, ...], Field(min_length=1)]
    contrast: tuple[Contrast, ...] = ()
    case_control: CaseControl = Field(default_factory=CaseControl)
    comparison: Comparison = Field(default_factory=Comparison)
    diagnostics: Diagnostics = Field(default_factory=Diagnostics)
    analysis: Analysis = Field(default_factory=Analysis)
    disclosure: Disclosure = Field(default_factory=Disclosure)
    report: Report = Field(default_factory=Report)
    quality: Quality = Field(default_factory=Quality)
    pkpd: Pkpd = Field(default_factory=Pkpd)
    reactions: Reactions = Field(default_factory=Reactions)
    adverse_events: AdverseEvents = Field(default_factory=AdverseEvents)

    @model_validator(mode="after")
    def _consistent(self) -> StudySpec:
        for name in ("drug", "exposure_rule", "outcome", "contrast"):
            ids = [item.id for item in getattr(self, name)]
            twice = sorted({item for item in ids if ids.count(item) > 1})
            if twice:
                raise ValueError(f"[[{name}]] id {twice[0]!r} is given twice")
        if not self.exposure_rule:
            raise ValueError("at least one [[exposure_rule]] is needed")
        for rule in self.exposure_rule:
            if (rule.switch_within_days or 0) > (rule.after_stop_days or self.analysis.after_stop_days):
                raise ValueError(f"exposure_rule {rule.id!r}: switch_within_days is longer than after_stop_days")
        outcomes = {outcome.id for outcome in self.outcome}
        for contrast in self.contrast:
            if contrast.outcome not in outcomes:
                raise ValueError(
                    f"contrast {contrast.id!r} names outcome {contrast.outcome!r}, which is not in the study"
                )
        return self

    @property
    def primary_rule(self) -> str:
        """The exposure rule that the report's main numbers use: the first of the file."""
        return self.exposure_rule[0].id

    def digest(self) -> str:
        """SHA-256 of the settings; where the records lie is not part of it."""
        text = self.model_dump_json(exclude={"source": {"path"}})
        return hashlib.sha256(text.encode()).hexdigest()
