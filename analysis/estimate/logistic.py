"""Logistic regression, by maximum likelihood or with Firth's penalty.

Owns the logistic likelihood with offsets and weights. Odds ratios are read from the fit in `adjusted`; matched sets
belong in `conditional_logistic`, tiny data in `exact_logistic`.
Source: McCullagh and Nelder 1989, Generalized Linear Models, 4; Firth 1993, Biometrika 80:27.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.special import expit

from analysis.estimate.design import codes_of, design_of, event_column, infinite_reasons
from analysis.estimate.likelihood import Booleans, Floats, Integers, Likelihood, Point
from analysis.estimate.regression import Counts, RegressionFit, fit_likelihood
from analysis.estimate.result import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticLikelihood:
    """Independent events: `x` (rows, coefficients), `sign` 1 for an event and -1 for none, `weights`, `offset`."""

    x: Floats
    sign: Floats
    weights: Floats
    offset: Floats

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return int(self.x.shape[1])

    def evaluate(self, beta: Floats) -> Point:
        """The log likelihood, the score and the information."""
        toward = self.sign * (self.x @ beta + self.offset)
        # Probabilities of what did not happen: they keep their digits where one less those of what did would be 0.
        missed = expit(-toward)
        log_likelihood = -float(self.weights @ np.logaddexp(0.0, -toward))
        score: Floats = self.x.T @ (self.weights * self.sign * missed)
        information: Floats = (self.x.T * (self.weights * missed * expit(toward))) @ self.x
        return Point(log_likelihood, score, information)

    def curvature(self, beta: Floats, point: Point, free: Integers) -> Floats:
        """The information."""
        return point.information[np.ix_(free, free)]

    def probabilities(self, beta: Floats) -> Floats:
        """Probability of an event in each row."""
        result: Floats = expit(self.x @ beta + self.offset)
        return result

    def unit_scores(self, beta: Floats) -> Floats:
        """What each row adds to the score."""
        missed = expit(-self.sign * (self.x @ beta + self.offset))
        scores: Floats = self.x * (self.weights * self.sign * missed)[:, np.newaxis]
        return scores

    def slope_of_log_determinant(self, beta: Floats, inverse: Floats) -> Floats:
        """Sum over rows of leverage, 1 - 2 probability, and x."""
        predictor = self.x @ beta + self.offset
        spread = self.weights * expit(predictor) * expit(-predictor)
        leverage = spread * np.einsum("ri,ij,rj->r", self.x, inverse, self.x)
        slope: Floats = self.x.T @ (leverage * (expit(-predictor) - expit(predictor)))
        return slope

    def identified(self) -> Floats:
        """The rows of some weight."""
        return self.x[self.weights > 0.0]

    def contrasts(self) -> Floats:
        """The rows, turned over where there is no event; those of no weight are nil."""
        rows: Floats = self.x * np.where(self.weights > 0.0, self.sign, 0.0)[:, np.newaxis]
        return rows

    def limit(self, fitted: Booleans) -> Likelihood:
        """The same without the weight of the fitted rows."""
        return replace(self, weights=np.where(fitted, 0.0, self.weights))


def logistic(
    frame: pl.DataFrame,
    *,
    covariates: Sequence[str],
    confidence: float,
    event: str = "event",
    cluster: str | None = None,
    frequency: str | None = None,
    weight: str | None = None,
    offset: str | None = None,
) -> RegressionFit:
    """Log odds ratios of the covariates by maximum likelihood, with an intercept.

    frame: one row a person or period: `event` (0 or 1) and the covariates (Float64). Optional columns: `frequency`
    (whole number of equal rows), `weight` (from 0, such as an inverse probability: then limits are robust only, R: svyglm
    without its small-sample factor), `offset` (log odds, added to the predictor) and `cluster` (for a robust variance
    without small-sample factor, R: sandwich::vcovCL(type = "HC0", cadjust = FALSE)). Equal to R's
    glm(event ~ x, family = binomial), converged to 1e-12 standard errors.
    Separation: a coefficient that runs to infinity is absent with its reason, and the others are those of the limit.
    Misleads with few events for each covariate (below some 10, take `firth_logistic`) and with few clusters (some 40).
    Raises EstimationError for missing columns, nulls, an event other than 0 or 1, a frequency that is not a whole number
    from 0, a weight below 0, numbers not finite, or weights without clusters.
    """
    columns = _Columns(event=event, cluster=cluster, frequency=frequency, weight=weight, offset=offset)
    return _fit("logistic", frame, covariates, columns, confidence)


def firth_logistic(
    frame: pl.DataFrame,
    *,
    covariates: Sequence[str],
    confidence: float,
    event: str = "event",
    frequency: str | None = None,
    offset: str | None = None,
) -> RegressionFit:
    """Log odds ratios by Firth's penalised likelihood, finite under separation too. Columns as in `logistic`.

    Limits and P by profile of the penalised likelihood (R: logistf). For rare events and separated data. Misleads as a
    prediction: probabilities are drawn toward one half. Without any event, or without any row that is none, the data say
    nothing, and neither does this.
    Raises EstimationError as `logistic`.
    Source: Firth 1993, Biometrika 80:27; Heinze and Schemper 2002, Stat Med 21:2409.
    """
    columns = _Columns(event=event, cluster=None, frequency=frequency, weight=None, offset=offset)
    return _fit("firth_logistic", frame, covariates, columns, confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    event: str
    cluster: str | None
    frequency: str | None
    weight: str | None
    offset: str | None


def _fit(
    model: str, frame: pl.DataFrame, covariates: Sequence[str], columns: _Columns, confidence: float
) -> RegressionFit:
    if columns.weight is not None and columns.cluster is None:
        raise EstimationError("weights that are no counts need a cluster column for their robust variance")
    named = (columns.event, columns.cluster, columns.frequency, columns.weight, columns.offset)
    design = design_of(frame, covariates, [column for column in named if column is not None])
    events = event_column(frame, columns.event)
    times = _numbers(frame, columns.frequency, 1.0)
    if (times < 0.0).any() or (times != np.floor(times)).any():
        raise EstimationError(f"{columns.frequency} must be a whole number from 0 in every row")
    weights = _numbers(frame, columns.weight, 1.0)
    if (weights < 0.0).any():
        raise EstimationError(f"{columns.weight} must not be negative")
    weights = weights * times
    likelihood = LogisticLikelihood(
        x=np.column_stack((np.ones(frame.height), design.z)),
        sign=2.0 * events - 1.0,
        weights=weights,
        offset=_numbers(frame, columns.offset, 0.0),
    )
    nothing = ""
    if not weights @ events > 0.0:
        nothing = "no events"
    elif not weights @ (1.0 - events) > 0.0:
        nothing = "every row is an event"
    fit = fit_likelihood(
        likelihood,
        model=model,
        design=design,
        counts=Counts(
            row_count=round(float(times.sum())),
            event_count=round(float(times @ events)),
            person_count=None if columns.cluster is None else frame[columns.cluster].n_unique(),
        ),
        clusters=None if columns.cluster is None else codes_of(frame, columns.cluster),
        infinite_reasons=infinite_reasons(design, events, weights > 0.0),
        confidence=confidence,
        nothing=nothing,
    )
    return fit if columns.weight is None else replace(fit, has_likelihood_limits=False)


def _numbers(frame: pl.DataFrame, column: str | None, otherwise: float) -> Floats:
    if column is None:
        return np.full(frame.height, otherwise)
    numbers: Floats = frame[column].cast(pl.Float64).to_numpy()
    if not np.isfinite(numbers).all():
        raise EstimationError(f"{column} holds numbers that are not finite")
    return numbers
