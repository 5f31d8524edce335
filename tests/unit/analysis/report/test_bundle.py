"""The bundle: which files there are, that they repeat byte for byte, and that the page needs nothing else."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import polars as pl
import pytest

from analysis.report import REPORT_TABLES, ReportError, ReportInput, write_bundle
from analysis.report.tables import TABLES
from tests.unit.analysis.report.small import small_report

FINGERPRINT = "f" * 64


def written(report: ReportInput, folder: Path, **run: str) -> dict[str, bytes]:
    paths = write_bundle(report, folder, run=run or {"run_id": "one"}, fingerprint=FINGERPRINT)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_the_bundle_holds_page_estimates_every_table_figures_and_manifest(tmp_path: Path) -> None:
    files = written(small_report(), tmp_path / "report")
    assert {"index.html", "estimates.csv", "estimates.parquet", "manifest.json"} <= set(files)
    assert {f"tables/{table.id}.csv" for table in TABLES} <= set(files)
    assert {f"figures/{name}.svg" for name in ("attrition", "exposure", "persistence", "incidence", "ladder")} <= set(
        files
    )
    assert set(files) == {
        path.relative_to(tmp_path / "report").as_posix() for path in (tmp_path / "report").rglob("*") if path.is_file()
    }


def test_same_input_in_any_row_order_gives_the_same_bytes_but_for_run(tmp_path: Path) -> None:
    report = small_report()
    turned = ReportInput(report.spec, {name: frame.reverse() for name, frame in report.frames.items()})
    first = written(report, tmp_path / "a", run_id="one", started_at="2026-01-01")
    second = written(turned, tmp_path / "b", run_id="two", started_at="2026-02-02")
    manifests = [json.loads(files.pop("manifest.json")) for files in (first, second)]
    assert first == second
    assert [manifest.pop("run")["run_id"] for manifest in manifests] == ["one", "two"]
    assert manifests[0] == manifests[1]


def test_manifest_lists_the_hash_of_every_other_file(tmp_path: Path) -> None:
    files = written(small_report(), tmp_path / "report")
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["artefacts"] == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    assert manifest["fingerprint"] == FINGERPRINT
    assert manifest["data_cut"] == "2024-12-31"
    assert manifest["inputs"][0] == {
        "table_name": "person",
        "source_file": "person.csv",
        "sha256": "a" * 64,
        "row_count": 210,
    }
    assert {row["rule_id"] for row in manifest["expectations"]} == {"DQ001", "DQ007", "DQ030", "DQ032"}
    assert manifest["study"]["id"] == "pairs"


def test_the_clock_stands_nowhere_but_in_run(tmp_path: Path) -> None:
    files = written(small_report(), tmp_path / "report", started_at="2026-11-22T10:00:00", run_id="run-71")
    del files["manifest.json"]
    assert not [name for name, content in files.items() if b"2026-11-22" in content or b"run-71" in content]


def test_the_page_asks_for_no_other_file_to_be_shown(tmp_path: Path) -> None:
    page = written(small_report(), tmp_path / "report")["index.html"].decode()
    outside = re.findall(
        r"<(?:script|link|img|iframe|image|use|source)[^>]+(?:src|href|srcset)=[\"'](?!data:|#)([^\"']+)", page
    ) + re.findall(r"(?:url\(|@import\s+)[\"']?((?:https?:)?//[^)\"']+)", page)
    assert outside == []
    assert "<script" not in page
    assert not re.findall(r"href=\"https?:", page)


def test_ids_and_the_references_to_them_are_unique_on_the_page(tmp_path: Path) -> None:
    page = written(small_report(), tmp_path / "report")["index.html"].decode()
    ids = re.findall(r"\bid=\"([^\"]+)\"", page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"href=\"#([^\"]+)\"", page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_no_person_identifier_in_any_file(tmp_path: Path) -> None:
    files = written(small_report(), tmp_path / "report")
    # The SELECT of a rule names columns, which are no one's identifier.
    told = {name: re.sub(rb"<pre>.*?</pre>", b"", content, flags=re.DOTALL) for name, content in files.items()}
    assert not [name for name, content in told.items() if b"person_id" in content or b"person_source_value" in content]


def test_rare_or_free_text_values_are_counted_and_not_shown(tmp_path: Path) -> None:
    files = written(small_report(), tmp_path / "report")
    assert not [name for name, content in files.items() if b"Jane Doe" in content or b"free text" in content]
    assert b"saline" in files["tables/unmapped_drugs.csv"]


def test_text_of_the_study_file_is_escaped(tmp_path: Path) -> None:
    page = written(small_report(), tmp_path / "report")["index.html"].decode()
    assert "Two drugs &lt;together&gt;" in page
    assert "<together>" not in page


def test_estimates_are_written_as_they_are(tmp_path: Path) -> None:
    report = small_report()
    written(report, tmp_path / "report")
    assert pl.read_parquet(tmp_path / "report/estimates.parquet").equals(
        report.frames["estimate.result"].sort("estimate_id")
    )


def test_a_missing_table_or_a_filled_folder_is_refused(tmp_path: Path) -> None:
    report = small_report()
    frames = {name: frame for name, frame in report.frames.items() if name != "cohort.attrition"}
    with pytest.raises(ReportError, match=r"cohort\.attrition"):
        write_bundle(ReportInput(report.spec, frames), tmp_path / "report", run={}, fingerprint="")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/old.txt").write_text("old", encoding="utf-8")
    with pytest.raises(ReportError, match="not empty"):
        write_bundle(report, tmp_path / "full", run={}, fingerprint="")
    assert set(REPORT_TABLES) == set(report.frames)
