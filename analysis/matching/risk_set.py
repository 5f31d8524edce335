"""Incidence-density (risk-set) sampling: controls drawn at each case's event date from those still at risk on it.

Owns who is eligible and the draw. A control of the case with event on day t is another person who is at risk on t and has no
event on t, of the same group (sex, indication), whose birth dates lie within the age caliper and cohort entries within
the entry caliper. It may become a case later and may serve for several cases, but once within a set. The odds ratio of such
sets estimates the rate ratio without a rare-disease assumption.

Persons lie sorted by group, birth in bins and entry, so that the candidates of a case are a few ranges. Controls are drawn from
them by a number that depends on seed, case and draw alone, and a draw that is not eligible is drawn again: uniform, and the same
for every order of rows and any number of threads. Cases that are not full after MAXIMUM_DRAWS are finished exactly, from every
candidate, at first within the age caliper, then within the wider one; none goes without a control that exists.
Source: Prentice and Breslow 1978, Biometrika 65:153; Lubin and Gail 1984, Biometrics 40:63.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

MAXIMUM_DRAWS = 64
DRAWS_BEFORE_LOOKING = 8  # draws until the full cases are put aside
CANDIDATES_AT_ONCE = 4_000_000
_DAY_BITS = 20
_FIRST_DAY = -200_000  # 1422, before any date that is accepted

SET_SCHEMA: dict[str, type[pl.DataType]] = {
    "set_number": pl.Int64, "person_id": pl.Int64, "is_case": pl.Boolean, "index_date": pl.Date,
    "control_number": pl.Int64, "age_caliper_years": pl.Int64,
}  # fmt: skip


class MatchingError(ValueError):
    """The frames cannot be matched: a case without a person, or not at risk on its event date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingRule:
    """How controls are drawn. Calipers include their ends; an age caliper of y years is the whole days of 365.25 y."""

    controls_per_case: int = 4
    age_caliper_years: int = 2
    wider_age_caliper_years: int = 5
    entry_caliper_days: int = 90
    seed: int = 1

    def __post_init__(self) -> None:
        if self.controls_per_case < 1 or self.entry_caliper_days < 0 or self.seed < 0:
            raise MatchingError("at least one control a case, a caliper of at least 0 days and a seed of at least 0")
        if not 1 <= self.age_caliper_years <= self.wider_age_caliper_years:
            raise MatchingError("the age caliper is at least a year and at most the wider one")


@dataclass(frozen=True, slots=True, kw_only=True)
class _People:
    """Arrays by person, in the order of person_id, and the order in which candidates lie."""

    person_id: Integers
    birth: Integers
    entry: Integers
    group: Integers
    event: Integers
    spell_key: Integers
    spell_stop: Integers
    bin_days: int
    first_bin: int
    bin_count: int
    order: Integers
    sorted_key: Integers

    def key(self, group: Integers, birth_bin: Integers, entry: Integers) -> Integers:
        """Where a person of this group, bin and entry lies."""
        return ((group * self.bin_count + birth_bin) << _DAY_BITS) + np.clip(
            entry - _FIRST_DAY, 0, (1 << _DAY_BITS) - 1
        )

    def at_risk(self, person: Integers, day: Integers) -> Booleans:
        """Whether each person is at risk on the day and has no event on it."""
        return np.asarray(self.is_followed(person, day) & (self.event[person] != day))

    def is_followed(self, person: Integers, day: Integers) -> Booleans:
        """Whether a spell of each person holds the day."""
        if not self.spell_key.size:
            return np.zeros(person.size, dtype=bool)
        wanted = _spell_key(person, day)
        spell = np.maximum(np.searchsorted(self.spell_key, wanted, side="right") - 1, 0)
        held = self.spell_key[spell]
        return np.asarray((held <= wanted) & (held >> _DAY_BITS == person) & (day < self.spell_stop[spell]))


def sample_risk_sets(
    persons: pl.DataFrame, spells: pl.DataFrame, cases: pl.DataFrame, rule: MatchingRule
) -> pl.DataFrame:
    """Sets of a case and its controls.

    persons: `person_id`, `group` (text: what must be equal), `birth_date`, `entry_date`. spells: `person_id`, `start_date`,
    `stop_date` (days at risk, half-open and disjoint, from entry to the first event or the end of follow-up). cases:
    `person_id`, `event_date` (the first event of a person). Returns `set_number` (from 1, by event date and person),
    `person_id`, `is_case`, `index_date`, `control_number` (0 for the case) and `age_caliper_years` (the wider one where the
    set needed it). A case without any eligible control is a set of its own. Raises MatchingError.

    Misleads when what is matched on is an effect of exposure, and when exposure is read on other days than those at risk.
    """
    people = _people(persons, spells, cases, rule)
    ordered = cases.sort("event_date", "person_id")
    case = _positions(people.person_id, ordered["person_id"].to_numpy())
    day = _days(ordered["event_date"])
    if not np.all(people.is_followed(case, day)):
        raise MatchingError("a case is not at risk on its event date")
    chosen = _drawn(people, case, day, rule)
    short = np.flatnonzero((chosen < 0).any(axis=1))
    widened = np.zeros(case.size, dtype=bool)
    chosen[short], widened[short] = _finished(people, case[short], day[short], rule)
    return _frame(people, case, ordered["event_date"], chosen, widened, rule)


