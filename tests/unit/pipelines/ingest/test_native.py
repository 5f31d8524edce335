"""Native records as they are typed: what can be read, what cannot, what is open, what is a duplicate."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from pipelines.ingest.files import InputError
from pipelines.steps import Build
from tests.whole_run import TINY, ingested, small_study, write_csv

PERSON = "person_id | sex | birth_date\na | F | 1980-01-01"
EVENT = "adverse_event_id | person_id | term | onset_date"
PRESCRIPTION = "prescription_id | person_id | record_type | drug_source_value | start_date"
REQUIRED = {"person": PERSON, "adverse_event": EVENT, "prescription": PRESCRIPTION}


def _ingested(tmp_path: Path, **tables: str) -> Build:
    source = write_csv(tmp_path / "source", **(REQUIRED | tables))
    return ingested(small_study(), source, tmp_path / "build.duckdb")


def _rows(build: Build, table: str, columns: str) -> list[tuple[object, ...]]:
    return build.warehouse.query(f"SELECT {columns} FROM intake.{table} ORDER BY source_file, row_number").rows()


@pytest.mark.parametrize("table", ["person", "prescription", "adverse_event"])
def test_a_missing_required_table_is_told_with_what_was_found(tmp_path: Path, table: str) -> None:
    source = write_csv(tmp_path, **{name: text for name, text in REQUIRED.items() if name != table})
    with pytest.raises(InputError, match=rf"required table {table} is missing .*DQ001.*Found: "):
        ingested(small_study(), source, tmp_path / "b.duckdb")


def test_a_missing_required_column_is_told_with_the_columns_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"person\.csv: required column sex is missing.*It has: birth_date, person_id"):
        _ingested(tmp_path, person="person_id | birth_date\na | 1980-01-01")


def test_a_file_without_a_header_is_told_without_its_first_record(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is the header missing") as caught:
        _ingested(tmp_path / "none", person="jane-roe-1 | F | 1980-01-01")
    assert "jane" not in str(caught.value).lower()
    with pytest.raises(InputError, match=r"It has: birth_date, person_id, sexus and 1 others\.") as caught:
        _ingested(tmp_path / "joined", person="person_id | sexus | birth_date | note jane-roe-1\na | F | - | x")
    assert "jane" not in str(caught.value).lower()


def test_every_file_is_described_with_the_encoding_it_was_read_in(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "source", **REQUIRED)
    content = "person_id,sex,birth_date\nZo\u00eb,F,1980-01-01\n".encode("cp1252")
    (source / "person.csv").write_bytes(content)
    pl.DataFrame({"person_id": ["a"], "death_date": [date(2020, 1, 1)]}).write_parquet(source / "death.parquet")
    build = ingested(small_study(), source, tmp_path / "build.duckdb")
    files = build.warehouse.read("meta.input_file")
    assert dict(files.select("table_name", "encoding").rows()) == {
        "person": "windows-1252", "prescription": "utf-8", "adverse_event": "utf-8", "death": None
    }  # fmt: skip
    assert files.filter(table_name="person")["sha256"].to_list() == [hashlib.sha256(content).hexdigest()]
    assert _rows(build, "person", "person_source_value") == [("Zo\u00eb",)]


def test_one_of_two_columns_is_enough_and_none_is_told(tmp_path: Path) -> None:
    build = _ingested(tmp_path / "one", person="person_id | sex | year_of_birth\na | F | 1980")
    assert _rows(build, "person", "birth_date, year_of_birth") == [(None, 1980)]
    with pytest.raises(InputError, match="required column birth_date or year_of_birth"):
        _ingested(tmp_path / "none", person="person_id | sex\na | F")


def test_what_cannot_be_read_is_missing_and_named_and_stays_in_raw(tmp_path: Path) -> None:
    build = _ingested(
        tmp_path,
        prescription="""
            prescription_id | person_id | record_type | drug_source_value | start_date | end_date   | days_supply
            1               | a         | order       | x                 | 2020-02-30 | 2020-03-01 | 28
            2               | a         | order       | x                 | 2020-02-29 | someday    | a month
            3               | a         | order       | x                 | -          | -          | -
            4               | a         | order       | x                 | 2020-02-29 | 2020-03-01 | inf""",
    )
    assert _rows(build, "prescription", "start_date, end_date, days_supply, uncast_columns") == [
        (None, date(2020, 3, 1), 28.0, "start_date"),
        (date(2020, 2, 29), None, None, "end_date,days_supply"),
        (None, None, None, None),
        (date(2020, 2, 29), date(2020, 3, 1), None, "days_supply"),
    ]
    assert (
        build.warehouse.query("SELECT start_date FROM raw.prescription ORDER BY row_number")["start_date"][0]
        == "2020-02-30"
    )


def test_a_date_whose_day_and_month_cannot_be_told_is_named(tmp_path: Path) -> None:
    build = _ingested(
        tmp_path,
        person="""
            person_id | sex | birth_date
            a         | F   | 03/04/2020
            b         | F   | 3.4.20
            c         | F   | 13/04/2020
            d         | F   | 03-04-2020
            e         | F   | 2020-03-04""",
    )
    found = _rows(build, "person", "birth_date, ambiguous_columns")
    assert found == [*[(None, "birth_date")] * 4, (date(2020, 3, 4), None)]


def test_dates_lie_from_1900_to_2300(tmp_path: Path) -> None:
    build = _ingested(
        tmp_path,
        person="""
            person_id | sex | birth_date
            a         | F   | 1899-12-31
            b         | F   | 1900-01-01
            c         | F   | 2300-12-31
            d         | F   | 2301-01-01
            e         | F   | 0020-01-01""",
    )
    assert _rows(build, "person", "birth_date, uncast_columns") == [
        (None, "birth_date"),
        (date(1900, 1, 1), None),
        (date(2300, 12, 31), None),
        (None, "birth_date"),
        (None, "birth_date"),
    ]


def test_a_far_future_end_means_open_and_is_no_failure(tmp_path: Path) -> None:
    build = _ingested(
        tmp_path,
        observation_period="""
            person_id | start_date | end_date
            a         | 2020-01-01 | 9999-12-31
            b         | 2020-01-01 | 2099-12-31
            c         | 2020-01-01 | 2099-12-30
            d         | 9999-12-31 | 2020-01-01""",
    )
    assert _rows(build, "observation_period", "start_date, end_date, has_open_end, uncast_columns") == [
        (date(2020, 1, 1), None, True, None),
        (date(2020, 1, 1), None, True, None),
        (date(2020, 1, 1), date(2099, 12, 30), False, None),
        (None, date(2020, 1, 1), False, "start_date"),
    ]


def test_where_only_the_time_is_given_it_dates_the_event(tmp_path: Path) -> None:
    build = _ingested(
        tmp_path,
        prescription="""
            prescription_id | person_id | record_type | drug_source_value | start_datetime
            1               | a         | order       | x                 | 2020-02-29 23:59:59
            2               | a         | order       | x                 | -""",
        adverse_event="""
            adverse_event_id | person_id | term | onset_date | onset_datetime
            1                | a         | x    | 2020-01-01 | 2020-01-02 00:00:00
            2                | a         | x    | -          | 2020-01-02 00:00:00""",
    )
    assert _rows(build, "prescription", "start_date") == [(date(2020, 2, 29),), (None,)]
    assert _rows(build, "adverse_event", "onset_date") == [(date(2020, 1, 1),), (date(2020, 1, 2),)]


def test_text_is_trimmed_and_empty_text_is_missing(tmp_path: Path) -> None:
    build = _ingested(tmp_path, person="person_id | sex | birth_date\n' a ' | '  ' | ' 1980-01-01 '")
    assert _rows(build, "person", "person_source_value, sex, birth_date") == [("a", None, date(1980, 1, 1))]


def test_unknown_columns_stay_in_raw_and_are_ignored(tmp_path: Path) -> None:
    build = _ingested(tmp_path, person="person_id | sex | birth_date | Shoe Size\na | F | 1980-01-01 | 38")
    assert build.warehouse.query('SELECT "shoe size" AS s FROM raw.person')["s"].to_list() == ["38"]
    assert "shoe size" not in dict(build.warehouse.columns_of("intake.person"))


def test_an_absent_table_is_there_without_rows(tmp_path: Path) -> None:
    build = _ingested(tmp_path)
    flags = build.warehouse.read("meta.source").row(0, named=True)
    assert (flags["has_adverse_event"], flags["has_visit"]) == (True, False)
    assert build.warehouse.count("intake.visit") == 0
    there = build.warehouse.read("meta.source_table").filter("is_present")["table_name"].to_list()
    assert there == ["adverse_event", "person", "prescription"]


def _duplicates(build: Build) -> list[tuple[object, ...]]:
    return build.warehouse.query("SELECT table_name, source_file, row_number FROM intake.duplicate ORDER BY ALL").rows()


def test_of_exact_duplicates_the_earliest_row_of_the_earliest_file_stays(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "source", **REQUIRED)
    (source / "person.csv").unlink()
    (source / "person").mkdir()
    rows = {"a": ("a", "F", "1980-01-01"), "b": ("b", "F", "1980-01-01"), "B": ("b", "M", "1980-01-01")}
    for name, drawn in (("2.parquet", "abb"), ("1.parquet", "bB")):
        frame = pl.DataFrame([rows[row] for row in drawn], schema=["person_id", "sex", "birth_date"], orient="row")
        frame.write_parquet(source / "person" / name)
    build = ingested(small_study(), source, tmp_path / "b.duckdb")
    assert _duplicates(build) == [("person", "person/2.parquet", 2), ("person", "person/2.parquet", 3)]
    assert _rows(build, "person", "person_source_value, sex") == [("b", "F"), ("b", "M"), ("a", "F")]
    counted = build.warehouse.read("meta.source_table").filter(pl.col("table_name") == "person")
    assert counted.select("rows_in", "rows_duplicate").rows() == [(5, 2)]


def test_rows_without_their_identifier_can_be_exact_duplicates_too(tmp_path: Path) -> None:
    rows = "- | a | order | x | 2020-01-01\n" * 2 + "- | a | order | y | 2020-01-01\n1 | a | order | x | 2020-01-01"
    build = _ingested(tmp_path, prescription=f"{PRESCRIPTION}\n{rows}")
    assert _duplicates(build) == [("prescription", "prescription.csv", 2)]


def test_rows_of_a_table_without_identifiers_are_compared_whole(tmp_path: Path) -> None:
    build = _ingested(tmp_path, death="person_id | death_date\na | 2020-01-01\na | 2020-01-01\na | 2020-01-02")
    assert _duplicates(build) == [("death", "death.csv", 2)]


def test_a_file_in_upper_case_and_stored_types_gives_the_same_records(tmp_path: Path) -> None:
    text = ingested(small_study(), write_csv(tmp_path / "csv", **TINY), tmp_path / "csv.duckdb")
    stored = tmp_path / "parquet"
    stored.mkdir()
    for file in (tmp_path / "csv").glob("*.csv"):
        frame = pl.read_csv(file, try_parse_dates=True, schema_overrides={"code": pl.String})
        frame.rename(str.upper).write_parquet(stored / f"{file.stem.upper()}.parquet")
    other = ingested(small_study(), stored, tmp_path / "parquet.duckdb")
    for table in TINY:
        columns = [name for name, _ in text.warehouse.columns_of(f"intake.{table}") if name != "source_file"]
        drawn = ", ".join(columns)
        assert _rows(text, table, drawn) == _rows(other, table, drawn), table
