"""Omalizumab and free IgE as modelled from the doses: who can be modelled, doses against the tables, free IgE on treatment and after it.

Owns which questions are asked of `pkpd.*`. The model is in `analysis/pkpd/`, and what it cannot know of a person is said there.
"""

from __future__ import annotations

import polars as pl

from analysis.estimate.mean import mean_share
from analysis.estimate.persistence import kaplan_meier
from analysis.estimate.proportion import proportion
from analysis.estimate.result import Answer, Estimate, Question, not_assessable
from analysis.pkpd.thresholds import WITHDRAWAL_LEVELS, days_below

ANALYSIS = "omalizumab_ige"
DRUG, POPULATION = "omalizumab", "modelled"
MODELLED, EVERYBODY = "can be modelled", "everybody with a dose"
CLASSES = ("as_table", "equal_four_week_dose", "under", "over", "no_dose", "off_table_ige", "off_table_weight")
COUNTED = ("not_applicable", "not_assessable")
NOBODY = "nobody has a weight, an IgE before the first dose and known doses"
ON_TREATMENT_DAYS = 28  # an interval after the last dose still belongs to treatment


def omalizumab_estimates(
    standing: pl.DataFrame,
    intervals: pl.DataFrame,
    rises: pl.DataFrame,
    checks: pl.DataFrame,
    stops: pl.DataFrame,
    *,
    rule: str,
    confidence: float,
) -> list[Estimate]:
    """Counts, shares of dose classes, share of treatment with free IgE below each threshold, and days to its rise after the last dose.

    standing, intervals, rises, checks: `pkpd.standing`, `threshold_interval`, `withdrawal`, `dose_check`; stops: `person_id`,
    `last_dose_day`. No rows at all where nobody has a dose: it is not applicable. Who cannot be modelled is counted under the reason. The
    rise is Kaplan-Meier's, censored where observed time ends: `median_time_days`, days from the last dose. `stratum` names the dosing
    table. Misleads as measured IgE: all is what typical persons of this weight, IgE and doses would have, and limits are those of who
    was seen, not of the model.
    """
    if standing.is_empty():
        return []
    asked = {"analysis": ANALYSIS, "exposure_rule": rule, "population": POPULATION, "regimen_id": DRUG}
    found = _counts(standing, asked)
    found += _dose_classes(checks, asked, confidence)
    if intervals.is_empty():
        nobody = not_assessable("omalizumab_ige_model", NOBODY)
        return [*found, Estimate(Question(estimand="mean", level="below 50 ng/mL", **asked), nobody)]  # type: ignore[arg-type]
    found += _below(intervals, stops, asked, confidence)
    return found + _rises(rises, asked, confidence)


def _counts(standing: pl.DataFrame, asked: dict[str, str]) -> list[Estimate]:
    counts = [(EVERYBODY, standing.height), (MODELLED, standing.filter("is_assessable").height)]
    missing = standing.filter(~pl.col("is_assessable")).group_by("reason").len().sort("reason")
    counts += [(str(reason), int(number)) for reason, number in missing.rows()]
    outside = standing.filter(pl.col("is_assessable") & pl.col("is_extrapolated")).height
    counts.append(("outside the data behind the model", outside))
    return [
        Estimate(
            Question(estimand="count", level=level, **asked),  # type: ignore[arg-type]
            Answer(method="count", value=float(number), person_count=number),
        )
        for level, number in counts
    ]


def _dose_classes(checks: pl.DataFrame, asked: dict[str, str], confidence: float) -> list[Estimate]:
    found = []
    for (table,), rows in checks.group_by(["table_name"], maintain_order=True):
        compared = rows.filter(pl.col("dose_class").is_in(CLASSES))
        counts = dict(rows["dose_class"].value_counts().iter_rows())
        for level in CLASSES:
            answer = proportion(counts.get(level, 0), compared.height, confidence=confidence)
            found.append(
                Estimate(Question(estimand="proportion", stratum=f"table={table}", level=level, **asked), answer)  # type: ignore[arg-type]
            )
        for level in COUNTED:
            number = counts.get(level, 0)
            found.append(
                Estimate(
                    Question(estimand="count", stratum=f"table={table}", level=level, **asked),  # type: ignore[arg-type]
                    Answer(method="count", value=float(number), person_count=number),
                )
            )
    return found


def _below(intervals: pl.DataFrame, stops: pl.DataFrame, asked: dict[str, str], confidence: float) -> list[Estimate]:
    """Mean over persons of the share of treatment, to an interval after the last dose, with free IgE below a threshold."""
    windows = stops.select(
        "person_id", start_day=pl.lit(0.0), stop_day=pl.col("last_dose_day").cast(pl.Float64) + ON_TREATMENT_DAYS
    )
    days = days_below(intervals, windows=windows).with_columns(
        share=pl.col("days_below") / (pl.col("days_below") + pl.col("days_above"))
    )
    found = []
    for (threshold,), rows in days.filter(pl.col("share").is_finite()).group_by(
        ["threshold_ng_per_ml"], maintain_order=True
    ):
        question = Question(estimand="mean", level=f"below {threshold:g} ng/mL", **asked)  # type: ignore[arg-type]
        found.append(Estimate(question, mean_share(rows["share"], confidence=confidence)))
    return found


def _rises(rises: pl.DataFrame, asked: dict[str, str], confidence: float) -> list[Estimate]:
    found = []
    for level in WITHDRAWAL_LEVELS:
        question = Question(estimand="median_time_days", level=level, **asked)  # type: ignore[arg-type]
        rows = rises.filter((pl.col("level") == level) & pl.col("status").is_in(["reached", "not_reached"]))
        found.append(Estimate(question, _median_rise(rows, confidence)))
    return found


def _median_rise(rows: pl.DataFrame, confidence: float) -> Answer:
    """Kaplan-Meier median of days to the rise; a rise within a day counts as day 1."""
    is_reached = pl.col("status") == "reached"
    days = pl.when(is_reached).then(pl.col("days_after_last_dose").ceil()).otherwise("follow_up_days")
    durations = (
        rows.with_columns(time_days=days.cast(pl.Int64).clip(1))
        .group_by("time_days")
        .agg(event_count=is_reached.sum().cast(pl.Int64), censored_count=(~is_reached).sum().cast(pl.Int64))
        .with_columns(entry_days=pl.lit(0, pl.Int64))
    )
    return kaplan_meier(durations, confidence=confidence).median
