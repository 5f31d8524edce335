"""Proportions of persons or events with exact binomial limits.

Owns one proportion. Comparisons of two proportions do not belong here.
Source: Clopper and Pearson 1934, Biometrika 26:404.
"""

from __future__ import annotations

from scipy.special import betaincinv

from analysis.estimate.confidence import tail_probability
from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "clopper_pearson"


def proportion(events: int, total: int, *, confidence: float) -> Answer:
    """Share of `total` that are `events`, between 0 and 1, with Clopper-Pearson limits.

    Both limits are those of the two-sided interval, also at 0 and at 1 (0 of 31: upper 0.1122, not the one-sided
    0.0921). `person_count` is `total`. Misleads when the units are not independent, such as several events of a person.
    Raises EstimationError for negative counts or more events than `total`.
    Source: Clopper and Pearson 1934.
    """
    tail = tail_probability(confidence)
    if not 0 <= events <= total:
        raise EstimationError(f"a proportion needs 0 <= events <= total, got {events} of {total}")
    if total == 0:
        return not_estimable(METHOD, "total is 0", person_count=0, event_count=0)
    return Answer(
        method=METHOD,
        value=events / total,
        lower=0.0 if events == 0 else float(betaincinv(events, total - events + 1, tail)),
        upper=1.0 if events == total else float(betaincinv(events + 1, total - events, 1.0 - tail)),
        confidence_level=confidence,
        person_count=total,
        event_count=events,
    )
