"""The loop that symptoms make against free IgE: how far they lag behind it.

Owns the area of the loop. The delay that closes it belongs in `effect_fit`.

Each person's records in order of days make a polygon of (x, score), both from 0 at the person's least to 1 at the most; its signed area by
the shoelace rule is above 0 where scores lag behind x: high while x has fallen, low while x has risen. Against log free IgE the
loop is open; against the effect of the right half-time its mean is near 0. Noise of records adds no area on average but
scales it down, for it widens the range.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from scipy.special import stdtrit

from analysis.estimate.result import Answer, not_estimable
from analysis.pkpd.effect import Driven, effects_at_records
from analysis.pkpd.effect_fit import counted
from analysis.pkpd.quantities import PkpdError

METHOD = "shoelace_mean_of_persons"
FEWEST_RECORDS = 4  # a loop of fewer is a triangle or nothing


def hysteresis_index(points: pl.DataFrame, *, confidence: float) -> Answer:
    """Mean signed area of the persons' loops, with limits of Student's t.

    points: `person_id`, `day`, `x`, `score` (the higher, the worse). Persons with fewer than 4 points, or whose x or
    score never changes, have no loop and are left out; `person_count` counts the others, `event_count` their points.
    Misleads where a person's points do not hold a stretch on and one off treatment: half a loop closes by a straight line.
    Raises PkpdError for a confidence not between 0 and 1 and for points that are no numbers.
    """
    if not 0.0 < confidence < 1.0:
        raise PkpdError("limits need a confidence between 0 and 1")
    numbers = points.select("person_id", pl.col("day", "x", "score").cast(pl.Float64))
    if numbers.filter(~pl.all_horizontal(pl.col("day", "x", "score").is_finite().fill_null(value=False))).height:
        raise PkpdError("points must be numbers")
    x, y = pl.col("x"), pl.col("score")
    scaled = [
        ((value - value.min()) / (value.max() - value.min())).over("person_id").alias(name)
        for name, value in (("x", x), ("score", y))
    ]
    moves = numbers.filter(
        (pl.len().over("person_id") >= FEWEST_RECORDS)
        & (x.max() > x.min()).over("person_id")
        & (y.max() > y.min()).over("person_id")
    ).sort("person_id", "day", "x", "score")
    cross = x * y.shift(-1, fill_value=y.first()) - y * x.shift(-1, fill_value=x.first())
    areas = (
        moves.with_columns(scaled)
        .group_by("person_id", maintain_order=True)
        .agg(area=0.5 * cross.sum(), points=pl.len())
    )
    counts = {"person_count": areas.height, "event_count": int(areas["points"].sum())}
    if areas.height < 2:
        return not_estimable(METHOD, "fewer than two persons have a loop of records", **counts)
    area = areas["area"].to_numpy()
    value, error = float(area.mean()), float(area.std(ddof=1) / np.sqrt(area.size))
    half = float(stdtrit(area.size - 1, 0.5 * (1.0 + confidence))) * error
    answer = Answer(method=METHOD, value=value, lower=value - half, upper=value + half, confidence_level=confidence)
    return replace(counted(answer, counts), standard_error=error)


def delayed_points(held: Driven, *, half_time_days: float) -> pl.DataFrame:
    """Points of `hysteresis_index` against the effect of a half-time instead of free IgE."""
    once = np.array([half_time_days])
    effect = effects_at_records(held, onset_days=once, offset_days=once)[:, 0]
    return pl.DataFrame(
        {
            "person_id": held.person_id.gather(held.record_person),
            "day": held.record_day,
            "x": effect,
            "score": held.score,
        }
    )
