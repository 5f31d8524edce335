"""Comparators of those who add a second study drug: persons who on the same day go on with the same first drug alone.

Owns who is eligible on time zero; the draw itself is the risk-set sampler, with the addition of a drug as the event and the start of the
first drug as entry. A comparator may add a drug later, and may serve for several persons. Propensity scores are fitted afterwards.
Source: Suissa, Moodie and Dell'Aniello 2017, Pharmacoepidemiol Drug Saf 26:459 (prevalent new users, time-conditional).
"""

from __future__ import annotations

import datetime as dt

import polars as pl

from analysis.matching.risk_set import MatchingRule, sample_risk_sets
from analysis.study.comparison import Comparison

SAMPLE_SCHEMA = {
    "exposure_rule": pl.String, "set_number": pl.Int64, "member_number": pl.Int64, "person_id": pl.Int64,
    "is_combination": pl.Boolean, "drug_id": pl.String, "added_drug_id": pl.String, "time_zero": pl.Date,
    "drug_start_date": pl.Date,
}  # fmt: skip
_ANY_BIRTH = dt.date(1970, 1, 1)  # age is left to the propensity score


def no_comparators() -> pl.DataFrame:
    """The table without a row."""
    return pl.DataFrame(schema=SAMPLE_SCHEMA)


def comparison_sample(candidates: pl.DataFrame, settings: Comparison) -> pl.DataFrame:
    """Rows of `cohort.comparison_sample` under every exposure rule.

    candidates: `cohort.comparison_candidate`. Members of a set are on the same drug for the same indication, since days that differ by at
    most the caliper. Without any comparator the one who adds a drug is a set of its own: it is counted, and says nothing.
    """
    rule = MatchingRule(
        controls_per_case=settings.comparators_drawn,
        age_caliper_years=1,
        wider_age_caliper_years=1,
        entry_caliper_days=settings.start_caliper_days,
        seed=settings.seed,
    )
    drawn = [no_comparators()]
    for (exposure_rule,), days in candidates.group_by("exposure_rule", maintain_order=True):
        drawn.append(_of_rule(days, str(exposure_rule), rule))
    return pl.concat(drawn)


def _of_rule(days: pl.DataFrame, exposure_rule: str, rule: MatchingRule) -> pl.DataFrame:
    """A person is one unit of the sampler for each drug and indication."""
    key = ["person_id", "drug_id", "indication"]
    uses = (
        days.select(*key, "drug_start_date")
        .unique()
        .sort(key)
        .with_row_index("use", offset=1)
        .with_columns(pl.col("use").cast(pl.Int64))
    )
    held = days.join(uses.drop("drug_start_date"), on=key, how="left")
    persons = uses.select(
        person_id="use",
        group=pl.concat_str("drug_id", pl.lit("/"), "indication"),
        birth_date=pl.lit(_ANY_BIRTH),
        entry_date="drug_start_date",
    )
    added = held.filter(pl.col("added_drug_id").is_not_null())
    cases = added.select(person_id="use", event_date=pl.col("stop_date") - pl.duration(days=1))
    sets = sample_risk_sets(persons, held.select("start_date", "stop_date", person_id="use"), cases, rule)
    return (
        sets.rename({"person_id": "use"})
        .join(uses, on="use", how="left")
        .join(added.select("use", "added_drug_id"), on="use", how="left")
        .select(
            exposure_rule=pl.lit(exposure_rule, pl.String),
            set_number="set_number",
            member_number="control_number",
            person_id="person_id",
            is_combination="is_case",
            drug_id="drug_id",
            added_drug_id=pl.when("is_case").then("added_drug_id"),
            time_zero="index_date",
            drug_start_date="drug_start_date",
        )
        .cast(SAMPLE_SCHEMA)  # type: ignore[arg-type]
        .sort("set_number", "member_number")
    )
