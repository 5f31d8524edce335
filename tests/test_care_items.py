"""Every care item as the reference has it, against persons at each edge of its windows.

The cases are in `care_items/`: records as kept by the checks, and the results of one item that they must give, through every SELECT from
the records to `care.item_result`. `shared` of a file is given in each of its cases that does not give the table itself.
"""

from __future__ import annotations

import datetime as dt
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


FROM_DATES_ALONE = {"A35", "A36"}  # what the dates of the doses can say


def test_without_visits_tests_diagnoses_and_times_nothing_is_met_and_nothing_is_a_zero(bench: Bench) -> None:
    """Two drugs together for two years in a source of doses alone: only the dates of doses can be judged."""
    doses = [
        (person, drug, 28 if drug == "omalizumab" else 56) for person in (1, 2) for drug in ("omalizumab", "infliximab")
    ]
    start = dt.date(2020, 1, 1)
    rows = [
        (str(number), str(person), drug, "administration", str(start + dt.timedelta(days=step * gap)))
        for number, (person, drug, gap, step) in enumerate(
            (person, drug, gap, step) for person, drug, gap in doses for step in range(728 // gap)
        )
    ]
    given = {
        "spec.drug": parse_table(
            "drug_id | role | is_injectable | is_biologic | interval_days | washout_days\n"
            "infliximab | study | true | true | 56 | 180\nomalizumab | study | true | true | 28 | 180"
        ),
        "staged.prescription": Ascii(("prescription_id", "person_id", "drug_id", "record_type", "start_date"), rows),
        "staged.observation_period": parse_table(
            "person_id | start_date | stop_date\n1 | 2015-01-01 | 2025-01-01\n2 | 2015-01-01 | 2025-01-01"
        ),
        "meta.source": parse_table("has_condition | has_adverse_event | has_visit\nfalse | false | false"),
    }
    with bench.transaction():
        needed = {read for name in CHAIN for read in queries()[name].reads} - set(CHAIN)
        for name in sorted(name for name in needed | set(given) if not name.startswith("reference.")):
            bench.fill(name, given.get(name))
        for name in (*CHAIN, "care.item_summary"):
            bench.build(name)
        judged = bench.rows("SELECT DISTINCT care_item_id FROM care.item_result WHERE status <> 'not_assessable'")
        asked = bench.rows("SELECT DISTINCT care_item_id FROM care.item_result")
        zero = bench.rows(
            "SELECT care_item_id FROM care.item_summary WHERE stratum_name = 'all' AND assessable_count > 0 AND met_count = 0"
        )
    assert {item for (item,) in judged} == FROM_DATES_ALONE
    assert len(asked) >= 20
    assert {item for (item,) in zero} <= FROM_DATES_ALONE
