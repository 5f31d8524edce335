"""Who is at risk at which event time of counting-process rows, and sums over those at risk.

Owns the risk sets, vectorised over rows and over events: O(rows) once and for each sum. What is summed belongs in
`partial_likelihood` and `weighted_survival`.

A row at risk on (start, stop] stands in the risk sets of consecutive event times; strata follow each other on one time
axis, so that nobody stands in the risk set of another stratum. Running sums of what enters less what leaves would keep the
rounding of a large weight that has left; here each stay is cut in two at the middle of the smallest dyadic block around
it, and sums only add. Rows that span no event time carry no information and are left out.
Source: Andersen and Gill 1982; Efron 1977, JASA 72:557 (ties).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

Ties = Literal["efron", "breslow"]
Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]
Days = NDArray[np.int64]

PIECE = 1 << 14  # rows, at least


@dataclass(frozen=True, kw_only=True)
class RiskSets:
    """Who is at risk at which distinct event time, for the rows that are at risk at any.

    `enters`, `leaves`: per row, the first event time it is at risk at and the first after that. `is_event`: per row.
    `slot_time`, `slot_share`: per event, its event time and the share of the tied events that Efron takes out of the
    risk set before it (0, 1/d, 2/d, ...; all 0 for Breslow). `case_weight`: per row; `slot_weight`: per event, the mean
    weight of the events of its time. Both are all 1 without weights.
    """

    enters: Integers
    leaves: Integers
    is_event: Booleans
    time_count: int
    slot_time: Integers
    slot_share: Floats
    case_weight: Floats
    slot_weight: Floats

    @cached_property
    def event_times(self) -> Integers:
        """Index of the event time of each event row."""
        return self.leaves[self.is_event] - 1

    @cached_property
    def counted(self) -> Floats:
        """Case weight of each row with an event, 0 of the others."""
        return self.case_weight * self.is_event

    @cached_property
    def is_late(self) -> bool:
        """Whether a row enters after the first event time."""
        return bool(self.enters.any())

    @cached_property
    def _first_slot(self) -> Integers:
        """The first event of each event time."""
        first: Integers = np.searchsorted(self.slot_time, np.arange(self.time_count))
        return first

    @cached_property
    def _levels(self) -> int:
        """Levels of the dyadic blocks of event times."""
        return max(1, self.time_count - 1).bit_length() + 1

    @cached_property
    def _cell_count(self) -> int:
        return 2 * self._levels << (self._levels - 1) if self.is_late else self.time_count

    @cached_property
    def pieces(self) -> list[slice]:
        """Rows by the piece that stays in the cache while it is worked on, and is longer than the sums it adds to."""
        size = max(PIECE, 1 << self._cell_count.bit_length())
        return [slice(begin, begin + size) for begin in range(0, max(1, self.leaves.size), size)]

    @cached_property
    def _counters(self) -> list[csr_array]:
        """For each piece, where its rows are counted (cells of risk sets, then of events at their times; rows)."""
        return [self._counter(rows) for rows in self.pieces]

    def _counter(self, rows: slice) -> csr_array:
        enters, last, is_event = self.enters[rows], self.leaves[rows] - 1, self.is_event[rows]
        row = np.arange(last.size)
        happened, its_time = row[is_event], last[is_event]
        if self.is_late:
            # Bit length of the difference: 0 for a single time, else the level of the dyadic block that holds both ends.
            level = np.frexp((enters ^ last).astype(np.float64))[1].astype(np.intp)
            width = 1 << (self._levels - 1)
            several = level > 0
            backward = (self._levels + level[several]) * width + last[several]
            cells, counted = [level * width + enters, backward], [row, row[several]]
        else:
            cells, counted = [last], [row]
        return _indicator(
            np.concatenate((*cells, self._cell_count + its_time)),
            np.concatenate((*counted, happened)),
            (self._cell_count + self.time_count, row.size),
        )

    def restricted_to(self, rows: Booleans) -> RiskSets:
        """The same event times with some rows, all of them without events, left out."""
        return replace(
            self,
            enters=self.enters[rows],
            leaves=self.leaves[rows],
            is_event=self.is_event[rows],
            case_weight=self.case_weight[rows],
        )

    def sums_of_pieces(self, values: Callable[[slice], Floats]) -> tuple[Floats, Floats]:
        """Sums over each risk set, and over the events of each time, of what the rows of a piece have.

        values: of the rows of a piece, one number or some columns of them each.
        """
        total = sum(counter @ values(rows) for counter, rows in zip(self._counters, self.pieces, strict=True))
        summed = np.asarray(total, dtype=np.float64)
        counted, events = summed[: self._cell_count], summed[self._cell_count :]
        if not self.is_late:  # the risk set of a time is everybody who leaves after it
            return counted[::-1].cumsum(axis=0)[::-1], events
        columns = counted.shape[1:]
        forward, backward = counted.reshape(2, self._levels, -1, *columns)
        at_risk = forward[0].copy()
        for each in range(1, self._levels):
            halves = (-1, 1 << (each - 1), *columns)
            at_risk += forward[each].reshape(halves).cumsum(axis=1).reshape(at_risk.shape)
            at_risk += backward[each].reshape(halves)[:, ::-1].cumsum(axis=1)[:, ::-1].reshape(at_risk.shape)
        return at_risk[: self.time_count], events

    def sums(self, values: Floats) -> Floats:
        """Sum of a row's values over each risk set."""
        return self.sums_of_pieces(lambda rows: values[rows])[0]

    def event_sums(self, values: Floats) -> Floats:
        """Sum of a row's values over the events of each event time."""
        return self.sums_of_pieces(lambda rows: values[rows])[1]

    def at_times(self, values: Floats) -> Floats:
        """Sum of an event's values over each event time."""
        summed: Floats = np.add.reduceat(values, self._first_slot)
        return summed

    def over_stay(self, values: Floats, rows: slice) -> Floats:
        """Sum of an event time's values (or some columns of them) over the stay of each row of a piece."""
        before = np.concatenate((np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)))
        stay: Floats = before[self.leaves[rows]]
        if self.is_late:
            stay -= before[self.enters[rows]]
        return stay

    def slot_sums(self, values: Floats) -> Floats:
        """Sum of a row's values over each event's risk set, less the share of the tied events."""
        at_risk, events = self.sums_of_pieces(lambda rows: values[rows])
        return at_risk[self.slot_time] - self.slot_share * events[self.slot_time]


