"""Means: Student's limits by hand, and persons who are all alike."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from analysis.estimate.mean import mean, mean_share
from analysis.estimate.result import EstimationError


def test_limits_of_a_mean_by_hand() -> None:
    # Mean 3, standard deviation sqrt(2.5), five persons; t(0.975, 4) = 2.7764451.
    found = mean(pl.Series([1.0, 2.0, 3.0, 4.0, 5.0]), confidence=0.95)
    error = math.sqrt(2.5 / 5)
    assert found.value == 3.0
    assert found.standard_error == pytest.approx(error)
    assert (found.lower, found.upper) == pytest.approx((3 - 2.7764451 * error, 3 + 2.7764451 * error), rel=1e-7)
    assert found.person_count == 5


def test_limits_hold_the_mean_of_normal_values_as_often_as_they_say() -> None:
    drawn = np.random.default_rng(1).normal(5.0, 2.0, (2_000, 4))
    held = [(a := mean(pl.Series(row), confidence=0.9)).lower <= 5.0 <= a.upper for row in drawn]  # type: ignore[operator]
    assert abs(np.mean(held) - 0.9) < 4 * math.sqrt(0.09 / 2_000)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_shares_that_are_all_none_or_all_whole_have_the_exact_bound(share: float) -> None:
    found = mean_share(pl.Series([share] * 31), confidence=0.95)
    assert found.value == share
    far = found.upper if share == 0.0 else 1.0 - (found.lower or 0.0)
    assert far == pytest.approx(1 - 0.025 ** (1 / 31))  # 0.1122, that of 0 of 31
    assert (found.lower, found.upper)[int(share)] == share


def test_the_exact_bound_holds_for_shares_that_are_rarely_other_than_none() -> None:
    # Shares of 0.5 in one person of twenty: mean 0.025. Where all of ten drawn are 0 the bound must still hold it.
    found = mean_share(pl.Series([0.0] * 10), confidence=0.95)
    assert found.upper is not None
    assert found.upper > 0.025


def test_limits_of_shares_stay_between_nothing_and_all() -> None:
    found = mean_share(pl.Series([0.0, 1.0]), confidence=0.95)
    assert (found.value, found.lower, found.upper) == (0.5, 0.0, 1.0)


def test_one_person_and_persons_alike_have_no_mean_with_limits() -> None:
    assert mean(pl.Series([2.0]), confidence=0.95).reason == "fewer than two persons"
    assert mean(pl.Series([2.0, 2.0, 2.0]), confidence=0.95).status == "not_estimable"
    assert mean_share(pl.Series([0.3, 0.3]), confidence=0.95).status == "not_estimable"
    assert mean_share(pl.Series([], dtype=pl.Float64), confidence=0.95).status == "not_estimable"


@pytest.mark.parametrize("values", [[1.0, None], [1.0, float("nan")], [0.0, float("inf")]])
def test_a_value_that_is_none_is_refused(values: list[float | None]) -> None:
    with pytest.raises(EstimationError):
        mean(pl.Series(values, dtype=pl.Float64), confidence=0.95)
    with pytest.raises(EstimationError):
        mean_share(pl.Series(values, dtype=pl.Float64), confidence=0.95)


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(EstimationError, match="between 0 and 1"):
        mean_share(pl.Series([0.5, 1.2]), confidence=0.95)
