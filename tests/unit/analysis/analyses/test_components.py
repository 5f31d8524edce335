"""Components of outcomes: which are assessable, whose sets they take, and the exact odds ratio where cells are small."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses.components import component_incidence, component_odds_ratios
from analysis.analyses.ladder import Comparison, comparisons
from analysis.estimate.result import Answer
from analysis.estimate.two_by_two import TwoByTwo, odds_ratio
from tests.unit.analysis.analyses import test_matched

CONDITIONAL, EXACT = "conditional_logistic_profile", "matched_exact_conditional_stratified"
COUNTS = pl.DataFrame(
    [
        ("zoster", "overall", "all", 10, 36525, 5, True),
        ("zoster", "toruner", ">=2", 3, 3653, 0, True),
        ("bk_virus", "overall", "all", 10, 36525, 0, False),
    ],
    schema=["component_id", "dimension", "level", "person_count", "person_days", "event_count", "is_assessable"],
    orient="row",
).with_columns(exposure_rule=pl.lit("primary"), outcome_id=pl.lit("infection"))


def test_a_rate_says_component_ladder_and_level_and_a_zero_keeps_its_limit() -> None:
    found = component_incidence(COUNTS, confidence=0.95, is_assessable=True)
    asked = {(e.question.stratum, e.question.level): e.answer for e in found}
    assert asked["component=zoster", ""].value == pytest.approx(5.0)
    zero = asked["component=zoster;ladder=toruner", ">=2"]
    assert (zero.status, zero.value, zero.event_count) == ("ok", 0.0, 0)
    assert zero.upper == pytest.approx(3.6888794541 / 3653 * 36525)  # Garwood: -log(0.025)


def test_what_the_source_could_not_hold_is_not_a_zero() -> None:
    found = component_incidence(COUNTS, confidence=0.95, is_assessable=True)
    (nowhere,) = [e.answer for e in found if e.question.stratum == "component=bk_virus"]
    assert (nowhere.status, nowhere.value, nowhere.upper) == ("not_assessable", None, None)
    assert {e.answer.status for e in component_incidence(COUNTS, confidence=0.95, is_assessable=False)} == {
        "not_assessable"
    }


def _ratios(
    pairs: dict[tuple[int, int], int], *, taken: int, small_cell: int = 5
) -> dict[tuple[str, str, str], Answer]:
    """Odds ratios where the component is that of the first `taken` sets; (stratum, level, comparator, method) -> answer."""
    sets = test_matched._sets(pairs)
    key = ["exposure_rule", "outcome_id", "design", "set_number"]
    components = sets.select(key).unique().filter(pl.col("set_number") <= taken).with_columns(component_id=pl.lit("tb"))
    asked: list[Comparison] = comparisons([test_matched.CONTRAST], ("matched_odds_ratio",))
    estimates = [
        estimate
        for one in asked
        for estimate in component_odds_ratios(
            sets, components, one, rule="primary", confidence=0.95, small_cell=small_cell
        )
    ]
    assert {e.question.stratum for e in estimates} == {"component=tb;ladder=toruner"}
    return {(e.question.level, e.question.comparator_id, e.answer.method): e.answer for e in estimates}


def test_the_sets_of_a_component_are_those_whose_case_has_it() -> None:
    found = _ratios({(1, 0): 30, (0, 1): 10, (2, 0): 99}, taken=40)
    answer = found["1", "0", CONDITIONAL]
    assert answer.value == pytest.approx(3.0, rel=1e-9)  # McNemar: 30 / 10, without the pairs of other components
    assert answer.event_count == 40
    assert ("1", "0", EXACT) not in found, "no cell is small"
    assert {key[:2] for key in found} == {("1", "0"), (">=2", "0"), (">=2", "1")}


def test_where_a_cell_is_small_the_exact_odds_ratio_of_pairs_stands_beside() -> None:
    answer = _ratios({(1, 0): 6, (0, 1): 2}, taken=8)["1", "0", EXACT]
    # Discordant pairs are binomial: 6 of 8, odds 3; limits by Clopper-Pearson (0.3491421, 0.9681460).
    assert answer.value == pytest.approx(3.0, rel=1e-6)
    assert answer.lower == pytest.approx(0.3491421 / (1 - 0.3491421), rel=1e-5)
    assert answer.upper == pytest.approx(0.9681460 / (1 - 0.9681460), rel=1e-4)
    one = odds_ratio(TwoByTwo(6, 2, 2, 6), method="woolf", confidence=0.95)
    assert answer.value != pytest.approx(one.value), "the sets are not ignored"


def test_a_level_without_a_case_has_its_upper_limit() -> None:
    answer = _ratios({(0, 1): 8}, taken=8)["1", "0", EXACT]
    assert (answer.value, answer.lower) == (0.0, 0.0)
    assert answer.upper == pytest.approx((1 - 0.025 ** (1 / 8)) / 0.025 ** (1 / 8), rel=1e-6)
