"""Persistence: survfit's curves, medians by hand, and every way a median can fail to exist."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from analysis.estimate.endings import DURATION_COLUMNS
from analysis.estimate.persistence import kaplan_meier, longest_recorded, median_in_months, naive_median, survival_at
from analysis.estimate.result import Answer, EstimationError

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "kaplan_meier.json").read_text())
Row = tuple[int, int, int, int]


def durations(*rows: Row) -> pl.DataFrame:
    """Rows of entry, time, events, censored."""
    return pl.DataFrame(rows, schema=dict.fromkeys(DURATION_COLUMNS, pl.Int64), orient="row")


def numbers(answer: Answer) -> tuple[float | None, float | None, float | None]:
    return answer.value, answer.lower, answer.upper


@pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth["name"])
def test_curves_are_those_of_survfit(truth: dict[str, Any]) -> None:
    km = kaplan_meier(pl.DataFrame({c: truth[c] for c in DURATION_COLUMNS}), confidence=truth["confidence"])
    curve = km.curve.slice(1)
    assert km.gap == ""
    for column, name in (
        ("time_days", "time"), ("at_risk_count", "at_risk"), ("event_count", "events"), ("censored_count", "censored"),
    ):  # fmt: skip
        assert curve[column].to_list() == truth[f"curve_{name}"]
    assert curve["value"].to_list() == pytest.approx(truth["curve_value"], abs=1e-12)
    above_zero = [value > 0 for value in truth["curve_value"]]
    for column in ("lower", "upper"):
        limits = np.array(truth[f"curve_{column}"], dtype=float)[above_zero]
        assert curve[column].to_numpy()[above_zero] == pytest.approx(limits, abs=1e-9)


@pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth["name"])
def test_medians_are_those_of_survfit(truth: dict[str, Any]) -> None:
    km = kaplan_meier(pl.DataFrame({c: truth[c] for c in DURATION_COLUMNS}), confidence=truth["confidence"])
    assert numbers(km.median) == (truth["median"], truth["median_lower"], truth["median_upper"])
    reached = truth["median"] is not None
    assert km.median.status == ("ok" if reached else "limit_only" if truth["median_lower"] else "not_estimable")


def test_where_nobody_stays_r_gives_no_limits_and_we_keep_the_last_upper_one() -> None:
    (truth,) = (row for row in TRUTH if row["name"] == "all_stop")
    assert (truth["curve_value"][-1], truth["curve_lower"][-1], truth["curve_upper"][-1]) == (0, None, None)
    km = kaplan_meier(pl.DataFrame({c: truth[c] for c in DURATION_COLUMNS}), confidence=0.95)
    assert km.curve.row(-1)[1:4] == (0.0, 0.0, pytest.approx(truth["curve_upper"][-2]))


def test_a_curve_by_hand_starts_at_one_and_counts_events_before_censorings() -> None:
    km = kaplan_meier(durations((0, 5, 1, 0), (0, 8, 1, 1), (0, 10, 0, 1)), confidence=0.95)
    assert km.curve.select("time_days", "value", "at_risk_count", "event_count", "censored_count").rows() == [
        (0, 1.0, 4, 0, 0),
        (5, pytest.approx(0.75), 4, 1, 0),
        (8, pytest.approx(0.5), 3, 1, 1),
        (10, pytest.approx(0.5), 1, 0, 1),
    ]
    assert km.curve.select("lower", "upper").row(0) == (1.0, 1.0)
    # Kalbfleisch and Prentice: exp(-exp(log(-log S) +- 1.96 se / |log S|)), Greenwood's sum at day 5 is 1 / (4 * 3).
    spread = 1.959963984540054 * math.sqrt(1 / 12) / -math.log(0.75)
    assert km.curve["lower"][1] == pytest.approx(0.75 ** math.exp(spread), rel=1e-12)
    assert km.curve["upper"][1] == pytest.approx(0.75 ** math.exp(-spread), rel=1e-12)
    assert (km.median.person_count, km.median.event_count, km.median.person_days) == (4, 2, 31)


def test_a_survival_of_exactly_one_half_is_the_median_on_either_side_of_rounding() -> None:
    # n at risk, one stops, as many as are left enter, n - 2 stop: (n - 1) / n * n / (2 (n - 1)) = 1 / 2.
    floats = []
    for count in range(3, 60):
        rows = [(0, 1, 1, 0), (0, 2, count - 2, 1), (1, 9, 0, count - 1)]
        km = kaplan_meier(durations(*rows), confidence=0.95)
        assert km.median.value == 2.0
        floats.append(km.curve["value"][2])
    assert min(floats) < 0.5 < max(floats)


def test_just_above_one_half_is_not_the_median() -> None:
    km = kaplan_meier(durations((0, 10, 500_000, 0), (0, 20, 1, 500_000)), confidence=0.95)
    assert km.curve["value"][1] == pytest.approx(500_001 / 1_000_001)
    assert km.median.value == 20.0


def test_a_median_not_reached_has_its_lower_limit_only() -> None:
    answer = kaplan_meier(durations((0, 10, 4, 0), (0, 20, 0, 6)), confidence=0.95).median
    assert (answer.status, answer.reason, numbers(answer)) == ("limit_only", "not reached", (None, 10.0, None))


def test_a_median_whose_lower_limit_is_not_reached_is_not_estimable() -> None:
    answer = kaplan_meier(durations((0, 10, 1, 0), (0, 20, 0, 60)), confidence=0.95).median
    assert (answer.status, answer.reason, numbers(answer)) == ("not_estimable", "not reached", (None, None, None))
    assert (answer.person_count, answer.event_count) == (61, 1)


def test_without_any_event_the_curve_stays_at_one_and_has_no_median() -> None:
    km = kaplan_meier(durations((0, 10, 0, 5)), confidence=0.95)
    assert km.curve["value"].to_list() == [1.0, 1.0]
    assert km.median.status == "not_estimable"


def test_an_upper_limit_not_reached_is_said() -> None:
    answer = kaplan_meier(durations((0, 5, 1, 0), (0, 8, 1, 1), (0, 10, 0, 1)), confidence=0.95).median
    assert (numbers(answer), answer.status, answer.reason) == ((8.0, 5.0, None), "ok", "upper limit not reached")


def test_a_person_is_at_risk_from_the_day_after_entering() -> None:
    km = kaplan_meier(durations((0, 5, 1, 3), (5, 9, 1, 1), (4, 9, 0, 1)), confidence=0.95)
    assert km.curve.select("time_days", "at_risk_count").rows() == [(0, 4), (5, 5), (9, 3)]
    assert km.curve["value"].to_list() == pytest.approx([1.0, 4 / 5, 4 / 5 * 2 / 3])


def test_a_risk_set_that_stops_before_others_enter_has_no_median() -> None:
    km = kaplan_meier(durations((0, 3, 1, 0), (5, 8, 2, 2), (6, 10, 0, 9)), confidence=0.95)
    assert km.gap == "the risk set empties on day 3 while persons enter later"
    assert (km.median.status, km.median.reason) == ("not_estimable", km.gap)
    assert (km.median.person_count, km.median.event_count) == (14, 3)
    assert km.curve["time_days"].to_list() == [0, 3]
    assert survival_at(km, time_days=2).status == "ok"
    for day in (3, 8, 10, 11):
        assert (survival_at(km, time_days=day).status, survival_at(km, time_days=day).reason) == (
            "not_estimable",
            km.gap,
        )


def test_a_risk_set_that_stops_as_others_enter_has_no_median() -> None:
    km = kaplan_meier(durations((0, 3, 2, 0), (3, 8, 2, 2)), confidence=0.95)
    assert (km.median.status, km.gap) == ("not_estimable", "the risk set empties on day 3 while persons enter later")


def test_a_risk_set_emptied_by_censoring_ends_the_curve_and_keeps_a_median_reached_before() -> None:
    reached = kaplan_meier(durations((0, 3, 3, 0), (0, 6, 0, 2), (9, 12, 4, 0)), confidence=0.95)
    assert (reached.median.status, reached.median.value) == ("ok", 3.0)
    assert reached.curve["time_days"].to_list() == [0, 3, 6]
    assert survival_at(reached, time_days=6).value == pytest.approx(0.4)
    assert survival_at(reached, time_days=7).reason == reached.gap
    before = kaplan_meier(durations((0, 3, 1, 0), (0, 6, 0, 40), (9, 12, 4, 0)), confidence=0.95)
    assert (before.median.status, before.median.reason) == ("not_estimable", before.gap)


def test_censoring_that_empties_the_risk_set_as_others_enter_is_no_gap() -> None:
    km = kaplan_meier(durations((0, 6, 1, 3), (6, 9, 4, 0)), confidence=0.95)
    assert (km.gap, km.median.value) == ("", 9.0)


def test_a_common_later_entry_is_no_gap() -> None:
    km = kaplan_meier(durations((30, 45, 2, 0), (30, 60, 2, 2)), confidence=0.95)
    assert (km.gap, km.median.value) == ("", 60.0)
    assert km.curve.row(0) == (0, 1.0, 1.0, 1.0, 0, 0, 0)
    assert survival_at(km, time_days=30).reason == "nobody is at risk by day 30"
    assert survival_at(km, time_days=31).person_count == 6


def test_nobody_is_an_empty_curve_and_not_estimable() -> None:
    km = kaplan_meier(durations(), confidence=0.95)
    assert (km.curve.height, km.person_count, km.median.status) == (0, 0, "not_estimable")
    assert survival_at(km, time_days=0).status == "not_estimable"
    assert naive_median(durations((0, 5, 0, 0)), confidence=0.95).status == "not_estimable"


def test_survival_at_a_day_holds_the_last_step_and_who_is_at_risk() -> None:
    km = kaplan_meier(durations((0, 5, 2, 0), (0, 9, 3, 1), (6, 12, 1, 3), (0, 12, 0, 4)), confidence=0.95)
    step = km.curve.row(1, named=True)
    for day, at_risk in ((5, 10), (6, 8), (7, 12), (8, 12)):
        answer = survival_at(km, time_days=day)
        assert numbers(answer) == (step["value"], step["lower"], step["upper"])
        assert (answer.person_count, answer.event_count) == (at_risk, 2)
    assert survival_at(km, time_days=9).event_count == 5
    assert survival_at(km, time_days=12).status == "ok"
    beyond = survival_at(km, time_days=13)
    assert (beyond.status, beyond.reason) == ("not_estimable", "beyond the last observed time, day 12")
    with pytest.raises(EstimationError, match="day -1"):
        survival_at(km, time_days=-1)


def test_before_the_first_event_survival_is_one_with_an_exact_lower_limit() -> None:
    km = kaplan_meier(durations((0, 5, 0, 10), (0, 9, 0, 1), (0, 20, 3, 17)), confidence=0.95)
    assert numbers(survival_at(km, time_days=0)) == (1.0, 1.0, 1.0)
    # Clopper and Pearson: 0 of 31, then 0 of the 21 and 20 that are left.
    for day, count in ((1, 31), (5, 31), (6, 21), (10, 20), (19, 20)):
        answer = survival_at(km, time_days=day)
        assert (answer.value, answer.upper, answer.person_count) == (1.0, 1.0, count)
        assert answer.lower == pytest.approx(0.025 ** (1 / count), rel=1e-12)


def test_late_entries_do_not_strengthen_the_limit_before_the_first_event() -> None:
    km = kaplan_meier(durations((0, 50, 1, 9), (20, 50, 0, 1000)), confidence=0.95)
    answer = survival_at(km, time_days=40)
    assert (answer.person_count, answer.lower) == (1010, pytest.approx(0.025 ** (1 / 10)))


def test_months_are_30_4375_days() -> None:
    days = kaplan_meier(durations((0, 487, 60, 0), (0, 974, 57, 3)), confidence=0.95).median
    months = median_in_months(days)
    assert (months.value, months.lower) == (16.0, 16.0)
    assert (months.upper, months.person_count, months.method) == (32.0, 120, days.method)
    unreached = median_in_months(kaplan_meier(durations((0, 10, 4, 0), (0, 20, 0, 6)), confidence=0.95).median)
    assert (unreached.status, unreached.value, unreached.lower) == ("limit_only", None, pytest.approx(10 / 30.4375))


def test_the_naive_median_takes_ongoing_durations_as_ended() -> None:
    rows = durations((0, 100, 3, 0), (0, 200, 0, 7))
    naive = naive_median(rows, confidence=0.95)
    assert (naive.value, naive.event_count, naive.person_count, naive.person_days) == (200.0, 3, 10, 1700)
    assert kaplan_meier(rows, confidence=0.95).median.value is None


@pytest.mark.parametrize(("count", "rank"), [(6, 1), (9, 2), (10, 2), (25, 8), (100, 40), (1000, 469)])
def test_naive_limits_are_the_order_statistics_of_the_sign_test(count: int, rank: int) -> None:
    # Tabulated ranks (David and Nagaraja): the largest r with P(Bin(n, 1/2) < r) <= 0.025.
    assert binom.cdf(rank - 1, count, 0.5) <= 0.025 < binom.cdf(rank, count, 0.5)
    answer = naive_median(durations(*[(0, day, day % 2, 1 - day % 2) for day in range(1, count + 1)]), confidence=0.95)
    assert numbers(answer) == ((count + 1) // 2, rank, count + 1 - rank)


def test_five_persons_are_too_few_for_limits_of_the_naive_median() -> None:
    answer = naive_median(durations(*[(0, day, 1, 0) for day in range(1, 6)]), confidence=0.95)
    assert (numbers(answer), answer.status, answer.reason) == ((3.0, None, None), "ok", "too few persons for limits")


@pytest.mark.parametrize("row", [(0, 0, 1, 0), (5, 5, 1, 0), (6, 5, 0, 1), (-1, 5, 1, 0), (0, 5, -1, 2), (0, 5, 2, -1)])
def test_impossible_durations_are_refused(row: Row) -> None:
    for estimator in (kaplan_meier, naive_median):
        with pytest.raises(EstimationError, match="1 durations have a negative number or a time not after"):
            estimator(durations((0, 9, 1, 1), row), confidence=0.95)


def test_a_missing_column_and_nulls_are_refused() -> None:
    with pytest.raises(EstimationError, match="need the columns entry_days"):
        kaplan_meier(durations((0, 9, 1, 1)).drop("entry_days"), confidence=0.95)
    with pytest.raises(EstimationError, match="nulls"):
        kaplan_meier(durations((0, 9, 1, 1)).with_columns(event_count=pl.lit(None, pl.Int64)), confidence=0.95)


def test_numpy_errors_stay_as_they_were() -> None:
    before = np.geterr()
    kaplan_meier(durations((0, 5, 1, 1)), confidence=0.95)
    assert np.geterr() == before


ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 12), st.integers(0, 4), st.integers(0, 4)).map(
        lambda row: (row[0], row[0] + row[1], row[2], row[3])
    ),
    min_size=1,
    max_size=12,
)


@settings(deadline=None)
@given(rows=ROWS)
def test_a_row_of_many_equals_many_rows_of_one(rows: list[Row]) -> None:
    single = [
        (entry, day, is_event, 1 - is_event)
        for entry, day, events, censored in rows
        for is_event, count in ((1, events), (0, censored))
        for _ in range(count)
    ]
    one, many = kaplan_meier(durations(*rows), confidence=0.9), kaplan_meier(durations(*single), confidence=0.9)
    assert one.curve.equals(many.curve)
    assert (one.median, one.gap) == (many.median, many.gap)


@settings(deadline=None)
@given(rows=ROWS)
def test_the_curve_is_the_product_of_those_who_stay(rows: list[Row]) -> None:
    km = kaplan_meier(durations(*rows), confidence=0.9)
    survival = 1.0
    for day, value, lower, upper, at_risk, events, _ in km.curve.slice(1).iter_rows():
        assert at_risk == sum(row[2] + row[3] for row in rows if row[0] < day <= row[1])
        assert events == sum(row[2] for row in rows if row[1] == day)
        survival *= 1 - events / at_risk
        assert value == pytest.approx(survival, abs=1e-12)
        assert 0.0 <= lower <= value + 1e-12
        assert value - 1e-12 <= upper <= 1.0
        answer = survival_at(km, time_days=day)
        assert answer.status == "not_estimable" or answer.person_count == at_risk


def test_the_longest_is_what_was_recorded_and_a_lower_bound_where_it_goes_on() -> None:
    ended = longest_recorded(durations((0, 40, 2, 0), (0, 90, 1, 0), (5, 60, 0, 3)))
    assert (numbers(ended), ended.reason, ended.person_count, ended.event_count) == ((90.0, None, None), "", 1, 1)
    both = longest_recorded(durations((0, 90, 1, 1), (0, 10, 4, 0)))
    assert (both.value, both.person_count, both.event_count) == (90.0, 2, 1)
    assert "lower bound" in both.reason
    assert longest_recorded(durations()).status == "not_estimable"
