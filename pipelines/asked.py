"""What analyses ask of a build besides their frames: which outcomes can be assessed, the rules and the matched outcomes."""

from __future__ import annotations

from analysis.matching.control_sample import DESIGNS
from pipelines.steps import Build


def assessable_outcomes(build: Build) -> frozenset[str]:
    """Outcomes that a table of the source could hold, with the fields that they ask for."""
    return frozenset(build.warehouse.read("cohort.assessable_outcome", where="is_assessable")["outcome_id"])


def rule_names(build: Build) -> list[str]:
    """Exposure rules in the order of the study file."""
    return list(build.warehouse.read("spec.exposure_rule").sort("rule_number")["exposure_rule"])


def matched_outcomes(build: Build) -> list[str]:
    """Outcomes of the comparisons with controls at risk on the event date."""
    return sorted({c.outcome for c in build.spec.contrast if DESIGNS.get(c.estimator) == "incidence_density"})
