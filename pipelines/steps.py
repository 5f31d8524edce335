"""The steps of a run, each on the build file: what an asset does is one of these.

Owns the order inside a step and the tables that Python writes (spec, reference, meta, quality). Knows neither Dagster nor
the command line. What a table means is in `sql/`, what may be trusted in `expectations/`, what a number is in `analysis/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from analysis.study.read import StudyError
from analysis.study.spec import StudySpec
from analysis.study.tables import study_tables
from expectations.derived import DERIVED_RULES
from expectations.raw import raw_rules
from expectations.rule import Layer, Rule, RuleResult, graded, not_assessable
from expectations.staged import STAGED_RULES
from expectations.validate import ExpectationError, count_failures
from pipelines.ingest.files import SourceFile
from pipelines.ingest.native import ingest_native
from pipelines.ingest.omop import ingest_omop
from pipelines.ingest.tables import INPUT_TABLES
from sql.catalog import ROOT, queries, tables
from sql.warehouse import Warehouse, quoted

SIMULATED_TRUTH = "truth.json"  # the simulator writes it beside its records
RAW_QUERIES = ("quality.data_cut", "quality.drug_map")


class NothingToStudyError(ValueError):
    """Valid data in which nobody has a study drug, or nobody has observed time."""


@dataclass(frozen=True, slots=True)
class Build:
    """One run's inputs and its build file."""

    spec: StudySpec
    source: Path
    warehouse: Warehouse


def load_reference(build: Build) -> int:
    """Loads every reference table from its CSV, typed by its contract; returns how many tables."""
    names = [name for name in tables() if name.startswith("reference.")]
    with build.warehouse.session():
        for name in names:
            build.warehouse.write(name, reference_frame(name.split(".")[1]))
    return len(names)


def reference_frame(table: str) -> pl.DataFrame:
    """A reference table, all columns text, empty text as NULL."""
    return pl.read_csv(ROOT / "reference" / f"{table}.csv", infer_schema=False)


def load_spec(build: Build) -> int:
    """Writes the study's settings as the rows of `spec.*`; returns how many tables. Raises StudyError."""
    frames = study_tables(build.spec, {name: reference_frame(name) for name in ("drug", "outcome", "condition")})
    with build.warehouse.session():
        for name, frame in frames.items():
            build.warehouse.write(f"spec.{name}", frame)
    return len(frames)


def ingest(build: Build) -> list[SourceFile]:
    """Loads the source into `raw.*` and `intake.*` and describes it in `meta.*`. Raises InputError."""
    with build.warehouse.session():
        return _ingest(build, build.warehouse)


def _ingest(build: Build, warehouse: Warehouse) -> list[SourceFile]:
    warehouse.execute(
        "CREATE OR REPLACE TABLE intake.duplicate (table_name VARCHAR, source_file VARCHAR, row_number BIGINT)"
    )
    era_level = False
    if build.spec.source.format == "omop":
        omop = ingest_omop(warehouse, build.source, build.spec)
        files, era_level, raw_of = omop.files, omop.era_level, omop.raw_of
    else:
        files = ingest_native(warehouse, build.source, build.spec.source)
        raw_of = {file.table: file.table for file in files}
    _describe_tables(warehouse, raw_of)
    _require_tables(build.spec, raw_of)
    flags = ("observation_period", "adverse_event", "condition", "death", "discontinuation", "visit")
    row = {
        "source_format": build.spec.source.format,
        "is_simulated": (build.source / SIMULATED_TRUTH).is_file(),
        "era_level": era_level,
    }
    warehouse.write("meta.source", pl.DataFrame([row | {f"has_{name}": name in raw_of for name in flags}]))
    _describe_files(warehouse, files, raw_of)
    return files


def _require_tables(spec: StudySpec, raw_of: dict[str, str]) -> None:
    """Raises StudyError for a rule that needs a table which the source lacks: it would be another rule without a word."""
    for rule in spec.exposure_rule:
        if rule.bridge_hospital_stays and "visit" not in raw_of:
            raise StudyError(
                f"exposure_rule {rule.id!r}: bridge_hospital_stays needs the table visit, which the source does not have. "
                "Deliver it, or leave the setting out."
            )


