"""Cox regression of counting-process rows with standard errors that hold for several rows of a person.

Owns the fit and the hazard ratios read from it: time-dependent covariates, delayed entry, Efron or Breslow ties, the
grouped Lin-Wei variance. The partial likelihood itself is in `partial_likelihood`; making the rows, checking
proportional hazards and penalised fits do not belong here.

lifelines has no clustered variance for counting-process rows, hence an own fit.
Source: Cox 1972; Andersen and Gill 1982, Ann Stat 10:1100; Lin and Wei 1989, JASA 84:1074.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.estimate.confidence import normal_quantile, tail_probability, wald_p_value
from analysis.estimate.partial_likelihood import (
    Booleans,
    Floats,
    RiskSets,
    Ties,
    evaluate,
    maximise,
    risk_sets,
    score_residuals,
)  # fmt: skip
from analysis.estimate.result import Answer, EstimationError, not_estimable

# Information that a covariate keeps within the risk sets, as a share of its variance times the events: below, rounding.
_LEAST_INFORMATION = 1e-12
# Least eigenvalue of the information scaled to a correlation matrix: below, covariates repeat each other.
_LEAST_EIGENVALUE = 1e-9
# Last Newton step, in standard deviations, of a coefficient that has found its place while another runs away.
_SETTLED_STEP = 1e-4
# Robust over model-based standard error: below, the residuals of every cluster sum to rounding.
_NO_SPREAD = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class CoxFit:
    """Coefficients (log hazard ratios per unit) of a Cox model, in the order of `covariates`.

    A coefficient without a finite maximum is None, so are its standard errors, and `reasons` says why ("" elsewhere).
    `robust_covariance` has rows and columns of NaN there. `null_log_likelihood` is at coefficients of 0.
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


def cox(
    frame: pl.DataFrame, *, covariates: Sequence[str], confidence: float, cluster: str = "person_id", ties: Ties
) -> CoxFit:
    """Log hazard ratios of the covariates, with model-based and cluster-robust standard errors.

    frame: one row per interval of a person in which nothing changes: `start_day`, `stop_day` (Int64, at risk on the
    days start < t <= stop), `event` (0 or 1, at `stop_day`), the covariates (Float64) and the cluster column. Equal to
    R's coxph(Surv(start, stop, event) ~ x + cluster(id)), converged to 1e-10.
    A covariate that does not vary within any risk set has no coefficient. Of one with two levels and no event in one of
    them the likelihood has no maximum: its rows of that level are left out, the limit of the likelihood, so that the
    other coefficients stand. Where no maximum is found at all, no covariate has a coefficient.
    Misleads when hazards are not proportional, when the covariate foresees the future, and with few clusters (below
    some 40 the robust standard error is too small).
    Raises EstimationError for missing columns, nulls, numbers not finite, start not before stop, an event other than 0
    or 1, or a covariate named twice.
    Source: Andersen and Gill 1982; Efron 1977, JASA 72:557 (ties); Lin and Wei 1989; Therneau and Grambsch 2000, 7.
    """
    tail_probability(confidence)
    if ties not in get_args(Ties):
        raise EstimationError(f"unknown handling of ties: {ties!r}")
    rows, values = _checked(frame, covariates, cluster)
    event_count = int(rows["event"].sum())
    if event_count:
        starts, stops, is_event = (rows[column].to_numpy() for column in ("start_day", "stop_day", "event"))
        sets, kept = risk_sets(starts, stops, is_event == 1, ties=ties)
        solution = _solved(sets, values[kept], rows["code"].to_numpy()[kept], names=covariates)
    else:
        solution = _Solution.without(["no events"] * len(covariates))
    return CoxFit(
        covariates=tuple(covariates),
        coefficients=_present(solution.beta),
        model_standard_errors=_present(solution.model_standard_errors),
        robust_standard_errors=_present(np.sqrt(np.diag(solution.robust_covariance))),
        robust_covariance=solution.robust_covariance,
        reasons=tuple(solution.reasons),
        null_log_likelihood=solution.null_log_likelihood,
        log_likelihood=solution.log_likelihood,
        row_count=rows.height,
        person_count=rows["code"].n_unique(),
        event_count=event_count,
        person_days=int((rows["stop_day"] - rows["start_day"]).sum()),
        ties=ties,
        confidence=confidence,
    )


