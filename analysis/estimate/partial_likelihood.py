"""The Cox partial likelihood of counting-process rows: its value, derivatives, maximum and score residuals.

Owns the numbers on risk sets, vectorised over rows and over events: O(rows * covariates^2) a step. Who is at risk belongs in
`risk_sets`; frames, persons and the meaning of a coefficient in `cox`. Case weights multiply what a row adds; tied events of
different weight share their mean weight, as in R's coxph.
Source: Andersen and Gill 1982; Efron 1977, JASA 72:557; Therneau and Grambsch 2000, Modeling Survival Data, 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.estimate.risk_sets import Floats, RiskSets

STEP_PRECISION = 1e-10  # in standard deviations of the covariate
MAXIMUM_STEPS = 25
MAXIMUM_HALVINGS = 30


@dataclass(frozen=True, slots=True)
class Point:
    """The log partial likelihood at some coefficients, with its first and (negative) second derivative.

    `weights`: per row, its relative hazard times its case weight. `inverse`: per event, 1 over the weight of its risk set;
    `hazards`: per event, that times the event's weight. `at_risk_x` and `tied_x` (event times, covariates): sums of
    weight times covariate over the risk set and over the events of a time. `once` and `twice` (2 and 3, event times): sums
    over a time's events of hazard, and of hazard times inverse, times Efron's share to the power 0, 1 (and 2).
    """

    log_likelihood: float
    score: Floats
    information: Floats
    weights: Floats
    inverse: Floats
    hazards: Floats
    at_risk_x: Floats
    tied_x: Floats
    once: Floats
    twice: Floats

    def means(self, sets: RiskSets) -> Floats:
        """Weighted mean of the covariates over the risk set of each event (events, covariates)."""
        time, share = sets.slot_time, sets.slot_share[:, np.newaxis]
        mean: Floats = (self.at_risk_x[time] - share * self.tied_x[time]) * self.inverse[:, np.newaxis]
        return mean


def evaluate(sets: RiskSets, x: Floats, beta: Floats) -> Point:
    """The partial likelihood of `x` (rows, covariates) at coefficients `beta`; centred x loses least to rounding."""
    predictor = x @ beta
    # A common factor of the weights cancels; without the shift a long step overflows.
    predictor -= predictor.max(initial=-np.inf) if predictor.size else 0.0
    observed = float(predictor @ sets.counted)
    weights: Floats = np.exp(predictor, out=predictor)
    weights *= sets.case_weight
    share, time = sets.slot_share, sets.slot_time

    columns = x.T  # each lies together in memory, or all is slower

    def moments(rows: slice) -> Floats:
        """Weight, and weight times covariate, together: one pass over the rows sums them all."""
        own = weights[rows]
        return np.vstack([own, columns[:, rows] * own]).T

    at_risk, tied = sets.sums_of_pieces(moments)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        totals = at_risk[time, 0] - share * tied[time, 0]
        inverse = 1.0 / totals
        hazards: Floats = sets.slot_weight * inverse
        shared = hazards * share
        once = np.stack([sets.at_times(hazards), sets.at_times(shared)])
        hazards_twice, shared_twice = hazards * inverse, shared * inverse
        twice = np.stack([sets.at_times(each) for each in (hazards_twice, shared_twice, shared_twice * share)])
        all_x, tied_x = at_risk[:, 1:], tied[:, 1:]
        # The second moments over all risk sets are those of the rows, each with the hazard summed over its stay; of an
        # event, less what Efron's shares spare it.
        information = np.zeros((x.shape[1], x.shape[1]))
        seen = np.zeros(x.shape[1])
        for rows in sets.pieces:
            stay = sets.over_stay(once[0], rows)
            stay -= once[1][sets.leaves[rows] - 1] * sets.is_event[rows]
            piece = columns[:, rows]
            information += (piece * (weights[rows] * stay)) @ piece.T
            seen += piece @ sets.counted[rows]
        crossed = all_x.T @ (tied_x * twice[1][:, np.newaxis])
        information -= all_x.T @ (all_x * twice[0][:, np.newaxis]) - crossed - crossed.T
        information -= tied_x.T @ (tied_x * twice[2][:, np.newaxis])
        information = (information + information.T) / 2.0
        log_likelihood = observed - float((sets.slot_weight * np.log(totals)).sum())
        score = seen - (once[0] @ all_x - once[1] @ tied_x)
    return Point(log_likelihood, score, information, weights, inverse, hazards, all_x, tied_x, once, twice)


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where Newton's method ended; `step` is the last one, `has_converged` whether it was nil."""

    beta: Floats
    point: Point
    step: Floats
    has_converged: bool


def maximise(sets: RiskSets, x: Floats, null: Point | None = None) -> Maximum:
    """Coefficients at which the partial likelihood is largest, by Newton's method from 0 with halved steps.

    x: (rows, covariates) with a standard deviation of 1, so that one precision fits all. null: the likelihood at 0, if it is
    known. A likelihood without a maximum keeps moving by whole steps and ends with `has_converged` false.
    """
    beta = np.zeros(x.shape[1])
    point = evaluate(sets, x, beta) if null is None else null
    step: Floats = np.full(x.shape[1], np.inf)
    is_whole = True
    for _ in range(MAXIMUM_STEPS):
        try:
            step = np.linalg.solve(point.information, point.score).astype(float)
        except np.linalg.LinAlgError:
            break
        if is_whole and float(np.abs(step).max()) < STEP_PRECISION:
            return Maximum(beta + step, point, step, has_converged=True)
        factor, least = 1.0, point.log_likelihood - 1e-10 * max(1.0, abs(point.log_likelihood))
        tried = evaluate(sets, x, beta + step)
        for _ in range(MAXIMUM_HALVINGS):
            if tried.log_likelihood >= least:
                break
            factor /= 2.0
            tried = evaluate(sets, x, beta + factor * step)
        beta, point, is_whole = beta + factor * step, tried, factor == 1.0
    return Maximum(beta, point, step, has_converged=False)


def score_residuals(sets: RiskSets, x: Floats, point: Point) -> Floats:
    """What each row adds to the score (rows, covariates): observed less expected, over the risk sets it stands in.

    A tied event leaves the risk sets of its own time by Efron's shares, as in the likelihood. Case weights are in it.
    Source: Therneau and Grambsch 2000, 4.3 and 7.2 (equal to R's residuals of type "score", weighted).
    """
    all_x, tied_x, twice = point.at_risk_x, point.tied_x, point.twice[:, :, np.newaxis]
    # Hazard, and hazard times mean, summed over a time's events; the same of Efron's shares.
    pulled = np.column_stack([point.once[0], all_x * twice[0] - tied_x * twice[1]])
    spared = np.column_stack([point.once[1], all_x * twice[1] - tied_x * twice[2]])
    tied = np.bincount(sets.slot_time, minlength=sets.time_count)
    mean = (
        all_x * (sets.at_times(point.inverse) / tied)[:, np.newaxis]
        - tied_x * (sets.at_times(point.inverse * sets.slot_share) / tied)[:, np.newaxis]
    )
    columns = x.T
    residuals = np.empty(columns.shape)
    for rows in sets.pieces:
        is_event = sets.is_event[rows]
        own = sets.leaves[rows][is_event] - 1
        stay = sets.over_stay(pulled, rows)
        stay[is_event] -= spared[own]
        part = residuals[:, rows]
        np.subtract(stay.T[1:], columns[:, rows] * stay[:, 0], out=part)
        part *= point.weights[rows]
        part[:, is_event] += sets.case_weight[rows][is_event] * (columns[:, rows][:, is_event] - mean[own].T)
    return residuals.T
