"""Every care item as the reference has it, against persons at each edge of its windows.

The cases are in `care_items/`: records as kept by the checks, and the results of one item that they must give, through every SELECT from
the records to `care.item_result`. `shared` of a file is given in each of its cases that does not give the table itself.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.steps import reference_frame
from sql.catalog import queries
from tests.cases.runner import Ascii, Bench, Case, difference, input_columns, ordered, parse_table

FOLDER = Path(__file__).parent / "care_items"
REFERENCE = ("care_item", "care_requirement", "care_part", "care_evidence", "care_site", "instrument")
CHAIN = (
    *("exposure.window", "exposure.handling", "exposure.supply", "exposure.hospital_stay", "exposure.coverage"),
    *("exposure.episode", "exposure.combination_interval", "exposure.combination_episode"),
    *("pkpd.dose", "pkpd.person", "care.given_dose", "care.loss_of_response", "care.moment", "care.evidence"),
    *("care.evidence_source", "care.trigger", "care.requirement_result", "care.item_result"),
)
NOT_COMPUTABLE = {"A10"}  # its one case is that it is never assessable


def _cases() -> list[Case]:
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        file = tomllib.loads(path.read_text(encoding="utf-8"))
        shared = {name: parse_table(text) for name, text in file.get("shared", {}).items()}
        for entry in file["case"]:
            given = {name: parse_table(text) for name, text in entry["given"].items()}
            found.append(Case(entry["item"], entry["why"], shared | given, parse_table(entry["expect"])))
    return found


CASES = _cases()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(input_columns(tmp_path_factory.mktemp("care") / "columns.duckdb"))
    for table in REFERENCE:
        frame = reference_frame(table)
        made.fill(f"reference.{table}", Ascii(tuple(frame.columns), list(frame.rows())))
    yield made
    made.close()


def results(bench: Bench, case: Case) -> list[tuple[str | None, ...]]:
    """The rows of `care.item_result` of the item, in the columns that the case expects."""
    columns = ", ".join(f"CAST({name} AS VARCHAR)" for name in case.expect.columns)
    with bench.transaction():
        needed = {read for name in CHAIN for read in queries()[name].reads} - set(CHAIN) - set(case.given)
        for name in sorted(needed | set(case.given)):
            if not name.startswith("reference."):
                bench.fill(name, case.given.get(name))
        for name in CHAIN:
            bench.build(name)
        return ordered(bench.rows(f"SELECT {columns} FROM care.item_result WHERE care_item_id = '{case.table}'"))


@pytest.mark.parametrize("case", CASES, ids=[f"{case.table}: {case.why}" for case in CASES])
def test_item(bench: Bench, case: Case) -> None:
    problem = difference(case, results(bench, case))
    if problem:
        pytest.fail(problem, pytrace=False)


def test_every_item_of_the_reference_has_a_case_under_every_policy() -> None:
    policies = {
        (case.table, row[case.expect.columns.index("policy")])
        for case in CASES
        if "policy" in case.expect.columns
        for row in case.expect.rows
    }
    wanted = set(reference_frame("care_item").select("care_item_id", "policy").rows())
    assert wanted - policies == set()


def test_every_item_is_met_and_not_met_in_some_case() -> None:
    held: dict[str, set[str | None]] = {}
    for case in CASES:
        place = case.expect.columns.index("status")
        held.setdefault(case.table, set()).update(row[place] for row in case.expect.rows)
    missing = {
        item: said for item, said in held.items() if not {"met", "not_met"} <= said and item not in NOT_COMPUTABLE
    }
    assert missing == {}
