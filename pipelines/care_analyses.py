"""How the analyses of care are asked: care items of every policy, and combinations that labels warn of.

Owns what they read of a build. What is estimated is in `analysis/analyses/`.
"""

from __future__ import annotations

from analysis.analyses.care_item import care_item_estimates
from analysis.analyses.immunogenicity import immunogenicity_estimates
from analysis.analyses.trough import trough_estimates
from analysis.analyses.warned_combination import warned_combination_estimates
from analysis.estimate.result import Estimate
from pipelines.asked import assessable_outcomes
from pipelines.steps import Build

CARE_READS = ("care.item_summary", "care.item_result", "care.given_dose", "reference.care_item", "spec.drug")
ANTIBODY_READS = ("care.antibody", "care.antibody_order", "care.antibody_time", "care.given_dose", "care.trough")
WARNING_READS = ("care.warned_count", "reference.combination_warning", "cohort.assessable_outcome")


def ask_care_items(build: Build) -> tuple[list[Estimate], None]:
    """Care items, where anybody has their drug."""
    reasons = build.warehouse.query(
        "SELECT r.care_item_id, r.policy, r.reason, COUNT(*) AS moment_count FROM care.item_result AS r "
        "WHERE r.status = 'not_assessable' AND r.reason IS NOT NULL GROUP BY r.care_item_id, r.policy, r.reason"
    )
    drugs = build.warehouse.query(
        "SELECT DISTINCT CAST(g.drug_id AS VARCHAR) AS drug_id, d.is_biologic FROM care.given_dose AS g "
        "INNER JOIN spec.drug AS d ON g.drug_id = d.drug_id"
    )
    return care_item_estimates(
        build.warehouse.read("reference.care_item"),
        build.warehouse.read("care.item_summary"),
        reasons,
        drugs,
        rule=build.spec.primary_rule,
        confidence=build.spec.analysis.confidence_level,
    ), None


def ask_warned_combinations(build: Build) -> tuple[list[Estimate], None]:
    """Combinations that labels or rules warn of."""
    return warned_combination_estimates(
        build.warehouse.read("reference.combination_warning"),
        build.warehouse.read("care.warned_count"),
        assessable=assessable_outcomes(build),
        rule=build.spec.primary_rule,
        confidence=build.spec.analysis.confidence_level,
    ), None


def ask_immunogenicity(build: Build) -> tuple[list[Estimate], None]:
    """Antibodies to biologics, and loss of response to infliximab."""
    infliximab = build.warehouse.query("SELECT COUNT(*) AS n FROM care.given_dose AS g WHERE g.drug_id = 'infliximab'")
    found = immunogenicity_estimates(
        build.warehouse.read("care.antibody_order"),
        build.warehouse.read("care.antibody_time"),
        has_tests=build.warehouse.count("care.antibody") > 0,
        has_infliximab=infliximab["n"][0] > 0,
        rule=build.spec.primary_rule,
        confidence=build.spec.analysis.confidence_level,
    )
    if infliximab["n"][0]:
        found += trough_estimates(
            build.warehouse.read("care.trough"),
            rule=build.spec.primary_rule,
            confidence=build.spec.analysis.confidence_level,
        )
    return found, None
