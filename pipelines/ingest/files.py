"""Finding the files of a source folder and loading them into `raw.*` as received.

Owns how a file is recognised, how a CSV header is read, the SHA-256 of every file and the row numbers. DuckDB reads the
rows, so that memory does not grow with the file. Nothing is typed here.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

from sql.warehouse import Warehouse, WarehouseError, identifier, quoted

DELIMITERS = (",", ";", "\t", "|")
MAX_COLUMNS = 2_000
MAX_HEADER_BYTES = 1 << 20
SUFFIXES = (".csv", ".parquet")
OWN_COLUMNS = ("source_file", "row_number")


class InputError(ValueError):
    """The source cannot be read; the message says which file, what is wrong and what to do, and shows no record."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the source: the table it holds and its name relative to the source folder."""

    table: str
    name: str
    path: Path

    @property
    def sha256(self) -> str:
        """SHA-256 of the content."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def find_files(folder: Path) -> dict[str, list[SourceFile]]:
    """The files of a source folder by table name (lower case), parts in the order of their names.

    Raises InputError when the folder is absent or a table is there twice (a file and a folder, or CSV and Parquet).
    """
    if not folder.is_dir():
        raise InputError(f"source folder not found: {folder}. Name it with --source or source.path in the study file.")
    found: dict[str, list[SourceFile]] = {}
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.name.startswith("."):
            continue
        table = entry.name.split(".")[0].lower()
        if entry.is_dir():
            parts = [
                part for part in sorted(entry.iterdir(), key=lambda path: path.name) if part.suffix.lower() in SUFFIXES
            ]
            if not parts:
                continue
        elif entry.suffix.lower() in SUFFIXES:
            parts = [entry]
        else:
            continue
        if table in found:
            raise InputError(
                f"table {table} is there twice: {found[table][0].name} and {entry.name}. Keep one of them, or put the "
                f"parts of one table in one folder {table}/."
            )
        found[table] = [SourceFile(table, path.relative_to(folder).as_posix(), path) for path in parts]
    return found


def load(warehouse: Warehouse, files: list[SourceFile]) -> int:
    """Loads the parts of one table into `raw.<table>`; returns the number of rows.

    CSV columns stay text; Parquet columns stay as stored. Columns that only some parts have are NULL in the others.
    Raises InputError for a file of no bytes, without a header, or that cannot be read.
    """
    selects = [_select(file) for file in files]
    target = f"raw.{files[0].table}"
    try:
        warehouse.execute(f"CREATE OR REPLACE TABLE {target} AS " + " UNION ALL BY NAME ".join(selects))
    except WarehouseError as error:
        names = ", ".join(file.name for file in files)
        raise InputError(
            f"{names} cannot be read as a table: {str(error)[:200]}. Check the file and export it again."
        ) from None
    return warehouse.count(target)


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
            con.execute(
                f"CREATE OR REPLACE TABLE raw.{table} AS SELECT *, {quoted(database.name)} AS source_file, "
                f"ROW_NUMBER() OVER () AS row_number FROM {path}"
            )
        con.execute("DETACH source")
    return sorted(found)


def csv_header(file: SourceFile) -> tuple[str, list[str]]:
    """Delimiter and column names of a CSV file. Raises InputError."""
    with file.path.open("rb") as stream:
        head = stream.read(MAX_HEADER_BYTES)
    if not head:
        raise InputError(
            f"{file.name} is empty (0 bytes). Export it again; a table without rows still needs its header."
        )
    if b"\x00" in head:
        raise InputError(f"{file.name} holds NUL bytes and is not a CSV file. Export it again as text in UTF-8.")
    try:
        line = head.splitlines()[0].decode("utf-8-sig")
    except (UnicodeDecodeError, IndexError):
        raise InputError(
            f"{file.name} does not begin with a header in UTF-8. Export it again as CSV in UTF-8."
        ) from None
    delimiter = max(DELIMITERS, key=line.count)
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    if len(names) > MAX_COLUMNS:
        raise InputError(f"{file.name} has {len(names)} columns; at most {MAX_COLUMNS} can be read.")
    lowered = [name.lower() for name in names]
    twice = sorted({name for name in lowered if lowered.count(name) > 1})
    if not lowered or "" in lowered or twice:
        what = f"column {twice[0]!r} is named twice" if twice and twice[0] else "a column has no name"
        raise InputError(f"{file.name}: {what} in the header. Give every column its own name.")
    return delimiter, lowered


def _select(file: SourceFile) -> str:
    own = f"{quoted(file.name)} AS source_file"
    if file.path.suffix.lower() == ".parquet":
        if not file.path.stat().st_size:
            raise InputError(f"{file.name} is empty (0 bytes). Export it again.")
        rows = f"read_parquet({quoted(str(file.path))}, file_row_number = true)"
        return f"SELECT COLUMNS(c -> c <> 'file_row_number'), {own}, file_row_number + 1 AS row_number FROM {rows}".replace(
            "c -> c", "lambda c: c"
        )
    delimiter, names = csv_header(file)
    clash = sorted(set(names) & set(OWN_COLUMNS))
    if clash:
        raise InputError(f"{file.name}: the column name {clash[0]!r} is used by the system itself; rename the column.")
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
    rows = (
        f"read_csv({quoted(str(file.path))}, auto_detect = false, header = true, delim = {quoted(delimiter)}, "
        f"quote = '\"', escape = '\"', columns = {{{columns}}}, max_line_size = 4194304)"
    )
    return f"SELECT *, {own}, ROW_NUMBER() OVER () AS row_number FROM {rows}"
