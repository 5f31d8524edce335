"""Whether symptoms come back as fast as they went: half-times of onset and offset apart, and a test that they are equal.

Owns the fit of two half-times. One half-time for both belongs in `effect_fit`, the turnover in `effect`.

Least squares of score on effect with each person's own level, in the logarithms of both half-times. Standard errors sum what each
person adds to the score equations (sandwich), for records of a person are not independent; the test is Wald's of equal logarithms
with persons less one degrees of freedom. Needs records while the effect falls and while it rises: without either the half-time
is not estimable, and so is the test.
Source: White 1982, Econometrica 50:1; Liang and Zeger 1986, Biometrika 73:13.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares
from scipy.special import stdtr, stdtrit

from analysis.estimate.result import Answer, not_estimable
from analysis.pkpd.effect import Driven, effects_at_records
from analysis.pkpd.effect_fit import FEWEST_PERSONS, counted
from analysis.pkpd.quantities import Booleans, Floats, Integers, PkpdError

METHOD = "turnover_two_rates_sandwich"
SHORTEST_DAYS, LONGEST_DAYS = 0.5, 365.0
_STEP = 1e-3  # of a logarithm, for derivatives
_STARTS = ((7.0, 7.0), (21.0, 21.0), (60.0, 60.0), (7.0, 60.0), (60.0, 7.0))
# A half-time is said to be unknown where its logarithm is known no better than this: the limits would span a factor of 50.
_LARGEST_ERROR = 2.0


@dataclass(frozen=True, slots=True)
class TwoRates:
    """Half-times in days while symptoms go and while they come back, and the test of equality (`value`: onset over offset)."""

    onset: Answer
    offset: Answer
    equality: Answer


def two_rates(held: Driven, *, confidence: float) -> TwoRates:
    """Half-times of onset and offset with limits, and the ratio of onset to offset with the P of equality.

    `event_count` counts records. Not estimable as in `effect_fit.half_time`, and where no record tells of onset or of offset.
    Raises PkpdError for a confidence not between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise PkpdError("limits need a confidence between 0 and 1")
    several = np.bincount(held.record_person, minlength=len(held.person_id)) >= 2
    kept = several[held.record_person]
    person = (np.cumsum(several) - 1)[held.record_person[kept]]
    counts = {"person_count": int(several.sum()), "event_count": int(kept.sum())}
    if counts["person_count"] < FEWEST_PERSONS:
        return _neither(f"fewer than {FEWEST_PERSONS} persons with two or more records", counts)
    fit = _Fit(held, kept, person)
    logs, reason = fit.best()
    if logs is None:
        return _neither(reason, counts)
    jacobian, residual = fit.derivatives(logs)
    informed = np.sqrt((jacobian**2).sum(axis=0))
    answers: list[Answer] = []
    names = ("falls", "rises")
    silent = [name for name, size in zip(names, informed[1:], strict=True) if size < 1e-6 * informed[0]]
    if silent:
        told = [f"no record tells how fast the effect {name}" for name in silent]
        return _neither(" and ".join(told), counts)
    covariance = _sandwich(jacobian, residual, person)
    errors = np.sqrt(np.diag(covariance))[1:]
    freedom = counts["person_count"] - 1
    quantile = float(stdtrit(freedom, 0.5 * (1.0 + confidence)))
    for log, error, name in zip(logs, errors, names, strict=True):
        if error > _LARGEST_ERROR or not np.log(SHORTEST_DAYS) + 1e-6 < log < np.log(LONGEST_DAYS) - 1e-6:
            answers.append(not_estimable(METHOD, f"records do not tell how fast the effect {name}", **counts))
            continue
        low, value, high = (float(np.exp(log + side * quantile * error)) for side in (-1.0, 0.0, 1.0))
        answer = Answer(method=METHOD, value=value, lower=low, upper=high, confidence_level=confidence)
        answers.append(replace(counted(answer, counts), standard_error=float(error)))
    onset, offset = answers
    if onset.value is None or offset.value is None:
        return TwoRates(onset, offset, not_estimable(METHOD, onset.reason or offset.reason, **counts))
    contrast = float(logs[0] - logs[1])
    error = float(np.sqrt(covariance[1, 1] + covariance[2, 2] - 2.0 * covariance[1, 2]))
    low, value, high = (float(np.exp(contrast + side * quantile * error)) for side in (-1.0, 0.0, 1.0))
    equality = Answer(
        method=METHOD,
        value=value,
        lower=low,
        upper=high,
        confidence_level=confidence,
        standard_error=error,
        p_value=float(2.0 * stdtr(freedom, -abs(contrast) / error)),
    )
    return TwoRates(onset, offset, counted(equality, counts))


