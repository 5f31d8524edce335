"""Disclosure control of endings as competing risks: what of them a public report may tell.

Owns the rule: counts and curves go; a cause goes where it gained from 1 to minimum - 1 endings between two of the days told, or where
its share among all was withheld; and where one cause of a group goes, the one with the fewest endings goes with it, for all of them
add up to what persistence tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import polars as pl

from analysis.analyses.ending_incidence import ANALYSIS
from analysis.suppression import is_small, whole

Row = dict[str, object]
KEY = ("exposure_rule", "population", "regimen_id", "stratum")


def withhold_endings(
    rows: Sequence[Row], received: Mapping[str, Row], hide: Callable[[Row], None], minimum: int
) -> None:
    """Withholds what of endings by cause would tell a count from 1 to minimum - 1.

    rows: `estimate.result` while rows are withheld, discontinuation already. received: the same by estimate_id, untouched.
    """
    withheld = {
        (row["exposure_rule"], row["regimen_id"], row["level"])
        for row in rows
        if row["analysis"] == "discontinuation" and row["status"] == "suppressed"
    }
    groups: dict[tuple[object, ...], dict[object, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["analysis"] == ANALYSIS:
            groups[tuple(row[name] for name in KEY)][row["level"]].append(row)
    for (rule, _, regimen, _), causes in groups.items():
        most: dict[object, int] = {}
        hidden = set()
        for cause, members in causes.items():
            counts = [
                whole(received[str(row["estimate_id"])]["event_count"])
                for row in sorted(members, key=lambda row: whole(row["time_days"]))
            ]
            most[cause] = max(counts)
            gains = [high - low for low, high in pairwise([0, *counts])]
            if any(is_small(gain, minimum) for gain in gains) or (rule, regimen, cause) in withheld:
                hidden.add(cause)
        others = sorted((count, str(cause)) for cause, count in most.items() if cause not in hidden and count)
        if len([cause for cause in hidden if most[cause]]) == 1 and others:
            hidden.add(others[0][1])
        for cause, members in causes.items():
            for row in members:
                if cause in hidden:
                    hide(row)
                row["person_count"] = row["event_count"] = None


def without_endings(curve: pl.DataFrame) -> pl.DataFrame:
    """`estimate.curve` without the curves of endings: their steps are single endings."""
    return curve.filter(pl.col("analysis") != ANALYSIS)
