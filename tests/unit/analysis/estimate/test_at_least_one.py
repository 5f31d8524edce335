"""The numbers of persons behind a rare event, by hand."""

from __future__ import annotations

import math

import pytest

from analysis.estimate.at_least_one import chance, chance_of_one, expected, needed
from analysis.estimate.rare_events import persons_to_see_one
from analysis.estimate.result import EstimationError


@pytest.mark.parametrize(("risk", "persons"), [(0.0009, 3328), (0.001, 2995), (0.002, 1497), (0.5, 5)])
def test_persons_needed_for_one_with_95_percent(risk: float, persons: int) -> None:
    assert persons_to_see_one(risk, probability=0.95) == persons
    assert chance_of_one(risk, persons) >= 0.95 > chance_of_one(risk, persons - 1)


def test_31_persons_had_a_chance_of_2_8_percent_to_show_one() -> None:
    assert chance_of_one(0.0009, 31) == pytest.approx(1 - (1 - 0.0009) ** 31)
    assert round(chance_of_one(0.0009, 31), 3) == 0.028


def test_the_upper_limit_of_the_risk_needs_fewest_persons() -> None:
    answer = needed(0.000886, lower=0.00062, upper=0.00123, probability=0.95)
    assert (answer.lower, answer.value, answer.upper) == (2435.0, 3380.0, 4831.0)
    assert math.ceil(math.log(0.05) / math.log(1 - 0.00123)) == 2435


def test_a_lower_limit_of_zero_needs_no_number_that_is_finite() -> None:
    assert needed(0.01, lower=0.0, upper=None, probability=0.95).upper is None
    assert chance(0.01, 10, lower=0.0, upper=0.02).lower is None


def test_nobody_shows_nothing() -> None:
    assert chance_of_one(0.5, 0) == 0.0
    assert expected(0.001, 2000, lower=0.0005, upper=None).value == pytest.approx(2.0)


@pytest.mark.parametrize("risk", [0.0, 1.0, -0.1])
def test_a_risk_outside_0_and_1_is_refused(risk: float) -> None:
    with pytest.raises(EstimationError, match="between 0 and 1"):
        chance_of_one(risk, 5)
