"""Mean number of events by a day, of all persons who set out, death ending both the events and the counting.

Owns the curve and its limits. Which records are one event is said in `recurrent_rows`; ratios of rates are in `recurrent`.
One less Kaplan-Meier, and a mean that takes death for censoring, would count events that the dead can no longer have.
Source: Ghosh and Lin 2000, Biometrics 56:554; Nelson 1995, Technometrics 37:147 (without death); Dong et al. 2015, Am J
Epidemiol 181:532 (the same mean as a sum of cumulative incidences).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.estimate.confidence import LARGEST_LOG_RATIO, normal_quantile, tail_probability
from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "ghosh_lin_log"
NELSON_METHOD = "nelson_log"

Floats = NDArray[np.float64]
Days = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanCumulativeCount:
    """The mean count over time.

    `curve`: one row per day with an event or a death: `time_days`, `value` (mean count by the end of the day),
    `at_risk_count` (alive and followed on the day), `event_count`, `death_count`, `survival` (share alive just after it).
    `last_day`: of follow-up, or the day on which the risk set empties. `gap`: empty, or why the curve ends there.
    """

    curve: pl.DataFrame
    person_count: int
    last_day: int
    gap: str
    confidence: float
    starts: Days = field(repr=False, compare=False)
    stops: Days = field(repr=False, compare=False)
    is_death: NDArray[np.bool_] = field(repr=False, compare=False)
    event_person: NDArray[np.intp] = field(repr=False, compare=False)
    event_day: Days = field(repr=False, compare=False)


def mean_cumulative_count(follow_up: pl.DataFrame, events: pl.DataFrame, *, confidence: float) -> MeanCumulativeCount:
    """Mean number of events per person over time, deaths competing (Ghosh-Lin); without deaths Nelson's.

    follow_up: one row a person: `person_id`, `start_day`, `stop_day` (followed on the days start < t <= stop), `is_death`
    (1 if the person died on stop_day). events: `person_id`, `day`, one row an event counted; those of `recurrent_rows`
    are its rows with an event. The denominator is everyone alive and followed, also within the gap after an event: it is
    the mean of all persons, not of those at risk of a new event. On one day events come before death (definitions.md 4).
    With delayed entry the mean is conditional on reaching the first entry; where the risk set empties while persons
    enter later the curve ends. Misleads when those who leave follow-up would have had other rates, and as a risk: a mean
    of 0.5 may be one event in half or five in a tenth of the persons.
    Raises EstimationError for missing columns, nulls, a person twice, start not before stop, is_death not 0 or 1, an
    event of nobody in follow-up or outside it, and for nobody at all.
    """
    tail_probability(confidence)
    persons, events = _checked(follow_up, events)
    starts, stops = persons["start_day"].to_numpy(), persons["stop_day"].to_numpy()
    is_death = persons["is_death"].to_numpy() == 1
    day, person = events["day"].to_numpy(), events["_place"].to_numpy().astype(np.intp)
    times = np.unique(np.concatenate([day, stops[is_death]]))
    deaths, counted = (_per_time(times, each) for each in (stops[is_death], day))
    at_risk = _at_risk(starts, stops, times)
    survival: Floats = np.cumprod(1.0 - deaths / at_risk).astype(np.float64)
    before = np.concatenate(([1.0], survival[:-1])) if times.size else survival
    last_day, gap = _end(starts, stops, times, survival)
    curve = pl.DataFrame(
        {
            "time_days": times, "value": np.cumsum(before * counted / at_risk), "at_risk_count": at_risk,
            "event_count": counted, "death_count": deaths, "survival": survival,
        },
        schema={
            "time_days": pl.Int64, "value": pl.Float64, "at_risk_count": pl.Int64, "event_count": pl.Int64,
            "death_count": pl.Int64, "survival": pl.Float64,
        },
    ).filter(pl.col("time_days") <= last_day)  # fmt: skip
    return MeanCumulativeCount(
        curve=curve, person_count=persons.height, last_day=last_day, gap=gap, confidence=confidence, starts=starts,
        stops=stops, is_death=is_death, event_person=person, event_day=day,
    )  # fmt: skip


def mean_count_at(mean: MeanCumulativeCount, *, time_days: int) -> Answer:
    """Mean number of events per person by the end of a day, with limits on the log scale.

    `standard_error` is of the mean, by the infinitesimal jackknife over persons, so that events of one person may hang
    together; Ghosh and Lin's, but for ties of deaths, which it takes as they are. `person_count` is the number alive
    and followed on the day, `event_count` and `person_days` are those up to it.
    Without an event the mean is 0 with an upper limit only: of a Poisson count of 0 over the fewest persons at risk so
    far. It is too low when few persons would have had many events each.
    Not estimable before anybody is at risk, beyond the end of the curve unless all have died, and for one person.
    Raises EstimationError for a day before 1.
    """
    if time_days < 1:
        raise EstimationError(f"a mean count starts at day 1, asked for day {time_days}")
    method = METHOD if mean.is_death.any() else NELSON_METHOD
    past = mean.curve.filter(pl.col("time_days") <= time_days)
    counts = {
        "person_count": int(_at_risk(mean.starts, mean.stops, np.array([time_days]))[0]),
        "event_count": int(past["event_count"].sum()),
        "person_days": int((np.minimum(mean.stops, time_days) - np.minimum(mean.starts, time_days)).sum()),
    }
    if mean.starts.min() >= time_days:
        return not_estimable(method, f"nobody is at risk by day {time_days}", **counts)
    all_died = past.height > 0 and past["survival"][-1] == 0.0 and not mean.gap
    if time_days > mean.last_day and not all_died:
        return not_estimable(method, mean.gap or f"beyond the last day of follow-up, day {mean.last_day}", **counts)
    if not counts["event_count"]:
        changes = np.concatenate([mean.starts + 1, mean.stops])
        inner = np.unique(changes[(changes > mean.starts.min()) & (changes <= min(time_days, mean.last_day))])
        fewest = int(_at_risk(mean.starts, mean.stops, inner).min())
        upper = -math.log(tail_probability(mean.confidence)) / fewest
        return Answer(
            method=method, upper=upper, confidence_level=mean.confidence, status="limit_only",
            reason=f"no events by day {time_days}", person_count=counts["person_count"], event_count=0,
            person_days=counts["person_days"],
        )  # fmt: skip
    value = float(past["value"][-1])
    influence = _influence(mean, past, time_days, value)
    standard_error = math.sqrt(math.fsum(influence**2))
    spread = normal_quantile(mean.confidence) * standard_error / value
    if standard_error < 1e-9 * value or spread > LARGEST_LOG_RATIO:
        return not_estimable(method, "the influences of persons cancel, as with one: no standard error", **counts)
    return Answer(
        method=method, value=value, lower=value * math.exp(-spread), upper=value * math.exp(spread),
        confidence_level=mean.confidence, standard_error=standard_error, person_count=counts["person_count"],
        event_count=counts["event_count"], person_days=counts["person_days"],
    )  # fmt: skip


def _influence(mean: MeanCumulativeCount, past: pl.DataFrame, day: int, value: float) -> Floats:
    """Change of the mean for a little more weight of each person."""
    times, by_then = past["time_days"].to_numpy(), past["value"].to_numpy()
    at_risk = past["at_risk_count"].to_numpy().astype(np.float64)
    events, deaths = past["event_count"].to_numpy(), past["death_count"].to_numpy()
    before = np.concatenate(([1.0], past["survival"].to_numpy()[:-1]))
    # Where all at risk die nothing follows, so that their deaths move nothing.
    hazard = np.divide(1.0, at_risk - deaths, out=np.zeros_like(at_risk), where=at_risk > deaths)
    place = np.searchsorted(times, mean.event_day)
    counted = mean.event_day <= day
    own = np.bincount(
        mean.event_person[counted], (before / at_risk)[place[counted]], minlength=mean.person_count
    ).astype(np.float64)
    first, last = (np.searchsorted(times, each, side="right") for each in (mean.starts, np.minimum(mean.stops, day)))

    def followed(values: Floats) -> Floats:
        sums = np.concatenate(([0.0], np.cumsum(values)))
        total: Floats = sums[np.maximum(last, first)] - sums[first]
        return total

    expected = followed(before * events / at_risk**2)
    spared = followed(deaths * hazard / at_risk * (value - by_then))
    died = mean.is_death & (mean.stops <= day)
    lost = np.zeros(mean.person_count)
    at_death = np.searchsorted(times, mean.stops[died])
    lost[died] = (hazard * (value - by_then))[at_death]
    influence: Floats = own - expected + spared - lost
    return influence


def _at_risk(starts: Days, stops: Days, times: Days) -> Days:
    begun = np.searchsorted(np.sort(starts), times, side="left")
    left: Days = begun - np.searchsorted(np.sort(stops), times, side="left")
    return left


def _per_time(times: Days, days: Days) -> Days:
    counted: Days = np.bincount(np.searchsorted(times, days), minlength=times.size)
    return counted


def _end(starts: Days, stops: Days, times: Days, survival: Floats) -> tuple[int, str]:
    """The last day that the curve may say something about, and why not a later one of follow-up."""
    order = np.argsort(starts, kind="stable")
    reach = np.maximum.accumulate(stops[order])
    empties = reach[:-1][starts[order][1:] > reach[:-1]]
    died_out = times[survival == 0.0]
    ends = [*empties[:1].tolist(), *[day for day in died_out[:1].tolist() if day < stops.max()]]
    if not ends:
        return int(stops.max()), ""
    return int(min(ends)), f"the risk set empties on day {min(ends)} while persons enter later"


def _checked(follow_up: pl.DataFrame, events: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    needed = {
        "follow-up": (follow_up, ("person_id", "start_day", "stop_day", "is_death")),
        "events": (events, ("person_id", "day")),
    }
    for name, (frame, columns) in needed.items():
        missing = [column for column in columns if column not in frame.columns]
        if missing or any(frame[column].null_count() for column in columns):
            raise EstimationError(f"{name} needs the columns {', '.join(missing or columns)}, without nulls")
    days = pl.col("start_day", "stop_day", "is_death").cast(pl.Int64)
    persons = follow_up.select("person_id", days).sort("person_id").with_row_index("_place")
    twice = persons.height - persons["person_id"].n_unique()
    odd = persons.filter((pl.col("start_day") >= pl.col("stop_day")) | ~pl.col("is_death").is_in([0, 1])).height
    joined = events.select("person_id", pl.col("day").cast(pl.Int64)).join(persons, on="person_id", how="left")
    outside = joined.filter(
        pl.col("_place").is_null() | (pl.col("day") <= pl.col("start_day")) | (pl.col("day") > pl.col("stop_day"))
    ).height
    if persons.is_empty() or twice or odd or outside:
        raise EstimationError(
            f"follow-up of {persons.height} persons: {twice} rows too many, {odd} without a day or with is_death not 0 or "
            f"1; {outside} events outside it"
        )
    return persons, joined.sort("day", "_place")
