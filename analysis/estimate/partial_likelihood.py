"""The Cox partial likelihood of counting-process rows: its value, derivatives, maximum and score residuals.

Owns the risk sets and the numbers on them, vectorised over rows and over events: O(rows log rows) once, then
O(rows * covariates^2) a step. Frames, persons and the meaning of a coefficient belong in `cox`.

A row at risk on (start, stop] stands in the risk sets of consecutive event times; strata follow each other on one time
axis, so that nobody stands in the risk set of another stratum. Case weights multiply what a row adds; tied events of
different weight share their mean weight, as in R's coxph. Running sums of what enters less what
leaves would keep the rounding of a large weight that has left; here each stay is cut in two at the middle of the
smallest dyadic block around it, and sums only add. Rows that span no event time carry no information and are left out.
Source: Andersen and Gill 1982; Efron 1977, JASA 72:557; Therneau and Grambsch 2000, Modeling Survival Data, 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ties = Literal["efron", "breslow"]
Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]
Days = NDArray[np.int64]

STEP_PRECISION = 1e-10  # in standard deviations of the covariate
MAXIMUM_STEPS = 25
MAXIMUM_HALVINGS = 30


@dataclass(frozen=True, kw_only=True)
class RiskSets:
    """Who is at risk at which distinct event time, for the rows that are at risk at any.

    `enters`, `leaves`: per row, the first event time it is at risk at and the first after that. `is_event`: per row.
    `slot_time`, `slot_share`: per event, its event time and the share of the tied events that Efron takes out of the
    risk set before it (0, 1/d, 2/d, ...; all 0 for Breslow). `case_weight`: per row; `slot_weight`: per event, the mean
    weight of the events of its time. Both are all 1 without weights.
    """

    enters: Integers
    leaves: Integers
    is_event: Booleans
    time_count: int
    slot_time: Integers
    slot_share: Floats
    case_weight: Floats
    slot_weight: Floats

    @cached_property
    def event_times(self) -> Integers:
        """Index of the event time of each event row."""
        return self.leaves[self.is_event] - 1

    def restricted_to(self, rows: Booleans) -> RiskSets:
        """The same event times with some rows, all of them without events, left out."""
        return replace(
            self,
            enters=self.enters[rows],
            leaves=self.leaves[rows],
            is_event=self.is_event[rows],
            case_weight=self.case_weight[rows],
        )

    def sums(self, values: Floats) -> Floats:
        """Sum of a row's values over each risk set."""
        last = self.leaves - 1
        if not self.enters.any():  # nobody comes late: the risk set of a time is everybody who leaves after it
            leaving = np.bincount(last, values, minlength=self.time_count).astype(np.float64, copy=False)
            staying: Floats = leaving[::-1].cumsum()[::-1]
            return staying
        # The bit length of the difference: 0 for a single time, else the level of the block that holds both ends.
        level = np.frexp((self.enters ^ last).astype(np.float64))[1]
        levels = max(1, self.time_count - 1).bit_length() + 1
        width = 1 << (levels - 1)
        cells = levels * width
        counted = np.bincount(level * width + self.enters, values, minlength=cells)
        forward: Floats = counted.astype(np.float64, copy=False).reshape(levels, width)
        several = level > 0
        counted = np.bincount((level * width + last)[several], values[several], minlength=cells)
        backward: Floats = counted.astype(np.float64, copy=False).reshape(levels, width)
        total: Floats = forward[0].astype(np.float64)
        for each in range(1, levels):
            half = 1 << (each - 1)
            total += forward[each].reshape(-1, half).cumsum(axis=1).ravel()
            total += backward[each].reshape(-1, half)[:, ::-1].cumsum(axis=1)[:, ::-1].ravel()
        return total[: self.time_count]

    def event_sums(self, values: Floats) -> Floats:
        """Sum of a row's values over the events of each event time."""
        return self.sums_of_events(values[self.is_event])

    def sums_of_events(self, values: Floats) -> Floats:
        """Sum of the values of event rows, in their order, over each event time."""
        summed: Floats = np.bincount(self.event_times, values, minlength=self.time_count).astype(float)
        return summed

    def at_times(self, values: Floats) -> Floats:
        """Sum of an event's values over each event time."""
        summed: Floats = np.bincount(self.slot_time, values, minlength=self.time_count).astype(float)
        return summed

    def over_stay(self, values: Floats) -> Floats:
        """Sum of an event time's values over the stay of each row."""
        before = np.concatenate(([0.0], np.cumsum(values)))
        stay: Floats = before[self.leaves] - before[self.enters]
        return stay

    def slot_sums(self, values: Floats) -> Floats:
        """Sum of a row's values over each event's risk set, less the share of the tied events."""
        at_events = self.event_sums(values)[self.slot_time]
        return self.sums(values)[self.slot_time] - self.slot_share * at_events


