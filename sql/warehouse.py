"""The DuckDB file that a run builds, and the one that is published.

Owns every connection, the storage version that older clients can open, the comments, and the atomic replacement of the
published file. Knows no table's meaning: those come from the catalog. Nothing else in the project imports duckdb.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from sql import kept
from sql.catalog import Query, Table, tables

STORAGE_VERSION = "v1.0.0"  # opens in every client since DuckDB 1.0
_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"|(?<!Line: )(?<![\w.])-?\d[\d.]*(?![\w])")  # a line of a file is no value
_SHAPE = re.compile(r"^\s*(Expected Number of Columns: \d|Invalid unicode)")
_NAME = re.compile(r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$")


class WarehouseError(RuntimeError):
    """A statement could not be run; the message is DuckDB's first line, without values."""


class Warehouse:
    """One DuckDB file; each method opens it, does one thing and closes it, so that no lock outlives its use (but see `kept`)."""

    def __init__(self, path: Path, *, threads: int | None = None, memory_limit: str | None = None) -> None:
        self.path = path
        self._threads = threads
        self._memory_limit = memory_limit
        self._held: duckdb.DuckDBPyConnection | None = None

    def create(self) -> None:
        """An empty file of the storage version that is published, with every schema of the house."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.discard()
        with duckdb.connect() as con:
            con.execute(f"ATTACH {quoted(str(self.path))} AS build (STORAGE_VERSION '{STORAGE_VERSION}')")
            con.execute("DETACH build")
        with self.connection() as con:
            for schema in SCHEMAS:
                con.execute(f"CREATE SCHEMA {schema}")

    def discard(self) -> None:
        """Removes the file and its write-ahead log."""
        kept.let_go(self.path)
        for path in (self.path, self._wal):
            path.unlink(missing_ok=True)

    @property
    def _wal(self) -> Path:
        return self.path.with_name(self.path.name + ".wal")

    @contextmanager
    def session(self) -> Iterator[None]:
        """Keeps one connection open for many small statements; nothing else can open the file meanwhile."""
        with self.connection() as con:
            self._held = con
            try:
                yield
            finally:
                self._held = None

    @contextmanager
    def connection(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with the settings of the house. Temporary files lie beside the file.

        Raises WarehouseError where the file cannot be opened: no database, damaged, or open for writing elsewhere.
        """
        if self._held is not None:
            yield self._held
            return
        con = self._opened(read_only=read_only)
        try:
            con.execute("SET enable_progress_bar = false")
            con.execute("SET TimeZone = 'UTC'")  # else a stored instant would fall on the day of the machine's zone
            yield con
        finally:
            con.close()

    def _opened(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if not kept.is_kept(self.path):
            return self._connected(read_only=read_only)
        held: duckdb.DuckDBPyConnection = kept.held(self.path, lambda: self._connected(read_only=False))
        return held.cursor()

    def _connected(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        try:
            con = duckdb.connect(str(self.path), read_only=read_only)
        except duckdb.Error as error:
            raise WarehouseError(_first_line(error)) from None
        if not read_only:
            con.execute(f"SET temp_directory = {quoted(str(self.path) + '.tmp')}")
        if self._threads:
            con.execute(f"SET threads = {self._threads}")
        if self._memory_limit:
            con.execute(f"SET memory_limit = {quoted(self._memory_limit)}")
        return con

    @contextmanager
    def lent(self) -> Iterator[Path]:
        """The file for another library to open: closed here where it is kept open."""
        kept.let_go(self.path)
        yield self.path

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """All or nothing. What DuckDB says goes on without the values it quotes: they may be a person's data."""
        with self.connection() as con:
            con.execute("BEGIN")
            try:
                yield con
            except duckdb.Error as error:
                con.execute("ROLLBACK")
                raise WarehouseError(_without_values(error)) from None
            except WarehouseError:
                con.execute("ROLLBACK")
                raise
            con.execute("COMMIT")

    def execute(self, *statements: str) -> None:
        """Runs statements in one transaction. Raises WarehouseError."""
        with self._transaction() as con:
            for statement in statements:
                con.execute(statement)

    def build(self, query: Query) -> int:
        """Makes the table of a SELECT with its comments; returns the number of rows. Raises WarehouseError."""
        with self._transaction() as con:
            con.execute(f"CREATE OR REPLACE TABLE {query.name} AS {query.text}")
            self._comment(con, tables()[query.name])
            return _count(con, query.name)

    def write(self, name: str, frame: pl.DataFrame) -> int:
        """Replaces a table by a frame, in the column order of its contract, with its comments. Raises WarehouseError."""
        table = tables()[name]
        with self._transaction() as con:
            con.register("frame", frame.to_arrow())
            con.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT {_cast_columns(table)} FROM frame")
            self._comment(con, table)
            con.unregister("frame")
        return frame.height

    def replace_rows(self, name: str, frame: pl.DataFrame, *, where: Mapping[str, str]) -> None:
        """Replaces the rows of a table that have these values by a frame; makes the table when it is absent.

        Raises WarehouseError.
        """
        table = tables()[name]
        columns = _cast_columns(table)
        condition = " AND ".join(f"{column} = {quoted(value)}" for column, value in where.items())
        with self._transaction() as con:
            con.register("frame", frame.to_arrow())
            if not _exists(con, name):
                con.execute(f"CREATE TABLE {name} AS SELECT {columns} FROM frame LIMIT 0")
                self._comment(con, table)
            con.execute(f"DELETE FROM {name} WHERE {condition}")
            con.execute(f"INSERT INTO {name} SELECT {columns} FROM frame")
            con.unregister("frame")

    def read(self, name: str, *, columns: Sequence[str] | None = None, where: str = "") -> pl.DataFrame:
        """A table as a frame, sorted by its key."""
        table = tables()[name]
        chosen = ", ".join(map(identifier, columns or [column.name for column in table.columns]))
        condition = f" WHERE {where}" if where else ""
        return self.query(f"SELECT {chosen} FROM {name}{condition} ORDER BY {', '.join(map(identifier, table.key))}")

    def query(self, text: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
        """The frame that a SELECT gives. Raises WarehouseError."""
        with self.connection(read_only=True) as con:
            try:
                return _frame(con, text, parameters)
            except duckdb.Error as error:
                raise WarehouseError(_without_values(error)) from None

    def count(self, name: str) -> int:
        """Number of rows of a table."""
        with self.connection(read_only=True) as con:
            return _count(con, name)

    def has(self, name: str) -> bool:
        """Whether the table exists."""
        with self.connection(read_only=True) as con:
            return _exists(con, name)

    def columns_of(self, name: str) -> list[tuple[str, str]]:
        """Names and types of a table's columns, in order."""
        with self.connection(read_only=True) as con:
            return [(row[0], row[1]) for row in con.execute(f"DESCRIBE {name}").fetchall()]

    def publish(self, target: Path) -> None:
        """Puts this file in the place of the published one, in one step that a reader or a kill cannot see half of.

        Raises WarehouseError when a write-ahead log lies beside either file: the new file could not be opened then.
        """
        with self.connection() as con:
            con.execute("CHECKPOINT")
        kept.let_go(self.path)
        target_wal = target.with_name(target.name + ".wal")
        for wal in (self._wal, target_wal):
            if wal.exists():
                raise WarehouseError(f"a write-ahead log lies at {wal.name}: another program is writing the database")
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @staticmethod
    def _comment(con: duckdb.DuckDBPyConnection, table: Table) -> None:
        found = [row[0] for row in con.execute(f"DESCRIBE {table.name}").fetchall()]
        promised = [column.name for column in table.columns]
        if found != promised:
            raise WarehouseError(f"{table.name} has columns {found}, its contract promises {promised}")
        con.execute(f"COMMENT ON TABLE {table.name} IS {quoted(table.about)}")
        for column in table.columns:
            con.execute(f"COMMENT ON COLUMN {table.name}.{identifier(column.name)} IS {quoted(column.comment)}")


SCHEMAS = (
    "raw",
    "intake",
    "reference",
    "spec",
    "quality",
    "staged",
    "exposure",
    "cohort",
    "summary",
    "pkpd",
    "care",
    "estimate",
    "meta",
)


def guarded_query(path: Path, text: str) -> pl.DataFrame:
    """The frame that one SELECT gives on a published file, read only and without any access to other files.

    Raises WarehouseError with DuckDB's message, or when the text is not exactly one SELECT.
    """
    with duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"}) as con:
        try:
            con.execute("SET enable_progress_bar = false")
            if [statement.type for statement in con.extract_statements(text)] != [duckdb.StatementType.SELECT]:
                raise WarehouseError("not one SELECT: this command only reads")
            return _frame(con, text, ())
        except duckdb.Error as error:
            raise WarehouseError(_first_line(error)) from None


def quoted(text: str) -> str:
    """A SQL text literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A column name as received, quoted."""
    return '"' + name.replace('"', '""') + '"'


def _cast_columns(table: Table) -> str:
    names = [(identifier(column.name), column.type) for column in table.columns]
    return ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in names)


def _exists(con: duckdb.DuckDBPyConnection, name: str) -> bool:
    schema, table = name.split(".")
    row = con.execute(
        "SELECT COUNT(*) FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?", [schema, table]
    ).fetchall()
    return bool(row[0][0])


def _count(con: duckdb.DuckDBPyConnection, name: str) -> int:
    if not _NAME.match(name):
        raise WarehouseError(f"not a table name: {name!r}")
    return int(con.execute(f"SELECT COUNT(*) FROM {name}").fetchall()[0][0])


def _frame(con: duckdb.DuckDBPyConnection, text: str, parameters: Sequence[object]) -> pl.DataFrame:
    relation = con.sql(text, params=list(parameters)) if parameters else con.sql(text)
    if relation is None:
        raise WarehouseError("not a SELECT: this command only reads")
    frame = pl.from_arrow(relation.to_arrow_table())
    if not isinstance(frame, pl.DataFrame):
        raise WarehouseError("a query must give a table")
    return frame


def _first_line(error: duckdb.Error) -> str:
    return str(error).splitlines()[0]


def _without_values(error: duckdb.Error) -> str:
    """The first line of an error without what is quoted and without numbers: they may be a person's data."""
    first, *others = str(error).splitlines()
    shape = [line.strip() for line in others if _SHAPE.match(line)]
    return ". ".join([_VALUE.sub("'...'", first).rstrip(". "), *shape[:1]])
