"""Counting-process rows, (start, stop] with an event or none at the stop: what they must hold, and cutting them in time.

Owns the check of such frames and the cut at given days. Making rows from records belongs to the tables of `cohort`, and
for repeated events to `recurrent_rows`; fits belong to `cox`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.estimate.result import EstimationError
from analysis.estimate.risk_sets import Booleans, Days, Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingRows:
    """A checked frame as arrays, one entry a row: days, event, cluster and stratum as 0, 1, 2, ..., covariates (columns)."""

    start: Days
    stop: Days
    is_event: Booleans
    code: NDArray[np.int64]
    stratum: NDArray[np.int64] | None
    weight: Floats | None
    x: Floats

    @property
    def event_count(self) -> int:
        """Rows with an event, whatever their weight."""
        return int(self.is_event.sum())

    @property
    def person_days(self) -> int:
        """Days of all rows, whatever their weight."""
        return int((self.stop - self.start).sum())


def counting_rows(
    frame: pl.DataFrame,
    covariates: Sequence[str],
    *,
    cluster: str,
    strata: str | None = None,
    weight: str | None = None,
) -> CountingRows:
    """The rows of a frame with `start_day`, `stop_day`, `event`, the covariates and the columns named, checked.

    Raises EstimationError for missing columns, nulls, numbers not finite, start not before stop, an event other than 0
    or 1, a weight not above 0, or a covariate named twice.
    """
    named = [column for column in (cluster, strata, weight) if column is not None]
    columns = list(dict.fromkeys(["start_day", "stop_day", "event", *named, *covariates]))
    missing = [column for column in columns if column not in frame.columns]
    if missing or not covariates or len(set(covariates)) < len(covariates):
        raise EstimationError(f"a Cox frame needs each covariate once and the columns {', '.join(missing or columns)}")
    nulls = [column for column in columns if frame[column].null_count()]
    if nulls:
        raise EstimationError(f"a Cox frame holds nulls in {', '.join(nulls)}")
    values = frame.select(pl.col(covariates).cast(pl.Float64)).to_numpy()
    if not np.isfinite(values).all():
        raise EstimationError("a Cox frame holds covariates that are not finite")
    weights = None if weight is None else frame[weight].cast(pl.Float64).to_numpy()
    if weights is not None and not (np.isfinite(weights) & (weights > 0.0)).all():
        raise EstimationError(f"{weight} must be finite and above 0: leave rows of no weight out")
    rows = frame.select(
        pl.col("start_day").cast(pl.Int64),
        pl.col("stop_day").cast(pl.Int64),
        pl.col("event").cast(pl.Int64),
        code=_numbered(frame[cluster]),
    )
    late, odd = rows.filter(pl.col("start_day") >= pl.col("stop_day")), rows.filter(~pl.col("event").is_in([0, 1]))
    if late.height or odd.height:
        raise EstimationError(f"{late.height} rows start at or after their stop, {odd.height} have an event not 0 or 1")
    return CountingRows(
        start=rows["start_day"].to_numpy(),
        stop=rows["stop_day"].to_numpy(),
        is_event=rows["event"].to_numpy() == 1,
        code=rows["code"].to_numpy(),
        stratum=None if strata is None else _numbered(frame[strata]).to_numpy(),
        weight=weights,
        x=values,
    )


def _numbered(values: pl.Series) -> pl.Series:
    """0, 1, 2, ... for the distinct values, in their order."""
    if values.is_sorted():
        return values.rle_id().cast(pl.Int64)
    return values.rank("dense").cast(pl.Int64) - 1


def cut_at(frame: pl.DataFrame, days: Sequence[int], *, last_only: Sequence[str] = ("event",)) -> pl.DataFrame:
    """The same rows, those that cross one of the days cut there: what happens at the stop stays with the last piece.

    frame: `start_day`, `stop_day`, the columns of `last_only` (0 on all pieces but the last) and any others, which are
    carried along. A row (start, stop] with start < day < stop becomes (start, day] and (day, stop]. Pieces of a row stand
    together, in the order of time.
    Raises EstimationError for days that do not rise.
    """
    if any(day >= following for day, following in itertools.pairwise(days)):
        raise EstimationError(f"days to cut at must rise, got {', '.join(map(str, days))}")
    cuts = np.asarray(days, dtype=np.int64)
    starts, stops = (frame[column].cast(pl.Int64).to_numpy() for column in ("start_day", "stop_day"))
    first, end = np.searchsorted(cuts, starts, side="right"), np.searchsorted(cuts, stops, side="left")
    pieces = np.maximum(0, end - first) + 1
    row = np.repeat(np.arange(frame.height), pieces)
    piece = np.arange(row.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    is_last = piece == pieces[row] - 1
    start, stop = starts[row], stops[row]
    start[piece > 0] = cuts[(first[row] + piece - 1)[piece > 0]]
    stop[~is_last] = cuts[(first[row] + piece)[~is_last]]
    return frame[row].with_columns(
        pl.Series("start_day", start).cast(frame.schema["start_day"]),
        pl.Series("stop_day", stop).cast(frame.schema["stop_day"]),
        *(
            pl.when(pl.Series(is_last)).then(column).otherwise(0).cast(frame.schema[column]).alias(column)
            for column in last_only
        ),
    )
