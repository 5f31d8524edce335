"""Files as they are loaded: as received, in order, refused with one clear message that shows no record."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from analysis.study.source import Source
from pipelines.ingest.files import InputError, SourceFile, find_files
from pipelines.ingest.load import load, load_database
from sql.warehouse import Warehouse

ZSTD = pa.Codec("zstd")


def _file(folder: Path, name: str, content: bytes | str) -> SourceFile:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return SourceFile(name.partition("/")[0].partition(".")[0].lower(), name, path)


def _raw(folder: Path, *files: SourceFile, **settings: object) -> pl.DataFrame:
    warehouse = Warehouse(folder / "build.duckdb", threads=2)
    warehouse.create()
    read = load(warehouse, list(files), Source.model_validate(settings))
    assert [file.name for file in read] == [file.name for file in files]
    assert not (folder / "build.duckdb.text").exists()
    return warehouse.query(f"SELECT * FROM raw.{files[0].table} ORDER BY source_file, row_number")


def test_csv_is_kept_as_text_with_file_and_row_number(tmp_path: Path) -> None:
    rows = _raw(tmp_path, _file(tmp_path, "person.csv", "person_id,sex\n007,F\n1e3,\n,M\n"))
    assert rows.rows() == [("007", "F", "person.csv", 1), ("1e3", None, "person.csv", 2), (None, "M", "person.csv", 3)]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("\ufeffa,b\n1,2\n", [("1", "2")]),
        ("a,b\r\n1,2\r\n3,4\r\n", [("1", "2"), ("3", "4")]),
        ("a,b\n1,2", [("1", "2")]),
        ('a,b\n1,"two\nlines"\n3,4\n', [("1", "two\nlines"), ("3", "4")]),
        ('a,b\r\n1,"two\r\nlines"\r\n3,4\r\n', [("1", "two\r\nlines"), ("3", "4")]),
        ('a,b\n1,"say ""no"", twice"\n', [("1", 'say "no", twice')]),
        ('a,b\r\n1,"two\nlines"\r\n3,4\r\n', [("1", "two\nlines"), ("3", "4")]),
        ('a,b\n1,"two\r\nlines"\n3,4\n', [("1", "two\r\nlines"), ("3", "4")]),
        ('"a",b\n\n1,2\n\n', [("1", "2")]),
        ("a;b\n1,5;2\n", [("1,5", "2")]),
        ("a,b\n", []),
        ("a\n1\n2\n", [("1",), ("2",)]),
    ],
    ids=["byte order mark", "CRLF", "no last newline", "quoted newline", "quoted CRLF", "doubled quotes", "LF in CRLF",
         "CRLF in LF", "blank lines", "semicolon",
         "header only", "one column"],
)  # fmt: skip
def test_csv_in_every_usual_shape_gives_the_same_rows(
    tmp_path: Path, content: str, rows: list[tuple[str, ...]]
) -> None:
    found = _raw(tmp_path, _file(tmp_path, "visit.csv", content))
    assert found.drop("source_file", "row_number").rows() == rows
    assert found["row_number"].to_list() == list(range(1, len(rows) + 1))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2\nJane Roe,3,4\n5,6\n", "line 3 has more cells than the header (3, not 2)"),
        ("a,b\n1,2\nJane Roe\n5,6\n", "line 3 has fewer cells than the header (1, not 2)"),
        ("a,b\n1,2\nJane Roe", "line 3 has fewer cells than the header (1, not 2)"),
        ('a,b\n1,2\n"Jane Roe,3\n', "line 3 holds a quote that does not end"),
        ('a,b\n1,2\n"Jane" Roe,3\n', "line 3 holds a quote that does not end, text after the end of a quote"),
        ("a,b\r\n1,2\nJane Roe,4\r\n", "its lines do not all end in the same way"),
    ],
    ids=["too many cells", "too few cells", "torn last line", "open quote", "text after a quote", "mixed line ends"],
)
def test_a_broken_row_is_told_by_its_line_without_showing_it(tmp_path: Path, content: str, told: str) -> None:
    good = _file(tmp_path, "visit/1.csv", "a,b\n1,2\n")
    with pytest.raises(InputError) as caught:
        _raw(tmp_path, good, _file(tmp_path, "visit/2.csv", content))
    assert str(caught.value).startswith("visit/2.csv cannot be read as a table: ")
    assert told in str(caught.value)
    assert "Jane" not in str(caught.value)


def test_the_line_of_a_broken_row_is_told_also_where_the_file_is_read_in_parallel(tmp_path: Path) -> None:
    rows = [f"{number},{'x' * 20}" for number in range(1_000_000)]
    rows[700_000] += ",1"
    with pytest.raises(InputError, match="line 700002 has more cells"):
        _raw(tmp_path, _file(tmp_path, "visit.csv", "\n".join(["a,b", *rows, ""])))


@pytest.mark.parametrize("ending", ["", "\n3,4\n"], ids=["last cell", "middle"])
def test_a_cell_of_a_mebibyte_is_read_and_a_longer_one_refused(tmp_path: Path, ending: str) -> None:
    limit = 1 << 20
    rows = _raw(tmp_path, _file(tmp_path, "visit.csv", f"a,b\n1,{'x' * limit}{ending}"))
    assert len(str(rows["b"][0])) == limit
    with pytest.raises(InputError, match=r"visit\.csv: row 1 holds a cell of more than 1 MiB"):
        _raw(tmp_path, _file(tmp_path, "visit.csv", f"a,b\n1,{'x' * (limit + 1)}{ending}"))


@pytest.mark.parametrize("cell", ["x" * (20 << 20), '"' + "x\n" * (10 << 20)], ids=["one line", "open quote"])
def test_a_cell_without_an_end_is_refused(tmp_path: Path, cell: str) -> None:
    with pytest.raises(InputError, match=r"visit\.csv cannot be read as a table: line 2 "):
        _raw(tmp_path, _file(tmp_path, "visit.csv", f"a,b\n1,{cell}"))


def test_parts_with_more_columns_than_can_be_read_are_refused(tmp_path: Path) -> None:
    for part in (1, 2):
        frame = pl.DataFrame({f"c{part}_{number}": ["x"] for number in range(1_001)})
        (tmp_path / "visit").mkdir(exist_ok=True)
        frame.write_parquet(tmp_path / "visit" / f"{part}.parquet")
    with pytest.raises(InputError, match="have 2002 columns; at most 2000"):
        _raw(tmp_path, *find_files(tmp_path)["visit"])


def test_a_column_named_as_one_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'row_number' is used by the system itself"):
        _raw(tmp_path, _file(tmp_path, "visit.csv", "a,Row_Number\n1,2\n"))


def test_parts_with_added_columns_are_one_table_typed_as_stored(tmp_path: Path) -> None:
    (tmp_path / "visit").mkdir()
    pl.DataFrame({"a": [1, 2]}).write_parquet(tmp_path / "visit" / "1.parquet")
    pl.DataFrame({"b": ["x"], "a": [3]}).write_parquet(tmp_path / "visit" / "2.parquet")
    found = _raw(tmp_path, *find_files(tmp_path)["visit"])
    assert found.select("a", "b", "source_file", "row_number").rows() == [
        (1, None, "visit/1.parquet", 1),
        (2, None, "visit/1.parquet", 2),
        (3, "x", "visit/2.parquet", 1),
    ]


def test_packed_parts_are_read_like_plain_ones(tmp_path: Path) -> None:
    files = [
        _file(tmp_path, "visit/1.csv", "a,b\n1,2\n"),
        _file(tmp_path, "visit/2.CSV.GZ", gzip.compress(b"a,b\n3,") + gzip.compress(b"4\n")),
        _file(
            tmp_path,
            "visit/3.csv.zst",
            ZSTD.compress(b"b;a\n6;5\n", asbytes=True) + ZSTD.compress(b"8;7\n", asbytes=True),
        ),
    ]
    rows = _raw(tmp_path, *files)
    assert rows.select("a", "b", "row_number").rows() == [("1", "2", 1), ("3", "4", 1), ("5", "6", 1), ("7", "8", 2)]


@pytest.mark.parametrize("encoding", ["windows-1252", None], ids=["declared", "told from the bytes"])
@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
def test_text_of_one_byte_a_letter_is_rewritten(tmp_path: Path, encoding: str | None, packed: str) -> None:
    text = "a,b\n1,Zo\u00eb \u20ac\n2,plain\n".encode("cp1252")
    content = {"": text, ".gz": gzip.compress(text), ".zst": ZSTD.compress(text, asbytes=True)}[packed]
    file = _file(tmp_path, f"visit.csv{packed}", content)
    assert _raw(tmp_path, file, encoding=encoding)["b"].to_list() == ["Zo\u00eb \u20ac", "plain"]


@pytest.mark.parametrize("content", [b"", b"not a parquet file"], ids=["no bytes", "not Parquet"])
def test_a_parquet_file_that_is_none_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"visit\.parquet"):
        _raw(tmp_path, _file(tmp_path, "visit.parquet", content))


def test_row_numbers_follow_the_file_also_where_it_is_read_in_parallel(tmp_path: Path) -> None:
    count = 1_000_000
    text = pl.DataFrame({"a": range(1, count + 1), "pad": ["x" * 20] * count}).write_csv()
    warehouse = Warehouse(tmp_path / "build.duckdb", threads=2)
    warehouse.create()
    load(warehouse, [_file(tmp_path, "visit.csv", text)], Source())
    wrong = warehouse.query("SELECT COUNT(*) AS n FROM raw.visit WHERE CAST(a AS BIGINT) <> row_number")
    assert wrong["n"][0] == 0


def test_a_column_of_a_stored_table_named_as_one_of_ours_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"a": ["Jane"], "Row_Number": [1]}).write_parquet(tmp_path / "visit.parquet")
    with pytest.raises(InputError, match=r"visit\.parquet: the column name 'row_number' is used"):
        _raw(tmp_path, SourceFile("visit", "visit.parquet", tmp_path / "visit.parquet"))
    (tmp_path / "source").mkdir()
    with duckdb.connect(str(tmp_path / "source" / "cdm.duckdb")) as con:
        con.execute("CREATE TABLE death AS SELECT 1 AS person_id, 2 AS source_file")
    warehouse = Warehouse(tmp_path / "other.duckdb")
    warehouse.create()
    with pytest.raises(InputError, match=r"cdm\.duckdb: the column name 'source_file' is used"):
        load_database(warehouse, tmp_path / "source" / "cdm.duckdb", ("death",))


def test_stored_text_that_is_not_utf8_is_told_without_showing_it(tmp_path: Path) -> None:
    path = tmp_path / "visit.parquet"
    pl.DataFrame({"a": ['x "Jane" Roe']}).write_parquet(path, compression="uncompressed", statistics=False)
    content = path.read_bytes()
    assert content.count(b"Roe") >= 1
    path.write_bytes(content.replace(b"Roe", b"R\xffe"))
    with pytest.raises(
        InputError, match=r"visit\.parquet cannot be read as a table: it holds text that is not UTF-8"
    ) as caught:
        _raw(tmp_path, SourceFile("visit", "visit.parquet", path))
    assert "Jane" not in str(caught.value)
