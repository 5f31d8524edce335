"""Proportions of persons or events with exact or score limits.

Owns one proportion. Comparisons of two proportions belong in `risk`.
Source: Clopper and Pearson 1934, Biometrika 26:404; Wilson 1927, JASA 22:209.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from scipy.special import betaincinv

from analysis.estimate.confidence import normal_quantile, tail_probability
from analysis.estimate.result import Answer, EstimationError, not_estimable

ProportionMethod = Literal["clopper_pearson", "wilson"]


def proportion(events: int, total: int, *, confidence: float, method: ProportionMethod = "clopper_pearson") -> Answer:
    """Share of `total` that are `events`, between 0 and 1.

    `clopper_pearson`: exact limits, never covering less than `confidence`. `wilson`: score limits without continuity
    correction, which cover `confidence` on average and less for some risks (0 of 31: upper 0.1103, exact 0.1122).
    Both limits are those of the two-sided interval, also at 0 and at 1 (not the one-sided 0.0921). `person_count` is
    `total`. Misleads when the units are not independent, such as several events of a person.
    Raises EstimationError for negative counts, more events than `total` or an unknown method.
    Source: Clopper and Pearson 1934; Wilson 1927.
    """
    tail = tail_probability(confidence)
    if method not in get_args(ProportionMethod):
        raise EstimationError(f"unknown method of a proportion: {method!r}")
    if not 0 <= events <= total:
        raise EstimationError(f"a proportion needs 0 <= events <= total, got {events} of {total}")
    if total == 0:
        return not_estimable(method, "total is 0", person_count=0, event_count=0)
    if method == "wilson":
        lower, upper = wilson_limits(events, total, normal_quantile(confidence))
    else:
        lower = 0.0 if events == 0 else float(betaincinv(events, total - events + 1, tail))
        upper = 1.0 if events == total else float(betaincinv(events + 1, total - events, 1.0 - tail))
    return Answer(
        method=method,
        value=events / total,
        lower=lower,
        upper=upper,
        confidence_level=confidence,
        person_count=total,
        event_count=events,
    )


def wilson_limits(events: int, total: int, quantile: float) -> tuple[float, float]:
    """Where the score statistic of a share is `quantile` standard errors away: (lower, upper), `total` above zero."""
    square = quantile**2
    others = total - events
    half = quantile * math.sqrt(events * others / total + square / 4.0)
    # The product of the two roots gives the small one without subtracting nearly equal numbers.
    lower = events**2 / total / (events + square / 2.0 + half)
    upper = 1.0 - others**2 / total / (others + square / 2.0 + half)
    return lower, upper
