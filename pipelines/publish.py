"""Publishing: the last step of a run, which replaces the database, the report and the quarantine files.

Owns the exchange of folders in one step, the purge of builds that failed, and the fingerprint that tells whether anything
changed. A run killed at any moment leaves the last good files.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from analysis.study.spec import StudySpec
from pipelines.ingest.files import SourceFile, find_files
from pipelines.paths import PROJECT, Output
from sql.warehouse import Warehouse, quoted

PACKAGES = (
    "coexposure",
    "duckdb",
    "polars",
    "numpy",
    "scipy",
    "lifelines",
    "great-expectations",
    "dagster",
    "matplotlib",
)
CODE_FOLDERS = ("analysis", "expectations", "pipelines", "sql")
CODE_SUFFIXES = (".py", ".sql", ".csv", ".toml", ".html", ".css")
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_STALE_AFTER_SECONDS = 24 * 3600


def code_digest(root: Path = PROJECT) -> str:
    """SHA-256 over every file that makes a number or a page, and the versions of what they use.

    Python, SELECTs, contracts, reference tables and templates of the four packages: a corrected estimator is a change even
    where no SELECT and no version moved.
    """
    digest = hashlib.sha256()
    files = (path for name in CODE_FOLDERS for path in (root / name).rglob("*") if path.suffix in CODE_SUFFIXES)
    for name, path in sorted((path.relative_to(root).as_posix(), path) for path in files):
        digest.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for package in PACKAGES:
        digest.update(f"{package} {version(package)}\n".encode())
    return digest.hexdigest()


def fingerprint(spec: StudySpec, files: Iterable[SourceFile]) -> str:
    """SHA-256 over study, files and code: equal when a run would give the same numbers."""
    digest = hashlib.sha256(f"{spec.digest()} {code_digest()}\n".encode())
    for file in sorted(files, key=lambda file: (file.table, file.name)):
        digest.update(f"{file.table} {file.name} {file.sha256}\n".encode())
    return digest.hexdigest()


def source_files(source: Path) -> list[SourceFile]:
    """Every file of a source that could be read, for the fingerprint."""
    if source.is_file():
        return [SourceFile("all", source.name, source)]
    databases = [SourceFile("all", path.name, path) for path in sorted(source.glob("*.duckdb"))]
    return databases or [part for parts in find_files(source).values() for part in parts]


def published_fingerprint(out: Output) -> str | None:
    """The fingerprint of what is published, None when nothing is or it cannot be read."""
    try:
        found = json.loads(out.manifest.read_text(encoding="utf-8")).get("fingerprint")
    except (OSError, ValueError):
        return None
    return str(found) if found and out.database.is_file() else None


def publish(warehouse: Warehouse, *, report: Path, quarantine: Path, out: Output) -> None:
    """Puts the database, then the report and the quarantine files, in the place of the published ones."""
    warehouse.publish(out.database)
    exchange(report, out.report)
    exchange(quarantine, out.quarantine)


def write_quarantine(warehouse: Warehouse, folder: Path) -> None:
    """One Parquet file for each table of which rows were set aside."""
    folder.mkdir(parents=True)
    for table in warehouse.query("SELECT DISTINCT table_name FROM quality.quarantine ORDER BY table_name")[
        "table_name"
    ]:
        warehouse.read("quality.quarantine", where=f"table_name = {quoted(table)}").write_parquet(
            folder / f"{table}.parquet"
        )


def exchange(new: Path, published: Path) -> None:
    """Puts a folder in the place of another in one step, where the system can; the old one is removed afterwards."""
    if not published.exists():
        new.replace(published)
        return
    if not _renamed_with_exchange(new, published):
        old = new.with_name(new.name + ".old")
        published.replace(old)  # without the system's exchange there is a moment without a published folder
        new.replace(published)
        new = old
    shutil.rmtree(new)


def purge(out: Output, *, run_id: str) -> None:
    """Removes what this run and, a day later, killed runs left in the scratch folder; another's young files stay."""
    if not out.build.is_dir():
        return
    for entry in out.build.iterdir():
        if entry.name.startswith(run_id) or time.time() - entry.stat().st_mtime > _STALE_AFTER_SECONDS:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _renamed_with_exchange(new: Path, published: Path) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    done = libc.renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(published), _RENAME_EXCHANGE)
    if done == 0:
        return True
    if ctypes.get_errno() in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(published))
