"""Serious and opportunistic infections, drawn day by day from hazards that act on the lagged exposure state.

Owns the planted ladder hazards and what they come to over the realised time at risk. An event is followed by
`separation_days` without another; then, for `recurrence_days` after it, other serious infections recur at a raised
hazard. The first opportunistic infection is never raised by an earlier serious one, so its planted ratios stay clean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.simulate.design import DAYS_PER_YEAR, InfectionPlan
from analysis.simulate.reference import Flags, Floats, Ints
from analysis.simulate.state import RiskTime

LEVELS = ("0", "1", ">=2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Infections:
    """Events ordered by person and day. `is_opportunistic`: the event belongs to an opportunistic component."""

    person: Ints
    day: Ints
    is_opportunistic: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """True incidence of first events on one ladder level: hazard summed over the days at risk, and what happened."""

    level: str
    person_days: int
    expected_count: float
    event_count: int

    @property
    def per_100py(self) -> float | None:
        """Expected first events per 100 person-years; None without person-time."""
        return self.expected_count / self.person_days * DAYS_PER_YEAR * 100 if self.person_days else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazards:
    """Planted hazard per day on each interval of the risk time; `serious` includes `opportunistic`."""

    serious: Floats
    opportunistic: Floats


class _Axis:
    """Everybody's days at risk laid end to end, so that one cumulative sum and one search serve all persons."""

    def __init__(self, risk: RiskTime, *, persons: int) -> None:
        length = risk.stop - risk.start
        self.edge = np.concatenate([[0], np.cumsum(length)]).astype(np.float64)
        self.length = length.astype(np.float64)
        first = np.searchsorted(risk.person, np.arange(persons))
        last = np.searchsorted(risk.person, np.arange(persons), side="right")
        self.begin, self.end = self.edge[first], self.edge[last]
        self.entry = risk.start[first]

    def cumulative(self, per_day: Floats) -> Floats:
        return np.concatenate([[0.0], np.cumsum(per_day * self.length)])

    def at(self, cumulative: Floats, position: Floats) -> Floats:
        return np.interp(position, self.edge, cumulative)

    def reach(self, cumulative: Floats, target: Floats) -> Floats:
        """Position at which a cumulative hazard reaches a target; beyond the end of the axis where it never does."""
        after = np.searchsorted(cumulative, target, side="right")
        inside = np.clip(after, 1, cumulative.size - 1)
        slope = (cumulative[inside] - cumulative[inside - 1]) / self.length[inside - 1]
        found = self.edge[inside - 1] + (target - cumulative[inside - 1]) / np.where(slope > 0, slope, 1.0)
        return np.where(after < cumulative.size, np.minimum(found, self.edge[inside]), np.inf)


def infection_hazards(risk: RiskTime, plan: InfectionPlan, *, age: Ints, severity: Floats) -> Hazards:
    """Planted daily hazards. age (completed years on entry), severity: one value a person.

    Under an interaction the first agent of `risk` is its first, the second its second.
    """
    person_factor = np.where(age > plan.older_than, plan.older_ratio, 1.0) * np.exp(plan.severity_log_effect * severity)
    per_day = person_factor[risk.person] / 1000 / DAYS_PER_YEAR
    if plan.interaction is not None:
        first, second = risk.agents
        for ratio, acts in zip(plan.interaction.ratios, (first, second, first & second), strict=True):
            per_day = np.where(acts, ratio * per_day, per_day)
    base = plan.opportunistic_per_1000py * plan.opportunistic_base_factor
    return Hazards(
        serious=per_day * plan.serious_per_1000py * np.array(plan.serious_ratio)[risk.broad],
        opportunistic=per_day * base * np.array(plan.opportunistic_ratio)[risk.toruner],
    )


