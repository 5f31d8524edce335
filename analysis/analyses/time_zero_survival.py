"""Survival from the day on which a second study drug is added: hazard ratios, and the probability of the outcome beside death.

Owns what is told of one outcome and kind of follow-up besides the odds ratio. Groups, weights and gates are those of `time_zero.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from analysis.analyses.time_zero_groups import CRUDE, MATCHED, OVERLAP, Groups, numbered
from analysis.estimate.cox import cox, hazard_ratio
from analysis.estimate.cumulative_incidence import cumulative_incidence, cumulative_incidence_at
from analysis.estimate.result import Answer, not_estimable
from analysis.estimate.weighted_survival import weighted_curves, weighted_incidence_at

HAZARD_METHODS = {
    CRUDE: "cox_efron_crude_robust",
    OVERLAP: "cox_efron_overlap_robust",
    MATCHED: "cox_efron_matched_robust",
}
WEIGHTED_METHOD = "weighted_aalen_johansen_robust"
DIFFERENCE_METHOD = "weighted_aalen_johansen_difference_mover"
DIFFERENCE = "difference"
NO_DEATHS = "the source has no deaths: who died is taken for censored, which makes it too high"


def hazard_answer(followed: pl.DataFrame, groups: Groups, way: str, *, confidence: float) -> Answer:
    """Hazard ratio of the combination against one drug in one way, in days since time zero, limits robust to persons.

    followed: members of one outcome and kind of follow-up with weights, `start_day`, `stop_day`, `event_count` and `is_combination`.
    Death censors (a cause-specific hazard). Misleads when hazards are not proportional: it is then an average over the times at
    which events happened.
    """
    method = HAZARD_METHODS[way]
    if groups.reasons[way]:
        return not_estimable(method, groups.reasons[way])
    held = followed.filter(pl.col(way) > 0.0)
    persons, events = held["person_id"].n_unique(), int(held["event_count"].sum())
    if held["is_combination"].n_unique() < 2:
        return not_estimable(method, "a group has nobody followed", person_count=persons, event_count=events)
    fit = cox(
        held.select(
            "person_id", "start_day", "stop_day", event="event_count", weight=way,
            combination=pl.col("is_combination").cast(pl.Float64),
        ),
        covariates=["combination"], confidence=confidence, ties="efron", weight=None if way == CRUDE else "weight",
    )  # fmt: skip
    return replace(hazard_ratio(fit, "combination"), method=method, person_count=persons, event_count=events)


def incidence_answers(
    followed: pl.DataFrame, names: Mapping[int, str], *, days: Sequence[int], confidence: float, has_deaths: bool
) -> list[tuple[str, int, Answer]]:
    """Probability of the outcome by each day in either group, death competing: group, day and answer. Crude.

    followed: as `hazard_answer`, with `ending` (event, death, censored). Days beyond the follow-up are not estimable. Persons who
    serve in several sets count each time, which makes limits too narrow where they are many; weights do not act.
    """
    found = []
    for group, name in names.items():
        part = followed.filter(pl.col("is_combination") == group)
        rows = (
            part.group_by(entry_days="start_day", time_days="stop_day", cause="ending")
            .len("count")
            .sort("entry_days", "time_days", "cause")
        )
        fit = cumulative_incidence(rows, causes=("event", "death"), confidence=confidence)
        for day in days:
            answer = cumulative_incidence_at(fit, cause="event", time_days=day)
            found.append((name, day, _with_deaths(answer, has_deaths=has_deaths)))
    return found


def weighted_incidence(
    followed: pl.DataFrame,
    groups: Groups,
    names: Mapping[int, str],
    *,
    days: Sequence[int],
    confidence: float,
    has_deaths: bool,
) -> list[tuple[str, int, Answer]]:
    """Overlap-weighted probability of the outcome by each day in either group, death competing, and its difference (`difference`).

    Limits of the probabilities are robust log-log, those of the difference combine them (MOVER; Newcombe 1998, Stat Med 17:873).
    Weights are taken as known, and persons who serve in several sets count each time.
    """
    if groups.reasons[OVERLAP]:
        return [
            (name, day, not_estimable(WEIGHTED_METHOD, groups.reasons[OVERLAP]))
            for name in (*names.values(), DIFFERENCE)
            for day in days
        ]
    members = numbered(followed)
    found: dict[tuple[str, int], Answer] = {}
    for group, name in names.items():
        rows = members.filter((pl.col("is_combination") == group) & (pl.col(OVERLAP) > 0.0)).select(
            person_id="member", entry_days="start_day", time_days="stop_day", cause="ending", weight=OVERLAP
        )
        fit = weighted_curves(rows, causes=("event", "death"), confidence=confidence) if rows.height else None
        for day in days:
            found[name, day] = (
                weighted_incidence_at(fit, cause="event", time_days=day)
                if fit
                else not_estimable(WEIGHTED_METHOD, "nobody followed")
            )
    told = [(name, day, _with_deaths(answer, has_deaths=has_deaths)) for (name, day), answer in found.items()]
    one, other = names.values()
    return told + [(DIFFERENCE, day, _difference(found[one, day], found[other, day], confidence)) for day in days]


def _with_deaths(answer: Answer, *, has_deaths: bool) -> Answer:
    reasons = [answer.reason, "" if has_deaths else NO_DEATHS]
    return replace(answer, reason="; ".join(reason for reason in reasons if reason))


def _difference(exposed: Answer, comparator: Answer, confidence: float) -> Answer:
    counts: dict[str, Any] = {
        "person_count": (exposed.person_count or 0) + (comparator.person_count or 0),
        "event_count": (exposed.event_count or 0) + (comparator.event_count or 0),
    }
    numbers = [(a.value, a.lower, a.upper) for a in (exposed, comparator)]
    if any(number is None for row in numbers for number in row):
        reason = exposed.reason or comparator.reason or "a group has no limits"
        return not_estimable(DIFFERENCE_METHOD, reason, **counts)
    (one, low_one, high_one), (two, low_two, high_two) = numbers
    return Answer(
        method=DIFFERENCE_METHOD, value=one - two, lower=one - two - math.hypot(one - low_one, high_two - two),  # type: ignore[operator]
        upper=one - two + math.hypot(high_one - one, two - low_two), confidence_level=confidence, **counts,  # type: ignore[operator]
    )  # fmt: skip
