"""Stretches below and above a threshold by hand, and the rise after the last dose."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from analysis.pkpd.courses import collected, courses, daily
from analysis.pkpd.parameters import ParameterSet
from analysis.pkpd.quantities import PkpdError
from analysis.pkpd.thresholds import days_below, last_doses, stretches, threshold_stretches, withdrawal

E = np.e


def test_crossings_lie_where_the_logarithm_is_straight() -> None:
    """Two steps a day; exponents 2, -2, -1, 1, 1: down in the middle of step 0, up in the middle of step 2."""
    values = np.exp(np.array([[2.0], [-2.0], [-1.0], [1.0], [1.0]]))
    found = stretches(values, threshold=np.array([1.0]), until_step=np.array([4.0]), steps_per_day=2)
    assert found.rows() == [(0, 0.0, 0.25, False), (0, 0.25, 1.25, True), (0, 1.25, 2.0, False)]


def test_a_value_at_the_threshold_is_not_below_it_and_a_touch_takes_no_time() -> None:
    values = np.array([[1.0, 0.5], [0.5, 1.0], [1.0, 0.5]])
    found = stretches(values, threshold=np.array([1.0, 1.0]), until_step=np.array([2.0, 2.0]), steps_per_day=1)
    assert found.filter(pl.col("column") == 0).rows() == [(0, 0.0, 2.0, True)]
    assert found.filter(pl.col("column") == 1).rows() == [(1, 0.0, 1.0, True), (1, 1.0, 2.0, True)]


def test_a_column_ends_at_its_own_last_step() -> None:
    values = np.array([[2.0, 2.0, 2.0], [0.5, 0.5, 0.5], [2.0, 2.0, 2.0]])
    found = stretches(values, threshold=np.ones(3), until_step=np.array([2.0, 1.0, 0.0]), steps_per_day=1)
    assert found.filter(pl.col("column") == 1).rows() == [(1, 0.0, 0.5, False), (1, 0.5, 1.0, True)]
    assert found.filter(pl.col("column") == 2).is_empty()
    lengths = found.group_by("column").agg((pl.col("stop_day") - pl.col("start_day")).sum()).sort("column")
    assert lengths.rows() == [(0, 2.0), (1, 1.0)]


PERSONS = pl.DataFrame(
    {
        "person_id": ["a", "b", "c"],
        "weight_kg": 70.0,
        "baseline_ige_iu_per_ml": [150.0, 15.0, 600.0],
        "until_day": [400, 300, 250],
    }
)
DOSES = pl.DataFrame(
    {"person_id": ["a"] * 4 + ["b", "c"], "day": [0, 28, 56, 84, 0, 0], "dose_mg": [300.0, 300, 300, 300, 150, 150]}
)


def _made(lowe: ParameterSet, **keywords: float) -> list[pl.DataFrame]:
    pieces = courses(PERSONS, DOSES, lowe, anchor="clearance")
    stops = last_doses(PERSONS, DOSES)
    return collected(pieces, daily, threshold_stretches, lambda piece: withdrawal(piece, stops=stops, **keywords))


def test_stretches_fill_the_course_and_agree_with_its_days(lowe: ParameterSet) -> None:
    days, found, _ = _made(lowe)
    length = pl.col("stop_day") - pl.col("start_day")
    totals = (
        found.group_by("person_id", "threshold_ng_per_ml").agg(length.sum()).sort("person_id", "threshold_ng_per_ml")
    )
    assert totals["stop_day"].to_list() == pytest.approx([400.0] * 3 + [300.0] * 3 + [250.0] * 3, rel=1e-12)
    for person, threshold, start, stop, is_below in found.select(pl.all().exclude("model", "anchor")).iter_rows():
        inside = days.filter(
            (pl.col("person_id") == person) & (pl.col("day") > start + 1e-9) & (pl.col("day") < stop - 1e-9)
        )
        assert ((inside["free_ige_ng_per_ml"] < threshold) == is_below).all()


def test_days_below_count_inside_the_window(lowe: ParameterSet) -> None:
    _, found, _ = _made(lowe)
    windows = pl.DataFrame({"person_id": ["a", "b"], "start_day": [0, 0], "stop_day": [112, 112]})
    counted = days_below(found, windows=windows)
    assert counted.height == 6
    assert (counted["days_below"] + counted["days_above"]).to_list() == pytest.approx([112.0] * 6)
    of_a = {row[0]: row[1:] for row in counted.filter(pl.col("person_id") == "a").drop("person_id").iter_rows()}
    assert of_a[50.0][0] > 111.0 > of_a[14.0][0]
    assert of_a[14.0][1] > of_a[25.0][1] > of_a[50.0][1] > 0.0
    assert of_a[14.0][2] <= of_a[14.0][1]
    with pytest.raises(PkpdError, match="stops before it starts"):
        days_below(found, windows=windows.with_columns(stop_day=pl.lit(-1)))


def test_after_the_last_dose_free_ige_rises_past_each_level_in_turn(lowe: ParameterSet) -> None:
    days, _, rises = _made(lowe)
    of_a = rises.filter(pl.col("person_id") == "a")
    assert of_a["level"].to_list() == ["0.5 of baseline", "25 ng/mL", "50 ng/mL"]
    assert of_a["status"].to_list() == ["reached"] * 3
    half, low, high = of_a["days_after_last_dose"]
    assert low < high < half
    free = days.filter(pl.col("person_id") == "a")["free_ige_ng_per_ml"]
    for level, after in ((25.0, low), (50.0, high), (0.5 * 150.0 * 2.42, half)):
        assert free[84 + int(after)] < level <= free[84 + int(after) + 1]


def test_a_level_above_the_baseline_is_not_assessable(lowe: ParameterSet) -> None:
    """15 IU/mL are 36 ng/mL."""
    of_b = _made(lowe)[2].filter((pl.col("person_id") == "b") & (pl.col("level") == "50 ng/mL"))
    assert of_b.select("days_after_last_dose", "status", "reason", "follow_up_days").row(0) == (
        None, "not_assessable", "the baseline is not above it", 300,
    )  # fmt: skip


def test_a_rise_counts_only_if_it_lasts_and_is_censored_where_follow_up_ends(lowe: ParameterSet) -> None:
    of_a = _made(lowe)[2].filter((pl.col("person_id") == "a") & (pl.col("level") == "50 ng/mL"))
    after = of_a["days_after_last_dose"][0]
    for follow_up, status in ((int(after) + 8, "reached"), (int(after) + 7, "not_reached")):
        stops = pl.DataFrame({"person_id": ["a"], "last_dose_day": [84], "until_day": [84 + follow_up]})
        (rises,) = collected(
            courses(PERSONS, DOSES, lowe, anchor="clearance"), lambda piece, stops=stops: withdrawal(piece, stops=stops)
        )
        row = rises.filter(pl.col("level") == "50 ng/mL").row(0, named=True)
        assert (row["status"], row["follow_up_days"]) == (status, follow_up)
        assert (row["days_after_last_dose"] is None) == (status == "not_reached")


def test_the_hours_before_the_last_dose_is_absorbed_are_no_rise(lowe: ParameterSet) -> None:
    """Person c has one dose only: free IgE begins at 1,452 ng/mL, falls, and rises for good."""
    of_c = _made(lowe)[2].filter((pl.col("person_id") == "c") & (pl.col("level") == "0.5 of baseline"))
    assert of_c["days_after_last_dose"][0] > 7.0
    never_falls = _made(lowe, lasting_days=0.0)[2].filter(
        (pl.col("person_id") == "c") & (pl.col("level") == "0.5 of baseline")
    )
    assert never_falls["days_after_last_dose"][0] == 0.0


def test_stops_beyond_the_course_are_refused(lowe: ParameterSet) -> None:
    (piece,) = courses(PERSONS, DOSES, lowe, anchor="clearance")
    for last, until in ((84, 401), (84, 83), (-1, 5)):
        stops = pl.DataFrame({"person_id": ["a"], "last_dose_day": [last], "until_day": [until]})
        with pytest.raises(PkpdError, match="1 stops end before the last dose or after the course"):
            withdrawal(piece, stops=stops)
    with pytest.raises(PkpdError, match="above 0 ng/mL"):
        threshold_stretches(piece, thresholds_ng_per_ml=(0.0,))
