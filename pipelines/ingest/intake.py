"""Typing: `intake.<table>` from records in native shape.

Owns how text becomes a date, a number or a code, how exact duplicates are told, and which columns of a record could not
be read. Sets nothing aside and corrects nothing: rules judge the outcome. Dates lie between 1900 and 2300; an inclusive
end of 9999-12-31 or 2099-12-31 means open and becomes NULL.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from pipelines.ingest.files import InputError
from pipelines.ingest.tables import INPUT_TABLES, Field, InputTable
from sql.warehouse import Warehouse, identifier

FIRST_YEAR, LAST_YEAR = 1900, 2300
OPEN_ENDS = "(DATE '9999-12-31', DATE '2099-12-31')"
AMBIGUOUS_DATE = r"^\s*\d{1,2}[/.\-]\d{1,2}[/.\-]\d{2,4}"  # 03/04/2020: day-month or month-day cannot be told
_SQL_TYPES = {"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "date": "DATE", "datetime": "TIMESTAMP"}
_AS_STORED = {
    "integer": {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UINTEGER"},
    "number": {"DOUBLE", "FLOAT", "BIGINT", "INTEGER"},
}


def check_columns(warehouse: Warehouse, table: InputTable, *, source: str, file_name: str) -> None:
    """Raises InputError when a required column is missing, naming the nearest received one."""
    received = {name.lower() for name, _ in warehouse.columns_of(source)}
    for group in table.required:
        if not received & set(group):
            raise InputError(
                f"{file_name}: required column {' or '.join(group)} is missing (DQ002). It has: "
                f"{', '.join(sorted(received - {'source_file', 'row_number'}))[:300]}."
            )


def find_duplicates(warehouse: Warehouse, table: InputTable, *, raw: str, key: tuple[str, ...]) -> None:
    """Rows of `intake.duplicate` for one table: records equal in every received column; the earliest stays.

    Where records carry a key, only those that share it are compared, so that the cost is one grouping by the key.
    """
    columns = [identifier(name) for name, _ in warehouse.columns_of(raw) if name not in ("source_file", "row_number")]
    shared = ""
    if key:
        names = [identifier(name) for name in key]
        same = " AND ".join(f"received.{name} IS NOT DISTINCT FROM repeated.{name}" for name in names)
        shared = (
            f" SEMI JOIN (SELECT {', '.join(names)} FROM {raw} GROUP BY ALL HAVING COUNT(*) > 1) AS repeated ON {same}"
        )
    warehouse.execute(
        f"DELETE FROM intake.duplicate WHERE table_name = '{table.name}'",
        f"INSERT INTO intake.duplicate SELECT '{table.name}', source_file, row_number FROM {raw} AS received{shared} "
        f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {', '.join(columns)} ORDER BY source_file, row_number) > 1",
    )


def type_records(warehouse: Warehouse, name: str, *, source: str) -> None:
    """Makes `intake.<name>` from `source`, a table or SELECT in parentheses whose columns are those of the native table.

    Absent optional columns become NULL. `uncast_columns` and `ambiguous_columns` name, joined by commas, the columns
    whose text is not empty and could not be read, or is a date whose day and month cannot be told apart.
    """
    table = INPUT_TABLES[name]
    received = {column.lower(): kind for column, kind in warehouse.columns_of(f"(FROM {source})")}
    note_columns(warehouse, name, received)
    typed, uncast, ambiguous = [], [], []
    for field in table.fields:
        stored = received.get(field.name)
        if stored is None:
            typed.append(f"CAST(NULL AS {_SQL_TYPES[field.kind]}) AS {_output_name(field)}")
            continue
        typed.append(f"{_typed(field, stored)} AS {_output_name(field)}")
        if field.kind != "text" and stored == "VARCHAR":
            text = f"NULLIF(TRIM({field.name}), '')"
            failed = f"{text} IS NOT NULL AND {_plausible(field, text)} IS NULL"
            if field.is_end:
                failed += f" AND COALESCE(TRY_CAST({text} AS DATE) NOT IN {OPEN_ENDS}, TRUE)"
            uncast.append(f"CASE WHEN {failed} THEN '{field.name}' END")
            if field.kind in ("date", "datetime"):
                ambiguous.append(f"CASE WHEN REGEXP_MATCHES({text}, '{AMBIGUOUS_DATE}') THEN '{field.name}' END")
        elif field.kind in ("date", "datetime"):
            implausible = f"{field.name} IS NOT NULL AND {_plausible(field, field.name)} IS NULL"
            if field.is_end:
                implausible += f" AND CAST({field.name} AS DATE) NOT IN {OPEN_ENDS}"
            uncast.append(f"CASE WHEN {implausible} THEN '{field.name}' END")
    open_ends = [
        f"COALESCE(TRY_CAST({field.name} AS DATE) IN {OPEN_ENDS}, FALSE)"
        for field in table.fields
        if field.is_end and field.name in received
    ]
    warehouse.execute(
        f"CREATE OR REPLACE TABLE intake.{name} AS SELECT source_file, row_number, {', '.join(typed)}, "
        f"{_joined(uncast)} AS uncast_columns, {_joined(ambiguous)} AS ambiguous_columns, "
        f"{' OR '.join(open_ends) or 'FALSE'} AS has_open_end FROM {source} AS received "
        f"WHERE NOT EXISTS (SELECT 1 FROM intake.duplicate AS d WHERE d.table_name = '{name}' "
        f"AND d.source_file = received.source_file AND d.row_number = received.row_number)"
    )
    _date_from_datetime(warehouse, table)


def note_columns(warehouse: Warehouse, name: str, columns: Collection[str]) -> None:
    """Rows of `meta.source_column` for one table: what it has, so that what hangs on an absent column is not assessable."""
    rows = pl.DataFrame({"table_name": name, "column_name": sorted(set(columns) - {"source_file", "row_number"})})
    warehouse.replace_rows("meta.source_column", rows, where={"table_name": name})


def empty_table(warehouse: Warehouse, name: str) -> None:
    """`intake.<name>` without rows, for a table that the source lacks."""
    columns = [
        f"CAST(NULL AS {_SQL_TYPES[field.kind]}) AS {_output_name(field)}" for field in INPUT_TABLES[name].fields
    ]
    warehouse.execute(
        f"CREATE OR REPLACE TABLE intake.{name} AS SELECT CAST(NULL AS VARCHAR) AS source_file, "
        f"CAST(NULL AS BIGINT) AS row_number, {', '.join(columns)}, CAST(NULL AS VARCHAR) AS uncast_columns, "
        f"CAST(NULL AS VARCHAR) AS ambiguous_columns, FALSE AS has_open_end LIMIT 0"
    )


def _output_name(field: Field) -> str:
    return "person_source_value" if field.name == "person_id" else field.name


def _typed(field: Field, stored: str) -> str:
    if field.kind == "text":
        return f"NULLIF(TRIM(CAST({field.name} AS VARCHAR)), '')"
    if stored in _AS_STORED.get(field.kind, ()):
        return f"CAST({field.name} AS {_SQL_TYPES[field.kind]})"
    source = f"NULLIF(TRIM({field.name}), '')" if stored == "VARCHAR" else field.name
    value = _plausible(field, source)
    return f"CASE WHEN {value} NOT IN {OPEN_ENDS} THEN {value} END" if field.is_end else value


def _plausible(field: Field, source: str) -> str:
    """The typed value, NULL when it cannot be read or a date lies outside the years that the system accepts."""
    value = f"TRY_CAST({source} AS {_SQL_TYPES[field.kind]})"
    if field.kind in ("date", "datetime"):
        return f"CASE WHEN YEAR({value}) BETWEEN {FIRST_YEAR} AND {LAST_YEAR} THEN {value} END"
    if field.kind == "number":
        return f"CASE WHEN ISFINITE({value}) THEN {value} END"
    return value


def _joined(cases: list[str]) -> str:
    return f"NULLIF(CONCAT_WS(',', {', '.join(cases)}), '')" if cases else "CAST(NULL AS VARCHAR)"


def _date_from_datetime(warehouse: Warehouse, table: InputTable) -> None:
    """Where only the time of an event was given, its date is that time's date."""
    time = table.event_date.replace("_date", "_datetime")
    if table.event_date.endswith("_date") and any(field.name == time for field in table.fields):
        warehouse.execute(
            f"UPDATE intake.{table.name} SET {table.event_date} = CAST({time} AS DATE) "
            f"WHERE {table.event_date} IS NULL AND {time} IS NOT NULL"
        )
