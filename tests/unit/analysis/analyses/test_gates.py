"""Gates: what fails, what passes, and what cannot be told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from analysis.analyses.gates import (
    Diagnostic,
    diagnostic_frame,
    expected_absolute_error,
    gated,
    item,
    judge_detectable,
    judge_negative_controls,
)
from analysis.estimate.empirical_calibration import SystematicError
from analysis.estimate.result import Answer, Estimate, Question, not_estimable
from analysis.study.comparison import Diagnostics

QUESTION = Question(analysis="a", estimand="odds_ratio", exposure_rule="r", population="p")


def _ratio(value: float, error: float) -> Answer:
    return Answer(
        method="m",
        value=value,
        lower=value * math.exp(-1.96 * error),
        upper=value * math.exp(1.96 * error),
        standard_error=error,
    )


def _judged(ratios: dict[str, Answer], **settings: float):  # type: ignore[no-untyped-def]
    return judge_negative_controls(ratios, Diagnostics(**settings), analysis="a", parts={"method": "m"})  # type: ignore[arg-type]


def test_few_controls_fail_when_more_than_one_excludes_1() -> None:
    one_off = {"x": _ratio(2.0, 0.1), "y": _ratio(1.0, 0.1), "z": _ratio(1.1, 0.1)}
    found = _judged(one_off)
    assert found.failure == "" and found.error is None
    assert [row.status for row in found.diagnostics] == ["fail", "pass", "pass", "pass"]
    two_off = _judged(one_off | {"z": _ratio(0.5, 0.1)})
    assert two_off.failure == "2 of 3 negative controls have limits that exclude 1"
    assert two_off.diagnostics[-1] == Diagnostic(
        analysis="a", diagnostic="negative_controls_off_null", item="method=m", value=2.0, threshold=1.0, status="fail"
    )


def test_controls_without_an_estimate_are_not_assessable_and_fail_nobody() -> None:
    found = _judged({"x": not_estimable("m", "no events")})
    assert found.failure == ""
    assert [row.status for row in found.diagnostics] == ["not_assessable", "not_assessable"]
    assert found.diagnostics[-1].value is None
    assert _judged({}).diagnostics[-1].status == "not_assessable"


def test_enough_controls_are_calibrated_and_judged_by_the_size_of_the_error() -> None:
    biased = {str(number): _ratio(1.6, 0.1) for number in range(10)}
    found = _judged(biased)
    assert found.error is not None and math.isclose(found.error.mean, math.log(1.6))
    assert found.failure.startswith("expected systematic error 0.47 on the log scale by 10 negative controls")
    honest = _judged({str(number): _ratio(math.exp(0.05 * (-1) ** number), 0.1) for number in range(10)})
    assert honest.failure == "" and honest.diagnostics[-1].status == "pass"
    assert _judged(dict(list(biased.items())[:9])).error is None


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.3), (0.2, 0.1), (-0.4, 0.25), (0.1, 0.0)])
def test_the_expected_absolute_error_is_the_integral_of_its_definition(mean: float, deviation: float) -> None:
    expected = abs(mean)
    if deviation:
        expected = quad(lambda x: abs(x) * norm.pdf(x, mean, deviation), -5, 5, points=[0.0])[0]
    assert np.isclose(expected_absolute_error(SystematicError(mean, deviation, 10)), expected, rtol=1e-8)


def test_what_could_not_have_been_seen_fails() -> None:
    small, failure = judge_detectable(Answer(method="m", value=3.0), Diagnostics(), analysis="a", parts={})
    assert small.status == "pass" and failure == ""
    large, failure = judge_detectable(Answer(method="m", value=12.0), Diagnostics(), analysis="a", parts={})
    assert large.status == "fail" and failure == "no ratio up to 10 could be detected (it is 12.0)"
    none, failure = judge_detectable(not_estimable("m", "no events"), Diagnostics(), analysis="a", parts={})
    assert none.status == "fail" and none.value is None and failure.endswith("(no events)")


def test_a_failed_estimate_keeps_its_numbers_and_says_why() -> None:
    estimate = Estimate(QUESTION, Answer(method="m", value=2.0, lower=1.0, upper=4.0, reason="not adjusted for age"))
    failed = gated(estimate, ["", "unbalanced", "too small"])
    assert (failed.answer.status, failed.answer.value) == ("gate_failed", 2.0)
    assert failed.answer.reason == "unbalanced; too small; not adjusted for age"
    assert gated(estimate, ["", ""]) is estimate
    nothing = Estimate(QUESTION, not_estimable("m", "no events"))
    assert gated(nothing, ["unbalanced"]) is nothing


def test_items_are_pairs_in_byte_order_and_rows_fit_the_table() -> None:
    assert item(b="2", a="1", c="") == "a=1;b=2"
    row = Diagnostic(analysis="a", diagnostic="d", item="", value=None, threshold=None, status="not_assessable")
    assert diagnostic_frame([row]).rows() == [("a", "d", "", None, None, "not_assessable")]
    assert diagnostic_frame([]).height == 0
