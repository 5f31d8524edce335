"""What a run says of its data: the last publication beside, views, thresholds that grade and set nothing aside, rows to look at."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import polars as pl
import pytest

from analysis.study.read import StudyError
from pipelines.check_only import check_source, regrade_stored
from pipelines.doors import check_thresholds
from tests.pipeline.records import DEFAULT_STUDY, TABLES, write_records
from tests.pipeline.test_run import run_study
from tests.whole_run import small_study

pytestmark = pytest.mark.filterwarnings("default")
ORPHANS = "\n".join(
    [TABLES["adverse_event"].strip(), *(f"9{number},NOBODY,Headache,2020-03-0{number},N" for number in range(1, 4))]
)


def _study(folder: Path, extra: str = "") -> Path:
    path = folder / "study.toml"
    path.write_text(DEFAULT_STUDY.read_text(encoding="utf-8") + extra, encoding="utf-8")
    return path


def test_a_run_stands_beside_the_last_publication_on_other_input_however_often_it_is_repeated(tmp_path: Path) -> None:
    out, study = tmp_path / "out", _study(tmp_path)
    assert run_study(write_records(tmp_path / "one"), out, study) is None
    assert _trend(out) == (None, None)
    first = _trend(out, "rows_in")[0]
    more = TABLES["person"].strip() + "\nP999,F,1990\n"
    source = write_records(tmp_path / "two", person=more)
    for _ in range(2):
        assert run_study(source, out, study) is None
        assert _trend(out) == (first, 0)
    page = (out / "report" / "index.html").read_text(encoding="utf-8")
    assert "Received last time" in page
    assert (
        "expectations.html" in json.loads((out / "report" / "manifest.json").read_text(encoding="utf-8"))["artefacts"]
    )


def test_a_table_that_is_gone_since_the_last_publication_stops_the_run(tmp_path: Path) -> None:
    out, study = tmp_path / "out", _study(tmp_path)
    deaths = "person_id,death_date\nA3,2020-06-30\n"
    assert run_study(write_records(tmp_path / "one", death=deaths), out, study) is None
    failure = run_study(write_records(tmp_path / "two"), out, study)
    assert failure is not None
    assert "DQ003 death.fewer" in failure.message
    allowed = _study(tmp_path, "\n[[quality.threshold]]\nrule = 'DQ003'\ntable = 'death'\nnever_block = true\n")
    assert run_study(write_records(tmp_path / "three"), out, allowed) is None


def test_another_study_and_simulated_records_stand_beside_no_publication(tmp_path: Path) -> None:
    out, source = tmp_path / "out", write_records(tmp_path / "source")
    assert run_study(source, out, _study(tmp_path)) is None
    other = tmp_path / "other.toml"
    other.write_text(
        DEFAULT_STUDY.read_text(encoding="utf-8").replace('id = "biologic_combination"', 'id = "other"'),
        encoding="utf-8",
    )
    assert run_study(source, out, other) is None
    assert _trend(out) == (None, None)
    (source / "truth.json").write_text("{}", encoding="utf-8")
    assert run_study(source, out, other) is None
    assert _trend(out) == (None, None)


def _trend(out: Path, *columns: str) -> tuple[object, ...]:
    chosen = ", ".join(columns) or "previous_rows_in, previous_rows_quarantined"
    with duckdb.connect(str(out / "coexposure.duckdb"), read_only=True) as con:
        (row,) = con.execute(f"SELECT {chosen} FROM quality.account_trend WHERE table_name = 'person'").fetchall()
    return tuple(row)


def test_a_threshold_decides_whether_orphans_stop_a_run_and_never_which_rows_are_set_aside(tmp_path: Path) -> None:
    source, check = write_records(tmp_path / "source", adverse_event=ORPHANS), tmp_path / "check"
    strict = check_source(_study(tmp_path), source, check)
    told = pl.col("rule_id").eq("DQ008") & pl.col("table_name").eq("adverse_event")
    assert strict.filter(told)["is_blocking"].to_list() == [True]
    failed = strict.filter(told)["rows_failed"].to_list()
    loose = _study(tmp_path, "\n[[quality.threshold]]\nrule = 'DQ008'\ntable = 'adverse_event'\nblock_above = 0.99\n")
    again = regrade_stored(loose, check)
    assert again.filter(told)["is_blocking"].to_list() == [False]
    assert again.filter(told)["rows_failed"].to_list() == failed
    assert "SELECT" in (check / "expectations.html").read_text(encoding="utf-8")


def test_a_threshold_of_a_rule_that_there_is_not_is_refused() -> None:
    check_thresholds(small_study(quality={"threshold": [{"rule": "DQ008", "table": "visit"}]}))
    for wrong in ({"rule": "DQ999"}, {"rule": "DQ008", "table": "visits"}, {"rule": "DQ008", "field": "nobody"}):
        with pytest.raises(StudyError, match=r"quality\.threshold: no rule DQ"):
            check_thresholds(small_study(quality={"threshold": [wrong]}))


def test_what_stops_a_run_names_rows_to_look_at(tmp_path: Path) -> None:
    source = write_records(tmp_path / "source", adverse_event=ORPHANS)
    failure = run_study(source, tmp_path / "out", _study(tmp_path))
    assert failure is not None
    assert "for example adverse_event.csv row" in failure.message
    assert "NOBODY" not in failure.message


def test_the_views_show_bad_records_once_with_all_their_rules(tmp_path: Path) -> None:
    assert (
        run_study(write_records(tmp_path / "source", person=TABLES["person"].strip() + "\nP998,F,\n"), tmp_path / "out")
        is None
    )
    with duckdb.connect(str(tmp_path / "out" / "coexposure.duckdb"), read_only=True) as con:
        bad = con.execute("SELECT table_name, rule_ids, record FROM quality.bad_record").fetchall()
        failed = con.execute(
            "SELECT rule_id, rows_failed FROM quality.failed_rule WHERE severity = 'quarantine'"
        ).fetchall()
    assert [row[:2] for row in bad] == [("person", "DQ018")]
    assert "P998" in bad[0][2]
    assert failed == [("DQ018", 1)]
