"""Every rule of the third door is silent on what the SQL makes and fires when a table is corrupted."""

from __future__ import annotations

from pathlib import Path

import pytest

from expectations.derived import COHORT_RULES, DERIVED_RULES
from expectations.rule import Rule
from pipelines.steps import Build
from sql.warehouse import Warehouse
from tests.whole_run import FEVER, MATCHED, TINY, built, small_study, write_csv

INTERVAL, TOGETHER, ACCOUNT = "exposure.combination_interval", "exposure.combination_episode", "quality.row_account"
LAST = f"person_id = 1 AND start_date = (SELECT MAX(start_date) FROM {INTERVAL} WHERE person_id = 1)"
CLASSES = "exposure.class_interval"
DAYS, OVERLAP = "DQ076_combination_interval_person_days", "DQ076_combination_interval_overlap"
ALL = (*DERIVED_RULES, *COHORT_RULES)
SETS = "cohort.matched_set"
CORRUPTIONS = [  # rule, what is done to the table, in words
    ("DQ075_combination_interval", f"UPDATE {INTERVAL} SET stop_date = start_date WHERE person_id = 1", "no length"),
    ("DQ075_combination_interval", f"UPDATE {INTERVAL} SET start_date = stop_date + 1 WHERE person_id = 1", "reversed"),
    ("DQ075_combination_interval", f"UPDATE {INTERVAL} SET stop_date = stop_date + 1 WHERE {LAST}", "outside"),
    ("DQ075_combination_interval", f"UPDATE {INTERVAL} SET person_id = 99 WHERE person_id = 1", "nobody's"),
    ("DQ075_combination_episode", f"UPDATE {TOGETHER} SET stop_date = start_date", "no length"),
    ("DQ075_combination_episode", f"UPDATE {TOGETHER} SET start_date = start_date - 1", "before both drugs"),
    ("DQ075_combination_episode", f"UPDATE {TOGETHER} SET regimen_id = 'dupilumab+infliximab'", "of another drug"),
    ("DQ075_combination_episode", f"UPDATE {TOGETHER} SET exposure_rule = 'other'", "of another rule"),
    (DAYS, f"DELETE FROM {INTERVAL} WHERE person_id = 1", "a person without any"),
    (DAYS, f"DELETE FROM {INTERVAL} WHERE {LAST}", "a hole"),
    (DAYS, "UPDATE staged.observation_period SET stop_date = stop_date + 1", "a day too few"),
    (OVERLAP, f"UPDATE {INTERVAL} SET start_date = start_date - 1 WHERE {LAST}", "a day twice"),
    (OVERLAP, f"INSERT INTO {INTERVAL} SELECT * FROM {INTERVAL} WHERE person_id = 1", "rows twice"),
    ("DQ075_class_interval", f"UPDATE {CLASSES} SET stop_date = start_date WHERE person_id = 1", "no length"),
    ("DQ075_class_interval", f"UPDATE {CLASSES} SET person_id = 99 WHERE person_id = 1", "nobody's"),
    ("DQ076_class_interval_person_days", f"DELETE FROM {CLASSES} WHERE person_id = 1", "a person without any"),
    (
        "DQ076_class_interval_overlap",
        f"INSERT INTO {CLASSES} SELECT * FROM {CLASSES} WHERE person_id = 1",
        "rows twice",
    ),
    ("DQ076_row_account_rows_in", f"UPDATE {ACCOUNT} SET rows_in = rows_in + 1", "a lost row"),
    (
        "DQ076_row_account_rows_in",
        f"UPDATE {ACCOUNT} SET rows_kept = -1, rows_duplicate = rows_in + 1 - rows_quarantined",
        "fewer than none",
    ),
    (
        "DQ039_combination_episode_class",
        f"UPDATE spec.drug SET drug_class = 'one'; UPDATE {TOGETHER} SET stop_date = start_date + 29",
        "two of one class",
    ),
    (
        "DQ077_matched_set_event",
        f"UPDATE {SETS} SET is_case = FALSE; INSERT INTO cohort.outcome_event (person_id, outcome_id, event_number, event_date) "
        f"SELECT person_id, outcome_id, 1, index_date - 1 FROM {SETS}",
        "an event the day before",
    ),
    ("DQ077_matched_set_follow_up", f"DELETE FROM {SETS}", "persons drawn without follow-up"),
    (
        "DQ078_matched_set_regimen_id",
        "UPDATE exposure.episode SET start_date = start_date + 3650",
        "a drug that began later",
    ),
]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder: Path = tmp_path_factory.mktemp("derived")
    return built(
        small_study(contrast=MATCHED, outcome=[FEVER]), write_csv(folder / "source", **TINY), folder / "build.duckdb"
    )


def _failing(warehouse: Warehouse, name: str, corruption: str) -> int:
    rule = next(rule for rule in ALL if rule.name == name)
    with warehouse.connection() as con:
        con.execute("BEGIN")
        con.execute(corruption)
        found = len(con.execute(rule.query()).fetchall())
        con.execute("ROLLBACK")
    return found


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_what_the_sql_makes_breaks_no_rule(build: Build, rule: Rule) -> None:
    assert _failing(build.warehouse, rule.name, "SELECT 1") == 0
    assert build.warehouse.count(rule.batch) > 0


@pytest.mark.parametrize(("name", "corruption", "what"), CORRUPTIONS, ids=[f"{c[0]}: {c[2]}" for c in CORRUPTIONS])
def test_a_corrupted_table_breaks_its_rule(build: Build, name: str, corruption: str, what: str) -> None:
    assert _failing(build.warehouse, name, corruption) > 0, what


def test_every_rule_of_this_door_is_corrupted_here_and_stops_the_run() -> None:
    assert {c[0] for c in CORRUPTIONS} == {rule.name for rule in ALL}
    assert {(rule.severity, rule.block_above) for rule in ALL if rule.id != "DQ039"} == {("block", 0)}
    assert len({rule.key for rule in ALL}) == len(ALL)