def hazard_ratio(fit: CoxFit, covariate: str) -> Answer:
    """Hazard ratio for one unit more of a covariate, with cluster-robust limits and Wald P.

    `standard_error` is the robust one of the log. Counts are the fit's: persons, events and days of all rows.
    Raises EstimationError for a covariate that is not in the fit.
    """
    if covariate not in fit.covariates:
        raise EstimationError(f"the fit has no covariate {covariate!r}, only {', '.join(fit.covariates)}")
    method = f"cox_{fit.ties}_robust"
    index = fit.covariates.index(covariate)
    coefficient, standard_error = fit.coefficients[index], fit.robust_standard_errors[index]
    model_standard_error = fit.model_standard_errors[index]
    nothing = not_estimable(
        method,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solution:
    """Numbers in the order of the covariates, NaN where there is no maximum."""

    beta: Floats
    model_standard_errors: Floats
    robust_covariance: Floats
    reasons: list[str]
    null_log_likelihood: float | None
    log_likelihood: float | None

    @classmethod
    def without(cls, reasons: list[str], null_log_likelihood: float | None = None) -> _Solution:
        """No coefficient at all, for the reasons given."""
        count = len(reasons)
        return cls(
            beta=np.full(count, np.nan),
            model_standard_errors=np.full(count, np.nan),
            robust_covariance=np.full((count, count), np.nan),
            reasons=reasons,
            null_log_likelihood=null_log_likelihood,
            log_likelihood=None,
        )


def _solved(sets: RiskSets, x: Floats, codes: NDArray[np.int64], *, names: Sequence[str]) -> _Solution:
    null = evaluate(sets, np.empty((x.shape[0], 0)), np.empty(0)).log_likelihood
    reasons = [""] * len(names)
    while found := _first_without_maximum(sets, x, names, reasons):
        index, reasons[index], rows = found
        sets, x, codes = sets.restricted_to(rows), x[rows], codes[rows]
    estimated = [index for index, reason in enumerate(reasons) if not reason]
    if not estimated:
        return _Solution.without(reasons, null)
    chosen = [names[index] for index in estimated]
    scale = x[:, estimated].std(axis=0)
    standard = (x[:, estimated] - x[:, estimated].mean(axis=0)) / scale
    information = evaluate(sets, standard, np.zeros(len(estimated))).information
    least = np.linalg.eigvalsh(information / np.sqrt(np.outer(np.diag(information), np.diag(information))))[0]
    if least < _LEAST_EIGENVALUE:
        failure = f"collinear: {', '.join(chosen)}"
        return _Solution.without([reason or failure for reason in reasons], null)
    top = maximise(sets, standard)
    if not top.has_converged:
        rising = [name for name, step in zip(chosen, np.abs(top.step), strict=True) if not step < _SETTLED_STEP]
        failure = f"the likelihood has no finite maximum in {', '.join(rising or chosen)}"
        return _Solution.without([reason or failure for reason in reasons], null)
    covariance = np.linalg.inv(top.point.information)
    changes = score_residuals(sets, standard, top.point) @ covariance / scale
    grouped = np.column_stack([np.bincount(codes, changes[:, index]) for index in range(len(estimated))])
    solution = _Solution.without(reasons, null)
    solution.beta[estimated] = top.beta / scale
    solution.model_standard_errors[estimated] = np.sqrt(np.diag(covariance)) / scale
    solution.robust_covariance[np.ix_(estimated, estimated)] = grouped.T @ grouped
    return replace(solution, log_likelihood=top.point.log_likelihood)


def _first_without_maximum(
    sets: RiskSets, x: Floats, names: Sequence[str], reasons: Sequence[str]
) -> tuple[int, str, Booleans] | None:
    """The first covariate whose coefficient is undefined or infinite, why, and the rows that its limit leaves."""
    everyone = np.ones(x.shape[0], dtype=np.bool_)
    for index, name in enumerate(names):
        if reasons[index]:
            continue
        column = x[:, index]
        low, high, events = column.min(), column.max(), column[sets.is_event]
        if low == high:
            return index, f"{name} does not vary among persons at risk", everyone
        if events.min() == events.max() and events[0] in (low, high):
            rows = column == events[0]
            other = column[~rows]
            where = f"is {other[0]:g}" if other.min() == other.max() else f"is not {events[0]:g}"
            return index, f"no events where {name} {where}", rows
        standard = ((column - column.mean()) / column.std())[:, np.newaxis]
        if evaluate(sets, standard, np.zeros(1)).information[0, 0] < _LEAST_INFORMATION * sets.slot_time.size:
            return index, f"{name} does not vary within any risk set", everyone
    return None


def _checked(frame: pl.DataFrame, covariates: Sequence[str], cluster: str) -> tuple[pl.DataFrame, Floats]:
    columns = ["start_day", "stop_day", "event", cluster, *covariates]
    missing = [column for column in columns if column not in frame.columns]
    if missing or not covariates or len(set(covariates)) < len(covariates):
        raise EstimationError(f"a Cox frame needs each covariate once and the columns {', '.join(missing or columns)}")
    nulls = [column for column in columns if frame[column].null_count()]
    if nulls:
        raise EstimationError(f"a Cox frame holds nulls in {', '.join(nulls)}")
    values = frame.select(pl.col(covariates).cast(pl.Float64)).to_numpy()
    if not np.isfinite(values).all():
        raise EstimationError("a Cox frame holds covariates that are not finite")
    rows = frame.select(
        pl.col("start_day").cast(pl.Int64),
        pl.col("stop_day").cast(pl.Int64),
        pl.col("event").cast(pl.Int64),
        code=pl.col(cluster).rank("dense").cast(pl.Int64) - 1,
    )
    late, odd = rows.filter(pl.col("start_day") >= pl.col("stop_day")), rows.filter(~pl.col("event").is_in([0, 1]))
    if late.height or odd.height:
        raise EstimationError(f"{late.height} rows start at or after their stop, {odd.height} have an event not 0 or 1")
    return rows, values


def _present(numbers: Floats) -> tuple[float | None, ...]:
    return tuple(None if math.isnan(number) else float(number) for number in numbers)
