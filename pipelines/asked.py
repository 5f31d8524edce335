"""What analyses ask of a build besides their frames: whether outcomes can be assessed, the rules and the matched outcomes."""

from __future__ import annotations

from analysis.matching.control_sample import DESIGNS
from pipelines.steps import Build


def outcomes_are_assessable(build: Build) -> bool:
    """Whether the source has a table that could hold an outcome."""
    row = build.warehouse.read("meta.source").row(0, named=True)
    return bool(row["has_adverse_event"] or row["has_condition"])


def rule_names(build: Build) -> list[str]:
    """Exposure rules in the order of the study file."""
    return list(build.warehouse.read("spec.exposure_rule").sort("rule_number")["exposure_rule"])


def matched_outcomes(build: Build) -> list[str]:
    """Outcomes of the comparisons with controls at risk on the event date."""
    return sorted({c.outcome for c in build.spec.contrast if DESIGNS.get(c.estimator) == "incidence_density"})
