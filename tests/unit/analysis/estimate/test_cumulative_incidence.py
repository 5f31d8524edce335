"""Cumulative incidence: R's survfit and etm, ties by hand, sums to one, and every probability that does not exist."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.cumulative_incidence import (
    CumulativeIncidence,
    cumulative_incidence,
    cumulative_incidence_at,
)
from analysis.estimate.endings import CENSORED, ENDING_COLUMNS
from analysis.estimate.persistence import kaplan_meier, survival_at
from analysis.estimate.result import Answer, EstimationError

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "cumulative_incidence.json").read_text())
CAUSES = ("a", "b")
Row = tuple[int, int, str, int]


def endings(*rows: Row) -> pl.DataFrame:
    """Rows of entry, time, cause, count."""
    schema = dict(zip(ENDING_COLUMNS, (pl.Int64, pl.Int64, pl.String, pl.Int64), strict=True))
    return pl.DataFrame(rows, schema=schema, orient="row")


def fitted(*rows: Row, confidence: float = 0.95) -> CumulativeIncidence:
    return cumulative_incidence(endings(*rows), causes=CAUSES, confidence=confidence)


def by(fit: CumulativeIncidence, cause: str, day: int) -> Answer:
    return cumulative_incidence_at(fit, cause=cause, time_days=day)


def of_truth(truth: dict[str, Any]) -> CumulativeIncidence:
    frame = pl.DataFrame({column: truth[column] for column in ENDING_COLUMNS})
    return cumulative_incidence(frame, causes=list(truth["causes"]), confidence=truth["confidence"])


@pytest.mark.parametrize("truth", TRUTH["entry_at_zero"], ids=lambda truth: truth["name"])
def test_curves_errors_and_limits_are_those_of_survfit(truth: dict[str, Any]) -> None:
    fit = of_truth(truth)
    assert fit.survival["time_days"].to_list()[1:] == truth["curve_time"]
    assert fit.survival["at_risk_count"].to_list()[1:] == truth["at_risk"]
    assert fit.survival["value"].to_list()[1:] == pytest.approx(truth["survival"], abs=1e-12)
    for cause, expected in truth["causes"].items():
        curve = fit.curve.filter(cause=cause).slice(1)
        assert curve["value"].to_list() == pytest.approx(expected["value"], abs=1e-12)
        begun = [value > 0 for value in expected["value"]]
        assert curve["standard_error"].is_not_null().to_list() == begun
        for column in ("standard_error", "lower", "upper"):
            ours, theirs = (np.array(part, dtype=float)[begun] for part in (curve[column].to_list(), expected[column]))
            assert ours == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("truth", TRUTH["delayed_entry"], ids=lambda truth: truth["name"])
def test_with_delayed_entry_curves_and_errors_are_those_of_etm(truth: dict[str, Any]) -> None:
    fit = of_truth(truth)
    survival = fit.survival.filter(pl.col("event_count") > 0)
    assert survival["time_days"].to_list() == truth["curve_time"]
    assert survival["value"].to_list() == pytest.approx(truth["survival"], abs=1e-12)
    for cause, expected in truth["causes"].items():
        curve = fit.curve.filter(cause=cause).filter(pl.col("time_days").is_in(truth["curve_time"]))
        assert curve["value"].to_list() == pytest.approx(expected["value"], abs=1e-12)
        assert curve["standard_error"].fill_null(0.0).to_list() == pytest.approx(expected["standard_error"], abs=1e-12)


def test_ties_by_hand_share_one_risk_set_and_come_before_censoring() -> None:
    # Day 5: 10 at risk, 2 a, 3 b, 1 censored; day 9: 4 at risk, 1 a, 3 censored.
    fit = fitted((0, 5, "a", 2), (0, 5, "b", 3), (0, 5, CENSORED, 1), (0, 9, "a", 1), (0, 9, CENSORED, 3))
    assert fit.survival.rows() == [(0, 1.0, 10, 0, 0), (5, 0.5, 10, 5, 1), (9, pytest.approx(0.375), 4, 1, 3)]
    assert [by(fit, "a", day).value for day in (4, 5, 8, 9)] == pytest.approx([0, 0.2, 0.2, 0.2 + 0.5 / 4])
    assert [by(fit, "b", day).value for day in (4, 5, 9)] == pytest.approx([0, 0.3, 0.3])
    # A binomial proportion on day 5; on day 9 the share of a among the half that stayed.
    first = by(fit, "a", 5)
    assert first.standard_error == pytest.approx(math.sqrt(0.2 * 0.8 / 10))
    variance = 0.125**2 * 0.5 / 5 + 0.2 * 0.8 / 10 + 0.5**2 * 0.25 * 0.75 / 4 - 2 * 0.125 * 0.2 / 10
    assert by(fit, "a", 9).standard_error == pytest.approx(math.sqrt(variance))
    spread = math.exp(1.959963984540054 * math.sqrt(0.016) / (0.2 * math.log(5)))
    assert (first.lower, first.upper) == (pytest.approx(0.2**spread), pytest.approx(0.2 ** (1 / spread)))
    assert (first.person_count, first.event_count, first.method) == (10, 2, "aalen_johansen_log_log")


def test_one_cause_is_one_minus_kaplan_meier_and_a_second_one_is_less() -> None:
    alone = fitted((0, 4, "a", 3), (0, 7, "a", 2), (0, 9, CENSORED, 5))
    km = kaplan_meier(
        pl.DataFrame({"entry_days": [0] * 3, "time_days": [4, 7, 9], "event_count": [3, 2, 0], "censored_count": [0, 0, 5]}),
        confidence=0.95,
    )  # fmt: skip
    for day in (4, 7, 9):
        assert by(alone, "a", day).value == pytest.approx(1.0 - (survival_at(km, time_days=day).value or 0.0))
    beside = fitted((0, 4, "a", 3), (0, 5, "b", 4), (0, 7, "a", 2), (0, 9, CENSORED, 1))
    assert by(beside, "a", 9).value == pytest.approx(0.5)
    one_minus_km = 1 - (1 - 3 / 10) * (1 - 2 / 3)
    assert by(beside, "a", 9).value < one_minus_km


def test_a_cause_that_nobody_had_has_an_exact_upper_limit() -> None:
    fit = fitted((0, 5, "a", 2), (0, 9, CENSORED, 18), (0, 12, CENSORED, 11))
    answer = by(fit, "b", 9)
    assert (answer.value, answer.lower, answer.standard_error, answer.event_count) == (0.0, 0.0, None, 0)
    assert answer.upper == pytest.approx(1 - 0.025 ** (1 / 29))
    assert by(fit, "b", 12).upper == pytest.approx(1 - 0.025 ** (1 / 11))
    assert by(fit, "b", 12).reason == "no event yet; the upper limit is exact"
    assert fit.curve.filter(cause="b")["upper"].to_list() == pytest.approx(
        [0.0, 1 - 0.025 ** (1 / 31), 1 - 0.025 ** (1 / 29), 1 - 0.025 ** (1 / 11)]
    )
    assert by(fit, "a", 1).upper == pytest.approx(1 - 0.025 ** (1 / 31))


def test_where_all_ended_by_one_cause_the_lower_limit_is_the_highest_so_far() -> None:
    fit = fitted((0, 5, "a", 6), (0, 9, "a", 4))
    last = by(fit, "a", 9)
    assert (last.value, last.upper) == (pytest.approx(1.0), 1.0)
    assert last.lower == by(fit, "a", 5).lower
    only = by(fitted((0, 5, "a", 6)), "a", 5)
    assert (only.value, only.lower, only.upper) == (pytest.approx(1.0), 0.0, 1.0)


def test_days_without_an_answer_say_why() -> None:
    fit = fitted((30, 45, "a", 2), (30, 60, CENSORED, 2))
    assert by(fit, "a", 30).reason == "nobody is at risk by day 30"
    assert by(fit, "a", 31).person_count == 4
    assert (by(fit, "a", 61).status, by(fit, "a", 61).reason) == (
        "not_estimable",
        "beyond the last observed time, day 60",
    )
    empty = fitted()
    assert (empty.curve.height, by(empty, "a", 0).status, by(empty, "a", 5).status) == (
        0,
        "not_estimable",
        "not_estimable",
    )
    start = by(fitted((0, 5, "a", 1)), "a", 0)
    assert (start.value, start.lower, start.upper, start.person_count) == (0.0, 0.0, 0.0, 1)


def test_a_risk_set_that_ends_before_others_enter_ends_the_curve() -> None:
    fit = fitted((0, 3, "a", 1), (0, 4, "b", 2), (6, 9, "a", 5))
    assert fit.gap == "the risk set empties on day 4 while persons enter later"
    assert fit.survival["time_days"].to_list() == [0, 3, 4]
    assert (by(fit, "a", 4).value, by(fit, "a", 9).reason) == (pytest.approx(1 / 3), fit.gap)


@pytest.mark.parametrize(
    ("frame", "causes", "message"),
    [
        (endings((0, 5, "c", 1)), CAUSES, "not asked for: c"),
        (endings((0, 5, "a", 1)), (), "named once each"),
        (endings((0, 5, "a", 1)), ("a", "a"), "named once each"),
        (endings((0, 5, "a", 1)), ("a", CENSORED), "named once each"),
        (endings((5, 5, "a", 1)), CAUSES, "1 durations have"),
        (endings((0, 5, "a", -1)), CAUSES, "1 durations have"),
        (endings((-1, 5, "a", 1)), CAUSES, "1 durations have"),
        (endings((0, 5, "a", 1)).drop("cause"), CAUSES, "need the columns cause"),
        (endings((0, 5, "a", 1)).with_columns(cause=pl.lit(None, pl.String)), CAUSES, "nulls"),
    ],
)
def test_frames_that_mean_nothing_are_refused(frame: pl.DataFrame, causes: tuple[str, ...], message: str) -> None:
    with pytest.raises(EstimationError, match=message):
        cumulative_incidence(frame, causes=causes, confidence=0.95)


def test_a_day_before_zero_an_unknown_cause_and_a_confidence_of_one_are_refused() -> None:
    fit = fitted((0, 5, "a", 1))
    for cause, day in (("a", -1), ("c", 3)):
        with pytest.raises(EstimationError, match="start at day 0"):
            by(fit, cause, day)
    with pytest.raises(EstimationError, match="confidence"):
        fitted((0, 5, "a", 1), confidence=1.0)


ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 12), st.sampled_from((*CAUSES, CENSORED)), st.integers(0, 4)).map(
        lambda row: (row[0], row[0] + row[1], row[2], row[3])
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(rows=ROWS, shuffled=st.randoms(use_true_random=False))
def test_causes_and_survival_sum_to_one_whatever_the_order_of_rows(rows: list[Row], shuffled: Any) -> None:
    fit = fitted(*rows, confidence=0.9)
    summed = fit.curve.group_by("time_days").agg(pl.col("value").sum()).sort("time_days")["value"]
    assert (summed + fit.survival["value"]).to_list() == pytest.approx([1.0] * fit.survival.height, abs=1e-12)
    numbers = fit.curve.select("value", "lower", "upper", pl.col("standard_error").fill_null(0.0)).to_numpy()
    assert np.isfinite(numbers).all()
    assert (numbers[:, 1] <= numbers[:, 0] + 1e-12).all()
    assert (numbers[:, 0] <= numbers[:, 2] + 1e-12).all()
    mixed = [(entry, day, cause, 1) for entry, day, cause, count in rows for _ in range(count)]
    shuffled.shuffle(mixed)
    again = fitted(*mixed, confidence=0.9)
    assert again.curve.equals(fit.curve)
    assert again.survival.equals(fit.survival)


def test_limits_cover_the_planted_incidence() -> None:
    # Cause a takes 3 of 10 whatever the day of the ending, days uniform on 1..100, follow-up uniform on 20..120.
    rng = np.random.default_rng(7)
    covered = {30: 0, 60: 0}
    rounds, size = 500, 150
    for _ in range(rounds):
        day, end = rng.integers(1, 101, size), rng.integers(20, 121, size)
        cause = np.where(day > end, CENSORED, np.where(rng.random(size) < 0.3, "a", "b"))
        frame = pl.DataFrame({"entry_days": 0, "time_days": np.minimum(day, end), "cause": cause, "count": 1})
        fit = cumulative_incidence(frame, causes=CAUSES, confidence=0.95)
        for asked in covered:
            answer = by(fit, "a", asked)
            assert answer.lower is not None
            assert answer.upper is not None
            covered[asked] += answer.lower <= 0.3 * asked / 100 <= answer.upper
    assert all(0.925 <= count / rounds <= 0.975 for count in covered.values())
