"""A small study and its frames, made by hand and estimated by the analyses themselves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from analysis.analyses import discontinuation, exposure_time, incidence, odds_ratio, persistence
from analysis.estimate.result import CURVE_SCHEMA, DIAGNOSTIC_SCHEMA, RESULT_SCHEMA, result_frame
from analysis.report import ReportInput
from analysis.study.read import study_from

RULE = "primary"
SETTINGS: dict[str, Any] = {
    "study": {"id": "pairs", "title": "Two drugs <together>", "question": "How often & how long?"},
    "drugs": {"study": ["alpha", "beta"]},
    "exposure_rule": [{"id": RULE, "label": "own gap"}, {"id": "long", "label": "long gap", "gap_days": 90}],
    "outcome": [{"id": "infection", "codes": {"ICD10": ["A41"]}}],
    "contrast": [
        {"id": "ladder", "estimator": "pooled_period_odds_ratio", "outcome": "infection", "ladder": "toruner"},
        {"id": "hazard", "estimator": "time_varying_cox", "outcome": "infection", "ladder": "study_drugs"},
    ],
    "analysis": {"persistence_days": [100, 400]},
}
# regimen: persons, intervals, person-days observed; events at risk
OBSERVED = {
    "none": (180, 240, 73331),
    "alpha": (120, 150, 40003),
    "beta": (80, 90, 30011),
    "alpha+beta": (31, 33, 9007),
}
RATES = {"none": (180, 60013, 9), "alpha": (110, 41017, 12), "beta": (79, 31019, 7), "alpha+beta": (31, 9109, 0)}
ENDINGS = {
    ("stopped", "both", "efficacy"): (9, 3001),
    ("stopped", "first_started", "remission"): (8, 2003),
    ("death", "", "death"): (5, 1009),
    ("censored", "", ""): (9, 2994),
}
DURATIONS = {(40, 1, 0), (80, 4, 0), (120, 5, 0), (200, 0, 4), (300, 6, 0), (410, 6, 5)}
PERIODS = {"0": (1500, 9), "1": (1100, 12), ">=2": (300, 7)}
BASELINE = {"sex": {"F": (20, 90), "M": (11, 79)}, "age_band": {"18-49": (16, 80), "50-64": (15, 89)}}


def estimates(
    *, rates: dict[str, tuple[int, int, int]], endings: dict[Any, Any], assessable: bool, spec: Any
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`estimate.result` and `estimate.curve` of both exposure rules."""
    found, curves = [], []
    for rule in (RULE, "long"):
        found += exposure_time.exposure_time(exposure_frame(rule))
        found += incidence.incidence(event_frame(rates, rule), confidence=0.95, is_assessable=assessable)
        found += discontinuation.discontinuation(ending_frame(endings, rule), confidence=0.95)
        lasting, curve = persistence.persistence(duration_frame(rule), confidence=0.95, days=(100, 400))
        found += lasting if endings else []
        curves += [curve] if endings else []
        found += (
            odds_ratio.pooled_period_odds_ratios(
                period_frame(rule), spec.contrast[0], confidence=0.95, small_cell=5, is_assessable=assessable
            )
            if spec.contrast
            else []
        )
    curve = pl.concat(curves) if curves else pl.DataFrame(schema=CURVE_SCHEMA)
    return result_frame(found, study_digest=spec.digest()), curve


def exposure_frame(rule: str, observed: dict[str, tuple[int, int, int]] = OBSERVED) -> pl.DataFrame:
    rows = [
        {
            "exposure_rule": rule,
            "population": "observed",
            "regimen_id": regimen,
            "person_count": p,
            "interval_count": i,
            "person_days": d,
        }
        for regimen, (p, i, d) in observed.items()
    ]
    return pl.DataFrame(rows)


def event_frame(rates: dict[str, tuple[int, int, int]], rule: str) -> pl.DataFrame:
    """Rates by regimen, by number of study drugs, by a ladder of the same shape, and in all."""

    def pooled(regimens: list[str]) -> tuple[int, int, int]:
        return (
            max(rates[r][0] for r in regimens),
            sum(rates[r][1] for r in regimens),
            sum(rates[r][2] for r in regimens),
        )

    levels = {"0": ["none"], "1": ["alpha", "beta"], ">=2": ["alpha+beta"]}
    cells = {("regimen", regimen): counts for regimen, counts in rates.items()}
    cells |= {
        (ladder, level): pooled(members) for ladder in ("study_drugs", "toruner") for level, members in levels.items()
    }
    cells["overall", "all"] = (180, *pooled(list(rates))[1:])
    return pl.DataFrame(
        [
            {
                "exposure_rule": rule,
                "population": "all_time",
                "outcome_id": "infection",
                "dimension": dimension,
                "level": level,
                "person_count": p,
                "person_days": d,
                "event_count": e,
            }
            for (dimension, level), (p, d, e) in cells.items()
        ]
    )


