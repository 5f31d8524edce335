"""Empirical calibration: what estimates of negative controls say about the systematic error of a study.

Owns the distribution of systematic error and the P and limits calibrated by it. Choosing negative controls, and the gate that
they make, belong elsewhere.
Source: Schuemie, Ryan, DuMouchel, Suchard and Madigan 2014, Stat Med 33:209 (null, P); Schuemie, Hripcsak, Ryan, Madigan and
Suchard 2018, Proc Natl Acad Sci 115:2571 (limits).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from analysis.estimate.confidence import LARGEST_LOG_RATIO, normal_quantile, wald_p_value
from analysis.estimate.result import Answer, EstimationError, not_estimable

Floats = NDArray[np.float64]
METHOD = "empirical_calibration"

# The likelihood of the spread may have two peaks: the grid finds which is higher, the root of its slope where it is.
_GRID_POINTS = 2_000


@dataclass(frozen=True, slots=True)
class SystematicError:
    """Normal distribution of systematic error on the log scale: its mean, its standard deviation and the controls behind it."""

    mean: float
    standard_deviation: float
    control_count: int


def fit_systematic_error(log_ratios: Sequence[float], standard_errors: Sequence[float]) -> SystematicError:
    """Systematic error of negative controls, whose true log ratio is 0, by maximum likelihood.

    `log_ratios`, `standard_errors`: one per control, from the same design as the estimate to be calibrated. Each estimate is
    normal around the error, which is normal around `mean`. A standard deviation of 0 says that random error alone explains the
    spread. Misleads when controls differ in their confounding from the outcome of interest, and with fewer than some 30: the
    fitted distribution is then taken as known although it is not.
    Raises EstimationError for fewer than two controls, lists of different lengths, and numbers that are not finite or standard
    errors not above zero: controls without an estimate must be left out, and counted, before.
    Source: Schuemie et al. 2014 (R: EmpiricalCalibration, fitNull).
    """
    if len(log_ratios) != len(standard_errors):
        raise EstimationError(
            f"{len(log_ratios)} log ratios and {len(standard_errors)} standard errors do not belong together"
        )
    logs, squares = np.array(log_ratios, dtype=np.float64), np.array(standard_errors, dtype=np.float64) ** 2
    wrong = int(
        (~np.isfinite(logs) | ~np.isfinite(squares) | ~(np.array(standard_errors, dtype=np.float64) > 0.0)).sum()
    )
    if wrong:
        raise EstimationError(f"{wrong} of {logs.size} controls have no finite log ratio with a standard error above 0")
    if logs.size < 2:
        raise EstimationError(f"systematic error has a spread from two controls on, got {logs.size}")
    # From far below the smallest standard error, in steps of a percent: the likelihood has no finer features.
    finest, widest = math.sqrt(float(squares.min())) / 100.0, float(np.ptp(logs)) + math.sqrt(float(squares.max()))
    grid = np.concatenate(([0.0], np.geomspace(finest, widest, _GRID_POINTS)))
    place = int(np.argmax([_log_likelihood(deviation**2, logs, squares) for deviation in grid]))
    variance = _peak(grid[max(0, place - 1)] ** 2, grid[min(grid.size - 1, place + 1)] ** 2, logs, squares)
    return SystematicError(_mean(variance, logs, squares), math.sqrt(variance), logs.size)


def calibrated(ratio: Answer, error: SystematicError, *, confidence: float) -> Answer:
    """The ratio with systematic error taken off: value, limits and P as if negative controls had shown none.

    `ratio`: an answer with a value and the `standard_error` of its log. The mean error is subtracted from the log and the two
    variances are added. P is the calibrated P of the hypothesis of no effect. Assumes that the error is the same whatever the
    true effect (negative controls cannot show otherwise). Misleads as in `fit_systematic_error`.
    Not estimable for a ratio without value or standard error, such as 0: exact limits cannot be calibrated.
    Source: Schuemie et al. 2014 (P) and 2018 (limits; R: EmpiricalCalibration, calibrateP and calibrateConfidenceInterval with
    convertNullToErrorModel).
    """
    quantile = normal_quantile(confidence)
    counts = {"person_count": ratio.person_count, "event_count": ratio.event_count, "person_days": ratio.person_days}
    if not ratio.value or ratio.standard_error is None:
        missing = ratio.reason or "there is no standard error of the log"
        return not_estimable(METHOD, f"nothing to calibrate: {missing}", **counts)
    log_ratio = math.log(ratio.value) - error.mean
    standard_error = math.hypot(ratio.standard_error, error.standard_deviation)
    if abs(log_ratio) + quantile * standard_error > LARGEST_LOG_RATIO:
        return not_estimable(METHOD, "the limits are beyond 1e100: separation", **counts)
    return Answer(
        method=METHOD,
        value=math.exp(log_ratio),
        lower=math.exp(log_ratio - quantile * standard_error),
        upper=math.exp(log_ratio + quantile * standard_error),
        confidence_level=confidence,
        standard_error=standard_error,
        p_value=wald_p_value(log_ratio / standard_error),
        person_count=ratio.person_count,
        event_count=ratio.event_count,
        person_days=ratio.person_days,
    )


def _mean(variance: float, logs: Floats, squares: Floats) -> float:
    weights = 1.0 / (squares + variance)
    return float(weights @ logs / weights.sum())


def _log_likelihood(variance: float, logs: Floats, squares: Floats) -> float:
    """Of the spread, with the mean most likely under it; without the constant."""
    total = squares + variance
    return -0.5 * float((np.log(total) + (logs - _mean(variance, logs, squares)) ** 2 / total).sum())


def _slope(variance: float, logs: Floats, squares: Floats) -> float:
    """Twice the derivative of the log likelihood in the variance; the mean, being most likely, adds nothing."""
    total = squares + variance
    return float((((logs - _mean(variance, logs, squares)) / total) ** 2 - 1.0 / total).sum())


def _peak(low: float, high: float, logs: Floats, squares: Floats) -> float:
    """Where the slope passes zero between two variances beside the highest grid point, or `low` where it falls from there."""
    if _slope(low, logs, squares) <= 0.0:
        return low
    return float(brentq(_slope, low, high, args=(logs, squares), xtol=1e-18, rtol=1e-14))
