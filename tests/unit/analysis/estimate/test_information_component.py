"""The information component by hand and against scipy's gamma distribution; a median with its order statistics."""

from __future__ import annotations

import math

import pytest
from scipy.stats import binom, gamma

from analysis.estimate.information_component import information_component
from analysis.estimate.result import EstimationError
from analysis.estimate.sample_median import sample_median


@pytest.mark.parametrize(
    ("observed", "expected", "value"),
    [(0, 0.5, -1.0), (1, 0.25, 1.0), (7, 3.25, 1.0), (3, 3.0, 0.0), (15, 1.4375, 3.0), (0, 7.5, -4.0)],
)
def test_value_by_hand(observed: int, expected: float, value: float) -> None:
    assert information_component(observed, expected, confidence=0.95).value == pytest.approx(value)


@pytest.mark.parametrize("confidence", [0.9, 0.95])
@pytest.mark.parametrize(("observed", "expected"), [(0, 2.0), (3, 0.4), (12, 8.7), (900, 1000.0)])
def test_limits_are_those_of_the_gamma_distribution(observed: int, expected: float, confidence: float) -> None:
    answer = information_component(observed, expected, confidence=confidence)
    posterior = gamma(observed + 0.5, scale=1 / (expected + 0.5))
    limits = (1 - confidence) / 2, (1 + confidence) / 2
    found = (answer.lower, answer.upper)
    assert found == pytest.approx(tuple(math.log2(posterior.ppf(share)) for share in limits), rel=1e-9)


def test_one_event_where_hardly_any_is_expected_is_no_signal_and_four_are() -> None:
    one, four = (information_component(count, 0.01, confidence=0.95) for count in (1, 4))
    assert one.lower is not None
    assert four.lower is not None
    assert one.lower < 0 < four.lower


def test_nothing_expected_has_no_answer_and_negative_numbers_are_refused() -> None:
    assert information_component(0, 0.0, confidence=0.95).status == "not_estimable"
    for observed, expected in ((-1, 1.0), (1, -1.0), (1, math.inf)):
        with pytest.raises(EstimationError):
            information_component(observed, expected, confidence=0.95)


def test_median_of_ten_days_has_the_second_and_the_ninth_as_limits() -> None:
    answer = sample_median(dict.fromkeys(range(1, 11), 1), confidence=0.95)
    assert (answer.value, answer.lower, answer.upper, answer.event_count) == (5.0, 2.0, 9.0, 10)


@pytest.mark.parametrize("size", [6, 7, 25, 100, 1001])
def test_limits_of_the_median_cover_what_they_promise_and_are_the_narrowest(size: int) -> None:
    answer = sample_median(dict.fromkeys(range(1, size + 1), 1), confidence=0.95)
    assert answer.lower is not None
    rank = int(answer.lower)
    assert answer.upper == size + 1 - rank
    assert binom.cdf(rank - 1, size, 0.5) <= 0.025 < binom.cdf(rank, size, 0.5)


def test_five_values_have_a_median_without_limits_and_none_has_none() -> None:
    answer = sample_median({3: 5}, confidence=0.95)
    assert (answer.status, answer.value, answer.lower, answer.upper) == ("ok", 3.0, None, None)
    assert sample_median({}, confidence=0.95).status == "not_estimable"
