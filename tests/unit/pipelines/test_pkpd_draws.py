"""From records to modelled tables: days from the first dose, who is left out, and that nothing is made of nothing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from analysis.pkpd.courses import courses, daily
from analysis.pkpd.parameters import parameter_set
from pipelines.pkpd_draws import TABLES
from pipelines.questions import ask_omalizumab
from pipelines.steps import Build, reference_frame
from tests.whole_run import built, small_study, write_csv

DAYS = (0, 28, 56, 84)
START = dt.date(2020, 1, 1)


def _source(folder: Path, *, drug: str = "omalizumab") -> Path:
    doses = "\n".join(
        f"{person}{number} | {person} | administration | {drug} | {START + dt.timedelta(days=day)} | 300 | mg"
        for person in (1, 2, 3)
        for number, day in enumerate(DAYS)
    )
    return write_csv(
        folder / "source",
        person="person_id | sex | birth_date\n" + "\n".join(f"{person} | F | 1980-01-01" for person in (1, 2, 3)),
        observation_period="person_id | start_date | end_date\n"
        + "\n".join(f"{p} | 2018-01-01 | 2020-12-31" for p in (1, 2, 3)),
        adverse_event="adverse_event_id | person_id | term | onset_date",
        prescription="prescription_id | person_id | record_type | drug_source_value | start_date | dose | dose_unit\n"
        + doses,
        condition="condition_id | person_id | code | code_system | start_date\n1 | 1 | J45.0 | ICD10 | 2019-01-01",
        measurement="""
            measurement_id | person_id | test      | datetime   | value | unit
            1              | 1         | weight    | 2019-12-01 | 70    | kg
            2              | 1         | Total IgE | 2019-12-01 | 150   | kU/L
            3              | 2         | weight    | 2019-12-01 | 70    | kg
            4              | 2         | Total IgE | 2020-01-01 | 600   | IU/mL
            5              | 3         | Total IgE | 2019-12-01 | 363   | ng/mL""",
    )


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder = tmp_path_factory.mktemp("pkpd")
    return built(small_study(pkpd={"course_every_days": 7}), _source(folder), folder / "build.duckdb")


def _rows(build: Build, columns: str, table: str, order: str) -> list[tuple[object, ...]]:
    return build.warehouse.query(f"SELECT {columns} FROM pkpd.{table} ORDER BY {order}").rows()


def test_who_lacks_a_weight_or_an_ige_before_treatment_is_not_assessable(build: Build) -> None:
    assert _rows(build, "person_id, is_assessable, reason", "standing", "person_id") == [
        (1, True, None), (2, False, "no baseline IgE"), (3, False, "no weight"),
    ]  # fmt: skip
    assert _rows(build, "on_treatment_ige_count", "person", "person_id") == [(0,), (1,), (0,)]


def test_the_course_is_that_of_the_model_on_days_from_the_first_dose(build: Build) -> None:
    persons = pl.DataFrame(
        {"person_id": [1], "weight_kg": [70.0], "baseline_ige_iu_per_ml": [150.0], "until_day": [365]}
    )
    doses = pl.DataFrame({"person_id": [1] * 4, "day": DAYS, "dose_mg": [300.0] * 4})
    published = parameter_set(reference_frame("omalizumab_parameter"), model="lowe")
    (piece,) = courses(persons, doses, published, anchor="clearance")
    expected = daily(piece, every_days=7)
    found = build.warehouse.read("pkpd.course")
    assert found["day"].to_list() == expected["day"].to_list()
    assert found["free_ige_ng_per_ml"].to_list() == pytest.approx(expected["free_ige_ng_per_ml"].to_list(), rel=1e-12)


def test_stretches_fill_the_course_and_the_rise_comes_weeks_after_the_last_dose(build: Build) -> None:
    for threshold, days in _rows(
        build, "threshold_ng_per_ml, SUM(stop_day - start_day)", "threshold_interval GROUP BY 1", "1"
    ):
        assert days == pytest.approx(365.0), threshold
    (row,) = _rows(build, "last_dose_day, days_after_last_dose, status", "withdrawal WHERE level = '50 ng/mL'", "1")
    assert (row[0], row[2]) == (84, "reached")
    assert 55 < float(str(row[1])) < 95


def test_a_dose_as_the_table_says_is_so_and_without_a_diagnosis_nobody_knows(build: Build) -> None:
    assert _rows(build, "person_id, dose_class, given_dose_mg, given_interval_days", "dose_check WHERE table_name = 'eu'", "1") == [
        (1, "as_table", 300.0, 28.0), (2, "not_assessable", 300.0, 28.0), (3, "not_assessable", 300.0, 28.0),
    ]  # fmt: skip


def test_without_omalizumab_every_table_is_empty_and_nothing_is_estimated(tmp_path: Path) -> None:
    build = built(small_study(), _source(tmp_path, drug="dupilumab"), tmp_path / "build.duckdb")
    assert {name: build.warehouse.count(f"pkpd.{name}") for name in TABLES} == dict.fromkeys(TABLES, 0)
    assert ask_omalizumab(build) == ([], None)
