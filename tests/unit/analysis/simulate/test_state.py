"""Episodes and ladder levels at the edges of the rule, by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from analysis.simulate.dosing import Records
from analysis.simulate.population import completed_years, day_number
from analysis.simulate.reference import DrugBook, read_drugs
from analysis.simulate.state import Episodes, RiskTime, exposure_episodes, lagged_risk_time

_ENTRY, _STOP = 1_000, 3_000


@pytest.fixture(scope="module")
def book(drugs: pl.DataFrame) -> DrugBook:
    return read_drugs(
        drugs,
        study=("adalimumab", "infliximab", "omalizumab"),
        background=("azathioprine", "mercaptopurine", "prednisone"),
    )


def _records(book: DrugBook, rows: list[tuple[str, int]]) -> Records:
    """Records of one person: drug and day."""
    drug = np.array([book.position(name) for name, _ in rows])
    nothing = np.zeros(len(rows), dtype=np.int64)
    return Records(person=nothing, drug=drug, day=np.array([day for _, day in rows]), product=nothing)


def _spans(episodes: Episodes) -> list[tuple[int, int]]:
    return [(int(start), int(stop)) for start, stop in zip(episodes.start, episodes.stop, strict=True)]


def _risk(book: DrugBook, rows: list[tuple[str, int]], *, lag_days: int) -> RiskTime:
    return lagged_risk_time(
        exposure_episodes(_records(book, rows), book),
        book,
        entry=np.array([_ENTRY]),
        observed_stop=np.array([_STOP]),
        lag_days=lag_days,
    )


def _levels(risk: RiskTime) -> list[tuple[int, int, int, int]]:
    return [tuple(int(v) for v in row) for row in zip(risk.start, risk.stop, risk.toruner, risk.broad, strict=True)]  # type: ignore[misc]


@pytest.mark.parametrize(("space", "expected"), [(28, [(1000, 1084)]), (29, [(1000, 1028), (1057, 1085)])])
def test_gap_of_exactly_gap_days_joins(book: DrugBook, space: int, expected: list[tuple[int, int]]) -> None:
    records = _records(book, [("omalizumab", 1000), ("omalizumab", 1028 + space)])
    assert _spans(exposure_episodes(records, book)) == expected


@pytest.mark.parametrize(("space", "count"), [(30, 1), (31, 2)])
def test_background_gap_is_30_days(book: DrugBook, space: int, count: int) -> None:
    records = _records(book, [("prednisone", 1000), ("prednisone", 1030 + space)])
    assert len(_spans(exposure_episodes(records, book))) == count


def test_risk_lasts_until_the_tail_and_begins_after_the_lag(book: DrugBook) -> None:
    # Infliximab: the first dose covers 14 days, the second 28; tail 48 beyond gap 28.
    assert _levels(_risk(book, [("infliximab", 1100)], lag_days=7)) == [
        (1000, 1107, 0, 0), (1107, 1100 + 14 + 48 + 7, 1, 1), (1100 + 14 + 48 + 7, 3000, 0, 0),
    ]  # fmt: skip
    assert _levels(_risk(book, [("infliximab", 1100), ("infliximab", 1114)], lag_days=7))[1][1] == 1114 + 28 + 48 + 7


def test_two_drugs_of_one_class_count_once_and_a_class_may_count_on_one_ladder_only(book: DrugBook) -> None:
    # Thiopurines: azathioprine and mercaptopurine. Adalimumab shares infliximab's class but not its toruner flag.
    rows = [("azathioprine", 1100), ("mercaptopurine", 1110), ("infliximab", 1120), ("adalimumab", 1120)]
    peak = max(_levels(_risk(book, rows, lag_days=0)), key=lambda level: level[2:])
    assert peak[2:] == (2, 2)
    assert max(level[2] for level in _levels(_risk(book, [rows[0], rows[1]], lag_days=0))) == 1
    alone = _levels(_risk(book, [("adalimumab", 1120)], lag_days=0))
    assert {level[2] for level in alone} == {0}
    assert {level[3] for level in alone} == {0, 1}


def test_three_classes_stand_on_the_top_level(book: DrugBook) -> None:
    rows = [("azathioprine", 1100), ("prednisone", 1100), ("infliximab", 1100)]
    assert max(level[2] for level in _levels(_risk(book, rows, lag_days=0))) == 2


def test_exposure_before_entry_counts_from_entry_on(book: DrugBook) -> None:
    assert _levels(_risk(book, [("prednisone", 960)], lag_days=7))[0] == (1000, 960 + 30 + 30 + 7, 1, 1)


def test_a_person_without_counted_drugs_has_one_interval(book: DrugBook) -> None:
    assert _levels(_risk(book, [("omalizumab", 1000)], lag_days=7)) == [(1000, 3000, 0, 0)]


@pytest.mark.parametrize(
    ("birth", "day", "age"),
    [("1970-06-15", "2020-06-14", 49), ("1970-06-15", "2020-06-15", 50),
     ("1972-02-29", "2021-02-28", 48), ("1972-02-29", "2021-03-01", 49)],
)  # fmt: skip
def test_age_changes_on_the_birthday(birth: str, day: str, age: int) -> None:
    days = [np.array([day_number(dt.date.fromisoformat(date))]) for date in (birth, day)]
    assert completed_years(*days).tolist() == [age]
