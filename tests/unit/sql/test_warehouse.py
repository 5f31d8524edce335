"""The database file: what it promises to readers, to a kill and to whoever reads its messages."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
import pytest

from sql.catalog import Query, tables
from sql.kept import KEPT, kept_open
from sql.warehouse import STORAGE_VERSION, Warehouse, WarehouseError, guarded_query, identifier, quoted

DEATHS = "staged.death"
ROOT = Path(__file__).parents[3]


def _deaths(*persons: int) -> pl.DataFrame:
    return pl.DataFrame({"person_id": persons, "death_date": ["2020-02-29"] * len(persons)})


def _made(path: Path, *persons: int) -> Warehouse:
    warehouse = Warehouse(path)
    warehouse.create()
    warehouse.write(DEATHS, _deaths(*persons))
    return warehouse


def test_a_table_is_written_in_the_types_of_its_contract_and_read_by_its_key(tmp_path: Path) -> None:
    warehouse = _made(tmp_path / "a.duckdb", 3, 1, 2)
    assert warehouse.columns_of(DEATHS) == [("person_id", "BIGINT"), ("death_date", "DATE")]
    assert warehouse.read(DEATHS)["person_id"].to_list() == [1, 2, 3]
    assert warehouse.count(DEATHS) == 3
    assert warehouse.has(DEATHS)
    assert not warehouse.has("staged.person")


def test_rows_are_replaced_by_name_and_the_table_is_made_when_absent(tmp_path: Path) -> None:
    warehouse = _made(tmp_path / "a.duckdb", 1)
    one, other = (
        pl.DataFrame({"analysis": [name], "diagnostic": ["d"], "item": ["i"], "value": [v], "threshold": [None],
                      "status": ["pass"]}, schema_overrides={"threshold": pl.Float64})
        for name, v in (("a", 1.0), ("b", 2.0))
    )  # fmt: skip
    for frame in (one, other, one.with_columns(value=pl.lit(3.0))):
        warehouse.replace_rows("estimate.diagnostic", frame, where={"analysis": frame["analysis"][0]})
    assert warehouse.read("estimate.diagnostic").select("analysis", "value").rows() == [("a", 3.0), ("b", 2.0)]


def test_a_table_that_breaks_its_contract_is_refused(tmp_path: Path) -> None:
    warehouse = _made(tmp_path / "a.duckdb", 1)
    wrong = Query(DEATHS, "SELECT 1 AS person_id", ())
    with pytest.raises(WarehouseError, match=r"staged\.death has columns \['person_id'\], its contract promises"):
        warehouse.build(wrong)
    assert warehouse.count(DEATHS) == 1


def test_the_file_opens_in_every_client_since_duckdb_1(tmp_path: Path) -> None:
    warehouse = _made(tmp_path / "a.duckdb", 1)
    tags = warehouse.query("SELECT tags['storage_version'] AS v FROM duckdb_databases() WHERE database_name = 'a'")
    assert STORAGE_VERSION == "v1.0.0"
    assert tags["v"][0].startswith(STORAGE_VERSION)


def test_comments_hold_any_text(tmp_path: Path) -> None:
    warehouse = _made(tmp_path / "a.duckdb", 1)
    comment = warehouse.query("SELECT comment FROM duckdb_tables() WHERE table_name = 'death'")["comment"][0]
    assert comment == tables()[DEATHS].about
    assert quoted("it's") == "'it''s'"
    assert identifier('a"b') == '"a""b"'


def test_publishing_replaces_the_file_and_leaves_the_old_one_to_who_reads_it(tmp_path: Path) -> None:
    target = tmp_path / "out" / "published.duckdb"
    _made(tmp_path / "a.duckdb", 1).publish(target)
    with duckdb.connect(str(target), read_only=True) as reader:
        assert reader.execute(f"SELECT person_id FROM {DEATHS}").fetchall() == [(1,)]
        _made(tmp_path / "b.duckdb", 2, 3).publish(target)
        assert reader.execute(f"SELECT person_id FROM {DEATHS}").fetchall() == [(1,)]
    assert Warehouse(target).read(DEATHS)["person_id"].to_list() == [2, 3]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["published.duckdb"]


def test_publishing_is_refused_beside_the_log_of_a_published_file(tmp_path: Path) -> None:
    target = tmp_path / "published.duckdb"
    _made(tmp_path / "a.duckdb", 1).publish(target)
    before = target.read_bytes()
    (tmp_path / "published.duckdb.wal").write_bytes(b"")
    with pytest.raises(WarehouseError, match=r"write-ahead log lies at published\.duckdb\.wal"):
        _made(tmp_path / "b.duckdb", 2).publish(target)
    assert target.read_bytes() == before


class _Disturbed(Warehouse):
    """A build beside which another program leaves a log as soon as it is closed."""

    @contextmanager
    def connection(self, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        with super().connection(read_only=read_only) as con:
            yield con
        self.path.with_name(self.path.name + ".wal").touch()


def test_publishing_is_refused_beside_a_log_of_the_build(tmp_path: Path) -> None:
    _made(tmp_path / "b.duckdb", 2)
    with pytest.raises(WarehouseError, match=r"write-ahead log lies at b\.duckdb\.wal"):
        _Disturbed(tmp_path / "b.duckdb").publish(tmp_path / "published.duckdb")
    assert not (tmp_path / "published.duckdb").exists()


_BUILDING = """
import sys, polars as pl
from pathlib import Path
from sql.warehouse import Warehouse
warehouse = Warehouse(Path(sys.argv[1]))
warehouse.create()
with warehouse.connection() as con:
    con.execute("BEGIN")
    con.execute("CREATE TABLE staged.death AS SELECT r AS person_id, DATE '2020-01-01' AS death_date FROM RANGE(1000000) AS t (r)")
    Path(sys.argv[2]).touch()
    while True:
        con.execute("INSERT INTO staged.death SELECT person_id, death_date FROM staged.death WHERE person_id < 1000000 LIMIT 100000")
