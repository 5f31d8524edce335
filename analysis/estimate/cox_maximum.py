"""Where the partial likelihood is largest, and why it may be nowhere: separation, constants, repeated covariates.

Owns the coefficients with both variances and the reason of each that does not exist. The likelihood itself is in
`partial_likelihood`, frames and the meaning of a coefficient in `cox`.
Source: Lin and Wei 1989, JASA 84:1074 (grouped variance); Therneau and Grambsch 2000, Modeling Survival Data, 3 and 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.estimate.partial_likelihood import Point, evaluate, maximise, score_residuals
from analysis.estimate.risk_sets import Booleans, Floats, RiskSets

# Information that a covariate keeps within the risk sets, as a share of its variance times the events: below, rounding.
_LEAST_INFORMATION = 1e-12
# Least eigenvalue of the information scaled to a correlation matrix: below, covariates repeat each other.
_LEAST_EIGENVALUE = 1e-9
# Last Newton step, in standard deviations, of a coefficient that has found its place while another runs away.
_SETTLED_STEP = 1e-4


@dataclass(frozen=True, slots=True)
class Top:
    """Risk sets, standardised covariates (rows, those with a coefficient) and the likelihood at its maximum on them."""

    sets: RiskSets
    x: Floats
    point: Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """Numbers in the order of the covariates, NaN where there is no maximum.

    `top`: the maximum with the risk sets and standardised covariates it was found on, those with a coefficient only.
    """

    beta: Floats
    model_standard_errors: Floats
    robust_covariance: Floats
    reasons: list[str]
    null_log_likelihood: float | None
    log_likelihood: float | None
    top: Top | None = None

    @classmethod
    def without(cls, reasons: list[str], null_log_likelihood: float | None = None) -> Solution:
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


def solved(sets: RiskSets, x: Floats, codes: NDArray[np.int64], *, names: Sequence[str]) -> Solution:
    """The coefficients of `x` (rows, covariates) with the variance grouped by `codes` (per row, 0, 1, 2, ...).

    A covariate that does not vary within any risk set has no coefficient. Of one with two levels and no event in one of
    them the rows of that level are left out, the limit of the likelihood, so that the others stand. Where no maximum is
    found, or covariates repeat each other, none has one.
    """
    reasons = [""] * len(names)
    null_log_likelihood = None
    while True:
        while found := _first_without_maximum(sets, x, names, reasons):
            index, reasons[index], rows = found
            if null_log_likelihood is None:
                null_log_likelihood = evaluate(sets, np.empty((x.shape[0], 0)), np.empty(0)).log_likelihood
            sets, x, codes = sets.restricted_to(rows), x[rows], codes[rows]
        estimated = [index for index, reason in enumerate(reasons) if not reason]
        if not estimated:
            return Solution.without(reasons, null_log_likelihood)
        chosen = x if len(estimated) == x.shape[1] else x[:, estimated]
        # Columns lie together in memory, for numpy is slow along the rows of a narrow array.
        columns = chosen.T - chosen.T.mean(axis=1, keepdims=True)
        scale = np.sqrt(np.einsum("ij,ij->i", columns, columns) / columns.shape[1])
        columns /= scale[:, np.newaxis]
        standard = columns.T
        null = evaluate(sets, standard, np.zeros(len(estimated)))
        constant = np.diag(null.information) < _LEAST_INFORMATION * sets.slot_weight.sum()
        if not constant.any():
            break
        for index in np.asarray(estimated)[constant]:
            reasons[index] = f"{names[index]} does not vary within any risk set"
    if null_log_likelihood is None:
        null_log_likelihood = null.log_likelihood
    chosen_names = [names[index] for index in estimated]
    information = null.information
    least = np.linalg.eigvalsh(information / np.sqrt(np.outer(np.diag(information), np.diag(information))))[0]
    if least < _LEAST_EIGENVALUE:
        failure = f"collinear: {', '.join(chosen_names)}"
        return Solution.without([reason or failure for reason in reasons], null_log_likelihood)
    top = maximise(sets, standard, null)
    if not top.has_converged:
        rising = [name for name, step in zip(chosen_names, np.abs(top.step), strict=True) if not step < _SETTLED_STEP]
        failure = f"the likelihood has no finite maximum in {', '.join(rising or chosen_names)}"
        return Solution.without([reason or failure for reason in reasons], null_log_likelihood)
    covariance = np.linalg.inv(top.point.information)
    residuals = score_residuals(sets, standard, top.point)
    grouped = residuals
    if np.bincount(codes).max() > 1:
        grouped = np.column_stack([np.bincount(codes, column) for column in residuals.T])
    robust = covariance @ (grouped.T @ grouped) @ covariance / np.outer(scale, scale)
    solution = Solution.without(reasons, null_log_likelihood)
    solution.beta[estimated] = top.beta / scale
    solution.model_standard_errors[estimated] = np.sqrt(np.diag(covariance)) / scale
    solution.robust_covariance[np.ix_(estimated, estimated)] = (robust + robust.T) / 2.0
    return replace(solution, log_likelihood=top.point.log_likelihood, top=Top(sets, standard, top.point))


def _first_without_maximum(
    sets: RiskSets, x: Floats, names: Sequence[str], reasons: Sequence[str]
) -> tuple[int, str, Booleans] | None:
    """The first covariate that is constant or has no events at a level, why, and the rows that its limit leaves."""
    lows, highs = ([edge(column) for column in x.T] for edge in (np.min, np.max))
    events = x[sets.is_event]
    for index, name in enumerate(names):
        if reasons[index]:
            continue
        low, high, own = lows[index], highs[index], events[0, index]
        if low == high:
            return index, f"{name} does not vary among persons at risk", np.ones(x.shape[0], dtype=np.bool_)
        if own in (low, high) and (events[:, index] == own).all():
            rows = x[:, index] == own
            other = x[~rows, index]
            where = f"is {other[0]:g}" if other.min() == other.max() else f"is not {own:g}"
            return index, f"no events where {name} {where}", rows
    return None
