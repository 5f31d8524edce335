"""Proportions against binom.test and by hand."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.proportion import proportion
from analysis.estimate.result import EstimationError

FOLDER = Path(__file__).parents[3] / "truth"
TRUTH = json.loads((FOLDER / "exact_limits.json").read_text())["proportions"]
WILSON = json.loads((FOLDER / "risk.json").read_text())["wilson"]


@pytest.mark.parametrize("row", TRUTH, ids=lambda row: f"{row['events']}_of_{row['total']}")
def test_limits_are_those_of_binom_test(row: dict[str, float]) -> None:
    answer = proportion(int(row["events"]), int(row["total"]), confidence=row["confidence"])
    assert answer.status == "ok"
    assert (answer.value, answer.lower, answer.upper) == pytest.approx(
        (row["estimate"], row["lower"], row["upper"]), rel=1e-10
    )
    assert (answer.event_count, answer.person_count) == (row["events"], row["total"])


@pytest.mark.parametrize("row", WILSON, ids=lambda row: f"{row['events']}_of_{row['total']}")
def test_wilson_limits_are_those_of_prop_test(row: dict[str, float]) -> None:
    answer = proportion(int(row["events"]), int(row["total"]), confidence=row["confidence"], method="wilson")
    assert (answer.method, answer.status) == ("wilson", "ok")
    assert (answer.lower, answer.upper) == pytest.approx((row["lower"], row["upper"]), rel=1e-10)


def test_wilson_keeps_the_ends_exact() -> None:
    assert proportion(0, 7, confidence=0.95, method="wilson").lower == 0.0
    assert proportion(7, 7, confidence=0.95, method="wilson").upper == 1.0
    assert proportion(0, 0, confidence=0.95, method="wilson").status == "not_estimable"


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(EstimationError, match="unknown method of a proportion"):
        proportion(1, 2, confidence=0.95, method="wald")  # type: ignore[arg-type]


def test_0_of_31_has_the_upper_limit_of_the_two_sided_interval() -> None:
    answer = proportion(0, 31, confidence=0.95)
    assert (answer.value, answer.lower) == (0.0, 0.0)
    assert answer.upper == pytest.approx(1 - 0.025 ** (1 / 31), rel=1e-12)
    assert answer.upper == pytest.approx(0.1122, abs=5e-5)


def test_all_of_31_mirrors_none_of_31() -> None:
    answer = proportion(31, 31, confidence=0.95)
    assert (answer.value, answer.upper) == (1.0, 1.0)
    assert answer.lower == pytest.approx(0.025 ** (1 / 31), rel=1e-12)


def test_none_of_none_is_not_estimable() -> None:
    answer = proportion(0, 0, confidence=0.95)
    assert (answer.status, answer.reason, answer.value, answer.upper) == ("not_estimable", "total is 0", None, None)


@pytest.mark.parametrize(("events", "total"), [(-1, 3), (4, 3), (0, -1)])
def test_counts_that_are_no_share_are_refused(events: int, total: int) -> None:
    with pytest.raises(EstimationError, match="0 <= events <= total"):
        proportion(events, total, confidence=0.95)


@settings(deadline=None)
@given(total=st.integers(1, 10_000), data=st.data())
def test_counting_the_others_turns_the_interval_over(total: int, data: st.DataObject) -> None:
    events = data.draw(st.integers(0, total))
    one, other = proportion(events, total, confidence=0.9), proportion(total - events, total, confidence=0.9)
    assert one.lower is not None
    assert one.upper is not None
    assert (other.lower, other.upper) == pytest.approx((1 - one.upper, 1 - one.lower), abs=1e-12)
