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

from analysis.estimate.partial_likelihood import Booleans, Floats, Point, RiskSets, evaluate, maximise, score_residuals

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
    null = evaluate(sets, np.empty((x.shape[0], 0)), np.empty(0)).log_likelihood
    reasons = [""] * len(names)
    while found := _first_without_maximum(sets, x, names, reasons):
        index, reasons[index], rows = found
        sets, x, codes = sets.restricted_to(rows), x[rows], codes[rows]
    estimated = [index for index, reason in enumerate(reasons) if not reason]
    if not estimated:
        return Solution.without(reasons, null)
    chosen = [names[index] for index in estimated]
    scale = x[:, estimated].std(axis=0)
    # Columns lie together in memory, for every sum is over one.
    standard = np.asfortranarray((x[:, estimated] - x[:, estimated].mean(axis=0)) / scale)
    information = evaluate(sets, standard, np.zeros(len(estimated))).information
    least = np.linalg.eigvalsh(information / np.sqrt(np.outer(np.diag(information), np.diag(information))))[0]
    if least < _LEAST_EIGENVALUE:
        failure = f"collinear: {', '.join(chosen)}"
        return Solution.without([reason or failure for reason in reasons], null)
    top = maximise(sets, standard)
    if not top.has_converged:
        rising = [name for name, step in zip(chosen, np.abs(top.step), strict=True) if not step < _SETTLED_STEP]
        failure = f"the likelihood has no finite maximum in {', '.join(rising or chosen)}"
        return Solution.without([reason or failure for reason in reasons], null)
    covariance = np.linalg.inv(top.point.information)
    changes = score_residuals(sets, standard, top.point) @ covariance / scale
    grouped = np.column_stack([np.bincount(codes, changes[:, index]) for index in range(len(estimated))])
    solution = Solution.without(reasons, null)
    solution.beta[estimated] = top.beta / scale
    solution.model_standard_errors[estimated] = np.sqrt(np.diag(covariance)) / scale
    solution.robust_covariance[np.ix_(estimated, estimated)] = grouped.T @ grouped
    return replace(solution, log_likelihood=top.point.log_likelihood, top=Top(sets, standard, top.point))


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
        if evaluate(sets, standard, np.zeros(1)).information[0, 0] < _LEAST_INFORMATION * sets.slot_weight.sum():
            return index, f"{name} does not vary within any risk set", everyone
    return None
