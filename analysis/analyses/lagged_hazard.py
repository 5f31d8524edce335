"""Hazard ratio of two or more study drugs against one with exposure read further back, or not back at all.

Owns the lags beside the outcome's own, whose ratio is in `hazard.py`. A drug begun for the outcome's first signs raises the ratio without a
lag and lowers it with a longer one; a harm that needs time does the opposite.
Source: Horwitz and Feinstein 1980, Am J Med 68:255 (protopathic bias).
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.hazard import ANALYSIS, METHOD, NONE, POPULATION, TWO, exposed
from analysis.estimate.cox import cox, hazard_ratio
from analysis.estimate.result import Estimate, Question, not_assessable
from analysis.study.spec import Contrast


def lag_stratum(lag_days: int) -> str:
    """`stratum` of a lag that is not the outcome's own."""
    return f"ladder=study_drugs;lag_days={lag_days}"


def lagged_hazards(
    lag_time: pl.DataFrame, contrast: Contrast, *, rule: str, confidence: float, is_assessable: bool
) -> list[Estimate]:
    """Hazard ratio of >= 2 against 1 study drug for each lag of the grid.

    lag_time: `cohort.lag_time`: the persons, days and events of the ratio with the outcome's own lag, so that the ratios differ by the lag
    alone. Crude, Efron's ties, clustered by person. Misleads as a choice of lag: the ratios are not independent, and the one that
    pleases must not be picked.
    """
    question = Question(
        analysis=ANALYSIS, estimand="hazard_ratio", exposure_rule=rule, population=POPULATION, comparator_id="1",
        outcome_id=contrast.outcome, level=">=2",
    )  # fmt: skip
    held = lag_time.filter((pl.col("exposure_rule") == rule) & (pl.col("outcome_id") == contrast.outcome))
    found = []
    for lag in held["lag_days"].unique().sort():
        rows = exposed(held.filter(pl.col("lag_days") == lag))
        if is_assessable:
            answer = hazard_ratio(cox(rows, covariates=(TWO, NONE), confidence=confidence, ties="efron"), TWO)
            answer = replace(answer, method=METHOD)
        else:
            answer = not_assessable(METHOD, NO_RECORDS)
        found.append(Estimate(replace(question, stratum=lag_stratum(lag)), answer))
    return found
