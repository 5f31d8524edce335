"""E-values: published examples, the bounding factor they invert, and every answer they can be asked of."""

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.estimate.e_value import RatioScale, e_value
from analysis.estimate.result import Answer, EstimationError, not_estimable

EVERY_SCALE = get_args(RatioScale)


def ratio(value: float | None, lower: float | None, upper: float | None) -> Answer:
    if value is None:
        return Answer(method="test", lower=lower, upper=upper, status="limit_only", reason="comparator_cases is 0")
    return Answer(method="test", value=value, lower=lower, upper=upper, confidence_level=0.95, event_count=7)


def test_published_examples() -> None:
    # VanderWeele and Ding 2017: breast-feeding and respiratory death (bottle-fed infants), leukaemia, ovarian cancer.
    for (value, lower, upper), published in (
        ((3.9, 1.8, 8.7), (7.26, 3.0)),
        ((0.80, 0.71, 0.91), (1.8, 1.4)),
        ((0.5, 0.3, 0.8), (3.4, 1.8)),
    ):
        answer = e_value(ratio(value, lower, upper), scale="risk_ratio")
        assert (answer.value, answer.lower) == pytest.approx(published, abs=0.05)


@given(log_ratio=st.floats(-8.0, 8.0))
def test_a_confounder_of_that_strength_explains_the_ratio(log_ratio: float) -> None:
    value = math.exp(log_ratio)
    strength = e_value(ratio(value, value, value), scale="risk_ratio").value
    assert strength is not None
    # The bounding factor of Ding and VanderWeele 2016 when both its risk ratios are the E-value.
    assert strength**2 / (2 * strength - 1) == pytest.approx(max(value, 1 / value), rel=1e-9)


@given(scale=st.sampled_from(EVERY_SCALE), log_ratio=st.floats(0.0, 50.0))
def test_a_ratio_and_its_inverse_are_alike_and_common_outcomes_take_less(scale: RatioScale, log_ratio: float) -> None:
    value = math.exp(log_ratio)
    up, down = (e_value(ratio(each, each, each), scale=scale).value for each in (value, 1 / value))
    rare = e_value(ratio(value, value, value), scale="risk_ratio").value
    assert up is not None
    assert rare is not None
    assert up == pytest.approx(down, rel=1e-6)
    assert 1.0 <= up <= rare * (1 + 1e-12)


def test_common_outcomes_by_hand() -> None:
    odds = e_value(ratio(4.0, 1.44, 9.0), scale="odds_ratio_common")
    assert (odds.value, odds.lower) == pytest.approx((2 + math.sqrt(2), 1.2 + math.sqrt(0.24)))
    hazard = e_value(ratio(4.0, 1.0, 9.0), scale="hazard_ratio_common")
    risk = (1 - 0.5**2) / (1 - 0.5**0.5)
    assert (hazard.value, hazard.lower) == (pytest.approx(risk + math.sqrt(risk * (risk - 1))), 1.0)


@pytest.mark.parametrize(
    ("asked", "value", "lower"),
    [
        (ratio(2.0, 0.9, 4.0), 2 + math.sqrt(2), 1.0),  # the limits hold 1
        (ratio(0.5, 0.2, 1.1), 2 + math.sqrt(2), 1.0),
        (ratio(1.0, 0.5, 2.0), 1.0, 1.0),
        (ratio(2.0, 2.0, 4.0), 2 + math.sqrt(2), 2 + math.sqrt(2)),
        (ratio(0.5, 0.2, 0.5), 2 + math.sqrt(2), 2 + math.sqrt(2)),
        (ratio(2.0, None, None), 2 + math.sqrt(2), None),
    ],
)
def test_the_limit_nearer_to_1_counts(asked: Answer, value: float, lower: float | None) -> None:
    answer = e_value(asked, scale="risk_ratio")
    assert (answer.status, answer.value, answer.upper) == ("ok", pytest.approx(value), None)
    assert answer.lower == (None if lower is None else pytest.approx(lower))


@pytest.mark.parametrize(
    ("asked", "lower"),
    [
        (ratio(0.0, 0.0, 0.5), 2 + math.sqrt(2)),
        (ratio(0.0, 0.0, 3.0), 1.0),
        (ratio(None, 2.0, None), 2 + math.sqrt(2)),
        (ratio(None, 0.8, None), 1.0),
    ],
)
def test_zero_and_infinity_have_the_e_value_of_their_limit_only(asked: Answer, lower: float) -> None:
    answer = e_value(asked, scale="risk_ratio")
    assert (answer.status, answer.value, answer.lower) == ("limit_only", None, pytest.approx(lower))
    assert answer.reason == "no confounding of finite strength explains a ratio of 0 or infinity"


def test_no_ratio_has_no_e_value() -> None:
    answer = e_value(not_estimable("woolf", "there are no cases"), scale="risk_ratio")
    assert (answer.status, answer.reason) == ("not_estimable", "no ratio: there are no cases")
    assert e_value(ratio(0.0, 0.0, None), scale="risk_ratio").reason == "neither the ratio nor a limit is above 0"


def test_a_negative_ratio_and_an_unknown_scale_are_refused() -> None:
    with pytest.raises(EstimationError, match="not negative"):
        e_value(ratio(-1.0, -2.0, 0.5), scale="risk_ratio")
    with pytest.raises(EstimationError, match="unknown scale"):
        e_value(ratio(2.0, 1.0, 3.0), scale="odds_ratio")  # type: ignore[arg-type]
