"""Means of one value a person, with limits.

Owns one mean. Differences of means and values repeated within persons do not belong here.
Source: Student 1908, Biometrika 6:1; bound of a share from persons who are all alike: Clopper and Pearson 1934, Biometrika 26:404.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
from scipy.stats import t as student

from analysis.estimate.confidence import tail_probability
from analysis.estimate.proportion import proportion
from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "mean_student"


def mean(values: pl.Series, *, confidence: float) -> Answer:
    """Mean of `values` (one a person, no null) in their own unit, with Student's limits.

    Not estimable with fewer than two values, or where all are alike: their spread says nothing then. Misleads when few values
    are far from normal, and when several are of one person. Raises EstimationError for a value that is null or not finite.
    """
    numbers = values.cast(pl.Float64).to_numpy()
    if values.null_count() or not np.isfinite(numbers).all():
        raise EstimationError("a mean needs finite values, one a person")
    size = numbers.size
    if size < 2:
        return not_estimable(METHOD, "fewer than two persons", person_count=size)
    error = float(numbers.std(ddof=1)) / math.sqrt(size)
    if np.ptp(numbers) == 0.0:
        return not_estimable(METHOD, "all persons have the same value", person_count=size)
    value = float(numbers.mean())
    spread = float(student.ppf(1.0 - tail_probability(confidence), size - 1)) * error
    return Answer(
        method=METHOD, value=value, lower=value - spread, upper=value + spread, standard_error=error,
        confidence_level=confidence, person_count=size,
    )  # fmt: skip


def mean_share(values: pl.Series, *, confidence: float) -> Answer:
    """Mean of shares between 0 and 1, one a person: `mean` with its limits kept between 0 and 1.

    Where every share is 0, or every share is 1, the limits are those of as many persons of whom none, or all, count: a share that
    has mean m is 0 in at most 1 - m of persons, so that the far limit holds whatever the shares of others are like. Student's
    limits would have no width there. Raises EstimationError for a value outside 0 to 1.
    """
    if values.null_count() or not values.is_between(0.0, 1.0).all():
        raise EstimationError("a mean of shares needs values between 0 and 1, one a person")
    for events, only in ((0, 0.0), (values.len(), 1.0)):
        if values.len() and (values == only).all():
            bound = proportion(events, values.len(), confidence=confidence)
            return Answer(
                method="mean_share_exact_bound", value=only, lower=bound.lower, upper=bound.upper,
                confidence_level=confidence, person_count=values.len(),
            )  # fmt: skip
    found = mean(values, confidence=confidence)
    if found.lower is None or found.upper is None:
        return found
    return replace(found, lower=max(0.0, found.lower), upper=min(1.0, found.upper))
