"""`coexposure check`: ingest and expectations without publishing, and grading stored counts again."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from analysis.report.expectations_page import render_expectations
from analysis.study.spec import StudySpec
from expectations.rule import Rule, graded
from pipelines import doors, steps
from pipelines.doors import LAYERS, RESULT_TYPES
from pipelines.errors import UsageError
from pipelines.paths import Output
from pipelines.resources import StudyRun
from pipelines.steps import Build
from sql.catalog import queries
from sql.warehouse import Warehouse


def check_source(study: Path, source: Path | None, folder: Path) -> pl.DataFrame:
    """Reads a source and runs the raw and staged doors; returns `quality.rule_result` and leaves it in `folder`.

    Raises StudyError, InputError and UsageError.
    """
    settings = StudyRun(study=str(study), source=str(source or ""))
    spec = settings.spec()
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    build = Build(
        spec=spec, source=settings.source_path(spec), warehouse=Warehouse(folder / "check.duckdb"),
        published=Output(folder.parent).database,
    )  # fmt: skip
    build.warehouse.create()
    steps.load_spec(build)
    steps.load_reference(build)
    steps.ingest(build)
    doors.set_aside(build)
    results = doors.grade(build, "raw")
    if not any(result.is_blocking for result in results):
        for name, query in queries().items():
            if name.startswith("staged.") or name == "quality.unmapped":
                build.warehouse.build(query)
        doors.grade(build, "staged")
    return _stored(build.warehouse, folder, title=spec.study.title)


def regrade_stored(study: Path, folder: Path) -> pl.DataFrame:
    """Grades the counts of the last check by the present rules; which rows were set aside does not change.

    Raises UsageError when nothing was checked before, and StudyError.
    """
    spec = StudyRun(study=str(study)).spec()
    doors.check_thresholds(spec)
    warehouse = Warehouse(folder / "check.duckdb")
    if not warehouse.path.is_file():
        raise UsageError(f"nothing to grade again in {folder}: run `coexposure check` first")
    rules = _present_rules(spec)
    rows = []
    for row in warehouse.read("quality.rule_result").iter_rows(named=True):
        rule = rules.get((row["rule_id"], row["table_name"], row["field"]))
        if rule is not None and row["status"] != "not_assessable":
            rows.append(graded(rule, rows_checked=row["rows_checked"], rows_failed=row["rows_failed"]).row())
        else:
            rows.append(row)
    warehouse.write("quality.rule_result", pl.DataFrame(rows, schema_overrides=RESULT_TYPES))
    return _stored(warehouse, folder, title=spec.study.title)


def blocked_message(study: Path, folder: Path) -> str:
    """What would stop a run, by the counts of the last check and the present thresholds, with rows to look at; else empty."""
    warehouse, rules = Warehouse(folder / "check.duckdb"), _present_rules(StudyRun(study=str(study)).spec())
    results = [
        graded(rule, rows_checked=row["rows_checked"], rows_failed=row["rows_failed"])
        for row in warehouse.read("quality.rule_result", where="is_blocking").iter_rows(named=True)
        if (rule := rules.get((row["rule_id"], row["table_name"], row["field"])))
    ]
    return doors.blocked_message(warehouse, results)


def _present_rules(spec: StudySpec) -> dict[tuple[str, str, str], Rule]:
    return {rule.key: rule for layer in LAYERS for rule in doors.regraded(doors.rules_of(layer), spec)}


def _stored(warehouse: Warehouse, folder: Path, *, title: str) -> pl.DataFrame:
    results = warehouse.read("quality.rule_result")
    results.drop("sql").write_csv(folder / "rule_result.csv")
    page = render_expectations(results, warehouse.read("meta.previous_rule"), title=title)
    (folder / "expectations.html").write_text(page, encoding="utf-8", newline="\n")
    return results
