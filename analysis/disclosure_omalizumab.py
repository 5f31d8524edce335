"""Disclosure control of omalizumab: dose classes and reasons that sum to shown totals.

Owns the rule that parts of a total are shown all or not at all. Which other estimates are withheld is in `disclosure.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from analysis.analyses.omalizumab import ANALYSIS, EVERYBODY
from analysis.suppression import is_small

Row = dict[str, object]


def withhold_omalizumab(rows: list[Row], hide: Callable[[Row], None], minimum: int) -> None:
    """Withholds rows in place: where one part of a table of doses, or of who could be modelled, is small, all parts go."""
    groups: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        if row["analysis"] == ANALYSIS and row["estimand"] in ("count", "proportion") and row["level"] != EVERYBODY:
            groups[row["stratum"]].append(row)
    for found in groups.values():
        counts = [row["event_count"] if row["estimand"] == "proportion" else row["person_count"] for row in found]
        totals = [row["person_count"] for row in found if row["estimand"] == "proportion"]
        if any(is_small(count, minimum) for count in [*counts, *totals]):
            for row in found:
                hide(row)
                row["person_count"] = row["event_count"] = None
    for row in rows:
        few = is_small(row["person_count"], minimum) or is_small(row["event_count"], minimum)
        if row["analysis"] == ANALYSIS and row["estimand"] in ("mean", "median_time_days") and few:
            hide(row)
            row["person_count"] = row["event_count"] = None
