"""The controls of a study: the risk-set sampler under each exposure rule, for one outcome and design.

Owns what a design changes (number of controls) and what is equal in a set (sex and indication). The draw is in `risk_set.py`,
the exposure of those drawn in `cohort.matched_set`.
"""

from __future__ import annotations

import polars as pl

from analysis.matching.risk_set import MatchingRule, sample_risk_sets
from analysis.study.spec import CaseControl, Estimator

REPLICA_CONTROLS = 2  # Toruner 2008, Gastroenterology 134:929: 100 cases, 200 controls
MAIN_DESIGN = "incidence_density"
DESIGNS: dict[Estimator, str] = {"matched_odds_ratio": MAIN_DESIGN, "toruner_replica_odds_ratio": "toruner_replica"}
SAMPLE_SCHEMA = {
    "exposure_rule": pl.String, "outcome_id": pl.String, "design": pl.String, "set_number": pl.Int64, "control_number": pl.Int64,
    "person_id": pl.Int64, "is_case": pl.Boolean, "index_date": pl.Date, "age_caliper_years": pl.Int64,
}  # fmt: skip


def no_controls() -> pl.DataFrame:
    """The table without a row."""
    return pl.DataFrame(schema=SAMPLE_SCHEMA)


def control_sample(
    basis: pl.DataFrame, person_time: pl.DataFrame, settings: CaseControl, *, outcome_id: str, design: str
) -> pl.DataFrame:
    """Rows of `cohort.control_sample` for one outcome and design, under every exposure rule.

    basis: `cohort.match_basis`. person_time: `cohort.person_time` of the outcome, population all_time. Persons who are not at
    risk of the outcome have no time and are never drawn.
    """
    rule = MatchingRule(
        controls_per_case=REPLICA_CONTROLS if design == "toruner_replica" else settings.controls_per_case,
        age_caliper_years=settings.age_caliper_years,
        wider_age_caliper_years=settings.wider_age_caliper_years,
        entry_caliper_days=settings.entry_caliper_days,
        seed=settings.seed,
    )
    drawn = [no_controls()]
    for (exposure_rule,), people in basis.group_by("exposure_rule", maintain_order=True):
        time = person_time.filter(pl.col("exposure_rule") == exposure_rule)
        persons = people.select(
            "person_id", "birth_date", "entry_date", group=pl.concat_str("sex", pl.lit("/"), "indication")
        )
        cases = time.filter(pl.col("event_count") == 1).select(
            "person_id", event_date=pl.col("stop_date") - pl.duration(days=1)
        )
        sets = sample_risk_sets(persons, time.select("person_id", "start_date", "stop_date"), cases, rule)
        named = sets.with_columns(
            exposure_rule=pl.lit(exposure_rule, pl.String), outcome_id=pl.lit(outcome_id), design=pl.lit(design)
        )
        drawn.append(named.select(list(SAMPLE_SCHEMA)))
    return pl.concat(drawn)
