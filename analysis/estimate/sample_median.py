"""Median of a fully observed sample with limits that are order statistics.

Owns the median of counts by value. Times that end without the event belong in `persistence`.
Source: Conover 1999, Practical Nonparametric Statistics, 3rd ed., 143.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import binom

from analysis.estimate.confidence import tail_probability
from analysis.estimate.result import Answer, not_estimable

METHOD = "order_statistics"


def sample_median(counts: Mapping[int, int], *, confidence: float) -> Answer:
    """Median of whole numbers, the lower of the two in the middle, with distribution-free limits that cover at least `confidence`.

    counts: how often each value occurs. Where the sample is too small for a limit (five values or fewer at 95 %) there is none on
    that side. `event_count` is the number of values. Misleads when one person gave many of them.
    """
    tail = tail_probability(confidence)
    size = sum(counts.values())
    if size == 0:
        return not_estimable(METHOD, "there are no events", event_count=0)
    values = np.repeat(sorted(counts), [counts[value] for value in sorted(counts)])
    # The rank below which too few values lie: P(X < rank) <= tail for X of Binomial(size, 1/2).
    rank = int(binom.ppf(tail, size, 0.5))
    if binom.cdf(rank - 1, size, 0.5) > tail:
        rank -= 1
    return Answer(
        method=METHOD,
        value=float(values[(size - 1) // 2]),
        lower=float(values[rank - 1]) if rank > 0 else None,
        upper=float(values[size - rank]) if rank > 0 else None,
        confidence_level=confidence,
        event_count=size,
    )
