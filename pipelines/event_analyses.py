"""What the analyses of reactions after doses, of adverse events by term and of groups of infections read of a build.

Owns how their frames and settings are fetched. Their names and order are in `analyses.py`, what they estimate in `analysis/analyses`.
"""

from __future__ import annotations

import polars as pl

from analysis.analyses import adverse_events, benchmark_comparison, opportunistic_group, reaction_latency, reactions
from analysis.estimate.result import Estimate
from pipelines.asked import assessable_outcomes
from pipelines.steps import Build


def _reactions(build: Build) -> list[str]:
    """Outcomes of the study that are looked for after doses."""
    return list(build.warehouse.read("spec.outcome", where="is_reaction")["outcome_id"])


def after_doses(build: Build) -> tuple[list[Estimate], None]:
    """Reactions by person, dose and time, and what published risks make of the number of persons."""
    read, outcomes, held = build.warehouse.read, _reactions(build), assessable_outcomes(build)
    counts, rule = read("summary.reaction_count"), build.spec.primary_rule
    undosed = build.warehouse.query(
        "SELECT u.drug_id FROM summary.drug_use AS u INNER JOIN spec.drug AS d ON u.drug_id = d.drug_id AND d.role = 'study' "
        "INNER JOIN spec.exposure_rule AS x ON u.exposure_rule = x.exposure_rule AND x.is_primary "
        "WHERE u.dose_day_count > 0 AND u.administration_count = 0 ORDER BY u.drug_id"
    )
    estimates = reactions.reactions(
        counts,
        read("summary.reaction_time"),
        outcomes=outcomes,
        undosed=[str(name) for name in undosed["drug_id"]],
        rule=rule,
        confidence=build.spec.analysis.confidence_level,
        assessable=held,
    )
    benchmarks = read("reference.benchmark").filter(pl.col("outcome_id").is_in(outcomes))
    for outcome in sorted(set(benchmarks["outcome_id"])):
        estimates += reactions.power(
            benchmarks.filter(pl.col("outcome_id") == outcome),
            counts,
            outcome=outcome,
            rule=rule,
            is_assessable=outcome in held,
        )
    return estimates, None


def latencies(build: Build) -> tuple[list[Estimate], None]:
    """Time from dose to reaction."""
    read = build.warehouse.read
    times = build.warehouse.query(
        "SELECT (SELECT COUNT(a.dose_minute) FROM care.administration AS a) AS dose_count, "
        "(SELECT COUNT(e.onset_minute) FROM staged.adverse_event AS e) AS onset_count"
    ).row(0)
    return reaction_latency.reaction_latency(
        read("summary.reaction_latency"),
        read("summary.reaction_policy"),
        outcomes=_reactions(build),
        rule=build.spec.primary_rule,
        confidence=build.spec.analysis.confidence_level,
        assessable=assessable_outcomes(build),
        has_times=all(times),
    ), None


def by_term(build: Build) -> tuple[list[Estimate], None]:
    """Adverse events by system organ class and term."""
    read, spec = build.warehouse.read, build.spec
    frames = adverse_events.Frames(
        counts=read("summary.adverse_event_count"),
        classes=read("summary.adverse_event_class"),
        onsets=read("summary.adverse_event_onset"),
        doses=read("summary.regimen_dose"),
    )
    settings = adverse_events.Settings(
        rule=spec.primary_rule,
        confidence=spec.analysis.confidence_level,
        pair_minimum_persons=spec.case_control.pair_minimum_persons,
        screen_minimum_count=spec.adverse_events.screen_minimum_count,
    )
    return adverse_events.adverse_events(frames, settings), None


def infection_groups(build: Build) -> tuple[list[Estimate], None]:
    """Groups of opportunistic infections."""
    counts, held = build.warehouse.read("summary.infection_group_count"), assessable_outcomes(build)
    return [
        estimate
        for outcome in build.spec.outcome
        if (outcome.based_on or outcome.id) == "opportunistic_infection"
        for estimate in opportunistic_group.opportunistic_groups(
            opportunistic_group.of_outcome(counts, outcome.id),
            confidence=build.spec.analysis.confidence_level,
            is_assessable=outcome.id in held,
        )
    ], None


def benchmarks(build: Build) -> tuple[list[Estimate], None]:
    """Our estimates beside the literature values of the same question; the other analyses are stored before."""
    read, mapping = build.warehouse.read, build.warehouse.read("reference.benchmark_estimate")
    return benchmark_comparison.benchmark_comparison(
        read("reference.benchmark"),
        mapping,
        read("estimate.result").filter(pl.col("analysis").is_in(mapping["analysis"].unique().implode())),
        rule=build.spec.primary_rule,
        confidence=build.spec.analysis.confidence_level,
    ), None
