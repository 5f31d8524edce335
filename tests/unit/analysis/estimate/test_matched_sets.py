"""The conditional likelihood of matched sets against every draw written out."""

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.estimate.likelihood import Floats
from analysis.estimate.matched_sets import MatchedSets, matched_sets

SHAPES = [(2, 1), (5, 1), (5, 4), (6, 2), (6, 3), (7, 5), (9, 4), (3, 0), (4, 4)]
INVERSE = np.array([[0.7, 0.2], [0.2, 1.3]])


def example(scale: float) -> tuple[Floats, NDArray[np.intp], NDArray[np.bool_]]:
    random = np.random.default_rng(7)
    sets = np.repeat(np.arange(2 * len(SHAPES)), [members for members, _ in SHAPES + SHAPES])
    cases = np.concatenate([np.arange(members) < drawn for members, drawn in SHAPES + SHAPES])
    z = scale * np.column_stack((random.normal(size=sets.size), random.random(sets.size) < 0.4))
    order = random.permutation(sets.size)
    return z[order], sets[order], cases[order]


def by_definition(beta: Floats, scale: float) -> tuple[float, Floats, Floats, Floats]:
    """Log likelihood, score, information, and third moments contracted, from every draw of every set."""
    z, sets, cases = example(scale)
    log_likelihood, score, information, third = 0.0, np.zeros(2), np.zeros((2, 2)), np.zeros(2)
    for code in range(sets.max() + 1):
        x, is_case = z[sets == code], cases[sets == code]
        draws = [x[list(chosen)].sum(axis=0) for chosen in itertools.combinations(range(len(x)), is_case.sum())]
        observed = x[is_case].sum(axis=0)
        odds = np.array([math.exp(float(draw @ beta)) for draw in draws])
        chance = odds / odds.sum()
        mean = chance @ np.array(draws)
        around = np.array(draws) - mean
        log_likelihood += float(observed @ beta) - math.log(odds.sum())
        score += observed - mean
        information += (around.T * chance) @ around
        third += (chance * np.einsum("dp,pq,dq->d", around, INVERSE, around)) @ around
    return log_likelihood, score, information, third


def sets_example(scale: float) -> MatchedSets:
    z, sets, cases = example(scale)
    return matched_sets(z, sets, cases, set_count=2 * len(SHAPES))


@pytest.mark.parametrize("scale", [1.0, 5.0])
@pytest.mark.parametrize("beta", [(0.0, 0.0), (0.4, -0.7), (-2.5, 3.0)])
def test_likelihood_and_derivatives_are_those_of_every_draw(beta: tuple[float, float], scale: float) -> None:
    at = np.array(beta)
    point = sets_example(scale).evaluate(at)
    log_likelihood, score, information, third = by_definition(at, scale)
    assert point.log_likelihood == pytest.approx(log_likelihood, rel=1e-11)
    assert point.score == pytest.approx(score, rel=1e-9, abs=1e-10)
    assert point.information.ravel() == pytest.approx(information.ravel(), rel=1e-9, abs=1e-11)
    assert sets_example(scale).slope_of_log_determinant(at, INVERSE) == pytest.approx(third, rel=1e-8, abs=1e-10)
    assert sets_example(scale).unit_scores(at).sum(axis=0) == pytest.approx(point.score, abs=1e-10)


def test_sets_of_one_kind_of_member_are_left_out_and_counted() -> None:
    sets = sets_example(1.0)
    assert (sets.set_count, sets.informative_set_count) == (18, 14)
    assert not sets.unit_scores(np.zeros(2))[[7, 8, 16, 17]].any()


def test_a_set_of_thousands_neither_overflows_nor_loses_its_chance() -> None:
    # C(4000, 1500) is about 10^1147.
    is_case = np.arange(4_000) % 8 < 3
    z = (np.arange(4_000) % 2)[:, np.newaxis].astype(float)
    sets = matched_sets(z, np.zeros(4_000, dtype=np.intp), is_case, set_count=1)
    expected = -(math.lgamma(4_001) - math.lgamma(1_501) - math.lgamma(2_501))
    assert sets.evaluate(np.zeros(1)).log_likelihood == pytest.approx(expected, rel=1e-12)
    # Far out all 1,500 cases would be of the 2,000 exposed, where 500 are.
    ways = math.lgamma(2_001) - math.lgamma(1_501) - math.lgamma(501)
    assert sets.evaluate(np.array([300.0])).log_likelihood == pytest.approx(-1_000 * 300.0 - ways, rel=1e-12)


def test_contrasts_are_case_less_control_and_the_limit_keeps_the_ties() -> None:
    z = np.array([[3.0], [2.0], [2.0], [1.0], [0.0]])
    is_case = np.array([True, True, False, False, False])
    sets = matched_sets(z, np.zeros(5, dtype=np.intp), is_case, set_count=1)
    assert sorted(sets.contrasts().ravel().tolist()) == [0, 1, 1, 2, 2, 3]
    left = sets.limit(sets.contrasts().ravel() > 0)
    # The case at 3 is certain, those at 1 and 0 are impossible: one of the two at 2 was drawn.
    assert left.contrasts().shape[0] == 0  # they do not differ, so nothing is left to learn
    assert left.evaluate(np.zeros(1)).log_likelihood == -math.log(2)
