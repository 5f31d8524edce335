"""Frames of the small study that describe its data, settings and files, made by hand."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl

from analysis.pkpd.around_withdrawal import QUANTITIES
from pipelines.steps import reference_frame

RULE = "primary"
REFERENCE = Path(__file__).parents[4] / "sql" / "reference"


def attrition_frame(steps: tuple[int, ...]) -> pl.DataFrame:
    kinds = ("", "", "", "", "", "all_time", "from_first", "first_episode", "first_episode", "reached_min_overlap")
    names = (
        "received",
        "kept",
        "observed",
        "with a record",
        "covered",
        "cohort entry",
        "new users",
        "ever together",
        "followed",
        "minimum overlap",
    )
    rows = [
        {"exposure_rule": rule, "population": kind, "step_number": number, "step": name, "person_count": count}
        for rule in (RULE, "long")
        for number, (kind, name, count) in enumerate(zip(kinds, names, steps, strict=True), start=1)
    ]
    return pl.DataFrame(rows)


def baseline_frame(groups: dict[str, dict[str, tuple[int, int]]]) -> pl.DataFrame:
    rows = [
        {"exposure_rule": RULE, "person_group": group, "variable": variable, "level": level, "person_count": count}
        for variable, levels in groups.items()
        for level, (together, single) in levels.items()
        for group, count in (("combination", together), ("one_at_a_time", single), ("all", together + single))
    ]
    schema = dict.fromkeys(("exposure_rule", "person_group", "variable", "level"), pl.String)
    return pl.DataFrame(rows, schema=schema | {"person_count": pl.Int64})


def quality_frames(*, has_outcomes: bool) -> dict[str, pl.DataFrame]:
    tables = {
        "person": (210, 200, 10, 0),
        "prescription": (5000, 4990, 7, 3 * 5),
        "death": (12, 12, 0, 0),
        "visit": (0, 0, 0, 0),
    }
    account = [
        {
            "table_name": name,
            "rows_in": kept + aside + twice,
            "rows_kept": kept,
            "rows_quarantined": aside,
            "rows_duplicate": twice,
        }
        for name, (_, kept, aside, twice) in tables.items()
    ]
    rules = [
        ("DQ032", "prescription", "quantity", "raw", "quarantine", 5012, 7, "fail", "a quantity of zero or less"),
        ("DQ030", "prescription", "days_supply", "staged", "warn", 4990, 61, "fail", "supply is absent"),
        ("DQ007", "visit", "person_id", "raw", "quarantine", 0, 0, "not_assessable", "no person identifier"),
        ("DQ001", "person", "file", "raw", "block", 1, 0, "pass", "a required table has no rows"),
    ]
    names = ("rule_id", "table_name", "field", "layer", "severity", "rows_checked", "rows_failed", "status", "sentence")
    source = {
        "source_format": "native",
        "is_simulated": False,
        "era_level": False,
        "has_observation_period": True,
        "has_adverse_event": False,
        "has_condition": has_outcomes,
        "has_death": True,
        "has_discontinuation": True,
        "has_visit": False,
    }
    return {
        "quality.row_account": pl.DataFrame(account),
        "quality.rule_result": pl.DataFrame(rules, schema=names, orient="row").with_columns(
            fail_above=pl.lit(0.0),
            block_above=pl.lit(None, pl.Float64),
            is_blocking=pl.lit(value=False),
            sql=pl.lit("SELECT 1"),
        ),
        "meta.previous_table": pl.DataFrame(
            [("person", 200, 200, 0, 0)],
            schema=["table_name", "rows_in", "rows_kept", "rows_quarantined", "rows_duplicate"],
            orient="row",
        ),
        "pkpd.around_withdrawal": pl.DataFrame(
            [
                (name, persons, day, 40, 1.0, 2.0 + day / 100, 3.0)
                for name in QUANTITIES
                for persons in ("typical", "individual")
                for day in (0, 7, 14)
            ],
            schema=["quantity", "persons", "day", "person_count", "lower", "median", "upper"],
            orient="row",
        ),
        "pkpd.class_course": pl.DataFrame(
            [("eu", name, day, 40, 10.0, 20.0, 30.0) for name in ("as_table", "under") for day in (7, 14)],
            schema=["table_name", "dose_class", "day", "person_count", "lower", "median", "upper"],
            orient="row",
        ),
        "pkpd.symptom_course": pl.DataFrame(
            [
                ("act", response, since, day, 40, 10.0, 14.0, 18.0, 20.0 + day)
                for response in ("responder", "non_responder")
                for since in ("first_dose", "last_dose")
                for day in (0, 28, 56)
            ],
            schema=[
                "instrument_id",
                "response",
                "since",
                "day",
                "person_count",
                "lower",
                "median",
                "upper",
                "free_ige_ng_per_ml",
            ],
            orient="row",
        ),
        "meta.previous_rule": pl.DataFrame(
            [("DQ030", "prescription", "days_supply", 7, "fail")],
            schema=["rule_id", "table_name", "field", "rows_failed", "status"],
            orient="row",
        ),
        "quality.unmapped": pl.DataFrame(
            [
                ("prescription", "saline", "local", 61),
                ("prescription", "Jane Doe's own drops", "local", 2),
                ("condition", "free text", "", 70),
            ],
            schema=["table_name", "source_value", "code_system", "row_count"],
            orient="row",
        ),
        "quality.data_cut": pl.DataFrame({"data_cut_date": [dt.date(2024, 12, 31)], "data_cut_source": ["study"]}),
        "meta.source": pl.DataFrame([source]),
        "meta.source_table": pl.DataFrame(
            [
                (name, name if name != "visit" else None, name != "visit", counts[0], 0)
                for name, counts in tables.items()
            ],
            schema=["table_name", "raw_table", "is_present", "rows_in", "rows_duplicate"],
            orient="row",
        ),
        "meta.input_file": pl.DataFrame(
            [
                ("person", "person.csv", "a" * 64, 8101, 210, "utf-8"),
                ("prescription", "prescription.csv", "b" * 64, 90001, 5012, "utf-8"),
            ],
            schema=["table_name", "source_file", "sha256", "byte_count", "row_count", "encoding"],
            orient="row",
        ),
        "meta.sql_digest": pl.DataFrame({"table_name": ["exposure.episode"], "sha256": ["c" * 64]}),
        "meta.package_version": pl.DataFrame({"package": ["polars"], "version": ["2.1.0"]}),
    }


def setting_frames(*, spec: Any) -> dict[str, pl.DataFrame]:
    drugs = [
        {
            "drug_id": name,
            "drug_name": name.title(),
            "role": "study",
            "drug_class": f"class {name}",
            "agent_type": "biologic",
            "is_biologic": True,
            "is_injectable": True,
            "counts_toruner": True,
            "counts_broad": False,
            "interval_days": 14,
        }
        for name in ("alpha", "beta")
    ]
    benchmark = {
        "benchmark_id": "book",
        "label": "two agents",
        "estimand": "odds_ratio",
        "outcome_id": "infection",
        "ladder": "toruner",
        "level": ">=2",
        "regimen_id": None,
        "numerator": None,
        "denominator": None,
        "value": 14.5,
        "lower": 4.9,
        "upper": 43.0,
        "confidence_level": 0.95,
        "unit": "odds ratio",
        "person_count": 300,
        "population": "others",
        "source": "Author 2008",
        "directness": "indirect",
        "review_status": "seen in an independent source",
        "note": None,
    }
    return {
        "spec.drug": pl.DataFrame(drugs),
        "spec.drug_policy": pl.DataFrame(
            {"exposure_rule": [RULE] * 2, "drug_id": ["alpha", "beta"], "gap_days": [30, 30], "tail_days": [60, 60]}
        ),
        "spec.exposure_rule": pl.DataFrame(
            [(rule.id, number, rule.label, number == 1) for number, rule in enumerate(spec.exposure_rule, start=1)],
            schema=["exposure_rule", "rule_number", "label", "is_primary"],
            orient="row",
        ),
        "spec.outcome": pl.DataFrame(
            [
                (
                    o.id,
                    o.label or o.id,
                    o.date_rule,
                    "any",
                    "any",
                    False,
                    o.id == "death",
                    30,
                    7,
                    bool(o.negative_control),
                )
                for o in spec.outcome
            ],
            schema=[
                "outcome_id",
                "label",
                "date_rule",
                "setting",
                "position",
                "serious_only",
                "is_death",
                "episode_gap_days",
                "lag_days",
                "is_negative_control",
            ],
            orient="row",
        ),
        "spec.outcome_component": pl.DataFrame(
            [("infection", "sepsis", "Sepsis"), ("infection", "zoster", "Zoster")],
            schema=["outcome_id", "component_id", "label"],
            orient="row",
        ),
        "spec.contrast": pl.DataFrame(
            [(c.id, c.estimator, c.outcome, c.ladder, c.comparator_level) for c in spec.contrast],
            schema=dict.fromkeys(("contrast_id", "estimator", "outcome_id", "ladder", "comparator_level"), pl.String),
            orient="row",
        ),
        "reference.benchmark": pl.DataFrame([benchmark]),
        **{
            f"reference.{name}": pl.read_csv(REFERENCE / f"{name}.csv", infer_schema_length=None)
            for name in ("benchmark_estimate", "infection_group", "observation_policy", "predictive_value")
        },
        "reference.care_item": reference_frame("care_item"),
        "reference.combination_warning": reference_frame("combination_warning"),
    }