def _describe_tables(warehouse: Warehouse, raw_of: dict[str, str]) -> None:
    duplicates = dict(warehouse.query("SELECT table_name, COUNT(*) FROM intake.duplicate GROUP BY table_name").rows())
    warehouse.write(
        "meta.source_table",
        pl.DataFrame(
            [
                {
                    "table_name": name, "raw_table": raw_of.get(name), "is_present": name in raw_of,
                    "rows_in": warehouse.count(f"raw.{raw_of[name]}") if name in raw_of else 0,
                    "rows_duplicate": duplicates.get(name, 0),
                }
                for name in INPUT_TABLES
            ],
            schema_overrides={"raw_table": pl.String},
        ),
    )  # fmt: skip


def _describe_files(warehouse: Warehouse, files: Sequence[SourceFile], raw_of: dict[str, str]) -> None:
    counted = [(file, _rows_of(warehouse, file, raw_of)) for file in files]
    warehouse.write(
        "meta.input_file",
        pl.DataFrame(
            [
                {
                    "table_name": file.table, "source_file": file.name, "sha256": file.sha256, "encoding": file.encoding,
                    "byte_count": file.path.stat().st_size, "row_count": rows,
                }
                for file, rows in counted
            ],
            schema_overrides={"encoding": pl.String},
        ),
    )  # fmt: skip


def _rows_of(warehouse: Warehouse, file: SourceFile, raw_of: dict[str, str]) -> int:
    held = [file.table] if file.table != "all" else sorted(set(raw_of.values()))
    counts = [f"SELECT COUNT(*) AS n FROM raw.{table} WHERE source_file = {quoted(file.name)}" for table in held]
    return int(warehouse.query(f"SELECT SUM(c.n) AS n FROM ({' UNION ALL '.join(counts)}) AS c")["n"][0])


def rules_of(layer: Layer) -> list[Rule]:
    """Every rule of a door, in the order in which they act."""
    if layer == "raw":
        columns = {
            name: [field.name for field in table.fields if field.kind != "text"] for name, table in INPUT_TABLES.items()
        }
        return raw_rules(columns, {name: table.key for name, table in INPUT_TABLES.items()})
    return list(STAGED_RULES if layer == "staged" else DERIVED_RULES)


def set_aside(build: Build) -> int:
    """Fills `quality.quarantine` by the rules that set records aside, persons first; returns the number of rows there."""
    with build.warehouse.session():
        return _set_aside(build.warehouse)


def _set_aside(warehouse: Warehouse) -> int:
    for name in RAW_QUERIES:
        warehouse.build(queries()[name])
    warehouse.write("quality.quarantine", pl.DataFrame(schema=dict.fromkeys(_columns("quality.quarantine"), pl.String)))
    raw_of = dict(warehouse.query("SELECT table_name, raw_table FROM meta.source_table WHERE is_present").rows())
    for rule in rules_of("raw"):
        if rule.severity == "quarantine" and rule.table in raw_of:
            warehouse.execute(
                f"INSERT INTO quality.quarantine SELECT DISTINCT '{rule.table}', k.source_file, k.row_number, '{rule.id}', "
                f"CAST(TO_JSON(w) AS VARCHAR) FROM ({rule.query()}) AS k INNER JOIN raw.{raw_of[rule.table]} AS w "
                "ON k.source_file = w.source_file AND k.row_number = w.row_number WHERE NOT EXISTS (SELECT 1 "
                f"FROM quality.quarantine AS q WHERE q.table_name = '{rule.table}' AND q.source_file = k.source_file "
                f"AND q.row_number = k.row_number AND q.rule_id = '{rule.id}')"
            )
    warehouse.build(queries()["quality.row_account"])
    return warehouse.count("quality.quarantine")


def grade(build: Build, layer: Layer) -> list[RuleResult]:
    """Counts the rules of a door with Great Expectations, grades them and stores the results.

    Raises ExpectationError when its counts differ from the rows that were set aside: then one of the two is wrong.
    """
    warehouse = build.warehouse
    present = set(warehouse.query("SELECT table_name FROM meta.source_table WHERE is_present")["table_name"])
    assessable = [rule for rule in rules_of(layer) if _assessable(rule, present)]
    counts = count_failures(warehouse.path, assessable)
    with warehouse.session():
        return _graded(warehouse, layer, counts, assessable)


