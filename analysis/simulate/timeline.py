"""What is meant to happen to each person: the first pair, its ending, the study drugs around it, the observed end.

Owns the planted pair hazards. Only the first pair of a person carries them; what comes before and after is plausible
and simple: constant hazards of stopping a single drug, sometimes a restart or a switch. Doses are placed in
`dosing.py`; infections act on the records, never on these intentions. Intervals are half-open, in days from 1970-01-01.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.simulate.design import DAYS_PER_MONTH, DAYS_PER_YEAR, ENDINGS, STOP_REASONS, Profile
from analysis.simulate.dosing import Courses, joined
from analysis.simulate.population import Population, day_number, pick
from analysis.simulate.reference import DrugBook, Flags, Floats, Ints

# A course that nothing ends within the data; doses after the end of observation are not written.
_OPEN_DAYS = 400
_FIRST, _SECOND, _BOTH = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One value a person; the pair's values mean nothing where `has_pair` is false.

    `pair_start` and `pair_stop`: planned, half-open; the plan may reach past `observed_stop`, the day after the last
    observed day. `ending`: position in ENDINGS. `component`: position in COMPONENTS, -1 where the ending is no stop.
    `courses`: the study drugs.
    """

    has_pair: Flags
    pair_start: Ints
    pair_stop: Ints
    ending: Ints
    component: Ints
    is_recorded: Flags
    is_childbearing: Flags
    observed_stop: Ints
    is_dead: Flags
    courses: Courses


def plan_timeline(profile: Profile, people: Population, book: DrugBook, *, rng: np.random.Generator) -> Timeline:
    """Pair, ending, observed end and study-drug courses of every person.

    The duration of a pair is the hazards' exponential time rounded up to whole days, so that survival at the end of
    each day is exact. A second drug cannot stop before its first interval is over; until then the first drug stops.
    """
    size = people.entry.size
    cut_stop = day_number(profile.data_cut) + 1
    window = book.window[people.first_drug]
    alone = np.maximum(window, _waiting(profile.stop_alone_per_month, size=size, rng=rng))
    lead = np.maximum(window, 28)
    add_on = lead + _waiting(
        profile.pair.add_on_per_month * np.exp(profile.pair.add_on_log_effect_of_severity * people.severity),
        size=size, rng=rng,
    )  # fmt: skip
    death, lost = _leaving(profile, start=people.entry, rng=rng)
    single_stop = np.minimum(np.minimum(death, lost), cut_stop)
    pair_start = people.entry + add_on
    has_pair = (pair_start < single_stop) & (add_on < alone)
    if profile.fixed_pairs:
        pair_start = people.entry + np.minimum(add_on, lead + profile.fixed_pair_lead_days)
        has_pair = np.ones(size, dtype=np.bool_)

    pair_stop = pair_start + _waiting(profile.pair.total, size=size, rng=rng)
    is_childbearing = people.is_female & (people.age < profile.pair.pregnancy_below_age)
    ending = _endings(profile, is_childbearing=is_childbearing, rng=rng)
    is_stop = np.isin(ending, [ENDINGS.index(reason) for reason in STOP_REASONS])
    component = pick(rng.random(size), [share for _, share in profile.pair.component_share])
    is_early = pair_stop - pair_start < book.window[people.second_drug]
    component = np.where(is_stop, np.where(is_early, _FIRST, component), -1)

    later_death, later_lost = _leaving(profile, start=pair_stop, rng=rng)
    pair_death = np.where(ending == ENDINGS.index("death"), pair_stop, np.where(is_stop, later_death, cut_stop + 1))
    pair_lost = np.where(ending == ENDINGS.index("lost"), pair_stop, np.where(is_stop, later_lost, cut_stop + 1))
    death = np.where(has_pair, pair_death, death)
    observed_stop = np.minimum(np.minimum(death, np.where(has_pair, pair_lost, lost)), cut_stop)
    timeline = Timeline(
        has_pair=has_pair,
        pair_start=pair_start,
        pair_stop=pair_stop,
        ending=ending,
        component=component,
        is_recorded=is_stop & (rng.random(size) < profile.pair.reason_recorded_share),
        is_childbearing=is_childbearing,
        observed_stop=observed_stop,
        is_dead=death == observed_stop,
        courses=Courses.none(),
    )
    courses = _study_courses(profile, people, book, timeline=timeline, alone=alone, rng=rng)
    return replace(timeline, courses=courses)


def _study_courses(
    profile: Profile, people: Population, book: DrugBook, *, timeline: Timeline, alone: Ints, rng: np.random.Generator
) -> Courses:
    size = people.entry.size
    person = np.arange(size)
    has_pair, start, stop, component = timeline.has_pair, timeline.pair_start, timeline.pair_stop, timeline.component
    open_stop = np.maximum(timeline.observed_stop, stop) + _OPEN_DAYS
    goes_on = stop + _waiting(profile.stop_alone_per_month, size=size, rng=rng)
    first_stop = np.select([component == _SECOND, component == -1], [goes_on, open_stop], stop)
    first_stop = np.where(has_pair, first_stop, people.entry + alone)
    second_goes_on = np.maximum(goes_on, start + book.window[people.second_drug])
    second_stop = np.select([component == _FIRST, component == -1], [second_goes_on, open_stop], stop)
    first = _with_pause(profile, people, book, timeline=timeline, first_stop=first_stop, rng=rng)
    second = Courses(person=person, drug=people.second_drug, start=start, stop=second_stop).only(has_pair)
    third = _afterwards(
        profile, people, book, timeline=timeline, first_stop=first_stop, second_stop=second_stop, rng=rng
    )
    return joined((first, second, third))


