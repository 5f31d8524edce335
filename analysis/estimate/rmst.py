"""Restricted means: days on the regimen, and days lost to a cause, up to a horizon.

Owns the areas under and over fitted curves, their standard errors, and the difference of two groups. The curves belong in
`persistence` and `cumulative_incidence`. Areas are sums over steps, so exact.
Source: Royston and Parmar 2013, BMC Med Res Methodol 13:152; Andersen 2013, Stat Med 32:5278 (time lost); Klein and
Moeschberger 2003, Survival Analysis, 4.5 (variance); Donner and Zou 2012, Stat Methods Med Res 21:347 (MOVER).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.estimate.confidence import normal_quantile, tail_probability, wald_p_value
from analysis.estimate.cumulative_incidence import CumulativeIncidence
from analysis.estimate.endings import at_risk_before
from analysis.estimate.persistence import KaplanMeier
from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "restricted_mean_greenwood"
LOST_METHOD = "restricted_mean_time_lost_greenwood"
DIFFERENCE_METHOD = "restricted_mean_difference_greenwood"
MOVER_METHOD = "restricted_mean_difference_mover"
Floats = NDArray[np.float64]


def restricted_mean(km: KaplanMeier, *, horizon_days: int) -> Answer:
    """Mean days on the regimen up to a horizon: the area under the Kaplan-Meier curve, in days.

    Normal limits, cut at 0 and the horizon; with no event before the horizon the value is the horizon and the lower limit
    exact: no event among the fewest persons at risk has the tail's probability. Counts are the persons of the curve and
    the events before the horizon. `not_estimable` for a horizon beyond the last observed time, beyond a gap of delayed
    entry, or when nobody is at risk from day 0. Equal to R's summary(survfit, rmean = horizon).
    Misleads when read without its horizon: means at different horizons do not compare.
    Raises EstimationError for a horizon of less than one day.
    """
    reason = _refusal(km, km.curve, horizon_days)
    if reason:
        return not_estimable(METHOD, reason, person_count=km.person_count)
    steps = _Steps.of(km.curve, horizon_days)
    area = _sum_to_the_end(steps.value * steps.widths)
    stay = steps.at_risk - steps.events
    spread = np.divide(steps.events, steps.at_risk * stay, out=np.zeros_like(stay), where=stay > 0)
    event_count = int(steps.events.sum())
    answer = _mean(float(area[0]), float((area**2 * spread).sum()), horizon_days=horizon_days, confidence=km.confidence)
    if event_count == 0:
        lower = horizon_days * _share_without_event(km, horizon_days)
        reason = "no event before the horizon; the lower limit is exact"
        answer = replace(answer, lower=lower, upper=float(horizon_days), standard_error=None, reason=reason)
    return replace(answer, method=METHOD, person_count=km.person_count, event_count=event_count)


def restricted_mean_difference(exposed: KaplanMeier, comparator: KaplanMeier, *, horizon_days: int) -> Answer:
    """Restricted mean of the exposed less that of the comparator, in days, with normal limits and P.

    Where a group has no event before the horizon its standard error would be 0: the limits then combine those of the two
    means (MOVER), there is no P, and `reason` says so. `not_estimable` where either mean is. Counts are of both groups.
    Raises EstimationError as `restricted_mean` does, or when the two curves have different confidence.
    """
    if exposed.confidence != comparator.confidence:
        raise EstimationError(f"curves with confidence {exposed.confidence} and {comparator.confidence} do not compare")
    means = [restricted_mean(km, horizon_days=horizon_days) for km in (exposed, comparator)]
    persons, events = exposed.person_count + comparator.person_count, sum(mean.event_count or 0 for mean in means)
    numbers = []
    for name, mean in zip(("exposed", "comparator"), means, strict=True):
        if mean.value is None or mean.lower is None or mean.upper is None:
            return not_estimable(DIFFERENCE_METHOD, f"{name}: {mean.reason}", person_count=persons)
        numbers.append((mean.value, mean.lower, mean.upper))
    (one, low_one, high_one), (two, low_two, high_two) = numbers
    answer = Answer(method=DIFFERENCE_METHOD, value=one - two, confidence_level=exposed.confidence)
    answer = replace(answer, person_count=persons, event_count=events)
    errors = [mean.standard_error for mean in means]
    if None in errors:
        empty = " and ".join(
            name for name, error in zip(("exposed", "comparator"), errors, strict=True) if error is None
        )
        return replace(
            answer,
            method=MOVER_METHOD,
            lower=one - two - math.hypot(one - low_one, high_two - two),
            upper=one - two + math.hypot(high_one - one, two - low_two),
            reason=f"no event in {empty} before the horizon; the limits combine those of the two means",
        )
    error = math.hypot(*(error or 0.0 for error in errors))
    spread = normal_quantile(exposed.confidence) * error
    return replace(
        answer,
        lower=one - two - spread,
        upper=one - two + spread,
        standard_error=error,
        p_value=wald_p_value((one - two) / error),
    )


def restricted_mean_time_lost(fit: CumulativeIncidence, *, cause: str, horizon_days: int) -> Answer:
    """Mean days lost to a cause up to a horizon: the area under its cumulative incidence, in days.

    The days lost to all causes and the restricted mean sum to the horizon. Limits, counts and refusals as
    `restricted_mean`; with no event of the cause the value is 0 and the upper limit exact. Without delayed entry the
    standard error is the infinitesimal jackknife's (R: survfit's influence).
    Raises EstimationError for a horizon of less than one day or a cause that is not in the fit.
    """
    if cause not in fit.causes:
        raise EstimationError(f"the fit has no cause {cause!r}, only {', '.join(fit.causes)}")
    reason = _refusal(fit, fit.survival, horizon_days)
    if reason:
        return not_estimable(LOST_METHOD, reason, person_count=fit.person_count)
    every, own = (
        _Steps.of(frame, horizon_days) for frame in (fit.survival, fit.curve.filter(pl.col("cause") == cause))
    )
    n, d, k = every.at_risk, every.events, own.events
    left = horizon_days - every.days
    before = np.concatenate(([1.0], every.value[:-1])) * left
    rises = np.diff(own.value, prepend=0.0) * left
    later = _sum_to_the_end(rises) - rises
    stay = n - d
    spread = np.divide(d, n * stay, out=np.zeros_like(d), where=stay > 0)
    alone = np.divide(before**2 * k * (n - k), n**3, out=np.zeros_like(d), where=n > 0)
    crossed = np.divide(2.0 * later * before * k, n**2, out=np.zeros_like(d), where=n > 0)
    variance = max(0.0, float((later**2 * spread + alone - crossed).sum()))
    value, event_count = float((own.value * own.widths).sum()), int(k.sum())
    answer = _mean(value, variance, horizon_days=horizon_days, confidence=fit.confidence)
    if event_count == 0:
        upper = horizon_days * (1.0 - _share_without_event(fit, horizon_days))
        reason = "no event of the cause before the horizon; the upper limit is exact"
        answer = replace(answer, lower=0.0, upper=upper, standard_error=None, reason=reason)
    return replace(answer, method=LOST_METHOD, person_count=fit.person_count, event_count=event_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Steps:
    """A curve's steps before a horizon: the day, its value, who was at risk, events, and for how long the value holds."""

    days: Floats
    value: Floats
    at_risk: Floats
    events: Floats
    widths: Floats

    @classmethod
    def of(cls, curve: pl.DataFrame, horizon_days: int) -> _Steps:
        rows = curve.filter(pl.col("time_days") < horizon_days)
        names = {"days": "time_days", "value": "value", "at_risk": "at_risk_count", "events": "event_count"}
        numbers = {name: rows[column].to_numpy().astype(float) for name, column in names.items()}
        return cls(**numbers, widths=np.diff(numbers["days"], append=float(horizon_days)))


