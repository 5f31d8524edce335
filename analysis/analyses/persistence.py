"""How long first pair episodes last: medians, naive and Kaplan-Meier, and persistence at set days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from analysis.estimate.persistence import kaplan_meier, longest_recorded, median_in_months, naive_median, survival_at
from analysis.estimate.result import CURVE_SCHEMA, Estimate, Question
from analysis.estimate.rmst import restricted_mean

ANALYSIS = "persistence"
LONGEST = "longest"
_GROUP = ("exposure_rule", "population", "regimen_id")


def component_persistence(counts: pl.DataFrame, *, confidence: float, days: Sequence[int]) -> list[Estimate]:
    """Median and persistence of each drug of first pairs from the first day of the pair, whatever becomes of the other.

    counts: `summary.component_persistence`. `stratum` is `component=first_started`, `second_started` or `started_together`. Its stop or
    death is the event. Misleads as a comparison of drugs: the first has already been kept for as long as it took to add the second.
    """
    estimates: list[Estimate] = []
    for (rule, regimen, component), group in counts.group_by(
        ("exposure_rule", "regimen_id", "component"), maintain_order=True
    ):
        question = Question(
            analysis=ANALYSIS, estimand="median_duration_months", exposure_rule=str(rule), population="first_episode",
            regimen_id=str(regimen), stratum=f"component={component}",
        )  # fmt: skip
        km = kaplan_meier(
            group.select("time_days", "event_count", "censored_count", entry_days=pl.lit(0, pl.Int64)),
            confidence=confidence,
        )
        estimates.append(Estimate(question, median_in_months(km.median)))
        estimates += [
            Estimate(replace(question, estimand="survival", time_days=day), survival_at(km, time_days=day))
            for day in days
        ]
    return estimates


def persistence(
    durations: pl.DataFrame, *, confidence: float, days: Sequence[int]
) -> tuple[list[Estimate], pl.DataFrame]:
    """Medians in months, persistence and mean days on the pair by `days`, and the curves, for every rule, population and regimen.

    durations: `summary.persistence`. Any ending but censoring is the event: stop of either drug or death. The naive
    median counts ongoing episodes as ended and so is too short; it stands beside the other because the literature
    reports it, as it does the longest (`level` longest). For the population that reached the minimum overlap persons enter the risk set
    on that day.
    """
    estimates: list[Estimate] = []
    curves = []
    for (rule, population, regimen), group in durations.group_by(_GROUP, maintain_order=True):
        asked = {"analysis": ANALYSIS, "exposure_rule": rule, "population": population, "regimen_id": regimen}
        rows = group.select("entry_days", "time_days", "event_count", "censored_count")
        km = kaplan_meier(rows, confidence=confidence)
        median = Question(estimand="median_duration_months", **asked)
        estimates += [
            Estimate(median, median_in_months(km.median)),
            Estimate(median, median_in_months(naive_median(rows, confidence=confidence))),
            Estimate(replace(median, level=LONGEST), median_in_months(longest_recorded(rows))),
        ]
        estimates += [
            Estimate(Question(estimand="survival", time_days=day, **asked), survival_at(km, time_days=day))
            for day in days
        ]
        estimates += [
            Estimate(Question(estimand="rmst_days", time_days=day, **asked), restricted_mean(km, horizon_days=day))
            for day in days
        ]
        texts = asked | {"comparator_id": "", "outcome_id": "", "stratum": "", "level": ""}
        curves.append(km.curve.with_columns(pl.lit(text).alias(name) for name, text in texts.items()))
    columns = [pl.col(name).cast(kind) for name, kind in CURVE_SCHEMA.items()]
    curve = pl.concat(curves).select(columns) if curves else pl.DataFrame(schema=CURVE_SCHEMA)
    return estimates, curve
