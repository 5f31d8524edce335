"""Propensity of being exposed given baseline covariates, the preference score, and the share in equipoise.

Owns the scores. Weights made of them are in `weighting`, matched sets in `matching`, and what both achieve in `balance`.
Source: Rosenbaum and Rubin 1983, Biometrika 70:41; Walker et al. 2013, Comp Eff Res 3:11 (preference score).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from scipy.special import expit, logit

from analysis.estimate.likelihood import Booleans, Floats
from analysis.estimate.logistic import LogisticLikelihood, logistic
from analysis.estimate.regression import RegressionFit
from analysis.estimate.result import EstimationError

EQUIPOISE_LOWER, EQUIPOISE_UPPER = 0.3, 0.7  # preference scores, Walker et al. 2013


@dataclass(frozen=True, slots=True, kw_only=True)
class Propensity:
    """The score of each row, strictly between 0 and 1, or none and the `reason` why.

    `is_exposed` by row; `fit`: the logistic model of exposure.
    """

    scores: Floats = field(compare=False, repr=False)
    is_exposed: Booleans = field(compare=False, repr=False)
    fit: RegressionFit
    reason: str

    @property
    def logits(self) -> Floats:
        """Log odds of the scores."""
        result: Floats = logit(self.scores)
        return result

    @property
    def preference(self) -> Floats:
        """The score with the overall share of the exposed taken out: 0.5 where a row is as likely as the average.

        Source: Walker et al. 2013: the log odds of the score less those of the share.
        """
        result: Floats = expit(self.logits - logit(self.is_exposed.mean()))
        return result


def propensity(frame: pl.DataFrame, *, covariates: Sequence[str], exposed: str = "is_exposed") -> Propensity:
    """Probability of being exposed by logistic regression on the covariates.

    frame: one row a person: `is_exposed` (0 or 1) and the covariates, all measured before time zero. Covariates that
    repeat each other or never vary do no harm. Where the covariates tell some exposed from the others without error the
    scores would be 0 or 1: there are none, and `reason` names the covariates.
    Misleads when a covariate is affected by the exposure, or predicts exposure but not the outcome.
    Raises EstimationError as `logistic`.
    """
    fit = logistic(frame, covariates=covariates, confidence=0.95, event=exposed)
    is_exposed = frame[exposed].cast(pl.Float64).to_numpy() == 1.0
    if not isinstance(fit.likelihood, LogisticLikelihood) or fit.is_separated:
        words = {"no events": "nobody is exposed", "every row is an event": "everybody is exposed"}
        told = [name for name, runs, _ in _by_covariate(fit) if runs]
        told = told or [name for name, _, why in _by_covariate(fit) if why.startswith("separation")]
        said = next(why for _, _, why in _by_covariate(fit) if why)
        reason = f"exposure is told without error by {', '.join(told)}" if told else words.get(said, said)
        return Propensity(scores=np.empty(0), is_exposed=is_exposed, fit=fit, reason=reason)
    scores = fit.likelihood.probabilities(fit.beta)
    if not ((scores > 0.0) & (scores < 1.0)).all():
        return Propensity(scores=np.empty(0), is_exposed=is_exposed, fit=fit, reason="some scores are 0 or 1")
    return Propensity(scores=scores, is_exposed=is_exposed, fit=fit, reason="")


def _by_covariate(fit: RegressionFit) -> list[tuple[str, int, str]]:
    return list(zip(fit.covariates, fit.infinite, fit.reasons, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipoise:
    """Share of persons, of the exposed and of the comparator whose preference score lies in [0.3, 0.7]."""

    share: float
    exposed_share: float
    comparator_share: float


def equipoise(scores: Propensity) -> Equipoise:
    """Share in empirical equipoise; Walker et al. call for at least half of either group.

    Misleads when the model leaves out what decides on the exposure: poor models find everybody in equipoise.
    Raises EstimationError when there are no scores.
    """
    if scores.reason:
        raise EstimationError(f"there are no propensity scores: {scores.reason}")
    preference = scores.preference
    inside = (preference >= EQUIPOISE_LOWER) & (preference <= EQUIPOISE_UPPER)
    return Equipoise(
        share=float(inside.mean()),
        exposed_share=float(inside[scores.is_exposed].mean()),
        comparator_share=float(inside[~scores.is_exposed].mean()),
    )