def ending_frame(endings: dict[Any, Any], rule: str) -> pl.DataFrame:
    schema = dict.fromkeys(("exposure_rule", "regimen_id", "ending", "component", "reason"), pl.String)
    rows = [(rule, "all", *kind, *counts) for kind, counts in endings.items()]
    return pl.DataFrame(rows, schema=schema | {"person_count": pl.Int64, "person_days": pl.Int64}, orient="row")


def duration_frame(rule: str) -> pl.DataFrame:
    rows = [
        (rule, population, "all", entry, *row)
        for population, entry in (("first_episode", 0), ("reached_min_overlap", 28))
        for row in sorted(DURATIONS)
    ]
    return pl.DataFrame(
        rows,
        schema=[
            "exposure_rule",
            "population",
            "regimen_id",
            "entry_days",
            "time_days",
            "event_count",
            "censored_count",
        ],
        orient="row",
    )


def period_frame(rule: str) -> pl.DataFrame:
    rows = [(rule, "infection", "toruner", level, "18-49", "F", 2020, *counts) for level, counts in PERIODS.items()]
    names = [
        "exposure_rule",
        "outcome_id",
        "ladder",
        "level",
        "age_band",
        "sex",
        "calendar_year",
        "period_count",
        "case_count",
    ]
    return pl.DataFrame(rows, schema=names, orient="row")


def attrition_frame(steps: tuple[int, ...]) -> pl.DataFrame:
    kinds = ("", "", "", "", "", "all_time", "from_first", "first_episode", "first_episode", "reached_min_overlap")
    names = (
        "received",
        "kept",
        "observed",
        "with a record",
        "covered",
        "cohort entry",
        "new users",
        "ever together",
        "followed",
        "minimum overlap",
    )
    rows = [
        {"exposure_rule": rule, "population": kind, "step_number": number, "step": name, "person_count": count}
        for rule in (RULE, "long")
        for number, (kind, name, count) in enumerate(zip(kinds, names, steps, strict=True), start=1)
    ]
    return pl.DataFrame(rows)


def baseline_frame(groups: dict[str, dict[str, tuple[int, int]]]) -> pl.DataFrame:
    rows = [
        {"exposure_rule": RULE, "person_group": group, "variable": variable, "level": level, "person_count": count}
        for variable, levels in groups.items()
        for level, (together, single) in levels.items()
        for group, count in (("combination", together), ("one_at_a_time", single), ("all", together + single))
    ]
    schema = dict.fromkeys(("exposure_rule", "person_group", "variable", "level"), pl.String)
    return pl.DataFrame(rows, schema=schema | {"person_count": pl.Int64})


def quality_frames(*, has_outcomes: bool) -> dict[str, pl.DataFrame]:
    tables = {
        "person": (210, 200, 10, 0),
        "prescription": (5000, 4990, 7, 3 * 5),
        "death": (12, 12, 0, 0),
        "visit": (0, 0, 0, 0),
    }
    account = [
        {
            "table_name": name,
            "rows_in": kept + aside + twice,
            "rows_kept": kept,
            "rows_quarantined": aside,
            "rows_duplicate": twice,
        }
        for name, (_, kept, aside, twice) in tables.items()
    ]
    rules = [
        ("DQ032", "prescription", "quantity", "raw", "quarantine", 5012, 7, "fail", "a quantity of zero or less"),
        ("DQ030", "prescription", "days_supply", "staged", "warn", 4990, 61, "fail", "supply is absent"),
        ("DQ007", "visit", "person_id", "raw", "quarantine", 0, 0, "not_assessable", "no person identifier"),
        ("DQ001", "person", "file", "raw", "block", 1, 0, "pass", "a required table has no rows"),
    ]
    names = ("rule_id", "table_name", "field", "layer", "severity", "rows_checked", "rows_failed", "status", "sentence")
    source = {
        "source_format": "native",
        "era_level": False,
        "has_observation_period": True,
        "has_adverse_event": False,
        "has_condition": has_outcomes,
        "has_death": True,
        "has_discontinuation": True,
        "has_visit": False,
    }
    return {
        "quality.row_account": pl.DataFrame(account),
        "quality.rule_result": pl.DataFrame(rules, schema=names, orient="row").with_columns(
            block_above=pl.lit(None, pl.Float64), is_blocking=pl.lit(value=False)
        ),
        "quality.unmapped": pl.DataFrame(
            [
                ("prescription", "saline", "local", 61),
                ("prescription", "Jane Doe's own drops", "local", 2),
                ("condition", "free text", "", 70),
            ],
            schema=["table_name", "source_value", "code_system", "row_count"],
            orient="row",
        ),
        "quality.data_cut": pl.DataFrame({"data_cut_date": [dt.date(2024, 12, 31)], "data_cut_source": ["study"]}),
        "meta.source": pl.DataFrame([source]),
        "meta.source_table": pl.DataFrame(
            [
                (name, name if name != "visit" else None, name != "visit", counts[0], 0)
                for name, counts in tables.items()
            ],
            schema=["table_name", "raw_table", "is_present", "rows_in", "rows_duplicate"],
            orient="row",
        ),
        "meta.input_file": pl.DataFrame(
            [
                ("person", "person.csv", "a" * 64, 8101, 210),
                ("prescription", "prescription.csv", "b" * 64, 90001, 5012),
            ],
            schema=["table_name", "source_file", "sha256", "byte_count", "row_count"],
            orient="row",
        ),
        "meta.sql_digest": pl.DataFrame({"table_name": ["exposure.episode"], "sha256": ["c" * 64]}),
        "meta.package_version": pl.DataFrame({"package": ["polars"], "version": ["2.1.0"]}),
    }


