"""Loading the files of a table into `raw.<table>` as received.

Owns the statement that reads the parts of a table, the row numbers, and what is said when DuckDB cannot read a file.
DuckDB reads the rows, so that memory does not grow with the file. Nothing is typed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from analysis.study.source import Source
from pipelines.ingest.csv_files import MAX_COLUMNS, CsvFile, check_csv
from pipelines.ingest.files import InputError, SourceFile
from sql.warehouse import Warehouse, WarehouseError, identifier, quoted

MAX_CELL_BYTES = 1 << 20
_MAX_LINE_BYTES = 4 * MAX_CELL_BYTES  # DuckDB holds a multiple of it for each thread
OWN_COLUMNS = ("source_file", "row_number")
_LINE = re.compile(r"CSV Error on Line: (\d+)")
_WIDTH = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")


def load(warehouse: Warehouse, files: Sequence[SourceFile], source: Source) -> list[SourceFile]:
    """Loads the parts of one table into `raw.<table>`; returns the files with what reading them told.

    CSV columns stay text; Parquet columns stay as stored. Columns that only some parts have are NULL in the others.
    Raises InputError for a file of no bytes, without a header, or that cannot be read.
    """
    target = f"raw.{files[0].table}"
    with _scratch(warehouse) as scratch:
        selects: list[str] = []
        read: list[SourceFile] = []
        for file in files:
            select, known = _select(warehouse, file, source, scratch / f"{len(read)}.csv")
            selects.append(select)
            read.append(known)
        try:
            _create(warehouse, target, selects)
        except WarehouseError as error:
            for file, select in zip(files, selects, strict=True):
                try:
                    _create(warehouse, target, [select])
                except WarehouseError as own:
                    raise InputError(_told(file.name, own)) from None
            raise InputError(_told(", ".join(file.name for file in files[:5]), error)) from None
    _check_limits(warehouse, target, files)
    return read


def load_database(warehouse: Warehouse, database: Path, names: tuple[str, ...]) -> list[str]:
    """Loads the named tables of a DuckDB file into `raw.*`, in whatever schema and case they lie; returns those found."""
    source = f"ATTACH {quoted(str(database))} AS source (READ_ONLY)"
    with warehouse.connection() as con:
        try:
            con.execute(source)
        except Exception:
            raise InputError(
                f"{database.name} cannot be opened as a DuckDB file; another program may be writing it."
            ) from None
        held = con.execute(
            "SELECT LOWER(table_name), schema_name, table_name FROM duckdb_tables() WHERE database_name = 'source'"
        ).fetchall()
        found = {row[0]: f"source.{identifier(row[1])}.{identifier(row[2])}" for row in held if row[0] in names}
        for table, path in sorted(found.items()):
            _refuse_own(database.name, (row[0] for row in con.execute(f"DESCRIBE {path}").fetchall()))
            try:
                con.execute(
                    f"CREATE OR REPLACE TABLE raw.{table} AS SELECT *, {quoted(database.name)} AS source_file, "
                    f"ROW_NUMBER() OVER () AS row_number FROM {path}"
                )
            except Exception:  # what it says may hold values
                raise InputError(f"{database.name}: table {table} cannot be read; the file may be damaged.") from None
        con.execute("DETACH source")
    return sorted(found)


@contextmanager
def _scratch(warehouse: Warehouse) -> Iterator[Path]:
    """A folder beside the build for text that is rewritten before it is read; gone afterwards."""
    folder = warehouse.path.with_name(warehouse.path.name + ".text")
    try:
        yield folder
    finally:
        if folder.is_dir():
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()


def _create(warehouse: Warehouse, target: str, selects: Sequence[str]) -> None:
    warehouse.execute(f"CREATE OR REPLACE TABLE {target} AS " + " UNION ALL BY NAME ".join(selects))


def _select(warehouse: Warehouse, file: SourceFile, source: Source, rewritten: Path) -> tuple[str, SourceFile]:
    if not file.path.stat().st_size:
        raise InputError(
            f"{file.name} is empty (0 bytes). Export it again; a table without rows still needs its header."
        )
    own = f"{quoted(file.name)} AS source_file"
    if file.compression is None:
        rows = f"read_parquet({quoted(str(file.path))}, file_row_number = true)"
        try:
            _refuse_own(
                file.name,
                warehouse.query(f"DESCRIBE SELECT * FROM read_parquet({quoted(str(file.path))})")["column_name"],
            )
        except WarehouseError as error:
            raise InputError(_told(file.name, error)) from None
        columns = "COLUMNS(lambda c: c <> 'file_row_number')"
        return f"SELECT {columns}, {own}, file_row_number + 1 AS row_number FROM {rows}", file
    found = check_csv(file, source, rewritten)
    known = replace(file, digest=found.digest, encoding=found.encoding)
    return f"SELECT *, {own}, ROW_NUMBER() OVER () AS row_number FROM {_read_csv(file, found)}", known


def _read_csv(file: SourceFile, found: CsvFile) -> str:
    _refuse_own(file.name, found.names)
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in found.names)
    return (
        f"read_csv({quoted(str(found.path))}, auto_detect = false, header = true, delim = {quoted(found.delimiter)}, "
        f"quote = '\"', escape = '\"', columns = {{{columns}}}, max_line_size = {_MAX_LINE_BYTES}, "
        f"compression = {quoted(found.compression or 'none')})"
    )


def _refuse_own(name: str, columns: Iterable[str]) -> None:
    """Raises InputError for a column named as one of ours: DuckDB would give ours another name."""
    clash = sorted({column.lower() for column in columns} & set(OWN_COLUMNS))
    if clash:
        raise InputError(f"{name}: the column name {clash[0]!r} is used by the system itself; rename the column.")


def _told(name: str, error: WarehouseError) -> str:
    """What is wrong with a file, from DuckDB's message without any of its content."""
    text = str(error)
    line, width = _LINE.search(text), _WIDTH.search(text)
    if line and width:
        more_or_less = "more" if int(width[2]) > int(width[1]) else "fewer"
        return (
            f"{name} cannot be read as a table: line {line[1]} has {more_or_less} cells than the header ({width[2]}, not "
            f"{width[1]}). Is a delimiter inside a cell not in quotes, or the file cut off? Export it again."
        )
    if line:
        return (
            f"{name} cannot be read as a table: line {line[1]} holds a quote that does not end, text after the end of a "
            f"quote, or more than {_MAX_LINE_BYTES >> 20} MiB. Is the file cut off? Export it again."
        )
    if "state machine" in text:
        return (
            f"{name} cannot be read as a table: its lines do not all end in the same way (LF or CR LF), or a quote stands "
            "where none may. Export it again."
        )
    if "unicode" in text.lower() or "string encoding" in text:  # DuckDB goes on with the text itself
        return f"{name} cannot be read as a table: it holds text that is not UTF-8. Export it again."
    return f"{name} cannot be read as a table: {text[:200]}. Check the file and export it again."


def _check_limits(warehouse: Warehouse, target: str, files: Sequence[SourceFile]) -> None:
    """Raises InputError for a cell or a number of columns above the limit."""
    columns = warehouse.columns_of(target)
    if len(columns) > MAX_COLUMNS + len(OWN_COLUMNS):
        raise InputError(
            f"{files[0].name} and its parts have {len(columns) - len(OWN_COLUMNS)} columns; at most {MAX_COLUMNS} can be "
            "read."
        )
    texts = [identifier(name) for name, kind in columns if kind == "VARCHAR" and name != "source_file"]
    if not texts:
        return
    longest = " OR ".join(f"STRLEN({name}) > {MAX_CELL_BYTES}" for name in texts)
    found = warehouse.query(
        f"SELECT source_file, MIN(row_number) FROM {target} WHERE {longest} GROUP BY ALL ORDER BY ALL LIMIT 1"
    )
    for name, row in found.rows():
        raise InputError(
            f"{name}: row {row} holds a cell of more than {MAX_CELL_BYTES >> 20} MiB, the most that can be read. Is a quote "
            "left open? Mend the cell or leave the column out."
        )
