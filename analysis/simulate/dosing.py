"""Where doses fall within a planned course: the course's length exactly, its doses about one window apart.

Owns `Courses`, the placing of doses and the background drugs' courses. Does not know which course belongs to a pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.simulate.design import DosingPlan, Profile
from analysis.simulate.induction import begins_induction, ends_early, last_cover
from analysis.simulate.population import Population
from analysis.simulate.reference import DISPENSED_DAYS, DrugBook, Flags, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Courses:
    """Planned continuous use, one value a course: [`start`, `stop`) in days; at least one window long."""

    person: Ints
    drug: Ints
    start: Ints
    stop: Ints

    @staticmethod
    def none() -> Courses:
        """No course at all."""
        empty = np.empty(0, dtype=np.int64)
        return Courses(person=empty, drug=empty, start=empty, stop=empty)

    def only(self, keep: Flags) -> Courses:
        """The courses where `keep` is true."""
        return Courses(person=self.person[keep], drug=self.drug[keep], start=self.start[keep], stop=self.stop[keep])


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Prescriptions as numbers, ordered by person, day and drug. `product`: position of the name in the drug book."""

    person: Ints
    drug: Ints
    day: Ints
    product: Ints


def joined(parts: tuple[Courses, ...]) -> Courses:
    """All courses of several lists."""
    return Courses(
        person=np.concatenate([part.person for part in parts]),
        drug=np.concatenate([part.drug for part in parts]),
        start=np.concatenate([part.start for part in parts]),
        stop=np.concatenate([part.stop for part in parts]),
    )


def draw_background(
    profile: Profile, people: Population, book: DrugBook, *, observed_stop: Ints, rng: np.random.Generator
) -> Courses:
    """Courses of background drugs over the observed time, independent of study drugs and age.

    A course is a geometric number of 30-day dispensings; between courses lies more than the gap that would join them. Those who
    take a drug begin courses at a hazard times exp(effect x Z), where the profile plants that severity confounds.
    """
    hurry = np.exp(profile.background_log_effect_of_severity * people.severity)
    parts = [Courses.none()]
    for background in sorted(profile.backgrounds, key=lambda background: background.drug_id):
        drug = book.position(background.drug_id)
        share = np.zeros(len(profile.indications))
        names = [indication.name for indication in profile.indications]
        for name, value in background.shares:
            share[names.index(name)] = value
        own = np.where(people.has_two, share[people.second_indication], 0.0)
        chance = np.maximum(share[people.first_indication], own)
        person = np.flatnonzero(rng.random(chance.size) < chance)
        start = people.observed_from[person] + _off_days(background.mean_off_days / hurry[person], rng=rng)
        while person.size:
            is_observed = start < observed_stop[person]
            person, start = person[is_observed], start[is_observed]
            count = rng.geometric(1 / background.mean_dispensings, size=person.size)
            stop = start + DISPENSED_DAYS * count
            parts.append(Courses(person=person, drug=np.full(person.size, drug), start=start, stop=stop))
            off = _off_days(background.mean_off_days / hurry[person], rng=rng)
            start = stop + int(book.gap[drug]) + 1 + off
    return joined(tuple(parts))


def place_doses(
    courses: Courses, book: DrugBook, *, plan: DosingPlan, observed_stop: Ints, rng: np.random.Generator
) -> Records:
    """Dose days of every course, up to the last observed day of the person.

    The first dose is on the start; the last window ends on the stop exactly; the others follow the plan, induction
    first where the course is new, stretched evenly to the length of the course, with normal jitter, clipped so that no
    space between two windows exceeds the drug's gap. A missed dose is left out where its neighbours' windows still
    join, else it is given as late as the gap allows. Records only reach the observed end.
    """
    seen = courses.start < observed_stop[courses.person]
    courses = courses.only(seen)
    product = _product(courses, book, plan=plan, rng=rng)
    series = _series(courses, book)
    # A dose after the observed end cannot come back before it: place only as many as could be seen.
    seen_span = observed_stop[courses.person] - courses.start
    step = np.maximum(series.factor * book.window[courses.drug], 1)
    needed = np.minimum(
        series.steps, np.ceil((seen_span + 2 * plan.jitter_limit_days) / step).astype(np.int64) + 2 + series.ahead
    )
    course = np.repeat(np.arange(needed.size), needed + 1)
    first = np.cumsum(needed + 1) - (needed + 1)
    number = np.arange(course.size) - first[course]
    is_inner = (number > 0) & (number < needed[course])
    drug, factor, ahead = courses.drug[course], series.factor[course], series.ahead[course]
    cover, planned = _planned(number, drug=drug, ahead=ahead, book=book)
    room = _room(factor * cover, cover=cover, gap=book.gap[drug], plan=plan)
    limit = np.minimum(room, np.concatenate([[0.0], room[:-1]]))
    noise = np.clip(plan.jitter_days * rng.standard_normal(course.size), -limit, limit)
    day = courses.start[course] + np.rint(factor * planned + np.where(is_inner, noise, 0.0)).astype(np.int64)
    # A dose left out of an induction would move the place of every later one.
    missed = is_inner & (rng.random(course.size) < plan.missed_share) & (number >= ahead)
    missed[1:] &= ~missed[:-1]
    day, keep = _without_missed(day, missed=missed, reach=cover + book.gap[drug])
    keep &= day < observed_stop[courses.person[course]]
    course, day = course[keep], day[keep]
    return _ordered(courses.person[course], day=day, drug=courses.drug[course], product=product[course])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """How each course is filled: `steps` from its first dose to its last, planned days times `factor`.

    `ahead`: doses of an induction before the first that covers the interval.
    """

    ahead: Ints
    steps: Ints
    factor: Floats


