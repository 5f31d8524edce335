"""Infections that recur after a second study drug is added: mean number, and hazard ratios of any and of the next one.

Owns what is told of one outcome and kind of follow-up when later events count too. Groups and weights are those of
`time_zero_groups.py`; which records are one event is `estimate/recurrent_rows.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from analysis.analyses.time_zero_groups import CRUDE, OVERLAP, Groups, numbered
from analysis.analyses.time_zero_survival import NO_DEATHS
from analysis.estimate.cox import hazard_ratio
from analysis.estimate.mean_cumulative_count import mean_count_at, mean_cumulative_count
from analysis.estimate.recurrent import andersen_gill, prentice_williams_peterson
from analysis.estimate.recurrent_rows import recurrent_rows
from analysis.estimate.result import Answer, not_estimable

AG_METHODS = {CRUDE: "andersen_gill_crude_robust", OVERLAP: "andersen_gill_overlap_robust"}
PWP_METHOD = "pwp_gap_overlap_robust"
STRATA_CAP = 3  # third and later events share a baseline: few have more
SHARED = "persons who serve in several sets count each time in these limits"


def recurrent_rows_of(followed: pl.DataFrame, records: pl.DataFrame, *, gap_days: int) -> pl.DataFrame:
    """Stretches at risk of the first, second, ... event of every member, clustered by person.

    followed: members of one outcome and kind of follow-up, with weights, `start_day` and `follow_up_stop_day`. records:
    `cohort.comparison_record` of the outcome and rule. Columns as `recurrent_rows`, with `member` and `person_id`.
    """
    members = numbered(followed)
    named = records.join(members.select("set_number", "member_number", "member"), on=["set_number", "member_number"])
    rows = recurrent_rows(
        members.rename({"person_id": "person"}).select(
            "person",
            "is_combination",
            CRUDE,
            OVERLAP,
            "start_day",
            "is_death",
            person_id="member",
            stop_day="follow_up_stop_day",
        ),
        named.select(person_id="member", day="record_day"),
        gap_days=gap_days,
    )
    return rows.rename({"person_id": "member", "person": "person_id"})


def mean_counts(
    followed: pl.DataFrame,
    rows: pl.DataFrame,
    names: Mapping[int, str],
    *,
    days: Sequence[int],
    confidence: float,
    has_deaths: bool,
) -> list[tuple[str, int, Answer]]:
    """Mean number of events by each day in either group, death competing: group, day and answer. Crude.

    followed, rows: as `recurrent_rows_of`. Misleads as `mean_cumulative_count`, and as a comparison: weights do not act.
    """
    found = []
    for group, name in names.items():
        members = numbered(followed).filter(pl.col("is_combination") == group)
        if members.is_empty():
            found += [(name, day, not_estimable("ghosh_lin_log", "nobody followed")) for day in days]
            continue
        held = members.select(
            "start_day", person_id="member", stop_day="follow_up_stop_day", is_death=pl.col("is_death").cast(pl.Int64)
        )
        events = rows.filter((pl.col("event") == 1) & (pl.col("is_combination") == group))
        mean = mean_cumulative_count(held, events.select(person_id="member", day="stop_day"), confidence=confidence)
        for day in days:
            answer = mean_count_at(mean, time_days=day)
            reasons = [answer.reason, SHARED if answer.value is not None else "", "" if has_deaths else NO_DEATHS]
            found.append((name, day, replace(answer, reason="; ".join(r for r in reasons if r))))
    return found


def recurrent_ratios(rows: pl.DataFrame, groups: Groups, *, confidence: float) -> list[tuple[str, Answer]]:
    """Hazard ratios of the combination against one drug, by way.

    Of any event (Andersen-Gill, crude and with overlap weights), and of the next event since the one before
    (Prentice-Williams-Peterson, gap time, overlap weights).
    rows: as `recurrent_rows_of`. Limits are robust to several events and sets of a person.
    """
    found: list[tuple[str, Answer]] = []
    framed = rows.with_columns(combination=pl.col("is_combination").cast(pl.Float64))
    settings: dict[str, Any] = {"covariates": ["combination"], "confidence": confidence, "ties": "efron"}
    for way, method in AG_METHODS.items():
        held = framed if groups.reasons[way] else framed.filter(pl.col(way) > 0.0)
        counts: dict[str, Any] = {"person_count": held["person_id"].n_unique(), "event_count": int(held["event"].sum())}
        if groups.reasons[way] or held["combination"].n_unique() < 2:
            reason = groups.reasons[way] or "a group has nobody at risk"
            found.append((way, not_estimable(method, reason, **counts)))
            if way == OVERLAP:
                found.append((way, not_estimable(PWP_METHOD, reason, **counts)))
            continue
        weight = None if way == CRUDE else way
        fit = andersen_gill(held, weight=weight, **settings)
        found.append((way, replace(hazard_ratio(fit, "combination"), method=method, **counts)))
        if way == OVERLAP:
            gap = prentice_williams_peterson(held, clock="gap", strata_cap=STRATA_CAP, weight=weight, **settings)
            found.append((way, replace(hazard_ratio(gap, "combination"), method=PWP_METHOD, **counts)))
    return found
