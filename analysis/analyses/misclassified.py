"""Odds ratios of ladders if recorded cases were as often true as validation studies found: a probabilistic bias analysis.

Owns which published predictive values apply and to which table. The correction and its draws are in `estimate.misclassification`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.ladder import Comparison
from analysis.estimate.misclassification import OutcomeErrors, Trapezoid, Uncertainty, misclassified_outcome
from analysis.estimate.result import Estimate, Question, not_assessable
from analysis.estimate.two_by_two import TwoByTwo

ANALYSIS = "misclassified_odds_ratio"
POPULATION = "all_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """How errors are drawn: their number, the seed, and how alike the predictive values of two levels are (0 to 1)."""

    count: int
    seed: int
    correlation: float


def misclassified_odds_ratios(
    periods: pl.DataFrame,
    values: pl.DataFrame,
    asked: Sequence[Comparison],
    *,
    rule: str,
    draws: Draws,
    confidence: float,
    is_assessable: bool,
) -> list[Estimate]:
    """Crude odds ratio of pooled periods with the cases of each level multiplied by a drawn predictive value.

    periods: `summary.period_count`. values: `reference.predictive_value`; an outcome without one has no row here. Every value of
    the published range is as likely as another; those of two levels go together by `draws.correlation` (1: one value for both, and
    the ratio stays). Sensitivity is 1 in both: where it is the same at both levels it cancels in a rare outcome. `systematic` has the
    error of classification alone, `total` chance too. Misleads where the validation was of other codes, people or years;
    and where doctors look harder in those on more drugs, which no range of predictive values holds.
    """
    ranges = {row["outcome_id"]: row for row in values.sort("predictive_value_id").iter_rows(named=True)}
    estimates = []
    for each in asked:
        contrast = each.contrast
        published = ranges.get(contrast.outcome)
        if published is None:
            continue
        value = Trapezoid.uniform(published["ppv_low"], published["ppv_high"])
        errors = OutcomeErrors(
            exposed_ppv=value, comparator_ppv=value, exposed_sensitivity=Trapezoid.fixed(1.0),
            comparator_sensitivity=Trapezoid.fixed(1.0), correlation=draws.correlation,
        )  # fmt: skip
        said = f"predictive value {published['ppv_low']:g} to {published['ppv_high']:g}: {published['source']}"
        cells = _cells(
            periods.filter(
                (pl.col("exposure_rule") == rule)
                & (pl.col("outcome_id") == contrast.outcome)
                & (pl.col("ladder") == contrast.ladder)
            )
        )
        for level in each.levels:
            question = Question(
                analysis=ANALYSIS, estimand="odds_ratio", exposure_rule=rule, population=POPULATION,
                comparator_id=contrast.comparator_level, outcome_id=contrast.outcome,
                stratum=f"ladder={contrast.ladder}", level=level,
            )  # fmt: skip
            if not is_assessable:
                estimates.append(Estimate(question, not_assessable("misclassification_total", NO_RECORDS)))
                continue
            table = TwoByTwo(*cells.get(level, (0, 0)), *cells.get(contrast.comparator_level, (0, 0)))
            for uncertainty in get_args(Uncertainty):
                answer = misclassified_outcome(
                    table, errors, measure="odds_ratio", uncertainty=uncertainty, draws=draws.count, seed=draws.seed,
                    confidence=confidence,
                ).answer  # fmt: skip
                reason = "; ".join(part for part in (answer.reason, said) if part)
                estimates.append(Estimate(question, replace(answer, reason=reason)))
    return estimates


def _cells(own: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """Periods with and without a case at each level, over all strata."""
    summed = own.group_by("level").agg(pl.col("case_count").sum(), pl.col("period_count").sum())
    return {level: (cases, periods - cases) for level, cases, periods in summed.iter_rows()}
