"""One estimate against a published one, of which no more than a value and its limits is known.

Owns the difference and the ratio of two independent estimates. Whether they ask the same question belongs to who compares them.
Source: Altman and Bland 2003, BMJ 326:219 (ratios); Zou and Donner 2008, Stat Med 27:1693 (differences).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.estimate.confidence import normal_quantile, wald_p_value
from analysis.estimate.result import Answer, EstimationError

DIFFERENCE, RATIO = "mover_of_two_estimates", "ratio_of_two_estimates"


@dataclass(frozen=True, slots=True)
class Known:
    """A value with its limits. Raises EstimationError for a value outside them."""

    value: float
    lower: float
    upper: float
    confidence: float

    def __post_init__(self) -> None:
        if not self.lower <= self.value <= self.upper:
            raise EstimationError(f"a value lies inside its limits, got {self.value} in {self.lower} to {self.upper}")


def difference(ours: Known, theirs: Known) -> Answer:
    """Ours less theirs, with limits that combine the distances of both values from their limits (MOVER).

    It keeps the asymmetry of exact limits and exists where one of the two is 0. Compatible where the limits hold 0. Raises
    EstimationError where the two have limits of different confidence.
    """
    if ours.confidence != theirs.confidence:
        raise EstimationError("two estimates of different confidence have no difference with one")
    value = ours.value - theirs.value
    return Answer(
        method=DIFFERENCE,
        value=value,
        lower=value - math.hypot(ours.value - ours.lower, theirs.upper - theirs.value),
        upper=value + math.hypot(ours.upper - ours.value, theirs.value - theirs.lower),
        confidence_level=ours.confidence,
    )


def ratio(ours: Known, theirs: Known, *, confidence: float) -> Answer:
    """Ours over theirs, with the standard errors that the limits of both give on the log scale.

    Compatible where the limits hold 1. Raises EstimationError where a value or limit is not above 0.
    """
    if min(ours.lower, theirs.lower) <= 0.0:
        raise EstimationError("a ratio of two ratios needs values and limits above 0")
    log_value = math.log(ours.value / theirs.value)
    error = math.hypot(_log_error(ours), _log_error(theirs))
    spread = normal_quantile(confidence) * error
    return Answer(
        method=RATIO,
        value=math.exp(log_value),
        lower=math.exp(log_value - spread),
        upper=math.exp(log_value + spread),
        confidence_level=confidence,
        standard_error=error,
        p_value=wald_p_value(log_value / error),
    )


def _log_error(known: Known) -> float:
    return math.log(known.upper / known.lower) / (2.0 * normal_quantile(known.confidence))
