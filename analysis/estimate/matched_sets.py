"""The conditional likelihood of matched sets with any number of cases, exactly.

Owns the sets as arrays, one block for each shape (members, cases), and the numbers on them, vectorised over the sets of
a block. Frames belong in `conditional_logistic`, Newton's method in `likelihood`.

Given how many members of a set are cases, the cases are a draw of that size with odds exp(x b): conditional Bernoulli.
The sum over all such draws goes member by member (Howard; Gail, Lubin and Rubinstein), here with probabilities in place
of odds, shifted until the expected number of cases is the observed one: nothing overflows, and the chance of that number
stays of the order of one over its standard deviation. Where controls are fewer than cases, the controls are drawn.
Source: Howard, discussion of Cox 1972, J R Stat Soc B 34:210; Gail, Lubin and Rubinstein 1981, Biometrika 68:703; Chen,
Dempster and Liu 1994, Biometrika 81:457.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from analysis.estimate.likelihood import Booleans, Floats, Integers, Likelihood, Point

_BISECTIONS = 50  # of the shift, which need not be exact


@dataclass(frozen=True, slots=True)
class Block:
    """Sets of one shape. `rows` (sets, members): row of each member, the `drawn` first; `codes`: which set each is.

    `x` (sets, members, coefficients) is centred within its set, and negative where the drawn are controls.
    """

    x: Floats
    rows: Integers
    codes: Integers
    drawn: int


@dataclass(frozen=True, slots=True)
class Moments:
    """Of the sum of x over a random draw, set by set: log of the chance of the drawn number, mean, central moments.

    `third`: expectation of (s - mean)' A (s - mean) (s - mean) for a given matrix A, else None.
    """

    log_likelihood: Floats
    mean: Floats
    covariance: Floats
    third: Floats | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedSets:
    """The conditional likelihood: `z`, `sets`, `is_case` by row, and the informative sets of it in blocks."""

    z: Floats
    sets: Integers
    is_case: Booleans
    set_count: int
    blocks: tuple[Block, ...]
    idle_log_likelihood: float  # of the sets in which nothing varies, where every draw has the same chance
    is_informative: Booleans

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return int(self.z.shape[1])

    @property
    def informative_set_count(self) -> int:
        """Sets that hold a case and a control that differ in a covariate."""
        return sum(block.codes.size for block in self.blocks)

    def evaluate(self, beta: Floats) -> Point:
        """The log likelihood, the score and the information."""
        log_likelihood, score = self.idle_log_likelihood, np.zeros(self.size)
        information = np.zeros((self.size, self.size))
        for block in self.blocks:
            moments = _moments(block, beta, None)
            log_likelihood += float(moments.log_likelihood.sum())
            score += (block.x[:, : block.drawn].sum(axis=1) - moments.mean).sum(axis=0)
            information += moments.covariance
        return Point(log_likelihood, score, information)

    def curvature(self, beta: Floats, point: Point, free: Integers) -> Floats:
        """The information."""
        return point.information[np.ix_(free, free)]

    def unit_scores(self, beta: Floats) -> Floats:
        """What each set adds to the score, (sets, size)."""
        scores = np.zeros((self.set_count, self.size))
        for block in self.blocks:
            scores[block.codes] = block.x[:, : block.drawn].sum(axis=1) - _moments(block, beta, None).mean
        return scores

    def slope_of_log_determinant(self, beta: Floats, inverse: Floats) -> Floats:
        """Third central moments of the drawn sums, contracted with the inverse information."""
        slope = np.zeros(self.size)
        for block in self.blocks:
            third = _moments(block, beta, inverse).third
            if third is not None:
                slope += third.sum(axis=0)
        return slope

    def identified(self) -> Floats:
        """Every member of an informative set, less the mean of its set."""
        parts = [block.x.reshape(-1, self.size) for block in self.blocks]
        return np.concatenate([np.empty((0, self.size)), *parts])

    def contrasts(self) -> Floats:
        """Case less control, for every pair within an informative set."""
        cases, controls = self._pairs()
        rows: Floats = self.z[cases] - self.z[controls]
        return rows

    def limit(self, fitted: Booleans) -> Likelihood:
        """The draws that tie with the observed one in the limit: of the members with a pair that is not fitted."""
        kept = np.zeros(self.z.shape[0], dtype=np.bool_)
        for members in self._pairs():
            kept[members[~fitted]] = True
        codes = np.where(kept, self.sets, -1)
        left = matched_sets(self.z, codes, self.is_case, set_count=self.set_count)
        return replace(left, idle_log_likelihood=left.idle_log_likelihood + self.idle_log_likelihood)

    def _pairs(self) -> tuple[Integers, Integers]:
        """Rows of the case and of the control of every pair within an informative set."""
        cases, controls = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.intp)]
        for block in self.blocks:
            count, members = block.rows.shape
            shape = (count, block.drawn, members - block.drawn)
            first = np.broadcast_to(block.rows[:, : block.drawn, np.newaxis], shape).ravel()
            second = np.broadcast_to(block.rows[:, np.newaxis, block.drawn :], shape).ravel()
            is_forward = self.is_case[first]
            cases.append(np.where(is_forward, first, second))
            controls.append(np.where(is_forward, second, first))
        return np.concatenate(cases), np.concatenate(controls)


def matched_sets(z: Floats, sets: Integers, is_case: Booleans, *, set_count: int) -> MatchedSets:
    """The likelihood of `z` (rows, coefficients) in the sets 0 to `set_count` - 1; rows of set -1 are left out."""
    order = np.lexsort((~is_case, sets))
    order = order[sets[order] >= 0]
    members = np.bincount(sets[order], minlength=set_count)
    cases = np.bincount(sets[order], is_case[order], minlength=set_count).astype(np.intp)
    starts = np.cumsum(members) - members
    is_informative = np.zeros(z.shape[0], dtype=np.bool_)
    blocks, idle = [], 0.0
    for count, drawn in _shapes(members, cases):
        codes = np.flatnonzero((members == count) & (cases == drawn))
        rows = order[starts[codes, np.newaxis] + np.arange(count)]
        x = z[rows]
        varies = (np.ptp(x, axis=1) > 0.0).any(axis=1)
        idle -= int((~varies).sum()) * math.log(math.comb(count, drawn))
        x, rows, codes = x[varies], rows[varies], codes[varies]
        if not codes.size:
            continue
        is_informative[rows.ravel()] = True
        x = x - x.mean(axis=1, keepdims=True)
        if 2 * drawn > count:
            blocks.append(Block(-x[:, ::-1], rows[:, ::-1], codes, count - drawn))
        else:
            blocks.append(Block(x, rows, codes, drawn))
    return MatchedSets(
        z=z,
        sets=sets,
        is_case=is_case,
        set_count=set_count,
        blocks=tuple(blocks),
        idle_log_likelihood=idle,
        is_informative=is_informative,
    )


def _shapes(members: Integers, cases: Integers) -> Iterator[tuple[int, int]]:
    both = np.unique(np.column_stack((members, cases)), axis=0)
    yield from ((int(count), int(drawn)) for count, drawn in both if 0 < drawn < count)


def _moments(block: Block, beta: Floats, matrix: Floats | None) -> Moments:
    predictor = block.x @ beta
    return _of_one(block.x, predictor, matrix) if block.drawn == 1 else _of_several(block, predictor, matrix)


def _of_one(x: Floats, predictor: Floats, matrix: Floats | None) -> Moments:
    highest = predictor.max(axis=1, keepdims=True)
    odds = np.exp(predictor - highest)
    total = odds.sum(axis=1, keepdims=True)
    chance = odds / total
    mean = np.einsum("sn,snp->sp", chance, x)
    around = x - mean[:, np.newaxis]
    weighted = (chance[:, :, np.newaxis] * around).reshape(-1, x.shape[2])
    covariance = weighted.T @ around.reshape(-1, x.shape[2])
    third = None
    if matrix is not None:
        square = np.einsum("snp,pq,snq->sn", around, matrix, around, optimize=True)
        third = np.einsum("sn,sn,snp->sp", chance, square, around, optimize=True)
    return Moments((predictor[:, :1] - highest - np.log(total)).ravel(), mean, covariance, third)


def _of_several(block: Block, predictor: Floats, matrix: Floats | None) -> Moments:
    predictor = predictor + _shift(predictor, block.drawn)[:, np.newaxis]
    chance, other = expit(predictor), expit(-predictor)
    x, drawn = block.x, block.drawn
    count, _, size = x.shape
    share = np.zeros((count, drawn + 1))
    share[:, 0] = 1.0
    first = np.zeros((count, drawn + 1, size))
    for member in range(x.shape[1]):
        p, q = chance[:, member, np.newaxis], other[:, member, np.newaxis]
        gained = first[:, :-1] + x[:, member, np.newaxis] * share[:, :-1, np.newaxis]
        first *= q[:, :, np.newaxis]
        first[:, 1:] += p[:, :, np.newaxis] * gained
        share = q * share + p * np.pad(share, ((0, 0), (1, 0)))[:, :-1]
    total = share[:, -1:]
    if not total.all():  # coefficients so large that the drawn number has no chance a double can hold
        return Moments(np.full(count, -np.inf), np.zeros((count, size)), np.zeros((size, size)), None)
    mean = first[:, -1] / total
    # A second pass around the mean: differences of raw moments would lose digits where one draw is likely.
    around = x - mean[:, np.newaxis] / drawn
    second, third = _central(around, chance, other, drawn, matrix)
    observed = -np.logaddexp(0.0, -predictor[:, :drawn]).sum(axis=1) - np.logaddexp(0.0, predictor[:, drawn:]).sum(
        axis=1
    )
    covariance = (second / total[:, :, np.newaxis]).sum(axis=0)
    return Moments(observed - np.log(total.ravel()), mean, covariance, None if third is None else third / total)


def _central(
    x: Floats, chance: Floats, other: Floats, drawn: int, matrix: Floats | None
) -> tuple[Floats, Floats | None]:
    """Sums over draws of their chance times s s', and times s' A s s, by the same recursion."""
    count, _, size = x.shape
    share = np.zeros((count, drawn + 1))
    share[:, 0] = 1.0
    first, second = np.zeros((count, drawn + 1, size)), np.zeros((count, drawn + 1, size, size))
    third = None if matrix is None else np.zeros((count, drawn + 1, size))
    for member in range(x.shape[1]):
        each = x[:, member, np.newaxis]
        p, q = chance[:, member, np.newaxis, np.newaxis], other[:, member, np.newaxis, np.newaxis]
        had, had_first, had_second = share[:, :-1, np.newaxis], first[:, :-1], second[:, :-1]
        cross = had_first[:, :, :, np.newaxis] * each[:, :, np.newaxis]
        square = each[:, :, :, np.newaxis] * each[:, :, np.newaxis]
        gained_second = had_second + cross + cross.swapaxes(2, 3) + square * had[:, :, :, np.newaxis]
        gained_first = had_first + each * had
        if third is not None and matrix is not None:
            pulled = each @ matrix
            own = (pulled * each).sum(axis=2, keepdims=True)
            traced = np.einsum("skpq,pq->sk", had_second, matrix)[:, :, np.newaxis]
            along = (had_first * pulled).sum(axis=2, keepdims=True)
            turned = np.einsum("skpq,sjq->skp", had_second, pulled)
            gained = third[:, :-1] + (traced + 2.0 * along + own * had) * each + 2.0 * turned + own * had_first
            third = q * third
            third[:, 1:] += p * gained
        first, second = q * first, q[:, :, :, np.newaxis] * second
        first[:, 1:] += p * gained_first
        second[:, 1:] += p[:, :, :, np.newaxis] * gained_second
        gained_share = p[:, :, 0] * share[:, :-1]
        share = q[:, :, 0] * share
        share[:, 1:] += gained_share
    return second[:, -1], None if third is None else third[:, -1]


def _shift(predictor: Floats, drawn: int) -> Floats:
    """Per set, what to add to the log odds so that as many are expected as are drawn."""
    middle = np.log(drawn / (predictor.shape[1] - drawn))
    low, high = middle - predictor.max(axis=1), middle - predictor.min(axis=1)
    for _ in range(_BISECTIONS):
        centre = (low + high) / 2.0
        is_many = expit(predictor + centre[:, np.newaxis]).sum(axis=1) > drawn
        low, high = np.where(is_many, low, centre), np.where(is_many, centre, high)
    shift: Floats = (low + high) / 2.0
    return shift
