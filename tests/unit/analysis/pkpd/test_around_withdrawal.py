"""Levels by day from the last dose, and their middle over persons."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.pkpd.around_withdrawal import QUANTITIES, aligned_days, quantiles
from analysis.pkpd.courses import courses, daily
from analysis.pkpd.parameters import ParameterSet

PERSONS = pl.DataFrame(
    {"person_id": [1, 2], "weight_kg": [70.0, 90.0], "baseline_ige_iu_per_ml": [150.0, 150.0], "until_day": [200, 120]}
)
DOSES = pl.DataFrame(
    {"person_id": [1, 1, 1, 2], "day": [0, 28, 56, 0], "dose_mg": [300.0, 300.0, 300.0, 300.0]},
)
STOPS = pl.DataFrame({"person_id": [1, 2], "last_dose_day": [56, 0], "until_day": [200, 120]})


def test_a_day_from_the_last_dose_is_that_day_of_the_course_and_none_beyond_it(lowe: ParameterSet) -> None:
    (piece,) = courses(PERSONS, DOSES, lowe, anchor="clearance")
    found = aligned_days(piece, STOPS, range(-84, 169, 28))
    whole = daily(piece)
    for person, day, level in found.select("person_id", "day_from_stop", "free_ige_ng_per_ml").rows():
        stop = {1: 56, 2: 0}[person]
        (same,) = whole.filter((pl.col("person_id") == person) & (pl.col("day") == stop + day))["free_ige_ng_per_ml"]
        assert level == pytest.approx(same, rel=1e-12)
    held = {
        person: rows["day_from_stop"].to_list() for (person,), rows in found.sort("day_from_stop").group_by("person_id")
    }
    assert held == {1: [-56, -28, 0, 28, 56, 84, 112, 140], 2: [0, 28, 56, 84, 112]}


def test_the_middle_of_persons_is_that_of_those_who_are_followed_for_so_long() -> None:
    aligned = pl.DataFrame(
        [(person, 0, *[float(person)] * 3) for person in range(1, 12)] + [(1, 7, 5.0, 5.0, 5.0)],
        schema=["person_id", "day_from_stop", *QUANTITIES],
        orient="row",
    )
    rows = quantiles(aligned, level=0.8).filter(pl.col("quantity") == QUANTITIES[0]).rows()
    assert [row[:3] for row in rows] == [(QUANTITIES[0], 0, 11), (QUANTITIES[0], 7, 1)]
    assert [row[3:] for row in rows] == [pytest.approx((2.0, 6.0, 10.0)), (5.0, 5.0, 5.0)]
