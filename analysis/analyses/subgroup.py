"""Hazard ratio of two or more study drugs against one in subgroups of persons at entry, with one interaction test a variable.

Owns which subgroups there are and how persons fall into them. The ratio of everybody is in `hazard.py`, the estimator in
`estimate/subgroups.py`.
Source: Wang 2007, N Engl J Med 357:2189 (interaction tests, and how subgroups are reported).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.hazard import METHOD, POPULATION
from analysis.estimate.incidence import incidence_rate_per_100py
from analysis.estimate.result import Estimate, Question, not_assessable
from analysis.estimate.subgroups import EQUALITY, subgroup_hazard_ratios
from analysis.study.spec import Contrast

ANALYSIS = "subgroup_hazard"
LADDER = "ladder=study_drugs"
VARIABLES = ("indication", "age_band", "sex", "steroids", "earlier_outcome", "entry_period")
NEEDS: Mapping[str, str] = {  # why a variable may say nothing of anybody
    "indication": "the source has no diagnoses",
    "steroids": "no systemic corticosteroid is among the drugs of the study",
}
LEVELS: Mapping[str, pl.Expr] = {"1": pl.col("risk_drug_count") == 1, ">=2": pl.col("risk_drug_count") >= 2}
SEVERAL = "several"


def with_subgroups(
    described: pl.DataFrame,
    entry: pl.DataFrame,
    indication: pl.DataFrame,
    *,
    age_bands: pl.DataFrame,
    calendar_starts: Sequence[int],
) -> pl.DataFrame:
    """Time at risk with the columns of `VARIABLES` (text) at cohort entry; what the source cannot tell is null for all.

    described: rows of `hazard.with_baseline`; entry: `cohort.entry`; indication: `cohort.indication`; age_bands: `spec.age_band`.
    indication: the one condition known at entry, `none`, or `several`. steroids: any day on systemic corticosteroids in the look-back.
    earlier_outcome: any outcome in it. entry_period: calendar years between the starts.
    """
    key = ["exposure_rule", "person_id"]
    band = pl.coalesce(
        pl.when((pl.col("age_years") >= low) & (pl.col("age_years") < high)).then(pl.lit(name))
        for name, low, high in age_bands.sort("from_age").select("age_band", "from_age", "below_age").iter_rows()
    )
    period = pl.coalesce(
        pl.when(pl.col("calendar_year") < before).then(pl.lit(name)) for name, before in _periods(calendar_starts)
    )
    at_entry = entry.select(*key, "sex", baseline_date="entry_date").join(
        indication.select(*key, "baseline_date", "indication"), on=[*key, "baseline_date"], how="left"
    )
    treated = pl.col("indication")
    told = at_entry.select(
        *key,
        pl.col("sex").fill_null("unknown"),
        indication=pl.when(treated.str.contains("+", literal=True)).then(pl.lit(SEVERAL)).when(treated != "unknown").then(treated),
    )  # fmt: skip
    return described.with_columns(
        age_band=band,
        entry_period=period,
        steroids=_yes_no("steroid_days"),
        earlier_outcome=_yes_no("has_prior_event"),
    ).join(told, on=key, how="left")


def _yes_no(column: str) -> pl.Expr:
    return pl.when(pl.col(column) > 0).then(pl.lit("yes")).when(pl.col(column).is_not_null()).then(pl.lit("no"))


def _periods(starts: Sequence[int]) -> list[tuple[str, int]]:
    """Names of the periods between the starts and the year before which each ends."""
    if not starts:
        return [("all years", 10_000)]
    between = [
        (f"{start}" if after == start + 1 else f"{start} to {after - 1}", after) for start, after in pairwise(starts)
    ]
    return [(f"before {starts[0]}", starts[0]), *between, (f"{starts[-1]} on", 10_000)]


def subgroup_stratum(variable: str, level: str) -> str:
    """`stratum` of a subgroup; of the test of a variable with `by` as name."""
    return ";".join(sorted([LADDER, f"{variable}={level}"]))


def subgroup_hazards(
    person_time: pl.DataFrame,
    contrast: Contrast,
    *,
    rule: str,
    minimum_events: int,
    confidence: float,
    is_assessable: bool,
) -> list[Estimate]:
    """Hazard ratio of >= 2 against 1 study drug in each subgroup, rates at both, and whether the ratios are equal.

    person_time: `cohort.person_time` of population from_first with the columns of `with_subgroups`. A subgroup with fewer than
    `minimum_events` events has rates only: description. `test`: Wald chi-square of the products, one a variable, not corrected for
    how many there are: of six variables one falls below 0.05 by chance in every fourth study. A variable that the source
    cannot tell is not assessable. Misleads when read level by level, when a subgroup was picked for its result, and as
    the hazard ratio itself does.
    """
    held = person_time.filter(
        (pl.col("exposure_rule") == rule)
        & (pl.col("outcome_id") == contrast.outcome)
        & (pl.col("population") == POPULATION)
    ).with_columns(
        event="event_count",
        two_or_more=LEVELS[">=2"].cast(pl.Float64),
        no_study_drug=(pl.col("risk_drug_count") == 0).cast(pl.Float64),
    )
    question = Question(
        analysis=ANALYSIS, estimand="hazard_ratio", exposure_rule=rule, population=POPULATION, comparator_id="1",
        outcome_id=contrast.outcome, level=">=2",
    )  # fmt: skip
    found: list[Estimate] = []
    for variable in VARIABLES:
        tested = replace(question, estimand="test", stratum=subgroup_stratum("by", variable))
        unknown = held[variable].null_count()
        if not is_assessable or (held.height and unknown == held.height):
            reason = NEEDS.get(variable, f"{variable} is not known") if is_assessable else NO_RECORDS
            found.append(Estimate(tested, not_assessable(EQUALITY, reason)))
            continue
        answers = subgroup_hazard_ratios(
            held, "two_or_more", subgroup=variable, others=["no_study_drug"], minimum_events=minimum_events,
            confidence=confidence, ties="efron",
        )  # fmt: skip
        found.append(Estimate(tested, answers.equality))
        for level, answer in answers.ratios.items():
            stratum = subgroup_stratum(variable, level)
            found.append(Estimate(replace(question, stratum=stratum), replace(answer, method=METHOD)))
            found += _rates(held.filter(pl.col(variable) == level), replace(question, stratum=stratum), confidence)
    return found


def _rates(rows: pl.DataFrame, question: Question, confidence: float) -> list[Estimate]:
    """First events per 100 person-years on one and on two or more study drugs."""
    found = []
    for level, is_there in LEVELS.items():
        own = rows.filter(is_there)
        answer = incidence_rate_per_100py(
            int(own["event"].sum()), int((own["stop_day"] - own["start_day"]).sum()),
            person_count=own["person_id"].n_unique(), confidence=confidence,
        )  # fmt: skip
        asked = replace(question, estimand="incidence_rate_per_100py", comparator_id="", level=level)
        found.append(Estimate(asked, answer))
    return found
