"""Log-rank tests: R's survdiff and exact score tests, a slow reference, ties by hand, and tests that do not exist."""

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from analysis.estimate.endings import DURATION_COLUMNS
from analysis.estimate.log_rank import LogRank, Weights, log_rank, log_rank_trend
from analysis.estimate.result import EstimationError

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "log_rank.json").read_text())
Row = tuple[str, str, int, int, int, int]
OPTIONS: dict[str, dict[str, Any]] = {
    "log_rank": {},
    "rho_1": {"weights": "fleming_harrington", "rho": 1.0},
    "rho_half": {"weights": "fleming_harrington", "rho": 0.5},
    "stratified": {"strata": "stratum"},
    "stratified_rho_1": {"weights": "fleming_harrington", "rho": 1.0, "strata": "stratum"},
}


def durations(*rows: Row) -> pl.DataFrame:
    """Rows of group, stratum, entry, time, events, censored."""
    schema = {"group": pl.String, "stratum": pl.String} | dict.fromkeys(DURATION_COLUMNS, pl.Int64)
    return pl.DataFrame(rows, schema=schema, orient="row")


def trend(test: LogRank) -> float | None:
    return log_rank_trend(test, {group: place for place, group in enumerate(test.table["group"])}).value


@pytest.mark.parametrize("asked", OPTIONS)
@pytest.mark.parametrize("truth", TRUTH["entry_at_zero"], ids=lambda truth: truth["name"])
def test_tests_are_those_of_survdiff(truth: dict[str, Any], asked: str) -> None:
    test, expected = log_rank(pl.DataFrame(truth["durations"]), **OPTIONS[asked]), truth[asked]
    assert test.answer.value == pytest.approx(expected["value"], rel=1e-10)
    assert test.answer.p_value == pytest.approx(expected["p_value"], rel=1e-10)
    assert test.covariance.ravel() == pytest.approx(expected["covariance"], rel=1e-10, abs=1e-12)
    if "rho" not in asked:  # R's are weighted then
        assert test.table["observed_count"].to_list() == expected["observed"]
        assert test.table["expected"].to_list() == pytest.approx(expected["expected"], rel=1e-12)
    assert test.differences == pytest.approx(np.array(expected["observed"]) - expected["expected"], rel=1e-9)
    assert trend(test) == pytest.approx(expected["trend"], rel=1e-8)


@pytest.mark.parametrize("truth", TRUTH["delayed_entry"], ids=lambda truth: truth["name"])
def test_with_delayed_entry_tests_are_score_tests_of_coxph(truth: dict[str, Any]) -> None:
    frame = pl.DataFrame(truth["durations"])
    assert log_rank(frame).answer.value == pytest.approx(truth["log_rank"], rel=1e-10)
    assert log_rank(frame, strata="stratum").answer.value == pytest.approx(truth["stratified"], rel=1e-10)
    assert (trend(log_rank(frame)) or 0.0) ** 2 == pytest.approx(truth["trend"], rel=1e-10)


def test_two_tied_days_by_hand() -> None:
    # Day 5: 4 and 6 at risk, 2 and 1 events. Day 8, after one censoring on day 5: 2 and 4 at risk, 0 and 2 events.
    test = log_rank(
        durations(
            ("a", "", 0, 5, 2, 0), ("a", "", 0, 9, 0, 2), ("b", "", 0, 5, 1, 1), ("b", "", 0, 8, 2, 0), ("b", "", 0, 9, 0, 2)
        )
    )  # fmt: skip
    difference = 2 - 3 * 0.4 + 0 - 2 * 2 / 6
    variance = 3 * 0.4 * 0.6 * 7 / 9 + 2 * (1 / 3) * (2 / 3) * 4 / 5
    assert test.table.rows() == [("a", 4, 2, pytest.approx(1.2 + 2 / 3)), ("b", 6, 3, pytest.approx(1.8 + 4 / 3))]
    assert test.answer.value == pytest.approx(difference**2 / variance)
    assert test.answer.p_value == pytest.approx(math.erfc(abs(difference) / math.sqrt(2 * variance)))
    assert (test.answer.person_count, test.answer.event_count, test.answer.method) == (10, 5, "log_rank")
    assert trend(test) == pytest.approx(-difference / math.sqrt(variance))


def test_a_group_never_compared_costs_its_degree_of_freedom() -> None:
    rows = [("a", "x", 0, 5, 3, 4), ("b", "x", 0, 6, 2, 9), ("c", "y", 0, 7, 3, 3)]
    test = log_rank(durations(*rows), strata="stratum")
    alone = log_rank(durations(*rows[:2]))
    assert test.answer.value == pytest.approx(alone.answer.value)
    assert test.answer.p_value == pytest.approx(alone.answer.p_value)
    assert test.answer.reason == "1 degrees of freedom for 3 groups"
    assert test.answer.method == "log_rank_stratified"


