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


def comparison_sample(monotherapy: pl.DataFrame, settings: Comparison) -> pl.DataFrame:
    """Rows of `cohort.comparison_sample` under every exposure rule.

    monotherapy: `cohort.monotherapy`. A person is eligible on a day whose eve is monotherapy too, so that the state before time zero is
    the same for all members of a set; that of the one who adds a drug is the last eve. Without any comparator the one who adds a
    drug is a set of its own: it is counted, and says nothing.
    """
    rule = MatchingRule(
        controls_per_case=settings.comparators_drawn,
        age_caliper_years=1,
        wider_age_caliper_years=1,
        entry_caliper_days=settings.start_caliper_days,
        seed=settings.seed,
    )
    drawn = [no_comparators()]
    for (exposure_rule,), spells in monotherapy.group_by("exposure_rule", maintain_order=True):
        drawn.append(_of_rule(spells, str(exposure_rule), rule))
    return pl.concat(drawn)


def _of_rule(spells: pl.DataFrame, exposure_rule: str, rule: MatchingRule) -> pl.DataFrame:
    """Each use of a drug alone is a subject of the sampler: a person who changed drugs is one subject for each."""
    subjects = (
        spells.select("person_id", "drug_id", "drug_start_date")
        .unique()
        .sort("person_id", "drug_id")
        .with_row_index("subject", offset=1)
        .with_columns(pl.col("subject").cast(pl.Int64))
    )
    held = spells.join(subjects, on=["person_id", "drug_id"], how="left")
    is_added = pl.col("added_drug_id").is_not_null()
    at_risk = held.select(
        person_id="subject",
        start_date=pl.col("start_date") + pl.duration(days=1),
        stop_date=pl.when(is_added).then(pl.col("stop_date") + pl.duration(days=1)).otherwise("stop_date"),
    )
    persons = subjects.select(
        person_id="subject", group="drug_id", birth_date=pl.lit(_ANY_BIRTH), entry_date="drug_start_date"
    )
    added = held.filter(is_added)
    cases = added.select(person_id="subject", event_date="stop_date")
    sets = sample_risk_sets(persons, at_risk, cases, rule).rename({"person_id": "subject"})
    return (
        sets.join(subjects, on="subject", how="left")
        .join(added.select("subject", "added_drug_id"), on="subject", how="left")
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