def _people(persons: pl.DataFrame, spells: pl.DataFrame, cases: pl.DataFrame, rule: MatchingRule) -> _People:
    frame = persons.sort("person_id")
    person_id = frame["person_id"].to_numpy().astype(np.int64)
    if person_id.size == 0 or np.any(person_id[1:] == person_id[:-1]):
        raise MatchingError("each person is needed once, and at least one")
    birth, entry = _days(frame["birth_date"]), _days(frame["entry_date"])
    group = frame["group"].rank("dense").to_numpy().astype(np.int64) - 1
    event = np.full(person_id.size, np.iinfo(np.int64).max)
    event[_positions(person_id, cases["person_id"].to_numpy())] = _days(cases["event_date"])
    held = spells.filter(pl.col("start_date") < pl.col("stop_date")).sort("person_id", "start_date")
    bin_days = _caliper_days(rule.age_caliper_years)
    birth_bin = birth // bin_days
    people = _People(
        person_id=person_id, birth=birth, entry=entry, group=group, event=event,
        spell_key=_spell_key(_positions(person_id, held["person_id"].to_numpy()), _days(held["start_date"])),
        spell_stop=_days(held["stop_date"]), bin_days=bin_days, first_bin=int(birth_bin.min()),
        bin_count=int(np.ptp(birth_bin)) + 1, order=np.empty(0, np.int64), sorted_key=np.empty(0, np.int64),
    )  # fmt: skip
    key = people.key(group, birth_bin - people.first_bin, entry)
    order = np.argsort(key, kind="stable")
    return _People(
        **{name: getattr(people, name) for name in people.__slots__ if name not in ("order", "sorted_key")},
        order=order,
        sorted_key=key[order],
    )


def _days(dates: pl.Series) -> Integers:
    return dates.cast(pl.Date).to_physical().to_numpy().astype(np.int64)


def _spell_key(person: Integers, day: Integers) -> Integers:
    return (person << _DAY_BITS) + (day - _FIRST_DAY)


def _caliper_days(years: int) -> int:
    return int(years * 365.25)


def _positions(person_id: Integers, wanted: NDArray[np.int64]) -> Integers:
    found = np.minimum(np.searchsorted(person_id, wanted), person_id.size - 1)
    if np.any(person_id[found] != wanted):
        raise MatchingError("a case or a spell at risk names a person who is not among the persons")
    return found.astype(np.int64)


