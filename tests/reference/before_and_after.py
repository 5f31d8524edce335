"""What was before a use and what comes after its stop, day by day: the slow, obvious reference.

Owns new uses, kinds of ending and what follows a stop; the uses themselves are in `day_by_day.py`. Imports nothing of the
product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.reference.day_by_day import Drug, Episode, History, Policy, Together, combination_episodes, episodes


@dataclass(frozen=True)
class Definitions:
    """How long what follows a stop is looked for, and what it is called, in days."""

    after_stop: int
    restart_after: int
    switch_within: int


@dataclass(frozen=True)
class Stop:
    """The stop of a drug or of a combination, and what followed."""

    regimen: str
    number: int
    ending_day: int
    stopped: str
    remaining: str
    next_event: str
    next_drug: str | None
    days: int


def new_uses(history: History, drug: str, policy: Policy) -> list[tuple[int, bool]]:
    """Number of each use and whether it is new: its first day and every day of the washout observed, none of these used."""
    found = []
    earlier: list[Episode] = []
    for episode in episodes(history, drug, policy):
        washout = range(episode.start - policy.washout, episode.start)
        is_observed = episode.start in history.observed and all(day in history.observed for day in washout)
        is_free = not any(day in use.days for use in earlier for day in washout)
        is_after_cut = bool(earlier) and earlier[-1].ending == "censored" and len(earlier[-1].days) == policy.longest
        found.append((episode.number, is_observed and is_free and not is_after_cut))
        earlier.append(episode)
    return found


def ending_kind(together: Together, used: Mapping[str, list[Episode]]) -> str:
    """How a combination ended: all of it, or one drug while the others go on over that day, or nobody knows."""
    if together.ending != "stopped":
        return together.ending
    drugs = set(together.regimen.split("+"))
    others = drugs - set((together.stopped or "").split("+"))
    if not others:
        return "all_stopped"
    day = together.ending_day
    going_on = {name for name in others if any({day - 1, day} <= use.days for use in used[name])}
    return "de_escalation" if going_on == others else "partly_known"


def stopped_component(together: Together) -> str | None:
    """Which component stopped, by its place in the order of start."""
    if together.stopped is None:
        return None
    drugs, stopped = together.regimen.split("+"), together.stopped.split("+")
    if len(stopped) == len(drugs):
        return "both" if len(drugs) == 2 else "all"
    if together.first_drug == "together":
        return "started_together"
    if together.first_drug in stopped:
        return "first_started" if len(stopped) == 1 else "first_and_later"
    return "second_started" if len(drugs) == 2 else "later_started"


def after_stops(
    history: History, drugs: Mapping[str, Drug], policies: Mapping[str, Policy], said: Definitions
) -> list[Stop]:
    """What follows each known stop of a study drug and of a combination, asked day by day."""
    used = {name: episodes(history, name, policies[name]) for name, drug in drugs.items() if drug.role == "study"}
    stops = [
        (name, use.number, use.ending_day, name) for name in used for use in used[name] if use.ending == "stopped"
    ] + [
        (together.regimen, together.number, together.ending_day, together.stopped)
        for together in combination_episodes(history, drugs, policies, min_overlap=0)
        if together.stopped is not None
    ]
    found = []
    for regimen, number, ending_day, stopped in stops:
        remaining = {name for name in used if any({ending_day - 1, ending_day} <= use.days for use in used[name])}
        event, drug, days = _next(history, used, regimen, ending_day, stopped, said)
        found.append(
            Stop(regimen, number, ending_day, stopped, "+".join(sorted(remaining)) or "none", event, drug, days)
        )
    return found


def _next(
    history: History,
    used: Mapping[str, list[Episode]],
    regimen: str,
    ending_day: int,
    stopped: str,
    said: Definitions,
) -> tuple[str, str | None, int]:
    for days in range(said.after_stop):
        day = ending_day + days
        if day not in history.observed:
            return "censored", None, days
        begun = sorted(name for name in used if any(use.start == day for use in used[name]))
        again = [name for name in begun if name in stopped.split("+")]
        if again:
            return ("restart" if days >= said.restart_after else "resumption"), again[0], days
        others = [name for name in begun if name not in regimen.split("+")]
        if others:
            return ("switch" if days < said.switch_within else "other_start"), others[0], days
        if day == history.death:
            return "death", None, days
    return "none", None, said.after_stop
