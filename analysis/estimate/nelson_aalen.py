"""Cumulative hazard: how many endings a person would have had by a day, were each replaced at once.

Owns the Nelson-Aalen estimate from counts of endings by day, its limits and its value at a day. lifelines counts and adds;
the variance is Aalen's, as R prints it. Probabilities belong in `persistence` and `cumulative_incidence`.
Source: Nelson 1972, Technometrics 14:945; Aalen 1978, Ann Stat 6:701; Bie, Borgan and Liestol 1987, Scand J Stat 14:221 (limits).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from lifelines import NelsonAalenFitter

from analysis.estimate.confidence import normal_quantile, tail_probability
from analysis.estimate.endings import (
    at_risk_before,
    at_risk_on,
    checked_durations,
    day_the_risk_set_empties,
    gap_reason,
    traffic_of,
)  # fmt: skip
from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "nelson_aalen_log"

_CURVE_SCHEMA = {
    "time_days": pl.Int64, "value": pl.Float64, "lower": pl.Float64, "upper": pl.Float64,
    "standard_error": pl.Float64, "at_risk_count": pl.Int64, "event_count": pl.Int64, "censored_count": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NelsonAalen:
    """A cumulative hazard.

    `curve`: `time_days`, `value`, `lower`, `upper` (log), `standard_error` (null before the first event), `at_risk_count`
    (just before the day), `event_count`, `censored_count`; from day 0, one row a day with an ending. `traffic`:
    `time_days`, `entered_count`, `left_count`. `gap`: empty, or why the curve ends although persons enter later.
    """

    curve: pl.DataFrame
    traffic: pl.DataFrame
    confidence: float
    person_count: int
    gap: str


def nelson_aalen(durations: pl.DataFrame, *, confidence: float) -> NelsonAalen:
    """Cumulative hazard over time, with limits on the scale of its logarithm.

    durations: as `kaplan_meier` takes them. Events of one day are tied (d / n), as in R's survfit(ctype = 1), and so is the
    variance, the sum of d / n^2. Before the first event the upper limit is exact: the hazard at which no event among the
    fewest persons at risk so far has the tail's probability. When the risk set empties while persons enter later the curve
    ends there and `gap` says so. Misleads when read as a probability: it passes 1.
    Raises EstimationError as `kaplan_meier` does.
    """
    tail_probability(confidence)
    rows = checked_durations(durations)
    traffic = traffic_of(rows)
    gap_day = day_the_risk_set_empties(traffic)
    kept = rows if gap_day is None else rows.filter(pl.col("entry_days") < gap_day)
    return NelsonAalen(
        curve=_curve(kept, traffic, confidence),
        traffic=traffic.drop("stopped_count"),
        confidence=confidence,
        person_count=int((rows["event_count"] + rows["censored_count"]).sum()),
        gap=gap_reason(gap_day),
    )


def cumulative_hazard_at(fit: NelsonAalen, *, time_days: int) -> Answer:
    """Cumulative hazard at the end of a day, with limits as `nelson_aalen` says.

    Counts and refusals as `survival_at`.
    Raises EstimationError for a negative day.
    """
    if time_days < 0:
        raise EstimationError(f"a curve starts at day 0, asked for day {time_days}")
    at_risk = at_risk_before(fit.traffic, time_days=time_days)
    past = fit.curve.filter(pl.col("time_days") <= time_days)
    events = int(past["event_count"].sum())
    if at_risk is None:
        return not_estimable(METHOD, f"nobody is at risk by day {time_days}", person_count=0, event_count=events)
    last_day = int(fit.curve["time_days"][-1])
    if time_days > last_day:
        reason = fit.gap or f"beyond the last observed time, day {last_day}"
        return not_estimable(METHOD, reason, person_count=at_risk[0], event_count=events)
    has_begun = events > 0 or time_days == 0
    value, lower, upper = (float(past[column][-1]) for column in ("value", "lower", "upper"))
    return Answer(
        method=METHOD,
        value=value,
        lower=lower,
        upper=upper if has_begun else -math.log(tail_probability(fit.confidence)) / at_risk[1],
        confidence_level=fit.confidence,
        standard_error=past["standard_error"][-1],
        reason="" if has_begun else "no event yet; the upper limit is exact",
        person_count=at_risk[0],
        event_count=events,
    )


def _curve(rows: pl.DataFrame, traffic: pl.DataFrame, confidence: float) -> pl.DataFrame:
    if rows.is_empty():
        return pl.DataFrame(schema=_CURVE_SCHEMA)
    by_day = rows.group_by("time_days").agg(pl.col("event_count", "censored_count").sum()).sort("time_days")
    by_day = by_day.join(at_risk_on(traffic, by_day["time_days"]), on="time_days", how="left").sort("time_days")
    endings = pl.concat(
        [
            rows.select("entry_days", "time_days", is_event=pl.lit(1), persons="event_count"),
            rows.select("entry_days", "time_days", is_event=pl.lit(0), persons="censored_count"),
        ]
    ).filter(pl.col("persons") > 0)
    # lifelines silences numpy's floating-point errors for the whole process; the context gives them back.
    with np.errstate(divide="ignore", invalid="ignore"):
        fitter = NelsonAalenFitter(alpha=1.0 - confidence, nelson_aalen_smoothing=False).fit(
            endings["time_days"].to_numpy(),
            event_observed=endings["is_event"].to_numpy(),
            entry=endings["entry_days"].to_numpy(),
            weights=endings["persons"].to_numpy(),
        )
    hazard = fitter.cumulative_hazard_.iloc[:, 0]
    value = hazard.loc[by_day["time_days"].to_numpy()].to_numpy()
    at_risk, events = by_day["at_risk_count"].to_numpy(), by_day["event_count"].to_numpy()
    error = np.sqrt(np.cumsum(events / at_risk.astype(float) ** 2))
    has_begun = value > 0.0
    spread = np.exp(normal_quantile(confidence) * error / np.where(has_begun, value, 1.0))
    exact = -math.log(tail_probability(confidence)) / by_day["fewest_count"].to_numpy()
    start = (0, 0.0, 0.0, 0.0, None, int(_entered_on_day_0(rows)), 0, 0)
    days = by_day.with_columns(
        value=pl.Series(value),
        lower=pl.Series(np.where(has_begun, value / spread, 0.0)),
        upper=pl.Series(np.where(has_begun, value * spread, exact)),
        standard_error=pl.when(pl.Series(has_begun)).then(pl.Series(error)),
    )
    return pl.concat([pl.DataFrame([start], schema=_CURVE_SCHEMA, orient="row"), days.select(_CURVE_SCHEMA.keys())])


def _entered_on_day_0(rows: pl.DataFrame) -> int:
    return int(
        rows.filter(pl.col("entry_days") == 0).select(pl.col("event_count", "censored_count").sum()).sum_horizontal()[0]
    )
