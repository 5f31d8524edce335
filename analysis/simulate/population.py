"""Who is simulated: sex, birth, entry, severity, indications and the drugs meant for them.

Owns what is fixed on the day of the first study drug. What happens afterwards is in `timeline.py`. Days are counted
from 1970-01-01.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.simulate.design import DAYS_PER_YEAR, Profile, Purpose
from analysis.simulate.reference import DrugBook, Flags, Floats, Ints

_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """One value a person. Days: `birth`, `observed_from` and `entry` (first day with a study drug).

    `age`: completed years on entry. `severity`: Z, standard normal. `first_indication`, `second_indication`: positions
    in the profile; `has_two`: both are diagnosed before entry. `first_drug`, `second_drug`: positions in the drug
    book; the second is taken only if a pair begins.
    """

    is_female: Flags
    birth: Ints
    age: Ints
    severity: Floats
    observed_from: Ints
    entry: Ints
    first_indication: Ints
    second_indication: Ints
    has_two: Flags
    first_drug: Ints
    second_drug: Ints


def day_number(date: dt.date) -> int:
    """Days from 1970-01-01 to a date."""
    return (date - _EPOCH).days


def draw_population(profile: Profile, book: DrugBook, *, persons: int, rng: np.random.Generator) -> Population:
    """The persons of a profile on the day of their first study drug.

    Misleads if read as epidemiology: age, sex and drugs are independent of each other and of severity.
    """
    entry = rng.integers(day_number(profile.first_entry), day_number(profile.last_entry) + 1, size=persons)
    history = rng.integers(profile.history_days[0], profile.history_days[1] + 1, size=persons)
    low, high = profile.age_range
    centre = (profile.age_mean - low) / (high - low)
    years = low + (high - low) * rng.beta(
        centre * profile.age_concentration, (1 - centre) * profile.age_concentration, size=persons
    )
    birth = entry - np.floor(years * DAYS_PER_YEAR).astype(np.int64)
    first, second, cycle = _indications(profile, persons=persons, rng=rng)
    first_drug = drug_for(profile, book, indication=first, on_day=entry, rng=rng)
    # The second drug starts later than entry, so what is on the market on entry is on the market then.
    second_drug = drug_for(profile, book, indication=second, on_day=entry, rng=rng)
    if profile.fixed_pairs:
        pairs = [pair for pair in profile.fixed_pairs for _ in range(pair.count)]
        first_drug = np.array([book.position(pair.first) for pair in pairs])[cycle % len(pairs)]
        second_drug = np.array([book.position(pair.second) for pair in pairs])[cycle % len(pairs)]
    return Population(
        is_female=rng.random(persons) < profile.female_share,
        birth=birth,
        age=completed_years(birth, entry),
        severity=rng.standard_normal(persons),
        observed_from=entry - history,
        entry=entry,
        first_indication=first,
        second_indication=second,
        has_two=rng.random(persons) < profile.two_indications_share,
        first_drug=first_drug,
        second_drug=second_drug,
    )


def completed_years(birth: Ints, day: Ints) -> Ints:
    """Completed years of age on a day, by calendar; a birthday of 29 February falls on 1 March."""
    born, now = birth.astype("datetime64[D]"), day.astype("datetime64[D]")
    years = now.astype("datetime64[Y]").astype(np.int64) - born.astype("datetime64[Y]").astype(np.int64)
    is_before_birthday = _month_day(now) < _month_day(born)
    return years - is_before_birthday.astype(np.int64)


def drug_for(profile: Profile, book: DrugBook, *, indication: Ints, on_day: Ints, rng: np.random.Generator) -> Ints:
    """A drug for each person's indication, by the indication's shares, among the drugs on the market that day."""
    draw = rng.random(indication.size)
    drug = np.zeros(indication.size, dtype=np.int64)
    fallback = np.zeros(indication.size, dtype=np.int64)
    for number, reason in enumerate(profile.indications):
        positions = np.array([book.position(name) for name, _ in reason.drugs])
        here = indication == number
        drug[here] = positions[pick(draw[here], [share for _, share in reason.drugs])]
        fallback[here] = positions[0]
    for name, since in profile.on_market:
        if name in book.ids:
            drug = np.where((drug == book.position(name)) & (on_day < day_number(since)), fallback, drug)
    return drug


def pick(draw: Floats, shares: list[float]) -> Ints:
    """Position of the share that each uniform draw falls into; shares are taken relative to their sum."""
    edges = np.cumsum(shares) / np.sum(shares)
    return np.searchsorted(edges[:-1], draw, side="right").astype(np.int64)


def _indications(profile: Profile, *, persons: int, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """First and second indication (of the other purpose), and a random numbering of the persons from 0."""
    first = pick(rng.random(persons), [reason.share for reason in profile.indications])
    purpose = np.array([reason.purpose for reason in profile.indications])
    draw = rng.random(persons)
    second = np.zeros(persons, dtype=np.int64)
    for own in ("type2", "immune"):
        other: Purpose = "immune" if own == "type2" else "type2"
        choices = np.flatnonzero(purpose == other)
        shares = [profile.indications[int(choice)].share for choice in choices]
        here = purpose[first] == own
        # A single choice may have share 0 on its own: it is only ever a second indication.
        second[here] = choices[pick(draw[here], shares)] if choices.size > 1 else choices[0]
    return first, second, rng.permutation(persons).astype(np.int64)


def _month_day(days: NDArray[np.datetime64]) -> Ints:
    months = days.astype("datetime64[M]")
    month: Ints = months.astype(np.int64) % 12
    day: Ints = (days - months.astype("datetime64[D]")).astype(np.int64)
    return month * 32 + day
