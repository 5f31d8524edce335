"""Cox regression of counting-process rows with standard errors that hold for several rows of a person.

Owns the fit and the hazard ratios read from it: time-dependent covariates, delayed entry, strata, weights, Efron or
Breslow ties, the grouped Lin-Wei variance. The check of the rows is in `counting_process`, the search for the maximum in
`cox_maximum`, the likelihood in `partial_likelihood`; proportional hazards are tested in `proportional_hazards`.

lifelines has no clustered variance for counting-process rows, hence an own fit.
Source: Cox 1972; Andersen and Gill 1982, Ann Stat 10:1100; Lin and Wei 1989, JASA 84:1074; Binder 1992, Biometrika
79:139 (weights).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np
import polars as pl

from analysis.estimate.confidence import LARGEST_LOG_RATIO, normal_quantile, tail_probability, wald_p_value
from analysis.estimate.counting_process import CountingRows, counting_rows
from analysis.estimate.cox_maximum import Solution, solved
from analysis.estimate.result import Answer, EstimationError, not_estimable
from analysis.estimate.risk_sets import Floats, Ties, risk_sets

# Robust over model-based standard error: below, the residuals of every cluster sum to rounding.
_NO_SPREAD = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class CoxFit:
    """Coefficients (log hazard ratios per unit) of a Cox model, in the order of `covariates`.

    A coefficient without a finite maximum is None, so are its standard errors, and `reasons` says why ("" elsewhere).
    `robust_covariance` has rows and columns of NaN there. `null_log_likelihood` is at coefficients of 0. Counts and
    days are those of the rows, whatever their weight. `model` names the method with `ties`.
    """

    covariates: tuple[str, ...]
    coefficients: tuple[float | None, ...]
    model_standard_errors: tuple[float | None, ...]
    robust_standard_errors: tuple[float | None, ...]
    robust_covariance: Floats = field(compare=False)
    reasons: tuple[str, ...]
    null_log_likelihood: float | None
    log_likelihood: float | None
    row_count: int
    person_count: int
    event_count: int
    person_days: int
    ties: Ties
    confidence: float
    model: str = "cox"
    is_stratified: bool = False
    is_weighted: bool = False

    @property
    def method(self) -> str:
        """What was fitted, as in `estimate.result`."""
        words = [
            self.model,
            self.ties,
            "robust",
            *["stratified"] * self.is_stratified,
            *["weighted"] * self.is_weighted,
        ]
        return "_".join(words)

    def covariance_of(self, covariates: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        """Cluster-robust covariance of some coefficients, in the order asked, as `JointRatios` takes it.

        Raises EstimationError for a covariate that is not in the fit or has no coefficient.
        """
        unknown = [name for name in covariates if name not in self.covariates]
        places = [self.covariates.index(name) for name in covariates if name not in unknown]
        without = [self.covariates[place] for place in places if self.coefficients[place] is None]
        if unknown or without:
            raise EstimationError(f"the fit has no coefficient of {', '.join(unknown + without)}")
        chosen = self.robust_covariance[np.ix_(places, places)]
        return tuple(tuple(float(number) for number in row) for row in chosen)


def cox(
    frame: pl.DataFrame,
    *,
    covariates: Sequence[str],
    confidence: float,
    cluster: str = "person_id",
    ties: Ties,
    strata: str | None = None,
    weight: str | None = None,
) -> CoxFit:
    """Log hazard ratios of the covariates, with model-based and cluster-robust standard errors.

    frame: one row per interval of a person in which nothing changes: `start_day`, `stop_day` (Int64, at risk on the
    days start < t <= stop), `event` (0 or 1, at `stop_day`), the covariates (Float64) and the cluster column. Equal to
    R's coxph(Surv(start, stop, event) ~ x + cluster(id)), converged to 1e-10.
    strata: column whose values have baseline hazards of their own (R: strata()); days of different strata need not share
    an origin. weight: column of weights above 0 of each row (overlap, inverse probability), whose scale does not matter;
    the robust variance takes them as known, which is conservative for weights estimated well (R: coxph(weights=)). The
    model-based one takes them for counts and is not to be shown.
    A covariate that does not vary within any risk set has no coefficient. Of one with two levels and no event in one of
    them the likelihood has no maximum: its rows of that level are left out, the limit of the likelihood, so that the
    other coefficients stand. Where no maximum is found at all, no covariate has a coefficient.
    Misleads when hazards are not proportional, when the covariate foresees the future, and with few clusters (below
    some 40 the robust standard error is too small).
    Raises EstimationError for missing columns, nulls, numbers not finite, start not before stop, an event other than 0
    or 1, a weight not above 0, or a covariate named twice.
    Source: Andersen and Gill 1982; Efron 1977, JASA 72:557 (ties); Lin and Wei 1989; Therneau and Grambsch 2000, 7.
    """
    tail_probability(confidence)
    if ties not in get_args(Ties):
        raise EstimationError(f"unknown handling of ties: {ties!r}")
    rows = counting_rows(frame, covariates, cluster=cluster, strata=strata, weight=weight)
    solution = solution_of(rows, names=covariates, ties=ties)
    return CoxFit(
        covariates=tuple(covariates),
        coefficients=_present(solution.beta),
        model_standard_errors=_present(solution.model_standard_errors),
        robust_standard_errors=_present(np.sqrt(np.diag(solution.robust_covariance))),
        robust_covariance=solution.robust_covariance,
        reasons=tuple(solution.reasons),
        null_log_likelihood=solution.null_log_likelihood,
        log_likelihood=solution.log_likelihood,
        row_count=rows.start.size,
        person_count=int(rows.code.max(initial=-1)) + 1,
        event_count=rows.event_count,
        person_days=rows.person_days,
        ties=ties,
        confidence=confidence,
        is_stratified=strata is not None,
        is_weighted=weight is not None,
    )


def solution_of(rows: CountingRows, *, names: Sequence[str], ties: Ties) -> Solution:
    """The maximum of the partial likelihood of checked rows, whose covariates have these names."""
    if not rows.event_count:
        return Solution.without(["no events"] * len(names))
    sets, kept = risk_sets(rows.start, rows.stop, rows.is_event, ties=ties, stratum=rows.stratum, weight=rows.weight)
    if kept.all():
        return solved(sets, rows.x, rows.code, names=names)
    return solved(sets, rows.x.T[:, kept].T, rows.code[kept], names=names)


def hazard_ratio(fit: CoxFit, covariate: str) -> Answer:
    """Hazard ratio for one unit more of a covariate, with cluster-robust limits and Wald P.

    `standard_error` is the robust one of the log. Counts are the fit's: persons, events and days of all rows.
    Raises EstimationError for a covariate that is not in the fit.
    """
    if covariate not in fit.covariates:
        raise EstimationError(f"the fit has no covariate {covariate!r}, only {', '.join(fit.covariates)}")
    index = fit.covariates.index(covariate)
    coefficient, standard_error = fit.coefficients[index], fit.robust_standard_errors[index]
    model_standard_error = fit.model_standard_errors[index]
    nothing = not_estimable(
        fit.method,
        fit.reasons[index] or "the score residuals cancel within each person, as with one: no robust standard error",
        person_count=fit.person_count,
        event_count=fit.event_count,
        person_days=fit.person_days,
    )
    if coefficient is None or standard_error is None or model_standard_error is None:
        return nothing
    if standard_error < _NO_SPREAD * model_standard_error:
        return nothing
    spread = normal_quantile(fit.confidence) * standard_error
    if abs(coefficient) + spread > LARGEST_LOG_RATIO:
        return replace(nothing, reason="the hazard ratio or its limit is beyond 1e100: separation")
    return replace(
        nothing,
        status="ok",
        reason="",
        value=math.exp(coefficient),
        lower=math.exp(coefficient - spread),
        upper=math.exp(coefficient + spread),
        confidence_level=fit.confidence,
        standard_error=standard_error,
        p_value=wald_p_value(coefficient / standard_error),
    )


def _present(numbers: Floats) -> tuple[float | None, ...]:
    return tuple(None if math.isnan(number) else float(number) for number in numbers)
