"""Incidence of each outcome by regimen, number of study drugs and ladder level."""

from __future__ import annotations

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.estimate.incidence import incidence_rate_per_100py
from analysis.estimate.result import Estimate, Question, not_assessable

ANALYSIS = "incidence"


def incidence(counts: pl.DataFrame, *, confidence: float, is_assessable: bool) -> list[Estimate]:
    """First outcomes per 100 person-years with exact limits, for every row of `summary.event_count`.

    A level of a ladder is told by `stratum` (`ladder=toruner`) and `level`; a regimen by `regimen_id` (covered or in
    tail). Where the source has no table that could hold an outcome the answer is `not_assessable`, never zero.
    """
    estimates = []
    for row in counts.iter_rows(named=True):
        dimension, level = row["dimension"], row["level"]
        question = Question(
            analysis=ANALYSIS, estimand="incidence_rate_per_100py", exposure_rule=row["exposure_rule"],
            population=row["population"], outcome_id=row["outcome_id"],
            regimen_id=level if dimension == "regimen" else "",
            stratum=f"ladder={dimension}" if dimension not in ("regimen", "overall") else "",
            level=level if dimension not in ("regimen", "overall") else "",
        )  # fmt: skip
        answer = (
            incidence_rate_per_100py(
                row["event_count"], row["person_days"], person_count=row["person_count"], confidence=confidence
            )
            if is_assessable
            else not_assessable("exact_poisson", NO_RECORDS)
        )
        estimates.append(Estimate(question, answer))
    return estimates
