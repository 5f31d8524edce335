"""Finding the files of a source folder: which table a file holds, and what a file is. Nothing is read here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

COMPRESSIONS = {".csv": "", ".csv.gz": "gzip", ".csv.zst": "zstd"}  # of a CSV file, by the end of its name
PARQUET = ".parquet"


class InputError(ValueError):
    """The source cannot be read; the message says which file, what is wrong and what to do, and shows no record."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the source: the table it holds and its name relative to the source folder.

    `digest` and `encoding` are known once the file was read; a file that is not text has no encoding.
    """

    table: str
    name: str
    path: Path
    digest: str = ""
    encoding: str | None = None

    @property
    def compression(self) -> str | None:
        """How a CSV file is compressed, empty where it is not; None where the file is no CSV file."""
        return COMPRESSIONS.get(_suffix(self.path))

    @property
    def sha256(self) -> str:
        """SHA-256 of the content."""
        if self.digest:
            return self.digest
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
                part
                for part in sorted(entry.iterdir(), key=lambda path: path.name)
                if _suffix(part) and not part.name.startswith(".")
            ]
            if not parts:
                continue
        elif _suffix(entry):
            parts = [entry]
        else:
            continue
        if table in found:
            raise InputError(
                f"table {table} is there twice: {found[table][0].name} and {entry.name}. Keep one of them, or put the "
                f"parts of one table in one folder {table}/."
            )
        unreadable = [path for path in parts if not path.is_file()]
        if unreadable:
            raise InputError(
                f"{unreadable[0].relative_to(folder).as_posix()} is not a file, or a link to none. Put the file itself there."
            )
        found[table] = [SourceFile(table, path.relative_to(folder).as_posix(), path) for path in parts]
    return found


def _suffix(path: Path) -> str:
    """The end of a file's name that says how it is read, in lower case; empty for a file that is not read."""
    name = path.name.lower()
    return next((suffix for suffix in (PARQUET, *COMPRESSIONS) if name.endswith(suffix)), "")
