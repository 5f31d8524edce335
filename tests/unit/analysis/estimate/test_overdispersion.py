"""Pearson's dispersion: against R's quasi-Poisson and by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from analysis.estimate.overdispersion import overdispersion
from analysis.estimate.result import EstimationError

ROWS = json.loads((Path(__file__).parents[3] / "truth" / "rates.json").read_text())["dispersion"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_the_value_is_the_dispersion_of_quasi_poisson(row: dict[str, Any]) -> None:
    events, days = zip(*row["entries"], strict=True)
    answer = overdispersion(events, days)
    assert answer.value == pytest.approx(row["value"], rel=1e-9)
    if row["name"] == "persons":
        assert answer.p_value is None
        assert answer.reason == "no P: expected events are below 5 in 7 of 7 entries"
    else:
        assert answer.p_value == pytest.approx(row["p"], rel=1e-8)


def test_both_sides_of_where_a_p_is_given() -> None:
    # Five equal entries: expected 5 each, then below.
    assert overdispersion([3, 7, 5, 5, 5], [100] * 5).p_value is not None
    assert overdispersion([3, 7, 5, 5, 4], [100] * 5).p_value is None
    # One entry in five may fall below 5, but not below 1.
    assert overdispersion([3, 10, 10, 10, 10], [30, 100, 100, 100, 100]).p_value is not None
    assert overdispersion([0, 10, 10, 10, 10], [5, 100, 100, 100, 100]).p_value is None


def test_entries_without_days_are_left_out() -> None:
    answer = overdispersion([10, 0, 30], [100, 0, 100])
    assert (answer.value, answer.person_count, answer.event_count, answer.person_days) == (10.0, 2, 40, 200)


@pytest.mark.parametrize(
    ("events", "days", "reason"),
    [
        ([], [], "entries with person-days: 0, two are needed"),
        ([4, 0], [90, 0], "entries with person-days: 1, two are needed"),
        ([0, 0], [90, 80], "there are no events"),
    ],
)
def test_what_cannot_vary_is_not_estimable(events: list[int], days: list[int], reason: str) -> None:
    answer = overdispersion(events, days)
    assert (answer.status, answer.reason, answer.value, answer.p_value) == ("not_estimable", reason, None, None)


@pytest.mark.parametrize(("events", "days"), [([1], [5, 6]), ([-1, 2], [5, 6]), ([1, 2], [-5, 6]), ([1, 2], [0, 6])])
def test_what_is_no_count_is_refused(events: list[int], days: list[int]) -> None:
    with pytest.raises(EstimationError):
        overdispersion(events, days)
