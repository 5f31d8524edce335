"""The commands that the public contract names, each on the output of one small run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipelines.cli import _exit_code
from tests.pipeline.records import DEFAULT_STUDY, TABLES, write_records
from tests.pipeline.test_run import run_study

pytestmark = pytest.mark.filterwarnings("default")
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source and its published output."""
    place = tmp_path_factory.mktemp("cli")
    assert run_study(write_records(place / "source"), place / "out") is None
    return place


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `coexposure` with these words; gives exit code, standard output and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["coexposure", *map(str, words)])
        code = _exit_code()
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_every_command_has_help(command: Command) -> None:
    for name in ("run", "demo", "simulate", "check", "report", "schema", "sql", "query", "diff"):
        code, out, _ = command(name, "--help")
        assert code == 0
        assert name in out


def test_an_unknown_command_is_wrong_usage(command: Command) -> None:
    code, _, err = command("frobnicate")
    assert code == 2
    assert "frobnicate" in err
    assert "Traceback" not in err


def test_schema_prints_the_json_schema_of_the_study_file(command: Command) -> None:
    code, out, _ = command("schema")
    assert code == 0
    assert {"study", "drugs", "outcome"} <= json.loads(out)["properties"].keys()


def test_sql_lists_tables_and_prints_the_select_behind_one(command: Command) -> None:
    code, out, _ = command("sql")
    assert code == 0
    assert "exposure.episode" in out
    code, out, _ = command("sql", "exposure.episode")
    assert code == 0
    assert "prescription_count" in out
    code, out, _ = command("sql", "exposure.episode", "--dialect", "spark")
    assert code == 0
    assert "DATEDIFF" in out.upper()


def test_sql_of_an_unknown_table_names_the_nearest(command: Command) -> None:
    code, _, err = command("sql", "exposure.epsode")
    assert code == 2
    assert "exposure.episode" in err


def test_query_answers_and_says_how_many_rows(folder: Path, command: Command) -> None:
    code, out, _ = command("query", "SELECT COUNT(*) AS persons FROM staged.person", "--out", folder / "out")
    assert code == 0
    assert "3" in out
    assert "1 rows" in out


@pytest.mark.parametrize(
    "statement", ["DROP TABLE staged.person", "SELECT * FROM read_csv('/etc/hostname')", "SELECT nothing FROM nowhere"]
)
def test_query_neither_writes_nor_reads_other_files(folder: Path, command: Command, statement: str) -> None:
    code, _, err = command("query", statement, "--out", folder / "out")
    assert code == 2
    assert err.count("coexposure:") == 1


def test_query_without_a_database_says_what_to_do(tmp_path: Path, command: Command) -> None:
    code, _, err = command("query", "SELECT 1", "--out", tmp_path)
    assert code == 2
    assert "run a study first" in err


def test_check_shows_what_fails_and_publishes_nothing(folder: Path, tmp_path: Path, command: Command) -> None:
    dated = TABLES["prescription"] + "8,A2,dispensing,Xolair,1970-01-01,28\n"
    source = write_records(tmp_path / "source", prescription=dated)
    code, out, _ = command("check", DEFAULT_STUDY, "--source", source, "--out", tmp_path / "out")
    assert code == 0
    assert "DQ010" in out
    assert not (tmp_path / "out" / "coexposure.duckdb").exists()
    results = pl.read_csv(tmp_path / "out" / "check" / "rule_result.csv")
    assert results.filter((pl.col("rule_id") == "DQ010") & (pl.col("rows_failed") == 1)).height == 1

    shutil.rmtree(source)
    code, again, _ = command("check", DEFAULT_STUDY, "--out", tmp_path / "out", "--regrade")
    assert code == 0
    assert "DQ010" in again


def test_check_of_blocked_data_exits_with_3(tmp_path: Path, command: Command) -> None:
    source = write_records(tmp_path / "source", prescription=TABLES["prescription"].replace("2019-06-01", "01/06/2019"))
    code, _, err = command("check", DEFAULT_STUDY, "--source", source, "--out", tmp_path / "out")
    assert code == 3
    assert "the data are blocked. DQ" in err
    assert "for example prescription.csv row" in " ".join(err.split())


def test_report_renders_the_same_bytes_again_from_the_database(folder: Path, command: Command) -> None:
    page = folder / "out" / "report" / "index.html"
    before = page.read_bytes()
    code, out, _ = command("report", DEFAULT_STUDY, "--out", folder / "out")
    assert code == 0
    assert str(page.resolve()) in out
    assert page.read_bytes() == before


def test_report_refuses_a_study_that_differs_from_the_one_that_was_run(
    folder: Path, tmp_path: Path, command: Command
) -> None:
    study = tmp_path / "study.toml"
    study.write_text(DEFAULT_STUDY.read_text().replace("look_back_days = 365", "look_back_days = 364"))
    code, _, err = command("report", study, "--out", folder / "out")
    assert code == 2
    assert "run the study again" in err


def test_diff_of_a_folder_with_itself_is_empty_and_of_a_changed_one_names_the_estimate(
    folder: Path, tmp_path: Path, command: Command
) -> None:
    code, out, _ = command("diff", folder / "out", folder / "out")
    assert (code, out) == (0, "no difference\n")
    more = TABLES["adverse_event"] + "2,A2,Pneumonia,2019-03-20,Y\n"
    assert run_study(write_records(tmp_path / "source", adverse_event=more), tmp_path / "out") is None
    code, out, _ = command("diff", folder / "out", tmp_path / "out")
    assert code == 0
    assert "inputs adverse_event.csv: changed" in out
    assert "estimate incidence/incidence_rate_per_100py/primary/all_time" in out


def test_simulate_writes_the_tables_with_their_truth_and_refuses_a_full_folder(
    tmp_path: Path, command: Command
) -> None:
    target = tmp_path / "records"
    code, _, _ = command("simulate", "--profile", "tiny_koc", "--out", target)
    assert code == 0
    assert {"person.csv", "prescription.csv", "truth.json", "truth_person.parquet"} <= {
        p.name for p in target.iterdir()
    }
    code, _, err = command("simulate", "--profile", "tiny_koc", "--out", target)
    assert code == 2
    assert "not empty" in err


def test_an_unknown_profile_names_the_known_ones(tmp_path: Path, command: Command) -> None:
    code, _, err = command("simulate", "--profile", "huge", "--out", tmp_path / "x")
    assert code == 2
    assert "demo" in err
