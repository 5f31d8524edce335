"""The partial likelihood of a subdistribution hazard: risk sets with weights, its maximum and residuals.

Owns the numbers on risk sets; frames, persons and what a coefficient means belong in `fine_gray`.

Who ended by another cause stays in the risk sets with a weight that falls as censoring would have taken them: G(t-) / G of
the day before the end, G the Kaplan-Meier of censoring. So each risk set is two sums, one to the end of time and one
from its start, and a step is linear in persons.
Source: Fine and Gray 1999, JASA 94:496; Geskus 2011, Biometrics 67:39.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

STEP_PRECISION = 1e-10  # in standard deviations of the covariate
MAXIMUM_STEPS = 25
MAXIMUM_HALVINGS = 30
# Information kept on the way from coefficients of 0: below, the likelihood is flat and what is left is rounding.
_LEAST_INFORMATION = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class SubdistributionSets:
    """Days on which anybody ends, and who ends how on which of them.

    `day`: per person, the index of the day. `events`, `censored`, `for_censoring`: per day, events of the cause, censored
    persons, and those at risk of censoring. `staying`: per day, G before it. `is_other`: per person, ended by another cause.
    """

    day: NDArray[np.intp]
    is_own: Booleans
    is_other: Booleans
    is_censored: Booleans
    events: Floats
    censored: Floats
    for_censoring: Floats
    staying: Floats

    @classmethod
    def of(cls, time_days: NDArray[np.int64], is_own: Booleans, is_censored: Booleans) -> SubdistributionSets:
        """Of one end a person; who is neither of the cause nor censored ended by another cause."""
        days, day = np.unique(time_days, return_inverse=True)
        ended = np.bincount(day, minlength=days.size).astype(float)
        events = np.bincount(day[is_own], minlength=days.size).astype(float)
        censored = np.bincount(day[is_censored], minlength=days.size).astype(float)
        for_censoring = np.cumsum(ended[::-1])[::-1] - (ended - censored)
        leaving = np.divide(censored, for_censoring, out=np.zeros(days.size), where=censored > 0)
        staying = np.concatenate(([1.0], np.cumprod(1.0 - leaving)[:-1])) if days.size else np.empty(0)
        return cls(
            day=day,
            is_own=is_own,
            is_other=~(is_own | is_censored),
            is_censored=is_censored,
            events=events,
            censored=censored,
            for_censoring=for_censoring,
            staying=staying,
        )

    def gone(self, values: Floats) -> Floats:
        """Per day, the sum over those who ended before it by another cause, each over G at the own end."""
        weighted = values[self.is_other] / self.staying[self.day[self.is_other]]
        summed = np.bincount(self.day[self.is_other], weighted, minlength=self.staying.size).astype(float)
        before: Floats = np.concatenate(([0.0], np.cumsum(summed)[:-1]))
        return before

    def sums(self, values: Floats) -> Floats:
        """Per day, the weighted sum over the risk set."""
        summed = np.bincount(self.day, values, minlength=self.staying.size).astype(float)
        there: Floats = np.cumsum(summed[::-1])[::-1] + self.staying * self.gone(values)
        return there


@dataclass(frozen=True, slots=True)
class SubdistributionPoint:
    """The log partial likelihood, its derivatives, and on each day the hazard and the mean of the covariates."""

    log_likelihood: float
    score: Floats
    information: Floats
    weights: Floats
    hazards: Floats
    means: Floats


def evaluate(sets: SubdistributionSets, x: Floats, beta: Floats) -> SubdistributionPoint:
    """The likelihood of `x` (persons, covariates) at coefficients `beta`, ties as Breslow's; centred x loses least."""
    predictor = x @ beta
    shift = float(predictor.max())
    weights: Floats = np.exp(predictor - shift)
    count = x.shape[1]
    happens = sets.events > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        totals = sets.sums(weights)
        hazards = np.where(happens, sets.events / totals, 0.0)
        means = np.column_stack([np.where(happens, sets.sums(weights * x[:, i]) / totals, 0.0) for i in range(count)])
        information = np.empty((count, count))
        for i in range(count):
            for j in range(i + 1):
                products = np.where(happens, sets.sums(weights * x[:, i] * x[:, j]) / totals, 0.0)
                information[i, j] = information[j, i] = float(sets.events @ (products - means[:, i] * means[:, j]))
        logs = np.log(totals[happens])
    log_likelihood = float((predictor[sets.is_own] - shift).sum() - sets.events[happens] @ logs)
    score = x[sets.is_own].sum(axis=0) - sets.events @ means
    return SubdistributionPoint(log_likelihood, score, information, weights, hazards, means)


