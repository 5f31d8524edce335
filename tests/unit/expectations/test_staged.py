"""Every rule of the second door fires on the rows that break it and on no other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from expectations.staged import STAGED_RULES
from tests.unit.expectations.conftest import Door
from tests.unit.expectations.staged_cases import CASES

RULES = {rule.key: rule for rule in STAGED_RULES}
HEAD = "source_file | row_number | person_source_value | start_date | end_date"
FIRING: dict[tuple[str, str, str], tuple[Mapping[str, str], list[tuple[object, ...]]]] = {
    ("DQ006", "all", ""): (
        {"intake.duplicate": "table_name | source_file | row_number\nvisit | v.csv | 2"},
        [("visit", "v.csv", 2)],
    ),
    ("DQ021", "observation_period", "overlap"): (
        {
            "intake.observation_period": f"""
                {HEAD}
                o | 1 | a | 2020-01-01 | 2020-12-31
                o | 2 | a | 2020-02-01 | 2020-02-10
                o | 3 | a | 2020-12-31 | 2021-01-31
                o | 4 | a | 2021-02-01 | 2021-03-01
                o | 5 | b | 2020-01-01 | 2020-12-31
                o | 6 | b | 2020-01-01 | 2020-12-31"""
        },
        [("o", 2), ("o", 3), ("o", 6)],
    ),
    ("DQ030", "prescription", "days_supply"): (
        {
            "staged.prescription": """
                prescription_id | drug_id    | days_supply
                1               | omalizumab | -
                2               | omalizumab | 0
                3               | omalizumab | 400
                4               | omalizumab | 401
                5               | salbutamol | -
                6               | -          | -
                7               | prednisone | 401"""
        },
        [("1",), ("2",), ("4",), ("7",)],
    ),
    ("DQ031", "prescription", "days_supply"): (
        {
            "staged.prescription": """
                prescription_id | drug_id    | days_supply
                1               | omalizumab | 1
                2               | omalizumab | 2
                3               | prednisone | 1
                4               | omalizumab | -"""
        },
        [("1",)],
    ),
    ("DQ036", "prescription", "record_type"): (
        {
            "staged.prescription": """
                prescription_id | person_id | drug_id    | start_date | record_type
                1               | 1         | omalizumab | 2020-01-01 | order
                2               | 1         | omalizumab | 2020-01-01 | dispensing
                3               | 1         | omalizumab | 2020-01-02 | order
                4               | 1         | omalizumab | 2020-01-02 | order
                5               | 2         | omalizumab | 2020-01-01 | dispensing
                6               | 3         | -          | 2020-01-01 | order
                7               | 3         | -          | 2020-01-01 | dispensing"""
        },
        [(1, "omalizumab", "2020-01-01")],
    ),
    ("DQ024", "prescription", "drug_id"): (
        {"staged.prescription": "prescription_id | drug_id\n1 | omalizumab\n2 | -"},
        [("2",)],
    ),
}
DRUGS = """
    drug_id    | role        | is_injectable
    omalizumab | study       | true
    prednisone | background  | false
    salbutamol | concomitant | false
    adalimumab | study       | true
    infliximab | study       | true"""


@pytest.mark.parametrize("key", [*FIRING, *CASES], ids="_".join)
def test_the_rule_returns_the_keys_of_the_rows_that_break_it(door: Door, key: tuple[str, str, str]) -> None:
    given, failing = (FIRING | CASES)[key]
    found = door.failing(RULES[key], {"spec.drug": DRUGS, **given})
    assert sorted(tuple(map(str, row)) for row in found) == sorted(tuple(map(str, row)) for row in failing)


def test_every_rule_of_this_door_is_tested_and_only_warns() -> None:
    assert {*FIRING, *CASES} == set(RULES)
    assert len(RULES) == len(STAGED_RULES)
    assert {rule.severity for rule in STAGED_RULES} == {"warn"}
    # But biologics whose names mean nothing would be missing from every number.
    assert {rule.key: rule.block_above for rule in STAGED_RULES if rule.block_above is not None} == {
        ("DQ024", "prescription", "biologic"): 0.02
    }
