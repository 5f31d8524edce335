"""What negative controls and the size of the study say of the odds ratios from matched sets.

Owns which estimates a verdict is applied to. Negative controls have sets of their own, drawn and adjusted like those of the outcome; the
replica of another study has none and is judged by its size alone. Verdicts are made in `gates.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from analysis.analyses.gates import (
    Diagnostic,
    NegativeControls,
    gated,
    judge_detectable,
    judge_negative_controls,
)
from analysis.analyses.ladder import Comparison
from analysis.analyses.matched import ADJUSTED_METHOD, ANALYSIS, RUNGS, TREND, adjusted_at_levels, with_a_control
from analysis.estimate.empirical_calibration import calibrated
from analysis.estimate.power import minimal_detectable_odds_ratio
from analysis.estimate.result import Answer, Estimate, Question, not_estimable
from analysis.matching.control_sample import DESIGNS, MAIN_DESIGN
from analysis.study.spec import StudySpec

_HIGHER = (">=2", "2", ">=3", TREND)  # judged by what negative controls show of two or more


def gate_matched(
    estimates: Sequence[Estimate],
    sets: pl.DataFrame,
    comparisons: Sequence[Comparison],
    spec: StudySpec,
    *,
    rules: Sequence[str],
    negative_controls: Sequence[str],
) -> tuple[list[Estimate], list[Diagnostic]]:
    """The estimates with their verdicts, minimal detectable ratios and calibrated ratios, and the diagnostics behind them.

    estimates: of `matched_odds_ratios`. sets: `cohort.matched_set` with covariates, those of negative controls under the first
    rule, whose verdict holds for the others. The adjusted ratio of a control is used, or the matched one where no covariate is
    known. Misleads as `judge_negative_controls`.
    """
    sets = with_a_control(sets)
    diagnostics: list[Diagnostic] = []
    controls: dict[tuple[str, str, str], NegativeControls] = {}
    for asked in comparisons:
        contrast = asked.contrast
        if DESIGNS[contrast.estimator] != MAIN_DESIGN:
            continue
        answers = {
            outcome: _control_answers(sets, asked, outcome, rules[0], spec.analysis.confidence_level)
            for outcome in negative_controls
            if (contrast.ladder, contrast.comparator_level, asked.levels[-1]) not in controls
        }
        for level in asked.levels:
            key = (contrast.ladder, contrast.comparator_level, level)
            if key not in controls:
                controls[key] = judge_negative_controls(
                    {outcome: found[level] for outcome, found in answers.items()}, spec.diagnostics, analysis=ANALYSIS,
                    parts={
                        "comparator_id": contrast.comparator_level, "exposure_rule": rules[0], "ladder": contrast.ladder,
                        "level": level,
                    },
                )  # fmt: skip
                diagnostics += controls[key].diagnostics
    judged: dict[Question, tuple[Estimate, Diagnostic, str]] = {}
    found: list[Estimate] = []
    for estimate in estimates:
        question = estimate.question
        if question.estimand not in ("odds_ratio", "e_value") or estimate.answer.status == "not_assessable":
            found.append(estimate)
            continue
        ratio = replace(question, estimand="minimal_detectable_ratio")
        if question.level != TREND and ratio not in judged:
            judged[ratio] = _detectable(sets, question, spec)
        control = _of_question(controls, question) if question.population == MAIN_DESIGN else None
        failures = [control.failure if control else "", judged[ratio][2] if ratio in judged else ""]
        found.append(gated(estimate, failures))
        is_own = question.level in ("1", ">=2") and question.estimand == "odds_ratio"
        if control and control.error and is_own and estimate.answer.method == ADJUSTED_METHOD:
            answer = calibrated(estimate.answer, control.error, confidence=spec.analysis.confidence_level)
            found.append(gated(Estimate(question, replace(answer, method=f"{ADJUSTED_METHOD}_calibrated")), failures))
    found += [estimate for estimate, _, _ in judged.values()]
    return found, diagnostics + [row for _, row, _ in judged.values()]


def _control_answers(
    sets: pl.DataFrame, asked: Comparison, outcome: str, rule: str, confidence: float
) -> dict[str, Answer]:
    contrast = asked.contrast
    members = sets.filter(
        (pl.col("exposure_rule") == rule) & (pl.col("outcome_id") == outcome) & (pl.col("design") == MAIN_DESIGN)
    ).with_columns(rung=pl.col(RUNGS[contrast.ladder]))
    return adjusted_at_levels(members, contrast.comparator_level, asked.levels, confidence)


def _of_question(controls: dict[tuple[str, str, str], NegativeControls], question: Question) -> NegativeControls | None:
    ladder = question.stratum.removeprefix("ladder=")
    level = ">=2" if question.level in _HIGHER else question.level
    comparator = question.comparator_id if question.level != TREND else "0"
    return controls.get((ladder, comparator, level))


def _detectable(sets: pl.DataFrame, question: Question, spec: StudySpec) -> tuple[Estimate, Diagnostic, str]:
    """The minimal detectable odds ratio of a level from cases and controls at the two levels compared."""
    ladder = question.stratum.removeprefix("ladder=")
    held = sets.filter(
        (pl.col("exposure_rule") == question.exposure_rule)
        & (pl.col("outcome_id") == question.outcome_id)
        & (pl.col("design") == question.population)
    )
    rung = pl.col(RUNGS[ladder])
    compared = held.filter(_at(rung, question.level) | _at(rung, question.comparator_id))
    controls = compared.filter(~pl.col("is_case"))
    exposed = controls.filter(_at(rung, question.level)).height
    cases = int(compared["is_case"].sum())
    method = "minimal_detectable_odds_ratio"
    if not 0 < exposed < controls.height:
        answer = not_estimable(
            method, "all controls are at one of the two levels" if controls.height else "no controls"
        )
    else:
        answer = minimal_detectable_odds_ratio(
            cases, controls.height, exposed_controls=exposed / controls.height,
            confidence=spec.analysis.confidence_level, power=spec.diagnostics.power,
        )  # fmt: skip
    row, failure = judge_detectable(
        answer, spec.diagnostics, analysis=ANALYSIS,
        parts={
            "comparator_id": question.comparator_id, "exposure_rule": question.exposure_rule, "ladder": ladder,
            "level": question.level, "outcome_id": question.outcome_id, "population": question.population,
        },
    )  # fmt: skip
    return Estimate(replace(question, estimand="minimal_detectable_ratio"), answer), row, failure


def _at(rung: pl.Expr, level: str) -> pl.Expr:
    if level.startswith(">="):
        return rung >= int(level.removeprefix(">="))
    return rung == int(level)
