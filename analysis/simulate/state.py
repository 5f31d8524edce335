"""The primary exposure rule, read off the written records: episodes, risk that outlasts them, ladder levels by day.

Owns the state on which planted infection hazards act (definitions 11, 12, 14, 15, 17 and 20). Knows records only,
never what was meant. A record's window is its drug's interval, induction first, or 30 days for a background drug.
Intervals are half-open, in days from 1970-01-01.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.simulate.dosing import Records
from analysis.simulate.induction import dose_covers
from analysis.simulate.reference import DrugBook, Flags, Ints

TOP_LEVEL = 2
_DAY_BITS = 20
_DAY_MASK = (1 << _DAY_BITS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Episodes:
    """Continuous use of one drug by one person, [`start`, `stop`); ordered by person, drug and start."""

    person: Ints
    drug: Ints
    start: Ints
    stop: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskTime:
    """Each person's days from entry to the observed end, cut where a lagged ladder level may change.

    Ordered by person and start, without holes. `toruner` and `broad`: number of distinct classes in covered-or-tail
    `lag_days` earlier, 2 standing for two or more. `agents`: for each agent that was asked for, whether it is.
    """

    person: Ints
    start: Ints
    stop: Ints
    toruner: Ints
    broad: Ints
    agents: tuple[Flags, ...] = ()


def exposure_episodes(records: Records, book: DrugBook) -> Episodes:
    """Episodes of each drug: windows joined while next start - stop so far <= gap_days."""
    key = np.sort((((records.person << 7) | records.drug) << _DAY_BITS) | records.day)
    group, start = key >> _DAY_BITS, key & _DAY_MASK
    drug = group & 0x7F
    cover = dose_covers(group >> 7, drug=drug, day=start, book=book)
    first, stop = _merge(group, start=start, stop=start + cover, allowance=book.gap[drug])
    return Episodes(person=group[first] >> 7, drug=drug[first], start=start[first], stop=stop)


def lagged_risk_time(
    episodes: Episodes, book: DrugBook, *, entry: Ints, observed_stop: Ints, lag_days: int,
    agents: tuple[Flags, ...] = (),
) -> RiskTime:  # fmt: skip
    """Person-time at risk by ladder level, the level of a day being the state `lag_days` before it.

    entry, observed_stop: one value a person; entry lies before observed_stop. agents: of each, which drugs of the book it is.
    """
    tracks = (book.counts_toruner, book.counts_broad, *agents)
    persons = np.arange(entry.size)
    pieces = [(persons, entry, np.zeros((len(tracks), entry.size), dtype=np.int64))]
    pieces.append((persons, observed_stop, np.zeros((len(tracks), entry.size), dtype=np.int64)))
    for track, counts in enumerate(tracks):
        person, start, stop = _class_at_risk(episodes, book, counts=counts)
        start = np.clip(start + lag_days, entry[person], observed_stop[person])
        stop = np.clip(stop + lag_days, entry[person], observed_stop[person])
        for days, sign in ((start, 1), (stop, -1)):
            change = np.zeros((len(tracks), person.size), dtype=np.int64)
            change[track] = sign
            pieces.append((person, days, change))
    person = np.concatenate([piece[0] for piece in pieces])
    day = np.concatenate([piece[1] for piece in pieces])
    change = np.concatenate([piece[2] for piece in pieces], axis=1)
    order = np.argsort((person << _DAY_BITS) | day, kind="stable")
    person, day = person[order], day[order]
    # Changes of a person add up to zero, so one running sum serves everybody.
    level = np.minimum(np.cumsum(change[:, order], axis=1), TOP_LEVEL)
    is_interval = np.flatnonzero((person[1:] == person[:-1]) & (day[1:] > day[:-1]))
    return RiskTime(
        person=person[is_interval],
        start=day[is_interval],
        stop=day[is_interval + 1],
        toruner=level[0][is_interval],
        broad=level[1][is_interval],
        agents=tuple(row[is_interval] > 0 for row in level[2:]),
    )


def _class_at_risk(episodes: Episodes, book: DrugBook, *, counts: Flags) -> tuple[Ints, Ints, Ints]:
    """Person, start and stop of the times at which at least one drug of a counted class is covered or in its tail."""
    chosen = counts[episodes.drug]
    drug = episodes.drug[chosen]
    group = (episodes.person[chosen] << 7) | book.class_index[drug]
    start, stop = episodes.start[chosen], (episodes.stop + book.reach[episodes.drug])[chosen]
    order = np.argsort((group << _DAY_BITS) | start, kind="stable")
    group, start, stop = group[order], start[order], stop[order]
    first, merged_stop = _merge(group, start=start, stop=stop, allowance=np.zeros_like(start))
    return group[first] >> 7, start[first], merged_stop


def _merge(group: Ints, *, start: Ints, stop: Ints, allowance: Ints) -> tuple[Ints, Ints]:
    """Position of the first interval of each union within a group, and the union's stop; ordered by group and start."""
    if group.size == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    is_new_group = np.concatenate([[True], group[1:] != group[:-1]])
    # A later group's offset exceeds every day number, so one running maximum serves all groups.
    offset = np.cumsum(is_new_group) << (_DAY_BITS + 1)
    reached = np.maximum.accumulate(stop + offset) - offset
    is_first = is_new_group.copy()
    is_first[1:] |= start[1:] - reached[:-1] > allowance[1:]
    first = np.flatnonzero(is_first)
    last = np.concatenate([first[1:] - 1, [group.size - 1]])
    return first, reached[last]
