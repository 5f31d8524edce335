"""Every planted bad record ends where the ledger says, and no other record does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from analysis.simulate import Simulation, simulate, simulate_profile, write_simulation
from analysis.simulate.omalizumab_design import OmalizumabPlan
from analysis.simulate.profiles import DEMO
from analysis.study.read import read_study
from expectations.rule import RuleResult
from pipelines.doors import grade, rules_of, set_aside
from pipelines.paths import DEFAULT_STUDY
from pipelines.steps import Build, ingest, load_reference, load_spec, reference_frame
from sql.warehouse import Warehouse

KEY = ["table_name", "row_number", "rule_id"]


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate("dirty", persons=None, seed=7, drugs=reference_frame("drug"), outcomes=reference_frame("outcome"))


@pytest.fixture(scope="module")
def build(world: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder: Path = tmp_path_factory.mktemp("ledger")
    write_simulation(world, folder / "source")
    build = Build(
        spec=read_study(DEFAULT_STUDY), source=folder / "source", warehouse=Warehouse(folder / "build.duckdb")
    )
    build.warehouse.create()
    load_spec(build)
    load_reference(build)
    ingest(build)
    set_aside(build)
    return build


@pytest.fixture(scope="module")
def results(build: Build) -> list[RuleResult]:
    return grade(build, "raw")


def _planted(world: Simulation, fate: str) -> pl.DataFrame:
    assert world.ledger is not None
    return world.ledger.filter(pl.col("fate") == fate).select(KEY)


def _rows(frame: pl.DataFrame) -> set[tuple[object, ...]]:
    return set(frame.rows())


def test_what_is_set_aside_is_what_was_planted_under_every_rule_and_nothing_else(
    build: Build, world: Simulation
) -> None:
    held = build.warehouse.query("SELECT table_name, row_number, rule_id FROM quality.quarantine")
    assert _rows(held) == _rows(_planted(world, "quarantine"))
    assert _planted(world, "quarantine")["rule_id"].n_unique() >= 30


def test_exact_duplicates_are_those_that_were_planted(build: Build, world: Simulation) -> None:
    held = build.warehouse.query("SELECT table_name, row_number FROM intake.duplicate")
    assert _rows(held) == _rows(_planted(world, "duplicate").drop("rule_id"))


def test_records_to_warn_of_are_kept_and_told(build: Build, world: Simulation) -> None:
    told = set()
    for rule in rules_of("raw"):
        if rule.severity == "warn" and "source_file" in rule.sql:
            rows = build.warehouse.query(rule.query())["row_number"]
            told |= {(rule.table, number, rule.id) for number in rows}
    planted = _rows(_planted(world, "warn"))
    assert planted
    assert planted <= told
    held = {row[:2] for row in build.warehouse.query("SELECT table_name, row_number FROM quality.quarantine").rows()}
    assert not held & {row[:2] for row in planted}


def test_the_account_balances_and_the_counts_are_those_of_the_ledger(
    build: Build, world: Simulation, results: list[RuleResult]
) -> None:
    for row in build.warehouse.read("quality.row_account").iter_rows(named=True):
        planted = _planted(world, "quarantine").filter(pl.col("table_name") == row["table_name"])
        twice = _planted(world, "duplicate").filter(pl.col("table_name") == row["table_name"])
        received = world.tables[row["table_name"]].height
        assert (row["rows_in"], row["rows_quarantined"], row["rows_duplicate"]) == (
            received, planted["row_number"].n_unique(), twice.height,
        )  # fmt: skip
        assert row["rows_kept"] == received - row["rows_quarantined"] - row["rows_duplicate"]
    failed = {
        (result.rule.table, result.rule.id)
        for result in results
        if result.status == "fail" and result.rule.severity == "quarantine"
    }
    assert failed == set(_planted(world, "quarantine").select("table_name", "rule_id").rows())
    assert not any(result.is_blocking for result in results)


def test_a_ledger_that_is_wrong_by_one_record_is_seen(build: Build, world: Simulation) -> None:
    held = _rows(build.warehouse.query("SELECT table_name, row_number, rule_id FROM quality.quarantine"))
    shifted = _planted(world, "quarantine").with_columns(row_number=pl.col("row_number") + 1)
    assert held != _rows(shifted)
    assert held != _rows(_planted(world, "quarantine").slice(1))


def test_the_clean_records_are_those_of_the_demonstration(world: Simulation) -> None:
    without_symptoms = replace(DEMO, omalizumab=OmalizumabPlan())  # of which the bad records have their own
    clean = simulate_profile(
        without_symptoms, persons=None, seed=7, drugs=reference_frame("drug"), outcomes=reference_frame("outcome")
    )
    for name, frame in clean.tables.items():
        kept = world.tables[name].head(frame.height).select(frame.columns)
        assert kept.equals(frame.cast(pl.String)), name