def _ranges(people: _People, case: Integers, *, caliper_days: int, entry_days: int) -> tuple[Integers, Integers]:
    """First place and number of candidates, cases x birth bins."""
    lowest = (people.birth[case] - caliper_days) // people.bin_days - people.first_bin
    steps = np.arange(2 * caliper_days // people.bin_days + 2)
    birth_bin = lowest[:, None] + steps[None, :]
    is_bin = (
        (birth_bin >= 0)
        & (birth_bin < people.bin_count)
        & (birth_bin <= ((people.birth[case] + caliper_days) // people.bin_days - people.first_bin)[:, None])
    )
    group, entry = people.group[case][:, None], people.entry[case][:, None]
    bounded = np.clip(birth_bin, 0, people.bin_count - 1)
    first = np.searchsorted(people.sorted_key, people.key(group, bounded, entry - entry_days), side="left")
    after = np.searchsorted(people.sorted_key, people.key(group, bounded, entry + entry_days), side="right")
    return first.astype(np.int64), np.where(is_bin, after - first, 0).astype(np.int64)


def _drawn(people: _People, case: Integers, day: Integers, rule: MatchingRule) -> Integers:
    """Controls drawn until each case is full or MAXIMUM_DRAWS are spent: cases x controls, -1 where there is none."""
    chosen = np.full((case.size, rule.controls_per_case), -1, dtype=np.int64)
    caliper_days = _caliper_days(rule.age_caliper_years)
    first, count = _ranges(people, case, caliper_days=caliper_days, entry_days=rule.entry_caliper_days)
    passed = np.cumsum(count, axis=1)
    active = np.flatnonzero(passed[:, -1] > rule.controls_per_case)
    filled = np.zeros(case.size, dtype=np.int64)
    for draw in range(MAXIMUM_DRAWS):
        if draw % DRAWS_BEFORE_LOOKING == 0:
            active = active[filled[active] < rule.controls_per_case]
        if not active.size:
            break
        at = _uniform_integers(rule.seed, people.person_id[case[active]], draw, passed[active, -1])
        column = (at[:, None] >= passed[active]).sum(axis=1)
        place = first[active, column] + at - (passed[active, column] - count[active, column])
        candidate = people.order[place]
        fits = (
            (candidate != case[active])
            & (np.abs(people.birth[candidate] - people.birth[case[active]]) <= caliper_days)
            & (filled[active] < rule.controls_per_case)
            & ~(chosen[active] == candidate[:, None]).any(axis=1)
        )
        fits[fits] = people.at_risk(candidate[fits], day[active][fits])
        hit = active[fits]
        chosen[hit, filled[hit]] = candidate[fits]
        filled[hit] += 1
    return chosen


def _finished(people: _People, case: Integers, day: Integers, rule: MatchingRule) -> tuple[Integers, Booleans]:
    """Controls from every candidate, the nearer in age first, each kind in an order drawn by seed, case and person."""
    chosen = np.full((case.size, rule.controls_per_case), -1, dtype=np.int64)
    widened = np.zeros(case.size, dtype=bool)
    wide, near = _caliper_days(rule.wider_age_caliper_years), _caliper_days(rule.age_caliper_years)
    first, count = _ranges(people, case, caliper_days=wide, entry_days=rule.entry_caliper_days)
    for part in _parts(count.sum(axis=1)):
        size = count[part]
        owner = np.repeat(np.arange(part.start, part.stop), size.sum(axis=1))
        flat = size.ravel()
        offset = np.arange(flat.sum()) - np.repeat(np.cumsum(flat) - flat, flat)
        candidate = people.order[np.repeat(first[part].ravel(), flat) + offset]
        years_apart = np.abs(people.birth[candidate] - people.birth[case[owner]])
        fits = (candidate != case[owner]) & (years_apart <= wide)
        fits[fits] = people.at_risk(candidate[fits], day[owner[fits]])
        owner, candidate, is_far = owner[fits], candidate[fits], years_apart[fits] > near
        shuffled = _mixed(
            _mixed(_stream(rule.seed, people.person_id[case[owner]])) ^ _unsigned(people.person_id[candidate])
        )
        by = np.lexsort((people.person_id[candidate], shuffled, is_far, owner))
        owner, candidate, is_far = owner[by], candidate[by], is_far[by]
        number = np.arange(owner.size) - np.searchsorted(owner, owner, side="left")
        taken = number < rule.controls_per_case
        chosen[owner[taken], number[taken]] = candidate[taken]
        widened[owner[taken & is_far]] = True
    return chosen, widened


def _parts(sizes: Integers) -> Iterator[slice]:
    """Consecutive cases whose candidates fit in memory together, at least one case at a time."""
    start, held = 0, 0
    for position, size in enumerate(sizes.tolist()):
        if held + size > CANDIDATES_AT_ONCE and position > start:
            yield slice(start, position)
            start, held = position, 0
        held += size
    if start < sizes.size:
        yield slice(start, sizes.size)


def _frame(
    people: _People, case: Integers, index_date: pl.Series, chosen: Integers, widened: Booleans, rule: MatchingRule
) -> pl.DataFrame:
    member = np.concatenate([case[:, None], chosen], axis=1)
    number = np.broadcast_to(np.arange(member.shape[1]), member.shape)
    owner = np.broadcast_to(np.arange(case.size)[:, None], member.shape)
    held = member >= 0
    years = np.where(widened, rule.wider_age_caliper_years, rule.age_caliper_years)
    return pl.DataFrame(
        {
            "set_number": owner[held] + 1,
            "person_id": people.person_id[member[held]],
            "is_case": number[held] == 0,
            "index_date": index_date.gather(owner[held]),
            "control_number": number[held],
            "age_caliper_years": years[owner[held]],
        },
        schema=SET_SCHEMA,
    )


def _unsigned(numbers: Integers) -> NDArray[np.uint64]:
    return numbers.astype(np.int64).view(np.uint64)


def _stream(seed: int, person_id: Integers) -> NDArray[np.uint64]:
    return _unsigned(person_id) ^ _mixed(np.full(1, seed, dtype=np.uint64))


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A fixed shuffle of all 64-bit numbers (SplitMix64; Steele, Lea and Flood 2014), the same in every version."""
    with np.errstate(over="ignore"):
        mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def _uniform_integers(seed: int, person_id: Integers, draw: int, below: Integers) -> Integers:
    """Whole numbers from 0 to below - 1; the bias of at most below / 2^53 is of no account."""
    bits = _mixed(_mixed(_stream(seed, person_id)) + np.uint64(draw))
    return np.minimum(((bits >> np.uint64(11)).astype(np.float64) * 2.0**-53 * below).astype(np.int64), below - 1)
