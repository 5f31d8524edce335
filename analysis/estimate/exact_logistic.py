"""Exact conditional logistic regression for tiny data: one odds ratio, given the sufficient statistics of all the others.

Owns the exact distribution of one sufficient statistic and what is read from it. Larger data belong in `logistic` or
`conditional_logistic`, or with Firth's penalty there.

Given the sums of the other covariates over the events (and how many events each set has), the sum of the one covariate
has a distribution that hangs on its own log odds ratio only. It is built row by row, as a network of partial sums, and
sums that can no longer reach the observed ones are left out. Covariates count as the decimals they are written as, so
that sums agree exactly.
Source: Cox 1970, The Analysis of Binary Data, 4; Hirji, Mehta and Patel 1987, JASA 82:1110; Mehta and Patel 1995, Stat
Med 14:2143.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.estimate.confidence import tail_probability
from analysis.estimate.design import codes_of, design_of, event_column
from analysis.estimate.likelihood import Floats, Integers
from analysis.estimate.noncentral_hypergeometric import TIE_FACTOR, solve
from analysis.estimate.result import Answer, EstimationError, not_estimable

ExactMethod = Literal["conditional", "mid_p", "median_unbiased"]
Sums = NDArray[np.int64]

# A network of this many partial sums takes about a second a row and some 100 MB.
MAXIMUM_SUMS = 500_000
_LARGEST_SUM = 2**62
_LARGEST_LOG = 700.0


@dataclass(frozen=True, slots=True)
class SufficientStatistic:
    """Values that the sum of a covariate over the events can take, the chance of each at odds ratio 1, the one observed.

    `values` grow, in units of the covariate less the observed sum; `place` is where they are 0.
    """

    values: Floats
    log_weights: Floats
    place: int

    def mass(self, log_odds_ratio: float) -> Floats:
        """Probability of each value."""
        logs = self.log_weights + log_odds_ratio * self.values
        mass: Floats = np.exp(logs - logs.max())
        mass /= mass.sum()
        return mass

    def mean(self, log_odds_ratio: float) -> float:
        """Expected less observed."""
        return float(self.mass(log_odds_ratio) @ self.values)

    def at(self, log_odds_ratio: float) -> float:
        """Probability of the observed value."""
        return float(self.mass(log_odds_ratio)[self.place])

    def above(self, log_odds_ratio: float) -> float:
        """Probability of more than observed."""
        return float(self.mass(log_odds_ratio)[self.place + 1 :].sum())

    def below(self, log_odds_ratio: float) -> float:
        """Probability of less than observed."""
        return float(self.mass(log_odds_ratio)[: self.place].sum())

    def as_unlikely(self) -> float:
        """Probability at odds ratio 1 of all values at most as probable as the observed one."""
        mass = self.mass(0.0)
        return min(1.0, float(mass[mass <= mass[self.place] * TIE_FACTOR].sum()))


def exact_logistic(
    frame: pl.DataFrame,
    covariate: str,
    *,
    given: Sequence[str],
    method: ExactMethod,
    confidence: float,
    matched_set: str | None = None,
    event: str = "event",
) -> Answer:
    """Odds ratio for one unit more of `covariate`, conditional on the sums of the `given` covariates over the events.

    frame: one row a person: `event` (0 or 1), the covariates (Float64, any decimals) and, with `matched_set`, the set;
    the number of events is given, in each set if there are sets.
    `conditional`: conditional maximum likelihood, limits from two one-sided exact tests, two-sided P by probability.
    `mid_p`: median-unbiased with mid-P limits and P. `median_unbiased`: the mean of the logarithms of both limits at 50%
    confidence, or the one there is where the observed sum is the largest or smallest possible, with the limits of
    `conditional` and twice its smaller tail as P (SAS: PROC LOGISTIC EXACT).
    At the largest sum the odds ratio is infinite: `limit_only`, except for `median_unbiased`, which has a value and a
    lower limit. At the smallest it is 0. One possible sum only: `not_estimable`.
    Misleads when a given covariate has many values: few sums agree with the observed ones, and the answer is coarse.
    Raises EstimationError as `logistic`, and where the network needs more than 500,000 partial sums.
    """
    tail = tail_probability(confidence)
    if method not in get_args(ExactMethod):
        raise EstimationError(f"unknown method of exact logistic regression: {method!r}")
    others = [event] if matched_set is None else [event, matched_set]
    design = design_of(frame, [covariate, *given], others)
    events = event_column(frame, event).astype(np.int64)
    sets = np.zeros(frame.height, dtype=np.intp) if matched_set is None else codes_of(frame, matched_set)
    name, count = f"exact_logistic_{method}", int(events.sum())
    if count in (0, frame.height):
        return not_estimable(name, "every row is an event" if count else "no events", event_count=count)
    decimals = frame.select(pl.col(design.names).cast(pl.Float64)).to_numpy()
    statistic = sufficient_statistic(decimals, events, sets)
    if statistic.values.size == 1:
        reason = f"given the rest, only one sum of {covariate} over the events is possible"
        return not_estimable(name, reason, event_count=count)
    return _answer(statistic, name, covariate, method, tail, confidence, count)


def _answer(
    statistic: SufficientStatistic,
    name: str,
    covariate: str,
    method: ExactMethod,
    tail: float,
    confidence: float,
    count: int,
) -> Answer:
    at_lowest, at_highest = statistic.place == 0, statistic.place == statistic.values.size - 1
    unit = float(np.ptp(statistic.values))  # the search walks in steps that fit a covariate between 0 and 1

    def root(function: Callable[[float], float], target: float) -> float:
        return solve(lambda scaled: function(scaled / unit) - target, start=0.0) / unit

    def not_below(log_odds_ratio: float) -> float:
        return 1.0 - statistic.below(log_odds_ratio)

    def mid(log_odds_ratio: float) -> float:
        return statistic.above(log_odds_ratio) + statistic.at(log_odds_ratio) / 2.0

    ends = (mid, mid) if method == "mid_p" else (not_below, statistic.above)
    lower = None if at_lowest else root(ends[0], tail)
    upper = None if at_highest else root(ends[1], 1.0 - tail)
    if method == "median_unbiased":
        functions = [not_below] * (not at_lowest) + [statistic.above] * (not at_highest)
        halves = [root(function, 0.5) for function in functions]
        value: float | None = math.fsum(halves) / len(halves)
    else:
        centre = statistic.mean if method == "conditional" else mid
        value = None if at_lowest or at_highest else root(centre, 0.0 if method == "conditional" else 0.5)
    if any(number is not None and abs(number) > _LARGEST_LOG for number in (lower, value, upper)):
        reason = f"an odds ratio for one unit of {covariate} is too large or small to be held"
        return not_estimable(name, reason, event_count=count)
    below, at, above = statistic.below(0.0), statistic.at(0.0), statistic.above(0.0)
    smaller = min(below, above) + (at / 2.0 if method == "mid_p" else at)
    edge = "largest" if at_highest else "smallest" if at_lowest else ""
    has_zero = at_lowest and value is None
    return Answer(
        method=name,
        value=0.0 if has_zero else None if value is None else math.exp(value),
        lower=0.0 if at_lowest else None if lower is None else math.exp(lower),
        upper=None if upper is None else math.exp(upper),
        confidence_level=confidence,
        p_value=statistic.as_unlikely() if method == "conditional" else min(1.0, 2.0 * smaller),
        event_count=count,
        status="limit_only" if at_highest and value is None else "ok",
        reason=f"the sum of {covariate} over the events is the {edge} possible" if edge else "",
    )


def sufficient_statistic(covariates: Floats, events: Sums, sets: Integers) -> SufficientStatistic:
    """The distribution of the events' sum of the first covariate given those of the others and the events of each set.

    covariates: (rows, 1 or more). Raises EstimationError for a network of more than 500,000 partial sums.
    """
    columns, units = zip(*(_whole(column) for column in covariates.T), strict=True)
    rows = np.column_stack([*columns[1:], columns[0]])
    if float(np.abs(rows.astype(np.float64)).sum(axis=0).max()) > _LARGEST_SUM:
        raise EstimationError("covariates of exact logistic regression have too many digits")
    observed = rows.T @ events
    order = np.lexsort((*rows.T, sets))
    sums, logs = np.zeros((1, rows.shape[1]), dtype=np.int64), np.zeros(1)
    low, high = np.minimum(rows, 0).sum(axis=0), np.maximum(rows, 0).sum(axis=0)
    for code in np.unique(sets):
        members = order[sets[order] == code]
        drawn = int(events[members].sum())
        # The number of events so far in the set is one more sum, forgotten when the set is complete.
        sums = np.column_stack((np.zeros(len(sums), dtype=np.int64), sums))
        patterns, times = np.unique(rows[members], axis=0, return_counts=True)
        left = members.size
        for pattern, repeats in zip(patterns, times, strict=True):
            left -= int(repeats)
            low, high = low - repeats * np.minimum(pattern, 0), high - repeats * np.maximum(pattern, 0)
            step = np.concatenate(([1], pattern))
            chosen = np.arange(repeats + 1)
            ways = np.array([math.log(math.comb(int(repeats), int(each))) for each in chosen])
            sums = (sums[:, np.newaxis] + chosen[:, np.newaxis] * step).reshape(-1, step.size)
            logs = (logs[:, np.newaxis] + ways).ravel()
            can = (sums[:, 0] <= drawn) & (sums[:, 0] + left >= drawn)
            reach = observed[:-1] - sums[:, 1:-1]
            can &= ((reach >= low[:-1]) & (reach <= high[:-1])).all(axis=1)
            sums, logs = _merged(sums[can], logs[can])
            if len(sums) > MAXIMUM_SUMS:
                raise EstimationError(f"exact logistic regression allows {MAXIMUM_SUMS} partial sums at a time")
        sums = sums[:, 1:]
    values = (sums[:, -1] - observed[-1]) * units[0]
    return SufficientStatistic(values, logs, int(np.flatnonzero(sums[:, -1] == observed[-1])[0]))


def _merged(sums: Sums, logs: Floats) -> tuple[Sums, Floats]:
    """Equal sums once, with their weights added."""
    unique, inverse = np.unique(sums, axis=0, return_inverse=True)
    total = np.full(len(unique), -np.inf)
    np.logaddexp.at(total, inverse.ravel(), logs)
    return unique, total


def _whole(column: Floats) -> tuple[Sums, float]:
    """Whole multiples of the largest unit that divides every difference from the first value, and that unit."""
    exact = [Fraction(repr(float(value))) for value in column]
    common = math.lcm(*(value.denominator for value in exact))
    numbers = [int((value - exact[0]) * common) for value in exact]
    divisor = math.gcd(*numbers) or 1
    whole = [number // divisor for number in numbers]
    if max(map(abs, whole)) > _LARGEST_SUM:
        raise EstimationError("covariates of exact logistic regression have too many digits")
    return np.array(whole, dtype=np.int64), divisor / common
