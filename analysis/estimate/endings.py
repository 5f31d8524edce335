"""Endings counted by day: what every estimator of a curve checks and counts before it estimates.

Owns the checks of frames of counts, who enters and leaves the risk set on which day, how many are at risk, and where the
risk set empties. A person is at risk on the days entry < t <= time. At equal times all events, of whatever cause, come
before censoring, and share one risk set (definitions.md 4); which ending a person with several on one day has is settled
before (outcome, competing event, stop, censoring). Does not estimate anything.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from analysis.estimate.result import EstimationError

CENSORED = "censored"
DURATION_COLUMNS = ("entry_days", "time_days", "event_count", "censored_count")
ENDING_COLUMNS = ("entry_days", "time_days", "cause", "count")


def checked_durations(durations: pl.DataFrame, *, by: Sequence[str] = ()) -> pl.DataFrame:
    """The columns of a frame of durations as Int64 and those of `by` as they are, rows of nobody left out.

    Raises EstimationError for a missing column, nulls, negative counts or a time not after its entry.
    """
    rows = _typed(durations, DURATION_COLUMNS, by)
    _refuse(rows, (pl.col("event_count") < 0) | (pl.col("censored_count") < 0))
    return rows.filter(pl.col("event_count") + pl.col("censored_count") > 0)


def checked_endings(endings: pl.DataFrame, *, causes: Sequence[str], by: Sequence[str] = ()) -> pl.DataFrame:
    """Durations (`event_count` of any cause) with their `cause` and `count`, rows of nobody left out.

    Raises EstimationError as `checked_durations`, for no cause, one named twice, and a cause that is not asked for.
    """
    if not causes or len(set(causes)) < len(causes) or CENSORED in causes:
        raise EstimationError(f"causes are named once each and none is {CENSORED!r}, got {', '.join(causes)}")
    rows = _typed(endings, ENDING_COLUMNS, by)
    _refuse(rows, pl.col("count") < 0)
    unknown = rows.filter(~pl.col("cause").is_in([*causes, CENSORED]))["cause"].unique().sort().to_list()
    if unknown:
        raise EstimationError(f"endings have causes that are not asked for: {', '.join(unknown)}")
    is_censored = pl.col("cause") == CENSORED
    return rows.filter(pl.col("count") > 0).with_columns(
        event_count=pl.when(is_censored).then(0).otherwise("count"),
        censored_count=pl.when(is_censored).then("count").otherwise(0),
    )


def _typed(frame: pl.DataFrame, columns: Sequence[str], by: Sequence[str]) -> pl.DataFrame:
    missing = [column for column in (*columns, *by) if column not in frame.columns]
    if missing:
        raise EstimationError(f"durations need the columns {', '.join(missing)}")
    rows = frame.select(*by, *(pl.col(name).cast(pl.String if name == "cause" else pl.Int64) for name in columns))
    if sum(rows.null_count().row(0)):
        raise EstimationError("durations hold nulls")
    return rows


def _refuse(rows: pl.DataFrame, wrong: pl.Expr) -> None:
    bad = rows.filter((pl.col("entry_days") < 0) | (pl.col("time_days") <= pl.col("entry_days")) | wrong)
    if bad.height:
        raise EstimationError(f"{bad.height} durations have a negative number or a time not after their entry")


def person_days(rows: pl.DataFrame) -> int:
    """Days at risk of all persons."""
    persons = rows["event_count"] + rows["censored_count"]
    return int(((rows["time_days"] - rows["entry_days"]) * persons).sum())


def traffic_of(rows: pl.DataFrame) -> pl.DataFrame:
    """By day: `time_days`, `entered_count`, `left_count`, and of these `stopped_count` by an event."""
    persons = pl.col("event_count") + pl.col("censored_count")
    zero = pl.lit(0, pl.Int64)
    came = rows.select(time_days="entry_days", entered_count=persons, left_count=zero, stopped_count=zero)
    went = rows.select(time_days="time_days", entered_count=zero, left_count=persons, stopped_count="event_count")
    return pl.concat([came, went]).group_by("time_days").agg(pl.all().sum()).sort("time_days")


def day_the_risk_set_empties(traffic: pl.DataFrame) -> int | None:
    """First day on which all at risk stop, or nobody is left, although persons enter on that day or later."""
    after = (pl.col("entered_count") - pl.col("left_count")).cum_sum()
    before = after.shift(1, fill_value=0)
    still_to_enter = pl.col("entered_count").cum_sum(reverse=True)
    emptied = (after == 0) | ((before > 0) & (pl.col("stopped_count") == before))
    days = traffic.filter(emptied & (still_to_enter > 0))["time_days"]
    return int(days[0]) if days.len() else None


def gap_reason(day: int | None) -> str:
    """Why a curve ends where it does although persons enter later, or empty."""
    return "" if day is None else f"the risk set empties on day {day} while persons enter later"


def at_risk_before(traffic: pl.DataFrame, *, time_days: int) -> tuple[int, int] | None:
    """Who is at risk just before a day's endings, and the fewest so far; None when nobody was yet.

    On day 0 those who enter on it.
    """
    started = traffic.filter(pl.col("time_days") < max(time_days, 1))
    if started.is_empty():
        return None
    at_risk = (started["entered_count"] - started["left_count"]).cum_sum()
    return int(at_risk[-1]), int(at_risk.min())  # type: ignore[arg-type]


def at_risk_on(traffic: pl.DataFrame, days: pl.Series) -> pl.DataFrame:
    """By day of `days` (sorted): `time_days`, `at_risk_count` just before its endings, `fewest_count` so far."""
    after = (pl.col("entered_count") - pl.col("left_count")).cum_sum()
    level = traffic.select(
        "time_days", at_risk_count=after, fewest_count=after.cum_min()
    ).sort("time_days")  # fmt: skip
    asked = days.cast(pl.Int64).alias("time_days").to_frame().set_sorted("time_days")
    found = asked.join_asof(level, on="time_days", strategy="backward", allow_exact_matches=False)
    return found.with_columns(pl.col("at_risk_count", "fewest_count").fill_null(0))
