"""Matched odds ratios without new steroids: the changed counts decide, and how many were changed is told."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses.ladder import comparisons
from analysis.analyses.steroid_window import NO_STEROID, steroid_window_odds_ratios, why_not_assessable
from analysis.estimate.result import Answer, result_frame
from analysis.matching.control_sample import DESIGNS
from analysis.study.spec import Contrast
from tests.unit.analysis.analyses import test_matched

CONTRASTS = [
    test_matched.CONTRAST,
    Contrast(id="s", estimator="matched_odds_ratio", outcome="infection", ladder="study_drugs"),
]


def steroid_sets(pairs: dict[tuple[int, int], int], *, taken: int, rule: str = "primary") -> pl.DataFrame:
    """Matched pairs in which the first `taken` cases lose their one class, which was a new steroid."""
    lost = pl.col("is_case") & (pl.col("set_number") <= taken)
    return test_matched._sets(pairs, rule=rule).with_columns(
        toruner_count=pl.col("toruner_count") - lost.cast(pl.Int64), is_changed=lost
    )


def _found(sets: pl.DataFrame, *, because: str = "") -> dict[tuple[str, str, str], Answer]:
    estimates = steroid_window_odds_ratios(
        sets, comparisons(CONTRASTS, tuple(DESIGNS)), rule="primary", window_days=14, confidence=0.95, small_cell=5,
        not_assessable_because=because,
    )  # fmt: skip
    result_frame(estimates, study_digest="d")  # raises where a row is made twice
    assert {e.question.stratum for e in estimates} == {"ladder=toruner;steroid_window_days=14"}, (
        "no ladder of study drugs"
    )
    return {(e.question.level, e.question.comparator_id, e.answer.method): e.answer for e in estimates}


def test_a_steroid_begun_for_the_symptoms_no_longer_makes_the_ratio() -> None:
    pairs = {(1, 0): 40, (0, 1): 20}
    with_all = _found(steroid_sets(pairs, taken=0))["1", "0", "conditional_logistic_profile"]
    without = _found(steroid_sets(pairs, taken=20))["1", "0", "conditional_logistic_profile"]
    assert with_all.value == pytest.approx(2.0, rel=1e-9)
    assert without.value == pytest.approx(1.0, rel=1e-9)  # 20 / 20: the others are on it neither way


def test_how_many_counts_changed_is_told_of_cases_and_controls() -> None:
    found = _found(steroid_sets({(1, 0): 40, (0, 1): 20}, taken=7))
    assert found["cases changed", "", "count"].value == 7
    assert found["controls changed", "", "count"].value == 0


def test_without_steroids_or_records_nothing_is_said_and_the_reason_is_named() -> None:
    assert why_not_assessable(has_outcomes=True, has_steroid=True) == ""
    because = why_not_assessable(has_outcomes=True, has_steroid=False)
    found = _found(steroid_sets({(1, 0): 40}, taken=0), because=because)
    assert {(answer.status, answer.reason) for answer in found.values()} == {("not_assessable", NO_STEROID)}
    assert {level for level, _, _ in found} == {"1", ">=2"}
    assert why_not_assessable(has_outcomes=False, has_steroid=False) != NO_STEROID
