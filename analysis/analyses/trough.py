"""Trough levels of infliximab: by antibodies and by an immunomodulator beside it.

Owns the questions asked of `care.trough`; which levels are troughs is said there.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from analysis.analyses.immunogenicity import ANALYSIS
from analysis.estimate.mean import METHOD, mean
from analysis.estimate.result import Answer, Estimate, Question, not_assessable

POPULATION = "infliximab_troughs"
BELOW_LIMIT = "below the limit of the assay"
NO_LEVELS = "the source holds no level of infliximab before a dose after induction"
GROUPS = ("has_antibody", "has_immunomodulator")
WORDS = {True: "with", False: "without"}


def trough_estimates(troughs: pl.DataFrame, *, rule: str, confidence: float) -> list[Estimate]:
    """Mean trough in ug/mL over persons, each with the mean of their own troughs; all, and by antibodies and immunomodulator.

    troughs: `care.trough`. `stratum`: `antibody=with` and so on; who was not tested to the day is in no group of antibodies.
    `person_count` counts persons, `event_count` levels. A level told as below a limit counts as that limit, so that means are too high
    where there are many: their number is beside them. Misleads as a comparison: levels are drawn where response is lost, antibodies make
    them low, and an immunomodulator is given to some and not to others. Without any trough not assessable.
    """
    asked = {"analysis": ANALYSIS, "exposure_rule": rule, "population": POPULATION, "regimen_id": "infliximab"}
    if troughs.is_empty():
        return [Estimate(Question(estimand="mean", **asked), not_assessable(METHOD, NO_LEVELS))]  # type: ignore[arg-type]
    parts = [("", troughs)]
    for group in GROUPS:
        name = group.removeprefix("has_")
        parts += [(f"{name}={word}", troughs.filter(pl.col(group) == held)) for held, word in WORDS.items()]
    found = []
    for stratum, rows in parts:
        own = (
            rows.sort("person_id", "level_ug_per_ml")
            .group_by("person_id", maintain_order=True)
            .agg(pl.col("level_ug_per_ml").mean())
            .sort("person_id")["level_ug_per_ml"]
        )
        answer = replace(mean(own, confidence=confidence), event_count=rows.height)
        found.append(Estimate(Question(estimand="mean", stratum=stratum, **asked), answer))  # type: ignore[arg-type]
    below = int(troughs["is_below_limit"].sum())
    count = Answer(method="count", value=float(below), event_count=below)
    found.append(Estimate(Question(estimand="count", level=BELOW_LIMIT, **asked), count))  # type: ignore[arg-type]
    return found
