"""Intervals at risk: cut where they must be, adding up to the time at risk."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.pkpd.quantities import PkpdError
from analysis.pkpd.risk_rows import risk_rows


def test_intervals_by_hand() -> None:
    persons = pl.DataFrame({"person_id": [1, 2], "until_day": [60, 28]})
    events = pl.DataFrame({"person_id": [1, 1, 1, 2, 9], "day": [28, 50, 61, 30, 40]})
    found = risk_rows(persons, events, lag_days=28)
    assert found.rows() == [
        (1, 28, 35, 0, 0), (1, 35, 42, 0, 7), (1, 42, 49, 0, 14), (1, 49, 50, 1, 21), (1, 50, 56, 0, 22), (1, 56, 60, 0, 28),
    ]  # fmt: skip


def test_an_event_on_the_last_day_and_on_a_cut_is_kept_once() -> None:
    persons = pl.DataFrame({"person_id": [1], "until_day": [21]})
    events = pl.DataFrame({"person_id": [1, 1, 1], "day": [7, 21, 21]})
    assert risk_rows(persons, events, lag_days=0).rows() == [(1, 0, 7, 1, 0), (1, 7, 14, 0, 7), (1, 14, 21, 1, 14)]


@given(
    until=st.lists(st.integers(0, 200), min_size=1, max_size=5),
    days=st.lists(st.integers(-10, 220), max_size=8),
    lag=st.integers(0, 60),
)
def test_days_and_events_at_risk_add_up(until: list[int], days: list[int], lag: int) -> None:
    persons = pl.DataFrame({"person_id": range(len(until)), "until_day": until})
    events = pl.DataFrame({"person_id": [0] * len(days), "day": days}, schema={"person_id": pl.Int64, "day": pl.Int64})
    found = risk_rows(persons, events, lag_days=lag)
    spent = dict(found.group_by("person_id").agg(pl.col("stop_day").sum() - pl.col("start_day").sum()).iter_rows())
    assert spent == {person: last - lag for person, last in enumerate(until) if last > lag}
    assert found["event_count"].sum() == len({day for day in days if lag < day <= until[0]})


def test_a_lag_below_nothing_is_refused() -> None:
    persons = pl.DataFrame({"person_id": [1], "until_day": [60]})
    with pytest.raises(PkpdError):
        risk_rows(persons, pl.DataFrame({"person_id": [1], "day": [3]}), lag_days=-1)
