"""Matching of exposed to comparators on the propensity score.

Owns greedy nearest-neighbour matching on the log odds. Scores come from `propensity`; sets of cases and controls do not
belong here.
Source: Rosenbaum and Rubin 1985, Am Stat 39:33; Austin 2011, Pharm Stat 10:150 (caliper of 0.2).
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from analysis.estimate.likelihood import Floats, Integers
from analysis.estimate.propensity import Propensity
from analysis.estimate.result import EstimationError

CALIPER = 0.2  # standard deviations of the log odds, Austin 2011

MATCH_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "set_id": pl.Int64, "is_exposed": pl.Int64, "distance": pl.Float64, "weight": pl.Float64,
}  # fmt: skip


def match(
    scores: Propensity, person_id: pl.Series, *, comparators: int, seed: int, caliper: float = CALIPER
) -> pl.DataFrame:
    """Sets of one exposed and the 1 to `comparators` nearest persons of the comparator, each used once.

    person_id: one value a row of the scores, each once. Exposed choose in an order drawn with the seed, once each before
    anybody chooses again, the nearest log odds within `caliper` standard deviations (root of the mean of the two groups'
    variances); between equally near ones the seed decides. The order of rows changes nothing.
    Columns: `person_id`, `set_id` (from 0), `is_exposed`, `distance` (of log odds, 0 for the exposed), `weight` (1 for
    the exposed, else one over the comparators of the set). Exposed without a comparator within the caliper are left out:
    the effect is then one in those who have one.
    Raises EstimationError when there are no scores, a person occurs twice, or a setting is not positive.
    """
    if scores.reason:
        raise EstimationError(f"there are no propensity scores: {scores.reason}")
    if comparators < 1 or not caliper > 0.0:
        raise EstimationError("matching needs at least 1 comparator and a caliper above 0")
    if person_id.len() != scores.scores.size or person_id.n_unique() != person_id.len() or person_id.null_count():
        raise EstimationError("matching needs one row a person and an identifier in each")
    order = person_id.arg_sort().to_numpy()
    ranks = np.random.default_rng(seed).permutation(order.size)
    logits, is_exposed = np.round(scores.logits, 12)[order], scores.is_exposed[order]
    groups = [logits[is_exposed], logits[~is_exposed]]
    if any(group.size < 2 for group in groups):
        raise EstimationError("matching needs at least two persons in each group")
    width = caliper * math.sqrt(sum(float(group.var(ddof=1)) for group in groups) / 2.0)
    chosen = _choose(groups[0], groups[1], width, comparators, (ranks[is_exposed], ranks[~is_exposed]))
    rows = {"person": np.flatnonzero(is_exposed), "other": np.flatnonzero(~is_exposed)}
    sets: list[tuple[int, int, int, float, float]] = []
    for number, exposed in enumerate(sorted(chosen)):
        partners = chosen[exposed]
        sets.append((int(rows["person"][exposed]), number, 1, 0.0, 1.0))
        for partner in partners:
            distance = abs(float(groups[0][exposed] - groups[1][partner]))
            sets.append((int(rows["other"][partner]), number, 0, distance, 1.0 / len(partners)))
    places = [int(order[place]) for place, *_ in sets]
    result = pl.DataFrame([part[1:] for part in sets], schema=MATCH_SCHEMA, orient="row")
    return result.insert_column(0, person_id.gather(places).alias("person_id"))


def _choose(
    exposed: Floats, others: Floats, width: float, most: int, ranks: tuple[Integers, Integers]
) -> dict[int, list[int]]:
    """Comparators of each exposed that has any, nearest first come first served, round by round."""
    line = np.lexsort((ranks[1], others))
    places, numbers = others[line], ranks[1][line]
    below, above = list(range(-1, line.size)), list(range(1, line.size + 2))  # the next free neighbour of each place
    is_free = [False, *[True] * line.size, False]
    chosen: dict[int, list[int]] = {}
    turns = np.argsort(ranks[0])
    starts = np.searchsorted(places, exposed)
    for _ in range(most):
        waiting = []
        for each in turns:
            left = _free(int(starts[each]), below, is_free, 0)
            right = _free(int(starts[each]) + 1, above, is_free, line.size + 1)
            near = []
            for place in (left, right):
                if 1 <= place <= line.size:
                    distance = abs(float(places[place - 1] - exposed[each]))
                    near.append((distance, int(numbers[place - 1]), place))
            if not near or min(near)[0] > width:
                continue
            place = min(near)[2]
            is_free[place] = False
            chosen.setdefault(int(each), []).append(int(line[place - 1]))
            waiting.append(each)
        turns = np.array(waiting, dtype=np.intp)
    return chosen


def _free(place: int, onward: list[int], is_free: list[bool], end: int) -> int:
    """The nearest free place from `place` on, shortening the way for the next who comes along."""
    path = []
    while place != end and not is_free[place]:
        path.append(place)
        place = onward[place]
    for passed in path:
        onward[passed] = place
    return place
