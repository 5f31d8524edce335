"""Time at risk cut into intervals, each with the free IgE modelled some weeks before it began.

Owns the intervals. Which events there are, and what ends a person's time, the caller says. The model lets only doses before a day act
on that day, so that no interval knows of a dose that came after its beginning; the lag keeps what happens at the event (a dose left
out because of it) from making its own exposure.
"""

from __future__ import annotations

import polars as pl

from analysis.pkpd.quantities import PkpdError

APART_DAYS = 7


def risk_rows(persons: pl.DataFrame, events: pl.DataFrame, *, lag_days: int) -> pl.DataFrame:
    """Intervals of each person from day `lag_days` to the last day at risk, cut every seven days and at events.

    persons: `person_id`, `until_day`. events: `person_id`, `day`; events on day `lag_days` or before, after `until_day`, or of others are
    not at risk and are left out. Columns: `person_id`, `start_day`, `stop_day` (at risk on start < day <= stop), `event_count` (0 or 1, on
    stop_day), `asked_day` (`start_day` less the lag). Days at risk add up to until_day less the lag.
    Raises PkpdError for a lag below 0.
    """
    if lag_days < 0:
        raise PkpdError(f"a lag cannot be {lag_days} days")
    followed = persons.select("person_id", until_day=pl.col("until_day").cast(pl.Int64)).filter(
        pl.col("until_day") > lag_days
    )
    held = (
        events.select("person_id", day=pl.col("day").cast(pl.Int64))
        .unique()
        .join(followed, on="person_id")
        .filter((pl.col("day") > lag_days) & (pl.col("day") <= pl.col("until_day")))
        .select("person_id", "day", event_count=pl.lit(1, pl.Int64))
    )
    grid = (
        followed.with_columns(
            day=pl.int_ranges(lag_days + APART_DAYS, pl.col("until_day"), APART_DAYS).list.concat("until_day")
        )
        .explode("day")
        .select("person_id", "day", event_count=pl.lit(0, pl.Int64))
    )
    return (
        pl.concat([grid, held])
        .group_by("person_id", stop_day="day")
        .agg(event_count=pl.col("event_count").max())
        .sort("person_id", "stop_day")
        .with_columns(start_day=pl.col("stop_day").shift(1).over("person_id").fill_null(lag_days))
        .select("person_id", "start_day", "stop_day", "event_count", asked_day=pl.col("start_day") - lag_days)
    )