def maximised(
    sets: SubdistributionSets, x: Floats, start: SubdistributionPoint
) -> tuple[Floats, SubdistributionPoint] | None:
    """Coefficients at which the likelihood is largest, by Newton's method with halved steps; None without a maximum.

    x: with a standard deviation of 1; start: the point at coefficients of 0.
    """
    beta, point = np.zeros(x.shape[1]), start
    for _ in range(MAXIMUM_STEPS):
        try:
            step = np.linalg.solve(point.information, point.score)
        except np.linalg.LinAlgError:
            return None
        factor, least = 1.0, point.log_likelihood - 1e-10 * max(1.0, abs(point.log_likelihood))
        tried = evaluate(sets, x, beta + step)
        for _ in range(MAXIMUM_HALVINGS):
            if tried.log_likelihood >= least:
                break
            factor /= 2.0
            tried = evaluate(sets, x, beta + factor * step)
        beta, point = beta + factor * step, tried
        if (np.diag(point.information) < _LEAST_INFORMATION * np.diag(start.information)).any():
            return None
        if factor == 1.0 and float(np.abs(step).max()) < STEP_PRECISION:
            return beta, point
    return None


def residuals(sets: SubdistributionSets, x: Floats, point: SubdistributionPoint) -> tuple[Floats, Floats]:
    """What each person adds to the score: through the own risk sets, and through the censoring distribution."""

    def after(values: Floats) -> Floats:
        summed: Floats = np.cumsum(values[::-1])[::-1]
        return summed - values

    eta, psi = np.zeros_like(x), np.zeros_like(x)
    later = after(sets.staying * point.hazards)
    hazard = np.cumsum(point.hazards)
    other, own_staying = sets.is_other, sets.staying[sets.day[sets.is_other]]
    at_risk = np.where(sets.censored > 0, sets.for_censoring, 1.0)
    for i in range(x.shape[1]):
        pulled = point.hazards * point.means[:, i]
        pulled_later = after(sets.staying * pulled)
        eta[:, i] = -point.weights * (x[:, i] * hazard[sets.day] - np.cumsum(pulled)[sets.day])
        eta[sets.is_own, i] += x[sets.is_own, i] - point.means[sets.day[sets.is_own], i]
        beyond = x[other, i] * later[sets.day[other]] - pulled_later[sets.day[other]]
        eta[other, i] -= point.weights[other] * beyond / own_staying
        # Censoring on a day takes weight from who ended by another cause up to it, in the risk sets after it.
        here = sets.gone(point.weights * x[:, i]), sets.gone(point.weights)
        today = [
            np.bincount(sets.day[other], values[other] / own_staying, minlength=sets.staying.size)
            for values in (point.weights * x[:, i], point.weights)
        ]
        taken = ((here[0] + today[0]) * later - (here[1] + today[1]) * pulled_later) / at_risk
        expected = np.cumsum(taken * sets.censored / at_risk)
        before = np.concatenate(([0.0], expected[:-1]))
        psi[:, i] = -np.where(sets.is_censored, expected[sets.day], before[sets.day])
        psi[sets.is_censored, i] += taken[sets.day[sets.is_censored]]
    return eta, psi
