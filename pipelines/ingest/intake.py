"""Typing: `intake.<table>` from records in native shape.

Owns how exact duplicates are told and which columns of a record could not be read, are partial, or carry a zone; how one
text becomes one value is in `values.py`. Sets nothing aside and corrects nothing: rules judge the outcome. Dates lie
between 1900 and 2300; an inclusive end of 9999-12-31 or 2099-12-31 means open and becomes NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping

import polars as pl

from analysis.study.source import Source
from pipelines.ingest import values
from pipelines.ingest.files import InputError
from pipelines.ingest.tables import INPUT_TABLES, Field, InputTable
from sql.warehouse import Warehouse, identifier

_PLAIN_WORD = re.compile(r"^[a-z][a-z_]{1,40}$")
NAMED_COLUMNS = {  # columns of intake tables that name, joined by commas, columns of the record
    "uncast_columns": "its text is not empty and could not be read",
    "ambiguous_columns": "a date whose day and month cannot be told apart",
    "partial_columns": "only month or year of the date are known (NAME:month, NAME:year): the day is imputed",
    "zoned_columns": "the time came with a zone; it stays the clock time as written",
    "nonexistent_time_columns": "the clocks of source.time_zone skip this time",
    "signed_columns": "a number with < or > before it, which is kept beside it",
    "untidy_columns": "blanks around a name or code, control characters, or letters of a wrong encoding",
}
# What is compared with codes and names, so that a blank or a wrong letter loses a record.
_COMPARED = (
    "code",
    "code_system",
    "drug_code",
    "drug_source_value",
    "instrument",
    "reason",
    "route",
    "term",
    "test",
    "unit",
)


def check_columns(warehouse: Warehouse, table: InputTable, *, source: str, file_name: str) -> None:
    """Raises InputError when a required column is missing, naming the nearest received one."""
    received = {name.lower() for name, _ in warehouse.columns_of(source)} - {"source_file", "row_number"}
    known = {field.name for field in table.fields} | {name for group in table.required for name in group}
    for group in table.required:
        if not received & set(group):
            has = (
                f"It has: {_shown(received, known)}."
                if received & known
                else "Its first line names no column of this table: is the header missing, or the delimiter another?"
            )
            raise InputError(f"{file_name}: required column {' or '.join(group)} is missing (DQ002). {has}")


def _shown(received: set[str], known: set[str]) -> str:
    """Names of columns; what is no plain word may be a cell of a record that slipped into the header, and is counted."""
    plain = sorted(name for name in received if name in known or _PLAIN_WORD.match(name))
    others = len(received) - len(plain)
    return ", ".join(plain)[:300] + (f" and {others} others" if others else "")


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


def type_records(warehouse: Warehouse, name: str, *, source: str, reading: Source) -> None:
    """Makes `intake.<name>` from `source`, a table or SELECT in parentheses whose columns are those of the native table.

    Absent optional columns become NULL. NAMED_COLUMNS name the columns of a record that are not what they seem.
    """
    table = INPUT_TABLES[name]
    stored = {column.lower(): kind for column, kind in warehouse.columns_of(f"(FROM {source})")}
    note_columns(warehouse, name, stored)
    fields = [field for field in table.fields if field.name in stored]
    typed = [field for field in fields if field.kind != "text"]
    texts = {field.name: values.is_text(field, stored[field.name]) for field in typed}
    received = [
        f"{values.trimmed(field.name, stored[field.name])} AS {values.text_of(field.name)}"
        if field.kind == "text" or texts[field.name]
        else identifier(field.name)
        for field in fields
    ]
    untidy = [field.name for field in fields if field.name in _COMPARED and stored[field.name] == "VARCHAR"]
    cases = _joined(f"CASE WHEN {values.is_untidy(name)} THEN '{name}' END" for name in untidy)
    received.append(f"{cases} AS untidy_columns")
    read = [f"{values.exact(field, stored[field.name], reading)} AS {values.read_of(field.name)}" for field in typed]
    columns = [f"{_value(field, table, stored)} AS {_output_name(field)}" for field in table.fields]
    named = [f"{sql} AS {column}" for column, sql in _named(typed, texts, stored, reading.time_zone).items()]
    open_ends = " OR ".join(values.is_open_end(field) for field in typed if field.is_end) or "FALSE"
    warehouse.execute(
        f"CREATE OR REPLACE TABLE intake.{name} AS SELECT source_file, row_number, {', '.join(columns)}, "
        f"{', '.join(named)}, {open_ends} AS has_open_end "
        f"FROM (SELECT *{''.join(f', {column}' for column in read)} "
        f"FROM (SELECT source_file, row_number, {', '.join(received)} FROM {source} AS received "
        f"WHERE NOT EXISTS (SELECT 1 FROM intake.duplicate AS d WHERE d.table_name = '{name}' "
        f"AND d.source_file = received.source_file AND d.row_number = received.row_number)) AS t) AS r"
    )


def note_columns(warehouse: Warehouse, name: str, columns: Collection[str]) -> None:
    """Rows of `meta.source_column` for one table: what it has, so that what hangs on an absent column is not assessable."""
    rows = pl.DataFrame({"table_name": name, "column_name": sorted(set(columns) - {"source_file", "row_number"})})
    warehouse.replace_rows("meta.source_column", rows, where={"table_name": name})


def empty_table(warehouse: Warehouse, name: str) -> None:
    """`intake.<name>` without rows, for a table that the source lacks."""
    columns = [
        f"CAST(NULL AS {values.SQL_TYPES[field.kind]}) AS {_output_name(field)}" for field in INPUT_TABLES[name].fields
    ]
    named = [f"CAST(NULL AS VARCHAR) AS {column}" for column in NAMED_COLUMNS]
    warehouse.execute(
        f"CREATE OR REPLACE TABLE intake.{name} AS SELECT CAST(NULL AS VARCHAR) AS source_file, "
        f"CAST(NULL AS BIGINT) AS row_number, {', '.join(columns)}, {', '.join(named)}, FALSE AS has_open_end LIMIT 0"
    )


def _output_name(field: Field) -> str:
    return "person_source_value" if field.name == "person_id" else field.name


def _value(field: Field, table: InputTable, stored: Mapping[str, str]) -> str:
    """The typed value of a column; a date that only the time of the event states is that time's date."""
    sql_type = values.SQL_TYPES[field.kind]
    if field.kind == "text":
        text = values.text_of(field.name) if field.name in stored else "CAST(NULL AS VARCHAR)"
        signed = [other for other in table.fields if other.operator == field.name and other.name in stored]
        signs = [values.sign_of(other) for other in signed if values.is_text(other, stored[other.name])]
        return f"COALESCE({', '.join([text, *signs])})" if signs else text
    found = []
    if field.name in stored:
        found.append(values.accepted(field))
        if _may_impute(field, table, stored):
            found.append(values.imputed(field))
    time = _time_of(field, table)
    if time is not None and time.name in stored:
        found.append(f"CAST({values.accepted(time)} AS DATE)")
        if values.is_text(time, stored[time.name]):
            found.append(values.imputed(time))
    value = f"CAST(COALESCE({', '.join(found)}) AS {sql_type})" if found else f"CAST(NULL AS {sql_type})"
    return f"CASE WHEN NOT ({values.is_open_end(field)}) THEN {value} END" if field.is_end and found else value


