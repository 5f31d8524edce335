"""Great Expectations counts what the rules' own SQL counts, and says so when it cannot."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from expectations import validate
from expectations.rule import Rule
from expectations.validate import ExpectationError, count_failures
from pipelines.doors import rules_of
from pipelines.steps import Build
from tests.whole_run import TINY, built, small_study, write_csv

pytestmark = pytest.mark.slow  # its import takes seconds, once a session
DIRTY = {
    "person": TINY["person"] + "\n3 | M | 1999-12-31 | 1999\n4 | x | - | -\n5 | F | 03/04/2020 | -\n- | F | 1980-01-01 | -",
    "prescription": TINY["prescription"]
    + "\n6 | 3 | order | paracetamol | 2020-11-01 | 30 | - | -"  # an exact duplicate
    + "\n1 | 1 | order | omalizumab | 2020-01-01 | 1 | - | -"
    + "\n9 | 99 | order | omalizumab | 2020-01-01 | -5 | - | -"
    + "\n10 | 1 | order | - | someday | a month | - | -"
    + "\n11 | 1 | dispensing | omalizumab | 2020-01-29 | 1 | - | -"
    + "\n12 | 1 | order | omalizumab | 2031-01-01 | 28 | - | -"
    + "\n13 | 1 | order | paracetamol | 2020-11-01 | 30 | - | -"
    + "\n14 | 1 | order | omalizumab | 2021-01-01 | - | - | -"
    + "\n15 | 1 | order | omalizumab | - | 28 | - | -",
    "observation_period": TINY["observation_period"] + "\n1 | 2021-01-01 | 2021-06-30\n2 | 2020-06-01 | 2020-01-01",
    "adverse_event": TINY["adverse_event"] + "\n3 | 1 | - | 2020-02-01 | - | -\n4 | 1 | Fever | 1970-01-01 | - | -",
    "visit": "visit_id | person_id | visit_type | start_datetime | end_datetime\n"
    "1 | 1 | inpatient | 2020-06-02 08:00:00 | 2020-06-01 08:00:00",
}  # fmt: skip


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder: Path = tmp_path_factory.mktemp("validate")
    source = write_csv(folder / "source", **(TINY | DIRTY))
    return built(small_study(), source, folder / "build.duckdb")


def _rule(sql: str, batch: str = "staged.person") -> Rule:
    return Rule(id="DQ999", table="person", batch=batch, severity="warn", layer="raw", sentence="made up", sql=sql)


@pytest.mark.parametrize("layer", ["raw", "staged", "derived"])
def test_its_counts_are_those_of_the_rules_own_sql(build: Build, layer: str) -> None:
    rules = rules_of(layer)  # type: ignore[arg-type]
    counted = count_failures(build.warehouse.path, rules)
    own = {r.key: build.warehouse.query(f"SELECT COUNT(*) AS n FROM ({r.query()}) AS k")["n"][0] for r in rules}
    assert counted == own
    fired = {key[0] for key, count in counted.items() if count}
    expected = {
        "raw": {"DQ002", "DQ005", "DQ007", "DQ008", "DQ009", "DQ010", "DQ012", "DQ017", "DQ018", "DQ021", "DQ024",
                "DQ027", "DQ030", "DQ043", "DQ064"},
        "staged": {"DQ006", "DQ021", "DQ024", "DQ030", "DQ031", "DQ036"},
        "derived": set(),
    }[layer]  # fmt: skip
    assert fired >= expected, expected - fired
    assert (fired == set()) == (layer == "derived")


def test_the_file_is_free_again_afterwards(build: Build) -> None:
    count_failures(build.warehouse.path, [_rule("SELECT r.person_id FROM {batch} AS r")])
    gc.collect()
    build.warehouse.execute("CREATE OR REPLACE TABLE meta.scratch AS SELECT 1 AS a", "DROP TABLE meta.scratch")


def test_more_rows_than_it_samples_are_all_counted(build: Build) -> None:
    rule = _rule("SELECT r.person_id FROM {batch} AS r CROSS JOIN RANGE(1000) AS t (n)")
    persons = build.warehouse.count("staged.person")
    assert count_failures(build.warehouse.path, [rule]) == {rule.key: 1000 * persons}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT r.nothing FROM {batch} AS r",
        "SELECT r.person_id FROM {batch} AS r WHERE",
        "SELECT 1 AS a FROM staged.none",
    ],
    ids=["unknown column", "no SQL", "unknown table"],
)
def test_a_rule_that_cannot_be_run_is_a_bug_and_no_failure_of_the_data(build: Build, sql: str) -> None:
    with pytest.raises(ExpectationError, match="DQ999_person"):
        count_failures(build.warehouse.path, [_rule("SELECT r.person_id FROM {batch} AS r"), _rule(sql)])


def test_without_rules_nothing_is_imported_or_opened(tmp_path: Path) -> None:
    assert count_failures(tmp_path / "none.duckdb", []) == {}


def test_the_private_name_that_we_extend_is_still_there_and_extended() -> None:
    """Fails when an upgrade of Great Expectations moves the name: then see `great_expectations`."""
    gx = validate.great_expectations()
    engine = gx.execution_engine.sqlalchemy_execution_engine
    dialects = [getattr(dialect, "value", dialect) for dialect in engine._PERSISTED_CONNECTION_DIALECTS]
    assert dialects.count("duckdb") == 1
    assert "sqlite" in dialects, "what we add to is the list that the library itself fills"
    validate.great_expectations()
    assert len(engine._PERSISTED_CONNECTION_DIALECTS) == len(dialects), "added once"
