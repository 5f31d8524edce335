"""Exposure and person-time day by day: the slow, obvious reference.

Owns nothing that the product uses and imports nothing of it. Every function asks each day by itself what holds on it;
no interval is cut, merged or carried. A day is a whole number. What the words mean is in definitions.md; the numbers in
the docstrings are its paragraphs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from tests.reference.supply import Window, covered_days, runs, with_stays


@dataclass(frozen=True)
class Drug:
    """What a drug counts as: `role` is study or background."""

    role: str
    drug_class: str
    counts_toruner: bool
    counts_broad: bool
    is_biologic: bool = False


@dataclass(frozen=True)
class Policy:
    """Settings of one drug under one rule, in days.

    `cap`: most days of an early refill used later; 0 merges. `shortest`, `longest` use, `washout` before a new one.
    `dose_change`: what is left then is carried, discarded or converted. `bridges`: use at admission goes on in hospital.
    """

    gap: int
    tail: int
    cap: int = 0
    shortest: int = 1
    longest: int | None = None
    dose_change: str = "carry"
    bridges: bool = False
    washout: int = 0


@dataclass(frozen=True)
class History:
    """One person: records, observed periods as (first day, last day + 1), day of death, days of outcome records.

    `stays`: days in hospital, as (first day, last day + 1).
    """

    windows: tuple[Window, ...] = ()
    periods: tuple[tuple[int, int], ...] = ()
    death: int | None = None
    outcomes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    stays: tuple[tuple[int, int], ...] = ()

    @property
    def observed(self) -> set[int]:
        """Every observed day."""
        return {day for start, stop in self.periods for day in range(start, stop)}


@dataclass(frozen=True)
class Episode:
    """Continuous use of one drug; `days` are all its days, gaps between its records included."""

    drug: str
    number: int
    days: frozenset[int]
    record_count: int
    ending: str
    ending_day: int

    @property
    def start(self) -> int:
        """First day."""
        return min(self.days)

    @property
    def stop(self) -> int:
        """Day after the last covered day."""
        return max(self.days) + 1


@dataclass(frozen=True)
class State:
    """What a person takes on a day."""

    regimen: str
    risk_regimen: str
    toruner: int
    broad: int


@dataclass(frozen=True)
class Together:
    """Days on which all drugs of a regimen are used."""

    regimen: str
    number: int
    start: int
    stop: int
    first_drug: str
    is_switch_overlap: bool
    ending: str
    ending_day: int
    stopped: str | None


@dataclass(frozen=True)
class Entry:
    """Cohort entry: the first day, the regimen on it and whether no study drug was used before."""

    day: int
    regimen: str
    is_new_user: bool


def episodes(history: History, drug: str, policy: Policy) -> list[Episode]:
    """The episodes of one drug (12, 13): uncovered runs of at most `gap` days inside the use belong to it."""
    windows = [window for window in history.windows if window.drug == drug]
    covered = covered_days(windows, policy.cap, policy.dose_change)
    if policy.bridges:
        covered = with_stays(covered, history.stays)
    gap = policy.gap
    uses: list[set[int]] = []
    for day in sorted(covered):
        if uses and day - max(uses[-1]) - 1 <= gap:
            uses[-1].update(range(max(uses[-1]) + 1, day + 1))
        else:
            uses.append({day})
    found = []
    for number, run in enumerate((run for run in uses if len(run) >= policy.shortest), start=1):
        days = {day for day in run if policy.longest is None or day < min(run) + policy.longest}
        stop = max(days) + 1
        ending, ending_day = _ending(history, stop, gap)
        if len(days) < len(run) and not (history.death is not None and history.death < stop):
            ending, ending_day = "censored", stop
        count = sum(window.start in run for window in windows)
        found.append(Episode(drug, number, frozenset(days), count, ending, ending_day))
    return found


def _ending(history: History, stop: int, gap: int) -> tuple[str, int]:
    """How a use ended (13): known when its last covered day and every day to `stop + gap` is observed."""
    if history.death is not None and history.death <= stop + gap:
        return "death", min(stop, history.death + 1)
    observed = history.observed
    known = all(day in observed for day in range(stop - 1, stop + gap + 1))
    return ("stopped" if known else "censored"), stop


def states(history: History, drugs: Mapping[str, Drug], policies: Mapping[str, Policy]) -> dict[int, State]:
    """The state of each observed day (15)."""
    used = {name: episodes(history, name, policies[name]) for name in drugs}
    return {day: _state(day, used, drugs, policies) for day in sorted(history.observed)}


def _state(
    day: int, used: Mapping[str, list[Episode]], drugs: Mapping[str, Drug], policies: Mapping[str, Policy]
) -> State:
    covered, at_risk = taken(day, used, policies)
    return State(
        regimen=_joined(name for name in covered if drugs[name].role == "study") or "none",
        risk_regimen=_joined(name for name in at_risk if drugs[name].role == "study") or "none",
        toruner=len({drugs[name].drug_class for name in at_risk if drugs[name].counts_toruner}),
        broad=len({drugs[name].drug_class for name in at_risk if drugs[name].counts_broad}),
    )


def taken(day: int, used: Mapping[str, list[Episode]], policies: Mapping[str, Policy]) -> tuple[set[str], set[str]]:
    """Drugs covered on a day, and drugs covered or in their risk tail (15)."""
    covered = {name for name in used if any(day in episode.days for episode in used[name])}
    at_risk = set(covered)
    for name in used:
        tail = max(policies[name].gap, policies[name].tail)
        if any(episode.stop <= day < episode.stop + tail for episode in used[name]):
            at_risk.add(name)
    return covered, at_risk


def _joined(names: Iterable[str]) -> str:
    return "+".join(sorted(names))


def combination_episodes(
    history: History, drugs: Mapping[str, Drug], policies: Mapping[str, Policy], *, min_overlap: int
) -> list[Together]:
    """Time that two or three study drugs are used together (16), as runs of days without a break."""
    study = sorted(name for name, drug in drugs.items() if drug.role == "study")
    used = {name: episodes(history, name, policies[name]) for name in study}
    found = []
    for size in (2, 3):
        for names in combinations(study, size):
            shared = set.intersection(*({day for episode in used[name] for day in episode.days} for name in names))
            for number, days in enumerate(runs(shared), start=1):
                holding = [episode for name in names for episode in used[name] if days <= episode.days]
                found.append(_together(number, days, holding, min_overlap))
    return found


def _together(number: int, days: set[int], holding: Sequence[Episode], min_overlap: int) -> Together:
    first_start = min(episode.start for episode in holding)
    first = [episode.drug for episode in holding if episode.start == first_start]
    ending_day = min(episode.ending_day for episode in holding)
    at_end = [episode for episode in holding if episode.ending_day == ending_day]
    endings = {episode.ending for episode in at_end}
    ending = next(name for name in ("death", "stopped", "censored") if name in endings)
    stopped = _joined(episode.drug for episode in at_end if episode.ending == "stopped")
    return Together(
        regimen=_joined(episode.drug for episode in holding),
        number=number,
        start=min(days),
        stop=max(days) + 1,
        first_drug=first[0] if len(first) == 1 else "together",
        is_switch_overlap=len(days) < min_overlap,
        ending=ending,
        ending_day=ending_day,
        stopped=stopped if ending == "stopped" else None,
    )


def entry(
    history: History, drugs: Mapping[str, Drug], policies: Mapping[str, Policy], *, look_back: int
) -> Entry | None:
    """The first observed day with a study drug and every day of the look-back observed (8, 23)."""
    study = [name for name, drug in drugs.items() if drug.role == "study"]
    used = {day for name in study for episode in episodes(history, name, policies[name]) for day in episode.days}
    observed = history.observed
    for day, state in states(history, drugs, policies).items():
        if state.regimen != "none" and all(before in observed for before in range(day - look_back, day)):
            return Entry(day, state.regimen, is_new_user=min(used) >= day)
    return None


def outcome_events(days: Iterable[int], *, episode_gap: int) -> list[tuple[int, int]]:
    """First and last day of each event: a record at most `episode_gap` days after the one before it is the same."""
    events: list[tuple[int, int]] = []
    for day in sorted(days):
        if events and day - events[-1][1] <= episode_gap:
            events[-1] = (events[-1][0], day)
        else:
            events.append((day, day))
    return events


def person_time(
    history: History,
    day_states: Mapping[int, State],
    entered: Entry,
    outcome: str,
    *,
    lag: int,
    episode_gap: int,
    first_period_only: bool,
) -> Counter[tuple[State, str]]:
    """Days and events by lagged state (20, 21): every observed day from entry to the first outcome, both included.

    The keys are (state, "days") and (state, "events"). Nobody with the outcome within its episode gap before entry.
    """
    events = outcome_events(history.outcomes.get(outcome, ()), episode_gap=episode_gap)
    if any(first < entered.day and entered.day - last <= episode_gap for first, last in events):
        return Counter()
    first_event = min((first for first, _ in events if first >= entered.day), default=None)
    found: Counter[tuple[State, str]] = Counter()
    for start, stop in history.periods:
        if first_period_only and not start <= entered.day < stop:
            continue
        for day in range(start, stop):
            if day < entered.day or (first_event is not None and day > first_event):
                continue
            state = day_states[max(day - lag, start)]
            found[state, "days"] += 1
            if day == first_event:
                found[state, "events"] += 1
    return found
