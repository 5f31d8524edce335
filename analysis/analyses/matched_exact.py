"""Odds ratios of ladder levels in matched sets by regression and, for cells too small for it, exactly.

Owns how sets become tables. The likelihoods are those of `estimate.conditional_logistic` and `estimate.two_by_two`.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from analysis.analyses.ladder import Comparison
from analysis.analyses.matched import SCALES, set_frame, with_counts
from analysis.estimate.adjusted import adjusted_odds_ratio
from analysis.estimate.conditional_logistic import conditional_logistic
from analysis.estimate.result import Answer, EstimationError, not_estimable
from analysis.estimate.two_by_two import EXACT_STRATIFIED, TwoByTwo, exact_conditional_stratified

METHOD = f"matched_{EXACT_STRATIFIED}"


def exact_pair(members: pl.DataFrame, pair: tuple[str, str], confidence: float) -> Answer:
    """The exact conditional odds ratio of the first level against the second, each set a table of its members at either.

    members: `set_number`, `is_case`, `level`. Members at other levels are left out, so that it knows less than a model of all
    levels where those are many. Not estimable where the sets allow too many tables; conditional regression is good there.
    """
    is_case, is_exposed = pl.col("is_case"), pl.col("level") == pair[0]
    counted = (
        members.filter(pl.col("level").is_in(list(pair)))
        .group_by("set_number")
        .agg(
            exposed_cases=(is_case & is_exposed).sum(),
            exposed_noncases=(~is_case & is_exposed).sum(),
            comparator_cases=(is_case & ~is_exposed).sum(),
            comparator_noncases=(~is_case & ~is_exposed).sum(),
        )
        .sort("set_number")
        .drop("set_number")
    )
    tables = [TwoByTwo(**row) for row in counted.iter_rows(named=True)]
    try:
        return replace(exact_conditional_stratified(tables, confidence=confidence), method=METHOD)
    except EstimationError as too_large:
        return not_estimable(METHOD, str(too_large))


def level_ratios(
    members: pl.DataFrame, asked: Comparison, confidence: float, small_cell: int
) -> list[tuple[str, Answer]]:
    """Each level of a comparison against its comparator level by conditional logistic regression with profile limits.

    members: rows of sets with `level` (0, 1, >=2), `person_id`, `set_number` and `is_case`. Where a level or the comparator has fewer
    than `small_cell` cases or controls, `exact_pair` stands beside.
    """
    comparator = asked.contrast.comparator_level
    names = {level: f"level {level}" for level in SCALES[0].values() if level != comparator}
    frame = set_frame(members, {name: pl.col("level") == level for level, name in names.items()})
    cells = {
        (level, is_case): count for level, is_case, count in members.group_by("level", "is_case").len().iter_rows()
    }
    fit = conditional_logistic(frame, covariates=list(names.values()), confidence=confidence)
    found = []
    for level in asked.levels:
        pair = (level, comparator)
        answers = [adjusted_odds_ratio(fit, names[level], limits="profile")]
        if min(cells.get((each, is_case), 0) for each in pair for is_case in (True, False)) < small_cell:
            answers.append(exact_pair(members, pair, confidence))
        found += [(level, with_counts(answer, members, pair)) for answer in answers]
    return found
