"""What each analysis of a run reads from the build file, and how its estimates are asked for.

Owns the way from frames to the functions of `analysis/analyses/`. Which analyses there are and how their rows are stored is in
`analyses.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from analysis.analyses import (
    discontinuation,
    ending_incidence,
    exposure_time,
    hazard,
    incidence,
    joint,
    joint_hazard,
    matched,
    matched_gates,
    odds_ratio,
    omalizumab,
    persistence,
    time_zero,
)
from analysis.analyses.gates import Diagnostic
from analysis.analyses.ladder import comparisons
from analysis.estimate.result import Estimate
from analysis.matching.control_sample import DESIGNS
from pipelines.asked import assessable_outcomes, matched_outcomes, rule_names
from pipelines.draws import negative_controls
from pipelines.hazard_analyses import from_first, lags
from pipelines.steps import Build


@dataclass(frozen=True, slots=True)
class Findings:
    """What an analysis with diagnostics found."""

    estimates: list[Estimate]
    diagnostics: list[Diagnostic]


def ask_exposure_time(build: Build) -> tuple[list[Estimate], None]:
    """Persons and person-time."""
    return exposure_time.exposure_time(build.warehouse.read("summary.exposure_time")), None


def ask_incidence(build: Build) -> tuple[list[Estimate], None]:
    """Rates of outcomes."""
    counts, held = build.warehouse.read("summary.event_count"), assessable_outcomes(build)
    return [
        estimate
        for (outcome,), rows in counts.group_by("outcome_id", maintain_order=True)
        for estimate in incidence.incidence(
            rows, confidence=build.spec.analysis.confidence_level, is_assessable=outcome in held
        )
    ], None


def ask_persistence(build: Build) -> tuple[list[Estimate], pl.DataFrame]:
    """Persistence of pairs and of their components, with the curves of pairs."""
    settings = build.spec.analysis
    asked = {"confidence": settings.confidence_level, "days": settings.persistence_days}
    estimates, curve = persistence.persistence(build.warehouse.read("summary.persistence"), **asked)  # type: ignore[arg-type]
    components = persistence.component_persistence(build.warehouse.read("summary.component_persistence"), **asked)  # type: ignore[arg-type]
    return [*estimates, *components], curve


def ask_discontinuation(build: Build) -> tuple[list[Estimate], None]:
    """Endings by reason and component."""
    return discontinuation.discontinuation(
        build.warehouse.read("summary.ending_count"),
        confidence=build.spec.analysis.confidence_level,
        reason_records=_reason_records(build),
    ), None


def ask_ending_incidence(build: Build) -> tuple[list[Estimate], pl.DataFrame]:
    """Endings as competing risks, with their curves."""
    settings = build.spec.analysis
    return ending_incidence.ending_incidence(
        build.warehouse.read("summary.ending_day"),
        confidence=settings.confidence_level,
        days=settings.persistence_days,
        reason_records=_reason_records(build),
    )


def _reason_records(build: Build) -> discontinuation.ReasonRecords:
    source = build.warehouse.read("meta.source").row(0, named=True)
    with_reason = build.warehouse.query("SELECT COUNT(*) AS n FROM staged.prescription WHERE stop_reason IS NOT NULL")
    return discontinuation.ReasonRecords(
        names_reasons=source["has_discontinuation"] or with_reason["n"][0] > 0,
        has_adverse_events=source["has_adverse_event"],
    )


def ask_odds_ratio(build: Build) -> tuple[list[Estimate], None]:
    """Pooled-period odds ratios."""
    counts = build.warehouse.read("summary.period_count")
    settings, held = build.spec.analysis, assessable_outcomes(build)
    return [
        estimate
        for asked in comparisons(build.spec.contrast, ("pooled_period_odds_ratio",))
        for estimate in odds_ratio.pooled_period_odds_ratios(
            counts,
            asked.contrast,
            levels=asked.levels,
            confidence=settings.confidence_level,
            small_cell=settings.small_cell,
            is_assessable=asked.contrast.outcome in held,
        )
    ], None


def ask_matched(build: Build) -> Findings:
    """Odds ratios from matched sets, with their gates."""
    settings, held = build.spec.analysis, assessable_outcomes(build)
    sets = matched.with_covariates(
        *(build.warehouse.read(f"cohort.{name}") for name in ("matched_set", "match_basis", "baseline_covariate"))
    )
    wanted = comparisons(build.spec.contrast, tuple(DESIGNS))
    estimates = [
        estimate
        for asked in wanted
        for estimate in matched.matched_odds_ratios(
            sets,
            asked.contrast,
            levels=asked.levels,
            rules=rule_names(build),
            confidence=settings.confidence_level,
            small_cell=settings.small_cell,
            is_assessable=asked.contrast.outcome in held,
        )
    ]
    return Findings(
        *matched_gates.gate_matched(
            estimates,
            sets,
            wanted,
            build.spec,
            rules=rule_names(build),
            negative_controls=negative_controls(build.warehouse),
        )
    )


def ask_joint(build: Build) -> tuple[list[Estimate], None]:
    """Odds ratios of pairs."""
    sets, held = matched.with_a_control(build.warehouse.read("cohort.matched_set")), assessable_outcomes(build)
    return [
        estimate
        for outcome in matched_outcomes(build)
        for estimate in joint.joint_odds_ratios(
            sets,
            [outcome],
            rules=rule_names(build),
            minimum_persons=build.spec.case_control.pair_minimum_persons,
            confidence=build.spec.analysis.confidence_level,
            is_assessable=outcome in held,
        )
    ], None


def ask_omalizumab(build: Build) -> tuple[list[Estimate], None]:
    """Doses against the tables and modelled free IgE, where anybody has omalizumab."""
    read = build.warehouse.read
    stops = read("pkpd.person").select(
        "person_id", last_dose_day=(pl.col("last_date") - pl.col("first_date")).dt.total_days()
    )
    return omalizumab.omalizumab_estimates(
        read("pkpd.standing"),
        read("pkpd.threshold_interval"),
        read("pkpd.withdrawal"),
        read("pkpd.dose_check"),
        stops,
        rule=build.spec.primary_rule,
        confidence=build.spec.analysis.confidence_level,
    ), None


def ask_time_zero(build: Build) -> Findings:
    """The comparison from time zero, with its gates."""
    outcomes = build.warehouse.read("spec.outcome")
    recur = outcomes.filter(~pl.col("is_death"))
    gap_days = dict(recur.select("outcome_id", "episode_gap_days").iter_rows())
    estimates, diagnostics = time_zero.time_zero_comparison(
        build.warehouse.read("cohort.comparison"),
        build.warehouse.read("cohort.comparison_time"),
        build.spec,
        rules=rule_names(build),
        negative_controls=negative_controls(build.warehouse),
        assessable=assessable_outcomes(build),
        recurrence=(build.warehouse.read("cohort.comparison_record"), gap_days),
        has_deaths=bool(build.warehouse.read("meta.source")["has_death"][0]),
    )
    return Findings(estimates, diagnostics)


def ask_hazard(build: Build) -> Findings:
    """Hazard ratios of a second study drug, with what stands beside them."""
    found: tuple[list[Estimate], list[Diagnostic]] = ([], [])
    entry, baseline = (build.warehouse.read(f"cohort.{name}") for name in ("entry", "baseline_covariate"))
    held = assessable_outcomes(build)
    for contrast in build.spec.contrast:
        if contrast.estimator == "time_varying_cox":
            estimates, diagnostics = hazard.time_varying_hazard(
                hazard.with_baseline(from_first(build, contrast.outcome), entry, baseline),
                contrast,
                rules=rule_names(build),
                confidence=build.spec.analysis.confidence_level,
                is_assessable=contrast.outcome in held,
            )
            found[0].extend([*estimates, *lags(build, contrast)])
            found[1].extend(diagnostics)
    return Findings(*found)


def ask_joint_hazard(build: Build) -> tuple[list[Estimate], None]:
    """Hazard ratios of pairs, for the outcomes of hazard ratios."""
    held = assessable_outcomes(build)
    return [
        estimate
        for outcome in dict.fromkeys(c.outcome for c in build.spec.contrast if c.estimator == "time_varying_cox")
        for estimate in joint_hazard.joint_hazards(
            from_first(build, outcome),
            [outcome],
            rule=build.spec.primary_rule,
            minimum_persons=build.spec.case_control.pair_minimum_persons,
            confidence=build.spec.analysis.confidence_level,
            is_assessable=outcome in held,
        )
    ], None