def _with_pause(
    profile: Profile, people: Population, book: DrugBook, *, timeline: Timeline, first_stop: Ints,
    rng: np.random.Generator,
) -> Courses:  # fmt: skip
    """The first drug's course, a share of them with one pause that ends at least one window before any pair."""
    size = people.entry.size
    person, window = np.arange(size), book.window[people.first_drug]
    shortest, longest = profile.dosing.pause_days
    # Longer than the gap, or the pause would be filled and no pause.
    pause = np.maximum(rng.integers(shortest, longest + 1, size=size), book.gap[people.first_drug] + 1)
    earliest = people.entry + window
    latest = np.where(timeline.has_pair, timeline.pair_start, first_stop) - window - pause
    pause_start = earliest + np.floor(rng.random(size) * (latest - earliest + 1)).astype(np.int64)
    is_paused = (rng.random(size) < profile.dosing.pause_share) & (latest >= earliest)
    before = Courses(
        person=person, drug=people.first_drug, start=people.entry, stop=np.where(is_paused, pause_start, first_stop)
    )
    after = Courses(person=person, drug=people.first_drug, start=pause_start + pause, stop=first_stop).only(is_paused)
    return joined((before, after))


def _afterwards(
    profile: Profile, people: Population, book: DrugBook, *, timeline: Timeline, first_stop: Ints, second_stop: Ints,
    rng: np.random.Generator,
) -> Courses:  # fmt: skip
    """A restart of the stopped drug after more than its gap, or a switch to another drug for the same indication."""
    size = people.entry.size
    is_second = timeline.has_pair & ((timeline.component == _SECOND) | (timeline.component == _BOTH))
    stopped = np.where(is_second, people.second_drug, people.first_drug)
    stopped_stop = np.where(is_second, second_stop, first_stop)
    indication = np.where(is_second, people.second_indication, people.first_indication)
    draw, wait = rng.random(size), rng.exponential(size=size)
    is_restart = draw < profile.restart_share
    other = _next_drug(profile, book, indication=indication, drug=stopped)
    is_switch = ~is_restart & (draw < profile.restart_share + profile.switch_share) & (other != stopped)
    drug = np.where(is_switch, other, stopped)
    delay = np.where(is_switch, 14 + np.floor(wait * 60), book.gap[stopped] + 1 + np.floor(wait * 90))
    start = stopped_stop + delay.astype(np.int64)
    stop = start + np.maximum(book.window[drug], _waiting(profile.stop_alone_per_month, size=size, rng=rng))
    can = ~timeline.has_pair | (timeline.component >= 0)
    return Courses(person=np.arange(size), drug=drug, start=start, stop=stop).only(can & (is_restart | is_switch))


def _next_drug(profile: Profile, book: DrugBook, *, indication: Ints, drug: Ints) -> Ints:
    """The drug after this one in its indication's list, round and round; the same where there is no other."""
    following = drug.copy()
    for number, reason in enumerate(profile.indications):
        positions = [book.position(name) for name, _ in reason.drugs]
        for place, position in enumerate(positions):
            here = (indication == number) & (drug == position)
            following[here] = positions[(place + 1) % len(positions)]
    return following


def _endings(profile: Profile, *, is_childbearing: Flags, rng: np.random.Generator) -> Ints:
    """Which hazard ends each pair. Where pregnancy cannot be, its hazard belongs to patient choice."""
    shares = [value for _, value in profile.pair.hazard_per_month]
    elsewhere = list(shares)
    pregnancy, choice = ENDINGS.index("pregnancy"), ENDINGS.index("patient choice")
    elsewhere[choice] += elsewhere[pregnancy]
    elsewhere[pregnancy] = 0.0
    draw = rng.random(is_childbearing.size)
    return np.where(is_childbearing, pick(draw, shares), pick(draw, elsewhere))


def _leaving(profile: Profile, *, start: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Day after death and day after the last contact, counted from `start`, outside a first pair."""
    per_month = profile.death_per_100py / 100 / DAYS_PER_YEAR * DAYS_PER_MONTH
    death = start + _waiting(per_month, size=start.size, rng=rng)
    return death, start + _waiting(profile.lost_per_month, size=start.size, rng=rng)


def _waiting(per_month: float | Floats, *, size: int, rng: np.random.Generator) -> Ints:
    """Days to an event of constant hazard per month, rounded up."""
    return np.ceil(rng.exponential(size=size) / per_month * DAYS_PER_MONTH).astype(np.int64)
