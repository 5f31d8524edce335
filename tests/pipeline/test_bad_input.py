"""Bad input: each kind with its exit code and one message that says what to do; the published files untouched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl
import pytest

from analysis.study.read import StudyError
from pipelines.cli import _exit_code
from pipelines.errors import EXIT_CODES
from tests.pipeline.records import DEFAULT_STUDY, TABLES, write_records
from tests.pipeline.test_run import run_study

pytestmark = pytest.mark.filterwarnings("default")
PRESCRIPTION, PERSON = TABLES["prescription"], TABLES["person"]
HEADER = PRESCRIPTION.strip().split("\n")[0] + "\n"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder of a good run."""
    folder = tmp_path_factory.mktemp("good")
    assert run_study(write_records(folder / "source"), folder / "out") is None
    return folder / "out"


CASES = [
    ("a required table is missing", {"person": None}, 2, ["person", "DQ001"]),
    ("a required column is missing", {"person": PERSON.replace("sex", "gender")}, 2, ["person.csv", "sex", "gender"]),
    ("a file of 0 bytes", {"adverse_event": ""}, 2, ["adverse_event.csv", "0 bytes"]),
    ("a header only", {"prescription": HEADER}, 3, ["DQ001", "prescription"]),
    ("a wrong type in a column", {"prescription": PRESCRIPTION.replace("2019-06-01", "soon")}, 3, ["DQ002", "start_date", "1 of 7"]),
    ("day and month unclear", {"prescription": PRESCRIPTION.replace("2019-06-01", "01/06/2019")}, 3, ["DQ012", "YYYY-MM-DD"]),
    (
        "day and month unclear often",
        {"prescription": PRESCRIPTION.replace("2019-0", "01/0")},
        3,
        ["7 of 7", "prescription.csv row 1, prescription.csv row 2, prescription.csv row 3"],
    ),
    ("too many orphans", {"prescription": PRESCRIPTION + "9,A9,dispensing,Xolair,2019-03-01,\n"}, 3, ["DQ008", "1 of 8"]),
    ("a row with too few columns", {"prescription": PRESCRIPTION + "9,A1\n"}, 2, ["prescription.csv", "line 9", "fewer cells"]),
    (
        "no study drug in the data",
        {"prescription": PRESCRIPTION.replace("infliximab", "x").replace("Xolair", "y").replace("humira", "z")},
        4,
        ["study drug", "7 kept"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("why", "changed", "code", "said"), CASES, ids=[case[0] for case in CASES])
def test_bad_records_leave_the_published_files_untouched(
    good: Path, tmp_path: Path, why: str, changed: dict[str, str | None], code: int, said: list[str]
) -> None:
    before = _state(good)
    failure = run_study(write_records(tmp_path / "source", **changed), good)
    assert failure is not None, why
    assert EXIT_CODES[failure.kind] == code
    assert all(word in failure.message for word in said), failure.message
    assert not any(identifier in failure.message for identifier in ("A1", "A9")), "a message names a person"
    assert "Traceback" not in failure.message
    assert _state(good) == before


def test_binary_junk_is_refused(good: Path, tmp_path: Path) -> None:
    source = write_records(tmp_path / "source")
    (source / "person.csv").write_bytes(bytes(range(256)) * 20)
    failure = run_study(source, good)
    assert failure is not None
    assert EXIT_CODES[failure.kind] == 2
    assert "person.csv" in failure.message


def test_text_that_is_not_utf8_is_refused_where_utf8_is_declared_without_showing_it(good: Path, tmp_path: Path) -> None:
    source = write_records(tmp_path / "source")
    (source / "person.csv").write_bytes(PERSON.lstrip().encode() + "A4,F,Zoë".encode("latin-1"))
    study = tmp_path / "study.toml"
    text = DEFAULT_STUDY.read_text(encoding="utf-8")
    study.write_text(text.replace("[source]", '[source]\nencoding = "utf-8"', 1), encoding="utf-8")
    failure = run_study(source, good, study)
    assert failure is not None
    assert EXIT_CODES[failure.kind] == 2
    assert "person.csv is not in UTF-8" in failure.message
    assert "Zo" not in failure.message


STUDY_CASES = [
    ("look_back_days", "look_bak_days", "look_bak_days", "look_back_days"),
    ('id = "biologic_combination"', 'id = "biologic_combination"\nstart_date = 2020-01-01\nend_date = 2019-01-01', "end_date", "before"),
    ('"agent_type:biologic"', '"omalizumap"', "omalizumap", "omalizumab"),
    ('id = "serious_infection"\n', 'id = "serious_infektion"\n', "serious_infection", "not in the study"),
    ("[study]", "[study", "TOML", "readable"),
    ('id = "tail_90"', 'id = "tail_90"\nbridge_hospital_stays = true', "table visit", "leave the setting out"),
    ('id = "tail_90"', 'id = "tail_90"\ndose_change = "convert"', "dose_change", "an overlap that carries supply"),
    ("[analysis]", "[case_control]\nwider_age_caliper_years = 1\n\n[analysis]", "wider_age_caliper_years", "age_caliper_years"),
    ('"matched_odds_ratio"', '"matched_odd_ratio"', "estimator", "matched_odds_ratio"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "what", "hint"), STUDY_CASES)
def test_a_study_file_that_cannot_be_used_is_said_with_what_to_do(
    tmp_path: Path, old: str, new: str, what: str, hint: str
) -> None:
    study = tmp_path / "study.toml"
    text = DEFAULT_STUDY.read_text(encoding="utf-8")
    assert old in text
    study.write_text(text.replace(old, new, 1), encoding="utf-8")
    try:
        failure = run_study(write_records(tmp_path / "source"), tmp_path / "out", study)
    except StudyError as error:
        message = str(error)
    else:
        assert failure is not None
        assert failure.kind == "StudyError"
        message = failure.message
    assert what in message
    assert hint in message
    assert not (tmp_path / "out" / "coexposure.duckdb").exists()


def test_an_adverse_event_table_without_rows_is_zero_events_with_upper_limits(tmp_path: Path) -> None:
    header = TABLES["adverse_event"].strip().split("\n")[0] + "\n"
    source = write_records(tmp_path / "source", adverse_event=header)
    assert run_study(source, tmp_path / "out") is None
    rates = pl.read_parquet(tmp_path / "out" / "report" / "estimates.parquet").filter(pl.col("analysis") == "incidence")
    deaths = pl.col("outcome_id") == "death"  # without a table of deaths
    assert set(rates.filter(deaths)["status"]) == {"not_assessable"}
    zeros = rates.filter(~deaths)
    assert zeros.height
    assert zeros["value"].to_list() == [0.0] * zeros.height
    assert zeros["upper"].is_not_null().all()


def test_the_command_line_gives_one_message_and_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["coexposure", "run", str(tmp_path / "none.toml")])
    assert _exit_code() == 2
    captured = capsys.readouterr()
    assert captured.err.count("coexposure:") == 1
    assert "study file not found" in captured.err
    assert "Traceback" not in captured.err


def _state(out: Path) -> dict[str, str]:
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and "build" not in path.relative_to(out).parts
    }
