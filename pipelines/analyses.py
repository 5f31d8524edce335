"""The analyses of a run: which frames each reads, and that its rows replace those of its own name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from analysis.analyses import (
    adverse_events,
    benchmark_comparison,
    care_item,
    components,
    discontinuation,
    drug_class,
    ending_incidence,
    exposure_time,
    hazard,
    immunogenicity,
    incidence,
    joint,
    joint_hazard,
    matched,
    misclassified,
    odds_ratio,
    omalizumab,
    omalizumab_events,
    omalizumab_symptoms,
    opportunistic_group,
    persistence,
    rate_ratio,
    reaction_latency,
    reactions,
    steroid_window,
    subgroup,
    time_zero_groups,
    warned_combination,
)
from analysis.analyses.gates import diagnostic_frame
from analysis.estimate.result import CURVE_SCHEMA, Estimate, result_frame
from pipelines import care_analyses, event_analyses, hazard_analyses, ladder_analyses, omalizumab_analyses, questions
from pipelines.questions import Findings
from pipelines.steps import Build


@dataclass(frozen=True, slots=True)
class Analysis:
    """One analysis: its name, what it reads and how its estimates are made."""

    name: str
    about: str
    reads: tuple[str, ...]
    run: Callable[[Build], tuple[list[Estimate], pl.DataFrame | None] | Findings]


def store(build: Build, analysis: Analysis) -> int:
    """Runs an analysis and replaces its rows in `estimate.*`; returns the number of rows of `estimate.result`."""
    found = analysis.run(build)
    estimates, curve = (found.estimates, None) if isinstance(found, Findings) else found
    diagnostics = found.diagnostics if isinstance(found, Findings) else []
    frame = result_frame(estimates, study_digest=build.spec.digest())
    build.warehouse.replace_rows("estimate.result", frame, where={"analysis": analysis.name})
    build.warehouse.replace_rows(
        "estimate.curve",
        pl.DataFrame(schema=CURVE_SCHEMA) if curve is None else curve,
        where={"analysis": analysis.name},
    )
    build.warehouse.replace_rows(
        "estimate.diagnostic", diagnostic_frame(diagnostics), where={"analysis": analysis.name}
    )
    return frame.height


ANALYSES: tuple[Analysis, ...] = (
    Analysis(
        exposure_time.ANALYSIS,
        "Persons and person-time by regimen.",
        ("summary.exposure_time",),
        questions.ask_exposure_time,
    ),
    Analysis(
        incidence.ANALYSIS,
        "Incidence of each outcome by regimen and ladder level.",
        ("summary.event_count", "cohort.assessable_outcome"),
        questions.ask_incidence,
    ),
    Analysis(
        persistence.ANALYSIS,
        "Duration and persistence of combinations.",
        ("summary.persistence", "summary.component_persistence"),
        questions.ask_persistence,
    ),
    Analysis(
        discontinuation.ANALYSIS,
        "Discontinuation by reason and component.",
        ("summary.ending_count",),
        questions.ask_discontinuation,
    ),
    Analysis(
        ending_incidence.ANALYSIS,
        "Endings of combinations as competing risks.",
        ("summary.ending_day", "meta.source"),
        questions.ask_ending_incidence,
    ),
    Analysis(
        odds_ratio.ANALYSIS,
        "Odds ratios of infection by ladder level.",
        ("summary.period_count", "cohort.assessable_outcome"),
        questions.ask_odds_ratio,
    ),
    Analysis(
        rate_ratio.ANALYSIS,
        "Rate ratios and differences, standardised rates and trend by ladder level.",
        ("summary.rate_cell", "summary.period_count", "spec.exposure_rule", "cohort.assessable_outcome"),
        ladder_analyses.rates,
    ),
    Analysis(
        matched.ANALYSIS,
        "Odds ratios of infection by ladder level in matched sets.",
        (
            "cohort.matched_set",
            "cohort.match_basis",
            "cohort.baseline_covariate",
            "spec.exposure_rule",
            "cohort.assessable_outcome",
        ),
        questions.ask_matched,
    ),
    Analysis(
        components.INCIDENCE,
        "Incidence of each component of composite outcomes by ladder level.",
        ("summary.component_count", "cohort.assessable_outcome"),
        ladder_analyses.components,
    ),
    Analysis(
        components.ODDS_RATIO,
        "Odds ratios of components by ladder level in matched sets.",
        ("cohort.matched_set", "cohort.set_component", "cohort.assessable_outcome"),
        ladder_analyses.component_ratios,
    ),
    Analysis(
        drug_class.ANALYSIS,
        "Odds ratios of each drug class in matched sets.",
        ("cohort.set_class", "cohort.assessable_outcome"),
        ladder_analyses.classes,
    ),
    Analysis(
        misclassified.ANALYSIS,
        "Odds ratios of infection by ladder level under published predictive values of the outcome.",
        ("summary.period_count", "reference.predictive_value", "cohort.assessable_outcome"),
        ladder_analyses.misclassified_outcomes,
    ),
    Analysis(
        steroid_window.ANALYSIS,
        "Odds ratios in matched sets without steroids begun shortly before the index date.",
        ("cohort.set_without_new_steroid", "spec.drug", "cohort.assessable_outcome"),
        ladder_analyses.steroid_windows,
    ),
    Analysis(
        joint.ANALYSIS,
        "Odds ratios of pairs of study drugs in matched sets, and their interaction.",
        ("cohort.matched_set", "spec.exposure_rule", "cohort.assessable_outcome"),
        questions.ask_joint,
    ),
    Analysis(
        time_zero_groups.ANALYSIS,
        "Odds ratios from the day on which a second study drug is added, with propensity scores and diagnostics.",
        (
            "cohort.comparison",
            "cohort.comparison_time",
            "cohort.comparison_record",
            "spec.exposure_rule",
            "spec.outcome",
            "cohort.assessable_outcome",
            "meta.source",
        ),
        questions.ask_time_zero,
    ),
    Analysis(
        hazard.ANALYSIS,
        "Hazard ratio of a second study drug.",
        (
            "cohort.person_time",
            "cohort.lag_time",
            "cohort.entry",
            "cohort.baseline_covariate",
            "spec.exposure_rule",
            "cohort.assessable_outcome",
        ),
        questions.ask_hazard,
    ),
    Analysis(
        subgroup.ANALYSIS,
        "Hazard ratio of a second study drug in subgroups, and their interaction.",
        (
            "cohort.person_time",
            "cohort.entry",
            "cohort.baseline_covariate",
            "cohort.indication",
            "cohort.assessable_outcome",
            "spec.age_band",
        ),
        hazard_analyses.subgroups,
    ),
    Analysis(
        omalizumab.ANALYSIS,
        "Omalizumab: doses against the tables, and free IgE as modelled from them.",
        ("pkpd.person", "pkpd.standing", "pkpd.threshold_interval", "pkpd.withdrawal", "pkpd.dose_check"),
        questions.ask_omalizumab,
    ),
    Analysis(
        omalizumab_symptoms.ANALYSIS,
        "Omalizumab: symptoms against modelled free IgE, and their return after a stop.",
        omalizumab_analyses.SYMPTOM_READS,
        omalizumab_analyses.ask_symptoms,
    ),
    Analysis(
        omalizumab_events.ANALYSIS,
        "Omalizumab: exacerbations and stops against modelled free IgE and by class of dose.",
        omalizumab_analyses.EVENT_READS,
        omalizumab_analyses.ask_events,
    ),
    Analysis(
        reactions.ANALYSIS,
        "Reactions after administered doses, by person, dose and time.",
        (
            "summary.reaction_count",
            "summary.reaction_time",
            "summary.drug_use",
            "reference.benchmark",
            "cohort.assessable_outcome",
        ),
        event_analyses.after_doses,
    ),
    Analysis(
        reaction_latency.ANALYSIS,
        "Time from administered doses to reactions, and what policies of observation would have seen.",
        (
            "summary.reaction_latency",
            "summary.reaction_policy",
            "care.administration",
            "staged.adverse_event",
            "cohort.assessable_outcome",
        ),
        event_analyses.latencies,
    ),
    Analysis(
        adverse_events.ANALYSIS,
        "Adverse events by system organ class and term: rates, differences, days from the last dose, and a screen.",
        (
            "summary.adverse_event_count",
            "summary.adverse_event_class",
            "summary.adverse_event_onset",
            "summary.regimen_dose",
        ),
        event_analyses.by_term,
    ),
    Analysis(
        opportunistic_group.ANALYSIS,
        "Incidence of groups of opportunistic infections by ladder level.",
        ("summary.infection_group_count", "cohort.assessable_outcome"),
        event_analyses.infection_groups,
    ),
    Analysis(
        joint_hazard.ANALYSIS,
        "Hazard ratios of pairs of study drugs, and their interaction.",
        ("cohort.person_time", "cohort.assessable_outcome"),
        questions.ask_joint_hazard,
    ),
    Analysis(
        benchmark_comparison.ANALYSIS,
        "Literature values beside our estimates of the same question: compatible or not.",
        (
            "reference.benchmark",
            "reference.benchmark_estimate",
            "estimate.discontinuation",
            "estimate.persistence",
            "estimate.anaphylaxis",
            "estimate.reaction_latency",
            "estimate.matched_odds_ratio",
            "estimate.infection_odds_ratio",
            "estimate.class_odds_ratio",
        ),
        event_analyses.benchmarks,
    ),
    Analysis(
        care_item.ANALYSIS,
        "Care items of every policy: the share met of what can be assessed.",
        care_analyses.CARE_READS,
        care_analyses.ask_care_items,
    ),
    Analysis(
        warned_combination.ANALYSIS,
        "Combinations that labels or rules warn of: time under them and outcomes in it.",
        care_analyses.WARNING_READS,
        care_analyses.ask_warned_combinations,
    ),
    Analysis(
        immunogenicity.ANALYSIS,
        "Antibodies to biologics, and loss of response to infliximab, with and without an immunomodulator or a steroid.",
        care_analyses.ANTIBODY_READS,
        care_analyses.ask_immunogenicity,
    ),
)