class _Fit:
    """Scores about each person's mean, and what is left of them under two half-times."""

    def __init__(self, held: Driven, kept: Booleans, person: Integers) -> None:
        self._held, self._kept, self._person = held, kept, person
        self._size = np.bincount(person)
        self._score = self._centred(held.score[kept])

    def _centred(self, values: Floats) -> Floats:
        means: Floats = np.bincount(self._person, values) / self._size
        return values - means[self._person]

    def effect(self, *logs: Floats) -> list[Floats]:
        """Effects about each person's mean under logarithms of the two half-times."""
        onset, offset = np.exp(np.stack(logs)).T
        found = effects_at_records(self._held, onset_days=onset, offset_days=offset)[self._kept]
        return [self._centred(column) for column in found.T]

    def slope(self, effect: Floats) -> float:
        """What full drive adds to the score."""
        squares = float(effect @ effect)
        return float(effect @ self._score) / squares if squares > 0.0 else 0.0

    def best(self) -> tuple[Floats | None, str]:
        """Logarithms of the half-times with the least squares, or why there are none."""
        starts = [np.log(np.array(start)) for start in _STARTS]
        effects = self.effect(*starts)
        if max(float(effect @ effect) for effect in effects) < 1e-6 * self._score.size:
            return None, "free IgE drives the same effect at all records of a person"
        gains = [max(self.slope(effect), 0.0) ** 2 * float(effect @ effect) for effect in effects]
        if max(gains) <= 0.0:
            return None, "scores do not rise with the effect of free IgE"

        def left(logs: Floats) -> Floats:
            (effect,) = self.effect(logs)
            return self._score - self.slope(effect) * effect

        limits = (np.log(SHORTEST_DAYS), np.log(LONGEST_DAYS))
        solved = least_squares(
            left, starts[int(np.argmax(gains))], bounds=limits, diff_step=[_STEP, _STEP], x_scale=1.0
        )
        logs: Floats = solved.x
        if self.slope(self.effect(logs)[0]) <= 0.0:
            return None, "scores do not rise with the effect of free IgE"
        return logs, ""

    def derivatives(self, logs: Floats) -> tuple[Floats, Floats]:
        """Of the fitted scores by slope and both logarithms (columns), and what is left of the scores."""
        shifts = [np.array(shift) * _STEP for shift in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        middle, *beside = self.effect(logs, *(logs + shift for shift in shifts))
        slope = self.slope(middle)
        by_log = [slope * (beside[place] - beside[place + 1]) / (2.0 * _STEP) for place in (0, 2)]
        return np.stack((middle, *by_log), axis=1), self._score - slope * middle


def _sandwich(jacobian: Floats, residual: Floats, person: Integers) -> Floats:
    bread = np.linalg.pinv(jacobian.T @ jacobian)
    added = np.stack([np.bincount(person, column) for column in (jacobian * residual[:, None]).T], axis=1)
    persons = added.shape[0]
    covariance: Floats = bread @ (added.T @ added) @ bread * persons / (persons - 1)
    return covariance


def _neither(reason: str, counts: dict[str, int]) -> TwoRates:
    answer = not_estimable(METHOD, reason, **counts)
    return TwoRates(answer, answer, answer)
