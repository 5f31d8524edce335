"""A run from a source folder to the summaries, without Dagster and without grading: what tests of whole tables need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.study.read import read_study, study_from
from analysis.study.spec import StudySpec
from pipelines.steps import RAW_QUERIES, Build, ingest, load_reference, load_spec, set_aside
from sql.catalog import queries
from sql.warehouse import Warehouse

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


def prepared(spec: StudySpec, source: Path, path: Path, *, threads: int | None = None) -> Build:
    """A build with its settings, its records typed and judged by the rules that set records aside."""
    build = Build(spec, source, Warehouse(path, threads=threads))
    build.warehouse.create()
    for step in (load_reference, load_spec, ingest, set_aside):
        step(build)
    return build


def built(spec: StudySpec, source: Path, path: Path, *, threads: int | None = None) -> Build:
    """A build with every table that SQL makes."""
    build = prepared(spec, source, path, threads=threads)
    for name, query in queries().items():
        if name not in BUILT_BY_STEPS:
            build.warehouse.build(query)
    return build
