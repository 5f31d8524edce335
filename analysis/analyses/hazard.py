"""Hazard ratio of an outcome with two or more study drugs against exactly one, exposure split in time."""

from __future__ import annotations

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.estimate.cox import cox, hazard_ratio
from analysis.estimate.result import Estimate, Question, not_assessable
from analysis.study.spec import Contrast

ANALYSIS = "time_varying_hazard"
POPULATION = "from_first"
METHOD = "cox_efron_clustered"


def time_varying_hazard(
    person_time: pl.DataFrame, contrast: Contrast, *, confidence: float, is_assessable: bool
) -> list[Estimate]:
    """Hazard ratio of >= 2 against 1 study drug (covered or in tail), in days since the first study drug.

    person_time: `cohort.person_time` of population from_first. Exposure is the lagged state of each day, so that time
    before the second drug belongs to one drug. Days on no study drug have a coefficient of their own. Standard errors
    are clustered by person. Misleads when the second drug is added because of the outcome's early signs.
    """
    chosen = person_time.filter((pl.col("outcome_id") == contrast.outcome) & (pl.col("population") == POPULATION))
    estimates = []
    for (rule,), group in chosen.group_by("exposure_rule", maintain_order=True):
        question = Question(
            analysis=ANALYSIS, estimand="hazard_ratio", exposure_rule=str(rule), population=POPULATION,
            comparator_id="1", outcome_id=contrast.outcome, stratum="ladder=study_drugs", level=">=2",
        )  # fmt: skip
        if not is_assessable:
            estimates.append(Estimate(question, not_assessable(METHOD, NO_RECORDS)))
            continue
        rows = group.select(
            "person_id", "start_day", "stop_day",
            pl.col("event_count").alias("event"),
            (pl.col("risk_drug_count") == 0).cast(pl.Float64).alias("no_study_drug"),
            (pl.col("risk_drug_count") >= 2).cast(pl.Float64).alias("two_or_more"),
        )  # fmt: skip
        fit = cox(rows, covariates=("two_or_more", "no_study_drug"), confidence=confidence, ties="efron")
        estimates.append(Estimate(question, hazard_ratio(fit, "two_or_more")))
    return estimates
