"""Disclosure control of symptoms and events under omalizumab.

Owns the rule that what is asked of one group of persons is shown whole or not at all: responders and others, and events below and above a
level, sum to totals that stand beside them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from analysis.analyses import omalizumab_events, omalizumab_symptoms
from analysis.suppression import is_small

Row = dict[str, object]
_COUNTS = ("person_count", "event_count")


def withhold_symptoms(rows: list[Row], received: dict[str, Row], hide: Callable[[Row], None], minimum: int) -> None:
    """Withholds rows in place. received: the rows as they were, by estimate_id: what another rule took away is small still."""
    groups: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        if row["analysis"] in (omalizumab_symptoms.ANALYSIS, omalizumab_events.ANALYSIS):
            groups[_group(row)].append(row)
    for found in groups.values():
        before = [received[str(row["estimate_id"])] for row in found]
        if any(is_small(row[name], minimum) for row in before for name in _COUNTS):
            for row in found:
                hide(row)
                row["person_count"] = row["event_count"] = None


def _group(row: Row) -> object:
    """An instrument with all its responses and returns; an outcome; all classes of a dosing table."""
    stratum = dict(pair.split("=", 1) for pair in str(row["stratum"]).split(";") if pair)
    if row["analysis"] == omalizumab_symptoms.ANALYSIS:
        return ("instrument", stratum.get("instrument"))
    return ("table", stratum["table"]) if "table" in stratum else ("outcome", row["outcome_id"])
