"""What the analyses around the ladder read of a build: components, drug classes, compared rates, bias analyses.

Owns how their frames and settings are fetched. Their names and order are in `analyses.py`, what they estimate in `analysis/analyses`.
"""

from __future__ import annotations

from analysis.analyses import components as component_rows
from analysis.analyses import drug_class, misclassified, rate_ratio, steroid_window
from analysis.analyses.ladder import comparisons
from analysis.analyses.matched import with_a_control
from analysis.estimate.result import Estimate
from analysis.matching.control_sample import DESIGNS
from pipelines.asked import assessable_outcomes, matched_outcomes, rule_names
from pipelines.steps import Build


def components(build: Build) -> tuple[list[Estimate], None]:
    """Rates of the components of composite outcomes."""
    counts, held = build.warehouse.read("summary.component_count"), assessable_outcomes(build)
    return [
        estimate
        for (outcome,), rows in counts.group_by("outcome_id", maintain_order=True)
        for estimate in component_rows.component_incidence(
            rows, confidence=build.spec.analysis.confidence_level, is_assessable=outcome in held
        )
    ], None


def component_ratios(build: Build) -> tuple[list[Estimate], None]:
    """Odds ratios of components in matched sets."""
    settings, assessable = build.spec.analysis, assessable_outcomes(build)
    sets = with_a_control(build.warehouse.read("cohort.matched_set"))
    held = build.warehouse.read("cohort.set_component")
    return [
        estimate
        for asked in comparisons(build.spec.contrast, ("matched_odds_ratio",))
        if asked.contrast.outcome in assessable
        for estimate in component_rows.component_odds_ratios(
            sets,
            held,
            asked,
            rule=build.spec.primary_rule,
            confidence=settings.confidence_level,
            small_cell=settings.small_cell,
        )
    ], None


def classes(build: Build) -> tuple[list[Estimate], None]:
    """Odds ratios of each drug class in matched sets."""
    settings, held = build.spec.analysis, assessable_outcomes(build)
    sets = with_a_control(build.warehouse.read("cohort.set_class"))
    return [
        estimate
        for outcome in matched_outcomes(build)
        for estimate in drug_class.class_odds_ratios(
            sets,
            [outcome],
            rule=build.spec.primary_rule,
            confidence=settings.confidence_level,
            small_cell=settings.small_cell,
            is_assessable=outcome in held,
        )
    ], None


def rates(build: Build) -> tuple[list[Estimate], None]:
    """Rates of every ladder that an odds ratio is asked for, compared."""
    cells, periods = (build.warehouse.read(f"summary.{name}") for name in ("rate_cell", "period_count"))
    held = assessable_outcomes(build)
    return [
        estimate
        for asked in rate_ratio.asked_ladders(build.spec.contrast)
        for estimate in rate_ratio.rate_comparisons(
            cells,
            periods,
            asked,
            rules=rule_names(build),
            confidence=build.spec.analysis.confidence_level,
            is_assessable=asked.contrast.outcome in held,
        )
    ], None


def steroid_windows(build: Build) -> tuple[list[Estimate], None]:
    """Odds ratios of ladders in matched sets without steroids begun shortly before the index date."""
    settings, window = build.spec.analysis, build.spec.case_control.steroid_window_days
    if not window:
        return [], None
    drugs = build.warehouse.query(
        "SELECT COUNT(*) AS n FROM spec.drug WHERE agent_type = 'systemic_corticosteroid' AND role IN ('study', 'background')"
    )
    sets, held = with_a_control(build.warehouse.read("cohort.set_without_new_steroid")), assessable_outcomes(build)
    return [
        estimate
        for asked in comparisons(build.spec.contrast, tuple(DESIGNS))
        for estimate in steroid_window.steroid_window_odds_ratios(
            sets,
            [asked],
            rule=build.spec.primary_rule,
            window_days=window,
            confidence=settings.confidence_level,
            small_cell=settings.small_cell,
            not_assessable_because=steroid_window.why_not_assessable(
                has_outcomes=asked.contrast.outcome in held, has_steroid=bool(drugs["n"][0])
            ),
        )
    ], None


def misclassified_outcomes(build: Build) -> tuple[list[Estimate], None]:
    """Pooled odds ratios under the published predictive values of the outcome."""
    settings, held = build.spec.analysis, assessable_outcomes(build)
    counts, values = (build.warehouse.read(name) for name in ("summary.period_count", "reference.predictive_value"))
    return [
        estimate
        for asked in comparisons(build.spec.contrast, ("pooled_period_odds_ratio",))
        for estimate in misclassified.misclassified_odds_ratios(
            counts,
            values,
            [asked],
            rule=build.spec.primary_rule,
            draws=misclassified.Draws(
                count=settings.misclassification_draws,
                seed=build.spec.case_control.seed,
                correlation=settings.misclassification_correlation,
            ),
            confidence=settings.confidence_level,
            is_assessable=asked.contrast.outcome in held,
        )
    ], None
