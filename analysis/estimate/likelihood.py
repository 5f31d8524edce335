"""Maximum, profile and penalty of a log likelihood that is concave in its coefficients.

Owns what a likelihood must offer, Newton's method on some of its coefficients, the profile limits of one and Firth's
penalty. The likelihoods themselves are in `logistic` and `conditional_logistic`, infinite coefficients in
`separation`, frames and answers in `regression`.

Coefficients are those of standardised covariates, so that one precision fits all.
Source: Firth 1993, Biometrika 80:27; Heinze and Schemper 2002, Stat Med 21:2409; Venzon and Moolgavkar 1988,
Appl Stat 37:87 (profile limits).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]

STEP_PRECISION = 1e-12  # length of the last step, in standard errors
SETTLED_PRECISION = 1e-7  # the same where rounding forbids shorter steps
NEGLIGIBLE_STEP = 1e-5  # the same where only the height counts, which then misses its square
STANDSTILL = 1e-7  # the last step as a share of a coefficient; on the way to infinity it stays large
MAXIMUM_STEPS = 100
MAXIMUM_HALVINGS = 40
MAXIMUM_DOUBLINGS = 60
LIMIT_PRECISION = 1e-12  # of a profile limit, in standard deviations of the covariate
DIFFERENCE_WIDTH = 1e-5  # of the central differences in the curvature of a penalised likelihood
# The log likelihood may fall by its own rounding without the step being halved: log determinants lose most digits.
_ROUNDING = 1e-9
# Of a coefficient, where the information is as good as nil and its penalty without end.
_LARGEST_VARIANCE = 1e100


class NoMaximumError(ArithmeticError):
    """Newton's method found no maximum, or a profile no limit, where there must be one."""


@dataclass(frozen=True, slots=True)
class Point:
    """The log likelihood at some coefficients, with its first and negative second derivative."""

    log_likelihood: float
    score: Floats
    information: Floats


class Likelihood(Protocol):
    """A concave log likelihood of standardised covariates."""

    @property
    def size(self) -> int:
        """Number of coefficients."""

    def evaluate(self, beta: Floats) -> Point:
        """The log likelihood and its derivatives at `beta`."""

    def curvature(self, beta: Floats, point: Point, free: Integers) -> Floats:
        """Negative second derivative in the free coefficients of what is maximised, for Newton's steps."""

    def unit_scores(self, beta: Floats) -> Floats:
        """What each row or set adds to the score, (units, size)."""

    def slope_of_log_determinant(self, beta: Floats, inverse: Floats) -> Floats:
        """Derivative of the log determinant of the information, whose inverse is given."""

    def identified(self) -> Floats:
        """Rows that span the directions on which the data say anything, (any, size)."""

    def contrasts(self) -> Floats:
        """Rows d such that the likelihood does not fall towards infinity along b if and only if every d @ b >= 0."""

    def limit(self, fitted: Booleans) -> Likelihood:
        """The likelihood's limit towards infinity along a direction that makes just the `fitted` contrasts positive."""


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where Newton's method ended, how long its last step was in standard errors, and whether that was nil."""

    beta: Floats
    point: Point
    distance: float
    has_converged: bool


def maximise(likelihood: Likelihood, *, start: Floats, free: Integers) -> Maximum:
    """The largest log likelihood over the `free` coefficients, the others held at `start`; halved Newton steps.

    A likelihood without a maximum keeps moving by whole steps and ends with `has_converged` false.
    """
    beta, point = start.copy(), likelihood.evaluate(start)
    if not free.size:
        return Maximum(beta, point, 0.0, has_converged=True)
    distance, is_settled = math.inf, False
    for _ in range(MAXIMUM_STEPS):
        step = np.zeros(likelihood.size)
        try:
            step[free] = np.linalg.solve(likelihood.curvature(beta, point, free), point.score[free])
        except np.linalg.LinAlgError:
            break
        if not np.isfinite(step).all():
            break
        last, distance = distance, math.sqrt(abs(float(step[free] @ point.score[free])))
        stands = bool((np.abs(step) <= STANDSTILL * np.maximum(1.0, np.abs(beta))).all())
        is_settled = stands and distance < SETTLED_PRECISION
        if distance < NEGLIGIBLE_STEP and distance > last / 2.0:  # what is left is rounding, or the way to infinity
            break
        least = point.log_likelihood - _ROUNDING * max(1.0, abs(point.log_likelihood))
        factor, tried = 1.0, likelihood.evaluate(beta + step)
        for _ in range(MAXIMUM_HALVINGS):
            if tried.log_likelihood >= least:
                break
            factor /= 2.0
            tried = likelihood.evaluate(beta + factor * step)
        else:
            break
        beta, point = beta + factor * step, tried
        if factor == 1.0 and stands and distance < STEP_PRECISION:
            return Maximum(beta, point, distance, has_converged=True)
    return Maximum(beta, point, distance, has_converged=is_settled)