def _series(courses: Courses, book: DrugBook) -> _Series:
    """The number of doses whose planned days come nearest to the course, none further apart than the gap allows."""
    drug, length = courses.drug, courses.stop - courses.start
    window, gap = book.window[drug], book.gap[drug]
    begins = begins_induction(courses.person, drug=drug, start=courses.start, stop=courses.stop, book=book)
    is_short = ends_early(length, drug=drug, begins=begins, book=book)
    ahead = np.where(begins, book.induction_doses[drug], 0)
    span = length - last_cover(length, drug=drug, begins=begins, book=book)
    settled = book.planned[drug, ahead]
    fewest = -(-(span * window - settled * (window + gap)) // (window * (window + gap)))
    more = np.maximum(np.rint((span - settled) / window), np.maximum(fewest, (span > 0) & ~begins)).astype(np.int64)
    steps = np.where(is_short, ahead - 1, ahead + np.maximum(more, 0))
    _, planned = _planned(steps, drug=drug, ahead=ahead, book=book)
    return _Series(ahead=ahead, steps=steps, factor=span / np.maximum(planned, 1))


def _planned(number: Ints, *, drug: Ints, ahead: Ints, book: DrugBook) -> tuple[Ints, Ints]:
    """Days that a dose covers and its planned day, counted from the first; `number` from 0."""
    place = np.minimum(number, ahead)
    cover = np.where(number < ahead, book.cover[drug, place], book.window[drug])
    return cover, book.planned[drug, place] + (number - place) * book.window[drug]


def _room(step: Floats, *, cover: Ints, gap: Ints, plan: DosingPlan) -> Floats:
    """Days that a dose and the next may move towards or from each other, either of them."""
    return np.clip(np.minimum(cover + gap - step - 1, step - 2) / 2, 0.0, plan.jitter_limit_days)


def _without_missed(day: Ints, *, missed: Flags, reach: Ints) -> tuple[Ints, Flags]:
    """Dose days after misses, and which doses are given. `reach`: days to the latest dose that joins, of each dose."""
    day, place = day.copy(), np.flatnonzero(missed)
    before, after = day[place - 1], day[place + 1]
    latest = before + reach[place - 1]
    is_left_out = after <= latest
    day[place] = np.where(is_left_out, day[place], np.minimum(latest, after - 1))
    keep = np.ones(day.size, dtype=np.bool_)
    keep[place] = ~is_left_out
    return day, keep


def _product(courses: Courses, book: DrugBook, *, plan: DosingPlan, rng: np.random.Generator) -> Ints:
    """Position of the name each course goes by: generic, originator, or one of the biosimilars."""
    names = np.array([len(product) for product in book.products])[courses.drug]
    draw, which = rng.random(names.size), rng.random(names.size)
    is_biosimilar = (draw < plan.biosimilar_share) & (names > 2)
    is_originator = (draw < plan.biosimilar_share + plan.originator_share) & (names > 1)
    biosimilar = 2 + np.floor(which * np.maximum(names - 2, 1)).astype(np.int64)
    return np.where(is_biosimilar, biosimilar, np.where(is_originator, 1, 0))


def _off_days(mean: Floats, *, rng: np.random.Generator) -> Ints:
    return np.floor(mean * rng.exponential(size=mean.size)).astype(np.int64)


def _ordered(person: Ints, *, day: Ints, drug: Ints, product: Ints) -> Records:
    # One integer sorts four columns: an order of 15 million records in a second, and no ties to break.
    key = np.sort((person << 32) | (day << 12) | (drug << 5) | product)
    return Records(person=key >> 32, day=(key >> 12) & 0xFFFFF, drug=(key >> 5) & 0x7F, product=key & 0x1F)
