"""Ingest of the native format: one CSV or Parquet file, or a folder of parts, a table."""

from __future__ import annotations

from pathlib import Path

from analysis.study.source import Source
from pipelines.ingest.files import InputError, SourceFile, find_files
from pipelines.ingest.intake import check_columns, empty_table, find_duplicates, type_records
from pipelines.ingest.load import load
from pipelines.ingest.tables import INPUT_TABLES
from sql.warehouse import Warehouse

DICTIONARY = "dictionary"  # terms of adverse events; not a table of records


def ingest_native(warehouse: Warehouse, folder: Path, source: Source) -> list[SourceFile]:
    """Loads every native table of a folder into `raw.*` and `intake.*`; returns the files that were read.

    Raises InputError for a required table or column that is missing and for a file that cannot be read.
    """
    files = find_files(folder)
    missing = [table.name for table in INPUT_TABLES.values() if table.is_required and table.name not in files]
    if missing:
        raise InputError(
            f"required table {missing[0]} is missing in {folder} (DQ001): expected {missing[0]}.csv, {missing[0]}.parquet "
            f"or a folder {missing[0]}/ of Parquet parts. Found: {', '.join(sorted(files)) or 'no table'}."
        )
    read: list[SourceFile] = []
    for name, table in INPUT_TABLES.items():
        if name not in files:
            empty_table(warehouse, name)
            continue
        read += load(warehouse, files[name], source)
        raw = f"raw.{name}"
        check_columns(warehouse, table, source=raw, file_name=files[name][0].name)
        find_duplicates(warehouse, table, raw=raw, key=table.key)
        type_records(warehouse, name, source=raw, reading=source)
    warehouse.execute(
        "CREATE OR REPLACE TABLE intake.drug_ancestor (code VARCHAR, ancestor_code VARCHAR)",
        "CREATE OR REPLACE TABLE intake.dictionary (term VARCHAR)",
    )
    if DICTIONARY in files:
        read += _load_dictionary(warehouse, files[DICTIONARY], source)
    return read


def _load_dictionary(warehouse: Warehouse, files: list[SourceFile], source: Source) -> list[SourceFile]:
    """Terms of adverse events that the coding dictionary of the source has, in lower case."""
    read = load(warehouse, files, source)
    if "term" not in {name.lower() for name, _ in warehouse.columns_of(f"raw.{DICTIONARY}")}:
        raise InputError(
            f"{files[0].name}: the column term is missing. It lists the terms of the dictionary, one a row."
        )
    warehouse.execute(
        f"INSERT INTO intake.dictionary SELECT DISTINCT LOWER(TRIM(term)) FROM raw.{DICTIONARY} WHERE TRIM(term) <> ''"
    )
    return read
