"""The exact odds ratio of two levels in matched sets, for cells too small for conditional logistic regression.

Owns how sets become tables. The likelihood is that of `estimate.two_by_two`.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

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
