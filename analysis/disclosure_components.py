"""Disclosure control of components: which of their counts a public report may tell.

Owns the rule for single components of composite outcomes. Levels of each ladder sum to the component's own events. A count goes
when it is small, when the composite was withheld at the same level, and when it differs by few from a shown one of the same
component under another outcome, which would tell the few; with it go the counts that sums would give back. Persons at risk of a
component differ from the cohort by those who had it before entry, who are few: they are never told. Odds ratios go whole: most
are made of few cases.
Limits: sums over components are no sums of persons and are not looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence

from analysis.analyses.components import INCIDENCE, ODDS_RATIO
from analysis.suppression import Sum, hidden_cells, is_small, whole

Row = dict[str, object]
Cell = tuple[str, str, str]  # component, ladder, level


def withhold_components(
    rows: Sequence[Row], received: Mapping[str, Row], hide: Callable[[Row], None], minimum: int
) -> None:
    """Withholds what of components would tell a count from 1 to minimum - 1.

    rows: `estimate.result` while rows are withheld, incidence already. received: the same by estimate_id, untouched.
    """
    composite = {
        (row["exposure_rule"], row["outcome_id"], str(row["stratum"]).removeprefix("ladder="), row["level"]): row
        for row in rows
        if row["analysis"] == "incidence" and row["population"] == "all_time" and not row["regimen_id"]
    }
    groups: dict[tuple[object, object], dict[Cell, Row]] = defaultdict(dict)
    for row in rows:
        if row["analysis"] == ODDS_RATIO:
            hide(row)
            row["person_count"] = row["event_count"] = None
        elif row["analysis"] == INCIDENCE and row["status"] != "not_assessable":
            groups[row["exposure_rule"], row["outcome_id"]][_cell(row)] = row
    shown: dict[tuple[object, Cell], list[int]] = defaultdict(list)
    for (rule, outcome), cells in groups.items():
        own = {cell: received[str(row["estimate_id"])] for cell, row in cells.items()}
        counts: dict[Hashable, int] = {cell: whole(row["event_count"]) for cell, row in own.items()}
        primary: set[Hashable] = set()
        for cell in cells:
            told = composite.get((rule, outcome, *cell[1:]))
            is_near = any(is_small(abs(whole(counts[cell]) - other), minimum) for other in shown[rule, cell])
            is_few = is_small(counts[cell], minimum) or is_small(own[cell]["person_count"], minimum)
            if is_few or is_near or (told is not None and told["status"] == "suppressed"):
                primary.add(cell)
        sums = _sums(list(cells))
        hidden = hidden_cells(counts, sums, primary=primary, minimum=minimum)
        hidden |= {cell for cell in primary if is_small(own[cell]["person_count"], minimum)}  # type: ignore[index]
        days: dict[Hashable, int] = {cell: whole(row["person_days"]) for cell, row in own.items()}
        hidden |= hidden_cells(days, sums, primary=hidden, minimum=1)
        for cell, row in cells.items():
            if cell in hidden:
                hide(row)
            else:
                shown[rule, cell].append(counts[cell])
            row["person_count"] = None


def _cell(row: Row) -> Cell:
    parts = dict(part.split("=", 1) for part in str(row["stratum"]).split(";"))
    return parts["component"], parts.get("ladder", ""), str(row["level"])


def _sums(cells: Sequence[Cell]) -> list[Sum]:
    ladders = sorted({cell[:2] for cell in cells if cell[1]})
    return [
        Sum((component, "", ""), tuple(cell for cell in cells if cell[:2] == (component, ladder)))
        for component, ladder in ladders
    ]