@pytest.mark.parametrize(
    ("rows", "strata", "reason"),
    [
        ([], None, "fewer than two groups"),
        ([("a", "", 0, 5, 2, 1)], None, "fewer than two groups"),
        ([("a", "", 0, 5, 0, 1), ("b", "", 0, 5, 0, 1)], None, "no events"),
        ([("a", "", 0, 5, 1, 0), ("b", "", 5, 9, 1, 0)], None, "no risk set compares two groups"),
        ([("a", "x", 0, 5, 1, 2), ("b", "y", 0, 9, 1, 2)], "stratum", "no risk set compares two groups"),
    ],
)
def test_without_information_there_is_no_test(rows: list[Row], strata: str | None, reason: str) -> None:
    test = log_rank(durations(*rows), strata=strata)
    assert (test.answer.status, test.answer.reason, test.answer.value) == ("not_estimable", reason, None)
    answer = log_rank_trend(test, {group: place for place, group in enumerate(test.table["group"])})
    assert (answer.status, answer.reason) == ("not_estimable", reason)


def test_questions_that_mean_nothing_are_refused() -> None:
    frame = durations(("a", "", 0, 5, 2, 1), ("b", "", 0, 6, 2, 1))
    for wrong in ({"weights": "breslow"}, {"weights": "fleming_harrington", "rho": -1.0}, {"rho": 1.0}):
        with pytest.raises(EstimationError, match="rho"):
            log_rank(frame, **wrong)  # type: ignore[arg-type]
    for column in ("group", "time_days"):
        with pytest.raises(EstimationError, match=f"need the columns {column}"):
            log_rank(frame.drop(column))
    with pytest.raises(EstimationError, match="nulls"):
        log_rank(frame.with_columns(stratum=pl.lit(None, pl.String)), strata="stratum")
    for scores in ({"a": 1.0}, {"a": 1.0, "b": math.inf}, {"a": 1.0, "c": 2.0}):
        with pytest.raises(EstimationError, match="one finite score"):
            log_rank_trend(log_rank(frame), scores)


def slow(rows: list[Row], weights: Weights, rho: float, gamma: float) -> tuple[float, float]:
    """Difference of the first group and its variance, person by person, in each stratum."""
    difference = variance = 0.0
    for stratum in {row[1] for row in rows}:
        own = [row for row in rows if row[1] == stratum]
        survival = peto = 1.0
        for day in sorted({row[3] for row in own if row[4]}):
            n, d = (
                [sum(row[4] + (row[5] if k == 0 else 0) for row in own if row[0] == group and wanted(row, day)) for group in "ab"]
                for k, wanted in enumerate((lambda row, day: row[2] < day <= row[3], lambda row, day: row[3] == day))
            )  # fmt: skip
            total, tied = sum(n), sum(d)
            peto *= 1 - tied / (total + 1)
            weight = {
                "log_rank": 1.0, "wilcoxon": total, "tarone_ware": math.sqrt(total), "peto": peto,
                "fleming_harrington": survival**rho * (1 - survival) ** gamma,
            }[weights]  # fmt: skip
            survival *= 1 - tied / total
            difference += weight * (d[0] - tied * n[0] / total)
            if total > 1:
                variance += weight**2 * tied * n[0] * n[1] * (total - tied) / (total**2 * (total - 1))
    return difference, variance


ROWS = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 5), st.integers(1, 9), st.integers(0, 3), st.integers(0, 3)
    ).map(lambda row: (*row[:3], row[2] + row[3], *row[4:])),
    min_size=4,
    max_size=14,
)  # fmt: skip


@settings(deadline=None)
@given(rows=ROWS, weights=st.sampled_from(get_args(Weights)), shuffled=st.randoms(use_true_random=False))
def test_every_weight_is_the_slow_sum_whatever_the_order(rows: list[Row], weights: Weights, shuffled: Any) -> None:
    rho, gamma = (1.0, 0.5) if weights == "fleming_harrington" else (0.0, 0.0)
    test = log_rank(durations(*rows), weights=weights, rho=rho, gamma=gamma, strata="stratum")
    difference, variance = slow(rows, weights, rho, gamma)
    if test.answer.value is None:
        assert variance == pytest.approx(0.0, abs=1e-12) or test.table.height < 2
        return
    assert test.differences[0] == pytest.approx(difference, abs=1e-9)
    assert test.covariance[0, 0] == pytest.approx(variance, rel=1e-9)
    assert test.answer.p_value == pytest.approx(chi2.sf(difference**2 / variance, 1), rel=1e-6)
    mixed = list(rows)
    shuffled.shuffle(mixed)
    again = log_rank(durations(*mixed), weights=weights, rho=rho, gamma=gamma, strata="stratum")
    assert again.answer == test.answer


def test_rounding_is_no_variance_where_no_risk_set_compares_the_groups() -> None:
    """A difference of sums left 4e-16 here, and a chi-squared of 0 with P 1."""
    rows: list[Row] = [
        ("a", "x", 0, 1, 0, 1),
        *(("b", "x", 0, day, count, count) for day, count in ((2, 1), (3, 2), (4, 1), (5, 1))),
    ]
    test = log_rank(durations(*rows), weights="peto")
    assert (test.answer.value, test.answer.reason) == (None, "no risk set compares two groups")
