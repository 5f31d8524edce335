"""Observed against expected reports, shrunk towards no difference: the information component.

Owns one number of observed and expected events. What is expected, and that it is a screen and no risk, belongs to who asks.
Source: Norén, Hopstadius and Bate 2013, Stat Methods Med Res 22:57.
"""

from __future__ import annotations

import math

from scipy.special import gammaincinv

from analysis.estimate.confidence import tail_probability
from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "shrinkage_gamma"
SHRINKAGE = 0.5  # added to both, so that one event where none is expected is no signal


def information_component(observed: int, expected: float, *, confidence: float) -> Answer:
    """log2((observed + 0.5) / (expected + 0.5)), with limits from the quantiles of a gamma of shape observed + 0.5 and rate expected + 0.5.

    0 is as expected, 1 twice as many; a lower limit above 0 is the usual sign of a screen. Nothing expected is `not_estimable`.
    Misleads as a risk: it compares events with events and knows no time at risk. Raises EstimationError for negative numbers.
    Source: Norén, Hopstadius and Bate 2013.
    """
    tail = tail_probability(confidence)
    if observed < 0 or not math.isfinite(expected) or expected < 0:
        raise EstimationError(f"an information component needs numbers from 0, got {observed} against {expected}")
    if expected == 0:
        return not_estimable(METHOD, "nothing is expected", event_count=observed)
    shape, rate = observed + SHRINKAGE, expected + SHRINKAGE
    lower, upper = (math.log2(float(gammaincinv(shape, share)) / rate) for share in (tail, 1.0 - tail))
    value = math.log2(shape / rate)
    return Answer(
        method=METHOD, value=value, lower=min(lower, value), upper=max(upper, value), confidence_level=confidence, event_count=observed
    )  # fmt: skip
