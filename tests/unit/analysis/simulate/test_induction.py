"""Courses of drugs with an induction are dosed as planned and read back as planned, whatever their length."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from analysis.simulate import PROFILES, SimulationError, simulate_profile
from analysis.simulate.design import DosingPlan
from analysis.simulate.dosing import Courses, Records, place_doses
from analysis.simulate.induction import dose_covers
from analysis.simulate.reference import DrugBook, Ints, read_drugs
from analysis.simulate.state import exposure_episodes

_DRUGS = ("infliximab", "secukinumab", "vedolizumab")
_STEADY = DosingPlan(jitter_days=0.0, missed_share=0.0)


@pytest.fixture(scope="module")
def book(drugs: pl.DataFrame) -> DrugBook:
    return read_drugs(drugs, study=(*_DRUGS, "omalizumab"), background=())


def _placed(courses: Courses, book: DrugBook, *, plan: DosingPlan) -> Records:
    rng = np.random.Generator(np.random.PCG64(1))
    return place_doses(courses, book, plan=plan, observed_stop=np.full(100_000, 9_000), rng=rng)


def _one(book: DrugBook, drug: str, *spans: tuple[int, int]) -> Courses:
    start, stop = (np.array([span[end] for span in spans]) for end in (0, 1))
    return Courses(
        person=np.zeros(len(spans), dtype=np.int64),
        drug=np.full(len(spans), book.position(drug)),
        start=start,
        stop=stop,
    )


def _days(records: Records) -> list[int]:
    return [int(day) for day in records.day]


def _covers(records: Records, book: DrugBook) -> list[int]:
    return [int(days) for days in dose_covers(records.person, drug=records.drug, day=records.day, book=book)]


def test_a_new_course_follows_the_label_and_a_maintained_one_the_interval(book: DrugBook) -> None:
    records = _placed(_one(book, "infliximab", (1000, 1210)), book, plan=_STEADY)
    assert _days(records) == [1000, 1014, 1042, 1098, 1154]
    assert _covers(records, book) == [14, 28, 56, 56, 56]
    records = _placed(_one(book, "secukinumab", (1000, 1084)), book, plan=_STEADY)
    assert _days(records) == [1000, 1007, 1014, 1021, 1028, 1056]
    records = _placed(_one(book, "omalizumab", (1000, 1084)), book, plan=_STEADY)
    assert _covers(records, book) == [28, 28, 28]


@pytest.mark.parametrize(("pause", "covers"), [(180, [56, 56]), (181, [14, 28, 56])])
def test_a_course_after_the_look_back_begins_anew_and_one_within_it_goes_on(
    book: DrugBook, pause: int, covers: list[int]
) -> None:
    """The last dose of the first course is on day 1098; the second course is 98 days, two intervals or an induction."""
    start = 1098 + pause
    length = 112 if pause == 180 else 98
    records = _placed(_one(book, "infliximab", (1000, 1154), (start, start + length)), book, plan=_STEADY)
    assert _days(records)[:5] == [1000, 1014, 1042, 1098, start]
    assert _covers(records, book) == [14, 28, 56, 56, *covers]


@pytest.mark.parametrize("drug", _DRUGS)
@pytest.mark.parametrize("plan", [_STEADY, DosingPlan(missed_share=0.3)], ids=["steady", "restless"])
def test_every_length_is_read_back_to_the_day(book: DrugBook, drug: str, plan: DosingPlan) -> None:
    """Each person has a course of one length, then another within the look-back or after it."""
    position = book.position(drug)
    lengths = np.arange(book.window[position], 700)
    person = np.arange(lengths.size)
    delay = np.where(person % 2 == 0, book.gap[position] + 1, 400)
    again = 1000 + lengths + delay
    courses = Courses(
        person=np.concatenate([person, person]),
        drug=np.full(2 * person.size, position),
        start=np.concatenate([np.full(person.size, 1000), again]),
        stop=np.concatenate([1000 + lengths, again + lengths[::-1]]),
    )
    found = exposure_episodes(_placed(courses, book, plan=plan), book)
    assert _spans(found.person, found.start, found.stop) == sorted(_spans(courses.person, courses.start, courses.stop))


def _spans(*columns: Ints) -> list[tuple[int, ...]]:
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_doses_of_one_day_have_one_place(book: DrugBook) -> None:
    drug = np.full(4, book.position("infliximab"))
    day = np.array([1000, 1000, 1014, 1014])
    assert dose_covers(np.zeros(4, dtype=np.int64), drug=drug, day=day, book=book).tolist() == [14, 14, 28, 28]
    assert dose_covers(day[:0], drug=drug[:0], day=day[:0], book=book).size == 0


@pytest.mark.parametrize("days", ["0|28", "0|28|42", "0|14|57"])
def test_an_induction_that_not_every_course_can_hold_is_refused(drugs: pl.DataFrame, days: str) -> None:
    changed = drugs.with_columns(
        induction_days=pl.when(pl.col("drug_id") == "infliximab").then(pl.lit(days)).otherwise("induction_days")
    )
    with pytest.raises(SimulationError, match="induction of infliximab"):
        read_drugs(changed, study=_DRUGS, background=())


def test_a_look_back_that_is_not_observed_is_refused(drugs: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    changed = drugs.with_columns(
        new_user_washout_days=pl.when(pl.col("drug_id") == "infliximab")
        .then(pl.lit("367"))
        .otherwise("new_user_washout_days")
    )
    with pytest.raises(SimulationError, match="look-back of a drug"):
        simulate_profile(PROFILES["demo"], persons=5, seed=1, drugs=changed, outcomes=outcomes)
