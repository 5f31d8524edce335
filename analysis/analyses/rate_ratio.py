"""Rates by ladder level compared: ratios and differences, crude and stratified, standardised rates, trend and over-dispersion.

Owns the questions. Crude rates with their limits are in `incidence`; odds ratios of the same ladders in `odds_ratio` and `matched`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.ladder import LEVELS, Comparison, comparisons
from analysis.estimate.overdispersion import overdispersion
from analysis.estimate.rates import (
    TwoRates,
    mantel_haenszel_rate_difference_per_100py,
    mantel_haenszel_rate_ratio,
    rate_difference_per_100py,
    rate_ratio,
)
from analysis.estimate.result import Answer, Estimand, Estimate, Question, not_assessable
from analysis.estimate.standardised_rate import StandardStratum, directly_standardised_rate_per_100py
from analysis.estimate.trend import Level, mantel_extension
from analysis.study.spec import Contrast, Estimator

ANALYSIS = "rate_ratio"
POPULATION = "all_time"
TREND = "per level"
STRATA = ("age_band", "sex", "calendar_year")
STANDARD = ("age_band", "sex")
ESTIMATORS: tuple[Estimator, ...] = ("pooled_period_odds_ratio", "matched_odds_ratio")


def asked_ladders(contrasts: Sequence[Contrast]) -> list[Comparison]:
    """Every outcome, ladder and comparator level that an odds ratio is asked for, once, with its second step."""
    found: dict[tuple[str, str, str], Comparison] = {}
    for asked in comparisons(contrasts, ESTIMATORS):
        contrast = asked.contrast
        key = (contrast.outcome, contrast.ladder, contrast.comparator_level)
        if key not in found or asked.is_whole:
            found[key] = asked
    return list(found.values())


def rate_comparisons(
    cells: pl.DataFrame,
    periods: pl.DataFrame,
    asked: Comparison,
    *,
    rules: Sequence[str],
    confidence: float,
    is_assessable: bool,
) -> list[Estimate]:
    """Rates of each ladder level against the comparator level, for every exposure rule.

    cells: `summary.rate_cell`. periods: `summary.period_count`, for the trend. Ratio and difference per 100 person-years: crude
    (exact conditional; MOVER) and Mantel-Haenszel over age band, sex and calendar year. For the whole ladder also: each level's
    rate standardised to the age and sex of all time at risk; the dispersion of its events over the strata (1: as Poisson counts of one
    rate); Mantel's trend over 0, 1 and two or more in pooled periods. Misleads when illness goes with level; a ratio that
    differs between strata has no common value; dispersion above 1 is also what different rates of strata look like.
    """
    contrast = asked.contrast
    here = (pl.col("outcome_id") == contrast.outcome) & (pl.col("ladder") == contrast.ladder)
    held, cut = cells.filter(here), periods.filter(here)
    estimates: list[Estimate] = []
    for rule in rules:
        own = held.filter(pl.col("exposure_rule") == rule).sort(*STRATA, "level")
        question = Question(
            analysis=ANALYSIS, estimand="incidence_rate_ratio", exposure_rule=rule, population=POPULATION,
            comparator_id=contrast.comparator_level, outcome_id=contrast.outcome, stratum=f"ladder={contrast.ladder}",
        )  # fmt: skip
        for level in asked.levels:
            for estimand, answer in _compared(own, level, contrast.comparator_level, confidence):
                estimates.append(Estimate(replace(question, level=level, estimand=estimand), answer))
        if asked.is_whole and contrast.comparator_level == "0":
            alone = replace(question, comparator_id="")
            estimates += _levels(own, alone, confidence)
            tested = replace(alone, estimand="test", level=TREND)
            estimates.append(Estimate(tested, _trend(cut.filter(pl.col("exposure_rule") == rule))))
    if is_assessable:
        return estimates
    return [Estimate(each.question, not_assessable(each.answer.method, NO_RECORDS)) for each in estimates]


def _compared(own: pl.DataFrame, level: str, comparator: str, confidence: float) -> list[tuple[Estimand, Answer]]:
    tables = []
    for _, stratum in own.group_by(STRATA, maintain_order=True):
        cell = {row["level"]: (row["event_count"], row["person_days"]) for row in stratum.iter_rows(named=True)}
        tables.append(TwoRates(*cell.get(level, (0, 0)), *cell.get(comparator, (0, 0))))
    whole = TwoRates(
        sum(table.exposed_events for table in tables),
        sum(table.exposed_person_days for table in tables),
        sum(table.comparator_events for table in tables),
        sum(table.comparator_person_days for table in tables),
    )
    return [
        ("incidence_rate_ratio", rate_ratio(whole, method="exact_conditional", confidence=confidence)),
        ("incidence_rate_ratio", mantel_haenszel_rate_ratio(tables, confidence=confidence)),
        ("rate_difference_per_100py", rate_difference_per_100py(whole, confidence=confidence)),
        ("rate_difference_per_100py", mantel_haenszel_rate_difference_per_100py(tables, confidence=confidence)),
    ]


def _levels(own: pl.DataFrame, question: Question, confidence: float) -> list[Estimate]:
    """Each level's standardised rate, and the dispersion of its events over the strata."""
    weights = {row[:2]: row[2] for row in own.group_by(STANDARD).agg(pl.col("person_days").sum()).iter_rows()}
    found = []
    for level in LEVELS:
        cells = own.filter(pl.col("level") == level)
        if cells.is_empty():
            continue
        sums = {
            row[:2]: (row[2], row[3])
            for row in cells.group_by(STANDARD).agg(pl.col("event_count", "person_days").sum()).iter_rows()
        }
        strata = []
        for stratum in sorted(weights):
            events, days = sums.get(stratum, (0, 0))
            strata.append(StandardStratum(events, days, standard_weight=float(weights[stratum])))
        rate = directly_standardised_rate_per_100py(strata, confidence=confidence)
        found.append(Estimate(replace(question, estimand="incidence_rate_per_100py", level=level), rate))
        spread = overdispersion(cells["event_count"].to_list(), cells["person_days"].to_list())
        found.append(Estimate(replace(question, estimand="test", level=level), replace(spread, person_count=None)))
    return found


def _trend(own: pl.DataFrame) -> Answer:
    """Mantel's test over strata; a level is scored by its number, two or more as two. Counts are of periods, not persons."""
    strata = [
        [
            Level(float(LEVELS.index(row["level"])), row["case_count"], row["period_count"] - row["case_count"])
            for row in stratum.iter_rows(named=True)
        ]
        for _, stratum in own.sort(*STRATA, "level").group_by(STRATA, maintain_order=True)
    ]
    return replace(mantel_extension(strata), person_count=None)
