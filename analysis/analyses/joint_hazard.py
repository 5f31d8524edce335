"""Two study drugs together, each alone and neither: hazard ratios with exposure split in time, and whether the two add or multiply.

The same question as `joint.py` asks of matched sets, asked of every day of new users. Source of the measures: `estimate/interaction.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.hazard import METHOD, POPULATION
from analysis.analyses.joint import MEASURES, NEITHER, pairs_of
from analysis.estimate.cox import cox, hazard_ratio
from analysis.estimate.interaction import JointRatios, interaction
from analysis.estimate.result import Estimate, Question, not_assessable

ANALYSIS = "joint_hazard"


def joint_hazards(
    person_time: pl.DataFrame,
    outcomes: Sequence[str],
    *,
    rule: str,
    minimum_persons: int,
    confidence: float,
    is_assessable: bool,
) -> list[Estimate]:
    """Hazard ratios of one drug, the other and both against neither, and their interaction, for each pair of study drugs.

    person_time: `cohort.person_time` of population from_first. A pair counts when at least `minimum_persons` persons have time on both
    (covered or in tail). Cox regression on days since the first study drug, Efron's ties, clustered by person; interaction from its
    coefficients (ratio of ratios: delta; the others: MOVER). Persons on other study drugs are among those on neither. Misleads as the
    drugs' own doing: who gets both differs from who gets one, and nothing is held equal but time since the first drug.
    """
    members = person_time.filter((pl.col("exposure_rule") == rule) & (pl.col("population") == POPULATION)).with_columns(
        drugs=pl.col("risk_regimen_id").str.split("+")
    )
    found: list[Estimate] = []
    for outcome in outcomes:
        held = members.filter(pl.col("outcome_id") == outcome)
        question = Question(
            analysis=ANALYSIS, estimand="hazard_ratio", exposure_rule=rule, population=POPULATION,
            comparator_id=NEITHER, outcome_id=outcome,
        )  # fmt: skip
        if not is_assessable:
            found.append(Estimate(question, not_assessable(METHOD, NO_RECORDS)))
            continue
        for pair in pairs_of(held, minimum_persons):
            found += _of_pair(held, pair, replace(question, regimen_id="+".join(pair)), confidence)
    return found


def _of_pair(members: pl.DataFrame, pair: tuple[str, str], question: Question, confidence: float) -> list[Estimate]:
    a, b = (pl.col("drugs").list.contains(drug) for drug in pair)
    groups = {pair[0]: a & ~b, pair[1]: b & ~a, "+".join(pair): a & b}
    frame = members.select(
        "person_id", "start_day", "stop_day", event="event_count",
        **{name: group.cast(pl.Float64) for name, group in groups.items()},
    )  # fmt: skip
    fit = cox(frame, covariates=list(groups), confidence=confidence, ties="efron")
    found = []
    for name in groups:
        compared = frame.filter((pl.col(name) == 1) | (pl.sum_horizontal(list(groups)) == 0))
        answer = replace(
            hazard_ratio(fit, name), method=METHOD, person_count=compared["person_id"].n_unique(),
            event_count=int(compared["event"].sum()), person_days=int((compared["stop_day"] - compared["start_day"]).sum()),
        )  # fmt: skip
        found.append(Estimate(replace(question, level=name), answer))
    logs = [each for each in fit.coefficients if each is not None]
    if len(logs) == len(groups):
        joint = JointRatios(log_ratios=(logs[0], logs[1], logs[2]), covariance=fit.covariance_of(list(groups)))
    else:
        joint = JointRatios(undefined=next(reason for reason in fit.reasons if reason))
    persons, events = frame["person_id"].n_unique(), int(frame["event"].sum())
    for measure, method in MEASURES:
        answer = interaction(joint, measure=measure, method=method, confidence=confidence)
        found.append(
            Estimate(replace(question, estimand=measure), replace(answer, person_count=persons, event_count=events))
        )
    return found
