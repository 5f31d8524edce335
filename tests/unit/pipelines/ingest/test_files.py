"""Files of a source: found by name, read as received, refused with one clear message that shows no record."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines.ingest.files import InputError, SourceFile, csv_header, find_files, load
from sql.warehouse import Warehouse


def _file(folder: Path, name: str, content: bytes | str) -> SourceFile:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return SourceFile(path.name.split(".")[0].lower(), name, path)


def _raw(folder: Path, *files: SourceFile) -> pl.DataFrame:
    warehouse = Warehouse(folder / "build.duckdb", threads=2)
    warehouse.create()
    assert load(warehouse, list(files)) == warehouse.count(f"raw.{files[0].table}")
    return warehouse.query(f"SELECT * FROM raw.{files[0].table} ORDER BY source_file, row_number")


def test_files_are_found_by_the_name_of_their_table_in_either_case(tmp_path: Path) -> None:
    for name in ("PERSON.CSV", "visit.parquet", "notes.txt", ".hidden.csv", "prescription/b.parquet",
                 "prescription/A.parquet", "prescription/readme.md", "empty/readme.md"):  # fmt: skip
        _file(tmp_path, name, "x")
    found = find_files(tmp_path)
    assert {table: [file.name for file in files] for table, files in found.items()} == {
        "person": ["PERSON.CSV"],
        "visit": ["visit.parquet"],
        "prescription": ["prescription/A.parquet", "prescription/b.parquet"],
    }


@pytest.mark.parametrize("other", ["person.parquet", "person/1.parquet", "PERSON.csv", "person.old.csv"])
def test_a_table_that_is_there_twice_is_refused(tmp_path: Path, other: str) -> None:
    _file(tmp_path, "person.csv", "x")
    _file(tmp_path, other, "x")
    with pytest.raises(InputError, match="table person is there twice"):
        find_files(tmp_path)


def test_an_absent_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="source folder not found"):
        find_files(tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty (0 bytes)"),
        (b"person_id,\x00sex\n", "holds NUL bytes"),
        ("pérson\n".encode("latin-1"), "does not begin with a header in UTF-8"),
        (b"person_id,sex,Sex\n", "column 'sex' is named twice"),
        (b"person_id,,sex\n", "a column has no name"),
        (b"\nperson_id,sex\n", "a column has no name"),
        (",".join(f"c{i}" for i in range(2_001)).encode(), "has 2001 columns; at most 2000"),
    ],
)
def test_a_header_that_cannot_be_used_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(InputError) as caught:
        csv_header(_file(tmp_path, "person.csv", content))
    assert "person.csv" in str(caught.value)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("person_id,sex", ","),
        ("person_id;sex", ";"),
        ("person_id\tsex", "\t"),
        ("person_id|sex", "|"),
        ('" Person_ID ","SEX"', ","),
        ("\ufeffperson_id,sex", ","),
        ("person_id,sex\r", ","),
    ],
)
def test_delimiter_and_names_are_read_from_the_header(tmp_path: Path, header: str, delimiter: str) -> None:
    assert csv_header(_file(tmp_path, "person.csv", f"{header}\n1,F\n")) == (delimiter, ["person_id", "sex"])


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
        ("a;b\n1,5;2\n", [("1,5", "2")]),
        ("a,b\n", []),
        ("a\n1\n2\n", [("1",), ("2",)]),
    ],
    ids=["byte order mark", "CRLF", "no last newline", "quoted newline", "quoted CRLF", "doubled quotes", "semicolon",
         "header only", "one column"],
)  # fmt: skip
def test_csv_in_every_usual_shape_gives_the_same_rows(
    tmp_path: Path, content: str, rows: list[tuple[str, ...]]
) -> None:
    found = _raw(tmp_path, _file(tmp_path, "visit.csv", content))
    assert found.drop("source_file", "row_number").rows() == rows
    assert found["row_number"].to_list() == list(range(1, len(rows) + 1))


@pytest.mark.parametrize(
    "content",
    ["a,b\n1,2\nJane Roe,3,4\n", "a,b\n1,2\nJane Roe\n", 'a,b\n1,2\n"Jane Roe,3\n', b"a,b\n1,Jane R\xf6e\n"],
    ids=["too many cells", "too few cells", "open quote", "not UTF-8"],
)
def test_a_broken_row_is_told_without_showing_it(tmp_path: Path, content: bytes | str) -> None:
    with pytest.raises(InputError, match=r"visit\.csv cannot be read as a table") as caught:
        _raw(tmp_path, _file(tmp_path, "visit.csv", content))
    assert "Jane" not in str(caught.value)


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


@pytest.mark.parametrize("content", [b"", b"not a parquet file"], ids=["no bytes", "not Parquet"])
def test_a_parquet_file_that_is_none_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"visit\.parquet"):
        _raw(tmp_path, _file(tmp_path, "visit.parquet", content))


def test_row_numbers_follow_the_file_also_where_it_is_read_in_parallel(tmp_path: Path) -> None:
    count = 1_000_000
    text = pl.DataFrame({"a": range(1, count + 1), "pad": ["x" * 20] * count}).write_csv()
    warehouse = Warehouse(tmp_path / "build.duckdb", threads=2)
    warehouse.create()
    load(warehouse, [_file(tmp_path, "visit.csv", text)])
    wrong = warehouse.query("SELECT COUNT(*) AS n FROM raw.visit WHERE CAST(a AS BIGINT) <> row_number")
    assert wrong["n"][0] == 0


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of "abc", FIPS 180-4
    assert _file(tmp_path, "person.csv", "abc").sha256 == digest
