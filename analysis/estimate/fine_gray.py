"""Fine-Gray regression: hazards of the cumulative incidence of a cause when other causes compete.

Owns the fit, its variance with the estimated censoring distribution, and the ratios read from it. The effect on the hazard
of those still at risk, which asks another question, belongs in `cox`; the curves in `cumulative_incidence`.

Who ended by another cause stays in the risk sets with a weight that falls as censoring would have taken them: G(t-) / G of
the day before the end, G the Kaplan-Meier of censoring. So each risk set is two sums, one to the end of time and one
from its start, and a step is linear in persons.
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

METHOD = "fine_gray_robust"
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

STEP_PRECISION = 1e-10  # in standard deviations of the covariate
MAXIMUM_STEPS = 25
MAXIMUM_HALVINGS = 30
_LEAST_EIGENVALUE = 1e-9
# Information kept on the way from coefficients of 0: below, the likelihood is flat and what is left is rounding.
_LEAST_INFORMATION = 1e-8


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
    sets = _Sets.of(rows["time_days"].to_numpy(), is_own, (rows["cause"] == CENSORED).to_numpy())
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
    start = _evaluate(sets, standard, np.zeros(len(covariates)))
    diagonal = np.diag(start.information)
    if diagonal.min() <= _LEAST_EIGENVALUE * fit.event_count:
        return replace(fit, reason="a covariate does not vary within any risk set")
    if np.linalg.eigvalsh(start.information / np.sqrt(np.outer(diagonal, diagonal)))[0] < _LEAST_EIGENVALUE:
        return replace(fit, reason=f"collinear: {', '.join(covariates)}")
    found = _maximised(sets, standard, start)
    if found is None:
        return replace(fit, reason="the likelihood has no finite maximum")
    beta, point = found
    inverse = np.linalg.inv(point.information)
    eta, psi = _residuals(sets, standard, point)
    rescaled = inverse / scale
    covariance = rescaled.T @ (eta + psi).T @ (eta + psi) @ rescaled
    fixed = rescaled.T @ eta.T @ eta @ rescaled
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
    if error <= 0.0 or abs(coefficient) + spread > LARGEST_LOG_RATIO:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sets:
    """Days on which anybody ends, and who ends how on which of them.

    `day`: per person, the index of the day. `events`, `censored`, `for_censoring`: per day, events of the cause, censored
    persons, and those at risk of censoring. `staying`: per day, G before it. `is_other`: per person, ended by another cause.
    """

    day: NDArray[np.intp]
    is_own: Booleans
    is_other: Booleans
    is_censored: Booleans
    events: Floats
    censored: Floats
    for_censoring: Floats
    staying: Floats

    @classmethod
    def of(cls, time_days: NDArray[np.int64], is_own: Booleans, is_censored: Booleans) -> _Sets:
        days, day = np.unique(time_days, return_inverse=True)
        ended = np.bincount(day, minlength=days.size).astype(float)
        events = np.bincount(day[is_own], minlength=days.size).astype(float)
        censored = np.bincount(day[is_censored], minlength=days.size).astype(float)
        for_censoring = np.cumsum(ended[::-1])[::-1] - (ended - censored)
        leaving = np.divide(censored, for_censoring, out=np.zeros(days.size), where=censored > 0)
        staying = np.concatenate(([1.0], np.cumprod(1.0 - leaving)[:-1])) if days.size else np.empty(0)
        return cls(
            day=day,
            is_own=is_own,
            is_other=~(is_own | is_censored),
            is_censored=is_censored,
            events=events,
            censored=censored,
            for_censoring=for_censoring,
            staying=staying,
        )

    def gone(self, values: Floats) -> Floats:
        """Per day, the sum over those who ended before it by another cause, each over G at the own end."""
        weighted = values[self.is_other] / self.staying[self.day[self.is_other]]
        summed = np.bincount(self.day[self.is_other], weighted, minlength=self.staying.size).astype(float)
        before: Floats = np.concatenate(([0.0], np.cumsum(summed)[:-1]))
        return before

    def sums(self, values: Floats) -> Floats:
        """Per day, the weighted sum over the risk set."""
        summed = np.bincount(self.day, values, minlength=self.staying.size).astype(float)
        there: Floats = np.cumsum(summed[::-1])[::-1] + self.staying * self.gone(values)
        return there


@dataclass(frozen=True, slots=True)
class _Point:
    """The log partial likelihood, its derivatives, and on each day the hazard and the mean of the covariates."""

    log_likelihood: float
    score: Floats
    information: Floats
    weights: Floats
    hazards: Floats
    means: Floats


def _evaluate(sets: _Sets, x: Floats, beta: Floats) -> _Point:
    predictor = x @ beta
    shift = float(predictor.max())
    weights: Floats = np.exp(predictor - shift)
    count = x.shape[1]
    happens = sets.events > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        totals = sets.sums(weights)
        hazards = np.where(happens, sets.events / totals, 0.0)
        means = np.column_stack([np.where(happens, sets.sums(weights * x[:, i]) / totals, 0.0) for i in range(count)])
        information = np.empty((count, count))
        for i in range(count):
            for j in range(i + 1):
                products = np.where(happens, sets.sums(weights * x[:, i] * x[:, j]) / totals, 0.0)
                information[i, j] = information[j, i] = float(sets.events @ (products - means[:, i] * means[:, j]))
        logs = np.log(totals[happens])
    log_likelihood = float((predictor[sets.is_own] - shift).sum() - sets.events[happens] @ logs)
    score = x[sets.is_own].sum(axis=0) - sets.events @ means
    return _Point(log_likelihood, score, information, weights, hazards, means)


def _maximised(sets: _Sets, x: Floats, start: _Point) -> tuple[Floats, _Point] | None:
    beta, point = np.zeros(x.shape[1]), start
    for _ in range(MAXIMUM_STEPS):
        try:
            step = np.linalg.solve(point.information, point.score)
        except np.linalg.LinAlgError:
            return None
        factor, least = 1.0, point.log_likelihood - 1e-10 * max(1.0, abs(point.log_likelihood))
        tried = _evaluate(sets, x, beta + step)
        for _ in range(MAXIMUM_HALVINGS):
            if tried.log_likelihood >= least:
                break
            factor /= 2.0
            tried = _evaluate(sets, x, beta + factor * step)
        beta, point = beta + factor * step, tried
        if (np.diag(point.information) < _LEAST_INFORMATION * np.diag(start.information)).any():
            return None
        if factor == 1.0 and float(np.abs(step).max()) < STEP_PRECISION:
            return beta, point
    return None


def _residuals(sets: _Sets, x: Floats, point: _Point) -> tuple[Floats, Floats]:
    """What each person adds to the score: through the own risk sets, and through the censoring distribution."""

    def after(values: Floats) -> Floats:
        summed: Floats = np.cumsum(values[::-1])[::-1]
        return summed - values

    eta, psi = np.zeros_like(x), np.zeros_like(x)
    later = after(sets.staying * point.hazards)
    hazard = np.cumsum(point.hazards)
    other, own_staying = sets.is_other, sets.staying[sets.day[sets.is_other]]
    at_risk = np.where(sets.censored > 0, sets.for_censoring, 1.0)
    for i in range(x.shape[1]):
        pulled = point.hazards * point.means[:, i]
        pulled_later = after(sets.staying * pulled)
        eta[:, i] = -point.weights * (x[:, i] * hazard[sets.day] - np.cumsum(pulled)[sets.day])
        eta[sets.is_own, i] += x[sets.is_own, i] - point.means[sets.day[sets.is_own], i]
        beyond = x[other, i] * later[sets.day[other]] - pulled_later[sets.day[other]]
        eta[other, i] -= point.weights[other] * beyond / own_staying
        # Censoring on a day takes weight from who ended by another cause up to it, in the risk sets after it.
        here = sets.gone(point.weights * x[:, i]), sets.gone(point.weights)
        today = [
            np.bincount(sets.day[other], values[other] / own_staying, minlength=sets.staying.size)
            for values in (point.weights * x[:, i], point.weights)
        ]
        taken = ((here[0] + today[0]) * later - (here[1] + today[1]) * pulled_later) / at_risk
        expected = np.cumsum(taken * sets.censored / at_risk)
        before = np.concatenate(([0.0], expected[:-1]))
        psi[:, i] = -np.where(sets.is_censored, expected[sets.day], before[sets.day])
        psi[sets.is_censored, i] += taken[sets.day[sets.is_censored]]
    return eta, psi


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
