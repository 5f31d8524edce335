"""The case files: one TOML file a table, rows in and rows out as tables that a reader checks with a finger.

Owns the shape of a case, the reading of its tables and the comparison. What a case leaves out is in `defaults.toml`.
Knows no rule: those are in the case files.

A case: `why` names the rule, `given."schema.table"` holds the rows that the SELECT reads, `expect` the rows that it
must give. Cells are parted by `|`. An empty cell or `-` is a missing value, text in single quotes is taken as it is.
Only the columns that `expect` names are compared, its rows in any order. Tables that are not given are empty, columns
that are not given are missing, unless `defaults.toml` says otherwise. A file whose cases begin further back names the
tables in between under `through`; they are built by their own SELECT.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from pipelines.ingest.intake import empty_table
from pipelines.ingest.tables import INPUT_TABLES
from sql.catalog import Query, queries, tables
from sql.warehouse import SCHEMAS, Warehouse, identifier, quoted

FOLDER = Path(__file__).parent
Columns = dict[str, str]  # name -> DuckDB type
Rows = list[tuple[str | None, ...]]


class CaseError(ValueError):
    """A case file is not written as it should be; the message names the table and the column."""


@dataclass(frozen=True, slots=True)
class Ascii:
    """A table as it is written in a case."""

    columns: tuple[str, ...]
    rows: Rows


@dataclass(frozen=True, slots=True)
class Case:
    """One case of one table."""

    table: str
    why: str
    given: Mapping[str, Ascii]
    expect: Ascii
    through: tuple[str, ...] = ()


def parse_table(text: str) -> Ascii:
    """The table that the text draws. Raises CaseError when a row has another number of cells than the header."""
    lines = [line for line in text.strip("\n").splitlines() if line.strip()]
    if not lines:
        raise CaseError("a table needs at least its header")
    header, *body = [[cell.strip() for cell in line.split("|")] for line in lines]
    for cells in body:
        if len(cells) != len(header):
            raise CaseError(f"{len(cells)} cells under {len(header)} columns: {' | '.join(cells)}")
    return Ascii(tuple(header), [tuple(map(_value, cells)) for cells in body])


def _value(cell: str) -> str | None:
    if len(cell) >= 2 and cell[0] == cell[-1] == "'":
        return cell[1:-1]
    return None if cell in ("", "-") else cell


def case_files() -> dict[str, Path]:
    """Case files by the table that they prove."""
    return {f"{path.parent.name}.{path.stem}": path for path in sorted(FOLDER.glob("*/*.toml"))}


def read_cases(table: str, path: Path) -> list[Case]:
    """The cases of one file. Raises CaseError for a case without a reason or with an unknown key."""
    found = []
    file = tomllib.loads(path.read_text(encoding="utf-8"))
    through = tuple(file.get("through", ()))
    for number, entry in enumerate(file["case"], start=1):
        if set(entry) - {"why", "given", "expect"} or not entry.get("why"):
            raise CaseError(f"{table}, case {number}: the keys are why, given and expect")
        given = {name: parse_table(text) for name, text in entry.get("given", {}).items()}
        found.append(Case(table, entry["why"], given, parse_table(entry["expect"]), through))
    return found


def all_cases() -> list[Case]:
    """Every case of every file."""
    return [case for table, path in case_files().items() for case in read_cases(table, path)]


def input_columns(scratch: Path) -> dict[str, Columns]:
    """Columns of every table that a SELECT may read: from the contracts, those of `intake` from the ingest itself."""
    known = {name: {column.name: column.type for column in table.columns} for name, table in tables().items()}
    warehouse = Warehouse(scratch)
    warehouse.create()
    for name in INPUT_TABLES:
        empty_table(warehouse, name)
        known[f"intake.{name}"] = dict(warehouse.columns_of(f"intake.{name}"))
    known["intake.drug_ancestor"] = {"code": "VARCHAR", "ancestor_code": "VARCHAR"}
    known["intake.dictionary"] = {"term": "VARCHAR"}
    known["intake.duplicate"] = {"table_name": "VARCHAR", "source_file": "VARCHAR", "row_number": "BIGINT"}
    return known


class Bench:
    """A database in memory with every table, empty; what a transaction fills and builds is gone when it ends."""

    def __init__(self, known: Mapping[str, Columns]) -> None:
        self._known = known
        self._defaults = tomllib.loads((FOLDER / "defaults.toml").read_text(encoding="utf-8"))
        self._con = duckdb.connect()
        for schema in SCHEMAS:
            self._con.execute(f"CREATE SCHEMA {schema}")
        for name, columns in known.items():
            drawn = ", ".join(f"{identifier(column)} {kind}" for column, kind in columns.items())
            self._con.execute(f"CREATE TABLE {name} ({drawn})")

    def close(self) -> None:
        """Gives the database back."""
        self._con.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is undone at its end."""
        self._con.execute("BEGIN")
        try:
            yield
        finally:
            self._con.execute("ROLLBACK")

    def fill(self, name: str, given: Ascii | None) -> None:
        """Puts rows into a table; what is left out comes from the defaults."""
        defaults = self._defaults.get(name, {})
        table = given or (parse_table(defaults["rows"]) if "rows" in defaults else None)
        if table is None:
            return
        fixed = {column: value for column, value in defaults.get("columns", {}).items() if column not in table.columns}
        names = [*table.columns, *fixed]
        unknown = set(names) - set(self._known[name])
        if unknown:
            raise CaseError(f"{name} has no column {sorted(unknown)[0]!r}")
        rows = [(*row, *fixed.values()) for row in table.rows]
        if rows:
            casts = ", ".join(f"CAST({identifier(column)} AS {self._known[name][column]})" for column in names)
            values = ", ".join("(" + ", ".join(map(_literal, row)) + ")" for row in rows)
            drawn = ", ".join(map(identifier, names))
            self._con.execute(f"INSERT INTO {name} ({drawn}) SELECT {casts} FROM (VALUES {values}) AS v ({drawn})")

    def build(self, name: str) -> None:
        """Fills a table by its SELECT."""
        self._con.execute(f"INSERT INTO {name} BY NAME SELECT * FROM ({queries()[name].text}\n) AS built")

    def rows(self, select: str) -> list[tuple[Any, ...]]:
        """The rows of a SELECT."""
        return self._con.execute(select).fetchall()

    def found(self, case: Case, query: Query | None = None) -> Rows:
        """The rows that the SELECT gives in this case, in the columns that the case expects, as sorted text."""
        select = query or queries()[case.table]
        between = [] if set(case.through) & set(case.given) else list(case.through)
        reads = sorted({*select.reads, *(name for table in between for name in queries()[table].reads)} - set(between))
        strange = set(case.given) - set(reads)
        if strange:
            raise CaseError(f"{case.table} does not read {sorted(strange)[0]}, which the case gives")
        with self.transaction():
            for name in reads:
                self.fill(name, case.given.get(name))
            for name in between:
                self.build(name)
            columns = ", ".join(f"CAST({identifier(column)} AS VARCHAR)" for column in case.expect.columns)
            return ordered(self.rows(f"SELECT {columns} FROM ({select.text}\n) AS built"))


