"""The whole way: files to published database and report, by the same job that Dagster runs."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pytest
from rich.console import Console

from pipelines.execute import RunFailure, execute_study
from pipelines.paths import Output
from tests.pipeline.records import DEFAULT_STUDY, TABLES, write_records

pytestmark = pytest.mark.filterwarnings("default")  # what Dagster and Great Expectations warn of is theirs


def run_study(source: Path, out: Path, study: Path = DEFAULT_STUDY) -> RunFailure | None:
    """One run with Dagster's storage in memory and the progress display thrown away."""
    with dg.DagsterInstance.ephemeral() as instance:
        return execute_study(
            study, source, Output(out), run_id=str(uuid.uuid4()), screen=Console(file=io.StringIO()), instance=instance
        )


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder made from the hand-made records."""
    folder = tmp_path_factory.mktemp("run")
    source = write_records(folder / "source")
    assert run_study(source, folder / "out") is None
    return folder / "out"


@pytest.fixture
def database(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A reader of the published database."""
    with duckdb.connect(str(published / "coexposure.duckdb"), read_only=True) as con:
        yield con


def test_the_pair_of_the_hand_made_records_lasts_56_days(database: duckdb.DuckDBPyConnection) -> None:
    rows = database.execute(
        "SELECT regimen_id, CAST(start_date AS VARCHAR), CAST(stop_date AS VARCHAR), stopped_drugs, is_censored "
        "FROM exposure.combination_episode WHERE exposure_rule = 'primary'"
    ).fetchall()
    assert rows == [("infliximab+omalizumab", "2019-07-01", "2019-08-26", "omalizumab", False)]


def test_the_event_is_counted_once_in_the_lagged_state(database: duckdb.DuckDBPyConnection) -> None:
    # 5 August minus 7 days is 29 July: both drugs, one class of the Toruner ladder.
    rows = database.execute(
        "SELECT dimension, level, event_count FROM summary.event_count WHERE exposure_rule = 'primary' "
        "AND population = 'all_time' AND outcome_id = 'serious_infection' AND event_count > 0 ORDER BY dimension"
    ).fetchall()
    assert rows == [
        ("broad", "1", 1), ("overall", "all", 1), ("regimen", "infliximab+omalizumab", 1), ("study_drugs", ">=2", 1),
        ("toruner", "1", 1),
    ]  # fmt: skip


def test_a_drug_that_is_not_ours_is_kept_and_counted(database: duckdb.DuckDBPyConnection) -> None:
    assert database.execute("SELECT source_value, row_count FROM quality.unmapped").fetchall() == [("aspirin", 1)]


def test_no_person_identifier_is_in_the_report(published: Path) -> None:
    for path in (published / "report").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(identifier in content for identifier in (b"A1,", b">A1<", b'"A1"')), path.name


def test_scratch_is_purged_and_no_write_ahead_log_stays(published: Path) -> None:
    assert list((published / "build").iterdir()) == []
    assert not list(published.glob("*.wal"))


@pytest.mark.data
def test_the_output_keeps_the_public_contract(published: Path, contract_checker: Path) -> None:
    done = subprocess.run([sys.executable, contract_checker, published], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_second_run_on_the_same_input_gives_the_same_bytes(published: Path, tmp_path: Path) -> None:
    source = write_records(tmp_path / "source")
    assert run_study(source, tmp_path / "out") is None
    first, second = _bundle(published), _bundle(tmp_path / "out")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def _bundle(out: Path) -> dict[str, object]:
    files: dict[str, object] = {
        path.relative_to(out / "report").as_posix(): path.read_bytes()
        for path in sorted((out / "report").rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
    manifest = json.loads((out / "report" / "manifest.json").read_text(encoding="utf-8"))
    return files | {"manifest.json": {key: value for key, value in manifest.items() if key != "run"}}


def test_the_order_of_rows_changes_no_estimate(published: Path, tmp_path: Path) -> None:
    header, *rows = TABLES["prescription"].strip().split("\n")
    source = write_records(tmp_path / "source", prescription="\n".join([header, *reversed(rows), ""]))
    assert run_study(source, tmp_path / "out") is None
    first, second = (pl.read_parquet(out / "report" / "estimates.parquet") for out in (published, tmp_path / "out"))
    assert first.equals(second)


def test_a_reader_that_holds_the_database_open_disturbs_nobody_and_keeps_its_rows(tmp_path: Path) -> None:
    source, out = write_records(tmp_path / "source"), tmp_path / "out"
    assert run_study(source, out) is None
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, str(out / "coexposure.duckdb")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert reader.stdin is not None
    assert reader.stdout is not None
    assert reader.stdout.readline() == "7\n"
    write_records(source, prescription=TABLES["prescription"] + "8,A3,dispensing,Xolair,2019-05-01,28\n")
    assert run_study(source, out) is None
    answer, _ = reader.communicate("again\n", timeout=60)
    assert answer == "7\n"
    with duckdb.connect(str(out / "coexposure.duckdb"), read_only=True) as con:
        assert con.execute("SELECT COUNT(*) FROM staged.prescription").fetchall() == [(8,)]


_READER = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
count = "SELECT COUNT(*) FROM staged.prescription"
print(con.execute(count).fetchall()[0][0], flush=True)
sys.stdin.readline()
print(con.execute(count).fetchall()[0][0], flush=True)
"""


def test_time_by_age_sex_and_year_is_all_of_observed_time_under_every_rule(
    published: Path, database: duckdb.DuckDBPyConnection
) -> None:
    observed = database.execute(
        "SELECT SUM(DATE_DIFF('day', start_date, stop_date)) FROM staged.observation_period"
    ).fetchall()
    cells = database.execute("SELECT SUM(person_days) FROM summary.exposure_cell GROUP BY exposure_rule").fetchall()
    assert cells == observed * 3
