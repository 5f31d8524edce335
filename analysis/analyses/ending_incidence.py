"""How pairs end, as competing risks: the probability by a day of each reason, of each component that stopped, and of death.

Owns which endings are told apart. How often they end per time, and their share among all, is in `discontinuation.py`; how long
pairs last whatever ends them in `persistence.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from analysis.analyses.discontinuation import COMPONENTS, NO_REASONS, REASONS, ReasonRecords
from analysis.estimate.cumulative_incidence import METHOD, cumulative_incidence, cumulative_incidence_at
from analysis.estimate.result import CURVE_SCHEMA, Estimate, Question, not_assessable

ANALYSIS = "ending_incidence"
CENSORED = "censored"
DIMENSIONS = {"reason": REASONS, "component": COMPONENTS}
_GROUP = ("exposure_rule", "population", "regimen_id", "dimension")


def ending_incidence(
    counts: pl.DataFrame, *, confidence: float, days: Sequence[int], reason_records: ReasonRecords
) -> tuple[list[Estimate], pl.DataFrame]:
    """Cumulative incidence of each ending at `days`, for every rule, population and regimen, and the curves over all pairs.

    counts: `summary.ending_day`. Each ending competes with the others: the probabilities of a day add up with persistence to 1.
    A reason for which the source has no kind of record is not assessable, never zero. For the population that reached the
    minimum overlap persons enter the risk set on that day, so that its probabilities are among those who reached it.
    Misleads when reasons are recorded for some stops only (the rest are `unknown`), and when who is lost to follow-up was about to
    stop.
    """
    estimates: list[Estimate] = []
    curves = []
    for (rule, population, regimen, dimension), group in counts.group_by(_GROUP, maintain_order=True):
        seen = set(group["cause"]) - {CENSORED}
        causes = sorted({*DIMENSIONS[str(dimension)], "death", *seen})
        rows = group.select("entry_days", "time_days", "cause", count="person_count")
        fit = cumulative_incidence(rows, causes=causes, confidence=confidence)
        for cause in causes:
            asked = {
                "analysis": ANALYSIS, "exposure_rule": str(rule), "population": str(population),
                "regimen_id": str(regimen), "stratum": f"by={dimension}", "level": cause,
            }  # fmt: skip
            is_told = dimension != "reason" or cause == "death" or reason_records.can_tell(cause)
            estimates += [
                Estimate(
                    Question(estimand="cumulative_incidence", time_days=day, **asked),
                    cumulative_incidence_at(fit, cause=cause, time_days=day)
                    if is_told
                    else not_assessable(METHOD, NO_REASONS),
                )
                for day in days
            ]
            if is_told and regimen == "all" and cause in seen:
                texts = asked | {"comparator_id": "", "outcome_id": ""}
                curve = fit.curve.filter(pl.col("cause") == cause).join(
                    fit.survival.select("time_days", "censored_count"), on="time_days", how="left"
                )
                curves.append(curve.with_columns(pl.lit(text).alias(name) for name, text in texts.items()))
    columns = [pl.col(name).cast(kind) for name, kind in CURVE_SCHEMA.items()]
    curve = pl.concat(curves).select(columns) if curves else pl.DataFrame(schema=CURVE_SCHEMA)
    return estimates, curve
