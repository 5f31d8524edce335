"""What is identified and what is separated, on designs that can be checked with a finger."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from analysis.estimate.separation import identified, separated, signs_of_infinity

BOTH = np.arange(2)


def test_columns_that_repeat_each_other_are_not_unique_and_the_third_is() -> None:
    rows = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 1.0], [0.0, 0.0, 5.0]])
    what = identified(rows, np.arange(3))
    assert what.is_unique.tolist() == [False, False, True]
    assert what.basis.size == 2
    assert 2 in what.basis


@pytest.mark.parametrize("rows", [np.empty((0, 2)), np.zeros((3, 2))])
def test_nothing_is_identified_by_nothing(rows: np.ndarray) -> None:
    what = identified(rows, BOTH)
    assert (what.basis.size, what.is_unique.tolist()) == (0, [False, False])


def test_contrasts_that_can_be_made_positive_together_are_found() -> None:
    # Along (1, 0) the first two are positive and the third is nil.
    contrasts = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert separated(contrasts, BOTH).tolist() == [True, True, False, False]
    assert signs_of_infinity(contrasts, BOTH, 0) == (False, True)
    assert signs_of_infinity(contrasts, BOTH, 1) == (False, False)
    assert not separated(np.vstack((contrasts, [-1.0, 0.0])), BOTH).any()
    assert not separated(contrasts, np.array([1])).any()
    assert separated(contrasts, np.empty(0, dtype=np.intp)).tolist() == [False] * 4


@given(seed=st.integers(0, 100_000))
@settings(max_examples=60, deadline=None)
def test_a_contrast_is_separated_if_some_direction_makes_it_positive(seed: int) -> None:
    random = np.random.default_rng(seed)
    contrasts = random.integers(-1, 3, (random.integers(1, 7), 2)).astype(float)
    truth = []
    for contrast in contrasts:  # one linear program for each
        largest = linprog(-contrast, A_ub=-contrasts, b_ub=np.zeros(len(contrasts)), bounds=(-1, 1))
        truth.append(-largest.fun > 1e-9)
    assert separated(contrasts, BOTH).tolist() == truth
