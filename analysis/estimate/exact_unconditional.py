"""Exact unconditional limits of risk difference and risk ratio: for every true pair of risks they hold the truth as often as they say.

Owns the inversion of two one-sided score tests over all tables that two groups of this size can give. What the limits mean and what a
zero answers is in `risk`; score limits for groups too large for this are in `score`.
A value is inside the limits when, at some pair of risks with that value, tables at least as far from it as the one observed have more
than the tail's probability. "As far" is by the score statistic, ties included up to rounding.
Source: Chan and Zhang 1999, Biometrics 55:1202; Agresti and Min 2001, Biometrics 57:963.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, xlog1py, xlogy

from analysis.estimate.two_by_two import TwoByTwo

Floats = NDArray[np.float64]
Scale = Literal["difference", "ratio"]

MAXIMUM_TABLES = 12_000  # of both groups together; each step of the search looks at every one
NUISANCE_POINTS = 400
ZOOMS = 3
SCANS = (
    97,
    61,
    31,
)  # points of each search from outside; the last step is some 1e-5 of a difference, 2e-4 of a log ratio
STEPS_BACK = 3
_TIE = 1e-9
_CUBIC_ROUNDING = 1e-14
_LOG_RATIO_SPAN = 12.0  # ratios from 6e-6 to 160 000


@dataclass(frozen=True, slots=True)
class _Groups:
    """Cases observed and size of the exposed and the comparator, and every table that they can give."""

    exposed_cases: int
    exposed: int
    comparator_cases: int
    comparator: int


def table_count(table: TwoByTwo) -> int:
    """How many tables the two groups can give."""
    return (table.margins.exposed + 1) * (table.margins.comparator + 1)


def difference_limits(table: TwoByTwo, tail: float) -> tuple[float, float]:
    """Lower and upper limit of the risk difference, `tail` beyond each."""
    groups = _groups(table)
    lower = _limit(lambda value: _p_value(groups, value, "difference", 1.0), -1.0, 1.0, tail)
    upper = _limit(lambda value: _p_value(groups, value, "difference", -1.0), 1.0, -1.0, tail)
    return lower, upper


def ratio_limits(table: TwoByTwo, tail: float) -> tuple[float, float | None]:
    """Lower and upper limit of the risk ratio, `tail` beyond each; 0 below no exposed case, None above no comparator case."""
    groups = _groups(table)

    def of_log(side: float) -> Callable[[float], float]:
        return lambda value: _p_value(groups, math.exp(value), "ratio", side)

    span = _LOG_RATIO_SPAN
    lower = 0.0 if table.exposed_cases == 0 else math.exp(_limit(of_log(1.0), -span, span, tail))
    upper = None if table.comparator_cases == 0 else math.exp(_limit(of_log(-1.0), span, -span, tail))
    return lower, upper


def two_sided_p(table: TwoByTwo) -> float:
    """Twice the smaller of the two one-sided P of equal risks, at most 1."""
    groups = _groups(table)
    return min(1.0, 2.0 * min(_p_value(groups, 0.0, "difference", side) for side in (1.0, -1.0)))


def _groups(table: TwoByTwo) -> _Groups:
    return _Groups(table.exposed_cases, table.margins.exposed, table.comparator_cases, table.margins.comparator)


def _limit(p_value: Callable[[float], float], outside: float, inside: float, tail: float) -> float:
    """The outermost value whose P is above `tail`.

    P does not rise steadily, because tables become as far as the observed one in turn: a value may be inside again beyond one
    that is not. So the first crossing is looked for from outside in steps, and again in finer ones from STEPS_BACK steps before it.
    """
    low, high = outside, inside
    for points in SCANS:
        steps = np.linspace(low, high, points)
        first = next((place for place, value in enumerate(steps) if p_value(float(value)) > tail), points - 1)
        if first == 0:
            return float(steps[0])
        low, high = float(steps[max(first - STEPS_BACK, 0)]), float(steps[first])
        beyond, held = float(steps[first - 1]), high
    while abs(held - beyond) > 1e-9:
        middle = (beyond + held) / 2.0
        if p_value(middle) > tail:
            held = middle
        else:
            beyond = middle
    return beyond  # the side that is certainly outside, so that rounding never narrows


def _p_value(groups: _Groups, value: float, scale: Scale, side: float) -> float:
    """Largest probability of tables at least as far as the observed one, over all pairs of risks with this value.

    side: 1 where far is a large statistic (the value is too low), -1 where it is a small one.
    """
    statistic = side * _statistic(groups, value, scale)
    observed = statistic[groups.exposed_cases, groups.comparator_cases]
    slack = _TIE * (1.0 + abs(observed)) if math.isfinite(observed) else 0.0
    far = (statistic >= observed - slack).astype(np.float64)
    low, high = _range(value, scale)
    best = 0.0
    for _ in range(ZOOMS):
        risk = np.linspace(low, high, NUISANCE_POINTS)
        found = _probability(groups, far, _exposed_risk(risk, value, scale), risk)
        place = int(np.argmax(found))
        best = max(best, float(found[place]))
        low, high = float(risk[max(place - 1, 0)]), float(risk[min(place + 1, risk.size - 1)])
    return best


def _range(value: float, scale: Scale) -> tuple[float, float]:
    """Comparator risks that leave the exposed risk between 0 and 1."""
    if scale == "difference":
        return max(0.0, -value), min(1.0, 1.0 - value)
    return 0.0, min(1.0, 1.0 / value)


def _exposed_risk(risk: Floats, value: float, scale: Scale) -> Floats:
    moved = risk + value if scale == "difference" else risk * value
    return np.clip(moved, 0.0, 1.0)


def _probability(groups: _Groups, far: Floats, exposed_risk: Floats, comparator_risk: Floats) -> Floats:
    """Probability of the tables marked `far` at each pair of risks."""
    exposed = _binomial(groups.exposed, exposed_risk)
    comparator = _binomial(groups.comparator, comparator_risk)
    total: Floats = (exposed * (far @ comparator)).sum(axis=0)
    return total


def _binomial(size: int, risk: Floats) -> Floats:
    """Probabilities of 0 to `size` cases, counts x risks."""
    count = np.arange(size + 1, dtype=np.float64)[:, np.newaxis]
    log_choose = -betaln(size - count + 1.0, count + 1.0) - math.log(size + 1.0)
    found: Floats = np.exp(log_choose + xlogy(count, risk) + xlog1py(size - count, -risk))
    return found


def _statistic(groups: _Groups, value: float, scale: Scale) -> Floats:
    """Score statistic of every table at this value: exposed cases x comparator cases."""
    exposed = np.arange(groups.exposed + 1, dtype=np.float64)[:, np.newaxis]
    comparator = np.arange(groups.comparator + 1, dtype=np.float64)[np.newaxis, :]
    share, other = exposed / groups.exposed, comparator / groups.comparator
    if scale == "difference":
        risk = _restricted_for_difference(groups, exposed, comparator, value)
        exposed_risk, distance, factor = np.clip(risk + value, 0.0, 1.0), share - other - value, 1.0
    else:
        risk = _restricted_for_ratio(groups, exposed, comparator, value)
        exposed_risk, distance, factor = np.clip(risk * value, 0.0, 1.0), share - value * other, value**2
    variance = exposed_risk * (1.0 - exposed_risk) / groups.exposed + factor * risk * (1.0 - risk) / groups.comparator
    is_fixed = variance <= _CUBIC_ROUNDING
    far = np.where(np.abs(distance) <= _TIE, 0.0, np.where(distance > 0.0, np.inf, -np.inf))
    found: Floats = np.where(is_fixed, far, distance / np.sqrt(np.where(is_fixed, 1.0, variance)))
    return found


def _restricted_for_ratio(groups: _Groups, exposed: Floats, comparator: Floats, ratio: float) -> Floats:
    """Most likely comparator risk at this ratio: the smaller root, written so that nothing cancels."""
    u = ratio * (groups.exposed + comparator)
    v = exposed + groups.comparator
    noncases = (groups.exposed - exposed) * (groups.comparator - comparator)
    root = np.sqrt((u - v) ** 2 + 4.0 * ratio * noncases)
    cases = exposed + comparator
    found: Floats = np.clip(2.0 * cases / (u + v + root), 0.0, min(1.0, 1.0 / ratio))
    return found


def _restricted_for_difference(groups: _Groups, exposed: Floats, comparator: Floats, difference: float) -> Floats:
    """Most likely comparator risk at this difference, by bisection of the derivative of the log likelihood times its denominators."""
    low = np.full(np.broadcast_shapes(exposed.shape, comparator.shape), max(0.0, -difference))
    high = np.full_like(low, min(1.0, 1.0 - difference))
    for _ in range(50):
        risk = (low + high) / 2.0
        other = risk + difference
        slope = (exposed - groups.exposed * other) * risk * (1.0 - risk) + (comparator - groups.comparator * risk) * (
            other * (1.0 - other)
        )
        is_rising = slope > 0.0
        low, high = np.where(is_rising, risk, low), np.where(is_rising, high, risk)
    found: Floats = (low + high) / 2.0
    return found
