"""Induction in the simulated world: which courses begin one, how they end, and what each recorded dose covers.

Owns the counting of doses (definitions 11) on plans and on records. Every person is observed from before any look-back,
so that records alone tell where a course begins. Where doses fall is in `dosing.py`. Days are counted from 1970-01-01.
"""

from __future__ import annotations

import numpy as np

from analysis.simulate.reference import DrugBook, Flags, Ints


def dose_covers(person: Ints, *, drug: Ints, day: Ints, book: DrugBook) -> Ints:
    """Days that each dose covers, by its place in its course. Doses are ordered by person, drug and day.

    A course begins where no dose of the drug lies in the look-back; doses of one day have one place.
    """
    if day.size == 0:
        return day
    is_same = (person[1:] == person[:-1]) & (drug[1:] == drug[:-1])
    space = np.diff(day)
    begins = np.concatenate([[True], ~is_same | (space > book.look_back[drug[1:]])])
    number = np.cumsum(np.concatenate([[True], ~is_same | (space > 0)]))
    first = np.maximum.accumulate(np.where(begins, number, 0))
    covers: Ints = book.cover[drug, np.minimum(number - first, book.cover.shape[1] - 1)]
    return covers


def begins_induction(person: Ints, *, drug: Ints, start: Ints, stop: Ints, book: DrugBook) -> Flags:
    """Whether each planned course begins an induction: its drug has one, and no dose lies in the look-back.

    The last dose of an earlier course is known from the plan: its cover ends with the course.
    """
    begins = book.induction_doses[drug] > 0
    order = np.lexsort((start, drug, person))
    order = order[begins[order]]
    is_first = np.ones(order.size, dtype=np.bool_)
    is_first[1:] = (person[order][1:] != person[order][:-1]) | (drug[order][1:] != drug[order][:-1])
    place = np.arange(order.size)
    rank = place - np.maximum.accumulate(np.where(is_first, place, 0))
    for number in range(1, int(rank.max(initial=0)) + 1):
        here = np.flatnonzero(rank == number)
        earlier, later = order[here - 1], order[here]
        length = stop[earlier] - start[earlier]
        last_dose = stop[earlier] - last_cover(length, drug=drug[earlier], begins=begins[earlier], book=book)
        begins[later] = start[later] - last_dose > book.look_back[drug[later]]
    return begins


def ends_early(length: Ints, *, drug: Ints, begins: Flags, book: DrugBook) -> Flags:
    """Whether a course of this length ends with the dose before the last of its induction.

    Of the two ways to fill the length, that which changes the planned days by the smaller factor.
    """
    last = book.induction_doses[drug]
    before = np.maximum(last - 1, 0)
    short, whole = length - book.cover[drug, before], length - book.window[drug]
    is_nearer: Flags = short * whole < book.planned[drug, before] * book.planned[drug, last]
    return begins & is_nearer


def last_cover(length: Ints, *, drug: Ints, begins: Flags, book: DrugBook) -> Ints:
    """Days that the last dose of a course covers."""
    before = book.cover[drug, np.maximum(book.induction_doses[drug] - 1, 0)]
    return np.where(ends_early(length, drug=drug, begins=begins, book=book), before, book.window[drug])
