"""What a confidence level means."""

import pytest

from analysis.estimate.confidence import normal_quantile, tail_probability, wald_p_value
from analysis.estimate.result import EstimationError


def test_both_tails_share_what_the_confidence_leaves() -> None:
    assert tail_probability(0.95) == pytest.approx(0.025, abs=1e-15)
    assert normal_quantile(0.95) == pytest.approx(1.959963984540054, abs=1e-12)
    assert normal_quantile(0.90) == pytest.approx(1.6448536269514722, abs=1e-12)


def test_a_wald_p_is_two_sided_and_keeps_its_digits_far_out() -> None:
    assert wald_p_value(-1.959963984540054) == pytest.approx(0.05, rel=1e-12)
    assert wald_p_value(0.0) == 1.0
    assert wald_p_value(30.0) == pytest.approx(9.813427854297537e-198, rel=1e-9)  # 2 * pnorm(-30) in R


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, -0.5, float("nan")])
def test_a_confidence_outside_zero_to_one_is_refused(confidence: float) -> None:
    with pytest.raises(EstimationError, match="between 0 and 1"):
        tail_probability(confidence)