"""


def test_a_kill_in_the_middle_of_a_build_leaves_the_published_file_readable(tmp_path: Path) -> None:
    target, build, sign = tmp_path / "published.duckdb", tmp_path / "build.duckdb", tmp_path / "sign"
    _made(tmp_path / "a.duckdb", 1).publish(target)
    process = subprocess.Popen(
        [sys.executable, "-c", _BUILDING, str(build), str(sign)], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        until = time.monotonic() + 30
        while not sign.exists() and time.monotonic() < until:
            time.sleep(0.02)
        assert sign.exists()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert Warehouse(target).read(DEATHS)["person_id"].to_list() == [1]
    _made(build, 7).publish(target)  # what the kill left behind does not stand in the way of the next run
    assert Warehouse(target).read(DEATHS)["person_id"].to_list() == [7]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT CAST('Jane Roe 1980' AS BIGINT) AS n",
        "SELECT * FROM staged.death WHERE person_id = 'Jane Roe 1980'",
        "SELECT CAST(x AS DATE) AS d FROM (VALUES ('Jane Roe 1980')) AS t (x)",
        'SELECT "Jane Roe 1980" FROM staged.death',
        "SELECT CAST(19800229 AS TINYINT) AS n, 'Jane' AS name",
        "SELECT CAST(r AS BIGINT) * 9223372036854775807 AS n FROM RANGE(19800229, 19800231) AS t (r)",
    ],
)
def test_the_message_of_a_failed_statement_holds_no_value(tmp_path: Path, statement: str) -> None:
    warehouse = _made(tmp_path / "a.duckdb", 1)
    for run in (warehouse.query, warehouse.execute):
        with pytest.raises(WarehouseError) as caught:
            run(statement)
        assert "Jane" not in str(caught.value)
        assert "1980" not in str(caught.value)


def test_the_message_about_an_unreadable_file_holds_no_value(tmp_path: Path) -> None:
    warehouse = _made(tmp_path / "a.duckdb", 1)
    (tmp_path / "p.csv").write_text('a,b\n1,2\n"Jane Roe 1980,3\n', encoding="utf-8")
    with pytest.raises(WarehouseError) as caught:
        warehouse.execute(
            f"CREATE TABLE raw.p AS SELECT * FROM read_csv({quoted(str(tmp_path / 'p.csv'))}, auto_detect = false, "
            "header = true, quote = '\"', columns = {'a': 'VARCHAR', 'b': 'VARCHAR'})"
        )
    assert "Jane" not in str(caught.value)
    assert "Line: 3" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "COPY staged.death TO '{folder}/leak.csv'",
        "COPY (SELECT 1 AS a) TO '{folder}/leak.csv'",
        "EXPORT DATABASE '{folder}/leak'",
        "ATTACH '{folder}/leak.duckdb' AS other",
        "ATTACH ':memory:' AS other",
        "CREATE TABLE staged.other AS SELECT 1 AS a",
        "CREATE TEMP TABLE other AS SELECT 1 AS a",
        "INSERT INTO staged.death SELECT 1, DATE '2020-01-01'",
        "DELETE FROM staged.death",
        "DROP TABLE staged.death",
        "UPDATE staged.death SET person_id = 2",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CHECKPOINT",
        "SELECT 1 AS a; DROP TABLE staged.death",
        "SELECT 1 AS a; COPY staged.death TO '{folder}/leak.csv'",
        "",
    ],
)
def test_a_guarded_query_neither_reads_nor_writes_anything_else(tmp_path: Path, text: str) -> None:
    target = tmp_path / "published.duckdb"
    _made(tmp_path / "a.duckdb", 1).publish(target)
    before = target.read_bytes()
    with pytest.raises(WarehouseError):
        guarded_query(target, text.format(folder=tmp_path))
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["published.duckdb"]


def test_a_guarded_query_reads_the_published_file(tmp_path: Path) -> None:
    target = tmp_path / "published.duckdb"
    _made(tmp_path / "a.duckdb", 1, 2).publish(target)
    assert guarded_query(target, f"SELECT COUNT(*) AS n FROM {DEATHS}").rows() == [(2,)]
    assert guarded_query(target, f"WITH d AS (SELECT person_id FROM {DEATHS}) SELECT person_id FROM d").height == 2


def test_a_file_that_is_kept_open_is_opened_once_and_let_go_at_the_end(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "kept.duckdb")
    with kept_open(warehouse.path):
        warehouse.create()
        warehouse.execute("CREATE TABLE meta.number AS SELECT 1 AS number")
        first = KEPT[warehouse.path.resolve()]
        assert warehouse.query("SELECT number FROM meta.number").rows() == [(1,)]
        assert KEPT[warehouse.path.resolve()] is first
        assert first is not None
        with pytest.raises(duckdb.Error), duckdb.connect(str(warehouse.path), read_only=True):
            pass
        with warehouse.lent() as path, duckdb.connect(str(path), read_only=True) as con:
            assert con.execute("SELECT number FROM meta.number").fetchall() == [(1,)]
        assert warehouse.count("meta.number") == 1
    with duckdb.connect(str(warehouse.path), read_only=True) as con:
        assert con.execute("SELECT number FROM meta.number").fetchall() == [(1,)]
    assert warehouse.path.resolve() not in KEPT


def test_a_large_file_is_closed_after_each_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = Warehouse(tmp_path / "large.duckdb")
    monkeypatch.setattr("sql.kept.LARGEST_BYTES", 0)
    with kept_open(warehouse.path):
        warehouse.create()
        warehouse.execute("CREATE TABLE meta.number AS SELECT 1 AS number")
        with duckdb.connect(str(warehouse.path), read_only=True) as con:
            assert con.execute("SELECT number FROM meta.number").fetchall() == [(1,)]


def test_a_kept_file_is_published_and_its_statements_see_utc(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "build.duckdb")
    with kept_open(warehouse.path):
        warehouse.create()
        warehouse.execute("CREATE TABLE meta.number AS SELECT 1 AS number")
        assert warehouse.query("SELECT current_setting('TimeZone') AS zone").rows() == [("UTC",)]
        warehouse.publish(tmp_path / "published.duckdb")
    with duckdb.connect(str(tmp_path / "published.duckdb"), read_only=True) as con:
        assert con.execute("SELECT number FROM meta.number").fetchall() == [(1,)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["published.duckdb"]
