"""Shares of moments that come several to a person: Korn and Graubard's limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import beta, t

from analysis.estimate.clustered_proportion import METHOD, Clustered, clustered_proportion
from analysis.estimate.proportion import proportion
from analysis.estimate.result import EstimationError


def of(persons: list[tuple[int, int]]) -> Clustered:
    """persons: moments and met of each."""
    return Clustered(
        persons=len(persons),
        moments=sum(n for n, _ in persons),
        met=sum(m for _, m in persons),
        moments_squared=sum(n * n for n, _ in persons),
        moments_by_met=sum(n * m for n, m in persons),
        met_squared=sum(m * m for _, m in persons),
    )


def test_one_moment_a_person_is_clopper_pearson() -> None:
    found = clustered_proportion(of([(1, 1)] * 7 + [(1, 0)] * 3), confidence=0.95)
    assert found == proportion(7, 10, confidence=0.95)


def test_moments_that_are_all_alike_are_worth_little_more_than_persons() -> None:
    """5 persons met at all of 10 moments and 5 at none: by hand the variance of the share is 1/36, so 9 moments, less the t quantiles."""
    found = clustered_proportion(of([(10, 10)] * 5 + [(10, 0)] * 5), confidence=0.95)
    number = 9 * (t.ppf(0.025, 99) / t.ppf(0.025, 9)) ** 2
    assert found.method == METHOD
    assert (found.value, found.person_count, found.event_count) == (0.5, 10, 50)
    assert found.lower == pytest.approx(beta.ppf(0.025, number / 2, number / 2 + 1))
    assert found.upper == pytest.approx(beta.ppf(0.975, number / 2 + 1, number / 2))


def test_moments_that_are_more_even_than_chance_are_worth_no_more_than_themselves() -> None:
    found = clustered_proportion(of([(2, 1)] * 10), confidence=0.95)
    exact = proportion(10, 20, confidence=0.95)
    assert (found.lower, found.upper) == (exact.lower, exact.upper)


@pytest.mark.parametrize(("met", "share"), [(0, 0.0), (10, 1.0)])
def test_none_or_all_met_has_the_limits_of_the_persons(met: int, share: float) -> None:
    found = clustered_proportion(of([(10, met)] * 12), confidence=0.95)
    persons = proportion(round(share * 12), 12, confidence=0.95)
    assert (found.value, found.lower, found.upper) == (share, persons.lower, persons.upper)


def test_one_person_alone_says_almost_nothing() -> None:
    found = clustered_proportion(of([(100, 50)]), confidence=0.95)
    assert found.lower is not None
    assert found.upper is not None
    assert found.upper - found.lower > 0.9


def test_nothing_to_assess_is_no_zero() -> None:
    found = clustered_proportion(of([]), confidence=0.95)
    assert (found.value, found.status) == (None, "not_estimable")


@pytest.mark.parametrize("persons", [[(1, 2)], [(0, 0), (1, 1), (0, 0)]])
def test_counts_that_nobody_can_have_are_refused(persons: list[tuple[int, int]]) -> None:
    with pytest.raises(EstimationError, match="no persons can have"):
        clustered_proportion(of(persons), confidence=0.95)


def test_the_limits_hold_the_truth_as_often_as_they_say_where_persons_differ_and_the_naive_ones_do_not() -> None:
    rng = np.random.Generator(np.random.PCG64(7))
    held = naive = 0
    for _ in range(400):
        share = rng.beta(1.5, 1.0, size=40)  # mean 0.6
        moments = rng.integers(1, 25, size=40)
        met = rng.binomial(moments, share)
        found = clustered_proportion(of(list(zip(moments.tolist(), met.tolist(), strict=True))), confidence=0.95)
        plain = proportion(int(met.sum()), int(moments.sum()), confidence=0.95)
        held += bool(found.lower is not None and found.upper is not None and found.lower <= 0.6 <= found.upper)
        naive += bool(plain.lower is not None and plain.upper is not None and plain.lower <= 0.6 <= plain.upper)
    assert held / 400 > 0.95 - 3.0 * math.sqrt(0.95 * 0.05 / 400)
    assert naive / 400 < 0.75
