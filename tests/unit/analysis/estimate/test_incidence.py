"""Incidence rates against poisson.test and by hand."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.incidence import incidence_rate_per_100py
from analysis.estimate.result import EstimationError

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "exact_limits.json").read_text())["rates"]


@pytest.mark.parametrize("row", TRUTH, ids=lambda row: f"{row['events']}_in_{row['person_days']}")
def test_limits_are_those_of_poisson_test(row: dict[str, float]) -> None:
    answer = incidence_rate_per_100py(
        int(row["events"]), int(row["person_days"]), person_count=7, confidence=row["confidence"]
    )
    assert answer.status == "ok"
    assert (answer.value, answer.lower, answer.upper) == pytest.approx(
        (row["estimate"], row["lower"], row["upper"]), rel=1e-10
    )
    assert (answer.event_count, answer.person_count, answer.person_days) == (row["events"], 7, row["person_days"])


def test_a_hundred_person_years_are_36525_days() -> None:
    assert incidence_rate_per_100py(3, 36_525, person_count=None, confidence=0.95).value == 3.0


def test_no_events_in_a_hundred_years_leave_3_69_possible() -> None:
    answer = incidence_rate_per_100py(0, 36_525, person_count=None, confidence=0.95)
    assert (answer.status, answer.value, answer.lower) == ("ok", 0.0, 0.0)
    assert answer.upper == pytest.approx(-math.log(0.025), rel=1e-12)


def test_no_events_in_no_time_are_not_estimable() -> None:
    answer = incidence_rate_per_100py(0, 0, person_count=0, confidence=0.95)
    assert (answer.status, answer.reason, answer.upper) == ("not_estimable", "person_days is 0", None)


@pytest.mark.parametrize(("events", "person_days"), [(1, 0), (-1, 5), (0, -5), (1, -5)])
def test_events_without_time_and_negative_counts_are_refused(events: int, person_days: int) -> None:
    with pytest.raises(EstimationError):
        incidence_rate_per_100py(events, person_days, person_count=None, confidence=0.95)


@settings(deadline=None)
@given(events=st.integers(0, 10_000), person_days=st.integers(1, 10**9), factor=st.integers(2, 50))
def test_the_same_events_in_more_time_scale_value_and_limits(events: int, person_days: int, factor: int) -> None:
    short = incidence_rate_per_100py(events, person_days, person_count=None, confidence=0.95)
    long = incidence_rate_per_100py(events, factor * person_days, person_count=None, confidence=0.95)
    for one, other in ((short.value, long.value), (short.lower, long.lower), (short.upper, long.upper)):
        assert one is not None
        assert other == pytest.approx(one / factor, rel=1e-12)
