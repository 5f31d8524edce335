"""Matched odds ratios without the courses of systemic corticosteroid that were begun shortly before the index date.

A steroid may be begun for the first symptoms of what is later called the infection: then the infection brings the exposure. The lag
of the outcome leaves out the last days; this leaves out what was begun in a longer window, and nothing else.
Source: Horwitz and Feinstein 1980, Am J Med 68:255 (protopathic bias).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.ladder import Comparison
from analysis.analyses.matched import METHOD, RUNGS, SCALES
from analysis.analyses.matched_exact import level_ratios
from analysis.estimate.result import Answer, Estimate, Question, not_assessable
from analysis.matching.control_sample import DESIGNS

ANALYSIS = "steroid_window_odds_ratio"
NO_STEROID = "no systemic corticosteroid is among the drugs of the study"
LADDERS = ("toruner", "broad")


def steroid_window_stratum(ladder: str, window_days: int) -> str:
    """`stratum` of a ladder without the steroids begun within the window."""
    return f"ladder={ladder};steroid_window_days={window_days}"


def steroid_window_odds_ratios(
    sets: pl.DataFrame,
    comparisons: Sequence[Comparison],
    *,
    rule: str,
    window_days: int,
    confidence: float,
    small_cell: int,
    not_assessable_because: str = "",
) -> list[Estimate]:
    """Each ladder level against the comparator level, steroids begun within the window not counted.

    sets: `cohort.set_without_new_steroid`. Ladders of immunosuppressive classes only. Beside the ratios, the number of cases and
    of controls whose count changed (`level`), so that a reader sees how much the window can do. Misleads when the steroid was begun
    for the disease and not for the infection: a true effect of new courses is taken out too, so that the ratio may be too low.
    """
    estimates = []
    for asked in comparisons:
        contrast = asked.contrast
        design = DESIGNS[contrast.estimator]
        if contrast.ladder not in LADDERS:
            continue
        question = Question(
            analysis=ANALYSIS, estimand="odds_ratio", exposure_rule=rule, population=design,
            comparator_id=contrast.comparator_level, outcome_id=contrast.outcome,
            stratum=steroid_window_stratum(contrast.ladder, window_days),
        )  # fmt: skip
        if not_assessable_because:
            nothing = not_assessable(METHOD, not_assessable_because)
            estimates += [Estimate(replace(question, level=level), nothing) for level in asked.levels]
            continue
        members = (
            sets.filter(
                (pl.col("exposure_rule") == rule)
                & (pl.col("outcome_id") == contrast.outcome)
                & (pl.col("design") == design)
            )
            .sort("set_number", "control_number")
            .with_columns(
                level=pl.col(RUNGS[contrast.ladder])
                .clip(upper_bound=2)
                .replace_strict(SCALES[0], return_dtype=pl.String)
            )
        )
        for level, answer in level_ratios(members, asked, confidence, small_cell):
            estimates.append(Estimate(replace(question, level=level), answer))
        if asked.is_whole:
            for level, answer in _changed(members).items():
                estimates.append(Estimate(replace(question, estimand="count", comparator_id="", level=level), answer))
    return estimates


def _changed(members: pl.DataFrame) -> dict[str, Answer]:
    changed = members.filter(pl.col("is_changed"))
    cases, controls = changed.filter(pl.col("is_case")), changed.filter(~pl.col("is_case"))
    return {
        name: Answer(method="count", value=float(frame.height), person_count=frame["person_id"].n_unique())
        for name, frame in (("cases changed", cases), ("controls changed", controls))
    }


def why_not_assessable(*, has_outcomes: bool, has_steroid: bool) -> str:
    """Why nothing can be said of the window; empty where something can."""
    return NO_RECORDS if not has_outcomes else "" if has_steroid else NO_STEROID
