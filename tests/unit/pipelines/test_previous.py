"""The last publication: read where there is one, nothing where there is none, an error where it cannot be read."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipelines.ingest.files import InputError
from pipelines.previous import write_previous
from sql.catalog import tables
from sql.warehouse import Warehouse

TABLE, RULE = "quality.row_account", "quality.rule_result"


def _publication(path: Path, *, names: tuple[str, ...] = (TABLE, RULE)) -> Path:
    """A publication of study `ours` with one account and one rule."""
    with duckdb.connect(str(path)) as con:
        for schema in ("meta", "quality"):
            con.execute(f"CREATE SCHEMA {schema}")
        con.execute("CREATE TABLE meta.run AS SELECT 'ours' AS study_id, 'before' AS fingerprint")
        for name in names:
            previous = "meta.previous_table" if name == TABLE else "meta.previous_rule"
            columns = ", ".join(f"CAST('7' AS VARCHAR) AS {column.name}" for column in tables()[previous].columns)
            con.execute(f"CREATE TABLE {name} AS SELECT {columns}")
    return path


@pytest.fixture
def build(tmp_path: Path) -> Warehouse:
    warehouse = Warehouse(tmp_path / "build.duckdb")
    warehouse.create()
    values = ", ".join(
        f"CAST({'FALSE' if column.type == 'BOOLEAN' else repr('native')} AS {column.type}) AS {column.name}"
        for column in tables()["meta.source"].columns
    )
    warehouse.execute(f"CREATE TABLE meta.source AS SELECT {values}")
    return warehouse


def _read(warehouse: Warehouse) -> tuple[int, int]:
    return warehouse.count("meta.previous_table"), warehouse.count("meta.previous_rule")


def test_the_last_publication_of_the_study_is_read(build: Warehouse, tmp_path: Path) -> None:
    published = _publication(tmp_path / "published.duckdb")
    write_previous(build, published, study_id="ours", fingerprint="now")
    assert _read(build) == (1, 1)


@pytest.mark.parametrize("study_id", ["ours", "another"])
def test_another_study_and_no_publication_give_nothing(build: Warehouse, tmp_path: Path, study_id: str) -> None:
    published = _publication(tmp_path / "published.duckdb") if study_id == "another" else tmp_path / "none.duckdb"
    write_previous(build, published, study_id=study_id, fingerprint="now")
    assert _read(build) == (0, 0)


def test_a_publication_from_before_these_tables_gives_nothing(build: Warehouse, tmp_path: Path) -> None:
    published = _publication(tmp_path / "published.duckdb", names=(RULE,))
    write_previous(build, published, study_id="ours", fingerprint="now")
    assert _read(build) == (0, 1)


def test_a_damaged_publication_is_an_error_and_not_an_empty_history(build: Warehouse, tmp_path: Path) -> None:
    published = _publication(tmp_path / "published.duckdb")
    published.write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match=r"published\.duckdb cannot be read"):
        write_previous(build, published, study_id="ours", fingerprint="now")


def test_a_publication_open_for_writing_is_an_error_and_not_an_empty_history(build: Warehouse, tmp_path: Path) -> None:
    published = _publication(tmp_path / "published.duckdb")
    with duckdb.connect(str(published)), pytest.raises(InputError, match="cannot be read"):
        write_previous(build, published, study_id="ours", fingerprint="now")
