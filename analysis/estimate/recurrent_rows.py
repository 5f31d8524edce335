"""Counting-process rows of events that may recur: from follow-up and dated records to stretches at risk of the next event.

Owns which records are one event and when a person is at risk again, the rules of `cohort.outcome_event` and
`cohort.person_time`. Models of these rows are in `recurrent`, the mean number of events in `mean_cumulative_count`.
"""

from __future__ import annotations

import polars as pl

from analysis.estimate.result import EstimationError

ROW_COLUMNS = ("person_id", "start_day", "stop_day", "event", "event_number", "risk_start_day")


def recurrent_rows(follow_up: pl.DataFrame, records: pl.DataFrame, *, gap_days: int) -> pl.DataFrame:
    """Stretches at risk of the first, second, ... event, sorted by person and day.

    follow_up: one row a person: `person_id`, `start_day`, `stop_day` (at risk on the days start < t <= stop) and any
    covariates, which are carried along. records: `person_id`, `day` of each record of the outcome, also those before and
    after follow-up; a record on date e has day e - t0 + 1 (definitions.md 3).
    gap_days: a record within this many days of the one before it is the same event, dated by its first record. A row ends
    on the day of an event (`event` 1), and the person is at risk again from gap_days after the last record of that event:
    on the days start < t where start = last record + gap_days. Records of one day are one record. An event that began on
    or before start_day is not counted, but keeps a person from being at risk while it lasts.
    Columns: `person_id`, `start_day`, `stop_day`, `event`, `event_number` (the event at risk of, from 1),
    `risk_start_day` (first day of this stretch, from which gap time runs), then the others. A person never at risk has no
    row. Misleads when an event changes who is at risk for longer than the gap (a transplant, a drug stopped for good).
    Raises EstimationError for missing columns, nulls, a person twice, start not before stop, a negative gap or records
    of persons without follow-up.
    """
    _check(follow_up, records, gap_days)
    events = (
        records.select("person_id", pl.col("day").cast(pl.Int64))
        .unique()
        .sort("person_id", "day")
        .with_columns(
            is_new=(pl.col("day") - pl.col("day").shift(1).over("person_id") > gap_days).fill_null(value=True)
        )
        .with_columns(number=pl.col("is_new").cast(pl.Int64).cum_sum())
        .group_by("person_id", "number", maintain_order=True)
        .agg(event_day=pl.col("day").first(), again_day=pl.col("day").last() + gap_days)
    )
    days = follow_up.select("person_id", pl.col("start_day", "stop_day").cast(pl.Int64))
    # A stretch opens with follow-up and after each event, and closes with the next event or with follow-up.
    opened = pl.concat(
        [
            days.select("person_id", number=pl.lit(0, pl.Int64), again_day=pl.col("start_day")),
            events.select("person_id", "number", "again_day"),
        ]
    ).sort("person_id", "number")
    rows = (
        opened.join(
            events.select("person_id", "number", "event_day"),
            on=["person_id", "number"],
            how="left",
            maintain_order="left",
        )
        .with_columns(event_day=pl.col("event_day").shift(-1).over("person_id"))
        .join(days, on="person_id")
        .with_columns(
            start_day=pl.max_horizontal("start_day", "again_day"),
            event=(pl.col("event_day") <= pl.col("stop_day")).fill_null(value=False).cast(pl.Int64),
            stop_day=pl.min_horizontal("stop_day", "event_day"),
        )
        .filter(pl.col("start_day") < pl.col("stop_day"))
        .sort("person_id", "start_day")
        .with_columns(
            event_number=pl.col("event").cum_sum().over("person_id") - pl.col("event") + 1,
            risk_start_day=pl.col("start_day"),
        )
    )
    others = follow_up.drop("start_day", "stop_day")
    return rows.select(ROW_COLUMNS).join(others, on="person_id", how="left", maintain_order="left")


def _check(follow_up: pl.DataFrame, records: pl.DataFrame, gap_days: int) -> None:
    needed = {
        "follow-up": (follow_up, ("person_id", "start_day", "stop_day")),
        "records": (records, ("person_id", "day")),
    }
    for name, (frame, columns) in needed.items():
        missing = [column for column in columns if column not in frame.columns]
        if missing or any(frame[column].null_count() for column in columns):
            raise EstimationError(f"{name} needs the columns {', '.join(missing or columns)}, without nulls")
    twice = follow_up.height - follow_up["person_id"].n_unique()
    empty = follow_up.filter(pl.col("start_day") >= pl.col("stop_day")).height
    unknown = records.join(follow_up, on="person_id", how="anti").height
    taken = [column for column in ("event", "event_number", "risk_start_day") if column in follow_up.columns]
    if twice or empty or unknown or taken or gap_days < 0:
        raise EstimationError(
            f"one row a person is needed ({twice} too many), start before stop ({empty} are not), records of persons in "
            f"follow-up ({unknown} are not), a gap from 0 days (got {gap_days}) and no column named {', '.join(taken) or 'event'}"
        )
