"""Components of composite outcomes: how often each occurs by ladder level, and odds ratios of those that occurred.

Owns the questions about single components (pneumonia, tuberculosis, ...). The composites themselves are in `incidence` and `matched`.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.ladder import Comparison
from analysis.analyses.matched import RUNGS, SCALES
from analysis.analyses.matched_exact import level_ratios
from analysis.estimate.incidence import METHOD as GARWOOD
from analysis.estimate.incidence import incidence_rate_per_100py
from analysis.estimate.result import Estimate, Question, not_assessable
from analysis.matching.control_sample import DESIGNS

INCIDENCE = "component_incidence"
ODDS_RATIO = "component_odds_ratio"
POPULATION = "all_time"
NOWHERE = "no table of the source, and no vocabulary of its diagnoses, could hold this component"


def component_stratum(component: str, ladder: str = "") -> str:
    """`stratum` of a component, overall or on a ladder."""
    return f"component={component};ladder={ladder}" if ladder else f"component={component}"


def component_incidence(counts: pl.DataFrame, *, confidence: float, is_assessable: bool) -> list[Estimate]:
    """First events of each component per 100 person-years with exact limits, overall and by ladder level.

    counts: `summary.component_count`. `outcome_id` is the composite, `stratum` names the component and the ladder. A component
    is followed to its own first record, so that its events are not a part of the first events of the composite: a person may have
    several. Nobody with it is 0 with an upper limit; what the source could not hold is `not_assessable`. Misleads as a
    comparison of levels where age and illness go with level, and among many components, some of which differ by chance.
    """
    estimates = []
    for row in counts.iter_rows(named=True):
        is_overall = row["dimension"] == "overall"
        question = Question(
            analysis=INCIDENCE, estimand="incidence_rate_per_100py", exposure_rule=row["exposure_rule"],
            population=POPULATION, outcome_id=row["outcome_id"],
            stratum=component_stratum(row["component_id"], "" if is_overall else row["dimension"]),
            level="" if is_overall else row["level"],
        )  # fmt: skip
        if is_assessable and row["is_assessable"]:
            answer = incidence_rate_per_100py(
                row["event_count"], row["person_days"], person_count=row["person_count"], confidence=confidence
            )
        else:
            answer = not_assessable(GARWOOD, NOWHERE if is_assessable else NO_RECORDS)
        estimates.append(Estimate(question, answer))
    return estimates


def component_odds_ratios(
    sets: pl.DataFrame,
    components: pl.DataFrame,
    asked: Comparison,
    *,
    rule: str,
    confidence: float,
    small_cell: int,
) -> list[Estimate]:
    """Each ladder level against the comparator level for every component that a case of the matched sets has.

    sets: `cohort.matched_set`. components: `cohort.set_component`. The sets of a component are those whose case has it on its
    index date, so that a case is a first event of the composite and its controls are at risk of the composite. Conditional
    logistic regression with profile limits; where a level has fewer than `small_cell` cases or controls also the exact odds ratio of
    the two levels, from the members of each set at either.
    Misleads as the risk of a component in those who had another one before, who are no longer in the sets; and among many components.
    """
    contrast = asked.contrast
    design = DESIGNS[contrast.estimator]
    key = ["exposure_rule", "outcome_id", "design", "set_number"]
    held = sets.filter(
        (pl.col("exposure_rule") == rule) & (pl.col("outcome_id") == contrast.outcome) & (pl.col("design") == design)
    ).with_columns(
        level=pl.col(RUNGS[contrast.ladder]).clip(upper_bound=2).replace_strict(SCALES[0], return_dtype=pl.String)
    )
    estimates = []
    for component in components.join(held.select(key).unique(), on=key)["component_id"].unique().sort():
        chosen = components.filter(pl.col("component_id") == component).select(key)
        members = held.join(chosen, on=key, how="semi").sort("set_number", "control_number")
        question = Question(
            analysis=ODDS_RATIO, estimand="odds_ratio", exposure_rule=rule, population=design,
            comparator_id=contrast.comparator_level, outcome_id=contrast.outcome,
            stratum=component_stratum(str(component), contrast.ladder),
        )  # fmt: skip
        for level, answer in level_ratios(members, asked, confidence, small_cell):
            estimates.append(Estimate(replace(question, level=level), answer))
    return estimates
