"""Rates by ladder level: which cells are compared, the standard they are standardised to, trend and dispersion."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses.rate_ratio import asked_ladders, rate_comparisons
from analysis.estimate.result import Answer, result_frame
from analysis.study.spec import Contrast

LADDER = Contrast(id="a", estimator="matched_odds_ratio", outcome="infection", ladder="toruner")
# level, age band, year, person-days, events; person-years are 100, 200, ...
CELLS = [
    ("0", "18-49", 2020, 36525, 1), ("1", "18-49", 2020, 36525, 3), (">=2", "18-49", 2020, 36525, 4),
    ("0", "65+", 2020, 73050, 8), ("1", "65+", 2020, 36525, 12), (">=2", "65+", 2020, 36525, 16),
    ("0", "65+", 2021, 73050, 8),
]  # fmt: skip


def _cells(cells: list[tuple[str, str, int, int, int]], names: tuple[str, str]) -> pl.DataFrame:
    frame = pl.DataFrame(cells, schema=["level", "age_band", "calendar_year", *names], orient="row")
    return frame.with_columns(
        exposure_rule=pl.lit("primary"), outcome_id=pl.lit("infection"), ladder=pl.lit("toruner"), sex=pl.lit("F")
    )


PERIODS = [
    ("0", "18-49", 2020, 1000, 10), ("1", "18-49", 2020, 1000, 20), (">=2", "18-49", 2020, 1000, 30),
]  # fmt: skip


def _found(*, is_assessable: bool = True) -> dict[tuple[str, str, str, str], Answer]:
    estimates = [
        estimate
        for asked in asked_ladders([LADDER])
        for estimate in rate_comparisons(
            _cells(CELLS, ("person_days", "event_count")), _cells(PERIODS, ("period_count", "case_count")), asked,
            rules=["primary"], confidence=0.95, is_assessable=is_assessable,
        )
    ]  # fmt: skip
    result_frame(estimates, study_digest="d")  # raises where a row is made twice
    return {
        (e.question.estimand, e.question.level, e.question.comparator_id, e.answer.method): e.answer for e in estimates
    }


def test_a_ladder_that_two_estimators_ask_for_is_compared_once_with_its_second_step() -> None:
    pooled = LADDER.model_copy(update={"id": "b", "estimator": "pooled_period_odds_ratio"})
    found = [(each.contrast.comparator_level, each.levels) for each in asked_ladders([LADDER, pooled])]
    assert found == [("0", ("1", ">=2")), ("1", (">=2",))]
    from_one = pooled.model_copy(update={"comparator_level": "1"})
    found = [(each.contrast.comparator_level, each.levels) for each in asked_ladders([LADDER, from_one])]
    assert found == [("0", ("1", ">=2")), ("1", ("0", ">=2"))], "the whole of it stands for its second step"


def test_crude_and_stratified_ratios_and_differences_are_those_of_the_cells() -> None:
    found = _found()
    # one class: 15 in 200 years; none: 17 in 500 years
    assert found["incidence_rate_ratio", "1", "0", "exact_conditional"].value == pytest.approx(15 / 200 / (17 / 500))
    assert found["rate_difference_per_100py", "1", "0", "mover"].value == pytest.approx(7.5 - 3.4)
    # Mantel-Haenszel over the two strata that have both: (3*100/200 + 12*200/300) / (1*100/200 + 8*100/300)
    stratified = found["incidence_rate_ratio", "1", "0", "mantel_haenszel"]
    assert stratified.value == pytest.approx((1.5 + 8) / (0.5 + 8 / 3))
    weights = (100 * 100 / 200, 100 * 200 / 300)
    difference = (weights[0] * 2 + weights[1] * 8) / sum(weights)
    assert found["rate_difference_per_100py", "1", "0", "mantel_haenszel"].value == pytest.approx(difference)
    assert found["incidence_rate_ratio", ">=2", "1", "exact_conditional"].value == pytest.approx(20 / 15)
    assert (stratified.event_count, stratified.person_days) == (32, 700 * 365.25)


def test_levels_are_standardised_to_age_and_sex_of_all_time_at_risk() -> None:
    # 300 of 900 person-years are in the younger band: one class has 3 and 12 per 100 person-years there.
    answer = _found()["incidence_rate_per_100py", "1", "", "direct_fay_feuer"]
    assert answer.value == pytest.approx((3 * 300 + 12 * 600) / 900)


def test_dispersion_is_that_of_the_cells_of_a_level_and_the_trend_that_of_periods() -> None:
    found = _found()
    spread = found["test", "0", "", "pearson_dispersion"]
    # 1, 8 and 8 events where 3.4, 6.8 and 6.8 are expected; two degrees of freedom
    assert spread.value == pytest.approx((2.4**2 / 3.4 + 2 * 1.2**2 / 6.8) / 2)
    trend = found["test", "per level", "", "mantel_extension"]
    # Mantel 1963: cases score 80, 60 expected; variance 60 * 2940 / (3000 * 2999) * sum of squares 2000
    assert trend.value == pytest.approx((80 - 60) / (60 * 2940 / (3000 * 2999) * 2000) ** 0.5)
    assert (spread.person_count, trend.person_count) == (None, None), "neither cells nor periods are persons"


def test_without_records_nothing_is_compared() -> None:
    assert {answer.status for answer in _found(is_assessable=False).values()} == {"not_assessable"}
    assert set(_found(is_assessable=False)) == set(_found())
