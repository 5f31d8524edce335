"""Symptom scores and modelled free IgE of the same days, binned over persons: around the last dose, and as a loop.

Owns the bins. The area of a person's own loop belongs in `hysteresis`, modelled levels on days without scores in
`around_withdrawal`.
"""

from __future__ import annotations

import polars as pl

from analysis.pkpd.quantities import PkpdError

BIN_DAYS = 28
SINCE = {"first_dose": (-84, 196), "last_dose": (-112, 168)}  # days shown, as followed in Slavin 2009 and before


def symptom_course(records: pl.DataFrame, stops: pl.DataFrame, *, level: float) -> pl.DataFrame:
    """Scores of persons by four-week bin from the first dose, and around the last of those who stopped.

    records: `person_id`, `day` (from the first dose, negative before it), `score`, `free_ige_ng_per_ml` (of the day; the baseline
    before day 0), `last_dose_day` and `until_day`, which may be null. stops: `person_id` of those who stopped. Bins from the first dose end
    with the last dose, those around it begin with the first. A person counts once a bin, with the mean of their scores.
    Columns: `since`, `day` (first of the bin), `person_count`, `lower`, `median`, `upper` (the middle `level` of persons),
    `free_ige_ng_per_ml` (median of persons' geometric means). Misleads as one group's course: later bins are of those followed for so long.
    Raises PkpdError for a level not between 0 and 1.
    """
    if not 0.0 < level < 1.0:
        raise PkpdError("limits need a level between 0 and 1")
    low, high = 0.5 - level / 2, 0.5 + level / 2
    day, last = pl.col("day"), pl.col("last_dose_day")
    parts = {
        "first_dose": records.filter(last.is_null() | (day <= last)).with_columns(moved=day),
        "last_dose": records.join(stops.select("person_id"), on="person_id", how="semi")
        .filter((day >= 0) & (day <= pl.col("until_day")))
        .with_columns(moved=day - last),
    }
    return pl.concat(
        rows.filter(pl.col("moved").is_between(SINCE[since][0], SINCE[since][1] - 1))
        .sort("person_id", "day", "score")
        # In order: sums of logarithms depend on it in their last digit.
        .group_by("person_id", bin=pl.col("moved").floordiv(BIN_DAYS) * BIN_DAYS, maintain_order=True)
        .agg(score=pl.col("score").mean(), free_ige=pl.col("free_ige_ng_per_ml").log().mean().exp())
        .group_by(day=pl.col("bin").cast(pl.Int64))
        .agg(
            person_count=pl.len().cast(pl.Int64),
            lower=pl.col("score").quantile(low, "linear"),
            median=pl.col("score").median(),
            upper=pl.col("score").quantile(high, "linear"),
            free_ige_ng_per_ml=pl.col("free_ige").median(),
        )
        .select(pl.lit(since).alias("since"), "day", "person_count", "lower", "median", "upper", "free_ige_ng_per_ml")
        .sort("day")
        for since, rows in parts.items()
    )