def setting_frames(*, spec: Any) -> dict[str, pl.DataFrame]:
    drugs = [
        {
            "drug_id": name,
            "drug_name": name.title(),
            "role": "study",
            "drug_class": f"class {name}",
            "agent_type": "biologic",
            "is_biologic": True,
            "is_injectable": True,
            "counts_toruner": True,
            "counts_broad": False,
            "interval_days": 14,
        }
        for name in ("alpha", "beta")
    ]
    benchmark = {
        "benchmark_id": "book",
        "label": "two agents",
        "estimand": "odds_ratio",
        "outcome_id": "infection",
        "ladder": "toruner",
        "level": ">=2",
        "regimen_id": None,
        "numerator": None,
        "denominator": None,
        "value": 14.5,
        "lower": 4.9,
        "upper": 43.0,
        "confidence_level": 0.95,
        "unit": "odds ratio",
        "person_count": 300,
        "population": "others",
        "source": "Author 2008",
        "directness": "indirect",
        "review_status": "seen in an independent source",
        "note": None,
    }
    return {
        "spec.drug": pl.DataFrame(drugs),
        "spec.drug_policy": pl.DataFrame(
            {"exposure_rule": [RULE] * 2, "drug_id": ["alpha", "beta"], "gap_days": [30, 30], "tail_days": [60, 60]}
        ),
        "spec.exposure_rule": pl.DataFrame(
            [(rule.id, number, rule.label, number == 1) for number, rule in enumerate(spec.exposure_rule, start=1)],
            schema=["exposure_rule", "rule_number", "label", "is_primary"],
            orient="row",
        ),
        "spec.outcome": pl.DataFrame(
            [(o.id, o.label or o.id, o.date_rule, "any", "any", False, 30, 7) for o in spec.outcome],
            schema=[
                "outcome_id",
                "label",
                "date_rule",
                "setting",
                "position",
                "serious_only",
                "episode_gap_days",
                "lag_days",
            ],
            orient="row",
        ),
        "spec.contrast": pl.DataFrame(
            [(c.id, c.estimator, c.outcome, c.ladder, c.comparator_level) for c in spec.contrast],
            schema=dict.fromkeys(("contrast_id", "estimator", "outcome_id", "ladder", "comparator_level"), pl.String),
            orient="row",
        ),
        "reference.benchmark": pl.DataFrame([benchmark]),
    }


@pytest.fixture(scope="session")
def make_report() -> Callable[..., ReportInput]:
    """A report input; every part of the small study can be replaced."""

    def make(
        *,
        settings: dict[str, Any] | None = None,
        rates: dict[str, tuple[int, int, int]] = RATES,
        endings: dict[Any, Any] = ENDINGS,
        baseline: dict[str, dict[str, tuple[int, int]]] = BASELINE,
        observed: dict[str, tuple[int, int, int]] = OBSERVED,
        steps: tuple[int, ...] = (220, 210, 200, 200, 200, 200, 180, 40, 31, 31),
        is_assessable: bool = True,
    ) -> ReportInput:
        spec = study_from(SETTINGS | (settings or {}), name="study")
        result, curve = estimates(rates=rates, endings=endings, assessable=is_assessable, spec=spec)
        if observed is not OBSERVED:
            made = [
                row for rule in (RULE, "long") for row in exposure_time.exposure_time(exposure_frame(rule, observed))
            ]
            rest = result.filter(pl.col("analysis") != "exposure_time")
            result = pl.concat([rest, result_frame(made, study_digest=spec.digest())]).sort("estimate_id")
        frames = {
            "estimate.result": result.cast(RESULT_SCHEMA),  # type: ignore[arg-type]
            "estimate.curve": curve,
            "estimate.diagnostic": pl.DataFrame(schema=DIAGNOSTIC_SCHEMA),
            "cohort.attrition": attrition_frame(steps),
            "summary.baseline": baseline_frame(baseline),
            "summary.exposure_time": pl.concat([exposure_frame(RULE, observed), exposure_frame("long", observed)]),
            "summary.ending_count": pl.concat([ending_frame(endings, RULE), ending_frame(endings, "long")]),
        }
        return ReportInput(spec, frames | quality_frames(has_outcomes=is_assessable) | setting_frames(spec=spec))

    return make