def _literal(value: str | None) -> str:
    return "CAST(NULL AS VARCHAR)" if value is None else quoted(value)


def ordered(rows: Sequence[tuple[str | None, ...]]) -> Rows:
    """Rows in one order, missing values first."""
    return sorted(rows, key=lambda row: [(value is not None, value or "") for value in row])


def difference(case: Case, found: Rows) -> str:
    """What is expected and what was found, one row a line, those that differ marked; empty when nothing differs."""
    expected = ordered(case.expect.rows)
    if expected == found:
        return ""
    missing, extra = _without(expected, found), _without(found, expected)
    lines: list[tuple[str, tuple[str | None, ...]]] = [(" ", case.expect.columns)]
    lines += [(" ", row) for row in _without(expected, missing)]
    lines += [("-", row) for row in missing] + [("+", row) for row in extra]
    cells = [(mark, [_shown(value) for value in row]) for mark, row in lines]
    widths = [max(len(row[i]) for _, row in cells) for i in range(len(case.expect.columns))]
    drawn = [f"{mark} " + " | ".join(map(str.ljust, row, widths)).rstrip() for mark, row in cells]
    return f"{case.table}: {case.why}\n" + "\n".join([*drawn, "(- expected and not found, + found and not expected)"])


def _without(rows: Rows, others: Rows) -> Rows:
    left = list(others)
    kept = []
    for row in rows:
        if row in left:
            left.remove(row)
        else:
            kept.append(row)
    return kept


def _shown(value: str | None) -> str:
    return "-" if value is None else value or "''"
