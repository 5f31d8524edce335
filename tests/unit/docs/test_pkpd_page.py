"""docs/pkpd.md: its examples print what they say, its parameters are those of the reference, its files exist."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from tests.unit.test_docs_estimators import failures_of

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "pkpd.md").read_text(encoding="utf-8")
COLUMNS = ("parameter", "value", "unit", "weight_exponent", "ige_exponent", "between_person_variance", "certainty")


def test_every_example_prints_what_the_page_says() -> None:
    failed, attempted, said = failures_of(PAGE)
    assert failed == 0, said
    assert attempted > 30


def test_a_wrong_digit_on_the_page_is_found() -> None:
    wrong = PAGE.replace("omalizumab 11.8005", "omalizumab 11.8006")
    assert wrong != PAGE
    assert failures_of(wrong)[0] == 1


def _rows(page: str) -> list[tuple[str, ...]]:
    """Rows of the parameter tables: seven cells, the first a name of one or more words."""
    found = re.findall(r"^\| `([a-z_ ]+)` \|" + r" ([^|]*) \|" * 6 + "$", page, flags=re.MULTILINE)
    return [tuple(cell.strip() for cell in row) for row in found]


def test_the_parameters_of_the_page_are_those_of_the_reference() -> None:
    with (ROOT / "sql" / "reference" / "omalizumab_parameter.csv").open(encoding="utf-8") as file:
        held = [tuple(row[column] for column in COLUMNS) for row in csv.DictReader(file)]
    assert _rows(PAGE) == held
    assert _rows(PAGE.replace("| 3.85 |", "| 3.84 |")) != held


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "analysis" / "pkpd").glob("*.py")))
def test_every_module_that_gives_numbers_is_used_on_the_page(module: str) -> None:
    inner = {"__init__", "binding", "course", "concentrations", "quantities"}
    assert module in inner or re.search(rf"\b{module}\b", PAGE)
