"""Combinations that labels or rules warn of: persons, episodes and time under each, and the rates of outcomes in them.

Owns which questions are asked of `care.warned_count`. What is warned of is in `reference.combination_warning`.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from analysis.estimate.incidence import incidence_rate_per_100py
from analysis.estimate.result import Answer, Estimate, Question, not_assessable

ANALYSIS = "warned_combination"
POPULATION = "warned"
EXPOSURE = "none"  # the outcome that stands for the exposure itself
PERSONS, EPISODES, SHORT = "persons", "episodes", "episodes shorter than the least overlap"


def warned_combination_estimates(
    warnings: pl.DataFrame, counts: pl.DataFrame, *, assessable: Collection[str], rule: str, confidence: float
) -> list[Estimate]:
    """Counts, person-days and rates per 100 person-years under each warning (`stratum`), over all its pairs and by pair (`regimen_id`).

    warnings: `reference.combination_warning`; counts: `care.warned_count`; assessable: outcomes that the source could hold. A warning
    under which nobody was has a count of 0 and no rate. Events may be several of a person, and Poisson limits take each for itself.
    Misleads as
    an effect: nobody is compared.
    """
    found: list[Estimate] = []
    for warning in sorted(warnings["warning_id"]):
        rows = counts.filter(pl.col("warning_id") == warning).sort("pair_id", "outcome_id")
        asked = {
            "analysis": ANALYSIS, "exposure_rule": rule, "population": POPULATION, "stratum": f"warning={warning}",
        }  # fmt: skip
        if rows.is_empty():
            found.append(Estimate(Question(estimand="count", level=PERSONS, regimen_id="all", **asked), _count(0, 0)))  # type: ignore[arg-type]
            continue
        for row in rows.iter_rows(named=True):
            here = asked | {"regimen_id": row["pair_id"]}
            found += (
                _exposure(row, here) if row["outcome_id"] == EXPOSURE else [_rate(row, here, assessable, confidence)]
            )
    return found


def _count(number: int, persons: int) -> Answer:
    return Answer(method="count", value=float(number), person_count=persons)


def _exposure(row: dict[str, int], asked: dict[str, str]) -> list[Estimate]:
    persons, days = row["person_count"], row["person_days"]
    numbers = {PERSONS: persons, EPISODES: row["episode_count"], SHORT: row["switch_overlap_count"]}
    found = [
        Estimate(
            Question(estimand="count", level=level, **asked),  # type: ignore[arg-type]
            Answer(method="count", value=float(number), person_count=persons, event_count=number),
        )
        for level, number in numbers.items()
    ]
    time = Answer(method="sum", value=float(days), person_count=persons, person_days=days)
    return [*found, Estimate(Question(estimand="person_days", **asked), time)]  # type: ignore[arg-type]


def _rate(row: dict[str, int], asked: dict[str, str], assessable: Collection[str], confidence: float) -> Estimate:
    outcome = str(row["outcome_id"])
    question = Question(estimand="incidence_rate_per_100py", outcome_id=outcome, **asked)  # type: ignore[arg-type]
    if outcome not in assessable:
        return Estimate(question, not_assessable("garwood", "the source holds no table with this outcome"))
    return Estimate(
        question,
        incidence_rate_per_100py(
            row["event_count"], row["person_days"], person_count=row["person_count"], confidence=confidence
        ),
    )