def risk_sets(
    start: Days,
    stop: Days,
    is_event: Booleans,
    *,
    ties: Ties,
    stratum: Days | None = None,
    weight: Floats | None = None,
) -> tuple[RiskSets, Booleans]:
    """The risk sets, and which of the rows stand in any.

    stratum: per row, 0, 1, 2, ...; rows of different strata are never at risk together. weight: per row, above 0.
    """
    if stratum is not None:
        # The next stratum's first day comes after the last day of the one before.
        first = start.min(initial=0)
        ahead = stratum * (stop.max(initial=0) - first + 1) - first
        start, stop = start + ahead, stop + ahead
    times, which, tied = np.unique(stop[is_event], return_inverse=True, return_counts=True)
    enters = np.searchsorted(times, start, side="right")
    leaves = np.searchsorted(times, stop, side="right")
    kept = enters < leaves
    slot_time = np.repeat(np.arange(times.size), tied)
    order = np.arange(slot_time.size) - np.repeat(np.cumsum(tied) - tied, tied)
    share = order / tied[slot_time] if ties == "efron" else np.zeros(slot_time.size)
    slot_weight = np.ones(slot_time.size)
    if weight is not None:
        slot_weight = (np.bincount(which, weight[is_event], minlength=times.size) / tied)[slot_time]
    sets = RiskSets(
        enters=enters[kept],
        leaves=leaves[kept],
        is_event=is_event[kept],
        time_count=times.size,
        slot_time=slot_time,
        slot_share=share,
        case_weight=np.ones(int(kept.sum())) if weight is None else weight[kept],
        slot_weight=slot_weight,
    )
    return sets, kept


@dataclass(frozen=True, slots=True)
class Point:
    """The log partial likelihood at some coefficients, with its first and (negative) second derivative.

    `weights`: per row, its relative hazard times its case weight. `means`: per event, the weighted mean of the covariates
    over its risk set; `hazards`: per event, the event's weight over that of its risk set.
    """

    log_likelihood: float
    score: Floats
    information: Floats
    weights: Floats
    means: Floats
    hazards: Floats


