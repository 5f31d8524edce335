"""Troughs: a person counts once, groups are those of the day, and what is missing is said."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses.trough import BELOW_LIMIT, trough_estimates
from analysis.estimate.result import Answer

TROUGHS = pl.DataFrame(
    [
        (1, 2.0, False, False, True), (1, 4.0, False, False, True), (2, 5.0, False, False, False), (3, 1.0, True, True, False),
        (4, 9.0, False, None, True),
    ],
    schema=["person_id", "level_ug_per_ml", "is_below_limit", "has_antibody", "has_immunomodulator"], orient="row",
)  # fmt: skip


def _found(troughs: pl.DataFrame) -> dict[tuple[str, str, str], Answer]:
    estimates = trough_estimates(troughs, rule="primary", confidence=0.95)
    return {(e.question.estimand, e.question.stratum, e.question.level): e.answer for e in estimates}


def test_each_person_counts_once_in_each_group() -> None:
    found = _found(TROUGHS)
    everybody = found["mean", "", ""]
    assert everybody.value == pytest.approx((3 + 5 + 1 + 9) / 4)
    assert (everybody.person_count, everybody.event_count) == (4, 5)
    assert found["mean", "antibody=without", ""].value == pytest.approx(4.0)
    assert found["mean", "immunomodulator=with", ""].value == pytest.approx(6.0)
    assert found["mean", "immunomodulator=without", ""].value == pytest.approx(3.0)
    assert found["count", "", BELOW_LIMIT].value == 1


def test_a_group_of_one_has_no_mean_with_limits_and_no_levels_are_not_assessable() -> None:
    assert _found(TROUGHS)["mean", "antibody=with", ""].status == "not_estimable"
    ((_, answer),) = _found(TROUGHS.clear()).items()
    assert answer.status == "not_assessable"
