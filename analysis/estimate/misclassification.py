"""Probabilistic bias analysis of a misclassified outcome: what a ratio becomes when recorded cases are not all true.

Owns the correction by positive predictive value and sensitivity and its draws. The ratios themselves belong in `risk`,
`two_by_two` and `rates`; misclassified exposure does not belong here.
Source: Lash, Fox and Fink 2009, Applying Quantitative Bias Analysis to Epidemiologic Data, ch. 6 and 8; Fox, Lash and
Greenland 2005, Int J Epidemiol 34:1370.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from analysis.estimate.confidence import tail_probability
from analysis.estimate.rates import TwoRates
from analysis.estimate.result import Answer, EstimationError, not_estimable
from analysis.estimate.two_by_two import TwoByTwo

Floats = NDArray[np.float64]
MisclassifiedRatio = Literal["odds_ratio", "risk_ratio", "rate_ratio"]
Uncertainty = Literal["systematic", "total"]


@dataclass(frozen=True, slots=True)
class Trapezoid:
    """A share known to lie from `low` to `high`, equally likely from `mode_low` to `mode_high` and less towards the ends.

    Raises EstimationError unless 0 < low <= mode_low <= mode_high <= high <= 1.
    """

    low: float
    mode_low: float
    mode_high: float
    high: float

    def __post_init__(self) -> None:
        if not 0.0 < self.low <= self.mode_low <= self.mode_high <= self.high <= 1.0:
            raise EstimationError(f"a share needs 0 < low <= mode_low <= mode_high <= high <= 1, got {self}")

    @classmethod
    def uniform(cls, low: float, high: float) -> Trapezoid:
        """Every value from `low` to `high` alike."""
        return cls(low, low, high, high)

    @classmethod
    def fixed(cls, value: float) -> Trapezoid:
        """One value, known without error."""
        return cls(value, value, value, value)

    def quantile(self, share: Floats) -> Floats:
        """The value that `share` of the distribution lies below."""
        rise, fall = self.mode_low - self.low, self.high - self.mode_high
        area = (self.high - self.low + self.mode_high - self.mode_low) / 2.0  # with height 1
        if area == 0.0:
            return np.full_like(share, self.low)
        below = share * area
        left = self.low + np.sqrt(2.0 * rise * np.minimum(below, rise / 2.0))
        middle = self.mode_low + np.maximum(0.0, below - rise / 2.0)
        right = self.high - np.sqrt(2.0 * fall * np.maximum(0.0, area - below))
        inner: Floats = np.where(below < rise / 2.0, left, np.where(area - below < fall / 2.0, right, middle))
        return inner


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeErrors:
    """Positive predictive value and sensitivity of the recorded outcome in each group.

    `correlation`: of the exposed with the comparator value, for each of the two, from 0 (unrelated) to 1 (the same quantile:
    with the same distribution, the same value). Raises EstimationError for a correlation outside [0, 1].
    """

    exposed_ppv: Trapezoid
    comparator_ppv: Trapezoid
    exposed_sensitivity: Trapezoid
    comparator_sensitivity: Trapezoid
    correlation: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.correlation <= 1.0:
            raise EstimationError(f"a correlation lies from 0 to 1 here, got {self.correlation}")


@dataclass(frozen=True, slots=True)
class BiasAnalysis:
    """The corrected ratio, the number of draws, and how many of them the data cannot have come from."""

    answer: Answer
    draw_count: int
    impossible_count: int


def misclassified_outcome(
    table: TwoByTwo | TwoRates,
    errors: OutcomeErrors,
    *,
    measure: MisclassifiedRatio,
    uncertainty: Uncertainty,
    draws: int,
    seed: int,
    confidence: float,
) -> BiasAnalysis:
    """The ratio if recorded cases were true with the PPV, and true ones recorded with the sensitivity, of each draw.

    True cases = recorded cases x PPV / sensitivity in each group. `value` is the median over draws, the limits their
    percentiles. `systematic`: of the errors only. `total`: with a normal error of the log of the recorded counts added to
    each draw (the conventional standard error carried through the correction). A draw is impossible when a group would have
    more cases than persons (for odds: as many); it is left out and counted, and `reason` shows the count.
    Not estimable without a recorded case in a group, for there PPV and sensitivity correct nothing. Misleads when the PPV
    comes from another population: it follows the incidence there; equal PPV in both groups is no equal error in both.
    Raises EstimationError for a measure that the table has not, and for draws too few for the tail.
    Source: Lash, Fox and Fink 2009; Fox, Lash and Greenland 2005.
    """
    tail = tail_probability(confidence)
    if measure not in get_args(MisclassifiedRatio) or uncertainty not in get_args(Uncertainty):
        raise EstimationError(f"unknown measure or uncertainty: {measure!r}, {uncertainty!r}")
    if (measure == "rate_ratio") is not isinstance(table, TwoRates):
        raise EstimationError("a rate ratio needs rates; an odds ratio or risk ratio needs a 2x2 table")
    if math.floor(tail * (draws + 1) + 1e-9) < 1:
        raise EstimationError(f"{draws} draws do not reach a tail of {tail:g}")
    method = f"misclassification_{uncertainty}"
    groups = _groups(table)
    events = groups[0][0] + groups[1][0]
    zero = [name for name, (cases, _) in zip(("exposed", "comparator"), groups, strict=True) if cases == 0]
    if zero:
        reason = f"no recorded case in a group ({' and '.join(zero)}): predictive value and sensitivity correct nothing"
        return BiasAnalysis(not_estimable(method, reason, event_count=events), draws, 0)
    logs, possible = _log_ratios(groups, errors, measure=measure, uncertainty=uncertainty, draws=draws, seed=seed)
    impossible = draws - int(possible.sum())
    said = f"{impossible} of {draws} draws are impossible: more true cases than persons" if impossible else ""
    values = np.sort(logs[possible])
    rank = math.floor(tail * (values.size + 1) + 1e-9)
    if rank < 1:
        return BiasAnalysis(not_estimable(method, said, event_count=events), draws, impossible)
    answer = Answer(
        method=method,
        value=math.exp(float(np.median(values))),
        lower=math.exp(float(values[rank - 1])),
        upper=math.exp(float(values[values.size - rank])),
        confidence_level=confidence,
        event_count=events,
        reason=said,
    )
    return BiasAnalysis(answer, draws, impossible)


def _groups(table: TwoByTwo | TwoRates) -> list[tuple[int, int]]:
    """Recorded cases and persons, or events and person-days, of the exposed and of the comparator."""
    if isinstance(table, TwoRates):
        return [
            (table.exposed_events, table.exposed_person_days),
            (table.comparator_events, table.comparator_person_days),
        ]
    return [(table.exposed_cases, table.margins.exposed), (table.comparator_cases, table.margins.comparator)]


def _log_ratios(
    groups: list[tuple[int, int]],
    errors: OutcomeErrors,
    *,
    measure: MisclassifiedRatio,
    uncertainty: Uncertainty,
    draws: int,
    seed: int,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Log of the corrected ratio of every draw, and which draws are possible."""
    # Five columns always, so that the same seed means the same errors with and without random error.
    uniform = np.random.Generator(np.random.PCG64(seed)).random((draws, 5))
    normal = ndtri(np.maximum(uniform, 2.0**-54))
    own = math.sqrt(1.0 - errors.correlation**2)
    shares = (
        (errors.exposed_ppv.quantile(ndtr(normal[:, 0])), errors.exposed_sensitivity.quantile(ndtr(normal[:, 1]))),
        (
            errors.comparator_ppv.quantile(ndtr(errors.correlation * normal[:, 0] + own * normal[:, 2])),
            errors.comparator_sensitivity.quantile(ndtr(errors.correlation * normal[:, 1] + own * normal[:, 3])),
        ),
    )
    possible = np.ones(draws, dtype=np.bool_)
    logs, variance = np.zeros(draws), np.zeros(draws)
    for sign, (cases, size), (ppv, sensitivity) in zip((1.0, -1.0), groups, shares, strict=True):
        true = cases * ppv / sensitivity
        if measure == "rate_ratio":
            logs += sign * np.log(true / size)
            variance += 1.0 / cases
            continue
        others = size - true
        fits = others > 0.0 if measure == "odds_ratio" else others >= 0.0
        possible &= fits
        if measure == "risk_ratio":
            logs += sign * np.log(true / size)
            variance += (size - cases) / (cases * size)
        else:
            others = np.where(fits, others, 1.0)
            logs += sign * np.log(true / others)
            variance += size * (size - cases) / (cases * others**2)
    if uncertainty == "total":
        logs += normal[:, 4] * np.sqrt(variance)
    return logs, possible