def evaluate(sets: RiskSets, x: Floats, beta: Floats) -> Point:
    """The partial likelihood of `x` (rows, covariates) at coefficients `beta`; centred x loses least to rounding."""
    count = x.shape[1]
    predictor = x @ beta
    # A common factor of the weights cancels; without the shift a long step overflows.
    shift = float(predictor.max(initial=-np.inf)) if predictor.size else 0.0
    weights: Floats = np.exp(predictor - shift) * sets.case_weight
    counted = sets.case_weight[sets.is_event]
    share, time = sets.slot_share, sets.slot_time
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        event_weights, event_x = weights[sets.is_event], x[sets.is_event]
        at_risk, at_events = sets.sums(weights), sets.sums_of_events(event_weights)
        totals = at_risk[time] - share * at_events[time]
        inverse = 1.0 / totals
        hazards: Floats = sets.slot_weight * inverse
        # Sums over the tied events of a time of 1 / total and its square, times 1, share and share squared.
        once = [sets.at_times(hazards * power) for power in (1.0, share)]
        twice = [sets.at_times(hazards * inverse * power) for power in (1.0, share, share**2)]
        # The second moments over all risk sets are those of the rows, each with the hazard summed over its stay.
        stay = sets.over_stay(once[0])
        spared = event_weights * once[1][sets.event_times]
        information = x.T @ (x * (weights * stay)[:, np.newaxis]) - event_x.T @ (event_x * spared[:, np.newaxis])
        means = np.empty((totals.size, count))
        all_x, tied_x = np.empty((sets.time_count, count)), np.empty((sets.time_count, count))
        for i in range(count):
            all_x[:, i], tied_x[:, i] = sets.sums(weights * x[:, i]), sets.sums_of_events(event_weights * event_x[:, i])
            means[:, i] = (all_x[time, i] - share * tied_x[time, i]) * inverse
        crossed = all_x.T @ (tied_x * twice[1][:, np.newaxis])
        information -= all_x.T @ (all_x * twice[0][:, np.newaxis]) - crossed - crossed.T
        information -= tied_x.T @ (tied_x * twice[2][:, np.newaxis])
        information = (information + information.T) / 2.0
        log_likelihood = float(
            (counted * (predictor[sets.is_event] - shift)).sum() - (sets.slot_weight * np.log(totals)).sum()
        )
    observed, expected = counted[:, np.newaxis] * event_x, sets.slot_weight[:, np.newaxis] * means
    score = observed.sum(axis=0) - expected.sum(axis=0)
    return Point(log_likelihood, score, information, weights, means, hazards)


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where Newton's method ended; `step` is the last one, `has_converged` whether it was nil."""

    beta: Floats
    point: Point
    step: Floats
    has_converged: bool


def maximise(sets: RiskSets, x: Floats) -> Maximum:
    """Coefficients at which the partial likelihood is largest, by Newton's method from 0 with halved steps.

    x: (rows, covariates) with a standard deviation of 1, so that one precision fits all. A likelihood without a maximum
    keeps moving by whole steps and ends with `has_converged` false.
    """
    beta = np.zeros(x.shape[1])
    point = evaluate(sets, x, beta)
    step: Floats = np.full(x.shape[1], np.inf)
    for _ in range(MAXIMUM_STEPS):
        try:
            step = np.linalg.solve(point.information, point.score).astype(float)
        except np.linalg.LinAlgError:
            break
        factor, least = 1.0, point.log_likelihood - 1e-10 * max(1.0, abs(point.log_likelihood))
        tried = evaluate(sets, x, beta + step)
        for _ in range(MAXIMUM_HALVINGS):
            if tried.log_likelihood >= least:
                break
            factor /= 2.0
            tried = evaluate(sets, x, beta + factor * step)
        beta, point = beta + factor * step, tried
        if factor == 1.0 and float(np.abs(step).max()) < STEP_PRECISION:
            return Maximum(beta, point, step, has_converged=True)
    return Maximum(beta, point, step, has_converged=False)


def score_residuals(sets: RiskSets, x: Floats, point: Point) -> Floats:
    """What each row adds to the score (rows, covariates): observed less expected, over the risk sets it stands in.

    A tied event leaves the risk sets of its own time by Efron's shares, as in the likelihood. Case weights are in it.
    Source: Therneau and Grambsch 2000, 4.3 and 7.2 (equal to R's residuals of type "score", weighted).
    """
    tied = np.bincount(sets.slot_time, minlength=sets.time_count)
    own = sets.event_times
    count = x.shape[1]

    def over_stay(values: Floats) -> Floats:
        return sets.over_stay(sets.at_times(values))

    hazard = over_stay(point.hazards)
    spared = sets.at_times(point.hazards * sets.slot_share)[own]
    residuals = np.empty_like(x)
    for i in range(count):
        pulled = point.hazards * point.means[:, i]
        residuals[:, i] = -point.weights * (x[:, i] * hazard - over_stay(pulled))
        mine, mean = x[sets.is_event, i], (sets.at_times(point.means[:, i]) / tied)[own]
        forgiven = point.weights[sets.is_event] * (mine * spared - sets.at_times(pulled * sets.slot_share)[own])
        residuals[sets.is_event, i] += sets.case_weight[sets.is_event] * (mine - mean) + forgiven
    return residuals