def _graded(
    warehouse: Warehouse, layer: Layer, counts: dict[tuple[str, str, str], int], assessable: Sequence[Rule]
) -> list[RuleResult]:
    checked = {batch: warehouse.count(batch) for batch in {rule.batch for rule in assessable}}
    received = int(warehouse.query("SELECT SUM(rows_in) AS n FROM meta.source_table")["n"][0])
    results = [
        graded(
            rule,
            rows_checked=received if rule.batch == "intake.duplicate" else checked[rule.batch],
            rows_failed=counts[rule.key],
        )
        if rule.key in counts
        else not_assessable(rule)
        for rule in rules_of(layer)
    ]
    if layer == "raw":
        results = [_file_rule(warehouse, "person"), _file_rule(warehouse, "prescription"), *results]
        _compare_with_quarantine(warehouse, results)
    rows = pl.DataFrame([result.row() for result in results], schema_overrides={"block_above": pl.Float64})
    warehouse.replace_rows("quality.rule_result", rows, where={"layer": layer})
    return results


def example_rows(build: Build, results: Sequence[RuleResult]) -> dict[tuple[str, str, str], str]:
    """The first three rows, by file and number alone, that broke each blocking rule of the first door."""
    found = {}
    for rule in (result.rule for result in results if result.is_blocking and result.rule.layer == "raw"):
        if rule.sql:
            rows = build.warehouse.query(
                f"SELECT DISTINCT k.source_file, k.row_number FROM ({rule.query()}) AS k ORDER BY k.source_file, k.row_number LIMIT 3"
            ).rows()
            found[rule.key] = ", ".join(f"{name} row {number}" for name, number in rows)
    return found


def drop_intake(build: Build) -> None:
    """Gives back the space of the typed records once everything that reads them is built."""
    build.warehouse.execute("DROP SCHEMA intake CASCADE")


def require_study_drug(build: Build) -> None:
    """Raises NothingToStudyError when no kept record is of a study drug or nobody has observed time."""
    drugs = build.warehouse.query(
        "SELECT COUNT(*) AS n FROM staged.prescription AS x INNER JOIN spec.drug AS d ON x.drug_id = d.drug_id AND d.role = 'study'"
    )
    if not drugs["n"][0]:
        top = build.warehouse.query("SELECT COUNT(*) AS n FROM quality.unmapped WHERE table_name = 'prescription'")[
            "n"
        ][0]
        raise NothingToStudyError(
            f"none of {build.warehouse.count('staged.prescription')} kept drug records is of a study drug ({top} drug names or "
            "codes mean nothing to the study). Compare drugs.study and the [[drug]] codes of the study file with the source."
        )
    if not build.warehouse.count("staged.observation_period"):
        raise NothingToStudyError(
            "nobody has observed time: every observation period was set aside or ends before it begins."
        )


def _assessable(rule: Rule, present: set[str]) -> bool:
    needed = {*rule.needs, *({rule.table} if rule.table in INPUT_TABLES else ())}
    return needed <= present


def _file_rule(warehouse: Warehouse, table: str) -> RuleResult:
    rule = Rule(
        id="DQ001", table=table, batch=f"intake.{table}", severity="block", layer="raw", block_above=0, field="file",
        sentence="the table is required and has no rows", sql="",
    )  # fmt: skip
    return graded(rule, rows_checked=1, rows_failed=0 if warehouse.count(f"intake.{table}") else 1)


def _compare_with_quarantine(warehouse: Warehouse, results: Sequence[RuleResult]) -> None:
    """A guard: what Great Expectations counts and what was set aside come from the same SQL and must agree."""
    counted: dict[tuple[str, str], int] = {}
    for result in results:
        if result.rule.severity == "quarantine" and result.rule.id != "DQ002":
            key = (result.rule.id, result.rule.table)
            counted[key] = counted.get(key, 0) + result.rows_failed
    kept = warehouse.query(
        "SELECT rule_id, table_name, COUNT(*) AS n FROM quality.quarantine GROUP BY rule_id, table_name"
    )
    held = {(rule, table): n for rule, table, n in kept.rows()}
    differing = sorted(key for key, n in counted.items() if held.get(key, 0) != n)
    if differing:
        raise ExpectationError(f"{differing[0][0]} on {differing[0][1]}: counted rows differ from the rows set aside")


def _columns(name: str) -> list[str]:
    return [column.name for column in tables()[name].columns]
