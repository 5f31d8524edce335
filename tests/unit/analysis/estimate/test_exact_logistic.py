"""Exact conditional logistic regression: every outcome written out, Fisher's tables, a textbook, the edges."""

import itertools
import math
from typing import get_args

import numpy as np
import polars as pl
import pytest

from analysis.estimate import exact_logistic as module
from analysis.estimate.exact_logistic import ExactMethod, exact_logistic, sufficient_statistic
from analysis.estimate.result import Answer, EstimationError
from analysis.estimate.two_by_two import OddsRatioMethod, TwoByTwo, exact_conditional_stratified, odds_ratio


def rows_of(*cells: tuple[float, ...], names: tuple[str, ...] = ("x",)) -> pl.DataFrame:
    """Cells of covariates, events and others."""
    rows = []
    for *values, events, others in cells:
        rows += [[*values, 1.0]] * int(events) + [[*values, 0.0]] * int(others)
    return pl.DataFrame(rows, schema=[*names, "event"], orient="row")


def table(cells: tuple[int, int, int, int]) -> pl.DataFrame:
    return rows_of((1.0, cells[0], cells[1]), (0.0, cells[2], cells[3]))


def same(one: Answer, other: Answer) -> bool:
    for part in ("value", "lower", "upper", "p_value"):
        ours, theirs = getattr(one, part), getattr(other, part)
        if (ours is None) != (theirs is None) or (theirs is not None and ours != pytest.approx(theirs, rel=1e-9)):
            return False
    return (one.status, one.event_count) == (other.status, other.event_count)


@pytest.mark.parametrize(
    "cells", [(12, 5, 7, 20), (3, 3, 3, 3), (0, 5, 7, 20), (5, 0, 7, 20), (3, 7, 0, 9), (8, 3, 5, 0), (60, 90, 50, 100)]
)
@pytest.mark.parametrize(("ours", "theirs"), [("conditional", "exact_conditional"), ("mid_p", "exact_mid_p")])
def test_one_binary_covariate_is_fishers_table(
    cells: tuple[int, int, int, int], ours: ExactMethod, theirs: OddsRatioMethod
) -> None:
    answer = exact_logistic(table(cells), "x", given=[], method=ours, confidence=0.95)
    assert same(answer, odds_ratio(TwoByTwo(*cells), method=theirs, confidence=0.95))
    assert answer.method == f"exact_logistic_{ours}"


def test_a_binary_covariate_given_a_factor_is_fishers_strata() -> None:
    strata = [TwoByTwo(2, 40, 9, 38), TwoByTwo(1, 22, 6, 25), TwoByTwo(4, 61, 11, 58)]
    cells = []
    for code, each in enumerate(strata):
        first, second = float(code == 1), float(code == 2)
        cells.append((1.0, first, second, float(code), each.exposed_cases, each.exposed_noncases))
        cells.append((0.0, first, second, float(code), each.comparator_cases, each.comparator_noncases))
    rows = rows_of(*cells, names=("x", "first", "second", "site"))
    expected = exact_conditional_stratified(strata, confidence=0.95)
    assert same(exact_logistic(rows, "x", given=["first", "second"], method="conditional", confidence=0.95), expected)
    assert same(
        exact_logistic(rows, "x", given=[], matched_set="site", method="conditional", confidence=0.95), expected
    )


def test_promotions_are_what_agresti_prints() -> None:
    # Agresti 2002, Categorical Data Analysis, 6.7.5 (data of Gastwirth 1988): nobody of 22 black candidates is promoted;
    # 95% limits of the common odds ratio (0, 1.01), two-sided P 0.056, one-sided 0.026.
    cells = [(1.0, 7, 0, 7), (0.0, 7, 4, 16), (1.0, 8, 0, 7), (0.0, 8, 4, 13), (1.0, 9, 0, 8), (0.0, 9, 2, 13)]
    rows = rows_of(*cells, names=("black", "month"))
    answers = {
        method: exact_logistic(rows, "black", given=[], matched_set="month", method=method, confidence=0.95)
        for method in get_args(ExactMethod)
    }
    conditional, unbiased = answers["conditional"], answers["median_unbiased"]
    assert (conditional.status, conditional.value, conditional.lower) == ("ok", 0.0, 0.0)
    assert (round(conditional.upper or 0, 2), round(conditional.p_value or 0, 3)) == (1.01, 0.056)
    assert round((unbiased.p_value or 0) / 2, 3) == 0.026
    assert conditional.reason == "the sum of black over the events is the smallest possible"


def by_enumeration(x: np.ndarray, events: np.ndarray) -> dict[float, int]:
    """How many outcomes with the same sums of the other columns, and as many events, have each sum of the first."""
    counts: dict[float, int] = {}
    for chosen in itertools.combinations(range(len(x)), int(events.sum())):
        sums = x[list(chosen)].sum(axis=0).round(9)
        if (np.abs(sums[1:] - (events @ x)[1:]) < 1e-6).all():
            counts[float(sums[0])] = counts.get(float(sums[0]), 0) + 1
    return counts


