"""Which levels are compared: the whole ladder, and two or more against one unless the study asks for it itself."""

from __future__ import annotations

import pytest

from analysis.analyses.ladder import Comparison, comparisons
from analysis.analyses.matched import matched_odds_ratios
from analysis.analyses.odds_ratio import pooled_period_odds_ratios
from analysis.estimate.result import result_frame
from analysis.study.spec import Contrast, Estimator
from tests.unit.analysis.analyses import test_analyses, test_matched

BOTH: tuple[Estimator, ...] = ("pooled_period_odds_ratio", "matched_odds_ratio")


def _contrast(name: str, estimator: Estimator, comparator: str = "0") -> Contrast:
    return Contrast.model_validate(
        {"id": name, "estimator": estimator, "outcome": "infection", "comparator_level": comparator}
    )


def _told(found: list[Comparison]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(each.contrast.id, each.contrast.comparator_level, each.levels) for each in found]


def test_every_ladder_tells_its_second_step_behind_it() -> None:
    found = comparisons([_contrast("a", "matched_odds_ratio"), _contrast("c", "time_varying_cox")], BOTH)
    assert _told(found) == [("a", "0", ("1", ">=2")), ("a", "1", (">=2",))]
    assert [each.is_whole for each in found] == [True, False]


def test_a_second_step_that_the_study_asks_for_is_told_once() -> None:
    asked = [_contrast("a", "matched_odds_ratio"), _contrast("b", "matched_odds_ratio", "1")]
    assert _told(comparisons(asked, BOTH)) == [("a", "0", ("1", ">=2")), ("b", "1", ("0", ">=2"))]
    other = [_contrast("a", "matched_odds_ratio"), _contrast("b", "pooled_period_odds_ratio", "1")]
    assert len(comparisons(other, BOTH)) == 3, "another estimator says nothing of this one"


def test_in_pairs_two_against_one_is_the_ratio_of_the_two_steps_and_its_own_row() -> None:
    sets = test_matched._sets({(1, 0): 20, (0, 1): 10, (2, 0): 24, (0, 2): 8, (2, 1): 15, (1, 2): 10})
    rows = [
        estimate
        for asked in comparisons([test_matched.CONTRAST], BOTH)
        for estimate in matched_odds_ratios(
            sets, asked.contrast, levels=asked.levels, rules=["primary"], confidence=0.95, small_cell=5,
            is_assessable=True,
        )
    ]  # fmt: skip
    frame = result_frame(rows, study_digest="d")  # raises where a row is made twice
    chosen = frame.filter((frame["method"] == "conditional_logistic_profile") & (frame["level"] != "per level"))
    ratio = {(row["level"], row["comparator_id"]): row for row in chosen.iter_rows(named=True)}
    assert ratio[">=2", "1"]["value"] == pytest.approx(ratio[">=2", "0"]["value"] / ratio["1", "0"]["value"], rel=1e-7)
    assert ratio[">=2", "1"]["event_count"] == 20 + 10 + 24 + 8 + 15 + 10 - (10 + 8)
    assert [pair for pair in ratio if pair[1] == "1"] == [(">=2", "1")]


def test_pooled_periods_tell_two_against_one_from_the_same_cells() -> None:
    counts = test_analyses._periods(
        [("0", "18-49", 1000, 10), ("1", "18-49", 500, 15), (">=2", "18-49", 200, 12)]
    )  # fmt: skip
    (asked,) = [each for each in comparisons([_contrast("a", "pooled_period_odds_ratio")], BOTH) if not each.is_whole]
    found = pooled_period_odds_ratios(
        counts, asked.contrast, levels=asked.levels, confidence=0.95, small_cell=5, is_assessable=True
    )
    crude = next(each for each in found if each.answer.method == "pooled_periods_woolf")
    assert (crude.question.level, crude.question.comparator_id) == (">=2", "1")
    assert crude.answer.value == pytest.approx(12 * 485 / (188 * 15), rel=1e-12)
