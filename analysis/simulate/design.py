"""What a simulation profile is made of: frozen records of planted numbers, with units in their names.

Owns the shape of a profile and the checks that make it possible to plant. The values are in `profiles.py`; nothing
here draws a random number. Source of the defaults: Coexposure's clinical content, section 7 (known truth).
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from analysis.simulate.care_plan import CarePlan
from analysis.simulate.omalizumab_design import OmalizumabPlan
from analysis.simulate.reaction_plan import ReactionPlan

DAYS_PER_MONTH = 30.4375
DAYS_PER_YEAR = 365.25

Purpose = Literal["type2", "immune"]
Ending = Literal[
    "adverse event", "lack of efficacy", "remission", "cost or access", "patient choice", "pregnancy", "death", "lost",
]  # fmt: skip
Component = Literal["first", "second", "both"]

ENDINGS: tuple[Ending, ...] = get_args(Ending)
COMPONENTS: tuple[Component, ...] = get_args(Component)
STOP_REASONS: tuple[Ending, ...] = ENDINGS[:6]


class SimulationError(ValueError):
    """The simulation was asked for something its profile or reference tables cannot give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indication:
    """A reason for a biologic. `share`: of all persons; `drugs`: drug_id and its share as the drug for this reason.

    `icd10`: the WHO ICD-10 code written to `condition`. The first drug of `drugs` replaces one not yet on the market.
    """

    name: str
    icd10: str
    purpose: Purpose
    share: float
    drugs: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """A background drug taken in courses of 30-day dispensings by a share of the persons with an indication.

    `shares`: indication and share who ever take it; `mean_dispensings`: of one course; `mean_off_days`: between
    courses, beyond the gap that would join them.
    """

    drug_id: str
    shares: tuple[tuple[str, float], ...]
    mean_dispensings: float
    mean_off_days: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedPair:
    """Of every `sum(count)` persons, `count` take this pair."""

    first: str
    second: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPlan:
    """How a person's first pair begins and ends: constant cause-specific hazards per month of 30.4375 days."""

    hazard_per_month: tuple[tuple[Ending, float], ...]
    component_share: tuple[tuple[Component, float], ...] = (("first", 0.45), ("second", 0.45), ("both", 0.10))
    reason_recorded_share: float = 0.85
    add_on_per_month: float = 0.03
    add_on_log_effect_of_severity: float = 0.5
    pregnancy_below_age: int = 50

    def __post_init__(self) -> None:
        if tuple(name for name, _ in self.hazard_per_month) != ENDINGS:
            raise SimulationError(f"hazard_per_month must name {ENDINGS} in this order")
        if any(not math.isfinite(value) or value < 0 for _, value in self.hazard_per_month) or self.observed <= 0:
            raise SimulationError("pair hazards must be finite, not negative, and not all zero")
        if tuple(name for name, _ in self.component_share) != COMPONENTS:
            raise SimulationError(f"component_share must name {COMPONENTS} in this order")
        if not math.isclose(sum(share for _, share in self.component_share), 1.0):
            raise SimulationError("component_share must add up to 1")

    @property
    def total(self) -> float:
        """Hazard per month of any ending, loss to follow-up included."""
        return math.fsum(value for _, value in self.hazard_per_month)

    @property
    def observed(self) -> float:
        """Hazard per month of the endings that data can show: all but loss to follow-up."""
        return math.fsum(value for name, value in self.hazard_per_month if name != "lost")

    @property
    def stop(self) -> float:
        """Hazard per month of the endings that are stops: neither death nor loss to follow-up."""
        return math.fsum(value for name, value in self.hazard_per_month if name in STOP_REASONS)

    @property
    def median_months(self) -> float:
        """Median duration in months where loss to follow-up is censoring: ln 2 over the observed hazard."""
        return math.log(2.0) / self.observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """Two drugs (drug_id) or classes (drug_class) that act on infection, and act on each other.

    The hazard is multiplied by `first_ratio` while the first is at risk, by `second_ratio` while the second is, and by
    `ratio_of_ratios` besides while both are, with the lag of the infections; all of it on top of the ladder.
    """

    first: str
    second: str
    first_ratio: float
    second_ratio: float
    ratio_of_ratios: float

    def __post_init__(self) -> None:
        if any(not math.isfinite(ratio) or ratio <= 0 for ratio in self.ratios):
            raise SimulationError(f"{self.first} and {self.second}: ratios must be finite and above 0")

    @property
    def ratios(self) -> tuple[float, float, float]:
        """Of the first, of the second, and the ratio of ratios."""
        return self.first_ratio, self.second_ratio, self.ratio_of_ratios

    @property
    def joint_ratio(self) -> float:
        """Hazard ratio of both against neither."""
        return math.prod(self.ratios)

    @property
    def excess_risk(self) -> float:
        """Relative excess risk due to interaction (RERI): 0 where the two excesses add."""
        return self.joint_ratio - self.first_ratio - self.second_ratio + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class InfectionPlan:
    """Daily hazards of serious and of opportunistic infection by the lagged ladder level (0, 1, 2 or more).

    Opportunistic infections are serious too: the total serious hazard is planted, and the other serious infections
    get what remains of it. `opportunistic_base_factor` raises the opportunistic base rate only. The factor for age
    uses the age on entry, so that it is constant within a person. `severity_log_effect`: infection hazard times
    exp(effect x Z), the planted confounding.
    """

    serious_per_1000py: float = 20.0
    serious_ratio: tuple[float, float, float] = (1.0, 1.6, 3.5)
    opportunistic_per_1000py: float = 1.0
    opportunistic_base_factor: float = 1.0
    opportunistic_ratio: tuple[float, float, float] = (1.0, 2.9, 14.5)
    older_than: int = 50
    older_ratio: float = 2.0
    lag_days: int = 7
    recurrence_ratio: float = 1.8
    recurrence_days: int = 180
    separation_days: int = 31
    severity_log_effect: float = 0.4
    interaction: Interaction | None = None

    def __post_init__(self) -> None:
        if self.smallest_other_per_1000py() < 0:
            raise SimulationError("the opportunistic hazard exceeds the serious hazard that it is a part of")
        if not 0 < self.separation_days <= self.recurrence_days:
            raise SimulationError("separation_days must lie between 1 and recurrence_days")

    def smallest_other_per_1000py(self) -> float:
        """Smallest hazard left for the serious infections that are not opportunistic, per 1000 person-years.

        Every class that counts on the opportunistic (toruner) ladder counts on the broad one, so only broad levels at
        or above the toruner level occur.
        """
        base = self.opportunistic_per_1000py * self.opportunistic_base_factor
        return min(
            self.serious_per_1000py * self.serious_ratio[broad] - base * self.opportunistic_ratio[toruner]
            for toruner in range(3)
            for broad in range(toruner, 3)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NegativeControl:
    """An outcome of the reference that no drug causes: hazard per 1000 person-years times exp(effect x Z)."""

    outcome_id: str
    per_1000py: float = 6.0
    severity_log_effect: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.per_1000py) and self.per_1000py > 0 and math.isfinite(self.severity_log_effect)):
            raise SimulationError(f"{self.outcome_id}: the hazard of a negative control must be finite and above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPlan:
    """Measured traces of severity in the year before entry.

    CRP in mg/L is exp(mean + effect x Z + noise) at each measurement; bursts of `burst_drug`, flares (emergency diagnoses of
    the indication) and hospital stays are Poisson counts at the rate times exp(`count_log_effect` x Z). With these values a
    linear regression of Z on log mean CRP and the three counts has R2 0.60.
    """

    crp_measurements: int = 3
    crp_log_mean: float = 1.6
    crp_log_effect: float = 0.5
    crp_log_noise: float = 0.8
    burst_drug: str = "prednisone"
    bursts_per_year: float = 0.6
    flares_per_year: float = 0.8
    stays_per_year: float = 0.25
    count_log_effect: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class DosingPlan:
    """How doses fall around the label interval. Days; shares are of doses (missed) or of courses (pause)."""

    jitter_days: float = 3.0
    jitter_limit_days: float = 9.0
    missed_share: float = 0.04
    pause_share: float = 0.10
    pause_days: tuple[int, int] = (40, 120)
    originator_share: float = 0.45
    biosimilar_share: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One simulated world. Rates per 100 person-years or per month as named; dates are inclusive."""

    name: str
    persons: int
    pair: PairPlan
    infection: InfectionPlan
    indications: tuple[Indication, ...]
    backgrounds: tuple[Background, ...]
    first_entry: dt.date
    last_entry: dt.date
    data_cut: dt.date
    dosing: DosingPlan = field(default_factory=DosingPlan)
    fixed_pairs: tuple[FixedPair, ...] = ()
    fixed_pair_lead_days: int = 200
    two_indications_share: float = 0.12
    history_days: tuple[int, int] = (366, 1826)
    age_range: tuple[float, float] = (18.0, 85.0)
    age_mean: float = 46.0
    age_concentration: float = 5.0
    female_share: float = 0.58
    death_per_100py: float = 0.8
    stop_alone_per_month: float = 0.02
    restart_share: float = 0.20
    switch_share: float = 0.20
    minor_events_per_py: float = 0.5
    negative_controls: tuple[NegativeControl, ...] = ()
    proxies: ProxyPlan | None = None
    omalizumab: OmalizumabPlan | None = None
    reactions: ReactionPlan | None = None
    care: CarePlan | None = None
    background_log_effect_of_severity: float = 0.0
    on_market: tuple[tuple[str, dt.date], ...] = ()
    dose_mg: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not math.isclose(math.fsum(i.share for i in self.indications), 1.0):
            raise SimulationError(f"{self.name}: the shares of the indications must add up to 1")
        if self.history_days[0] <= 365:
            raise SimulationError(f"{self.name}: the look-back needs more than 365 observed days before entry")
        if self.last_entry >= self.data_cut:
            raise SimulationError(f"{self.name}: the last entry must come before the data cut")

    @property
    def lost_per_month(self) -> float:
        """Hazard of loss to follow-up per month: the same before, during and after the first pair."""
        return dict(self.pair.hazard_per_month)["lost"]

    @property
    def study_drugs(self) -> tuple[str, ...]:
        """The study drugs this profile may write, in byte order."""
        named = {drug for indication in self.indications for drug, _ in indication.drugs}
        named |= {drug for pair in self.fixed_pairs for drug in (pair.first, pair.second)}
        return tuple(sorted(named))

    @property
    def background_drugs(self) -> tuple[str, ...]:
        """The background drugs this profile may write, in byte order."""
        bursts = {self.proxies.burst_drug} if self.proxies else set()
        return tuple(sorted({background.drug_id for background in self.backgrounds} | bursts))
