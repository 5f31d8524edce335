"""What the analyses beside the hazard ratio read of a build: subgroups, and exposure with another lag.

Owns how their frames and settings are fetched. Their names and order are in `analyses.py`, what they estimate in `analysis/analyses`.
"""

from __future__ import annotations

import polars as pl

from analysis.analyses import hazard, lagged_hazard, subgroup
from analysis.estimate.result import Estimate
from analysis.study.spec import Contrast
from pipelines.asked import assessable_outcomes
from pipelines.steps import Build
from sql.warehouse import quoted


def from_first(build: Build, outcome: str) -> pl.DataFrame:
    """Time at risk of an outcome among new users, from their first study drug."""
    return build.warehouse.read(
        "cohort.person_time", where=f"population = '{hazard.POPULATION}' AND outcome_id = {quoted(outcome)}"
    )


def lags(build: Build, contrast: Contrast) -> list[Estimate]:
    """The hazard ratio of a comparison with other lags, under the primary rule."""
    return lagged_hazard.lagged_hazards(
        build.warehouse.read("cohort.lag_time", where=f"outcome_id = {quoted(contrast.outcome)}"),
        contrast,
        rule=build.spec.primary_rule,
        confidence=build.spec.analysis.confidence_level,
        is_assessable=contrast.outcome in assessable_outcomes(build),
    )


def subgroups(build: Build) -> tuple[list[Estimate], None]:
    """Hazard ratios in subgroups under the primary rule, for the comparisons by hazard ratio."""
    settings, held = build.spec.analysis, assessable_outcomes(build)
    primary = f"exposure_rule = {quoted(build.spec.primary_rule)}"
    entry, baseline, indication = (
        build.warehouse.read(f"cohort.{name}", where=primary) for name in ("entry", "baseline_covariate", "indication")
    )
    return [
        estimate
        for contrast in build.spec.contrast
        if contrast.estimator == "time_varying_cox"
        for estimate in subgroup.subgroup_hazards(
            subgroup.with_subgroups(
                hazard.with_baseline(_of_primary(build, contrast.outcome), entry, baseline),
                entry,
                indication,
                age_bands=build.warehouse.read("spec.age_band"),
                calendar_starts=settings.calendar_starts,
            ),
            contrast,
            rule=build.spec.primary_rule,
            minimum_events=settings.subgroup_minimum_events,
            confidence=settings.confidence_level,
            is_assessable=contrast.outcome in held,
        )
    ], None


def _of_primary(build: Build, outcome: str) -> pl.DataFrame:
    return from_first(build, outcome).filter(pl.col("exposure_rule") == build.spec.primary_rule)
