"""A small study and its frames, made by hand and estimated by the analyses themselves."""

from __future__ import annotations

from typing import Any

import polars as pl

from analysis.analyses import discontinuation, exposure_time, incidence, odds_ratio, persistence
from analysis.estimate.result import CURVE_SCHEMA, DIAGNOSTIC_SCHEMA, RESULT_SCHEMA, result_frame
from analysis.report import ReportInput
from analysis.study.read import study_from
from tests.unit.analysis.report.described import RULE, attrition_frame, baseline_frame, quality_frames, setting_frames

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
RECORDS = discontinuation.ReasonRecords(names_reasons=True, has_adverse_events=True)
BASELINE = {"sex": {"F": (20, 90), "M": (11, 79)}, "age_band": {"18-49": (16, 80), "50-64": (15, 89)}}


def small_report(
    *,
    settings: dict[str, Any] | None = None,
    rates: dict[str, tuple[int, int, int]] = RATES,
    endings: dict[Any, Any] = ENDINGS,
    baseline: dict[str, dict[str, tuple[int, int]]] = BASELINE,
    observed: dict[str, tuple[int, int, int]] = OBSERVED,
    steps: tuple[int, ...] = (220, 210, 200, 200, 200, 200, 180, 40, 31, 31),
    is_assessable: bool = True,
    records: discontinuation.ReasonRecords = RECORDS,
) -> ReportInput:
    """A report input; every part of the small study can be replaced."""
    spec = study_from(SETTINGS | (settings or {}), name="study")
    result, curve = estimates(rates=rates, endings=endings, assessable=is_assessable, spec=spec, records=records)
    if observed is not OBSERVED:
        made = [row for rule in (RULE, "long") for row in exposure_time.exposure_time(exposure_frame(rule, observed))]
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


def estimates(
    *,
    rates: dict[str, tuple[int, int, int]],
    endings: dict[Any, Any],
    assessable: bool,
    spec: Any,
    records: discontinuation.ReasonRecords,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`estimate.result` and `estimate.curve` of both exposure rules."""
    found, curves = [], []
    for rule in (RULE, "long"):
        found += exposure_time.exposure_time(exposure_frame(rule))
        found += incidence.incidence(event_frame(rates, rule), confidence=0.95, is_assessable=assessable)
        found += discontinuation.discontinuation(ending_frame(endings, rule), confidence=0.95, reason_records=records)
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
