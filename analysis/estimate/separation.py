"""Which coefficients of a likelihood are unidentified or infinite, and the likelihood that is left in the limit.

Owns collinearity (directions on which the data say nothing), separation (directions in which the likelihood grows
without end, by linear programming) and the limit in between, in which the other coefficients keep their maximum.
Likelihoods and their maximum are in `likelihood`.

A direction b is one of separation if no contrast d has d @ b < 0 and some have d @ b > 0. The contrasts that any such
direction makes positive can all be made positive by one; towards infinity along it their share of the likelihood is 1,
so they drop out, and what is left has a maximum.
Source: Albert and Anderson 1984, Biometrika 71:1; Konis 2007, thesis, Oxford (linear programs); Geyer 2009, Electron
J Stat 3:259 (limit).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import qr
from scipy.optimize import linprog
from scipy.sparse import csr_array, eye_array, hstack

from analysis.estimate.likelihood import Booleans, Floats, Integers, Likelihood, NoMaximumError

# Singular value as a share of the largest: below, the columns repeat each other.
_LEAST_SINGULAR = 1e-9
# Share of a coefficient in a direction without information: above, the coefficient is not identified.
_LEAST_SHARE = 1e-6


@dataclass(frozen=True, slots=True)
class Identified:
    """`basis`: indices of coefficients that are enough to move the likelihood; `is_unique`: per coefficient."""

    basis: Integers
    is_unique: Booleans


def identified(rows: Floats, candidates: Integers) -> Identified:
    """What the rows of a design (any, size) say about the candidate coefficients, the others held fixed.

    A coefficient is unique if no direction without information has a part in it; the basis holds every such one.
    """
    size = rows.shape[1]
    is_unique = np.zeros(size, dtype=np.bool_)
    if not rows.shape[0] or not candidates.size:
        return Identified(np.empty(0, dtype=np.intp), is_unique)
    columns = rows[:, candidates]
    triangle, order = qr(columns, mode="r", pivoting=True)[:2]
    square = triangle[: candidates.size]
    diagonal = np.abs(np.diag(square))
    rank = int((diagonal > _LEAST_SINGULAR * max(1.0, float(diagonal[0]))).sum()) if diagonal.size else 0
    _, _, right = np.linalg.svd(square[:rank])
    empty_directions = np.zeros((candidates.size - rank, candidates.size))
    empty_directions[:, order] = right[rank:]
    is_unique[candidates] = np.abs(empty_directions).max(axis=0, initial=0.0) < _LEAST_SHARE
    return Identified(np.sort(candidates[order[:rank]]), is_unique)


def separated(contrasts: Floats, free: Integers) -> Booleans:
    """Which contrasts some direction of the free coefficients makes positive while it makes none negative.

    Raises NoMaximumError when the linear program fails, or its direction does not hold against the contrasts.
    """
    if not contrasts.shape[0] or not free.size:
        return np.zeros(contrasts.shape[0], dtype=np.bool_)
    rows, inverse = np.unique(contrasts[:, free], axis=0, return_inverse=True)
    count = rows.shape[0]
    # Largest sum of s over 0 <= s <= 1 with s <= contrast @ direction: s is 1 where the contrast can be positive.
    sparse: Any = hstack((csr_array(-rows), eye_array(count)), format="csr")
    solution = linprog(
        np.concatenate((np.zeros(free.size), -np.ones(count))),
        A_ub=sparse,
        b_ub=np.zeros(count),
        bounds=[(None, None)] * free.size + [(0.0, 1.0)] * count,
        method="highs",
    )
    if solution.status != 0 or solution.x is None:
        raise NoMaximumError
    direction, positive = solution.x[: free.size], solution.x[free.size :] > 0.5
    reach = np.linalg.norm(rows, axis=1) * np.linalg.norm(direction)
    products = rows @ direction
    if (products[~positive] < -1e-6 * reach[~positive]).any() or (products[positive] < 0.5).any():
        raise NoMaximumError
    found: Booleans = positive[inverse.ravel()]
    return found


def signs_of_infinity(contrasts: Floats, free: Integers, index: int) -> tuple[bool, bool]:
    """Whether directions of separation may lower, and whether they may raise, coefficient `index`."""
    rows = np.unique(contrasts[:, free], axis=0)
    place = int(np.flatnonzero(free == index)[0])
    may = []
    for sign in (-1.0, 1.0):
        cost = np.zeros(free.size)
        cost[place] = -sign
        solution = linprog(cost, A_ub=-rows, b_ub=np.zeros(rows.shape[0]), bounds=(-1.0, 1.0), method="highs")
        if solution.status != 0 or solution.fun is None:
            raise NoMaximumError
        may.append(-float(solution.fun) > _LEAST_SHARE)
    return may[0], may[1]


@dataclass(frozen=True, slots=True)
class Limit:
    """A likelihood that has a maximum over `basis`; `is_finite`: per coefficient, whether its own maximum is unique."""

    likelihood: Likelihood
    basis: Integers
    is_finite: Booleans
    is_separated: bool


def limit_of(likelihood: Likelihood, free: Integers) -> Limit:
    """The likelihood's limit in the directions of separation of its free coefficients, the others held fixed."""
    fitted = separated(likelihood.contrasts(), free)
    left = likelihood.limit(fitted) if fitted.any() else likelihood
    what = identified(left.identified(), free)
    return Limit(left, what.basis, what.is_unique, bool(fitted.any()))
