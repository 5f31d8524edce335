"""Gray's test: R's cuminc, by hand, its size under no difference, and tests that do not exist."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.endings import CENSORED, ENDING_COLUMNS
from analysis.estimate.gray import gray_test
from analysis.estimate.log_rank import log_rank
from analysis.estimate.result import EstimationError

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "gray.json").read_text())
OPTIONS: dict[str, dict[str, Any]] = {"plain": {}, "rho_1": {"rho": 1.0}, "stratified": {"strata": "stratum"}}
Row = tuple[str, int, int, str, int]


def endings(*rows: Row) -> pl.DataFrame:
    """Rows of group, entry, time, cause, count."""
    kinds = (pl.Int64, pl.Int64, pl.String, pl.Int64)
    schema = {"group": pl.String} | dict(zip(ENDING_COLUMNS, kinds, strict=True))
    return pl.DataFrame(rows, schema=schema, orient="row")


def of_truth(truth: dict[str, Any]) -> pl.DataFrame:
    names = ("group", "stratum", "time_days", "cause", "count")
    return pl.DataFrame({name: truth[name] for name in names}).with_columns(entry_days=pl.lit(0))


@pytest.mark.parametrize("asked", OPTIONS)
@pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth["name"])
def test_tests_are_those_of_cuminc_whatever_the_order_of_rows(truth: dict[str, Any], asked: str) -> None:
    frame = of_truth(truth)
    for cause, expected in truth[asked].items():
        answer = gray_test(frame, causes=list(truth["plain"]), cause=cause, **OPTIONS[asked])
        assert answer.value == pytest.approx(expected, rel=1e-9)
        assert answer.event_count == frame.filter(cause=cause)["count"].sum()
        again = gray_test(
            frame.sample(fraction=1.0, shuffle=True, seed=3), causes=list(truth["plain"]), cause=cause, **OPTIONS[asked]
        )
        assert again == answer


def test_a_first_day_by_hand() -> None:
    # One event a day and group while 3 and 2 are there: without other causes or censoring the score is the log-rank's.
    rows = [("a", 0, 5, "x", 1), ("a", 0, 9, CENSORED, 2), ("b", 0, 9, CENSORED, 2)]
    answer = gray_test(endings(*rows), causes=["x"], cause="x")
    # Observed less expected 1 - 3/5, variance of one draw 3/5 * 2/5.
    assert answer.value == pytest.approx((1 - 3 / 5) ** 2 / (3 / 5 * 2 / 5))
    durations = endings(*rows).with_columns(
        event_count=pl.when(pl.col("cause") == "x").then("count").otherwise(0),
        censored_count=pl.when(pl.col("cause") == "x").then(0).otherwise("count"),
    )
    assert answer.value == pytest.approx(log_rank(durations).answer.value or 0.0)
    assert (answer.method, answer.person_count, answer.event_count) == ("gray", 5, 1)


def test_under_no_difference_it_rejects_one_in_twenty_and_log_rank_does_not() -> None:
    # Cause a has the same incidence in both groups; b comes early in one and late in the other.
    rng = np.random.default_rng(5)
    rejected = {"gray": 0, "log_rank": 0}
    rounds, size = 400, 150
    for _ in range(rounds):
        group = np.repeat(["early", "late"], size)
        has_a = rng.random(2 * size) < 0.4
        of_a = rng.integers(1, 60, 2 * size)
        of_b = np.where(group == "early", rng.integers(1, 10, 2 * size), rng.integers(50, 60, 2 * size))
        ends = rng.integers(20, 60, 2 * size)
        time = np.where(has_a, of_a, of_b)
        cause = np.where(time > ends, CENSORED, np.where(has_a, "a", "b"))
        frame = pl.DataFrame(
            {"group": group, "entry_days": 0, "time_days": np.minimum(time, ends), "cause": cause, "count": 1}
        )
        gray = gray_test(frame, causes=["a", "b"], cause="a")
        assert gray.p_value is not None
        rejected["gray"] += gray.p_value < 0.05
        hazards = log_rank(
            frame.with_columns(
                event_count=(pl.col("cause") == "a").cast(pl.Int64),
                censored_count=(pl.col("cause") != "a").cast(pl.Int64),
            )
        ).answer
        assert hazards.p_value is not None
        rejected["log_rank"] += hazards.p_value < 0.05
    assert 8 <= rejected["gray"] <= 34
    assert rejected["log_rank"] > 200


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "fewer than two groups"),
        ([("a", 0, 5, "x", 3)], "fewer than two groups"),
        ([("a", 0, 5, "y", 3), ("b", 0, 5, "y", 3)], "no events of the cause"),
        ([("a", 0, 5, "y", 3), ("b", 0, 6, "x", 3)], "no risk set compares two groups"),
        (
            [("a", 0, 1, "x", 99), ("b", 0, 2, "x", 60), ("b", 0, 3, "x", 41)],
            "a group has ended: the pooled incidence reaches 1 before the last event",
        ),
    ],
)
def test_without_information_there_is_no_test(rows: list[Row], reason: str) -> None:
    answer = gray_test(endings(*rows), causes=["x", "y"], cause="x")
    assert (answer.status, answer.reason, answer.value) == ("not_estimable", reason, None)


def test_questions_that_mean_nothing_are_refused() -> None:
    frame = endings(("a", 0, 5, "x", 3), ("b", 0, 5, "y", 3))
    with pytest.raises(EstimationError, match="among the causes"):
        gray_test(frame, causes=["x", "y"], cause="z")
    with pytest.raises(EstimationError, match="at least 0"):
        gray_test(frame, causes=["x", "y"], cause="x", rho=-1.0)
    with pytest.raises(EstimationError, match="not asked for: y"):
        gray_test(frame, causes=["x"], cause="x")
    with pytest.raises(EstimationError, match="no delayed entry"):
        gray_test(endings(("a", 2, 5, "x", 3)), causes=["x"], cause="x")


@settings(deadline=None, max_examples=200)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from("abc"), st.just(0), st.integers(1, 6), st.sampled_from(("x", "y", CENSORED)), st.integers(1, 3)
        ),
        max_size=12,
    )
)  # fmt: skip
def test_every_small_table_has_a_finite_answer_or_a_reason(rows: list[Row]) -> None:
    answer = gray_test(endings(*rows), causes=["x", "y"], cause="x")
    assert answer.reason or (answer.value is not None and answer.value >= 0.0 and answer.p_value is not None)
