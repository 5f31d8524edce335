"""The fit of a regression likelihood: coefficients, variances, and the reasons for coefficients that do not exist.

Owns `RegressionFit`. Odds ratios, limits and tests are read from it in `adjusted`; the likelihoods belong in `logistic`
and `conditional_logistic`, Newton's method in `likelihood`, infinite coefficients in `separation`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.linalg import eigh

from analysis.estimate.confidence import tail_probability
from analysis.estimate.design import Design
from analysis.estimate.likelihood import (
    Booleans,
    Floats,
    Integers,
    Likelihood,
    Maximum,
    NoMaximumError,
    Penalised,
    maximise,
)  # fmt: skip
from analysis.estimate.result import EstimationError
from analysis.estimate.separation import Limit, identified, limit_of, signs_of_infinity

# Standardised values below this are rounding of one and the same value.
_LEAST_VARIATION = 1e-10
# Information in a direction as a share of that at 0: below, the direction may be one of separation.
_LEAST_KEPT = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a fit stands on; see `RegressionFit`."""

    row_count: int
    event_count: int
    person_count: int | None = None
    set_count: int | None = None
    informative_set_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionFit:
    """Coefficients (log odds ratios per unit) of a regression model, in the order of `covariates`.

    A coefficient without a finite maximum is None, so are its standard errors, and `reasons` says why ("" elsewhere).
    `covariance` and `robust_covariance` have rows and columns of NaN there. `log_likelihood` is its largest value or,
    where coefficients are infinite, its limit; penalised for Firth's method. `row_count` counts rows, `event_count` and
    `person_count` events and clusters of all of them. `set_count` and `informative_set_count` are None without sets.
    """

    model: str
    covariates: tuple[str, ...]
    coefficients: tuple[float | None, ...]
    standard_errors: tuple[float | None, ...]
    robust_standard_errors: tuple[float | None, ...] | None
    covariance: Floats = field(compare=False)
    robust_covariance: Floats | None = field(compare=False)
    reasons: tuple[str, ...]
    infinite: tuple[int, ...]  # -1 or 1 where the coefficient runs to minus or plus infinity, else 0
    log_likelihood: float | None
    is_separated: bool
    counts: Counts
    confidence: float
    has_likelihood_limits: bool = True
    likelihood: Likelihood | None = field(compare=False, repr=False)
    free: Integers = field(compare=False, repr=False)
    beta: Floats = field(compare=False, repr=False)
    scales: Floats = field(compare=False, repr=False)

    def place(self, covariate: str) -> int:
        """Index of a covariate. Raises EstimationError for one that is not in the fit."""
        if covariate not in self.covariates:
            raise EstimationError(f"the fit has no covariate {covariate!r}, only {', '.join(self.covariates)}")
        return self.covariates.index(covariate)


def fit_likelihood(
    likelihood: Likelihood,
    *,
    model: str,
    design: Design,
    counts: Counts,
    clusters: Integers | None,
    infinite_reasons: Sequence[str],
    confidence: float,
    nothing: str,
) -> RegressionFit:
    """The maximum of a likelihood whose last coefficients are those of the design; Firth's if `model` begins so.

    clusters: per unit of the likelihood, its cluster, for a robust variance. `infinite_reasons`: per covariate, the
    words for an infinite coefficient. `nothing`: why no covariate has a coefficient, empty where the data may tell.
    """
    tail_probability(confidence)
    extra = likelihood.size - len(design.names)
    blank = _blank(model, design, counts, confidence, extra=extra, is_clustered=clusters is not None)
    if nothing:
        return replace(blank, reasons=(nothing,) * len(design.names))
    what = identified(likelihood.identified(), np.arange(likelihood.size))
    if model.startswith("firth"):
        likelihood = Penalised(likelihood, what.basis, blank.scales)
    limit = Limit(likelihood, what.basis, what.is_unique, is_separated=False)
    start = np.zeros(likelihood.size)
    try:
        top = maximise(likelihood, start=start, free=limit.basis)
        if not top.has_converged or _is_flat(likelihood, top, what.basis):
            limit = limit_of(likelihood, what.basis)
            top = maximise(limit.likelihood, start=start, free=limit.basis) if limit.is_separated else top
        if not top.has_converged:
            raise NoMaximumError
        infinite = [_direction(likelihood, what.basis, limit, extra + index) for index in range(len(design.names))]
    except NoMaximumError:
        return replace(blank, reasons=("no maximum of the likelihood could be found",) * len(design.names))
    finite = np.flatnonzero(limit.is_finite & what.is_unique)
    fit = replace(
        blank,
        covariance=_variance(limit, top, blank, finite, None),
        robust_covariance=None if clusters is None else _variance(limit, top, blank, finite, clusters),
        reasons=tuple(_reasons(likelihood, what.is_unique[extra:], limit, design, infinite, infinite_reasons)),
        infinite=tuple(infinite),
        is_separated=limit.is_separated,
        log_likelihood=top.point.log_likelihood,
        likelihood=likelihood,
        free=what.basis,
        beta=top.beta,
    )
    estimates = np.full(likelihood.size, np.nan)
    estimates[finite] = top.beta[finite] / blank.scales[finite]
    return replace(
        fit,
        coefficients=_present(estimates[extra:]),
        standard_errors=_present(np.sqrt(np.diag(fit.covariance))),
        robust_standard_errors=None
        if fit.robust_covariance is None
        else _present(np.sqrt(np.diag(fit.robust_covariance))),
    )


