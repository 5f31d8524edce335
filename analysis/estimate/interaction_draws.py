"""Ratios of two exposures from counts, and limits of their interaction from resampling.

Owns the counts of the four exposure groups and the percentile limits. The measures, delta and MOVER belong in `interaction`.

A resample in which a group has no case leaves a ratio without a value. It is counted, shown in `reason`, and taken to lie
beyond either limit, so that the limits can only widen; where such resamples fill a tail there are no limits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from analysis.estimate.confidence import tail_probability
from analysis.estimate.interaction import JointRatios, Measure, interaction, measured
from analysis.estimate.result import Answer, EstimationError, not_estimable

Floats = NDArray[np.float64]
Sampling = Literal["cohort", "case_control"]

BOOTSTRAP = "bootstrap_percentile"
_GROUPS = ("neither", "a_only", "b_only", "both")


@dataclass(frozen=True, slots=True, kw_only=True)
class FourGroups:
    """Cases of each exposure group and what they are counted against: noncases (odds) or person-days (rates).

    `cases`, `others`: neither, A only, B only, both. Raises EstimationError for a number that is negative or not whole.
    """

    cases: tuple[int, int, int, int]
    others: tuple[int, int, int, int]

    def __post_init__(self) -> None:
        numbers = (*self.cases, *self.others)
        if len(self.cases) != 4 or len(self.others) != 4:
            raise EstimationError("four groups are needed: neither, A only, B only, both")
        if any(not isinstance(number, int) or number < 0 for number in numbers):
            raise EstimationError("the counts of the four groups are whole numbers from 0 (int)")


def joint_odds_ratios(groups: FourGroups) -> JointRatios:
    """Odds ratios of A alone, B alone and both against neither; `others` are noncases. A zero cell leaves them undefined."""
    return _joint(groups, ("cases", "noncases"), others_vary=True)


def joint_rate_ratios(groups: FourGroups) -> JointRatios:
    """Rate ratios of A alone, B alone and both against neither; `others` are person-days. A zero leaves them undefined.

    Raises EstimationError for cases without person-days.
    """
    if any(events and not days for events, days in zip(groups.cases, groups.others, strict=True)):
        raise EstimationError("events in 0 person-days: an event needs time at risk")
    return _joint(groups, ("events", "person_days"), others_vary=False)


def resampled_odds(groups: FourGroups, *, sampling: Sampling, draws: int, seed: int) -> Floats:
    """Log odds ratios of `draws` resamples, shape (draws, 3); not finite where a cell is empty.

    `cohort`: persons are drawn from all eight cells. `case_control`: cases among cases, noncases among noncases.
    """
    if sampling not in get_args(Sampling):
        raise EstimationError(f"unknown sampling: {sampling!r}")
    random = np.random.Generator(np.random.PCG64(seed))
    cells = np.array([groups.cases, groups.others], dtype=np.int64)
    if cells.sum(axis=1).min() == 0:
        raise EstimationError("resampling needs a case and a noncase")
    if sampling == "cohort":
        drawn = random.multinomial(cells.sum(), cells.ravel() / cells.sum(), size=draws)
        cases, others = drawn[:, :4], drawn[:, 4:]
    else:
        cases, others = (random.multinomial(row.sum(), row / row.sum(), size=draws) for row in cells)
    return _log_ratios(cases, others)


def resampled_rates(groups: FourGroups, *, draws: int, seed: int) -> Floats:
    """Log rate ratios of `draws` resamples of Poisson events at fixed person-days, shape (draws, 3)."""
    random = np.random.Generator(np.random.PCG64(seed))
    cases = random.poisson(np.array(groups.cases, dtype=np.float64), size=(draws, 4))
    return _log_ratios(cases, np.broadcast_to(np.array(groups.others), cases.shape))


def normal_draws(joint: JointRatios, *, draws: int, seed: int) -> Floats:
    """Log ratios drawn from the normal distribution of the estimates, shape (draws, 3), for hazards and other fits.

    Raises EstimationError when the ratios are undefined.
    """
    if joint.undefined:
        raise EstimationError(f"nothing to draw from: {joint.undefined}")
    uniform = np.random.Generator(np.random.PCG64(seed)).random((draws, 3))
    values, vectors = np.linalg.eigh(np.array(joint.covariance))
    # The symmetric root: unlike the factors, it does not depend on the signs that eigh happens to choose.
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    result: Floats = np.array(joint.log_ratios) + ndtri(np.maximum(uniform, 2.0**-54)) @ root
    return result


def interaction_from_draws(joint: JointRatios, draws: Floats, *, measure: Measure, confidence: float) -> Answer:
    """The measure of `interaction` with percentile limits of resampled log ratios.

    `draws`: shape (n, 3), one resample or refit each; rows that are not finite, and those in which a synergy index has no
    excess to divide by, are undefined (see above). No P and no standard error. Misleads with few cases: resamples repeat the
    gaps of the data.
    Raises EstimationError for another shape and for too few draws for the tail (999 at least for 0.95 is a good rule).
    Source: Assmann et al. 1996, Epidemiology 7:286; Davison and Hinkley 1997, Bootstrap Methods, 5.2.
    """
    tail = tail_probability(confidence)
    if draws.ndim != 2 or draws.shape[1] != 3:
        raise EstimationError(f"draws have three columns (A, B, both), got shape {draws.shape}")
    # The k-th smallest of n estimates the quantile k / (n + 1).
    rank = math.floor(tail * (draws.shape[0] + 1) + 1e-9)
    if rank < 1:
        raise EstimationError(f"{draws.shape[0]} draws do not reach a tail of {tail:g}")
    point = interaction(joint, measure=measure, method="delta", confidence=confidence)
    if joint.undefined or point.value is None:
        return not_estimable(BOOTSTRAP, point.reason, event_count=joint.event_count)
    finite = draws[np.isfinite(draws).all(axis=1)]
    values = measured(measure, finite) if finite.size else np.empty(0)
    values = np.sort(values[np.isfinite(values)])
    missing = draws.shape[0] - values.size
    said = f"{missing} of {draws.shape[0]} resamples leave the measure undefined" if missing else ""
    if missing >= rank:
        return not_estimable(BOOTSTRAP, f"{said}, more than a tail", event_count=joint.event_count)
    lower, upper = float(values[rank - missing - 1]), float(values[values.size - rank + missing])
    return Answer(
        method=BOOTSTRAP,
        value=point.value,
        lower=min(lower, point.value),
        upper=max(upper, point.value),
        confidence_level=confidence,
        event_count=joint.event_count,
        reason=said,
    )


def _joint(groups: FourGroups, names: Sequence[str], *, others_vary: bool) -> JointRatios:
    counts = sum(groups.cases)
    zeros = [
        f"{name} of {group} is 0"
        for name, cells in zip(names, (groups.cases, groups.others), strict=True)
        for group, cell in zip(_GROUPS, cells, strict=True)
        if cell == 0
    ]
    if zeros:
        return JointRatios(undefined=" and ".join(zeros), event_count=counts)
    logs = [math.log(case) - math.log(other) for case, other in zip(groups.cases, groups.others, strict=True)]
    variances = [1.0 / case for case in groups.cases]
    if others_vary:
        variances = [variance + 1.0 / other for variance, other in zip(variances, groups.others, strict=True)]
    rows = tuple(
        tuple(variances[0] + (variances[row] if row == column else 0.0) for column in (1, 2, 3)) for row in (1, 2, 3)
    )
    return JointRatios(
        log_ratios=(logs[1] - logs[0], logs[2] - logs[0], logs[3] - logs[0]), covariance=rows, event_count=counts
    )


def _log_ratios(cases: NDArray[np.int64], others: NDArray[np.int64]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(cases) - np.log(others)
        result: Floats = logs[:, 1:] - logs[:, :1]
    return result
