"""Response by scores around week 16, by hand."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.pkpd.quantities import PkpdError
from analysis.pkpd.response import responses

LAST = pl.DataFrame({"person_id": [1, 2, 3, 4, 5, 6], "last_dose_day": [400, 400, 400, 55, 400, 90]})


def _told(rows: list[tuple[int, int, float]], *, difference: float | None = 3.0, higher: bool = True) -> pl.DataFrame:
    records = pl.DataFrame(rows, schema=["person_id", "day", "score"], orient="row")
    return responses(
        records, LAST, smallest_important_difference=difference, higher_is_better=higher, from_day=84, until_day=140
    )


def test_a_gain_of_the_important_difference_is_a_response_and_less_is_none() -> None:
    found = _told([(1, -90, 10.0), (1, 0, 12.0), (1, 84, 14.0), (1, 140, 14.0), (2, -1, 11.0), (2, 112, 13.9)])
    assert found.select("gain", "response").rows() == [(3.0, "responder"), (pytest.approx(2.9), "non_responder")]


def test_scores_outside_the_days_do_not_count() -> None:
    found = _told([(1, -91, 2.0), (1, 0, 11.0), (1, 83, 25.0), (1, 112, 13.0), (1, 141, 25.0)])
    assert found["gain"].to_list() == [2.0]


def test_where_lower_is_better_a_fall_is_the_gain() -> None:
    assert _told([(1, 0, 3.0), (1, 112, 1.0)], difference=0.5, higher=False)["gain"].to_list() == [2.0]


def test_why_response_cannot_be_told() -> None:
    found = _told([(2, 112, 20.0), (3, 0, 10.0), (4, 0, 10.0), (4, 112, 20.0), (5, 0, 11.0), (5, 112, 20.0)])
    assert dict(found.select("person_id", "reason").iter_rows()) == {
        2: "no score in the 90 days before the first dose",
        3: "no score around week 16",
        4: "stopped before response is told",
        5: None,
    }
    assert found.filter(pl.col("person_id") == 4)["response"].to_list() == ["not_assessable"]


def test_scores_more_than_four_weeks_after_the_last_dose_are_none_on_treatment() -> None:
    found = _told([(6, 0, 10.0), (6, 118, 20.0), (6, 119, 5.0)])
    assert found["treated_score"].to_list() == [20.0]


def test_without_an_important_difference_nobody_is_a_responder_and_the_gain_is_told() -> None:
    (row,) = _told([(1, 0, 10.0), (1, 112, 20.0)], difference=None).to_dicts()
    assert (row["gain"], row["response"]) == (10.0, "not_assessable")


@pytest.mark.parametrize(("first", "last", "difference"), [(0, 140, 3.0), (140, 84, 3.0), (84, 140, 0.0)])
def test_settings_that_mean_nothing_are_refused(first: int, last: int, difference: float) -> None:
    records = pl.DataFrame({"person_id": [1], "day": [0], "score": [1.0]})
    with pytest.raises(PkpdError):
        responses(
            records,
            LAST,
            smallest_important_difference=difference,
            higher_is_better=True,
            from_day=first,
            until_day=last,
        )
