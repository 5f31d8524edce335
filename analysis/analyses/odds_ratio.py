"""Odds ratios of an outcome by ladder level from pooled 30-day periods, crude and stratified.

The pooled-period odds ratio stands until matched sets do: exposure is the lagged state on the first day of a period, so
nobody's later treatment is known before it happens (the level ever reached would be an immortal-time version).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.ladder import LEVELS
from analysis.estimate.result import Answer, Estimate, EstimationError, Question, not_assessable, not_estimable
from analysis.estimate.two_by_two import TwoByTwo, exact_conditional_stratified, mantel_haenszel_odds_ratio, odds_ratio
from analysis.study.spec import Contrast

ANALYSIS = "infection_odds_ratio"
_STRATA = ("age_band", "sex", "calendar_year")


def pooled_period_odds_ratios(
    counts: pl.DataFrame,
    contrast: Contrast,
    *,
    confidence: float,
    small_cell: int,
    is_assessable: bool,
    levels: Sequence[str] = LEVELS,
) -> list[Estimate]:
    """Each ladder level against the comparator level, for every exposure rule.

    counts: `summary.period_count`. levels: those told, the comparator level aside.
    Crude: Woolf, and the exact conditional estimate where a cell is below `small_cell`.
    Stratified by age band, sex and calendar year: Mantel-Haenszel, and the exact stratified estimate where a cell of the
    collapsed table is below `small_cell`. Periods of one person are treated as independent, which is right for a first
    outcome that ends follow-up. Misleads when level and outcome share a cause that the strata do not hold.
    """
    chosen = counts.filter((pl.col("outcome_id") == contrast.outcome) & (pl.col("ladder") == contrast.ladder))
    estimates: list[Estimate] = []
    for (rule,), group in chosen.group_by("exposure_rule", maintain_order=True):
        for level in levels:
            if level == contrast.comparator_level:
                continue
            question = Question(
                analysis=ANALYSIS, estimand="odds_ratio", exposure_rule=str(rule), population="all_time",
                comparator_id=contrast.comparator_level, outcome_id=contrast.outcome,
                stratum=f"ladder={contrast.ladder}", level=level,
            )  # fmt: skip
            if not is_assessable:
                estimates.append(Estimate(question, not_assessable("pooled_periods_woolf", NO_RECORDS)))
                continue
            tables = _tables(group, level=level, comparator=contrast.comparator_level)
            answers = _answers(tables, confidence=confidence, small_cell=small_cell)
            estimates += [Estimate(question, replace(a, method=f"pooled_periods_{a.method}")) for a in answers]
    return estimates


def _answers(tables: list[TwoByTwo], *, confidence: float, small_cell: int) -> list[Answer]:
    crude = TwoByTwo(
        exposed_cases=sum(table.exposed_cases for table in tables),
        exposed_noncases=sum(table.exposed_noncases for table in tables),
        comparator_cases=sum(table.comparator_cases for table in tables),
        comparator_noncases=sum(table.comparator_noncases for table in tables),
    )
    is_small = (
        min(crude.exposed_cases, crude.exposed_noncases, crude.comparator_cases, crude.comparator_noncases) < small_cell
    )
    answers = [
        odds_ratio(crude, method="woolf", confidence=confidence),
        mantel_haenszel_odds_ratio(tables, confidence=confidence),
    ]
    if is_small:
        answers.append(odds_ratio(crude, method="exact_conditional", confidence=confidence))
        try:
            answers.append(exact_conditional_stratified(tables, confidence=confidence))
        except EstimationError as too_large:
            answers.append(not_estimable("exact_conditional_stratified", str(too_large)))
    return answers


def _tables(group: pl.DataFrame, *, level: str, comparator: str) -> list[TwoByTwo]:
    """One table a stratum, in the order of the strata; periods without the outcome are the non-cases."""
    tables = []
    for _, stratum in group.sort(*_STRATA, "level").group_by(_STRATA, maintain_order=True):
        cells = {row["level"]: (row["case_count"], row["period_count"]) for row in stratum.iter_rows(named=True)}
        cases, periods = cells.get(level, (0, 0))
        comparator_cases, comparator_periods = cells.get(comparator, (0, 0))
        tables.append(
            TwoByTwo(
                exposed_cases=cases, exposed_noncases=periods - cases, comparator_cases=comparator_cases,
                comparator_noncases=comparator_periods - comparator_cases,
            )
        )  # fmt: skip
    return tables
