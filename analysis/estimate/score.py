"""Score statistics of risk ratios and risk differences, of one 2x2 table or common to strata.

Owns the risks that are most likely under a given ratio or difference, and the limits where the score statistic leaves
the normal quantile. They exist with every zero cell, where limits from a standard error do not. Meaning, methods and
answers belong in `risk` and `stratified_risk`.

Strata are weighted as by Mantel and Haenszel, n1 n0 / (n1 + n0); of one table the weight cancels.
Source: Koopman 1984, Biometrics 40:513 (ratio); Miettinen and Nurminen 1985, Stat Med 4:213 (difference, strata).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scipy.optimize import brentq

from analysis.estimate.noncentral_hypergeometric import solve
from analysis.estimate.two_by_two import TwoByTwo

# The search begins this far from the estimate: at the estimate itself the variance may be 0 (everybody a case), which
# would pass for a limit. Limits of groups up to 10^7 lie at least 10^-7 away.
_BESIDE_THE_ESTIMATE = 1e-12


def ratio_deviation(tables: Sequence[TwoByTwo], log_ratio: float) -> tuple[float, float]:
    """Weighted sum of exposed risk less `exp(log_ratio)` times comparator risk, and its variance under that ratio.

    Every table has both groups.
    """
    ratio = math.exp(log_ratio)
    distances, variances = [], []
    for table in tables:
        exposed, comparator = _sizes(table)
        weight = exposed * comparator / (exposed + comparator)
        risk = _comparator_risk_under_ratio(table, ratio)
        exposed_risk = min(1.0, ratio * risk)
        distances.append(weight * (table.exposed_cases / exposed - ratio * table.comparator_cases / comparator))
        variance = exposed_risk * (1.0 - exposed_risk) / exposed + ratio**2 * risk * (1.0 - risk) / comparator
        variances.append(weight**2 * variance)
    return math.fsum(distances), math.fsum(variances)


def difference_deviation(tables: Sequence[TwoByTwo], difference: float) -> tuple[float, float]:
    """Weighted mean of the risk differences less `difference`, and its variance under that difference.

    Every table has both groups. The variance carries Miettinen and Nurminen's N / (N - 1).
    """
    distances, variances, weights = [], [], []
    for table in tables:
        exposed, comparator = _sizes(table)
        size = exposed + comparator
        weight = exposed * comparator / size
        risk = _comparator_risk_under_difference(table, difference)
        exposed_risk = min(1.0, max(0.0, risk + difference))
        # One fraction of whole numbers: two risks subtracted would leave rounding where they are equal.
        crossed = table.exposed_cases * comparator - table.comparator_cases * exposed
        distances.append(weight * (crossed / (exposed * comparator) - difference))
        variance = exposed_risk * (1.0 - exposed_risk) / exposed + risk * (1.0 - risk) / comparator
        variances.append(weight**2 * variance * size / (size - 1))
        weights.append(weight)
    total = math.fsum(weights)
    return math.fsum(distances) / total, math.fsum(variances) / total**2


def ratio_limits(tables: Sequence[TwoByTwo], estimate: float | None, quantile: float) -> tuple[float, float | None]:
    """Score limits of the risk ratio; 0 below an `estimate` of 0, None above an infinite one, which is None."""
    start = 0.0 if not estimate else math.log(estimate)

    def limit(side: float) -> float:
        def beyond(log_ratio: float) -> float:
            distance, variance = ratio_deviation(tables, log_ratio)
            return -distance - side * quantile * math.sqrt(variance)

        return math.exp(solve(beyond, start=start + side * _BESIDE_THE_ESTIMATE))

    return 0.0 if estimate == 0.0 else limit(-1.0), None if estimate is None else limit(1.0)


def difference_limits(tables: Sequence[TwoByTwo], estimate: float, quantile: float) -> tuple[float, float]:
    """Score limits of the risk difference, between -1 and 1."""

    def limit(side: float) -> float:
        def beyond(difference: float) -> float:
            distance, variance = difference_deviation(tables, difference)
            return -side * distance - quantile * math.sqrt(variance)

        start = estimate + side * _BESIDE_THE_ESTIMATE
        return side if start * side >= 1.0 else float(brentq(beyond, start, side, xtol=1e-16, rtol=1e-15))

    return limit(-1.0), limit(1.0)


def _sizes(table: TwoByTwo) -> tuple[int, int]:
    return table.margins.exposed, table.margins.comparator


def _comparator_risk_under_ratio(table: TwoByTwo, ratio: float) -> float:
    """The smaller root of N ratio x^2 - (u + v) x + cases, written so that nothing cancels."""
    exposed, comparator = _sizes(table)
    u, v = ratio * (exposed + table.comparator_cases), float(table.exposed_cases + comparator)
    noncases = table.exposed_noncases * table.comparator_noncases
    root = math.sqrt((u - v) ** 2 + 4.0 * ratio * noncases)
    return min(1.0, 2.0 * table.case_count / (u + v + root))


def _comparator_risk_under_difference(table: TwoByTwo, difference: float) -> float:
    """Where the derivative of the likelihood, multiplied by its denominators, crosses zero.

    The closed form of the cubic loses half the digits for rare cases; the sign of the product does not. At a difference
    of 0 both groups share their denominators and the product would vanish at the ends.
    """
    if difference == 0.0:
        return table.case_count / table.size
    terms: list[tuple[int, float, Callable[[float], float]]] = [
        (table.exposed_cases, 1.0, lambda risk: risk + difference),
        (table.exposed_noncases, -1.0, lambda risk: 1.0 - difference - risk),
        (table.comparator_cases, 1.0, lambda risk: risk),
        (table.comparator_noncases, -1.0, lambda risk: 1.0 - risk),
    ]
    present = [term for term in terms if term[0]]

    def rising(risk: float) -> float:
        factors = [max(0.0, factor(risk)) for _, _, factor in present]
        return math.fsum(
            sign * count * math.prod(factors[:place] + factors[place + 1 :])
            for place, (count, sign, _) in enumerate(present)
        )

    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    if rising(low) <= 0.0:
        return low
    if rising(high) >= 0.0:
        return high
    return float(brentq(rising, low, high, xtol=1e-300, rtol=1e-15))