def _indicator(cells: Integers, rows: Integers, shape: tuple[int, int]) -> csr_array:
    """Ones at (cell, row), so that a product with the values of rows sums them by cell."""
    return csr_array(coo_array((np.ones(cells.size), (cells, rows)), shape=shape))


def risk_sets(
    start: Days,
    stop: Days,
    is_event: Booleans,
    *,
    ties: Ties,
    stratum: Days | None = None,
    weight: Floats | None = None,
) -> tuple[RiskSets, Booleans]:
    """The risk sets, and which of the rows stand in any.

    stratum: per row, 0, 1, 2, ...; rows of different strata are never at risk together. weight: per row, above 0.
    """
    if stratum is not None:
        # The next stratum's first day comes after the last day of the one before.
        first = start.min(initial=0)
        ahead = stratum * (stop.max(initial=0) - first + 1) - first
        start, stop = start + ahead, stop + ahead
    enters, leaves, tied = _ranked(start, stop, is_event)
    times = tied.size
    kept = enters < leaves
    slot_time = np.repeat(np.arange(times), tied)
    order = np.arange(slot_time.size) - np.repeat(np.cumsum(tied) - tied, tied)
    share = order / tied[slot_time] if ties == "efron" else np.zeros(slot_time.size)
    slot_weight = np.ones(slot_time.size)
    if weight is not None:
        slot_weight = (np.bincount(leaves[is_event] - 1, weight[is_event], minlength=times) / tied)[slot_time]
    sets = RiskSets(
        enters=enters[kept],
        leaves=leaves[kept],
        is_event=is_event[kept],
        time_count=times,
        slot_time=slot_time,
        slot_share=share,
        case_weight=np.ones(int(kept.sum())) if weight is None else weight[kept],
        slot_weight=slot_weight,
    )
    return sets, kept


def _ranked(start: Days, stop: Days, is_event: Booleans) -> tuple[Integers, Integers, Integers]:
    """How many event times come up to each start and up to each stop, and the events of each time."""
    first = min(start.min(initial=0), stop.min(initial=0))
    span = int(stop.max(initial=0) - first) + 1
    if span > 4 * stop.size + 10_000:  # a table of days would be larger than the rows
        times, tied = np.unique(stop[is_event], return_counts=True)
        return np.searchsorted(times, start, side="right"), np.searchsorted(times, stop, side="right"), tied
    events = np.bincount(stop[is_event] - first, minlength=span)
    rank = np.cumsum(events > 0)
    return rank[start - first], rank[stop - first], events[events > 0]
