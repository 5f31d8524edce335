"""The partial likelihood against its definition, summed row by row."""

import itertools
import math
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.estimate.partial_likelihood import Ties, evaluate, maximise, risk_sets, score_residuals

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
    assert evaluate(sets, exposed, null.score / null.information[0]).log_likelihood < null.log_likelihood
    top = maximise(sets, exposed)
    assert top.has_converged
    assert math.exp(top.beta[0]) == pytest.approx(math.sqrt(999 * 998), rel=1e-9)
