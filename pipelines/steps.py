"""The steps of a run, each on the build file: what an asset does is one of these.

Owns the order inside a step and the tables that Python writes (spec, reference, meta); the doors are in `doors`. Knows neither Dagster nor
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
from pipelines.ingest.files import SourceFile
from pipelines.ingest.native import ingest_native
from pipelines.ingest.omop import ingest_omop
from pipelines.ingest.tables import INPUT_TABLES
from pipelines.previous import write_previous
from pipelines.publish import fingerprint, source_files
from sql.catalog import ROOT, tables
from sql.warehouse import Warehouse, quoted

SIMULATED_TRUTH = "truth.json"  # the simulator writes it beside its records


class NothingToStudyError(ValueError):
    """Valid data in which nobody has a study drug, or nobody has observed time."""


@dataclass(frozen=True, slots=True)
class Build:
    """One run's inputs and its build file."""

    spec: StudySpec
    source: Path
    warehouse: Warehouse
    published: Path | None = None  # the database that stands, to show this run against


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
    own = fingerprint(build.spec, source_files(build.source))
    write_previous(warehouse, build.published, study_id=build.spec.study.id, fingerprint=own)
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