@pytest.mark.parametrize("seed", range(6))
def test_the_distribution_is_that_of_every_outcome(seed: int) -> None:
    random = np.random.default_rng(seed)
    count = 12
    x = np.column_stack(
        (random.integers(-3, 4, count) / 10, random.integers(0, 3, count), (random.random(count) < 0.5).astype(float))
    )
    events = (np.arange(count) < 5).astype(np.int64)
    truth = dict(sorted(by_enumeration(x, events).items()))
    found = sufficient_statistic(x, events, np.zeros(count, dtype=np.intp))
    observed = float((events @ x)[0])
    assert (found.values + observed).tolist() == pytest.approx(list(truth), abs=1e-9)
    assert np.exp(found.log_weights).tolist() == pytest.approx(list(truth.values()), rel=1e-10)
    assert found.values[found.place] == 0.0


def test_median_unbiased_is_the_middle_of_the_half_limits_and_stands_at_the_edge() -> None:
    inside = exact_logistic(table((12, 5, 7, 20)), "x", given=[], method="median_unbiased", confidence=0.95)
    halves = odds_ratio(TwoByTwo(12, 5, 7, 20), method="exact_conditional", confidence=1e-12)
    assert inside.value == pytest.approx(math.sqrt((halves.lower or 0) * (halves.upper or 0)), rel=1e-9)
    highest = exact_logistic(table((3, 7, 0, 9)), "x", given=[], method="median_unbiased", confidence=0.95)
    # P(all three events exposed) = 1/2.
    assert highest.status == "ok"
    assert highest.upper is None
    assert highest.value is not None
    weights = [math.comb(10, k) * math.comb(9, 3 - k) * highest.value**k for k in range(4)]
    assert weights[3] / sum(weights) == pytest.approx(0.5, rel=1e-9)
    assert highest.reason == "the sum of x over the events is the largest possible"


def test_a_unit_of_the_covariate_is_a_power_of_the_odds_ratio() -> None:
    rows = rows_of((0.0, 1, 5), (0.1, 2, 3), (0.3, 4, 2), (0.7, 3, 1))
    one = exact_logistic(rows, "x", given=[], method="conditional", confidence=0.95)
    other = exact_logistic(
        rows.with_columns(x=10 * pl.col("x") + 3), "x", given=[], method="conditional", confidence=0.95
    )
    assert one.value is not None
    assert other.value == pytest.approx(one.value**0.1, rel=1e-9)
    assert other.p_value == pytest.approx(one.p_value or 0, rel=1e-12)


def test_decimals_are_summed_as_they_are_written() -> None:
    # 0.1 + 0.2 is not 0.3 as a double, and yet one event at 0.3 and one at 0 have the same sum.
    rows = pl.DataFrame({"z": [0.1, 0.2, 0.3, 0.0], "x": [0.0, 1.0, 0.0, 0.0], "event": [1, 1, 0, 0]})
    answer = exact_logistic(rows, "x", given=["z"], method="conditional", confidence=0.95)
    assert answer.status == "limit_only"
    assert answer.p_value == pytest.approx(1.0)


@pytest.mark.parametrize("method", get_args(ExactMethod))
@pytest.mark.parametrize(
    ("rows", "given", "reason"),
    [
        (table((0, 31, 0, 31)), [], "no events"),
        (table((3, 0, 4, 0)), [], "every row is an event"),
        (table((4, 9, 0, 0)), [], "given the rest, only one sum of x over the events is possible"),
        (table((4, 9, 3, 5)).with_columns(twice=2 * pl.col("x")), ["twice"], "given the rest, only one sum of x"),
    ],
)
def test_without_information_there_is_no_answer(
    rows: pl.DataFrame, given: list[str], reason: str, method: ExactMethod
) -> None:
    answer = exact_logistic(rows, "x", given=given, method=method, confidence=0.95)
    assert answer.status == "not_estimable"
    assert answer.reason.startswith(reason)


def test_an_odds_ratio_too_large_to_be_held_says_so() -> None:
    rows = rows_of((0.0, 1, 5), (0.0001, 4, 2))
    answer = exact_logistic(rows, "x", given=[], method="conditional", confidence=0.95)
    assert answer.reason == "an odds ratio for one unit of x is too large or small to be held"


def test_what_is_too_large_or_cannot_be_meant_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EstimationError, match="unknown method"):
        exact_logistic(table((1, 2, 3, 4)), "x", given=[], method="exact", confidence=0.95)  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="each covariate once"):
        exact_logistic(table((1, 2, 3, 4)), "x", given=["x"], method="mid_p", confidence=0.95)
    wide = pl.DataFrame({"x": [0.1, 0.2, 1e20], "event": [0, 1, 0]})
    with pytest.raises(EstimationError, match="too many digits"):
        exact_logistic(wide, "x", given=[], method="mid_p", confidence=0.95)
    monkeypatch.setattr(module, "MAXIMUM_SUMS", 10)
    with pytest.raises(EstimationError, match="allows 10 partial sums"):
        exact_logistic(table((12, 5, 7, 20)), "x", given=[], method="mid_p", confidence=0.95)
