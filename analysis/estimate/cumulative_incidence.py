"""Cumulative incidence: the probability of each kind of ending by a day, when every ending rules out the others.

Owns the Aalen-Johansen estimate from counts by day and cause, its standard error and limits. Ties stay ties: nothing is
jittered, and the order of rows changes nothing. Tests between groups, regressions and weights that are no counts do not
belong here.
Source: Aalen and Johansen 1978, Scand J Stat 5:141; Marubini and Valsecchi 1995, Analysing Survival Data, 10 (variance).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.estimate.confidence import normal_quantile, tail_probability
from analysis.estimate.endings import (
    at_risk_before,
    at_risk_on,
    checked_endings,
    day_the_risk_set_empties,
    gap_reason,
    person_days,
    traffic_of,
)  # fmt: skip
from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "aalen_johansen_log_log"
Floats = NDArray[np.float64]

# A probability within this of 1 is 1: its logarithm is rounding.
_CERTAIN = 1e-12

_CURVE_SCHEMA = {
    "time_days": pl.Int64, "cause": pl.String, "value": pl.Float64, "lower": pl.Float64, "upper": pl.Float64,
    "standard_error": pl.Float64, "at_risk_count": pl.Int64, "event_count": pl.Int64,
}  # fmt: skip
_SURVIVAL_SCHEMA = {
    "time_days": pl.Int64, "value": pl.Float64, "at_risk_count": pl.Int64, "event_count": pl.Int64,
    "censored_count": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CumulativeIncidence:
    """Cumulative incidence of every cause.

    `curve`: `time_days`, `cause`, `value`, `lower`, `upper` (log-log), `standard_error` (null before the first event of
    the cause), `at_risk_count` (just before the day), `event_count` (of the cause, on the day); from day 0, one row a
    cause and day with an ending, causes in the order asked. `survival`: `time_days`, `value` (no event of any cause yet),
    `at_risk_count`, `event_count`, `censored_count`; with the causes it sums to 1. `traffic`: `time_days`,
    `entered_count`, `left_count`. `gap`: empty, or why the curves end although persons enter later.
    """

    curve: pl.DataFrame
    survival: pl.DataFrame
    traffic: pl.DataFrame
    causes: tuple[str, ...]
    confidence: float
    person_count: int
    person_days: int
    gap: str


def cumulative_incidence(endings: pl.DataFrame, *, causes: Sequence[str], confidence: float) -> CumulativeIncidence:
    """Probability of having ended by each cause over time, with log-log limits.

    endings: `entry_days` (day of entering the risk set, 0 = time zero), `time_days` (day of the ending, after the entry),
    `cause` (String, one of `causes` or "censored"), `count` (persons); whole numbers, any number of rows. A person is at
    risk on the days entry < t <= time; at equal times all events come before censoring and share one risk set
    (definitions.md 4). A cause in `causes` that nobody had has the value 0 and an exact upper limit.
    The standard error is Greenwood's for competing risks, multinomial within a day; without delayed entry it is the
    infinitesimal jackknife that R's survfit prints. Limits are on the scale of log(-log), as survfit's "log-log". Where a
    cause has no event yet, the upper limit is exact: the incidence at which no event among the fewest persons at risk so
    far has the tail's probability. Where the value is 1 no log-log limits exist: the lower one is the highest so far.
    With delayed entry the curves are conditional on reaching the first entry, and when the risk set empties while persons
    enter later they end there and `gap` says so. Misleads when censoring tells of the ending to come. One minus
    Kaplan-Meier, which takes other causes for censoring, is no probability and always at least as high.
    Raises EstimationError for a missing column, nulls, negative counts, a time not after its entry or an unknown cause.
    """
    tail_probability(confidence)
    rows = checked_endings(endings, causes=causes)
    traffic = traffic_of(rows)
    gap_day = day_the_risk_set_empties(traffic)
    kept = rows if gap_day is None else rows.filter(pl.col("entry_days") < gap_day)
    curve, survival = _curves(kept, traffic, causes, confidence)
    return CumulativeIncidence(
        curve=curve,
        survival=survival,
        traffic=traffic.drop("stopped_count"),
        causes=tuple(causes),
        confidence=confidence,
        person_count=int(rows["count"].sum()),
        person_days=person_days(rows),
        gap=gap_reason(gap_day),
    )


def cumulative_incidence_at(fit: CumulativeIncidence, *, cause: str, time_days: int) -> Answer:
    """Probability of having ended by a cause by the end of a day, with limits as `cumulative_incidence` says.

    `person_count` is the number at risk just before that day's endings (on day 0: who entered on it), `event_count` the
    events of the cause up to it. `not_estimable` beyond the last observed time and where nobody was at risk yet.
    Raises EstimationError for a negative day or a cause that is not in the fit.
    """
    if time_days < 0 or cause not in fit.causes:
        raise EstimationError(f"curves of {', '.join(fit.causes)} start at day 0, asked for {cause!r} by {time_days}")
    past = fit.curve.filter((pl.col("cause") == cause) & (pl.col("time_days") <= time_days))
    at_risk = at_risk_before(fit.traffic, time_days=time_days)
    counts = {"person_count": at_risk[0] if at_risk else 0, "event_count": int(past["event_count"].sum())}
    if at_risk is None:
        return not_estimable(METHOD, f"nobody is at risk by day {time_days}", **counts)
    last_day = int(fit.survival["time_days"][-1])
    if time_days > last_day:
        return not_estimable(METHOD, fit.gap or f"beyond the last observed time, day {last_day}", **counts)
    value, lower, upper = (float(past[column][-1]) for column in ("value", "lower", "upper"))
    if time_days > 0 and counts["event_count"] == 0:
        upper = _upper_without_event(at_risk[1], fit.confidence)
    has_begun = counts["event_count"] > 0 or time_days == 0
    answer = Answer(method=METHOD, value=value, lower=lower, upper=upper, confidence_level=fit.confidence)
    return replace(
        answer,
        standard_error=past["standard_error"][-1],
        reason="" if has_begun else "no event yet; the upper limit is exact",
        person_count=counts["person_count"],
        event_count=counts["event_count"],
    )


def _upper_without_event(fewest: int, confidence: float) -> float:
    return float(-np.expm1(np.log(tail_probability(confidence)) / fewest))


def _curves(
    rows: pl.DataFrame, traffic: pl.DataFrame, causes: Sequence[str], confidence: float
) -> tuple[pl.DataFrame, pl.DataFrame]:
    if rows.is_empty():
        return pl.DataFrame(schema=_CURVE_SCHEMA), pl.DataFrame(schema=_SURVIVAL_SCHEMA)
    by_day = (
        rows.group_by("time_days")
        .agg(
            pl.col("event_count", "censored_count").sum(),
            *(pl.col("count").filter(pl.col("cause") == cause).sum().alias(f"cause {cause}") for cause in causes),
        )
        .sort("time_days")
    )
    by_day = by_day.join(at_risk_on(traffic, by_day["time_days"]), on="time_days", how="left").sort("time_days")
    at_risk = by_day["at_risk_count"].to_numpy().astype(float)
    events = by_day.select(f"cause {cause}" for cause in causes).to_numpy().astype(float)
    before, after, incidence = aalen_johansen(at_risk, events)
    at_zero = int(rows.filter(pl.col("entry_days") == 0)["count"].sum())
    survival = pl.concat(
        [
            pl.DataFrame([(0, 1.0, at_zero, 0, 0)], schema=_SURVIVAL_SCHEMA, orient="row"),
            by_day.select(
                "time_days", pl.Series("value", after), "at_risk_count", "event_count", "censored_count"
            ),
        ]
    )  # fmt: skip
    zero = np.zeros(1)
    exact = np.concatenate((zero, [_upper_without_event(n, confidence) for n in by_day["fewest_count"].to_list()]))
    parts = []
    for index, cause in enumerate(causes):
        variance = _greenwood(at_risk, events, index, before, incidence[:, index])
        value, error = (np.concatenate((zero, part)) for part in (incidence[:, index], np.sqrt(variance)))
        lower, upper = log_log_limits(value, error, confidence)
        parts.append(
            survival.select("time_days", "at_risk_count")
            .with_columns(
                cause=pl.lit(cause),
                value=pl.Series(value),
                lower=pl.Series(lower),
                upper=pl.Series(np.where(value == 0.0, exact, upper)),
                standard_error=pl.when(pl.Series(value > 0.0)).then(pl.Series(error)),
                event_count=pl.Series(np.concatenate((zero, events[:, index])).astype(np.int64)),
                place=pl.lit(index),
            )
        )  # fmt: skip
    curve = pl.concat(parts).sort("time_days", "place").select(_CURVE_SCHEMA.keys())
    return curve.cast(_CURVE_SCHEMA), survival  # type: ignore[arg-type]


def aalen_johansen(at_risk: Floats, events: Floats) -> tuple[Floats, Floats, Floats]:
    """Survival before and after each day, and the cumulative incidence (days, causes), from numbers at risk and events."""
    after = np.cumprod(1.0 - events.sum(axis=1) / at_risk)
    before = np.concatenate(([1.0], after[:-1]))
    return before, after, np.cumsum((before / at_risk)[:, np.newaxis] * events, axis=0)


def _greenwood(at_risk: Floats, events: Floats, index: int, before: Floats, incidence: Floats) -> Floats:
    """Variance on each day: with F the incidence of cause k, S survival before a day, n at risk, d all events on it.

    The sum over the days u up to t of (F(t) - F(u))^2 d / (n (n - d)) + S^2 d_k (n - d_k) / n^3
    - 2 (F(t) - F(u)) S d_k / n^2, in running sums of the rise of F, so that no squares are subtracted.
    """
    total, own = events.sum(axis=1), events[:, index]
    stay = at_risk - total
    spread = np.divide(total, at_risk * stay, out=np.zeros_like(total), where=stay > 0)
    rise = np.diff(incidence, prepend=0.0)

    def earlier(terms: Floats) -> Floats:
        return np.concatenate(([0.0], np.cumsum(terms)[:-1]))

    weight = earlier(spread)
    moment = earlier(rise * weight)
    shared = np.cumsum(2.0 * rise * moment + rise**2 * weight)
    alone = np.cumsum(before**2 * own * (at_risk - own) / at_risk**3)
    crossed = np.cumsum(rise * earlier(before * own / at_risk**2))
    variance: Floats = np.maximum(shared + alone - 2.0 * crossed, 0.0)
    return variance


def log_log_limits(value: Floats, error: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Limits of probabilities over time on the scale of log(-log): 0 where the value is 0; at 1, the highest lower so far."""
    inside = (value > 0.0) & (value < 1.0 - _CERTAIN)
    safe = np.where(inside, value, 0.5)
    spread = np.exp(normal_quantile(confidence) * error / (safe * -np.log(safe)))
    lower = np.where(inside, safe**spread, 0.0)
    lower = np.where(value >= 1.0 - _CERTAIN, np.maximum.accumulate(lower), lower)
    return lower, np.where(inside, safe ** (1.0 / spread), np.where(value > 0.0, 1.0, 0.0))
