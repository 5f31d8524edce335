"""Induction as rows: how many days each dose before maintenance covers.

Owns how the reference and the study file write a series (days of the doses, the first day 0) and what a series needs to
be used: an interval for the doses after it and a look-back that tells where a course begins. Reads no records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import polars as pl

from analysis.study.read import StudyError

INDUCTION_SCHEMA = {"drug_id": pl.String, "dose_number": pl.Int64, "cover_days": pl.Int64}


def planned_days(text: str | None) -> tuple[int, ...]:
    """Days of the doses as the reference writes them, `0|14|42`; none where it names none."""
    return tuple(int(day) for day in text.split("|")) if text else ()


def check_induction(
    drug_id: str, days: Sequence[int], *, interval_days: int | None, look_back_days: int | None
) -> None:
    """Raises StudyError where a series cannot be used."""
    if len(days) > 1 and interval_days is None:
        raise StudyError(f"drug {drug_id!r} has induction_days but no interval_days: give both in its [[drug]]")
    if len(days) > 1 and not look_back_days:
        raise StudyError(f"drug {drug_id!r} has induction_days but no washout_days: give both in its [[drug]]")


def planned_covers(days: Sequence[int], *, interval_days: int | None) -> tuple[int, ...]:
    """Days that each dose of a series but its last covers; none where all are the interval, which says the same."""
    covers = tuple(following - day for day, following in pairwise(days))
    return () if all(cover == interval_days for cover in covers) else covers


def induction_rows(covers: Mapping[str, Sequence[int]]) -> pl.DataFrame:
    """Rows of `spec.induction`: the doses before the first that covers the interval."""
    return pl.DataFrame(
        [
            (drug, number, cover)
            for drug, series in sorted(covers.items())
            for number, cover in enumerate(series, start=1)
        ],
        schema=INDUCTION_SCHEMA,
        orient="row",
    )
