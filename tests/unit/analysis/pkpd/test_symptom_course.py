"""Bins of scores from the first dose and around the last, by hand."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.pkpd.quantities import PkpdError
from analysis.pkpd.symptom_course import symptom_course

RECORDS = pl.DataFrame(
    [
        (1, -10, 10.0, 100.0), (1, 0, 12.0, 100.0), (1, 27, 14.0, 25.0), (1, 28, 20.0, 10.0), (1, 84, 20.0, 10.0), (1, 85, 18.0, 20.0),
        (1, 150, 10.0, 90.0), (2, 5, 16.0, 40.0),
    ],
    schema=["person_id", "day", "score", "free_ige_ng_per_ml"], orient="row",
).join(
    pl.DataFrame({"person_id": [1, 2], "last_dose_day": [84, None], "until_day": [140, None]}), on="person_id"
)  # fmt: skip


def test_bins_by_hand() -> None:
    found = symptom_course(RECORDS, pl.DataFrame({"person_id": [1]}), level=0.8)
    rounded = pl.col("free_ige_ng_per_ml").round(9)
    first = found.filter(pl.col("since") == "first_dose").select("day", "person_count", "median", rounded)
    # Person 1 has 12 and 14 in the first four weeks, free IgE sqrt(100 x 25); the last dose on day 84 ends them.
    assert first.rows() == [(-28, 1, 10.0, 100.0), (0, 2, 14.5, 45.0), (28, 1, 20.0, 10.0), (84, 1, 20.0, 10.0)]
    last = found.filter(pl.col("since") == "last_dose").select("day", "person_count", "median")
    # Day 0 is 84 days before the last dose; day 150 is after the stop's time.
    assert last.rows() == [(-84, 1, 13.0), (-56, 1, 20.0), (0, 1, 19.0)]


def test_limits_are_the_middle_of_persons() -> None:
    rows = pl.DataFrame(
        {
            "person_id": range(11), "day": [3] * 11, "score": [float(k) for k in range(11)], "free_ige_ng_per_ml": [5.0] * 11,
            "last_dose_day": [100] * 11, "until_day": [200] * 11,
        }
    )  # fmt: skip
    found = symptom_course(rows, pl.DataFrame({"person_id": []}, schema={"person_id": pl.Int64}), level=0.8)
    assert found.select("lower", "median", "upper").row(0) == pytest.approx((1.0, 5.0, 9.0))


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(PkpdError):
        symptom_course(RECORDS, RECORDS, level=1.0)
