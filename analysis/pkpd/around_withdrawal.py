"""Modelled drug and IgE around the last dose of those who stopped, over persons.

Owns the alignment on the last dose and the quantiles. Courses belong in `courses`, when a level is passed in `thresholds`.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from analysis.pkpd.courses import Piece, on_days

QUANTITIES = ("omalizumab_ug_per_ml", "free_ige_ng_per_ml", "total_ige_ng_per_ml")


def aligned_days(piece: Piece, stops: pl.DataFrame, days: Sequence[int]) -> pl.DataFrame:
    """Modelled levels of each person on days counted from the last dose: `person_id`, `day_from_stop` and QUANTITIES.

    stops: `person_id`, `last_dose_day`, `until_day`. Only days inside the course and the follow-up after the stop are there.
    Raises PkpdError as `courses.on_days`.
    """
    reach = pl.DataFrame({"person_id": piece.given.person_id, "course_day": piece.given.until_day})
    asked = (
        stops.join(reach, on="person_id")
        .join(pl.DataFrame({"day_from_stop": list(days)}, schema={"day_from_stop": pl.Int64}), how="cross")
        .with_columns(day=pl.col("last_dose_day") + pl.col("day_from_stop"))
        .filter((pl.col("day") >= 0) & (pl.col("day") <= pl.min_horizontal("until_day", "course_day")))
        .select("person_id", "day_from_stop", "day")
    )
    found = on_days(piece, asked.select("person_id", "day"))
    return asked.join(found.select("person_id", "day", *QUANTITIES), on=["person_id", "day"]).drop("day")


def quantiles(aligned: pl.DataFrame, *, level: float) -> pl.DataFrame:
    """Median and the middle `level` of persons by day from the last dose.

    Columns: `quantity`, `day`, `person_count`, `lower`, `median`, `upper`. Differences between persons of weight, IgE and doses, not
    what the model cannot know of a person. Later days are of those followed for so long.
    """
    low, high = 0.5 - level / 2, 0.5 + level / 2
    return pl.concat(
        aligned.group_by(day="day_from_stop")
        .agg(
            person_count=pl.len().cast(pl.Int64),
            lower=pl.col(name).quantile(low, "linear"),
            median=pl.col(name).median(),
            upper=pl.col(name).quantile(high, "linear"),
        )
        .with_columns(quantity=pl.lit(name))
        .select("quantity", "day", "person_count", "lower", "median", "upper")
        .sort("day")
        for name in QUANTITIES
    )
