"""Association within persons: by hand, against scipy, and blind to differences between persons."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from analysis.pkpd.association import within_person


def _points(scores: dict[int, list[float]], free: dict[int, list[float]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (person, day, score, ige)
            for person in scores
            for day, (score, ige) in enumerate(zip(scores[person], free[person], strict=True))
        ],
        schema=["person_id", "day", "score", "free_ige_ng_per_ml"],
        orient="row",
    )


def test_a_doubling_of_free_ige_that_adds_two_points_has_slope_two() -> None:
    free = {1: [10.0, 20.0, 40.0, 80.0, 160.0], 2: [5.0, 10.0, 20.0, 40.0, 80.0]}
    found = within_person(_points({1: [1.0, 3, 5, 7, 9], 2: [10.0, 14, 18, 22, 26]}, free), confidence=0.95)
    assert found.slope.value == pytest.approx(3.0)  # of 2 and 4
    assert found.slope.person_count == 2
    assert found.slope.event_count == 10


def test_correlations_are_those_of_scipy_and_their_mean_is_told() -> None:
    rng = np.random.default_rng(3)
    scores = {k: list(rng.integers(0, 5, 8).astype(float)) for k in range(20)}
    free = {k: list(np.exp(rng.normal(3, 1, 8))) for k in range(20)}
    expected = np.mean([spearmanr(scores[k], free[k]).statistic for k in range(20)])
    found = within_person(_points(scores, free), confidence=0.95)
    assert found.correlation.value == pytest.approx(expected)


def test_differences_between_persons_make_no_association() -> None:
    # Persons with more free IgE have worse scores; within each, scores do not hang on it.
    rng = np.random.default_rng(5)
    scores = {k: list(k + rng.normal(0, 1, 12)) for k in range(200)}
    free = {k: list(np.exp(0.05 * k + rng.normal(0, 1, 12))) for k in range(200)}
    found = within_person(_points(scores, free), confidence=0.99)
    assert found.slope.lower is not None
    assert found.slope.upper is not None
    assert found.slope.lower < 0.0 < found.slope.upper


def test_few_records_and_scores_that_never_change_say_nothing() -> None:
    free = {1: [10.0, 20.0, 40.0, 80.0], 2: [10.0, 20.0, 40.0, 80.0, 90.0]}
    found = within_person(_points({1: [1.0, 2, 3, 4], 2: [7.0] * 5}, free), confidence=0.95)
    assert found.correlation.status == "not_estimable"
    assert found.slope.reason.startswith("fewer than two persons")
