"""The partial likelihood against its definition, summed row by row."""

import itertools
import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.estimate.partial_likelihood import evaluate, maximise, score_residuals
from analysis.estimate.risk_sets import Ties, risk_sets

START = np.array([0, 0, 2, 1, 0, 3, 5, 0, 6])
STOP = np.array([3, 5, 5, 5, 4, 8, 8, 8, 7])
EVENT = np.array([True, True, True, False, False, True, True, False, False])
X = np.array([[1, 0.3], [0, -1.2], [1, 0.7], [0, 0.1], [1, -0.4], [0, 0.9], [1, -0.2], [0, 0.5], [1, 2.0]])
BETA = np.array([0.4, -0.7])


def log_likelihood_by_definition(beta: NDArray[np.float64], ties: Ties) -> float:
    total = 0.0
    weights = [math.exp(float(row @ beta)) for row in X]
    for day in sorted(set(STOP[EVENT])):
        at_risk = [i for i in range(len(X)) if START[i] < day <= STOP[i]]
        tied = [i for i in at_risk if EVENT[i] and STOP[i] == day]
        for order, i in enumerate(tied):
            share = order / len(tied) if ties == "efron" else 0.0
            denominator = sum(weights[j] for j in at_risk) - share * sum(weights[j] for j in tied)
            total += float(X[i] @ beta) - math.log(denominator)
    return total


@pytest.mark.parametrize("ties", get_args(Ties))
def test_likelihood_is_that_of_the_definition(ties: Ties) -> None:
    sets, kept = risk_sets(START, STOP, EVENT, ties=ties)
    assert kept.tolist() == [True] * 8 + [False]  # nothing happens on (6, 7]
    assert evaluate(sets, X[kept], BETA).log_likelihood == pytest.approx(log_likelihood_by_definition(BETA, ties))


@pytest.mark.parametrize("ties", get_args(Ties))
def test_score_and_information_are_the_derivatives(ties: Ties) -> None:
    sets, kept = risk_sets(START, STOP, EVENT, ties=ties)
    point = evaluate(sets, X[kept], BETA)
    width = 1e-4
    for i, j in itertools.product(range(2), range(2)):
        up, right = np.eye(2)[i] * width, np.eye(2)[j] * width
        slope = (log_likelihood_by_definition(BETA + up, ties) - log_likelihood_by_definition(BETA - up, ties)) / width
        assert point.score[i] == pytest.approx(slope / 2, abs=1e-7)
        corners = [log_likelihood_by_definition(BETA + a * up + b * right, ties) for a in (1, -1) for b in (1, -1)]
        bend = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * width**2)
        assert point.information[i, j] == pytest.approx(-bend, abs=1e-5)


@pytest.mark.parametrize("ties", get_args(Ties))
def test_score_residuals_add_up_to_the_score(ties: Ties) -> None:
    sets, kept = risk_sets(START, STOP, EVENT, ties=ties)
    point = evaluate(sets, X[kept], BETA)
    assert score_residuals(sets, X[kept], point).sum(axis=0) == pytest.approx(point.score, abs=1e-12)


def test_a_maximum_has_no_score() -> None:
    sets, kept = risk_sets(START, STOP, EVENT, ties="efron")
    top = maximise(sets, X[kept])
    assert top.has_converged
    assert top.point.score == pytest.approx([0.0, 0.0], abs=1e-10)


def test_a_likelihood_without_maximum_does_not_converge() -> None:
    highest_goes_first = np.array([[4.0], [3.0], [2.0], [1.0]])
    sets, _ = risk_sets(np.zeros(4, dtype=np.int64), np.arange(1, 5), np.ones(4, dtype=np.bool_), ties="efron")
    assert not maximise(sets, highest_goes_first).has_converged


def test_a_first_step_that_overshoots_is_halved() -> None:
    # One exposed of 1,000, second to go: at 0 the likelihood looks as if log(theta) were some 500. Its maximum solves
    # 1 = theta / (theta + 999) + theta / (theta + 998).
    exposed = np.zeros((1_000, 1))
    exposed[1] = 1.0
    sets, _ = risk_sets(
        np.zeros(1_000, dtype=np.int64), np.arange(1, 1_001), np.ones(1_000, dtype=np.bool_), ties="efron"
    )
    null = evaluate(sets, exposed, np.zeros(1))
    step = null.score / null.information[0]
    assert step[0] == pytest.approx(499.25, abs=0.01)
    assert evaluate(sets, exposed, step).log_likelihood < null.log_likelihood
    top = maximise(sets, exposed)
    assert top.has_converged
    assert math.exp(top.beta[0]) == pytest.approx(math.sqrt(999 * 998), rel=1e-9)


@settings(deadline=None)
@given(
    stays=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), min_size=1, max_size=30),
    times=st.sets(st.integers(1, 80), min_size=1, max_size=70),
)
def test_sums_over_risk_sets_are_those_of_the_rows_at_risk(stays: list[tuple[int, int]], times: set[int]) -> None:
    # One row per event time, at risk on that day only, so that every time has an event.
    ends = sorted(times)
    start = np.array([day - 1 for day in ends] + [first for first, _ in stays])
    stop = np.array([*ends, *(first + length for first, length in stays)])
    sets, kept = risk_sets(start, stop, np.arange(start.size) < len(ends), ties="efron")
    values = (7.0 ** np.arange(start.size)) % 1_000_003  # whole numbers: sums are exact
    truth = [values[(start < day) & (day <= stop)].sum() for day in ends]
    assert sets.sums(values[kept]).tolist() == truth


def test_a_large_weight_that_has_left_leaves_no_rounding_behind() -> None:
    # After day 1 the heavy row is gone; 1e20 + 1 - 1e20 would be 0.
    start, stop = np.zeros(4, dtype=np.int64), np.array([1, 2, 3, 4])
    sets, _ = risk_sets(start, stop, np.ones(4, dtype=np.bool_), ties="efron")
    assert sets.sums(np.array([1e20, 1.0, 1.0, 1.0])).tolist() == [1e20, 3.0, 2.0, 1.0]
