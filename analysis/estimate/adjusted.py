"""Adjusted odds ratios and tests, read from the fit of a regression model.

Owns profile, Wald and robust limits of one coefficient and the likelihood ratio test of several. Fits are made in
`logistic` and `conditional_logistic`.
Source: Venzon and Moolgavkar 1988, Appl Stat 37:87 (profile limits); Heinze and Schemper 2002, Stat Med 21:2409 (the
same with Firth's penalty).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from scipy.special import chdtrc, chdtri

from analysis.estimate.confidence import normal_quantile, wald_p_value
from analysis.estimate.likelihood import (
    Integers,
    Likelihood,
    NoMaximumError,
    maximise,
    profile,
    profile_limit,
)
from analysis.estimate.regression import RegressionFit
from analysis.estimate.result import Answer, EstimationError, not_estimable
from analysis.estimate.separation import limit_of

Limits = Literal["profile", "wald", "robust"]

# Robust over model-based standard error: below, the scores of every cluster sum to rounding.
_NO_SPREAD = 1e-7
# Logarithm of an odds ratio beyond which it is no number that can be held or read.
_LARGEST_LOG = 700.0


def adjusted_odds_ratio(fit: RegressionFit, covariate: str, *, limits: Limits) -> Answer:
    """Odds ratio for one unit more of a covariate, given the others.

    `profile`: limits and P from the (penalised) likelihood ratio; an infinite coefficient has one limit: value 0 with
    its upper limit, or `limit_only`. `wald` and `robust`: from the model's or the cluster-robust standard error, nothing
    for an infinite coefficient. `standard_error` is that of the log, robust for `robust`, the model's otherwise.
    Misleads as a risk ratio when cases are common, as a crude one when covariates lie on the causal path, and `wald`
    where the profile is skew (few cases). With limits by likelihood, rows must be independent.
    Raises EstimationError for a covariate that is not in the fit, `robust` without clusters or `profile` of a fit whose
    weights are no counts.
    """
    index = fit.place(covariate)
    if limits not in get_args(Limits):
        raise EstimationError(f"unknown limits: {limits!r}")
    if limits == "robust" and fit.robust_standard_errors is None:
        raise EstimationError("robust limits need a fit with clusters")
    if limits != "robust" and not fit.has_likelihood_limits:
        raise EstimationError("a fit with weights that are no counts has robust limits only")
    method = f"{fit.model}_{limits}"
    persons, events = fit.counts.person_count, fit.counts.event_count
    nothing = not_estimable(
        method,
        fit.reasons[index] or "the profile has no limit that could be found",
        person_count=persons,
        event_count=events,
    )
    errors = fit.robust_standard_errors if limits == "robust" else fit.standard_errors
    value, model_error = fit.coefficients[index], fit.standard_errors[index]
    error = None if errors is None else errors[index]
    if limits == "profile":
        try:
            numbers = _by_profile(fit, index)
        except NoMaximumError:
            return nothing
        if numbers is None:
            return nothing
    else:
        if value is None or error is None or model_error is None:
            return nothing
        if error < _NO_SPREAD * model_error:
            reason = "the scores cancel within each cluster, as with one: no robust standard error"
            return replace(nothing, reason=reason)
        spread = normal_quantile(fit.confidence) * error
        numbers = (value - spread, value, value + spread, wald_p_value(value / error))
    *logarithms, p_value = numbers
    if any(number is not None and abs(number) > _LARGEST_LOG for number in logarithms):
        return replace(nothing, reason=f"an odds ratio for one unit of {covariate} is too large or small to be held")
    lower, middle, upper = (None if number is None else math.exp(number) for number in logarithms)
    is_zero = fit.infinite[index] < 0
    return Answer(
        method=method,
        value=0.0 if is_zero else middle,
        lower=0.0 if is_zero else lower,
        upper=upper,
        confidence_level=fit.confidence,
        standard_error=error,
        p_value=p_value,
        status="limit_only" if fit.infinite[index] > 0 else "ok",
        reason=fit.reasons[index],
        person_count=persons,
        event_count=events,
    )


def likelihood_ratio_test(fit: RegressionFit, covariates: Sequence[str]) -> Answer:
    """Whether the coefficients of some covariates are all 0: twice the difference of the log likelihoods, chi-squared.

    As many degrees of freedom as covariates. `value` is the statistic; infinite coefficients count with the limit of the
    likelihood, and Firth's with the penalty of the whole model. Misleads with few events for each covariate.
    Raises EstimationError for a covariate that is not in the fit, or a fit whose weights are no counts.
    """
    places = [fit.place(name) for name in covariates]
    if not places or len(set(places)) < len(places):
        raise EstimationError("a likelihood ratio test needs each of its covariates once")
    if not fit.has_likelihood_limits:
        raise EstimationError("a fit with weights that are no counts has no likelihood ratio")
    method = f"{fit.model}_likelihood_ratio"
    persons, events = fit.counts.person_count, fit.counts.event_count
    tested = np.array(places) + fit.beta.size - len(fit.covariates)
    unknown = [name for name, place in zip(covariates, tested, strict=True) if place not in fit.free]
    unknown += [name for name in covariates if fit.reasons[fit.place(name)] and not fit.infinite[fit.place(name)]]
    if fit.likelihood is None or fit.log_likelihood is None or unknown:
        name = (unknown or list(covariates))[0]
        return not_estimable(
            method,
            fit.reasons[fit.place(name)] or f"{name} repeats other covariates",
            person_count=persons,
            event_count=events,
        )
    try:
        statistic = max(0.0, 2.0 * (fit.log_likelihood - _largest_without(fit, tested)))
    except NoMaximumError:
        return not_estimable(
            method, "the likelihood without these covariates has no maximum", person_count=persons, event_count=events
        )
    p_value = float(chdtrc(len(places), statistic))
    return Answer(method=method, value=statistic, p_value=p_value, person_count=persons, event_count=events)


def _by_profile(fit: RegressionFit, index: int) -> tuple[float | None, float | None, float | None, float] | None:
    """Logarithms of lower limit, value and upper limit, and P; None where the coefficient is not identified."""
    if fit.likelihood is None or fit.log_likelihood is None or (fit.reasons[index] and not fit.infinite[index]):
        return None
    place = index + fit.beta.size - len(fit.covariates)
    likelihood, others = _without(fit, np.array([place]))
    value, error, scale = fit.coefficients[index], fit.standard_errors[index], fit.scales[place]
    largest = profile(likelihood, place, start=np.zeros(fit.beta.size) if fit.is_separated else fit.beta, free=others)
    quantile = float(chdtri(1, 1.0 - fit.confidence))
    target = fit.log_likelihood - quantile / 2.0
    p_value = float(chdtrc(1, max(0.0, 2.0 * (fit.log_likelihood - largest(0.0)))))
    if value is None or error is None:
        limit = profile_limit(largest, target=target, start=0.0, step=-float(fit.infinite[index])) / scale
        return (limit, None, None, p_value) if fit.infinite[index] > 0 else (None, None, limit, p_value)
    start, step = value * scale, math.sqrt(quantile) * error * scale
    lower, upper = (profile_limit(largest, target=target, start=start, step=side) for side in (-step, step))
    return lower / scale, value, upper / scale, p_value


def _without(fit: RegressionFit, held: Integers) -> tuple[Likelihood, Integers]:
    """The likelihood, or its limit, in which the coefficients other than `held` have a maximum, and a basis of them."""
    if fit.likelihood is None:
        raise NoMaximumError
    others = np.setdiff1d(fit.free, held)
    if not fit.is_separated:
        return fit.likelihood, others
    limit = limit_of(fit.likelihood, others)
    return limit.likelihood, limit.basis


def _largest_without(fit: RegressionFit, held: Integers) -> float:
    likelihood, others = _without(fit, held)
    warm = np.where(np.isin(np.arange(fit.beta.size), held) | fit.is_separated, 0.0, fit.beta)
    # Two starts: a penalised likelihood may have several maxima.
    tops = [maximise(likelihood, start=start, free=others) for start in (warm, np.zeros(fit.beta.size))]
    heights = [top.point.log_likelihood for top in tops if top.has_converged]
    if not heights:
        raise NoMaximumError
    return max(heights)
