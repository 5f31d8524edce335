"""Indications: a disease that is part of a wider one is told as the wider, in every vocabulary."""

from __future__ import annotations

import polars as pl

from analysis.study.conditions import indication_rows
from sql.catalog import ROOT

COLUMNS = ("condition_id", "group", "icd10_who_prefixes", "icd10cm_prefixes", "icd9cm_prefixes")


def _rows(*conditions: tuple[str | None, ...]) -> list[tuple[str, ...]]:
    frame = pl.DataFrame(conditions, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")
    return indication_rows(frame).rows()


def test_codes_are_told_by_vocabulary_without_dots() -> None:
    found = _rows(("ms", "indication", "G35", "G35.0; g35.1", None))
    assert found == [("ms", "ICD10", "G35"), ("ms", "ICD10CM", "G350"), ("ms", "ICD10CM", "G351")]


def test_what_another_indication_includes_in_every_vocabulary_is_left_out() -> None:
    wide = ("ibd", "indication", "K50;K51", "K50;K51;K52.3", "555;556")
    assert {name for name, *_ in _rows(wide, ("crohn", "indication", "K50", "K50.1", "555"))} == {"ibd"}
    assert {name for name, *_ in _rows(wide, ("other", "indication", "K50", "K50", "555;999"))} == {"ibd", "other"}


def test_only_indications_count() -> None:
    assert _rows(("cci_ami", "charlson", "I21", "I21", "410")) == []


def test_the_reference_tells_bowel_disease_and_asthma_once() -> None:
    reference = pl.read_csv(ROOT / "reference" / "condition.csv", infer_schema=False)
    names = set(indication_rows(reference)["condition_id"])
    assert {"ibd", "asthma", "psoriasis", "ra"} <= names
    assert not names & {"crohn", "uc", "allergic_asthma", "severe_asthma", "as"}
