"""The distribution of the exposed cases of 2x2 tables given their margins, at a common odds ratio.

Owns the probabilities (Fisher's noncentral hypergeometric, and its convolution over strata), the conditional maximum
likelihood and the roots that make exact limits. Meaning, methods and answers belong in `two_by_two`.

Log weights are cumulative sums of the logarithms of neighbouring ratios, not differences of log-gamma functions: at
margins of 10^7 the latter lose eight digits.
Source: Fisher 1935, J R Stat Soc 98:39; Gart 1970, Biometrika 57:471 (strata).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]

# The count is a sum of independent Bernoulli variables, so Bernstein's inequality bounds the mass beyond
# d = 1000 + 45 standard deviations by exp(-d^2 / (2 variance + 2 d / 3)) < exp(-745), which no double can hold.
WINDOW_DEVIATIONS = 45
WINDOW_MINIMUM = 1000

# R's fisher.test calls two tables equally probable up to this factor; without it, ties are lost to rounding.
TIE_FACTOR = 1.0 + 1e-7

_LOG_ODDS_RATIO_PRECISION = 1e-13


@dataclass(frozen=True, slots=True)
class Margins:
    """What is given: the sizes of the two groups and the number of cases among both."""

    exposed: int
    comparator: int
    cases: int

    @property
    def lowest(self) -> int:
        """Fewest exposed cases these margins allow."""
        return max(0, self.cases - self.comparator)

    @property
    def highest(self) -> int:
        """Most exposed cases these margins allow."""
        return min(self.cases, self.exposed)

    def log_ratios(self, counts: Floats) -> Floats:
        """Log of P(count + 1) / P(count) at odds ratio 1, for counts from `lowest` to `highest - 1`."""
        upward = np.log(self.exposed - counts) + np.log(self.cases - counts)
        return upward - np.log(counts + 1.0) - np.log(self.comparator - self.cases + counts + 1.0)


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Probability of each count from `first` on; counts outside have probability below the smallest double."""

    first: int
    mass: Floats

    def at(self, count: int) -> float:
        """P(X = count)."""
        index = count - self.first
        return float(self.mass[index]) if 0 <= index < self.mass.size else 0.0

    def below(self, count: int) -> float:
        """P(X < count)."""
        return float(self.mass[: max(0, count - self.first)].sum())

    def above(self, count: int) -> float:
        """P(X > count)."""
        return float(self.mass[max(0, count + 1 - self.first) :].sum())

    def mean(self) -> float:
        """E(X)."""
        return self.first + float(self.mass @ np.arange(self.mass.size))

    def as_unlikely_as(self, count: int) -> float:
        """P of all counts at most as probable as `count`: the two-sided P-value of R's fisher.test."""
        return min(1.0, float(self.mass[self.mass <= self.at(count) * TIE_FACTOR].sum()))


Distribution = Callable[[float], Probabilities]


def table_distribution(margins: Margins) -> Distribution:
    """Probabilities of one table's exposed cases as a function of the log odds ratio, for margins up to 10^7."""

    def probabilities(log_odds_ratio: float) -> Probabilities:
        mode = _mode(margins, log_odds_ratio)
        corners = (mode, margins.exposed - mode, margins.cases - mode, margins.comparator - margins.cases + mode)
        deviation = sum(1.0 / (corner + 1.0) for corner in corners) ** -0.5
        reach = WINDOW_MINIMUM + math.ceil(WINDOW_DEVIATIONS * deviation)
        first, last = max(margins.lowest, mode - reach), min(margins.highest, mode + reach)
        ratios = margins.log_ratios(np.arange(first, last, dtype=np.float64))
        return Probabilities(first, _normalised(np.concatenate(([0.0], np.cumsum(ratios + log_odds_ratio)))))

    return probabilities


def strata_distribution(strata: Sequence[Margins]) -> Distribution:
    """Probabilities of the exposed cases summed over strata that share one log odds ratio, by convolution.

    Costs the square of the summed supports at each call: for small cells only.
    """
    first = sum(margins.lowest for margins in strata)
    counts = [np.arange(margins.highest - margins.lowest + 1, dtype=np.float64) for margins in strata]
    weights = [
        np.concatenate(([0.0], np.cumsum(margins.log_ratios(margins.lowest + offsets[:-1]))))
        for margins, offsets in zip(strata, counts, strict=True)
    ]

    def probabilities(log_odds_ratio: float) -> Probabilities:
        mass = np.ones(1)
        for weight, offsets in zip(weights, counts, strict=True):
            mass = np.convolve(mass, _normalised(weight + log_odds_ratio * offsets))
        return Probabilities(first, mass / mass.sum())

    return probabilities


def solve(function: Callable[[float], float], *, start: float) -> float:
    """Where an increasing function of the log odds ratio is zero, searched outward from `start`."""
    step = 0.5
    low = high = start
    while function(low) > 0.0:
        low, step = low - step, 2.0 * step
    step = 0.5
    while function(high) < 0.0:
        high, step = high + step, 2.0 * step
    return low if low == high else float(brentq(function, low, high, xtol=_LOG_ODDS_RATIO_PRECISION))


def _mode(margins: Margins, log_odds_ratio: float) -> int:
    low, high = margins.lowest, margins.highest
    while low < high:
        middle = (low + high) // 2
        if float(margins.log_ratios(np.array([float(middle)]))[0]) + log_odds_ratio > 0.0:
            low = middle + 1
        else:
            high = middle
    return low


def _normalised(log_weights: Floats) -> Floats:
    weights: Floats = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    return weights
