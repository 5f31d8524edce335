"""The analyses of a run: which frames each reads, and that its rows replace those of its own name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from analysis.analyses import (
    components,
    discontinuation,
    drug_class,
    exposure_time,
    hazard,
    incidence,
    joint,
    matched,
    misclassified,
    odds_ratio,
    persistence,
    rate_ratio,
    steroid_window,
)
from analysis.analyses.ladder import comparisons
from analysis.estimate.result import CURVE_SCHEMA, DIAGNOSTIC_SCHEMA, Estimate, result_frame
from analysis.matching.control_sample import DESIGNS
from pipelines import ladder_analyses
from pipelines.asked import matched_outcomes, outcomes_are_assessable, rule_names
from pipelines.steps import Build
from sql.warehouse import quoted


@dataclass(frozen=True, slots=True)
class Analysis:
    """One analysis: its name, what it reads and how its estimates are made."""

    name: str
    about: str
    reads: tuple[str, ...]
    run: Callable[[Build], tuple[list[Estimate], pl.DataFrame | None]]


def store(build: Build, analysis: Analysis) -> int:
    """Runs an analysis and replaces its rows in `estimate.result` and `estimate.curve`; returns the number of rows."""
    estimates, curve = analysis.run(build)
    frame = result_frame(estimates, study_digest=build.spec.digest())
    build.warehouse.replace_rows("estimate.result", frame, where={"analysis": analysis.name})
    build.warehouse.replace_rows(
        "estimate.curve",
        pl.DataFrame(schema=CURVE_SCHEMA) if curve is None else curve,
        where={"analysis": analysis.name},
    )
    build.warehouse.replace_rows(
        "estimate.diagnostic", pl.DataFrame(schema=DIAGNOSTIC_SCHEMA), where={"analysis": analysis.name}
    )
    return frame.height


def _exposure_time(build: Build) -> tuple[list[Estimate], None]:
    return exposure_time.exposure_time(build.warehouse.read("summary.exposure_time")), None


def _incidence(build: Build) -> tuple[list[Estimate], None]:
    counts = build.warehouse.read("summary.event_count")
    return incidence.incidence(
        counts, confidence=build.spec.analysis.confidence_level, is_assessable=outcomes_are_assessable(build)
    ), None


def _persistence(build: Build) -> tuple[list[Estimate], pl.DataFrame]:
    settings = build.spec.analysis
    return persistence.persistence(
        build.warehouse.read("summary.persistence"),
        confidence=settings.confidence_level,
        days=settings.persistence_days,
    )


def _discontinuation(build: Build) -> tuple[list[Estimate], None]:
    endings = build.warehouse.read("summary.ending_count")
    source = build.warehouse.read("meta.source").row(0, named=True)
    with_reason = build.warehouse.query("SELECT COUNT(*) AS n FROM staged.prescription WHERE stop_reason IS NOT NULL")[
        "n"
    ][0]
    records = discontinuation.ReasonRecords(
        names_reasons=source["has_discontinuation"] or with_reason > 0, has_adverse_events=source["has_adverse_event"]
    )
    return discontinuation.discontinuation(
        endings, confidence=build.spec.analysis.confidence_level, reason_records=records
    ), None


def _odds_ratio(build: Build) -> tuple[list[Estimate], None]:
    counts = build.warehouse.read("summary.period_count")
    settings, assessable = build.spec.analysis, outcomes_are_assessable(build)
    return [
        estimate
        for asked in comparisons(build.spec.contrast, ("pooled_period_odds_ratio",))
        for estimate in odds_ratio.pooled_period_odds_ratios(
            counts,
            asked.contrast,
            levels=asked.levels,
            confidence=settings.confidence_level,
            small_cell=settings.small_cell,
            is_assessable=assessable,
        )
    ], None


def _matched(build: Build) -> tuple[list[Estimate], None]:
    settings, assessable = build.spec.analysis, outcomes_are_assessable(build)
    sets = matched.with_covariates(
        *(build.warehouse.read(f"cohort.{name}") for name in ("matched_set", "match_basis", "baseline_covariate"))
    )
    return [
        estimate
        for asked in comparisons(build.spec.contrast, tuple(DESIGNS))
        for estimate in matched.matched_odds_ratios(
            sets,
            asked.contrast,
            levels=asked.levels,
            rules=rule_names(build),
            confidence=settings.confidence_level,
            small_cell=settings.small_cell,
            is_assessable=assessable,
        )
    ], None


def _joint(build: Build) -> tuple[list[Estimate], None]:
    return joint.joint_odds_ratios(
        build.warehouse.read("cohort.matched_set"),
        matched_outcomes(build),
        rules=rule_names(build),
        minimum_persons=build.spec.case_control.pair_minimum_persons,
        confidence=build.spec.analysis.confidence_level,
        is_assessable=outcomes_are_assessable(build),
    ), None


def _hazard(build: Build) -> tuple[list[Estimate], None]:
    estimates: list[Estimate] = []
    assessable = outcomes_are_assessable(build)
    for contrast in build.spec.contrast:
        if contrast.estimator == "time_varying_cox":
            rows = build.warehouse.read(
                "cohort.person_time",
                where=f"population = '{hazard.POPULATION}' AND outcome_id = {quoted(contrast.outcome)}",
            )
            estimates += hazard.time_varying_hazard(
                rows, contrast, confidence=build.spec.analysis.confidence_level, is_assessable=assessable
            )
    return estimates, None


ANALYSES: tuple[Analysis, ...] = (
    Analysis(exposure_time.ANALYSIS, "Persons and person-time by regimen.", ("summary.exposure_time",), _exposure_time),
    Analysis(
        incidence.ANALYSIS,
        "Incidence of each outcome by regimen and ladder level.",
        ("summary.event_count", "meta.source"),
        _incidence,
    ),
    Analysis(persistence.ANALYSIS, "Duration and persistence of combinations.", ("summary.persistence",), _persistence),
    Analysis(
        discontinuation.ANALYSIS,
        "Discontinuation by reason and component.",
        ("summary.ending_count",),
        _discontinuation,
    ),
    Analysis(
        odds_ratio.ANALYSIS,
        "Odds ratios of infection by ladder level.",
        ("summary.period_count", "meta.source"),
        _odds_ratio,
    ),
    Analysis(
        rate_ratio.ANALYSIS,
        "Rate ratios and differences, standardised rates and trend by ladder level.",
        ("summary.rate_cell", "summary.period_count", "spec.exposure_rule", "meta.source"),
        ladder_analyses.rates,
    ),
    Analysis(
        matched.ANALYSIS,
        "Odds ratios of infection by ladder level in matched sets.",
        ("cohort.matched_set", "cohort.match_basis", "cohort.baseline_covariate", "spec.exposure_rule", "meta.source"),
        _matched,
    ),
    Analysis(
        components.INCIDENCE,
        "Incidence of each component of composite outcomes by ladder level.",
        ("summary.component_count", "meta.source"),
        ladder_analyses.components,
    ),
    Analysis(
        components.ODDS_RATIO,
        "Odds ratios of components by ladder level in matched sets.",
        ("cohort.matched_set", "cohort.set_component", "meta.source"),
        ladder_analyses.component_ratios,
    ),
    Analysis(
        drug_class.ANALYSIS,
        "Odds ratios of each drug class in matched sets.",
        ("cohort.set_class", "meta.source"),
        ladder_analyses.classes,
    ),
    Analysis(
        misclassified.ANALYSIS,
        "Odds ratios of infection by ladder level under published predictive values of the outcome.",
        ("summary.period_count", "reference.predictive_value", "meta.source"),
        ladder_analyses.misclassified_outcomes,
    ),
    Analysis(
        steroid_window.ANALYSIS,
        "Odds ratios in matched sets without steroids begun shortly before the index date.",
        ("cohort.set_without_new_steroid", "spec.drug", "meta.source"),
        ladder_analyses.steroid_windows,
    ),
    Analysis(
        joint.ANALYSIS,
        "Odds ratios of pairs of study drugs in matched sets, and their interaction.",
        ("cohort.matched_set", "spec.exposure_rule", "meta.source"),
        _joint,
    ),
    Analysis(hazard.ANALYSIS, "Hazard ratio of a second study drug.", ("cohort.person_time", "meta.source"), _hazard),
)
