"""Odds ratios of each drug class in matched sets: the class against no such class, alone and with the other classes held equal.

A person is on a class on the index date when a drug of it is covered or in its risk tail, lagged as the outcome asks. Classes of study
and of background drugs are one list: a ladder that counts them says how many, this says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.matched_exact import exact_pair
from analysis.estimate.adjusted import adjusted_odds_ratio
from analysis.estimate.conditional_logistic import conditional_logistic
from analysis.estimate.result import Answer, Estimate, Question, not_assessable, not_estimable

ANALYSIS = "class_odds_ratio"
DESIGN = "incidence_density"
NOT_ON_IT = "no such class"
STRATUM = "by=class"
ALONE = "conditional_logistic_profile"
MUTUAL = "conditional_logistic_mutual_profile"


def class_odds_ratios(
    sets: pl.DataFrame,
    outcomes: Sequence[str],
    *,
    rule: str,
    confidence: float,
    small_cell: int,
    is_assessable: bool,
) -> list[Estimate]:
    """Each class against no such class, for every class that a member of the sets is on.

    sets: `cohort.set_class`. `level` is the class. `ALONE`: the class by itself, against everybody not on it, whatever else they take.
    `MUTUAL`: one model of all classes with at least `small_cell` cases and controls on and off it; the other classes, the rarer
    aside, are held equal. A rarer class has the exact odds ratio by itself and no adjusted one, and says so. Misleads as the
    class's own doing: who gets which class hangs on disease and severity, of which nothing but the matching is held equal;
    and as a ranking, for the limits of classes overlap and none is adjusted for their number.
    """
    found: list[Estimate] = []
    for outcome in outcomes:
        members = sets.filter(
            (pl.col("exposure_rule") == rule) & (pl.col("outcome_id") == outcome) & (pl.col("design") == DESIGN)
        ).sort("set_number", "control_number")
        question = Question(
            analysis=ANALYSIS, estimand="odds_ratio", exposure_rule=rule, population=DESIGN, comparator_id=NOT_ON_IT,
            outcome_id=outcome, stratum=STRATUM,
        )  # fmt: skip
        if not is_assessable:
            found.append(Estimate(question, not_assessable(ALONE, NO_RECORDS)))
            continue
        for name, answers in _answers(members, confidence, small_cell).items():
            found += [Estimate(replace(question, level=name), answer) for answer in answers]
    return found


def _answers(members: pl.DataFrame, confidence: float, small_cell: int) -> dict[str, list[Answer]]:
    listed = members.with_columns(classes=pl.col("risk_class_regimen_id").str.split("+"))
    names = sorted(set(listed["classes"].explode()) - {"none", None})
    frame = listed.select(
        "set_number", "person_id", "is_case",
        **{name: pl.col("classes").list.contains(name) for name in names},
    )  # fmt: skip
    common = [name for name in names if _smallest_cell(frame, name) >= small_cell]
    regression = frame.select(
        set_id="set_number",
        event=pl.col("is_case").cast(pl.Float64),
        **{name: pl.col(name).cast(pl.Float64) for name in common},
    )
    mutual = conditional_logistic(regression, covariates=common, confidence=confidence) if common else None
    found: dict[str, list[Answer]] = {}
    for name in names:
        if name in common and mutual is not None:
            alone = conditional_logistic(regression, covariates=[name], confidence=confidence)
            adjusted = adjusted_odds_ratio(mutual, name, limits="profile")
            answers = [adjusted_odds_ratio(alone, name, limits="profile"), replace(adjusted, method=MUTUAL)]
        else:
            reason = f"fewer than {small_cell} cases or controls on or off the class"
            labelled = frame.with_columns(level=pl.when(pl.col(name)).then(pl.lit(name)).otherwise(pl.lit(NOT_ON_IT)))
            answers = [exact_pair(labelled, (name, NOT_ON_IT), confidence), not_estimable(MUTUAL, reason)]
        on = frame.filter(pl.col(name))
        persons, cases = on["person_id"].n_unique(), int(on["is_case"].sum())
        found[name] = [replace(answer, person_count=persons, event_count=cases) for answer in answers]
    return found


def _smallest_cell(frame: pl.DataFrame, name: str) -> int:
    """The smallest of cases and controls on and off a class."""
    case, on = frame["is_case"], frame[name]
    return min(int((here & there).sum()) for here in (case, ~case) for there in (on, ~on))
