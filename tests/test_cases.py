"""Every SELECT of the house against cases that can be checked by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sql.catalog import Query, queries
from tests.cases.runner import (
    Bench,
    Case,
    CaseError,
    all_cases,
    case_files,
    difference,
    input_columns,
    parse_table,
)

CASES = all_cases()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(input_columns(tmp_path_factory.mktemp("cases") / "columns.duckdb"))
    yield made
    made.close()


@pytest.mark.parametrize("case", CASES, ids=[f"{case.table}: {case.why}" for case in CASES])
def test_case(bench: Bench, case: Case) -> None:
    problem = difference(case, bench.found(case))
    if problem:
        pytest.fail(problem, pytrace=False)


def test_every_table_built_by_sql_has_cases() -> None:
    assert set(queries()) == set(case_files())


def test_every_reason_is_given_once() -> None:
    reasons = [(case.table, case.why) for case in CASES]
    assert len(set(reasons)) == len(reasons)


def _case(expect: str) -> Case:
    given = {"intake.death": parse_table("person_source_value | death_date\n1 | 2020-02-29")}
    return Case("staged.death", "a wrong case", given, parse_table(expect))


_SELECT = Query("staged.death", "SELECT d.death_date AS death_date FROM intake.death AS d", ("intake.death",))


@pytest.mark.parametrize(
    "expect",
    ["death_date", "death_date\n2020-03-01", "death_date\n-", "death_date\n2020-02-29\n2020-02-29"],
    ids=["a row too many", "another value", "a value where none is expected", "a row too few"],
)
def test_a_wrong_case_is_told(bench: Bench, expect: str) -> None:
    assert difference(_case(expect), bench.found(_case(expect), _SELECT))
    assert difference(_case("death_date\n2020-02-29"), bench.found(_case("death_date\n2020-02-29"), _SELECT)) == ""


def test_a_difference_shows_both_rows(bench: Bench) -> None:
    wrong = _case("death_date\n2020-03-01")
    assert difference(wrong, bench.found(wrong, _SELECT)).splitlines() == [
        "staged.death: a wrong case",
        "  death_date",
        "- 2020-03-01",
        "+ 2020-02-29",
        "(- expected and not found, + found and not expected)",
    ]


def test_a_case_that_gives_a_table_the_select_does_not_read_is_refused(bench: Bench) -> None:
    stray = Case("staged.death", "stray", {"intake.visit": parse_table("visit_id\n1")}, parse_table("death_date"))
    with pytest.raises(CaseError, match=r"does not read intake\.visit"):
        bench.found(stray, _SELECT)


def test_an_unknown_column_is_refused(bench: Bench) -> None:
    stray = Case("staged.death", "stray", {"intake.death": parse_table("day\n2020-01-01")}, parse_table("death_date"))
    with pytest.raises(CaseError, match="no column 'day'"):
        bench.found(stray, _SELECT)


def test_a_row_with_too_few_cells_is_refused() -> None:
    with pytest.raises(CaseError, match="1 cells under 2 columns"):
        parse_table("a | b\n1")