def _may_impute(field: Field, table: InputTable, stored: Mapping[str, str]) -> bool:
    """A partial date gets a day, but no time of day where a date stands beside the time."""
    if field.kind not in values.DATED or not values.is_text(field, stored[field.name]):
        return False
    return not any(other.name == field.name.replace("_datetime", "_date") != field.name for other in table.fields)


def _time_of(field: Field, table: InputTable) -> Field | None:
    """The time of the event, where the field is its date."""
    if field.name != table.event_date or field.kind != "date":
        return None
    return next(
        (other for other in table.fields if other.name == field.name.replace("_date", "_datetime") != field.name), None
    )


def _named(
    typed: list[Field], texts: Mapping[str, bool], stored: Mapping[str, str], zone: str | None
) -> dict[str, str]:
    dated = [field for field in typed if field.kind in values.DATED]
    from_text = [field for field in dated if texts[field.name]]
    may_fail = [field for field in typed if texts[field.name] or field in dated]
    times = [field for field in dated if field.kind == "datetime"]
    return {
        "uncast_columns": _names(may_fail, lambda field: _unread(field, is_text=texts[field.name])),
        "ambiguous_columns": _names(from_text, values.is_ambiguous),
        "partial_columns": _joined(
            f"CASE WHEN {values.imputed(field)} IS NOT NULL THEN CONCAT('{field.name}:', "
            f"CASE WHEN LENGTH({values.text_of(field.name)}) = 4 THEN 'year' ELSE 'month' END) END"
            for field in from_text
        ),
        "zoned_columns": _names(times, lambda field: values.is_zoned(field, stored[field.name])),
        "nonexistent_time_columns": _names(
            times if zone else [], lambda field: values.is_nonexistent(field, stored[field.name], zone or "")
        ),
        "signed_columns": _names(
            [field for field in typed if field.operator and texts[field.name]],
            lambda field: f"{values.sign_of(field)} IS NOT NULL",
        ),
        "untidy_columns": "untidy_columns",
    }


def _unread(field: Field, *, is_text: bool) -> str:
    text = values.text_of(field.name) if is_text else identifier(field.name)
    unread = f"{text} IS NOT NULL AND {values.accepted(field)} IS NULL"
    if field.is_end:
        unread += f" AND NOT {values.is_open_end(field)}"
    if is_text and field.kind in values.DATED:
        unread += f" AND {values.imputed(field)} IS NULL"
    return unread


def _names(fields: Iterable[Field], condition: Callable[[Field], str]) -> str:
    return _joined(f"CASE WHEN {condition(field)} THEN '{field.name}' END" for field in fields)


def _joined(cases: Iterable[str]) -> str:
    joined = ", ".join(cases)
    return f"NULLIF(CONCAT_WS(',', {joined}), '')" if joined else "CAST(NULL AS VARCHAR)"
