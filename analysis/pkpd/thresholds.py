"""Stretches of time in which free IgE is below or above a threshold, and when it rises after the last dose.

Owns the crossing between two steps and what follows from it. Courses belong in `courses`.

Between steps the logarithm of free IgE is taken as straight: within an hour while it rises, up to a quarter of a day late in
the fall after a first dose. Days are numbers with fractions, from the first dose.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from analysis.pkpd.courses import Piece
from analysis.pkpd.quantities import TARGETS_NG_PER_ML, Floats, PkpdError

# A rise after the last dose counts from the first of this many days without a break.
LASTING_DAYS = 7.0
WITHDRAWAL_LEVELS = ("25 ng/mL", "50 ng/mL", "0.5 of baseline")
_STRETCH = {"start_day": pl.Float64, "stop_day": pl.Float64, "is_below": pl.Boolean}


def stretches(values: Floats, *, threshold: Floats, until_step: Floats, steps_per_day: int) -> pl.DataFrame:
    """Maximal stretches below, or at and above, the threshold: `column`, `start_day`, `stop_day`, `is_below`.

    values: above 0, steps (rows) by courses (columns). threshold, until_step: per column. The stretches of a column follow
    each other from day 0 to its last step, so that their lengths add up to it. A column that ends at step 0 has none.
    """
    below = values < threshold
    column, step = np.nonzero((below[1:] != below[:-1]).T)
    kept = step < until_step[column]
    column, step = column[kept], step[kept]
    before, after = (np.log(values[place, column] / threshold[column]) for place in (step, step + 1))
    crossing = (step + before / (before - after)) / steps_per_day
    count = values.shape[1]
    starts = pl.DataFrame({"column": np.arange(count), "start_day": np.zeros(count), "is_below": below[0]})
    crossed = pl.DataFrame({"column": column, "start_day": crossing, "is_below": below[step + 1, column]})
    ends = pl.DataFrame({"column": np.arange(count), "end_day": until_step / steps_per_day})
    return (
        pl.concat([starts, crossed])
        .sort("column", "start_day", maintain_order=True)
        .join(ends, on="column", how="left", maintain_order="left")
        .with_columns(stop_day=pl.coalesce(pl.col("start_day").shift(-1).over("column"), "end_day"))
        .filter(pl.col("stop_day") > pl.col("start_day"))
        .select("column", "start_day", "stop_day", "is_below")
    )


def threshold_stretches(piece: Piece, *, thresholds_ng_per_ml: Sequence[float] = TARGETS_NG_PER_ML) -> pl.DataFrame:
    """For each person and threshold the stretches of free IgE below it and not, from day 0 to `until_day`.

    Columns: `person_id`, `threshold_ng_per_ml`, `start_day`, `stop_day`, `is_below`, `model`, `anchor`.
    Raises PkpdError for draws and for a threshold that is not above 0.
    """
    if any(not threshold > 0.0 for threshold in thresholds_ng_per_ml):
        raise PkpdError("a threshold must be above 0 ng/mL")
    ones = np.ones(len(piece.people))
    frames = [
        _persons(piece, threshold * ones).with_columns(threshold_ng_per_ml=pl.lit(float(threshold)))
        for threshold in thresholds_ng_per_ml
    ]
    return piece.named(pl.concat(frames).select("person_id", "threshold_ng_per_ml", *_STRETCH))


def days_below(found: pl.DataFrame, *, windows: pl.DataFrame) -> pl.DataFrame:
    """Days below and above each threshold inside a window of each person, and the longest stretch above.

    found: of `threshold_stretches`. windows: `person_id`, `start_day`, `stop_day`, such as from the first dose to an interval
    after the last. Columns: `person_id`, `threshold_ng_per_ml`, `days_below`, `days_above`, `longest_days_above`. Days that
    the course does not reach count as neither.
    Raises PkpdError for a window that stops before it starts.
    """
    if windows.filter(pl.col("stop_day") < pl.col("start_day")).height:
        raise PkpdError("a window stops before it starts")
    asked = windows.select("person_id", first="start_day", last="stop_day")
    inside = pl.min_horizontal("stop_day", "last") - pl.max_horizontal("start_day", "first")
    days, is_below = pl.col("days"), pl.col("is_below")
    return (
        found.join(asked, on="person_id")
        .with_columns(days=inside.clip(0.0).cast(pl.Float64))
        .group_by("person_id", "threshold_ng_per_ml", maintain_order=True)
        .agg(
            days_below=days.filter(is_below).sum(),
            days_above=days.filter(~is_below).sum(),
            longest_days_above=days.filter(~is_below).max().fill_null(0.0),
        )
    )


def withdrawal(piece: Piece, *, stops: pl.DataFrame, lasting_days: float = LASTING_DAYS) -> pl.DataFrame:
    """After how many days from a last dose free IgE has risen to 25 ng/mL, 50 ng/mL and half of the baseline, for good.

    stops: `person_id`, `last_dose_day`, `until_day` (restart or end of follow-up, not after the course's), any number a person.
    For good: at or above for `lasting_days` without a break. Columns: `person_id`, `last_dose_day`, `level`,
    `days_after_last_dose` (NULL if not reached), `follow_up_days`, `status` (`reached`, `not_reached`, `not_assessable`),
    `reason`. A person already above has 0 days. What is not reached is censored at `follow_up_days`. A level that the baseline does not
    exceed says nothing about withdrawal and is not assessable.
    Raises PkpdError for draws and for a stop that ends before it begins or after the course.
    """
    reach = pl.DataFrame({"person_id": piece.given.person_id, "course_day": piece.given.until_day})
    asked = stops.select("person_id", "last_dose_day", follow_up_end="until_day").join(reach, on="person_id")
    outside = (pl.col("follow_up_end") < pl.col("last_dose_day")) | (pl.col("follow_up_end") > pl.col("course_day"))
    wrong = asked.filter(outside | (pl.col("last_dose_day") < 0)).height
    if wrong:
        raise PkpdError(f"{wrong} stops end before the last dose or after the course")
    baseline = piece.people.baseline_ng_per_ml
    ones = np.ones_like(baseline)
    levels = dict(zip(WITHDRAWAL_LEVELS, (25.0 * ones, 50.0 * ones, 0.5 * baseline), strict=True))
    frames = [_risen(piece, asked, name, threshold, lasting_days) for name, threshold in levels.items()]
    return piece.named(pl.concat(frames).sort("person_id", "last_dose_day", "level"))


def last_doses(persons: pl.DataFrame, doses: pl.DataFrame) -> pl.DataFrame:
    """The last dose of each person up to `until_day`, as `stops` of `withdrawal`."""
    held = doses.join(persons.select("person_id", "until_day"), on="person_id").filter(
        pl.col("day") <= pl.col("until_day")
    )
    return held.group_by("person_id", "until_day").agg(last_dose_day=pl.col("day").max()).sort("person_id")


def _risen(piece: Piece, asked: pl.DataFrame, level: str, threshold: Floats, lasting_days: float) -> pl.DataFrame:
    above = _persons(piece, threshold).filter(~pl.col("is_below")).drop("is_below")
    start = pl.max_horizontal("start_day", pl.col("last_dose_day").cast(pl.Float64))
    lasts = pl.min_horizontal("stop_day", pl.col("follow_up_end").cast(pl.Float64)) - start >= lasting_days
    key = ["person_id", "last_dose_day", "follow_up_end"]
    risen = asked.join(above, on="person_id").filter(lasts).group_by(key).agg(risen_day=start.min())
    exceeded = pl.DataFrame(
        {"person_id": piece.given.person_id, "is_exceeded": piece.people.baseline_ng_per_ml > threshold}
    )
    is_reached, is_exceeded = pl.col("risen_day").is_not_null(), pl.col("is_exceeded")
    status = pl.when(~is_exceeded).then(pl.lit("not_assessable")).when(is_reached).then(pl.lit("reached"))
    reason = pl.when(~is_exceeded).then(pl.lit("the baseline is not above it")).when(is_reached).then(pl.lit(""))
    return (
        asked.join(risen, on=key, how="left", maintain_order="left")
        .join(exceeded, on="person_id", how="left", maintain_order="left")
        .select(
            "person_id",
            "last_dose_day",
            level=pl.lit(level),
            days_after_last_dose=pl.when(is_exceeded).then(pl.col("risen_day") - pl.col("last_dose_day")),
            follow_up_days=pl.col("follow_up_end") - pl.col("last_dose_day"),
            status=status.otherwise(pl.lit("not_reached")),
            reason=reason.otherwise(pl.lit("not above it for long enough before the end of follow-up")),
        )
    )


def _persons(piece: Piece, threshold: Floats) -> pl.DataFrame:
    if piece.draws != 1:
        raise PkpdError("a piece of draws has limits, not stretches")
    steps = piece.course.steps_per_day
    found = stretches(
        piece.free_ige,
        threshold=threshold,
        until_step=(piece.given.until_day * steps).astype(np.float64),
        steps_per_day=steps,
    )
    return found.with_columns(person_id=piece.given.person_id.gather(found["column"])).drop("column")
