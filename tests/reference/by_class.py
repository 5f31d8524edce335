"""Observed time by drug class, day by day: the slow, obvious reference.

Owns the classes of a day; what is covered or at risk on it is in `day_by_day.py`. Imports nothing of the product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.reference.day_by_day import Drug, History, Policy, episodes, taken


@dataclass(frozen=True)
class ClassState:
    """The classes of drugs that a person takes on a day, and how many biologics are covered or in tail."""

    classes: str
    risk_classes: str
    biologics: int


def class_intervals(
    history: History, drugs: Mapping[str, Drug], policies: Mapping[str, Policy]
) -> list[tuple[int, int, ClassState]]:
    """Observed time by classes: first day, last day + 1 and what holds on each day between, as long as nothing changes."""
    used = {name: episodes(history, name, policies[name]) for name in drugs}
    found: list[tuple[int, int, ClassState]] = []
    for day in sorted(history.observed):
        covered, at_risk = taken(day, used, policies)
        state = ClassState(
            classes="+".join(sorted({drugs[name].drug_class for name in covered})) or "none",
            risk_classes="+".join(sorted({drugs[name].drug_class for name in at_risk})) or "none",
            biologics=sum(drugs[name].is_biologic for name in at_risk),
        )
        if found and found[-1][1:] == (day, state):
            found[-1] = (found[-1][0], day + 1, state)
        else:
            found.append((day, day + 1, state))
    return found
