"""Survival from the day on which a second study drug is added: hazard ratios, and the probability of the outcome beside death.

Owns what is told of one outcome and kind of follow-up besides the odds ratio. Groups, weights and gates are those of `time_zero.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from analysis.analyses.time_zero_groups import CRUDE, MATCHED, OVERLAP, Groups
from analysis.estimate.cox import cox, hazard_ratio
from analysis.estimate.cumulative_incidence import cumulative_incidence, cumulative_incidence_at
from analysis.estimate.result import Answer, not_estimable

HAZARD_METHODS = {
    CRUDE: "cox_efron_crude_robust",
    OVERLAP: "cox_efron_overlap_robust",
    MATCHED: "cox_efron_matched_robust",
}
NO_DEATHS = "the source has no deaths: who died is taken for censored, which makes the probability too high"


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
            reasons = [answer.reason, "" if has_deaths else NO_DEATHS]
            found.append((name, day, replace(answer, reason="; ".join(r for r in reasons if r))))
    return found