def profile(likelihood: Likelihood, index: int, *, start: Floats, free: Integers) -> Callable[[float], float]:
    """The largest log likelihood as a function of coefficient `index`, over the `free` others.

    Each maximum starts where the tangent of the path of maxima points, else at 0, else at the one before. A penalised
    likelihood may have several: it is climbed from the first two, and the higher counts. The function raises
    NoMaximumError where the others have none.
    """
    warm = Maximum(start.copy(), likelihood.evaluate(start), math.inf, has_converged=False)

    def largest(value: float) -> float:
        nonlocal warm
        tops = []
        starts = (_along(warm, index, free, value), np.zeros(likelihood.size), warm.beta.copy())
        for number, begin in enumerate(starts):
            begin[index] = value
            top = maximise(likelihood, start=begin, free=free)
            if top.distance < NEGLIGIBLE_STEP:
                tops.append(top)
            if tops and (number or not isinstance(likelihood, Penalised)):
                break
        if not tops:
            raise NoMaximumError
        warm = max(tops, key=lambda top: top.point.log_likelihood)
        return warm.point.log_likelihood

    return largest


def _along(warm: Maximum, index: int, free: Integers, value: float) -> Floats:
    """Where the others go when coefficient `index` moves to `value`, to first order."""
    begin = warm.beta.copy()
    information = warm.point.information
    try:
        slope = np.linalg.solve(information[np.ix_(free, free)], information[free, index])
    except np.linalg.LinAlgError:
        return begin
    if np.isfinite(slope).all():
        begin[free] -= slope * (value - begin[index])
    return begin


def profile_limit(largest: Callable[[float], float], *, target: float, start: float, step: float) -> float:
    """Where a profile falls to `target` beyond `start`, in the direction of `step`.

    Where the profile at `start` is below `target`, it must rise against `step`, and the crossing lies there.
    Raises NoMaximumError when it does not cross within 60 doublings of the step.
    """
    # What the walk has seen must not change on the way back, and warm starts may change its last digits.
    largest = cache(largest)
    inside, back = start, step
    for _ in range(MAXIMUM_DOUBLINGS):
        if largest(inside) >= target:
            break
        inside, back = inside - back, 2.0 * back
    else:
        raise NoMaximumError
    for _ in range(MAXIMUM_DOUBLINGS):
        outside = inside + step
        if largest(outside) < target:
            low, high = min(inside, outside), max(inside, outside)
            return float(brentq(lambda value: largest(value) - target, low, high, xtol=LIMIT_PRECISION, rtol=1e-13))
        inside, step = outside, 2.0 * step
    raise NoMaximumError


@dataclass(frozen=True, slots=True)
class Penalised:
    """A likelihood with Firth's penalty: half the log determinant of the information of the `kept` coefficients.

    `information` of its points is that of the likelihood without penalty, whose inverse is the variance in Heinze and
    Schemper 2002. It has a maximum wherever the kept coefficients are identified, so it has no limits to infinity.
    """

    likelihood: Likelihood
    kept: Integers
    scales: Floats  # of the coefficients, so that the penalty is that of covariates in their own units

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.likelihood.size

    def evaluate(self, beta: Floats) -> Point:
        """The penalised log likelihood, its score and the information without penalty."""
        point = self.likelihood.evaluate(beta)
        kept = np.ix_(self.kept, self.kept)
        inverse = np.zeros_like(point.information)
        try:
            with np.errstate(
                divide="ignore", invalid="ignore", over="ignore"
            ):  # far out the information is nil, or not a number
                sign, log_determinant = np.linalg.slogdet(point.information[kept])
                inverse[kept] = np.linalg.inv(point.information[kept])
        except np.linalg.LinAlgError:
            sign = 0.0
        if sign <= 0.0 or not (np.abs(inverse) < _LARGEST_VARIANCE).all():
            return replace(point, log_likelihood=-math.inf)
        slope = self.likelihood.slope_of_log_determinant(beta, inverse)
        penalty = 0.5 * float(log_determinant) + float(np.log(self.scales[self.kept]).sum())
        return Point(point.log_likelihood + penalty, point.score + 0.5 * slope, point.information)

    def curvature(self, beta: Floats, point: Point, free: Integers) -> Floats:
        """Central differences of the penalised score where they curve downward, else the information."""
        curved = np.empty((free.size, free.size))
        for row, index in enumerate(free):
            shift = np.zeros(self.size)
            shift[index] = DIFFERENCE_WIDTH
            change = self.evaluate(beta - shift).score - self.evaluate(beta + shift).score
            curved[row] = change[free] / (2.0 * DIFFERENCE_WIDTH)
        curved = (curved + curved.T) / 2.0
        if np.isfinite(curved).all() and np.linalg.eigvalsh(curved)[0] > 0.0:
            return curved
        return point.information[np.ix_(free, free)]

    def unit_scores(self, beta: Floats) -> Floats:
        """Those of the likelihood without penalty."""
        return self.likelihood.unit_scores(beta)

    def slope_of_log_determinant(self, beta: Floats, inverse: Floats) -> Floats:
        """That of the likelihood without penalty."""
        return self.likelihood.slope_of_log_determinant(beta, inverse)

    def identified(self) -> Floats:
        """Those of the likelihood without penalty."""
        return self.likelihood.identified()

    def contrasts(self) -> Floats:
        """None: the penalty falls without end in every direction."""
        return np.empty((0, self.size))

    def limit(self, fitted: Booleans) -> Likelihood:
        """Itself: there is no contrast to go along."""
        return self
