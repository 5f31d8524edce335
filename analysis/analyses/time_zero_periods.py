"""Follow-up from time zero cut into periods, for pooled logistic regression.

Owns the periods and the bands of time in which the baseline risk may differ. What is estimated from them is in `time_zero.py`.
"""

from __future__ import annotations

import polars as pl

_BANDS = (90, 365)  # days since time zero at which the baseline risk may change


def in_periods(held: pl.DataFrame, *, period_days: int) -> pl.DataFrame:
    """Follow-up cut into periods, as rows that count equal ones.

    held: one row a member with `start_day`, `stop_day`, `event_count`, `is_combination` and any weights; periods are counted from
    `start_day`, the last may be shorter. Columns added: `event` (0, 1), `period_count`, `combination` (0.0, 1.0) and `from_day_90`,
    `from_day_365`: 1.0 where the period begins on or after that day. An event falls in the last period.
    """
    numbered = held.with_row_index("member").with_columns(
        periods=((pl.col("stop_day") - pl.col("start_day") - 1) // period_days + 1).cast(pl.Int64)
    )
    edges = [0, *_BANDS]
    parts = []
    for place, edge in enumerate(edges):
        before = _periods_before(edge, period_days)
        after = _periods_before(edges[place + 1], period_days) if place + 1 < len(edges) else pl.col("periods")
        parts.append(
            numbered.with_columns(
                period_count=(after - before).cast(pl.Int64),
                has_event=(pl.col("event_count") == 1) & (pl.col("periods") > before) & (pl.col("periods") <= after),
                **{f"from_day_{day}": pl.lit(float(edge >= day)) for day in _BANDS},
            )
        )
    banded = pl.concat(parts).filter(pl.col("period_count") > 0)
    event = banded.filter("has_event").with_columns(period_count=pl.lit(1, pl.Int64), event=pl.lit(1))
    quiet = banded.with_columns(
        period_count=pl.col("period_count") - pl.col("has_event").cast(pl.Int64), event=pl.lit(0)
    ).filter(pl.col("period_count") > 0)
    return (
        pl.concat([quiet, event])
        .with_columns(combination=pl.col("is_combination").cast(pl.Float64))
        .sort("member", "from_day_90", "from_day_365", "event")
        .drop("member", "periods", "has_event")
    )


def _periods_before(day: int, period_days: int) -> pl.Expr:
    """Periods of a member that begin before a day since time zero."""
    reached = (pl.lit(day) - pl.col("start_day") + period_days - 1) // period_days
    return reached.clip(lower_bound=0).clip(upper_bound=pl.col("periods"))
