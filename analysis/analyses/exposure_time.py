"""Persons and person-time by regimen: how much was seen, before any question is asked of it."""

from __future__ import annotations

import polars as pl

from analysis.estimate.result import Answer, Estimate, Question

ANALYSIS = "exposure_time"


def exposure_time(times: pl.DataFrame) -> list[Estimate]:
    """Counts of persons and days for each rule, population and regimen.

    times: `summary.exposure_time`. Person-days of one population and rule add up over regimens; persons do not, for a
    person may be on several regimens in turn.
    """
    estimates = []
    for row in times.iter_rows(named=True):
        asked = {
            "analysis": ANALYSIS, "exposure_rule": row["exposure_rule"], "population": row["population"],
            "regimen_id": row["regimen_id"],
        }  # fmt: skip
        counts = {"person_count": row["person_count"], "person_days": row["person_days"]}
        estimates.append(
            Estimate(Question(estimand="count", **asked), Answer(method="count", value=row["person_count"], **counts))
        )
        estimates.append(
            Estimate(
                Question(estimand="person_days", **asked), Answer(method="sum", value=row["person_days"], **counts)
            )
        )
    return estimates
