"""Days that the records of one drug cover, refill by refill: the slow, obvious reference.

Owns what is left at a refill, at a change of dose and in hospital; imports nothing of the product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Days `start` to `stop - 1` covered by one record, at a dose where it is known."""

    drug: str
    start: int
    stop: int
    dose: tuple[int, str] | None = None


def covered_days(windows: Sequence[Window], cap: int, dose_change: str = "carry") -> set[int]:
    """Days covered by records of one drug, refill by refill: of what is left at a refill at most `cap` days are kept.

    A day's dose is known when all its records give the same. At a change nothing of the old dose is used any more; what is
    left is discarded, or converted to the whole days that the same amount lasts.
    """
    covered: set[int] = set()
    stop = min((window.start for window in windows), default=0)
    last_dose: tuple[int, str] | None = None
    for window in sorted(windows, key=lambda window: (window.start, window.stop)):
        doses = {other.dose for other in windows if other.start == window.start} - {None}
        dose = doses.pop() if len(doses) == 1 else None
        left = max(stop - window.start, 0)
        if dose_change != "carry" and dose and last_dose and dose[1] == last_dose[1] and dose[0] != last_dose[0]:
            covered = {day for day in covered if day < window.start}
            left = left * last_dose[0] // dose[0] if dose_change == "convert" else 0
            stop = window.start
        stop = max(stop, window.stop + min(left, cap))
        covered.update(range(window.start, stop))
        last_dose = dose or last_dose
    return covered


def with_stays(covered: set[int], stays: Iterable[tuple[int, int]]) -> set[int]:
    """The days covered, and every day of a stay in hospital whose eve is covered."""
    inside = {day for first, stop in stays for day in range(first, stop)}
    return covered.union(*(stay for stay in runs(inside) if min(stay) - 1 in covered))


def pill_count_days(windows: Sequence[Window]) -> set[int]:
    """Days covered when no supply is lost, told by counting pills: a day's refills are added, one is taken a day."""
    covered: set[int] = set()
    pills = 0
    for day in range(min((w.start for w in windows), default=0), sum(w.stop for w in windows) + 1):
        pills += sum(window.stop - window.start for window in windows if window.start == day)
        if pills:
            covered.add(day)
            pills -= 1
    return covered


def runs(days: set[int]) -> list[set[int]]:
    """The days as runs without a break."""
    found: list[set[int]] = []
    for day in sorted(days):
        if found and day - 1 in found[-1]:
            found[-1].add(day)
        else:
            found.append({day})
    return found
