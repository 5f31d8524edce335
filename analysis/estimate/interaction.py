"""Interaction of two exposures A and B: how far both together depart from the two apart, on either scale.

Owns the four measures with delta and MOVER limits. Making the ratios from counts and limits from resampling belong in
`interaction_draws`; the ratios of a regression come from the regression.

All measures compare A alone, B alone and both with neither. The additive ones (RERI, attributable proportion, synergy index)
take odds ratios and hazard ratios for risk ratios: good where outcomes are rare. They mislead where an exposure alone
prevents the outcome (a ratio below 1); make the group of lowest risk the reference then (Knol et al. 2011, Eur J Epidemiol
26:433).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from analysis.estimate.confidence import LARGEST_LOG_RATIO, normal_quantile, wald_p_value
from analysis.estimate.result import Answer, EstimationError, not_estimable

Measure = Literal["ratio_of_ratios", "reri", "attributable_proportion", "synergy_index"]
LimitMethod = Literal["delta", "mover"]
Floats = NDArray[np.float64]

# A variance this far below zero, relative to the largest, is rounding; further below, it is no covariance.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class JointRatios:
    """Logs of the ratios of A alone, B alone and both, in this order, each against neither, and their covariance.

    `covariance`: 3 rows of 3. A regression with a product term has its coefficients a, b and c here as a, b and a + b + c
    (`from_product_term`). `undefined` names why there are no ratios (a zero cell); the other fields are then not read.
    Raises EstimationError for numbers that are not finite and for a covariance that is not one.
    """

    log_ratios: tuple[float, float, float] = (0.0, 0.0, 0.0)
    covariance: tuple[tuple[float, ...], ...] = ((0.0,) * 3,) * 3
    event_count: int | None = None
    undefined: str = ""

    def __post_init__(self) -> None:
        if self.undefined:
            return
        matrix = np.array(self.covariance, dtype=np.float64)
        if matrix.shape != (3, 3) or len(self.log_ratios) != 3:
            raise EstimationError(
                f"three ratios have a covariance of 3 by 3, got {len(self.log_ratios)}, {matrix.shape}"
            )
        if not (np.isfinite(matrix).all() and all(math.isfinite(each) for each in self.log_ratios)):
            raise EstimationError("log ratios and their covariance must be finite")
        largest = float(np.abs(matrix).max())
        if not np.allclose(matrix, matrix.T, rtol=_ROUNDING, atol=0.0) or (np.diag(matrix) <= 0.0).any():
            raise EstimationError("a covariance is symmetric with variances above zero")
        if float(np.linalg.eigvalsh(matrix).min()) < -_ROUNDING * largest:
            raise EstimationError("a covariance has no negative eigenvalue")

    @classmethod
    def from_product_term(
        cls,
        coefficients: Sequence[float],
        covariance: Sequence[Sequence[float]],
        *,
        event_count: int | None = None,
    ) -> JointRatios:
        """From the coefficients of A, B and A times B of a regression (logistic, Cox, Poisson) and their covariance."""
        if len(coefficients) != 3 or np.shape(covariance) != (3, 3):
            raise EstimationError("three coefficients (A, B, A times B) with a covariance of 3 by 3 are needed")
        sums = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
        logs, matrix = sums @ np.asarray(coefficients), sums @ np.asarray(covariance) @ sums.T
        rows = tuple(tuple(float(each) for each in row) for row in (matrix + matrix.T) / 2.0)
        return cls(
            log_ratios=(float(logs[0]), float(logs[1]), float(logs[2])), covariance=rows, event_count=event_count
        )


def interaction(joint: JointRatios, *, measure: Measure, method: LimitMethod, confidence: float) -> Answer:
    """Departure of both exposures together from what A and B apart would make.

    `ratio_of_ratios`: R_AB / (R_A R_B), 1 when they multiply; `delta` only, `standard_error` of the log.
    `reri`: R_AB - R_A - R_B + 1, 0 when they add. `attributable_proportion`: RERI / R_AB, at most 1.
    `synergy_index`: (R_AB - 1) / (R_A + R_B - 2), 1 when they add; `standard_error` of the log.
    `delta`: symmetric limits (of the log for the synergy index) and Wald P, poor in small studies. `mover`: from the limits of
    the ratios, which are skewed, without a P; for the synergy index the values at which (R_AB - 1) less the index times
    (R_A + R_B - 2) may be 0.
    Not estimable: an undefined ratio; a synergy index whose excesses are not above 0, or may be 0 within their limits.
    Not estimable either: ratios or limits beyond 1e100, which are separation.
    Raises EstimationError for an unknown measure or method and for `mover` of a ratio of ratios.
    Source: Rothman 1986, Modern Epidemiology, ch. 15; Hosmer and Lemeshow 1992, Epidemiology 3:452 (delta);
    Zou 2008, Am J Epidemiol 168:212 (MOVER); Donner and Zou 2012, Stat Methods Med Res 21:347 (MOVER of a quotient).
    """
    quantile = normal_quantile(confidence)
    if measure not in get_args(Measure) or method not in get_args(LimitMethod):
        raise EstimationError(f"unknown measure or method of interaction: {measure!r}, {method!r}")
    if measure == "ratio_of_ratios" and method == "mover":
        raise EstimationError("the log of a ratio of ratios is a plain sum: its limits are those of delta")
    if reason := joint.undefined or _separated(joint, quantile):
        return not_estimable(method, reason, event_count=joint.event_count)
    value = measured(measure, np.array([joint.log_ratios]))[0]
    if measure == "synergy_index" and (reason := _why_no_synergy_index(joint, method)):
        return not_estimable(method, reason, event_count=joint.event_count)
    answer = _delta if method == "delta" else _MOVER[measure]
    return answer(joint, measure, float(value), quantile, confidence)


def measured(measure: Measure, log_ratios: Floats) -> Floats:
    """The measure of each row of log ratios (A, B, both); NaN where it has none.

    None has a row with a ratio beyond 1e100, nor a synergy index without an excess above 0 to divide by.
    """
    log_ratios = np.where(np.abs(log_ratios) > LARGEST_LOG_RATIO, np.nan, log_ratios)
    a, b, both = np.exp(log_ratios).T
    if measure == "ratio_of_ratios":
        value = both / (a * b)
    elif measure == "reri":
        value = both - a - b + 1.0
    elif measure == "attributable_proportion":
        value = (both - a - b + 1.0) / both
    else:
        apart = a + b - 2.0
        value = np.full_like(both, np.nan)
        np.divide(both - 1.0, apart, out=value, where=apart > 0.0)
    result: Floats = value
    return result


def _separated(joint: JointRatios, quantile: float) -> str:
    reach = [
        abs(log_ratio) + quantile * math.sqrt(row[place])
        for place, (log_ratio, row) in enumerate(zip(joint.log_ratios, joint.covariance, strict=True))
    ]
    return "a ratio or its limit is beyond 1e100: separation" if max(reach) > LARGEST_LOG_RATIO else ""


def _why_no_synergy_index(joint: JointRatios, method: LimitMethod) -> str:
    a, b, both = (math.exp(each) for each in joint.log_ratios)
    if a + b <= 2.0:
        return "the excesses of A and B alone sum to 0 or less"
    return "both together have no excess: the index has no log" if method == "delta" and both <= 1.0 else ""


def _gradient(measure: Measure, log_ratios: Sequence[float]) -> tuple[float, float, float]:
    """Slope of the measure (of its log for the ratio of ratios and the synergy index) in the log ratios."""
    a, b, both = (math.exp(each) for each in log_ratios)
    if measure == "ratio_of_ratios":
        return -1.0, -1.0, 1.0
    if measure == "reri":
        return -a, -b, both
    if measure == "attributable_proportion":
        return -a / both, -b / both, (a + b - 1.0) / both
    return -a / (a + b - 2.0), -b / (a + b - 2.0), both / (both - 1.0)


def _delta(joint: JointRatios, measure: Measure, value: float, quantile: float, confidence: float) -> Answer:
    slope = np.array(_gradient(measure, joint.log_ratios))
    variance = float(slope @ np.array(joint.covariance) @ slope)
    if variance <= 0.0:
        return not_estimable("delta", "the covariance leaves the measure no variance", event_count=joint.event_count)
    standard_error = math.sqrt(variance)
    spread = quantile * standard_error
    on_log = measure in ("ratio_of_ratios", "synergy_index")
    if on_log and abs(math.log(value)) + spread > LARGEST_LOG_RATIO:
        return not_estimable("delta", "the limits are beyond 1e100", event_count=joint.event_count)
    return Answer(
        method="delta",
        value=value,
        lower=value * math.exp(-spread) if on_log else value - spread,
        upper=value * math.exp(spread) if on_log else value + spread,
        confidence_level=confidence,
        standard_error=standard_error,
        p_value=wald_p_value((math.log(value) if on_log else value) / standard_error),
        event_count=joint.event_count,
    )


def _mover_sum(joint: JointRatios, measure: Measure, value: float, quantile: float, confidence: float) -> Answer:
    # RERI is a sum of R_AB, R_A, R_B; the attributable proportion of 1 / R_AB, R_A / R_AB, R_B / R_AB.
    logs, covariance = np.array(joint.log_ratios), np.array(joint.covariance)
    signs = np.array([-1.0, -1.0, 1.0])
    if measure == "attributable_proportion":
        to_both = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0], [0.0, 0.0, -1.0]])
        logs, covariance = to_both @ logs, to_both @ covariance @ to_both.T
    lower, upper = _mover_limits(logs, covariance, signs, quantile)
    constant = value - float(signs @ np.exp(logs))
    return Answer(
        method="mover",
        value=value,
        lower=lower + constant,
        upper=upper + constant,
        confidence_level=confidence,
        event_count=joint.event_count,
    )


def _mover_quotient(joint: JointRatios, measure: Measure, value: float, quantile: float, confidence: float) -> Answer:
    logs, covariance = np.array(joint.log_ratios), np.array(joint.covariance)
    apart = _mover_limits(logs, covariance, np.array([1.0, 1.0, 0.0]), quantile)[0] - 2.0
    if apart <= 0.0:
        reason = f"the excesses of A and B alone may sum to 0 (lower limit {apart:.3g})"
        return not_estimable("mover", reason, event_count=joint.event_count)

    def remainder(index: float) -> tuple[float, float]:
        """Limits of (R_AB - 1) - index (R_A + R_B - 2)."""
        low, high = _mover_limits(logs, covariance, np.array([-index, -index, 1.0]), quantile)
        return low + 2.0 * index - 1.0, high + 2.0 * index - 1.0

    return Answer(
        method="mover",
        value=value,
        lower=_crossing(lambda index: remainder(index)[0], start=value, direction=-1.0),
        upper=_crossing(lambda index: remainder(index)[1], start=value, direction=1.0),
        confidence_level=confidence,
        event_count=joint.event_count,
    )


_MOVER: dict[str, Callable[[JointRatios, Measure, float, float, float], Answer]] = {
    "reri": _mover_sum,
    "attributable_proportion": _mover_sum,
    "synergy_index": _mover_quotient,
}


def _mover_limits(logs: Floats, covariance: Floats, weights: Floats, quantile: float) -> tuple[float, float]:
    """Limits of the weighted sum of exp(logs) from the limits of each and the correlations of their logs."""
    errors = np.sqrt(np.maximum(0.0, np.diag(covariance)))
    scale = np.outer(errors, errors)
    correlation = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0.0)
    ratios = np.exp(logs)
    down = -ratios * np.expm1(-quantile * errors)
    up = ratios * np.expm1(quantile * errors)

    def reach(negative: Floats, positive: Floats) -> float:
        parts = weights * np.where(weights < 0.0, negative, positive)
        return math.sqrt(max(0.0, float(parts @ correlation @ parts)))

    centre = float(weights @ ratios)
    return centre - reach(up, down), centre + reach(down, up)


def _crossing(function: Callable[[float], float], *, start: float, direction: float) -> float:
    """Where `function` is zero, searched from `start` in one direction; it must change sign there."""
    step = 0.5 * max(1.0, abs(start))
    sign = math.copysign(1.0, -direction)  # the remainder's limit has passed zero when it has this sign
    near, far = start, start + direction * step
    while function(far) * sign < 0.0:
        near, step = far, 2.0 * step
        far += direction * step
    return near if function(near) == 0.0 else float(brentq(function, min(near, far), max(near, far), xtol=1e-13))
