"""A run from a source folder to the summaries, without Dagster and without grading: what tests of whole tables need."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from analysis.study.read import read_study, study_from
from analysis.study.spec import StudySpec
from pipelines.doors import RAW_QUERIES, set_aside
from pipelines.draws import build_order, build_table
from pipelines.steps import Build, ingest, load_reference, load_spec
from sql.kept import kept_open
from sql.warehouse import Warehouse
from tests.cases.runner import parse_table

STUDIES = Path(__file__).parents[1] / "studies"
BUILT_BY_STEPS = (*RAW_QUERIES, "quality.row_account")


def default_study() -> StudySpec:
    """The study that comes with the product."""
    return read_study(STUDIES / "biologic_combination.toml")


def small_study(**sections: Any) -> StudySpec:
    """Two study drugs and one outcome; sections replace those of the study."""
    settings = {
        "study": {"id": "small", "title": "Small"},
        "population": {"look_back_days": 0},
        "drugs": {"study": ["omalizumab", "dupilumab"], "background": ["prednisone"]},
        "outcome": [{"id": "fever", "terms": ["fever"], "codes": {"ICD10CM": ["R50"]}, "lag_days": 0}],
    }
    return study_from(settings | sections, name="small.toml")


def ingested(spec: StudySpec, source: Path, path: Path) -> Build:
    """A build with its records typed and nothing judged."""
    build = Build(spec, source, Warehouse(path))
    build.warehouse.create()
    ingest(build)
    return build


def prepared(spec: StudySpec, source: Path, path: Path, *, threads: int | None = None) -> Build:
    """A build with its settings, its records typed and judged by the rules that set records aside."""
    build = Build(spec, source, Warehouse(path, threads=threads))
    with kept_open(path):
        build.warehouse.create()
        for step in (load_reference, load_spec, ingest, set_aside):
            step(build)
    return build


def built(spec: StudySpec, source: Path, path: Path, *, threads: int | None = None) -> Build:
    """A build with every table that SQL makes."""
    build = prepared(spec, source, path, threads=threads)
    build_tables(build)
    return build


def build_tables(build: Build) -> None:
    """Builds every table after the records were judged, those that are drawn among them."""
    with kept_open(build.warehouse.path):
        for name in build_order():
            if name not in BUILT_BY_STEPS:
                build_table(build, name)


def write_csv(folder: Path, **tables: str) -> Path:
    """Writes input tables, drawn as in the cases, as CSV files; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        table = parse_table(text)
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([table.columns, *([cell or "" for cell in row] for row in table.rows)])
    return folder


TINY = {
    "person": """
        person_id | sex | birth_date | year_of_birth
        1         | F   | 1980-02-29 | 1980
        2         | M   | -          | 1950
        3         | U   | 1999-12-31 | 1999""",
    "observation_period": """
        person_id | start_date | end_date
        1         | 2019-01-01 | 2021-12-31
        2         | 2019-01-01 | 2020-12-31
        3         | 2019-01-01 | 9999-12-31""",
    "death": "person_id | death_date\n2 | 2020-12-31",
    "prescription": """
        prescription_id | person_id | record_type    | drug_source_value | start_date | days_supply | quantity | stop_reason
        1               | 1         | administration | omalizumab        | 2020-01-01 | 28          | -        | -
        2               | 1         | administration | omalizumab        | 2020-01-29 | 28          | -        | -
        3               | 1         | dispensing     | dupilumab         | 2020-01-15 | 60          | -        | cost
        4               | 2         | order          | Dupixent          | 2020-11-01 | 90          | -        | -
        5               | 2         | order          | prednisone        | 2020-11-01 | 30          | -        | -
        6               | 3         | order          | paracetamol       | 2020-11-01 | 30          | -        | -
        7               | 3         | dispensing     | omalizumab        | 2020-11-01 | 28          | -1       | -""",
    "adverse_event": """
        adverse_event_id | person_id | term  | onset_date | serious | action_taken
        1                | 1         | Fever | 2020-02-01 | Y       | drug withdrawn
        2                | 2         | Fever | 2020-12-01 | N       | -""",
    "discontinuation": "person_id | drug_source_value | stop_date | reason\n1 | omalizumab | 2020-02-25 | side effect",
    "condition": """
        condition_id | person_id | code   | code_system | start_date
        1            | 1         | r50.9  | ICD10CM     | 2020-06-01
        2            | 2         | V10    | -           | 2020-06-01
        3            | 1         | J45.50 | ICD10CM     | 2019-06-01
        4            | 1         | J45.50 | ICD10CM     | 2019-07-01
        5            | 1         | J45.901 | ICD10CM    | 2020-06-01""",
    "visit": "visit_id | person_id | visit_type | start_datetime\n1 | 1 | inpatient | 2020-06-01 08:00:00",
    "measurement": "measurement_id | person_id | test | datetime | value | unit\n1 | 1 | IgE | 2020-06-01 08:00:00 | 120.5 | IU/mL",
    "symptom_score": "person_id | instrument | date | value\n1 | act | 2020-06-01 | 20",
    "procedure": "procedure_id | person_id | code | code_system | date\n1 | 1 | X1 | local | 2020-06-01",
}
STOCK_TOO = [{"id": "primary"}, {"id": "stock", "overlap": "stockpile"}]  # so that every table of the engine holds rows
FEVER = {  # a composite, so that tables of components hold rows
    "id": "fever", "based_on": "opportunistic_infection", "terms": ["fever"], "codes": {"ICD10CM": ["R50"]},
    "lag_days": 0,
}  # fmt: skip
REACTION = {"id": "reaction", "based_on": "hypersensitivity_any", "terms": ["fever"]}  # three days after a dose
MATCHED = [
    {"id": "matched", "estimator": "matched_odds_ratio", "outcome": "fever"},
    {"id": "time_zero", "estimator": "time_zero_comparison", "outcome": "fever"},
    {"id": "hazard", "estimator": "time_varying_cox", "outcome": "fever"},
]
