"""Whether what is about to leave still holds a small count: the last look at a public bundle.

Owns which columns of the published tables count persons, events or records. What is withheld, and why, is in `disclosure`; this
module shares nothing with it, so that an error there is seen here.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

COUNTS: Mapping[str, tuple[str, ...]] = {
    "estimate.result": ("person_count", "event_count"),
    "estimate.curve": ("at_risk_count", "event_count", "censored_count"),
    "cohort.attrition": ("person_count",),
    "summary.baseline": ("person_count",),
    "summary.exposure_time": ("person_count",),
    "summary.ending_count": ("episode_count",),
    "quality.row_account": ("rows_in", "rows_kept", "rows_quarantined", "rows_duplicate"),
    "quality.rule_result": ("rows_checked", "rows_failed"),
}


def small_counts(frames: Mapping[str, pl.DataFrame], *, minimum_count: int) -> dict[str, int]:
    """Cells from 1 to `minimum_count` - 1 in the columns that count, by `table.column`, only those that have any.

    frames: published tables by name. Sees counts, not what follows from several of them: that is for the rules of `disclosure`.
    """
    found = {}
    for table, columns in COUNTS.items():
        for column in columns:
            if table in frames and column in frames[table].columns:
                cells = frames[table].filter(pl.col(column).is_between(1, minimum_count - 1)).height
                if cells:
                    found[f"{table}.{column}"] = cells
    return found
