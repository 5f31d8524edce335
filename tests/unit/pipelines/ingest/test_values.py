"""Dates, times and numbers as they are read: exactly, partly, with a zone, or not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines.steps import Build
from tests.whole_run import ingested, small_study, write_csv

REQUIRED = {
    "person": "person_id | sex | birth_date\na | F | 1980-01-01",
    "adverse_event": "adverse_event_id | person_id | term | onset_date",
    "prescription": "prescription_id | person_id | record_type | drug_source_value | start_date",
}
Row = tuple[object, ...]


def _rows(build: Build, table: str, columns: str) -> list[Row]:
    return build.warehouse.query(f"SELECT {columns} FROM intake.{table} ORDER BY source_file, row_number").rows()


def _births(folder: Path, *texts: str, **source: object) -> list[Row]:
    """Birth date as read, and what is said of it."""
    rows = "\n".join(f"{number} | F | '{text}'" for number, text in enumerate(texts))
    tables = write_csv(folder / "source", **(REQUIRED | {"person": f"person_id | sex | birth_date\n{rows}"}))
    build = ingested(small_study(source=source), tables, folder / "build.duckdb")
    return _rows(build, "person", "birth_date, uncast_columns, ambiguous_columns, partial_columns")


def _visits(folder: Path, *texts: str, **source: object) -> list[Row]:
    """Start of a visit as read, and what is said of it."""
    rows = "\n".join(f"{number} | a | inpatient | '{text}'" for number, text in enumerate(texts))
    head = "visit_id | person_id | visit_type | start_datetime"
    tables = write_csv(folder / "source", **(REQUIRED | {"visit": f"{head}\n{rows}"}))
    build = ingested(small_study(source=source), tables, folder / "build.duckdb")
    return _rows(build, "visit", "start_datetime, uncast_columns, zoned_columns, nonexistent_time_columns")


def _clock(text: str) -> datetime:
    return datetime.fromisoformat(text)


UNREAD = (None, "birth_date", None, None)
UNCLEAR = (None, "birth_date", "birth_date", None)


def _read(*day: int) -> Row:
    return (date(*day), None, None, None)


def test_declared_formats_are_read_and_no_other(tmp_path: Path) -> None:
    texts = [
        "03/04/2020",
        "3/4/2020",
        "31.12.2020",
        "2020-04-03",
        "03-04-2020",
        "31/04/2020",
        "03/04/20",
        "03/04/2020 x",
    ]
    found = _births(tmp_path, *texts, date_formats=["%d/%m/%Y", "%d.%m.%Y"])
    assert found == [
        _read(2020, 4, 3), _read(2020, 4, 3), _read(2020, 12, 31), _read(2020, 4, 3), UNCLEAR, UNCLEAR, UNCLEAR, UNCLEAR
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "text"),
    [("%m/%d/%Y", "04/03/2020"), ("%d-%b-%Y", "03-Apr-2020"), ("%d %B %Y", "3 April 2020"), ("%Y%m%d", "20200403"),
     ("%d.%m.%Y %H:%M", "3.4.2020 23:59")],
)  # fmt: skip
def test_each_kind_of_format_is_read(tmp_path: Path, declared: str, text: str) -> None:
    assert _births(tmp_path, text, date_formats=[declared]) == [_read(2020, 4, 3)]


def test_an_undeclared_format_is_not_read(tmp_path: Path) -> None:
    found = _births(tmp_path, "03-Apr-2020", "20200403", "2020.04.03", "2020/04/03")
    assert found == [UNREAD, UNREAD, UNREAD, _read(2020, 4, 3)]


def test_a_partial_date_is_imputed_and_says_its_precision(tmp_path: Path) -> None:
    texts = ["2020", "2020-03", "2020-13", "1899", "9999", "2020-3", "20", "2020-03-01"]
    month, year = "birth_date:month", "birth_date:year"
    assert _births(tmp_path, *texts) == [
        (date(2020, 7, 1), None, None, year), (date(2020, 3, 15), None, None, month), *[UNREAD] * 5, _read(2020, 3, 1)
    ]  # fmt: skip


def test_a_partial_time_of_an_event_dates_it_and_is_no_time(tmp_path: Path) -> None:
    events = """
        adverse_event_id | person_id | term | onset_date | onset_datetime      | end_date
        1                | a         | x    | -          | 2020-03             | 2020-04
        2                | a         | x    | 2020       | 2020-03-05 10:00:00 | -
        3                | a         | x    | 2020-02-01 | 2020                | 2020-02-02"""
    build = ingested(small_study(), write_csv(tmp_path / "s", **(REQUIRED | {"adverse_event": events})), tmp_path / "b")
    assert _rows(build, "adverse_event", "onset_date, onset_datetime, end_date, partial_columns, uncast_columns") == [
        (date(2020, 3, 15), None, date(2020, 4, 15), "onset_datetime:month,end_date:month", None),
        (date(2020, 7, 1), _clock("2020-03-05 10:00"), None, "onset_date:year", None),
        (date(2020, 2, 1), None, date(2020, 2, 2), "onset_datetime:year", None),
    ]


def test_where_there_is_only_a_time_a_partial_one_is_the_imputed_midnight(tmp_path: Path) -> None:
    assert _visits(tmp_path, "2020-03") == [(_clock("2020-03-15"), None, None, None)]


ELEVEN = _clock("2020-03-05 23:30")


@pytest.mark.parametrize(
    ("text", "zoned"),
    [
        ("2020-03-05 23:30:00", False), ("2020-03-05T23:30", False), ("2020-03-05 23:30:00.000", False),
        ("2020-03-05T23:30:00Z", True), ("2020-03-05T23:30:00+02:00", True), ("2020-03-05T23:30-0530", True),
        ("2020-03-05T23:30+02", True), ("2020-03-05 23:30:00.0 -05:00", True), ("2020-03-05 23:30 UTC", True),
    ],
)  # fmt: skip
def test_a_time_stays_as_written_and_its_zone_is_told(tmp_path: Path, text: str, zoned: bool) -> None:
    assert _visits(tmp_path, text) == [(ELEVEN, None, "start_datetime" if zoned else None, None)]


@pytest.mark.parametrize(
    "text",
    ["2020-03-05 11:30 PM", "2020-03-05 11:30:00 PM", "2020-03-05 23:30:00 Jane", "2020-03-05 23:30:00+25:00",
     "2020-03-05 25:00:00", "2020-03-05 23", "epoch", "infinity"],
)  # fmt: skip
def test_a_time_that_is_not_wholly_understood_is_not_read(tmp_path: Path, text: str) -> None:
    assert _visits(tmp_path, text) == [(None, "start_datetime", None, None)]


def test_a_time_that_the_declared_zone_skips_is_told(tmp_path: Path) -> None:
    texts = ["2020-03-29 01:59:59", "2020-03-29 02:00:00", "2020-03-29 02:59:59", "2020-03-29 03:00:00",
             "2020-03-29T02:30:00Z", "2020-03-29"]  # fmt: skip
    told = [row[3] for row in _visits(tmp_path / "declared", *texts, time_zone="Europe/Berlin")]
    assert told == [None, "start_datetime", "start_datetime", None, None, None]
    assert {row[3] for row in _visits(tmp_path / "not", *texts)} == {None}


@pytest.mark.parametrize(
    ("decimal", "values"),
    [
        (".", [None, 1.5, None, None, None, -2.0, 1000.0, None, None]),
        (",", [1.5, None, None, None, None, -2.0, 1000.0, 0.5, None]),
    ],
)
def test_the_decimal_sign_is_as_declared_and_nothing_separates_thousands(
    tmp_path: Path, decimal: str, values: list[float | None]
) -> None:
    texts = ["1,5", "1.5", "1.234,5", "1,234.5", "1 000", "-2", "1e3", ",5", "1_000"]
    rows = "\n".join(f"{number} | a | x | 2020-01-01 | '{text}'" for number, text in enumerate(texts))
    head = "measurement_id | person_id | test | datetime | value"
    tables = write_csv(tmp_path / "source", **(REQUIRED | {"measurement": f"{head}\n{rows}"}))
    build = ingested(small_study(source={"decimal": decimal}), tables, tmp_path / "build.duckdb")
    found = _rows(build, "measurement", "value, uncast_columns")
    assert found == [(value, None if value is not None else "value") for value in values]


def test_a_whole_number_is_not_rounded_to(tmp_path: Path) -> None:
    people = "person_id | sex | year_of_birth\n1|F|1980\n2|F|1980.0\n3|F|1980.4\n4|F|0x7BC\n5|F|1_980"
    build = ingested(small_study(), write_csv(tmp_path / "s", **(REQUIRED | {"person": people})), tmp_path / "b")
    assert _rows(build, "person", "year_of_birth, uncast_columns") == [
        (1980, None), (1980, None), *[(None, "year_of_birth")] * 3
    ]  # fmt: skip


def test_types_as_stored_are_read_from_parquet(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "source", **REQUIRED)
    pl.DataFrame(
        {
            "visit_id": [1, 2],
            "person_id": ["007", "1.0"],
            "visit_type": ["inpatient"] * 2,
            "start_datetime": [datetime(2020, 3, 5, 23, 30, tzinfo=UTC), None],
            "end_datetime": [date(2020, 3, 6), date(1850, 1, 1)],
        }
    ).write_parquet(source / "visit.parquet")
    pl.DataFrame({"PERSON_ID": [7], "Sex": ["F"], "BIRTH_DATE": [1980], "year_of_birth": [1980.0]}).write_parquet(
        source / "person.parquet"
    )
    (source / "person.csv").unlink()
    build = ingested(small_study(), source, tmp_path / "build.duckdb")
    columns = "visit_id, person_source_value, start_datetime, end_datetime, zoned_columns, uncast_columns"
    assert _rows(build, "visit", columns) == [
        ("1", "007", ELEVEN, _clock("2020-03-06"), "start_datetime", None),
        ("2", "1.0", None, None, None, "end_datetime"),
    ]
    columns = "person_source_value, birth_date, year_of_birth, partial_columns"
    assert _rows(build, "person", columns) == [("7", date(1980, 7, 1), 1980, "birth_date:year")]


def test_codes_keep_their_dots_and_zeros_and_numbers_become_text(tmp_path: Path) -> None:
    head = "condition_id | person_id | code | code_system | start_date"
    codes = f"{head}\n1 | a | 008.45 | ICD9CM | 2020-01-01\n2 | a | 0010 | ICD9CM | 2020-01-01"
    source = write_csv(tmp_path / "source", **(REQUIRED | {"condition": codes}))
    frame = {"procedure_id": [1], "person_id": ["a"], "code_system": ["x"], "date": [date(2020, 1, 1)]}
    pl.DataFrame(frame | {"code": ["00.10"]}).write_parquet(source / "procedure.parquet")
    build = ingested(small_study(), source, tmp_path / "build.duckdb")
    assert _rows(build, "condition", "code") == [("008.45",), ("0010",)]
    assert _rows(build, "procedure", "code") == [("00.10",)]
    pl.DataFrame(frame | {"code": [10]}).write_parquet(source / "procedure.parquet")  # the zeros are lost before us
    build = ingested(small_study(), source, tmp_path / "build.duckdb")
    assert _rows(build, "procedure", "code, uncast_columns") == [("10", None)]


def test_a_stored_instant_does_not_hang_on_the_zone_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    tables = {
        "person": "person_id | gender_concept_id | year_of_birth\n1 | 8532 | 1980",
        "drug_exposure": "drug_exposure_id | person_id | drug_concept_id | drug_exposure_start_date | drug_type_concept_id\n"
        "1 | 1 | 11 | 2020-01-01 | 32818",
    }
    source = write_csv(tmp_path / "source", **tables)
    with duckdb.connect() as con:
        con.execute(
            "COPY (SELECT 1 AS visit_occurrence_id, 1 AS person_id, 9201 AS visit_concept_id, DATE '2020-03-05' AS visit_start_date,"
            f" TIMESTAMPTZ '2020-03-05 23:30:00Z' AS visit_start_datetime) TO '{source}/VISIT_OCCURRENCE.parquet'"
        )
    build = ingested(small_study(source={"format": "omop"}), source, tmp_path / "build.duckdb")
    assert _rows(build, "visit", "start_datetime, zoned_columns") == [(ELEVEN, "start_datetime")]


def test_omop_reads_declared_text_as_the_native_format_does(tmp_path: Path) -> None:
    tables = {
        "PERSON": "PERSON_ID | GENDER_CONCEPT_ID | YEAR_OF_BIRTH\n1 | 8532 | 1980",
        "Drug_Exposure": "drug_exposure_id | person_id | drug_concept_id | drug_exposure_start_date | drug_type_concept_id | quantity\n"
        "1 | 1 | 11 | 01.02.2020 | 32818 | '1,5'\n2 | 1 | 11 | 2020-03 | 32818 | 1.5",
    }
    settings = {"format": "omop", "decimal": ",", "date_formats": ["%d.%m.%Y"]}
    build = ingested(small_study(source=settings), write_csv(tmp_path / "s", **tables), tmp_path / "b")
    assert _rows(build, "prescription", "start_date, quantity, partial_columns, uncast_columns") == [
        (date(2020, 2, 1), 1.5, None, None),
        (date(2020, 3, 15), None, "start_date:month", "quantity"),
    ]


def test_every_table_of_the_intake_has_the_same_columns_whether_it_is_there_or_not(tmp_path: Path) -> None:
    head = "condition_id | person_id | code | code_system | start_date\n1 | a | 1 | ICD10 | 2020-01-01"
    with_it = ingested(
        small_study(), write_csv(tmp_path / "s", **(REQUIRED | {"condition": head})), tmp_path / "b"
    ).warehouse.columns_of("intake.condition")
    without = ingested(small_study(), write_csv(tmp_path / "t", **REQUIRED), tmp_path / "c").warehouse
    assert without.columns_of("intake.condition") == with_it


def _measurements(folder: Path, *cells: str) -> list[Row]:
    """Value, sign, and what is said of measurements whose test, value and unit are these, written as they are."""
    source = write_csv(folder / "source", **REQUIRED)
    rows = "".join(f"{number},a,{cell}\n" for number, cell in enumerate(cells))
    (source / "measurement.csv").write_text(
        "measurement_id,person_id,test,value,unit,datetime\n" + rows, encoding="utf-8"
    )
    build = ingested(small_study(), source, folder / "build.duckdb")
    return _rows(build, "measurement", "value, operator, signed_columns, untidy_columns, uncast_columns")


def test_a_sign_before_a_number_is_kept_beside_it(tmp_path: Path) -> None:
    found = _measurements(tmp_path, *(f"IgE,{value},kU/L,2020-01-01" for value in ("<0.35", ">= 5000", "12", "<")))
    assert [row[:3] for row in found] == [
        (0.35, "<", "value"),
        (5000.0, ">=", "value"),
        (12.0, None, None),
        (None, "<", "value"),
    ]
    assert [row[4] for row in found] == [None, None, None, "value"]


def test_blanks_control_characters_and_letters_of_a_wrong_encoding_are_told(tmp_path: Path) -> None:
    tests = [" IgE", "I\x07gE", "St\u00c3\u00a4rke", "St\u00e4rke", "na\u00efve caf\u00e9", "x\ufffd", "IgE"]
    found = _measurements(tmp_path, *(f"{test},1,kU/L,2020-01-01" for test in tests), "IgE,1,kU/L ,2020-01-01")
    assert [row[3] for row in found] == ["test", "test", "test", None, None, "test", None, "unit"]
