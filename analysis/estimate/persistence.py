"""Persistence: how long persons stay on a regimen, from counts of endings by day.

Owns the Kaplan-Meier curve, its median, its value at a day, and the naive median that the curve replaces. Competing
events (a death is not a stop) belong in `cumulative_incidence`; comparisons of two curves do not belong here.
Source: Kaplan and Meier 1958, JASA 53:457; Kalbfleisch and Prentice 1980 (log-log limits); Brookmeyer and Crowley 1982,
Biometrics 38:29 (limits of the median).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from lifelines import KaplanMeierFitter
from scipy.special import bdtr

from analysis.estimate.confidence import tail_probability
from analysis.estimate.endings import (
    at_risk_before,
    checked_durations,
    day_the_risk_set_empties,
    gap_reason,
    person_days,
    traffic_of,
)  # fmt: skip
from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "kaplan_meier_log_log"
NAIVE_METHOD = "naive_order_statistic"
LONGEST_METHOD = "longest_recorded"
DAYS_PER_MONTH = 30.4375  # definitions.md 1
NOT_REACHED = "not reached"

_CURVE_SCHEMA = {
    "time_days": pl.Int64, "value": pl.Float64, "lower": pl.Float64, "upper": pl.Float64,
    "at_risk_count": pl.Int64, "event_count": pl.Int64, "censored_count": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class KaplanMeier:
    """A Kaplan-Meier curve with its median.

    `curve`: `time_days`, `value`, `lower`, `upper` (log-log), `at_risk_count` (at risk just before the time),
    `event_count`, `censored_count`; first the row of time 0, then one row per day with an ending. Empty for nobody.
    `traffic`: `time_days`, `entered_count`, `left_count`; who entered and left the risk set on which day.
    `gap`: empty, or why the curve ends where it does although persons enter later.
    """

    curve: pl.DataFrame
    traffic: pl.DataFrame
    median: Answer
    confidence: float
    person_count: int
    gap: str


def kaplan_meier(durations: pl.DataFrame, *, confidence: float) -> KaplanMeier:
    """Share of persons still on the regimen over time, with log-log limits.

    durations: `entry_days` (day of entering the risk set, 0 = time zero), `time_days` (day of the ending, after the
    entry), `event_count`, `censored_count` (persons), Int64; one row per entry and time. A person is at risk on the
    days entry < t <= time; at equal times events come before censoring (definitions.md 4).
    Where S is 0 no log-log limits exist: lower is 0 and upper that of the time before, for S cannot rise. Before the
    first event all three are 1, which is no certainty: `survival_at` gives an exact limit.
    With delayed entry the curve is conditional on reaching the first entry, and when the risk set empties while persons
    enter later, nothing links the two parts: the curve ends there, `gap` says so, and the median is `not_estimable`
    unless it was reached before. Misleads when censored persons were about to stop.
    Raises EstimationError for a missing column, nulls, negative counts or a time not after its entry.
    """
    tail_probability(confidence)
    rows = checked_durations(durations)
    traffic = traffic_of(rows)
    gap_day = day_the_risk_set_empties(traffic)
    gap = gap_reason(gap_day)
    curve = _fitted(rows if gap_day is None else rows.filter(pl.col("entry_days") < gap_day), confidence)
    person_count = int(traffic["entered_count"].sum())
    median = replace(
        _median(curve, gap, confidence),
        person_count=person_count,
        event_count=int(rows["event_count"].sum()),
        person_days=person_days(rows),
    )
    return KaplanMeier(
        curve=curve, traffic=traffic, median=median, confidence=confidence, person_count=person_count, gap=gap
    )


def survival_at(km: KaplanMeier, *, time_days: int) -> Answer:
    """Share still on the regimen at the end of a day, with log-log limits.

    `person_count` is the number at risk just before that day's endings (at day 0: who entered on it), `event_count`
    the events up to it. Before any event the value is 1 and its lower limit exact: the survival at which no event among
    the fewest persons at risk so far has the tail's probability. `not_estimable` beyond the last observed time and
    where nobody was at risk yet.
    Raises EstimationError for a negative day.
    """
    if time_days < 0:
        raise EstimationError(f"a curve starts at day 0, asked for day {time_days}")
    at_risk = at_risk_before(km.traffic, time_days=time_days)
    past = km.curve.filter(pl.col("time_days") <= time_days)
    counts = {
        "person_count": at_risk[0] if at_risk else 0,
        "event_count": int(past["event_count"].sum()),
    }
    if at_risk is None:
        return not_estimable(METHOD, f"nobody is at risk by day {time_days}", **counts)
    last_day = int(km.curve["time_days"][-1])
    value, lower, upper = (float(past[column][-1]) for column in ("value", "lower", "upper"))
    if km.gap and (time_days > last_day or value == 0.0):
        return not_estimable(METHOD, km.gap, **counts)
    if time_days > last_day:
        return not_estimable(METHOD, f"beyond the last observed time, day {last_day}", **counts)
    if time_days > 0 and counts["event_count"] == 0:
        lower = tail_probability(km.confidence) ** (1.0 / at_risk[1])
    answer = Answer(method=METHOD, value=value, lower=lower, upper=upper, confidence_level=km.confidence)
    return replace(answer, person_count=counts["person_count"], event_count=counts["event_count"])


def median_in_months(answer: Answer) -> Answer:
    """A median in days as months of 30.4375 days: value and limits divided, all else kept."""
    value, lower, upper = (
        None if days is None else days / DAYS_PER_MONTH for days in (answer.value, answer.lower, answer.upper)
    )
    return replace(answer, value=value, lower=lower, upper=upper)


def longest_recorded(durations: pl.DataFrame) -> Answer:
    """The longest duration on record, in days: a record and no estimate, so without limits.

    durations: as `kaplan_meier`; entries are ignored. `person_count` counts those who lasted so long. Where one of them was still
    on the regimen when last seen the true longest is longer, which `reason` says. Misleads as a measure of how long a regimen can last:
    it grows with the number of persons and the length of follow-up alone.
    Raises EstimationError as `kaplan_meier` does.
    """
    rows = checked_durations(durations)
    if rows.is_empty():
        return not_estimable(LONGEST_METHOD, "nobody entered the risk set", person_count=0, event_count=0)
    longest = rows["time_days"].max()
    last = rows.filter(pl.col("time_days") == longest)
    ended, ongoing = int(last["event_count"].sum()), int(last["censored_count"].sum())
    return Answer(
        method=LONGEST_METHOD,
        value=float(longest),  # type: ignore[arg-type]
        reason="a lower bound: it was still going on when last seen" if ongoing else "",
        person_count=ended + ongoing,
        event_count=ended,
    )


def naive_median(durations: pl.DataFrame, *, confidence: float) -> Answer:
    """Median of all durations as recorded, ongoing ones included as if they had ended, in days.

    durations: as `kaplan_meier`; entries are ignored. The median is the first time by which half of the persons have
    ended, also for even counts (definitions.md 25). Limits are exact order statistics; too few persons leave one out.
    Misleads always where persons are still on the regimen: their recorded time is less than their duration, so it is
    too short, more so the shorter the follow-up. It grows by itself as the data cut moves. Shown to explain older
    tables, never as persistence.
    Raises EstimationError as `kaplan_meier` does.
    Source: David and Nagaraja 2003, Order Statistics, 7.1.
    """
    tail = tail_probability(confidence)
    rows = checked_durations(durations)
    ended = (
        rows.with_columns(count=pl.col("event_count") + pl.col("censored_count"))
        .group_by("time_days")
        .agg(pl.col("count").sum())
        .sort("time_days")
    )
    total = int(ended["count"].sum())
    if total == 0:
        return not_estimable(NAIVE_METHOD, "nobody entered the risk set", person_count=0, event_count=0)
    reached = ended["count"].cum_sum().to_numpy()
    times = ended["time_days"].to_numpy()

    def order_statistic(rank: int) -> float:
        return float(times[np.searchsorted(reached, rank)])

    # Ranks r and n + 1 - r enclose the median unless fewer than r of n fall on one side: r - 1 is a binomial quantile.
    ranks = np.arange(0, total // 2 + 1)
    rank = int(np.searchsorted(bdtr(ranks, total, 0.5), tail, side="right"))
    return Answer(
        method=NAIVE_METHOD,
        value=order_statistic((total + 1) // 2),
        lower=order_statistic(rank) if rank else None,
        upper=order_statistic(total + 1 - rank) if rank else None,
        confidence_level=confidence,
        reason="" if rank else "too few persons for limits",
        person_count=total,
        event_count=int(rows["event_count"].sum()),
        person_days=int((ended["time_days"] * ended["count"]).sum()),
    )


def _fitted(rows: pl.DataFrame, confidence: float) -> pl.DataFrame:
    if rows.is_empty():
        return pl.DataFrame(schema=_CURVE_SCHEMA)
    endings = pl.concat(
        [
            rows.select("entry_days", "time_days", is_event=pl.lit(1), persons="event_count"),
            rows.select("entry_days", "time_days", is_event=pl.lit(0), persons="censored_count"),
        ]
    ).filter(pl.col("persons") > 0)
    # lifelines silences numpy's floating-point errors for the whole process; the context gives them back.
    with np.errstate(divide="ignore", invalid="ignore"):
        fitter = KaplanMeierFitter(alpha=1.0 - confidence).fit(
            endings["time_days"].to_numpy(),
            event_observed=endings["is_event"].to_numpy(),
            entry=endings["entry_days"].to_numpy(),
            weights=endings["persons"].to_numpy(),
        )
    table = fitter.event_table
    limits = fitter.confidence_interval_survival_function_.to_numpy()
    days = pl.DataFrame(
        {
            "time_days": table.index.to_numpy().astype(np.int64),
            "value": fitter.survival_function_.to_numpy()[:, 0],
            "lower": limits[:, 0],
            "upper": limits[:, 1],
            # lifelines' column counts who enters on the day; they are at risk from the next (its estimate knows).
            "at_risk_count": (table["at_risk"] - table["entrance"]).to_numpy(),
            "event_count": table["observed"].to_numpy(),
            "censored_count": table["censored"].to_numpy(),
        },
        schema=_CURVE_SCHEMA,
    ).filter(pl.col("event_count") + pl.col("censored_count") > 0)
    at_zero = int(endings.filter(pl.col("entry_days") == 0)["persons"].sum())
    start = pl.DataFrame([(0, 1.0, 1.0, 1.0, at_zero, 0, 0)], schema=_CURVE_SCHEMA, orient="row")
    return pl.concat([start, days]).with_columns(
        lower=pl.when(pl.col("value") == 0.0).then(0.0).otherwise("lower"),
        upper=pl.when(pl.col("value") > 0.0).then("upper").forward_fill(),
    )


def _median(curve: pl.DataFrame, gap: str, confidence: float) -> Answer:
    if curve.is_empty():
        return not_estimable(METHOD, "nobody entered the risk set")
    half = _first_day_at_half(curve)
    lower, upper = (_first_day(curve, pl.col(column) <= 0.5) for column in ("lower", "upper"))
    if gap and float(curve["value"][-1]) == 0.0:
        return not_estimable(METHOD, gap)
    if half is not None:
        reason = "" if upper is not None else f"upper limit {NOT_REACHED}"
        return Answer(method=METHOD, value=half, lower=lower, upper=upper, confidence_level=confidence, reason=reason)
    if lower is None:
        return not_estimable(METHOD, gap or NOT_REACHED)
    return Answer(
        method=METHOD, lower=lower, confidence_level=confidence, status="limit_only", reason=gap or NOT_REACHED
    )


def _first_day(curve: pl.DataFrame, condition: pl.Expr) -> float | None:
    days = curve.filter(condition)["time_days"]
    return float(days[0]) if days.len() else None


def _first_day_at_half(curve: pl.DataFrame) -> float | None:
    """First day with S <= 0.5, decided in whole numbers where rounding could hide an S of exactly 0.5."""
    for day, value in curve.filter(pl.col("value") <= 0.5 + 1e-9).select("time_days", "value").iter_rows():
        steps = curve.filter((pl.col("time_days") <= day) & (pl.col("event_count") > 0))
        at_risk, events = steps["at_risk_count"].to_list(), steps["event_count"].to_list()
        stayed = math.prod(count - left for count, left in zip(at_risk, events, strict=True))
        if value < 0.5 - 1e-9 or 2 * stayed <= math.prod(at_risk):
            return float(day)
    return None
