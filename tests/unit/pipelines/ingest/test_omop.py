"""An OMOP source gives the same native records whatever its version, its files or its case."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from pipelines.ingest.files import InputError
from pipelines.steps import Build
from tests.whole_run import ingested, small_study, write_csv

PERSON = """
    person_id | gender_concept_id | year_of_birth | month_of_birth | day_of_birth | birth_datetime
    1         | 8532              | 1980          | 2              | 29           | -
    2         | 8507              | 1950          | -              | -            | -
    3         | 0                 | 1999          | -              | -            | 1999-12-31 00:00:00"""
EXPOSURE = """
    drug_exposure_id | person_id | drug_concept_id | drug_exposure_start_date | drug_exposure_end_date | verbatim_end_date | drug_type_concept_id | days_supply | drug_source_value
    1                | 1         | 11              | 2020-01-01               | 2020-01-01             | 2020-01-14        | 38000179             | 28          | pen a
    2                | 2         | 0               | 2020-02-29               | 2020-03-01             | -                 | 32825                | -           | pen b
    3                | 2         | 12              | 2020-02-29               | -                      | -                 | 1                    | -           | -"""  # noqa: E501
ERA = """
    drug_era_id | person_id | drug_concept_id | drug_era_start_date | drug_era_end_date
    1           | 1         | 1593467         | 2020-01-01          | 2020-06-30"""
CONDITION = """
    condition_occurrence_id | person_id | condition_start_date | condition_end_date | condition_source_value | condition_source_concept_id | condition_status_concept_id
    1                       | 1         | 2020-01-01           | 2020-01-02         | J18.9                  | 100                         | 32902
    2                       | 1         | 2020-01-01           | -                  | 486                    | 101                         | 32908
    3                       | 1         | 2020-01-01           | -                  | V10.0                  | 102                         | 0
    4                       | 1         | 2020-01-01           | -                  | E11.9                  | 103                         | -
    5                       | 1         | 2020-01-01           | -                  | E888.9                 | 104                         | -
    6                       | 1         | 2020-01-01           | -                  | nonsense               | 105                         | -"""  # noqa: E501
CONCEPT = """
    concept_id | vocabulary_id
    100        | ICD10CM
    101        | ICD9CM
    102        | ICD9CM
    103        | SNOMED
    104        | Local"""
VISIT = """
    visit_occurrence_id | person_id | visit_concept_id | visit_start_date | visit_end_date | visit_start_datetime
    1                   | 1         | 9201             | 2020-01-01       | 2020-01-05     | 2020-01-01 08:00:00
    2                   | 1         | 9203             | 2020-02-01       | 2020-02-01     | -
    3                   | 1         | 9202             | 2020-03-01       | -              | -"""
TABLES = {
    "person": PERSON,
    "observation_period": "observation_period_id | person_id | observation_period_start_date | "
    "observation_period_end_date\n1 | 1 | 2019-01-01 | 2021-12-31",
    "death": "person_id | death_date\n2 | 2020-12-31",
    "drug_exposure": EXPOSURE,
    "condition_occurrence": CONDITION,
    "visit_occurrence": VISIT,
    "measurement": "measurement_id | person_id | measurement_concept_id | measurement_date | value_as_number\n"
    "1 | 1 | 3000 | 2020-01-01 | 7.5",
    "procedure_occurrence": "procedure_occurrence_id | person_id | procedure_date | procedure_source_value\n"
    "1 | 1 | 2020-01-01 | X1",
    "concept": CONCEPT,
}
CODED = [{"id": "omalizumab", "codes": {"OMOP": ["999"]}}]


def _ingested(tmp_path: Path, tables: dict[str, str], *, mapping: str = "auto", vocabulary: str = "by_concept",
              drug: list[dict[str, object]] | None = None) -> Build:  # fmt: skip
    source = {"format": "omop", "drug_mapping": mapping, "condition_vocabulary": vocabulary}
    spec = small_study(source=source, drug=drug or [])
    return ingested(spec, write_csv(tmp_path / "source", **tables), tmp_path / "build.duckdb")


def _rows(build: Build, table: str, columns: str) -> list[tuple[object, ...]]:
    return build.warehouse.query(f"SELECT {columns} FROM intake.{table} ORDER BY source_file, row_number").rows()


def test_persons_have_a_birth_date_only_where_the_day_is_known(tmp_path: Path) -> None:
    build = _ingested(tmp_path, TABLES)
    assert _rows(build, "person", "person_source_value, sex, birth_date, year_of_birth") == [
        ("1", "F", date(1980, 2, 29), 1980),
        ("2", "M", None, 1950),
        ("3", "U", date(1999, 12, 31), 1999),
    ]


def test_exposures_keep_the_verbatim_end_their_kind_and_no_concept_of_zero(tmp_path: Path) -> None:
    build = _ingested(tmp_path, TABLES)
    columns = "record_type, drug_source_value, drug_code, code_system, end_date, days_supply"
    assert _rows(build, "prescription", columns) == [
        ("administration", "pen a", "11", "OMOP", date(2020, 1, 14), 28.0),
        ("dispensing", "pen b", None, None, date(2020, 3, 1), None),
        ("order", None, "12", "OMOP", None, None),
    ]


def test_visits_conditions_measurements_and_procedures_take_the_native_shape(tmp_path: Path) -> None:
    build = _ingested(tmp_path, TABLES)
    assert [row[0] for row in _rows(build, "visit", "visit_type")] == ["inpatient", "emergency", "outpatient"]
    times = [str(row[0]) for row in _rows(build, "visit", "start_datetime")]
    assert times == ["2020-01-01 08:00:00", "2020-02-01 00:00:00", "2020-03-01 00:00:00"]
    assert [row[0] for row in _rows(build, "condition", "position")] == ["primary", "secondary", None, None, None, None]
    assert _rows(build, "measurement", "test, value") == [("3000", 7.5)]
    assert _rows(build, "procedure", "code, code_system") == [("X1", "source")]
    assert _rows(build, "death", "death_date") == [(date(2020, 12, 31),)]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("by_concept", ["ICD10CM", "ICD9CM", "ICD9CM", "SNOMED", None, None]),
        ("by_shape", ["ICD10CM", "ICD9CM", None, "ICD10CM", None, None]),
        ("ICD10", ["ICD10"] * 6),
    ],
)
def test_the_vocabulary_is_told_by_concept_by_shape_or_by_name(tmp_path: Path, rule: str, told: list[str]) -> None:
    build = _ingested(tmp_path, TABLES, vocabulary=rule)
    assert [row[0] for row in _rows(build, "condition", "code_system")] == told


SHAPES: dict[str, str | None] = {
    "E119": "ICD10CM", "E11.9": "ICD10CM", " e11.9 ": "ICD10CM", "A00": "ICD10CM", "C7A.012": "ICD10CM",
    "T81.4XXA": "ICD10CM", "E0400": "ICD10CM", "486": "ICD9CM", "008.45": "ICD9CM", "48": None, "486123": None,
    "V10": None, "V10.1": None, "V87.46": None, "E8889": None, "E888.9": None, "E950.0": None, "E030": None,
    "E0301": None, "J": None, "J189ABCDE": None,
}  # fmt: skip


def test_codes_whose_shape_fits_two_vocabularies_or_none_stay_untold(tmp_path: Path) -> None:
    rows = "\n".join(f"{number} | 1 | 2020-01-01 | '{code}'" for number, code in enumerate(SHAPES))
    head = "condition_occurrence_id | person_id | condition_start_date | condition_source_value"
    build = _ingested(tmp_path, TABLES | {"condition_occurrence": f"{head}\n{rows}"}, vocabulary="by_shape")
    found = [row[0] for row in _rows(build, "condition", "code_system")]
    assert dict(zip(SHAPES, found, strict=True)) == SHAPES


def test_without_concepts_the_vocabulary_must_be_set(tmp_path: Path) -> None:
    tables = {name: text for name, text in TABLES.items() if name != "concept"}
    with pytest.raises(InputError, match=r"set source\.condition_vocabulary"):
        _ingested(tmp_path, tables)


ANCESTOR = {"concept_ancestor": "ancestor_concept_id | descendant_concept_id\n10 | 11"}


@pytest.mark.parametrize(
    ("tables", "drug", "mapping", "era_level"),
    [
        ({"drug_era": ERA}, [], "auto", True),
        ({"drug_era": ERA} | ANCESTOR, [], "auto", False),
        ({"drug_era": ERA}, CODED, "auto", False),
        ({}, [], "auto", False),
        ({"drug_era": ERA}, [], "code_list", False),
        ({"drug_era": ERA} | ANCESTOR, CODED, "drug_era", True),
    ],
    ids=["neither ancestors nor codes", "ancestors", "codes", "no eras", "code list by name", "eras by name"],
)
def test_eras_are_used_only_where_neither_ancestors_nor_a_code_list_exist(
    tmp_path: Path, tables: dict[str, str], drug: list[dict[str, object]], mapping: str, era_level: bool
) -> None:  # fmt: skip
    build = _ingested(tmp_path, TABLES | tables, mapping=mapping, drug=drug)
    assert build.warehouse.read("meta.source")["era_level"].to_list() == [era_level]
    assert (len(_rows(build, "prescription", "prescription_id")) == 1) == era_level
    assert build.warehouse.count("intake.drug_ancestor") == (1 if "concept_ancestor" in tables else 0)


def test_an_era_is_one_record_with_its_ingredient_as_name_and_code(tmp_path: Path) -> None:
    build = _ingested(tmp_path, TABLES | {"drug_era": ERA}, mapping="drug_era")
    columns = "record_type, drug_source_value, drug_code, code_system, start_date, end_date"
    assert _rows(build, "prescription", columns) == [
        ("order", "1593467", "1593467", "OMOP", date(2020, 1, 1), date(2020, 6, 30))
    ]


def test_upper_case_names_and_a_database_file_give_the_same_records(tmp_path: Path) -> None:
    lower = _ingested(tmp_path, TABLES)
    upper, database = tmp_path / "upper", tmp_path / "database"
    upper.mkdir()
    database.mkdir()
    with duckdb.connect(str(database / "omop.duckdb")) as con:
        con.execute("CREATE SCHEMA cdm")
        for name in TABLES:
            head, *body = (tmp_path / "source" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
            (upper / f"{name.upper()}.CSV").write_text("\n".join([head.upper(), *body]) + "\n", encoding="utf-8")
            con.execute(f"CREATE TABLE cdm.{name.upper()} AS SELECT * FROM read_csv('{upper / name.upper()}.CSV')")
    spec = small_study(source={"format": "omop"})
    for source in (upper, database, database / "omop.duckdb"):
        other = ingested(spec, source, tmp_path / "other.duckdb")
        for table in ("person", "prescription", "condition", "visit", "observation_period", "death", "procedure"):
            columns = [c for c, _ in lower.warehouse.columns_of(f"intake.{table}") if c not in ("source_file", "test")]
            drawn = ", ".join(columns)
            assert _rows(other, table, drawn) == _rows(lower, table, drawn), (source.name, table)


def test_columns_that_only_one_version_has_may_be_absent(tmp_path: Path) -> None:
    v53 = "person_id | gender_concept_id | year_of_birth\n1 | 8532 | 1980"
    exposure = (
        "drug_exposure_id | person_id | drug_concept_id | drug_exposure_start_date | drug_type_concept_id\n"
        "1 | 1 | 11 | 2020-01-01 | 32818"
    )
    visit = (
        "visit_occurrence_id | person_id | visit_concept_id | visit_start_date | admitted_from_source_value\n"
        "1 | 1 | 262 | 2020-01-01 | home"
    )
    build = _ingested(tmp_path, TABLES | {"person": v53, "drug_exposure": exposure, "visit_occurrence": visit})
    assert _rows(build, "person", "birth_date, year_of_birth") == [(None, 1980)]
    assert _rows(build, "prescription", "record_type, end_date") == [("administration", None)]
    assert _rows(build, "visit", "visit_type") == [("inpatient",)]
    assert "days_supply" not in dict(build.warehouse.columns_of("raw.drug_exposure"))


@pytest.mark.parametrize("table", ["person", "drug_exposure"])
def test_a_missing_required_table_is_told(tmp_path: Path, table: str) -> None:
    with pytest.raises(InputError, match=f"required OMOP table {table} is missing"):
        _ingested(tmp_path, {name: text for name, text in TABLES.items() if name != table})


def test_two_databases_in_one_folder_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        duckdb.connect(str(tmp_path / f"{name}.duckdb")).close()
    with pytest.raises(InputError, match="holds 2 DuckDB files"):
        ingested(small_study(source={"format": "omop"}), tmp_path, tmp_path / "out" / "build.duckdb")


def test_exact_duplicates_are_told_by_the_key_of_the_table(tmp_path: Path) -> None:
    twice = EXPOSURE + "\n" + EXPOSURE.splitlines()[2]
    build = _ingested(tmp_path, TABLES | {"drug_exposure": twice})
    found = build.warehouse.query("SELECT table_name, row_number FROM intake.duplicate").rows()
    assert found == [("prescription", 4)]
    assert len(_rows(build, "prescription", "prescription_id")) == 3