def _blank(
    model: str, design: Design, counts: Counts, confidence: float, *, extra: int, is_clustered: bool
) -> RegressionFit:
    size = len(design.names)
    nothing, missing = (None,) * size, np.full((size, size), np.nan)
    return RegressionFit(
        model=model,
        covariates=design.names,
        coefficients=nothing,
        standard_errors=nothing,
        robust_standard_errors=nothing if is_clustered else None,
        covariance=missing,
        robust_covariance=missing if is_clustered else None,
        reasons=("",) * size,
        infinite=(0,) * size,
        is_separated=False,
        log_likelihood=None,
        counts=counts,
        confidence=confidence,
        likelihood=None,
        free=np.empty(0, dtype=np.intp),
        beta=np.zeros(extra + size),
        scales=np.concatenate((np.ones(extra), design.scales)),
    )


def _is_flat(likelihood: Likelihood, top: Maximum, basis: Integers) -> bool:
    """Whether a direction has lost so much information since 0 that rounding may pass for a maximum."""
    at_start, at_top = (
        point.information[np.ix_(basis, basis)] for point in (likelihood.evaluate(np.zeros(likelihood.size)), top.point)
    )
    return bool(eigh(at_top, at_start, eigvals_only=True)[0] < _LEAST_KEPT) if basis.size else False


def _variance(limit: Limit, top: Maximum, blank: RegressionFit, finite: Integers, clusters: Integers | None) -> Floats:
    """Inverse information of the covariates, or the sandwich of it with the scores summed by cluster."""
    size, basis = top.beta.size, np.ix_(limit.basis, limit.basis)
    result, chosen = np.full((size, size), np.nan), np.full((size, size), np.nan)
    if limit.basis.size:
        result[basis] = np.linalg.inv(top.point.information[basis])
        if clusters is not None:
            moves = limit.likelihood.unit_scores(top.beta)[:, limit.basis] @ result[basis]
            grouped = np.column_stack([np.bincount(clusters, move) for move in moves.T])
            result[basis] = grouped.T @ grouped
    part = np.ix_(finite, finite)
    chosen[part] = result[part] / np.outer(blank.scales[finite], blank.scales[finite])
    extra = size - len(blank.covariates)
    return chosen[extra:, extra:]


def _direction(likelihood: Likelihood, free: Integers, limit: Limit, index: int) -> int:
    """Where coefficient `index` runs to: -1 or 1 for infinity, 0 if nowhere, or if separation allows both."""
    if not limit.is_separated or limit.is_finite[index] or index not in free:
        return 0
    lowers, raises = signs_of_infinity(likelihood.contrasts(), free, index)
    return int(raises) - int(lowers)


def _reasons(
    likelihood: Likelihood,
    is_unique: Booleans,
    limit: Limit,
    design: Design,
    infinite: Sequence[int],
    infinite_reasons: Sequence[str],
) -> list[str]:
    extra = likelihood.size - len(design.names)
    rows = likelihood.identified()[:, extra:]
    varies = rows.max(axis=0, initial=-np.inf) - rows.min(axis=0, initial=np.inf) > _LEAST_VARIATION
    repeated = [name for name, varied, unique in zip(design.names, varies, is_unique, strict=True) if varied > unique]
    reasons = []
    for index, name in enumerate(design.names):
        if not varies[index]:
            reasons.append(f"{name} does not vary where there is information")
        elif not is_unique[index]:
            reasons.append(f"collinear: {', '.join(repeated)}")
        elif limit.is_finite[extra + index]:
            reasons.append("")
        elif infinite[index]:
            reasons.append(infinite_reasons[index])
        else:
            reasons.append(f"separation leaves the direction of {name} open")
    return reasons


def _present(numbers: Floats) -> tuple[float | None, ...]:
    return tuple(None if math.isnan(number) else float(number) for number in numbers)
