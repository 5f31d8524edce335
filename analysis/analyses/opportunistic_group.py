"""Opportunistic infections by group (other mycobacteria, Pneumocystis, Legionella, deep fungi and the others of the list).

Owns the rates of groups. Rates of single infections are in `components`; the predictive values that stand beside them in the report
are those of `reference.predictive_value`.
"""

from __future__ import annotations

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.components import NOWHERE
from analysis.estimate.incidence import METHOD as GARWOOD
from analysis.estimate.incidence import incidence_rate_per_100py
from analysis.estimate.result import Estimate, Question, not_assessable

ANALYSIS = "opportunistic_group"
POPULATION = "all_time"


def group_stratum(group: str, ladder: str = "") -> str:
    """`stratum` of a group, overall or on a ladder."""
    return f"group={group};ladder={ladder}" if ladder else f"group={group}"


def opportunistic_groups(counts: pl.DataFrame, *, confidence: float, is_assessable: bool) -> list[Estimate]:
    """First infections of each group per 100 person-years with exact limits, overall and by ladder level.

    counts: `summary.infection_group_count` of one outcome. A group is followed to the first record of any of its members, so that a person
    may have an event in several groups. Nobody is 0 with an upper limit; a group of which the source could hold no member is
    `not_assessable`, one of which it could hold some counts those. Misleads as a number of infections: of what codes call
    Pneumocystis or a mycobacterium, a half or less was one where it was looked up.
    """
    estimates = []
    for row in counts.iter_rows(named=True):
        is_overall = row["dimension"] == "overall"
        question = Question(
            analysis=ANALYSIS, estimand="incidence_rate_per_100py", exposure_rule=row["exposure_rule"],
            population=POPULATION, outcome_id=row["outcome_id"],
            stratum=group_stratum(row["group_id"], "" if is_overall else row["dimension"]),
            level="" if is_overall else row["level"],
        )  # fmt: skip
        answer = (
            incidence_rate_per_100py(
                row["event_count"], row["person_days"], person_count=row["person_count"], confidence=confidence
            )
            if is_assessable and row["assessable_count"]
            else not_assessable(GARWOOD, NOWHERE if is_assessable else NO_RECORDS)
        )
        estimates.append(Estimate(question, answer))
    return estimates


def of_outcome(counts: pl.DataFrame, outcome: str) -> pl.DataFrame:
    """The rows of one outcome."""
    return counts.filter(pl.col("outcome_id") == outcome)
