"""The report bundle: frames in, a folder of files out.

Owns the names of the files, the manifest and that the same input gives the same bytes. Disclosure control acts here,
before anything is shown. Reads no database and no clock; what a table, figure or sentence says is in the modules
beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from analysis.disclosure import disclosed
from analysis.report.expectations_page import render_expectations
from analysis.report.figures import Figure, drawn_figures
from analysis.report.page import render_page
from analysis.report.quality import field_name
from analysis.report.table import ShownTable
from analysis.report.tables import shown_tables
from analysis.report.view import View
from analysis.study.spec import StudySpec

REPORT_TABLES: tuple[str, ...] = (
    "estimate.result",
    "estimate.curve",
    "estimate.diagnostic",
    "cohort.attrition",
    "summary.baseline",
    "summary.exposure_time",
    "summary.ending_count",
    "pkpd.around_withdrawal",
    "pkpd.class_course",
    "pkpd.symptom_course",
    "quality.row_account",
    "quality.rule_result",
    "quality.unmapped",
    "quality.data_cut",
    "meta.source",
    "meta.source_table",
    "meta.input_file",
    "meta.previous_table",
    "meta.previous_rule",
    "meta.sql_digest",
    "meta.package_version",
    "spec.drug",
    "spec.drug_policy",
    "spec.exposure_rule",
    "spec.outcome",
    "spec.outcome_component",
    "spec.contrast",
    "reference.benchmark",
    "reference.benchmark_estimate",
    "reference.infection_group",
    "reference.observation_policy",
    "reference.predictive_value",
    "reference.care_item",
    "reference.combination_warning",
)
MANIFEST = "manifest.json"


class ReportError(ValueError):
    """The report cannot be written from what was given."""


@dataclass(frozen=True)
class ReportInput:
    """A study and the frames of REPORT_TABLES, by table name."""

    spec: StudySpec
    frames: Mapping[str, pl.DataFrame]


def write_bundle(report: ReportInput, folder: Path, *, run: Mapping[str, str], fingerprint: str) -> list[Path]:
    """Writes the report into an empty folder and returns its files; the same input gives the same bytes but for `run`.

    run: clock and ids, kept in manifest.json only. Raises ReportError for a missing frame and for a folder that holds
    anything.
    """
    if missing := sorted(set(REPORT_TABLES) - set(report.frames)):
        raise ReportError(f"the report needs the tables {', '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ReportError(f"the folder of the report is not empty: {folder.name}")
    disclosure = report.spec.disclosure
    frames = {name: _ordered(report.frames[name]) for name in REPORT_TABLES}
    view = View(report.spec, disclosed(frames, profile=disclosure.profile, minimum_count=disclosure.minimum_count))
    tables, figures = shown_tables(view), drawn_figures(view)
    page = render_page(view, tables, figures, fingerprint=fingerprint)
    written = _write_estimates(view, folder) + _write_tables(tables, folder) + _write_figures(figures, folder)
    written.append(_write_text(folder / "index.html", page))
    rules = render_expectations(
        view.frames["quality.rule_result"], view.frames["meta.previous_rule"], title=report.spec.report.title or report.spec.study.title
    )  # fmt: skip
    written.append(_write_text(folder / "expectations.html", rules))
    manifest = _manifest(view, written, folder, fingerprint=fingerprint) | {"run": dict(sorted(run.items()))}
    written.append(_write_text(folder / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"))
    return sorted(written)


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows in the order of all columns, so that the order they came in does not show."""
    return frame.sort(frame.columns, nulls_last=True) if frame.width and frame.height else frame


def _write_estimates(view: View, folder: Path) -> list[Path]:
    estimates = view.frames["estimate.result"].sort("estimate_id")
    paths = [folder / "estimates.csv", folder / "estimates.parquet"]
    estimates.write_csv(paths[0])
    estimates.write_parquet(paths[1], compression="zstd", statistics=False)
    return paths


def _write_tables(tables: Mapping[str, ShownTable], folder: Path) -> list[Path]:
    (folder / "tables").mkdir()
    paths = []
    for name, table in sorted(tables.items()):
        paths.append(folder / "tables" / f"{name}.csv")
        table.data.write_csv(paths[-1])
    return paths


def _write_figures(figures: Mapping[str, tuple[Figure, str, str]], folder: Path) -> list[Path]:
    (folder / "figures").mkdir()
    return [
        _write_text(folder / "figures" / f"{name}.svg", '<?xml version="1.0" encoding="utf-8"?>\n' + svg)
        for name, (_, svg, _) in sorted(figures.items())
    ]


def _write_text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _manifest(view: View, written: list[Path], folder: Path, *, fingerprint: str) -> dict[str, object]:
    study, disclosure = view.spec.study, view.spec.disclosure
    artefacts = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(written)
    }
    return {
        "study": {"id": study.id, "title": study.title, "version": study.version, "digest": view.spec.digest()},
        "data_cut": view.data_cut,
        "disclosure": {"profile": disclosure.profile, "minimum_count": disclosure.minimum_count},
        "fingerprint": fingerprint,
        "artefacts": artefacts,
        "inputs": [
            {name: row[name] for name in ("table_name", "source_file", "sha256", "row_count")}
            for row in view.rows("meta.input_file")
        ],
        "sql_digests": {str(row["table_name"]): row["sha256"] for row in view.rows("meta.sql_digest")},
        "package_versions": {str(row["package"]): row["version"] for row in view.rows("meta.package_version")},
        "expectations": [
            {
                "rule_id": row["rule_id"],
                "table_name": row["table_name"],
                "field": field_name(row["field"]),
                "severity": row["severity"],
                "rows_checked": row["rows_checked"],
                "rows_failed": row["rows_failed"],
                "status": row["status"],
            }
            for row in view.rows("quality.rule_result")
        ],
    }
