"""Two study drugs together, each alone and neither: odds ratios from matched sets, and whether the two add or multiply.

A person is on a drug on the index date when it is covered or in its risk tail, lagged as the outcome asks. Persons on other study
drugs are among those on neither, as long as they take neither of the pair.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.estimate.adjusted import adjusted_odds_ratio
from analysis.estimate.conditional_logistic import conditional_logistic
from analysis.estimate.interaction import JointRatios, LimitMethod, Measure, interaction
from analysis.estimate.regression import RegressionFit
from analysis.estimate.result import Answer, Estimate, Question, not_assessable

ANALYSIS = "joint_odds_ratio"
DESIGN = "incidence_density"
NEITHER = "neither"
MEASURES: tuple[tuple[Measure, LimitMethod], ...] = (
    ("ratio_of_ratios", "delta"), ("reri", "mover"), ("attributable_proportion", "mover"), ("synergy_index", "mover"),
)  # fmt: skip


def joint_odds_ratios(
    sets: pl.DataFrame,
    outcomes: Sequence[str],
    *,
    rules: Sequence[str],
    minimum_persons: int,
    confidence: float,
    is_assessable: bool,
) -> list[Estimate]:
    """Odds ratios of one drug, the other and both against neither, and their interaction, for each pair of study drugs.

    sets: `cohort.matched_set`. A pair counts when at least `minimum_persons` persons of the sets of an outcome are on both on
    an index date. `regimen_id` is the pair, `level` the drug or the pair; interaction has level "". Conditional logistic
    regression with profile limits; interaction from its coefficients (ratio of ratios: delta; the others: MOVER).
    Misleads as the drugs' own doing: who gets both differs from who gets one, and nothing but the matching is held equal.
    Odds ratios of sets drawn at risk are rate ratios; additive measures need nothing more.
    """
    members = sets.filter(pl.col("design") == DESIGN).with_columns(drugs=pl.col("risk_regimen_id").str.split("+"))
    found: list[Estimate] = []
    for rule in rules:
        for outcome in outcomes:
            held = members.filter((pl.col("exposure_rule") == rule) & (pl.col("outcome_id") == outcome))
            question = Question(
                analysis=ANALYSIS, estimand="odds_ratio", exposure_rule=rule, population=DESIGN, comparator_id=NEITHER,
                outcome_id=outcome,
            )  # fmt: skip
            if not is_assessable:
                found.append(Estimate(question, not_assessable("conditional_logistic_profile", NO_RECORDS)))
                continue
            for pair in pairs_of(held, minimum_persons):
                found += _of_pair(held, pair, replace(question, regimen_id="+".join(pair)), confidence)
    return found


def pairs_of(members: pl.DataFrame, minimum_persons: int) -> list[tuple[str, str]]:
    """Pairs that enough persons take, in the order of their names."""
    taken = members.filter(pl.col("drugs").list.len() > 1).select("person_id", "drugs").unique()
    pairs = [(person, *pair) for person, drugs in taken.iter_rows() for pair in combinations(sorted(drugs), 2)]
    frame = pl.DataFrame(pairs, schema={"person_id": pl.Int64, "a": pl.String, "b": pl.String}, orient="row").unique()
    counts = frame.group_by("a", "b").len().filter(pl.col("len") >= minimum_persons).sort("a", "b")
    return [(a, b) for a, b, _ in counts.iter_rows()]


def _of_pair(members: pl.DataFrame, pair: tuple[str, str], question: Question, confidence: float) -> list[Estimate]:
    a, b = (pl.col("drugs").list.contains(drug) for drug in pair)
    groups = {pair[0]: a & ~b, pair[1]: b & ~a, "+".join(pair): a & b}
    frame = members.select(
        "person_id", set_id="set_number", event=pl.col("is_case").cast(pl.Float64),
        **{name: group.cast(pl.Float64) for name, group in groups.items()},
    )  # fmt: skip
    fit = conditional_logistic(frame.drop("person_id"), covariates=list(groups), confidence=confidence)
    found = []
    for name in groups:
        compared = frame.filter((pl.col(name) == 1) | (pl.sum_horizontal(list(groups)) == 0))
        answer = replace(
            adjusted_odds_ratio(fit, name, limits="profile"),
            person_count=compared["person_id"].n_unique(), event_count=int(compared["event"].sum()),
        )  # fmt: skip
        found.append(Estimate(replace(question, level=name), answer))
    joint = _joint(fit)
    for measure, method in MEASURES:
        answer = interaction(joint, measure=measure, method=method, confidence=confidence)
        found.append(Estimate(replace(question, estimand=measure), _counted(answer, frame)))
    return found


def _joint(fit: RegressionFit) -> JointRatios:
    a, b, both = fit.coefficients
    if a is None or b is None or both is None:
        return JointRatios(undefined=next(reason for reason in fit.reasons if reason))
    rows = [[float(each) for each in row] for row in fit.covariance]
    if any(not math.isfinite(each) for row in rows for each in row):
        return JointRatios(undefined="the coefficients have no covariance")
    return JointRatios(log_ratios=(a, b, both), covariance=tuple(tuple(row) for row in rows))


def _counted(answer: Answer, frame: pl.DataFrame) -> Answer:
    return replace(answer, person_count=frame["person_id"].n_unique(), event_count=int(frame["event"].sum()))
