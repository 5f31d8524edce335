"""Empirical calibration: against R, OHDSI's own numbers, and a slow search."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.estimate.empirical_calibration import SystematicError, calibrated, fit_systematic_error
from analysis.estimate.result import Answer, EstimationError, not_estimable

ROWS = json.loads((Path(__file__).parents[3] / "truth" / "empirical_calibration.json").read_text())


def answer_of(log_ratio: float, standard_error: float) -> Answer:
    return Answer(
        method="cox", value=math.exp(log_ratio), standard_error=standard_error, event_count=12, person_count=90
    )


def log_likelihood(mean: float, deviation: float, logs: list[float], errors: list[float]) -> float:
    return sum(
        -0.5 * math.log(deviation**2 + error**2) - 0.5 * (log - mean) ** 2 / (deviation**2 + error**2)
        for log, error in zip(logs, errors, strict=True)
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_the_error_and_what_it_calibrates_are_those_of_r(row: dict[str, Any]) -> None:
    error = fit_systematic_error(row["log_ratios"], row["standard_errors"])
    assert (error.mean, error.standard_deviation) == pytest.approx((row["mean"], row["standard_deviation"]), rel=1e-9)
    answer = calibrated(answer_of(*row["positive"]), error, confidence=0.95)
    assert [answer.value, answer.lower, answer.upper, answer.p_value] == pytest.approx(
        [row["ratio"], row["lower"], row["upper"], row["p"]], rel=1e-9
    )
    assert (answer.event_count, answer.person_count, error.control_count) == (12, 90, len(row["log_ratios"]))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_the_package_says_the_same_as_far_as_its_optimiser_goes(row: dict[str, Any]) -> None:
    logs, errors = row["log_ratios"], row["standard_errors"]
    error = fit_systematic_error(logs, errors)
    assert (error.mean, error.standard_deviation) == pytest.approx((row["package_mean"], row["package_sd"]), abs=2e-4)
    answer = calibrated(answer_of(*row["positive"]), error, confidence=0.95)
    assert answer.p_value == pytest.approx(row["package_p"], abs=5e-4)
    ours = log_likelihood(error.mean, error.standard_deviation, logs, errors)
    assert ours > log_likelihood(row["package_mean"], row["package_sd"], logs, errors)


def test_no_neighbour_is_more_likely() -> None:
    random = np.random.default_rng(4)
    for size in (2, 3, 10, 50):
        errors = random.uniform(0.01, 1.0, size).tolist()
        logs = (random.normal(0.3, 0.4, size) + random.normal(0, 1, size) * errors).tolist()
        error = fit_systematic_error(logs, errors)
        best = log_likelihood(error.mean, error.standard_deviation, logs, errors)
        for mean in np.linspace(-2, 2, 81):
            for deviation in np.linspace(0, 3, 121):
                assert log_likelihood(float(mean), float(deviation), logs, errors) <= best + 1e-9


def test_controls_that_agree_have_an_error_without_spread() -> None:
    error = fit_systematic_error([0.5, 0.5, 0.5], [0.1, 0.2, 0.4])
    assert (error.mean, error.standard_deviation) == (pytest.approx(0.5), 0.0)
    exact = fit_systematic_error([0.1, 0.9], [1e-6, 1e-6])  # random error is nothing: the spread is that of two numbers
    assert (exact.mean, exact.standard_deviation) == pytest.approx((0.5, 0.4), rel=1e-9)


def test_the_higher_of_two_peaks_is_taken() -> None:
    # Many exact controls at 0 and two vague outliers: the spread of the exact ones against that of the outliers.
    logs, errors = [0.0] * 6 + [3.0, -3.0], [0.05] * 6 + [0.3, 0.3]
    error = fit_systematic_error(logs, errors)
    searched = max(
        (log_likelihood(0.0, deviation, logs, errors), deviation) for deviation in np.geomspace(1e-4, 5.0, 20_000)
    )
    assert error.standard_deviation == pytest.approx(searched[1], rel=1e-3)


def test_without_systematic_error_nothing_moves() -> None:
    plain = SystematicError(mean=0.0, standard_deviation=0.0, control_count=30)
    answer = calibrated(answer_of(0.7, 0.2), plain, confidence=0.95)
    assert (answer.value, answer.standard_error) == pytest.approx((math.exp(0.7), 0.2))
    assert answer.p_value == pytest.approx(math.erfc(0.7 / 0.2 / math.sqrt(2)))


def test_p_and_limits_agree_at_the_border() -> None:
    error = SystematicError(mean=0.3, standard_deviation=0.4, control_count=30)
    answer = calibrated(answer_of(0.3 + 1.959963984540054 * 0.5, 0.3), error, confidence=0.95)
    assert (answer.lower, answer.p_value) == (pytest.approx(1.0), pytest.approx(0.05))


@pytest.mark.parametrize(
    ("ratio", "reason"),
    [
        (not_estimable("woolf", "exposed_cases is 0"), "nothing to calibrate: exposed_cases is 0"),
        (
            Answer(method="exact", value=0.0, lower=0.0, upper=2.0),
            "nothing to calibrate: there is no standard error of the log",
        ),
        (
            Answer(method="exact", value=2.0, lower=1.0, upper=3.0),
            "nothing to calibrate: there is no standard error of the log",
        ),
    ],
)
def test_what_has_no_normal_error_is_not_calibrated(ratio: Answer, reason: str) -> None:
    error = SystematicError(mean=0.3, standard_deviation=0.4, control_count=30)
    answer = calibrated(ratio, error, confidence=0.95)
    assert (answer.status, answer.reason, answer.value, answer.p_value) == ("not_estimable", reason, None, None)


@pytest.mark.parametrize(
    ("logs", "errors", "said"),
    [
        ([0.1], [0.2], "two controls"),
        ([], [], "two controls"),
        ([0.1, 0.2], [0.2], "do not belong together"),
        ([0.1, math.nan, 0.3], [0.2, 0.2, 0.0], "2 of 3 controls"),
        ([0.1, math.inf], [0.2, 0.2], "1 of 2 controls"),
        ([0.1, 0.2], [0.2, -0.2], "1 of 2 controls"),
    ],
)
def test_what_is_no_set_of_controls_is_refused(logs: list[float], errors: list[float], said: str) -> None:
    with pytest.raises(EstimationError, match=said):
        fit_systematic_error(logs, errors)