def draw_infections(
    risk: RiskTime, hazards: Hazards, plan: InfectionPlan, *, persons: int, rng: np.random.Generator
) -> Infections:
    """All infections of all persons from entry to the observed end, at least `separation_days` apart."""
    axis = _Axis(risk, persons=persons)
    plain = axis.cumulative(hazards.serious)
    other = hazards.serious - hazards.opportunistic
    raised = axis.cumulative(other * plan.recurrence_ratio + hazards.opportunistic)
    person = np.arange(persons)
    position, raised_until = axis.begin.copy(), axis.begin.copy()
    found: list[tuple[Ints, Floats, Flags]] = []
    while person.size:
        threshold = rng.exponential(size=person.size)
        within = axis.at(raised, raised_until) - axis.at(raised, position)
        is_early = threshold < within
        target = np.where(
            is_early, axis.at(raised, position) + threshold, axis.at(plain, raised_until) + threshold - within
        )
        event = np.where(is_early, axis.reach(raised, target), axis.reach(plain, target))
        event = np.maximum(event, position)
        draw = rng.random(person.size)
        happens = event < axis.end[person]
        person, event, is_early, draw = person[happens], np.floor(event[happens]), is_early[happens], draw[happens]
        interval = np.searchsorted(axis.edge, event, side="right") - 1
        total = np.where(is_early, plan.recurrence_ratio * other[interval], other[interval])
        total += hazards.opportunistic[interval]
        found.append((person, event, draw * total < hazards.opportunistic[interval]))
        position = np.minimum(event + plan.separation_days, axis.end[person])
        raised_until = np.minimum(event + plan.recurrence_days + 1, axis.end[person])
    who = np.concatenate([part[0] for part in found])
    day = np.concatenate([part[1] - axis.begin[part[0]] for part in found]).astype(np.int64) + axis.entry[who]
    kind = np.concatenate([part[2] for part in found])
    order = np.lexsort((day, who))
    return Infections(person=who[order], day=day[order], is_opportunistic=kind[order])


def first_days(infections: Infections, *, persons: int, opportunistic_only: bool) -> Ints:
    """Day of each person's first infection, -1 without one."""
    keep = infections.is_opportunistic if opportunistic_only else np.ones(infections.person.size, dtype=np.bool_)
    who, where = np.unique(infections.person[keep], return_index=True)
    first = np.full(persons, -1, dtype=np.int64)
    first[who] = infections.day[keep][where]
    return first


def expected_first_events(
    risk: RiskTime, per_day: Floats, infections: Infections, *, plan: InfectionPlan, level: Ints, first: Ints
) -> list[Expectation]:
    """Expected first events by ladder level, over each person's days from entry to the first event or observed end.

    The day of the event counts. Days within the separation after another infection count as time, with hazard zero:
    on them no new infection can begin. level: ladder level of each interval; first: as `first_days` gives it.
    """
    persons = first.size
    axis = _Axis(risk, persons=persons)
    is_case = first >= 0
    stop = np.where(is_case, axis.begin + (first - axis.entry) + 1, axis.end)
    quiet_from = axis.begin[infections.person] + (infections.day - axis.entry[infections.person]) + 1
    quiet_until = np.minimum(quiet_from + plan.separation_days - 1, stop[infections.person])
    quiet_from = np.minimum(quiet_from, quiet_until)
    event_interval = np.searchsorted(axis.edge, stop[is_case] - 1, side="right") - 1
    found = []
    for number, name in enumerate(LEVELS):
        is_level = level == number
        days = axis.cumulative(is_level.astype(np.float64))
        hazard = axis.cumulative(np.where(is_level, per_day, 0.0))
        total = axis.at(hazard, stop) - axis.at(hazard, axis.begin)
        quiet = axis.at(hazard, quiet_until) - axis.at(hazard, quiet_from)
        found.append(
            Expectation(
                level=name,
                person_days=round(float(np.sum(axis.at(days, stop) - axis.at(days, axis.begin)))),
                expected_count=float(np.sum(total) - np.sum(quiet)),
                event_count=int(np.sum(level[event_interval] == number)),
            )
        )
    return found