def _sum_to_the_end(values: Floats) -> Floats:
    summed: Floats = np.cumsum(values[::-1])[::-1]
    return summed


def _refusal(fit: KaplanMeier | CumulativeIncidence, curve: pl.DataFrame, horizon_days: int) -> str:
    """Why a curve has no mean up to the horizon, or empty."""
    if horizon_days < 1:
        raise EstimationError(f"a horizon is a day after day 0, got {horizon_days}")
    if at_risk_before(fit.traffic, time_days=0) is None:
        return "nobody is at risk from day 0"
    last_day = int(curve["time_days"][-1])
    if horizon_days > last_day:
        return fit.gap or f"the horizon is beyond the last observed time, day {last_day}"
    return ""


def _share_without_event(fit: KaplanMeier | CumulativeIncidence, horizon_days: int) -> float:
    """Survival at which no event among the fewest persons at risk before the horizon has the tail's probability."""
    started = fit.traffic.filter(pl.col("time_days") < horizon_days)
    fewest = np.cumsum((started["entered_count"] - started["left_count"]).to_numpy()).min()
    return float(tail_probability(fit.confidence) ** (1.0 / fewest))


def _mean(value: float, variance: float, *, horizon_days: int, confidence: float) -> Answer:
    error = math.sqrt(variance)
    spread = normal_quantile(confidence) * error
    return Answer(
        method=METHOD,
        value=value,
        lower=max(0.0, value - spread),
        upper=min(float(horizon_days), value + spread),
        confidence_level=confidence,
        standard_error=error,
    )
