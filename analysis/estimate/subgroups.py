"""A hazard ratio in each level of a subgroup, and whether the ratios are equal.

Owns the ratios by level, when a level has too few events for one, and the Wald test of the products of covariate and level. Each level
has a baseline hazard and coefficients of its own: because a person is of one level, that is the model of all persons stratified by level
with every product, and the robust covariance between levels is 0 (tests/truth/subgroups.R).
Source: Therneau and Grambsch 2000, Modeling Survival Data, 3.2 (strata by covariate interactions).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.special import chdtrc

from analysis.estimate.confidence import tail_probability
from analysis.estimate.cox import cox, hazard_ratio
from analysis.estimate.result import Answer, EstimationError, not_estimable
from analysis.estimate.risk_sets import Ties

EQUALITY = "wald_equality_of_subgroups"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgroupHazards:
    """`ratios` by level, in the order of the levels; `equality` is the Wald chi-square that those with a ratio are equal.

    `degrees_of_freedom`: of `equality`, one less than the levels with a ratio, at least 0.
    """

    ratios: dict[str, Answer]
    equality: Answer
    degrees_of_freedom: int


def subgroup_hazard_ratios(
    frame: pl.DataFrame,
    covariate: str,
    *,
    subgroup: str,
    others: Sequence[str] = (),
    minimum_events: int,
    confidence: float,
    ties: Ties,
) -> SubgroupHazards:
    """Hazard ratio of a covariate in each level of a subgroup, with cluster-robust limits, and the test that they are equal.

    frame: as for `cox`, clustered by `person_id`, and the column `subgroup` (text, one value a person). others: further covariates,
    with coefficients of their own in each level. A level with fewer than `minimum_events` events has no ratio and says so: it is described,
    not estimated. `equality` compares the levels that have one. Misleads when read level by level: among many levels some
    differ by chance, and a ratio near 1 in one level is no sign that it differs from the others; only the test speaks to that.
    Raises EstimationError as `cox` does, for a person in two levels, and for a level that is missing.
    """
    tail_probability(confidence)
    if frame[subgroup].null_count():
        raise EstimationError(f"{subgroup} is missing for {frame[subgroup].null_count()} rows")
    if frame.select("person_id", subgroup).n_unique() > frame["person_id"].n_unique():
        raise EstimationError(f"{subgroup} is not one value for each person")
    ratios: dict[str, Answer] = {}
    for level in frame[subgroup].unique().sort():
        rows = frame.filter(pl.col(subgroup) == level)
        if (events := int(rows["event"].sum())) < minimum_events:
            ratios[level] = not_estimable(
                f"cox_{ties}_robust", f"events in the subgroup: {events}, at least {minimum_events} are needed",
                person_count=rows["person_id"].n_unique(), event_count=events,
                person_days=int((rows["stop_day"] - rows["start_day"]).sum()),
            )  # fmt: skip
        else:
            fit = cox(rows, covariates=(covariate, *others), confidence=confidence, ties=ties)
            ratios[level] = hazard_ratio(fit, covariate)
    known = [answer for answer in ratios.values() if answer.status == "ok"]
    return SubgroupHazards(ratios=ratios, equality=_equality(known), degrees_of_freedom=max(0, len(known) - 1))


def _equality(known: Sequence[Answer]) -> Answer:
    """Wald chi-square of the differences of log ratios with a diagonal covariance."""
    counts = {
        "person_count": sum(answer.person_count or 0 for answer in known),
        "event_count": sum(answer.event_count or 0 for answer in known),
        "person_days": sum(answer.person_days or 0 for answer in known),
    }
    nothing = not_estimable(EQUALITY, f"subgroups with a hazard ratio: {len(known)}, two are needed", **counts)
    if len(known) < 2:
        return nothing
    logs = np.array([math.log(answer.value or math.nan) for answer in known])
    precision = np.array([(answer.standard_error or math.nan) ** -2 for answer in known])
    centre = float(precision @ logs / precision.sum())
    statistic = float(precision @ (logs - centre) ** 2)
    p_value = float(chdtrc(logs.size - 1, statistic))
    return replace(nothing, value=statistic, p_value=p_value, status="ok", reason="")
