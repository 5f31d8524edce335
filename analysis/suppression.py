"""Which cells of tables with totals must be hidden so that no small count can be told.

Owns complementary suppression for counts that are bound by sums. Knows no frame, no table name and no threshold but
the one it is given.

Rule: a nonzero count below the minimum is hidden; in every sum with a hidden cell at least two nonzero cells are
hidden, and the hidden parts of a shown total are together not below the minimum; after that no hidden cell may follow
from the shown ones by any linear combination of the sums (checked by rank). The smallest shown cell is taken each
time. Zeros are never hidden. Limits: bounds that follow from a cell being a count are not looked at, nor are sums that
the caller does not name. Source of the approach: Hundepool 2012, Statistical Disclosure Control, chapter 4.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Sum:
    """A total and its parts, as names of cells; cells that do not exist count as zero."""

    total: Hashable
    parts: tuple[Hashable, ...]


def whole(value: object) -> int:
    """A count of a row, 0 where there is none."""
    return 0 if value is None else int(value)  # type: ignore[call-overload]


def is_small(count: object, minimum: int) -> bool:
    """Whether a count is from 1 to `minimum - 1`."""
    return count is not None and 0 < int(count) < minimum  # type: ignore[call-overload]


def hidden_cells(
    counts: Mapping[Hashable, int],
    sums: Sequence[Sum],
    *,
    primary: Collection[Hashable],
    minimum: int,
    fixed: Collection[Hashable] = (),
) -> set[Hashable]:
    """The cells to hide: `primary` and what is needed so that the sums do not give them away.

    fixed: cells that are told elsewhere and so protect nothing when hidden; they are taken last.
    """
    hidden = {cell for cell in primary if counts.get(cell, 0)}
    while extra := _next(counts, sums, hidden, minimum=minimum, fixed=fixed):
        hidden.add(extra)
    return hidden


def _next(
    counts: Mapping[Hashable, int],
    sums: Sequence[Sum],
    hidden: set[Hashable],
    *,
    minimum: int,
    fixed: Collection[Hashable],
) -> Hashable | None:
    """One more cell to hide, or None when nothing can be told any more (or nothing is left to hide)."""
    for one in sums:
        members = [cell for cell in (one.total, *one.parts) if counts.get(cell, 0)]
        inside = [cell for cell in members if cell in hidden]
        parts = [cell for cell in inside if cell != one.total]
        is_thin = (
            bool(parts)
            and one.total not in hidden
            and one.total in counts
            and sum(counts[cell] for cell in parts) < minimum
        )
        is_alone = len(inside) == 1 and one.total in counts
        found = _smallest(counts, members, hidden, total=one.total, fixed=fixed) if is_alone or is_thin else None
        if found:
            return found
    told = _told(counts, sums, hidden)
    for cell in told:
        members = [other for one in sums if cell in (one.total, *one.parts) for other in (one.total, *one.parts)]
        if found := _smallest(counts, members, hidden, total=None, fixed=fixed):
            return found
    if told:
        return _smallest(
            counts, [cell for one in sums for cell in (one.total, *one.parts)], hidden, total=None, fixed=fixed
        )
    return None


def _smallest(
    counts: Mapping[Hashable, int],
    members: Sequence[Hashable],
    hidden: set[Hashable],
    *,
    total: Hashable,
    fixed: Collection[Hashable],
) -> Hashable | None:
    shown = [cell for cell in members if counts.get(cell, 0) and cell not in hidden and cell not in fixed]
    return min(shown, key=lambda cell: (cell == total, counts[cell], str(cell)), default=None)


def _told(counts: Mapping[Hashable, int], sums: Sequence[Sum], hidden: set[Hashable]) -> list[Hashable]:
    """Hidden cells whose value follows from the shown ones: their unit vector lies in the row space of the sums."""
    order = sorted(hidden, key=str)
    place = {cell: number for number, cell in enumerate(order)}
    rows = []
    for one in sums:
        row = np.zeros(len(order))
        if one.total in counts:
            for cell, sign in [(one.total, -1.0), *((part, 1.0) for part in one.parts)]:
                if cell in place:
                    row[place[cell]] += sign
        if row.any():
            rows.append(row)
    if not rows:
        return []
    _, singular, basis = np.linalg.svd(np.array(rows), full_matrices=True)
    free = basis[int((singular > 1e-9).sum()) :]
    return [cell for cell in order if not np.abs(free[:, place[cell]]).max(initial=0.0) > 1e-9]
