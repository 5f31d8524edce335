"""Weights made of propensity scores, and how many persons they are worth.

Owns overlap and stabilised inverse probability weights. Scores come from `propensity`; what weights achieve is seen in
`balance`; a weighted odds ratio is `logistic` with a weight and a cluster column.
"""

from __future__ import annotations

import numpy as np

from analysis.estimate.likelihood import Floats
from analysis.estimate.propensity import Propensity
from analysis.estimate.result import EstimationError


def overlap_weights(scores: Propensity) -> Floats:
    """One less the score for the exposed, the score for the comparator.

    For the effect in persons who could have had either; never above 1. With scores of a logistic model the weighted
    means of its covariates are the same in both groups, exactly.
    Raises EstimationError when there are no scores.
    Source: Li, Morgan and Zaslavsky 2018, JASA 113:390, theorem 3.
    """
    values = _scores(scores)
    return np.where(scores.is_exposed, 1.0 - values, values)


def inverse_probability_weights(scores: Propensity, *, truncate_tail: float) -> Floats:
    """Stabilised inverse probability weights: the share of a person's own group over the probability of it.

    For the effect in everybody. truncate_tail: weights beyond this quantile at either end, over all persons, are set to
    it (0: none; R's quantile type 7); truncation trades bias for variance, so its level belongs in the method's name.
    Misleads when some scores are near 0 or 1: a few persons then carry the estimate (see `effective_sample_size`).
    Raises EstimationError when there are no scores or the tail is not in [0, 0.5).
    Source: Robins, Hernan and Brumback 2000, Epidemiology 11:550; Cole and Hernan 2008, Am J Epidemiol 168:656.
    """
    if not 0.0 <= truncate_tail < 0.5:
        raise EstimationError(f"weights are truncated at a tail from 0 to below 0.5, got {truncate_tail}")
    values, share = _scores(scores), float(scores.is_exposed.mean())
    weights = np.where(scores.is_exposed, share / values, (1.0 - share) / (1.0 - values))
    if truncate_tail == 0.0:
        return weights
    low, high = np.quantile(weights, (truncate_tail, 1.0 - truncate_tail))
    return np.clip(weights, low, high)


def effective_sample_size(weights: Floats) -> float:
    """Persons without weights that would give the same precision: the squared sum over the sum of squares.

    Raises EstimationError for a negative or infinite weight, or when all are 0.
    Source: Kish 1965, Survey Sampling.
    """
    if not np.isfinite(weights).all() or (weights < 0.0).any() or not weights.sum() > 0.0:
        raise EstimationError("an effective sample size needs finite weights from 0, one of them above")
    scaled = weights / weights.max()
    return float(scaled.sum() ** 2 / (scaled**2).sum())


def _scores(scores: Propensity) -> Floats:
    if scores.reason:
        raise EstimationError(f"there are no propensity scores: {scores.reason}")
    return scores.scores
