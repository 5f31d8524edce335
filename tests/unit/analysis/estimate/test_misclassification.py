"""Bias analysis of a misclassified outcome: by hand where the errors are fixed, by quantiles where they are not."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.estimate.misclassification import BiasAnalysis, OutcomeErrors, Trapezoid, misclassified_outcome
from analysis.estimate.rates import TwoRates
from analysis.estimate.result import EstimationError
from analysis.estimate.risk import risk_ratio
from analysis.estimate.two_by_two import TwoByTwo, odds_ratio

TABLE = TwoByTwo(120, 880, 60, 940)
PERFECT = Trapezoid.fixed(1.0)


def errors_of(**changed: Any) -> OutcomeErrors:
    names = ("exposed_ppv", "comparator_ppv", "exposed_sensitivity", "comparator_sensitivity")
    return OutcomeErrors(**dict.fromkeys(names, PERFECT) | {"correlation": 0.0} | changed)


def analysed(errors: OutcomeErrors, table: TwoByTwo | TwoRates = TABLE, **changed: Any) -> BiasAnalysis:
    asked: dict[str, Any] = {
        "measure": "risk_ratio", "uncertainty": "systematic", "draws": 9_999, "seed": 1, "confidence": 0.95
    }  # fmt: skip
    return misclassified_outcome(table, errors, **(asked | changed))


def test_fixed_errors_are_arithmetic() -> None:
    errors = errors_of(
        exposed_ppv=Trapezoid.fixed(0.8),
        comparator_ppv=Trapezoid.fixed(0.9),
        exposed_sensitivity=Trapezoid.fixed(0.6),
        comparator_sensitivity=Trapezoid.fixed(0.5),
    )
    # True cases: 120 * 0.8 / 0.6 = 160 and 60 * 0.9 / 0.5 = 108, of 1,000 each.
    risks = analysed(errors).answer
    assert (risks.value, risks.lower, risks.upper) == pytest.approx((160 / 108,) * 3)
    odds = analysed(errors, measure="odds_ratio").answer
    assert odds.value == pytest.approx(160 * 892 / (840 * 108))
    rates = analysed(errors, TwoRates(120, 5000, 60, 9000), measure="rate_ratio").answer
    assert rates.value == pytest.approx(160 * 9000 / (108 * 5000))
    assert (risks.event_count, rates.event_count) == (180, 180)


def test_a_range_of_one_predictive_value_gives_its_quantiles() -> None:
    answer = analysed(errors_of(exposed_ppv=Trapezoid.uniform(0.5, 0.9)), draws=99_999).answer
    # Ratio 2 x PPV: uniform from 1 to 1.8.
    assert (answer.value, answer.lower, answer.upper) == pytest.approx((1.4, 1.02, 1.78), abs=0.006)


def test_errors_that_move_together_cancel_in_a_ratio_of_risks() -> None:
    ppv = Trapezoid(0.4, 0.5, 0.7, 0.9)
    together = analysed(errors_of(exposed_ppv=ppv, comparator_ppv=ppv, correlation=1.0)).answer
    assert (together.lower, together.upper) == pytest.approx((2.0, 2.0))
    half = analysed(errors_of(exposed_ppv=ppv, comparator_ppv=ppv, correlation=0.8)).answer
    apart = analysed(errors_of(exposed_ppv=ppv, comparator_ppv=ppv, correlation=0.0)).answer
    assert apart.lower < half.lower < 2.0 < half.upper < apart.upper  # type: ignore[operator]


def test_without_errors_the_total_is_the_conventional_interval() -> None:
    for measure, conventional in (
        ("risk_ratio", risk_ratio(TABLE, method="katz", confidence=0.95)),
        ("odds_ratio", odds_ratio(TABLE, method="woolf", confidence=0.95)),
    ):
        answer = analysed(errors_of(), measure=measure, uncertainty="total", draws=99_999).answer
        assert (answer.value, answer.lower, answer.upper) == pytest.approx(
            (conventional.value, conventional.lower, conventional.upper), rel=0.01
        )
    rates = analysed(errors_of(), TwoRates(12, 900, 7, 900), measure="rate_ratio", uncertainty="total", draws=99_999)
    spread = 1.96 * math.sqrt(1 / 12 + 1 / 7)
    assert (rates.answer.lower, rates.answer.upper) == pytest.approx(
        (12 / 7 * math.exp(-spread), 12 / 7 * math.exp(spread)), rel=0.02
    )


def test_the_error_of_corrected_odds_is_that_of_the_recorded_count_carried_through() -> None:
    # True cases 160 = 120 / 0.75 of 1,000: the log odds move by 1000 / (840 * 120) a recorded case.
    errors = errors_of(exposed_sensitivity=Trapezoid.fixed(0.75))
    answer = analysed(errors, measure="odds_ratio", uncertainty="total", draws=99_999).answer
    recorded = 120 * 0.88
    variance = recorded * (1000 / (840 * 120)) ** 2 + 1000 / (60 * 940)
    spread = 2 * 1.96 * math.sqrt(variance)
    assert math.log(answer.upper / answer.lower) == pytest.approx(spread, rel=0.01)  # type: ignore[operator]


def test_impossible_draws_are_counted_and_shown() -> None:
    # 600 recorded of 1,000 at a sensitivity from 0.5 to 0.7: below 0.6, half of the draws, there were more cases than persons.
    errors = errors_of(exposed_sensitivity=Trapezoid.uniform(0.5, 0.7))
    found = analysed(errors, TwoByTwo(600, 400, 60, 940))
    assert found.draw_count == 9_999
    assert found.impossible_count == pytest.approx(5000, abs=200)
    assert found.answer.reason == f"{found.impossible_count} of 9999 draws are impossible: more true cases than persons"
    assert found.answer.upper == pytest.approx(1 / 0.06, rel=0.01)
    assert analysed(errors_of(), TwoByTwo(600, 400, 60, 940)).answer.reason == ""
    odds = analysed(errors_of(), TwoByTwo(600, 0, 60, 940), measure="odds_ratio")
    assert (odds.answer.status, odds.impossible_count) == ("not_estimable", 9_999)
    assert (
        analysed(errors_of(), TwoByTwo(600, 0, 60, 940)).answer.status == "ok"
    )  # as many cases as persons is a risk of 1


def test_only_impossible_draws_are_no_estimate() -> None:
    found = analysed(errors_of(exposed_sensitivity=Trapezoid.fixed(0.5)), TwoByTwo(600, 400, 60, 940))
    assert (found.answer.status, found.impossible_count) == ("not_estimable", 9_999)
    assert found.answer.reason.startswith("9999 of 9999 draws are impossible")


@pytest.mark.parametrize(
    ("cells", "named"),
    [((0, 9, 3, 9), "exposed"), ((3, 9, 0, 9), "comparator"), ((0, 9, 0, 9), "exposed and comparator")],
)
def test_no_recorded_case_is_not_corrected(cells: tuple[int, int, int, int], named: str) -> None:
    answer = analysed(errors_of(), TwoByTwo(*cells)).answer
    assert answer.status == "not_estimable"
    assert answer.reason.startswith(f"no recorded case in a group ({named})")


def test_the_seed_makes_the_draws_and_the_errors_are_the_same_with_random_error() -> None:
    errors = errors_of(exposed_ppv=Trapezoid.uniform(0.5, 0.9))
    assert analysed(errors) == analysed(errors)
    assert analysed(errors, seed=2) != analysed(errors)
    huge = TwoByTwo(120_000_000, 880_000_000, 60_000_000, 940_000_000)
    plain, total = (analysed(errors, huge, uncertainty=each).answer for each in ("systematic", "total"))
    assert total.value == pytest.approx(plain.value, rel=1e-3)
    assert total.value != plain.value


def test_what_means_nothing_is_refused() -> None:
    with pytest.raises(EstimationError, match="needs rates"):
        analysed(errors_of(), measure="rate_ratio")
    with pytest.raises(EstimationError, match="needs rates"):
        analysed(errors_of(), TwoRates(1, 2, 3, 4))
    with pytest.raises(EstimationError, match="unknown measure"):
        analysed(errors_of(), measure="hazard_ratio")
    with pytest.raises(EstimationError, match="do not reach a tail"):
        analysed(errors_of(), draws=38)
    with pytest.raises(EstimationError, match="correlation"):
        errors_of(correlation=1.1)


@pytest.mark.parametrize(
    "ends", [(0.0, 0.1, 0.2, 0.3), (0.4, 0.3, 0.5, 0.6), (0.4, 0.5, 0.45, 0.6), (0.5, 0.6, 0.7, 1.1)]
)
def test_what_is_no_share_is_refused(ends: tuple[float, float, float, float]) -> None:
    with pytest.raises(EstimationError):
        Trapezoid(*ends)


@given(
    ends=st.lists(st.floats(0.01, 1.0), min_size=4, max_size=4).map(sorted),
    shares=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20),
)
def test_quantiles_of_a_trapezoid_invert_its_area(ends: list[float], shares: list[float]) -> None:
    shape = Trapezoid(*ends)
    values = shape.quantile(np.array(shares))
    assert (values >= shape.low - 1e-12).all()
    assert (values <= shape.high + 1e-12).all()
    area = (shape.high - shape.low + shape.mode_high - shape.mode_low) / 2
    if area < 1e-6:
        return
    for value, share in zip(values, shares, strict=True):
        rise, fall = shape.mode_low - shape.low, shape.high - shape.mode_high
        if value < shape.mode_low:
            below = (value - shape.low) ** 2 / (2 * rise)
        elif value <= shape.mode_high:
            below = rise / 2 + value - shape.mode_low
        else:
            below = area - (shape.high - value) ** 2 / (2 * fall)
        assert below / area == pytest.approx(share, abs=1e-6)
