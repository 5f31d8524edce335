"""Fine-Gray regression: hazards of the cumulative incidence of a cause when other causes compete.

Owns the fit, its variance with the estimated censoring distribution, and the ratios read from it. The effect on the hazard
of those still at risk, which asks another question, belongs in `cox`; the curves in `cumulative_incidence`.

Source: Fine and Gray 1999, JASA 94:496; Geskus 2011, Biometrics 67:39.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.estimate.confidence import LARGEST_LOG_RATIO, normal_quantile, tail_probability, wald_p_value
from analysis.estimate.endings import CENSORED
from analysis.estimate.result import Answer, EstimationError, not_estimable
from analysis.estimate.subdistribution import SubdistributionSets, evaluate, maximised, residuals

METHOD = "fine_gray_robust"
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
_LEAST_EIGENVALUE = 1e-9
# Robust over model-based standard error: below, what persons add to the score sums to rounding.
_NO_SPREAD = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class FineGrayFit:
    """Coefficients (log subdistribution hazard ratios per unit) in the order of `covariates`.

    Empty arrays and a `reason` where there is no fit. `standard_errors` hold the uncertainty of the censoring
    distribution; `fixed_weight_standard_errors` take it for known, as weighted Cox programs do.
    """

    covariates: tuple[str, ...]
    coefficients: Floats = field(compare=False)
    standard_errors: Floats = field(compare=False)
    fixed_weight_standard_errors: Floats = field(compare=False)
    covariance: Floats = field(compare=False)
    log_likelihood: float | None
    reason: str
    person_count: int
    event_count: int
    person_days: int
    confidence: float


def fine_gray(persons: pl.DataFrame, *, cause: str, covariates: Sequence[str], confidence: float) -> FineGrayFit:
    """Log ratios of the subdistribution hazard of a cause, with robust standard errors.

    persons: one row a person: `time_days` (Int64, from day 0 on, above 0), `cause` (String; "censored" or how it ended) and
    the covariates (Float64, fixed at day 0). All causes but the one asked for compete. Ties as Breslow's, converged to
    1e-10. On one day events come before censoring (definitions.md 4), in the weights too, as in R's survival::finegray;
    cmprsk::crr puts them into the risk set of that day's censoring, so the two agree where no day has both, and then so
    does the standard error.
    There is no fit (`reason`) without events of the cause, for a covariate that does not vary or repeats others, when all
    events have one extreme value of a covariate, and when no maximum is found. Takes no delayed entry and no covariate
    that changes over time: who ended by another cause stays at risk, and has no such covariate. Misleads when read as a
    rate among those at risk: a covariate that raises the other cause lowers the incidence of this one.
    Raises EstimationError for missing columns, nulls, numbers not finite, a time below 1 or a covariate named twice.
    """
    tail_probability(confidence)
    rows, x = _checked(persons, covariates)
    is_own = (rows["cause"] == cause).to_numpy()
    sets = SubdistributionSets.of(rows["time_days"].to_numpy(), is_own, (rows["cause"] == CENSORED).to_numpy())
    fit = FineGrayFit(
        covariates=tuple(covariates),
        coefficients=np.empty(0),
        standard_errors=np.empty(0),
        fixed_weight_standard_errors=np.empty(0),
        covariance=np.empty((0, 0)),
        log_likelihood=None,
        reason=_no_maximum(x, is_own, covariates),
        person_count=rows.height,
        event_count=int(is_own.sum()),
        person_days=int(rows["time_days"].sum()),
        confidence=confidence,
    )
    if fit.reason:
        return fit
    middle, scale = x.mean(axis=0), x.std(axis=0)
    standard = (x - middle) / scale
    start = evaluate(sets, standard, np.zeros(len(covariates)))
    diagonal = np.diag(start.information)
    if diagonal.min() <= _LEAST_EIGENVALUE * fit.event_count:
        return replace(fit, reason="a covariate does not vary within any risk set")
    if np.linalg.eigvalsh(start.information / np.sqrt(np.outer(diagonal, diagonal)))[0] < _LEAST_EIGENVALUE:
        return replace(fit, reason=f"collinear: {', '.join(covariates)}")
    found = maximised(sets, standard, start)
    if found is None:
        return replace(fit, reason="the likelihood has no finite maximum")
    beta, point = found
    inverse = np.linalg.inv(point.information)
    eta, psi = residuals(sets, standard, point)
    rescaled = inverse / scale
    covariance = rescaled.T @ (eta + psi).T @ (eta + psi) @ rescaled
    fixed = rescaled.T @ eta.T @ eta @ rescaled
    if (np.diag(covariance) <= _NO_SPREAD**2 * np.diag(inverse) / scale**2).any():
        return replace(fit, reason="what persons add to the score cancels: no robust standard error")
    return replace(
        fit,
        coefficients=beta / scale,
        standard_errors=np.sqrt(np.diag(covariance)),
        fixed_weight_standard_errors=np.sqrt(np.diag(fixed)),
        covariance=covariance,
        log_likelihood=point.log_likelihood,
    )


def subdistribution_hazard_ratio(fit: FineGrayFit, covariate: str) -> Answer:
    """Subdistribution hazard ratio for one unit more of a covariate, with robust limits and Wald P.

    `standard_error` is that of the log. Counts are persons, events of the cause and days to the ends.
    Raises EstimationError for a covariate that is not in the fit.
    """
    if covariate not in fit.covariates:
        raise EstimationError(f"the fit has no covariate {covariate!r}, only {', '.join(fit.covariates)}")
    nothing = not_estimable(
        METHOD,
        fit.reason or "its size is beyond what can be told from separation",
        person_count=fit.person_count,
        event_count=fit.event_count,
        person_days=fit.person_days,
    )
    if fit.reason:
        return nothing
    index = fit.covariates.index(covariate)
    coefficient, error = float(fit.coefficients[index]), float(fit.standard_errors[index])
    spread = normal_quantile(fit.confidence) * error
    if abs(coefficient) + spread > LARGEST_LOG_RATIO:
        return nothing
    return replace(
        nothing,
        status="ok",
        reason="",
        value=math.exp(coefficient),
        lower=math.exp(coefficient - spread),
        upper=math.exp(coefficient + spread),
        confidence_level=fit.confidence,
        standard_error=error,
        p_value=wald_p_value(coefficient / error),
    )


def _no_maximum(x: Floats, is_own: Booleans, covariates: Sequence[str]) -> str:
    """Why there is no finite maximum, as far as each covariate tells by itself, or empty."""
    if not is_own.any():
        return "no events of the cause"
    for index, name in enumerate(covariates):
        column, events = x[:, index], x[is_own, index]
        if column.min() == column.max():
            return f"{name} does not vary among persons"
        if events.min() == events.max() and events[0] in (column.min(), column.max()):
            return f"no events where {name} is not {events[0]:g}"
    return ""


def _checked(persons: pl.DataFrame, covariates: Sequence[str]) -> tuple[pl.DataFrame, Floats]:
    columns = ["time_days", "cause", *covariates]
    missing = [column for column in columns if column not in persons.columns]
    if missing or not covariates or len(set(covariates)) < len(covariates):
        raise EstimationError(f"persons need each covariate once and the columns {', '.join(missing or columns)}")
    # One order whatever the order of rows, so that sums round alike.
    rows = persons.select(
        pl.col("time_days").cast(pl.Int64), pl.col("cause").cast(pl.String), pl.col(covariates).cast(pl.Float64)
    )
    rows = rows.sort(columns)
    if sum(rows.null_count().row(0)):
        raise EstimationError("persons hold nulls")
    x = rows.select(covariates).to_numpy()
    if not np.isfinite(x).all() or (rows["time_days"] < 1).any():
        raise EstimationError("persons have covariates that are not finite, or an end before day 1")
    return rows, x
