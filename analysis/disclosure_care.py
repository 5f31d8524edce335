"""Disclosure control of care items, warned combinations and antibodies.

Owns which of their estimates a public report may hold. Counts of an item sum to its moments, and policies of an item differ in
single persons;
so an item is shown under all its policies or none, and drugs in use, setting and year, which sum to it too, are not shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

from analysis.analyses import care_item, immunogenicity, warned_combination
from analysis.suppression import is_small, whole

Row = dict[str, object]


def withhold_care(rows: list[Row], received: dict[str, Row], hide: Callable[[Row], None], minimum: int) -> None:
    """Withholds rows in place. received: the rows by `estimate_id` as they were before anything was withheld."""
    _items(rows, received, hide, minimum)
    _warned(rows, received, hide, minimum)
    _antibodies(rows, received, hide, minimum)


def _items(rows: list[Row], received: dict[str, Row], hide: Callable[[Row], None], minimum: int) -> None:
    items: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["analysis"] == care_item.ANALYSIS:
            items[_part(row, "item").rstrip("bc")].append(row)
    for found in items.values():
        overall = [row for row in found if _is_overall(row)]
        kept = [received[str(row["estimate_id"])] for row in overall]
        unsafe = any(
            is_small(row[name], minimum) for row in kept for name in ("person_count", "event_count")
        ) or _differ_by_few(kept, minimum)
        for row in found:
            if unsafe or not _is_overall(row):
                _withhold(row, hide)


def _differ_by_few(rows: list[Row], minimum: int) -> bool:
    """Whether the same number of an item differs between two policies by few moments or persons."""
    for level in {row["level"] for row in rows}:
        for name in ("person_count", "event_count"):
            held = sorted({whole(row[name]) for row in rows if row["level"] == level})
            if any(0 < later - earlier < minimum for earlier, later in pairwise(held)):
                return True
    return False


def _is_overall(row: Row) -> bool:
    return not row["regimen_id"] and {part.split("=")[0] for part in str(row["stratum"]).split(";")} == {
        "item",
        "policy",
    }


def _part(row: Row, name: str) -> str:
    return next(part.split("=", 1)[1] for part in str(row["stratum"]).split(";") if part.startswith(f"{name}="))


def _warned(rows: list[Row], received: dict[str, Row], hide: Callable[[Row], None], minimum: int) -> None:
    """A warning is shown over all its pairs where no count of it is small, and never by pair."""
    warnings: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        if row["analysis"] == warned_combination.ANALYSIS:
            warnings[row["stratum"]].append(row)
    for found in warnings.values():
        kept = [received[str(row["estimate_id"])] for row in found if row["regimen_id"] == "all"]
        unsafe = _few(kept, minimum)
        for row in found:
            if unsafe or row["regimen_id"] != "all":
                _withhold(row, hide)


def _antibodies(rows: list[Row], received: dict[str, Row], hide: Callable[[Row], None], minimum: int) -> None:
    """Second biologics are shown together and not by drug, which sums to it; an outcome where none of its counts is small."""
    outcomes: dict[tuple[object, object], list[Row]] = defaultdict(list)
    for row in rows:
        if row["analysis"] == immunogenicity.ANALYSIS:
            outcomes[row["population"], row["outcome_id"]].append(row)
    for (population, _), found in outcomes.items():
        together = [row for row in found if population != immunogenicity.TESTED or row["regimen_id"] == "all"]
        unsafe = _few([received[str(row["estimate_id"])] for row in together], minimum)
        for row in found:
            if unsafe or row not in together:
                _withhold(row, hide)


def _few(rows: list[Row], minimum: int) -> bool:
    return any(is_small(row[name], minimum) for row in rows for name in ("person_count", "event_count"))


def _withhold(row: Row, hide: Callable[[Row], None]) -> None:
    hide(row)
    row["person_count"] = row["event_count"] = None
