"""Incidence rates against poisson.test and by hand."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.incidence import incidence_rate_per_100py, rate_per_10000_administrations
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


@pytest.mark.parametrize("row", TRUTH, ids=lambda row: f"{row['events']}_in_{row['person_days']}_doses")
def test_rates_by_dose_have_the_same_limits(row: dict[str, float]) -> None:
    by_dose = rate_per_10000_administrations(int(row["events"]), int(row["person_days"]), confidence=row["confidence"])
    per_dose = 10_000 / 36_525  # the reference is per 36,525 days
    assert (by_dose.value, by_dose.lower, by_dose.upper) == pytest.approx(
        (row["estimate"] * per_dose, row["lower"] * per_dose, row["upper"] * per_dose), rel=1e-10
    )
    assert (by_dose.event_count, by_dose.person_days) == (row["events"], None)


def test_no_reaction_after_10000_doses_leaves_3_69_possible_and_no_dose_nothing() -> None:
    answer = rate_per_10000_administrations(0, 10_000, confidence=0.95)
    assert (answer.value, answer.lower, answer.upper) == (0.0, 0.0, pytest.approx(-math.log(0.025), rel=1e-12))
    assert rate_per_10000_administrations(0, 0, confidence=0.95).status == "not_estimable"
    for events, doses in ((1, 0), (-1, 5)):
        with pytest.raises(EstimationError):
            rate_per_10000_administrations(events, doses, confidence=0.95)
