"""Ingest of the OMOP Common Data Model, v5.3 and v5.4: CSV in either case of file name, Parquet, or a DuckDB file.

Owns which OMOP table gives which native table, how the vocabulary of a condition code is told, and whether drugs come
from exposures or, where neither ancestors nor a code list exist, from eras as delivered. The mapping of columns is in
`sql/omop/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.study.source import Source
from analysis.study.spec import StudySpec
from pipelines.ingest.files import InputError, SourceFile, find_files
from pipelines.ingest.intake import check_columns, empty_table, find_duplicates, type_records
from pipelines.ingest.load import OWN_COLUMNS, load, load_database
from pipelines.ingest.tables import INPUT_TABLES, InputTable
from sql.catalog import ROOT
from sql.warehouse import Warehouse, quoted


@dataclass(frozen=True, slots=True)
class OmopTable:
    """One OMOP table: the native table it gives, its key, and the columns that the mapping reads."""

    name: str
    native: str
    key: tuple[str, ...]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    mapping: str = ""


_TABLES = (
    OmopTable(
        "person", "person", ("person_id",), ("person_id", "gender_concept_id", "year_of_birth"),
        ("month_of_birth", "day_of_birth", "birth_datetime"),
    ),
    OmopTable(
        "observation_period", "observation_period", ("observation_period_id",),
        ("person_id", "observation_period_start_date", "observation_period_end_date"), ("observation_period_id",),
    ),
    OmopTable("death", "death", (), ("person_id", "death_date")),
    OmopTable(
        "drug_exposure", "prescription", ("drug_exposure_id",),
        ("drug_exposure_id", "person_id", "drug_concept_id", "drug_exposure_start_date", "drug_type_concept_id"),
        ("drug_source_value", "drug_exposure_start_datetime", "drug_exposure_end_date", "verbatim_end_date", "days_supply",
         "quantity", "route_source_value", "stop_reason"),
    ),
    OmopTable(
        "condition_occurrence", "condition", ("condition_occurrence_id",),
        ("condition_occurrence_id", "person_id", "condition_start_date", "condition_source_value"),
        ("condition_concept_id", "condition_source_concept_id", "condition_end_date", "condition_status_concept_id"),
    ),
    OmopTable(
        "visit_occurrence", "visit", ("visit_occurrence_id",),
        ("visit_occurrence_id", "person_id", "visit_concept_id", "visit_start_date"),
        ("visit_start_datetime", "visit_end_datetime", "visit_end_date"),
    ),
    OmopTable(
        "measurement", "measurement", ("measurement_id",), ("measurement_id", "person_id", "measurement_date"),
        ("measurement_source_value", "measurement_concept_id", "measurement_datetime", "value_as_number",
         "unit_source_value", "value_source_value"),
    ),
    OmopTable(
        "procedure_occurrence", "procedure", ("procedure_occurrence_id",),
        ("procedure_occurrence_id", "person_id", "procedure_date"), ("procedure_source_value",),
    ),
)  # fmt: skip
_ERA = OmopTable(
    "drug_era", "prescription", ("drug_era_id",),
    ("drug_era_id", "person_id", "drug_concept_id", "drug_era_start_date", "drug_era_end_date"),
    mapping="prescription_from_era",
)  # fmt: skip
_VOCABULARY = ("concept", "concept_ancestor")

# Shapes of codes without dots. V and E codes exist in ICD-9-CM and in ICD-10-CM alike: where both fit, neither is taken.
_ICD9 = r"^\d{3,5}$"
_ICD9_E = r"^E(0[0-2]\d|030|[89]\d\d)\d?$"
_ICD10 = r"^[A-Z]\d[0-9A-Z]([0-9A-Z]{0,4})$"


@dataclass(frozen=True, slots=True)
class OmopIngest:
    """What was read: the files, whether drugs are eras as delivered, and the raw table of each native one."""

    files: list[SourceFile]
    era_level: bool
    raw_of: dict[str, str]


def ingest_omop(warehouse: Warehouse, folder: Path, spec: StudySpec) -> OmopIngest:
    """Loads an OMOP source into `raw.*` and `intake.*`.

    Raises InputError for a missing required table or column and for a file that cannot be read.
    """
    held, files = _load(warehouse, folder, spec.source)
    drugs = _drug_table(spec, held, warehouse)
    chosen = [drugs if table.name == "drug_exposure" else table for table in _TABLES]
    for name in ("person", drugs.name):
        if name not in held:
            raise InputError(
                f"required OMOP table {name} is missing in {folder} (DQ001). Found: {', '.join(sorted(held))}."
            )
    native = {table.native for table in chosen if table.name in held}
    for name in INPUT_TABLES:
        if name not in native:
            empty_table(warehouse, name)
    for table in chosen:
        if table.name in held:
            _take(warehouse, table, spec.source)
    if "condition" in native:
        _tell_vocabulary(warehouse, spec.source.condition_vocabulary, has_concepts="concept" in held)
    _ancestors(warehouse, present="concept_ancestor" in held)
    used = {table.name for table in chosen} | set(_VOCABULARY)
    return OmopIngest(
        files=[file for file in files if file.table in used or file.path.suffix == ".duckdb"],
        era_level=drugs is _ERA,
        raw_of={table.native: table.name for table in chosen if table.name in held},
    )


def _load(warehouse: Warehouse, folder: Path, source: Source) -> tuple[set[str], list[SourceFile]]:
    names = (*(table.name for table in _TABLES), _ERA.name, *_VOCABULARY)
    databases = [folder] if folder.is_file() else sorted(folder.glob("*.duckdb")) if folder.is_dir() else []
    if len(databases) == 1:
        found = load_database(warehouse, databases[0], names)
        return set(found), [SourceFile("all", databases[0].name, databases[0])]
    if len(databases) > 1:
        raise InputError(f"{folder} holds {len(databases)} DuckDB files; name the one to read with --source.")
    files = {name: parts for name, parts in find_files(folder).items() if name in names}
    return set(files), [part for parts in files.values() for part in load(warehouse, parts, source)]


def _drug_table(spec: StudySpec, held: set[str], warehouse: Warehouse) -> OmopTable:
    """Exposures where ancestors or a code list exist, else eras; `source.drug_mapping` decides when it names one."""
    exposures = next(table for table in _TABLES if table.name == "drug_exposure")
    mapping = spec.source.drug_mapping
    if mapping == "code_list":
        return exposures
    if mapping == "drug_era":
        return _ERA
    has_ancestors = "concept_ancestor" in held and warehouse.count("raw.concept_ancestor") > 0
    roles = {*spec.drugs.study}
    has_codes = any(drug.id in roles and (drug.codes or drug.name_patterns) for drug in spec.drug)
    return exposures if has_ancestors or has_codes or "drug_era" not in held else _ERA


def _take(warehouse: Warehouse, table: OmopTable, reading: Source) -> None:
    raw = f"raw.{table.name}"
    wanted = InputTable(table.name, (), tuple((name,) for name in table.required), table.key, "")
    check_columns(warehouse, wanted, source=raw, file_name=table.name)
    received = {name.lower() for name, _ in warehouse.columns_of(raw)}
    duplicates = InputTable(table.native, (), (), table.key, "")
    find_duplicates(warehouse, duplicates, raw=raw, key=tuple(name for name in table.key if name in received))
    absent = [name for name in table.optional if name not in received]
    warehouse.execute(*(f"ALTER TABLE {raw} ADD COLUMN {name} VARCHAR" for name in absent))
    text = (ROOT / "omop" / f"{table.mapping or table.native}.sql").read_text(encoding="utf-8")
    source = f"intake.{table.native}_as_received"
    warehouse.execute(
        f"CREATE OR REPLACE TABLE {source} AS {text}", *(f"ALTER TABLE {raw} DROP COLUMN {name}" for name in absent)
    )
    if any(kind != "VARCHAR" for name, kind in warehouse.columns_of(raw) if name not in OWN_COLUMNS):
        reading = reading.model_copy(update={"decimal": "."})  # stored numbers become text on the way
    type_records(warehouse, table.native, source=source, reading=reading)
    if table.native != "condition":
        warehouse.execute(f"DROP TABLE {source}")


def _tell_vocabulary(warehouse: Warehouse, rule: str, *, has_concepts: bool) -> None:
    """Fills `intake.condition.code_system`; a code whose vocabulary cannot be told keeps NULL and is counted."""
    code = "UPPER(REPLACE(TRIM(r.code), '.', ''))"
    if rule == "by_concept":
        if not has_concepts:
            raise InputError(
                "the conditions declare no vocabulary and the source has no concept table: set source.condition_vocabulary "
                "in the study file to by_shape or to the name of the vocabulary."
            )
        told = (
            "SELECT r.source_file, r.row_number, CASE c.vocabulary_id WHEN 'ICD10' THEN 'ICD10' WHEN 'ICD10CM' THEN 'ICD10CM' "
            "WHEN 'ICD9CM' THEN 'ICD9CM' WHEN 'SNOMED' THEN 'SNOMED' END AS vocabulary FROM intake.condition_as_received AS r "
            "INNER JOIN raw.concept AS c ON CAST(c.concept_id AS VARCHAR) = r.source_concept_id"
        )
    elif rule == "by_shape":
        told = (
            f"SELECT r.source_file, r.row_number, CASE WHEN REGEXP_MATCHES({code}, '{_ICD9}') THEN 'ICD9CM' "
            f"WHEN {code} LIKE 'V%' THEN NULL WHEN REGEXP_MATCHES({code}, '{_ICD9_E}') THEN NULL "
            f"WHEN REGEXP_MATCHES({code}, '{_ICD10}') THEN 'ICD10CM' END AS vocabulary FROM intake.condition_as_received AS r"
        )
    else:
        told = (
            f"SELECT r.source_file, r.row_number, {quoted(rule)} AS vocabulary FROM intake.condition_as_received AS r"
        )
    warehouse.execute(
        f"UPDATE intake.condition SET code_system = told.vocabulary FROM ({told}) AS told "
        "WHERE intake.condition.source_file = told.source_file AND intake.condition.row_number = told.row_number",
        "DROP TABLE intake.condition_as_received",
    )


def _ancestors(warehouse: Warehouse, *, present: bool) -> None:
    source = (
        "SELECT CAST(a.descendant_concept_id AS VARCHAR) AS code, CAST(a.ancestor_concept_id AS VARCHAR) AS ancestor_code "
        "FROM raw.concept_ancestor AS a"
        if present
        else "SELECT CAST(NULL AS VARCHAR) AS code, CAST(NULL AS VARCHAR) AS ancestor_code LIMIT 0"
    )
    warehouse.execute(
        f"CREATE OR REPLACE TABLE intake.drug_ancestor AS {source}",
        "CREATE OR REPLACE TABLE intake.dictionary (term VARCHAR)",
    )
