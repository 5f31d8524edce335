"""Who may be a control for whom: the slow, obvious reference, one pair of persons at a time.

Owns nothing that the product uses and imports nothing of it. Days are whole numbers. Definitions 22.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """One person of the cohort: what must be equal, birth, entry, spells at risk as (first day, last day + 1), first event."""

    group: str
    birth: int
    entry: int
    spells: tuple[tuple[int, int], ...]
    event: int | None = None


def eligible(cohort: Mapping[int, Member], case: int, *, age_years: int, entry_days: int) -> set[int]:
    """Everybody who may be a control of the case."""
    own = cohort[case]
    day = own.event
    assert day is not None
    return {
        person
        for person, other in cohort.items()
        if person != case
        and other.group == own.group
        and abs(other.birth - own.birth) <= int(age_years * 365.25)
        and abs(other.entry - own.entry) <= entry_days
        and any(start <= day < stop for start, stop in other.spells)
        and other.event != day
    }


def chi_square(observed: Iterable[int], expected: float) -> float:
    """Pearson's statistic against one expected count."""
    return sum((count - expected) ** 2 / expected for count in observed)
