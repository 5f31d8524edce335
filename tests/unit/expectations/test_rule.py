"""How a count becomes a grade."""

from __future__ import annotations

import pytest

from expectations.rule import Grading, Rule, graded, not_assessable


def _rule(block_above: float | None) -> Rule:
    return Rule(
        id="DQ002", table="visit", batch="intake.visit", severity="quarantine", layer="raw", sentence="it is wrong",
        sql="SELECT r.row_number FROM {batch} AS r", field="start_datetime", block_above=block_above,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("block_above", "rows_checked", "rows_failed", "status", "is_blocking"),
    [
        (None, 100, 0, "pass", False),
        (None, 100, 100, "fail", False),
        (0.01, 100, 1, "fail", False),
        (0.01, 100, 2, "fail", True),
        (0.01, 99, 1, "fail", True),
        (0.0, 100, 0, "pass", False),
        (0.0, 100, 1, "fail", True),
        (0.0, 0, 0, "pass", False),
        (0.0, 0, 1, "fail", True),
    ],
)
def test_a_share_above_the_limit_blocks_and_the_limit_itself_does_not(
    block_above: float | None, rows_checked: int, rows_failed: int, status: str, is_blocking: bool
) -> None:
    result = graded(_rule(block_above), rows_checked=rows_checked, rows_failed=rows_failed)
    assert (result.status, result.is_blocking) == (status, is_blocking)
    assert result.row()["is_blocking"] == is_blocking


def test_what_cannot_be_assessed_neither_passes_nor_blocks() -> None:
    result = not_assessable(_rule(0.0))
    assert (result.status, result.rows_checked, result.is_blocking) == ("not_assessable", 0, False)


def test_the_message_names_rule_place_and_counts() -> None:
    result = graded(_rule(0.01), rows_checked=200, rows_failed=3)
    assert result.message == "DQ002 visit.start_datetime: it is wrong. 3 of 200 rows (1.5 %)"


def test_a_rule_is_known_by_id_table_and_field() -> None:
    rule = _rule(None)
    assert rule.key == ("DQ002", "visit", "start_datetime")
    assert rule.name == "DQ002_visit_start_datetime"
    assert rule.query() == "SELECT r.row_number FROM intake.visit AS r"


@pytest.mark.parametrize(
    ("grading", "fail_above", "block_above"),
    [
        (Grading(rule="DQ002"), 0.0, 0.01),
        (Grading(rule="DQ002", block_above=0.2), 0.0, 0.2),
        (Grading(rule="DQ002", table="visit", fail_above=0.1), 0.1, 0.01),
        (Grading(rule="DQ002", table="visit", field="start_datetime", never_block=True), 0.0, None),
        (Grading(rule="DQ002", table="death", block_above=0.2), 0.0, 0.01),
        (Grading(rule="DQ002", field="other", block_above=0.2), 0.0, 0.01),
        (Grading(rule="DQ003", block_above=0.2), 0.0, 0.01),
    ],
)
def test_a_threshold_acts_on_the_rules_that_it_names_and_on_no_other(
    grading: Grading, fail_above: float, block_above: float | None
) -> None:
    rule = grading.of(_rule(0.01))
    assert (rule.fail_above, rule.block_above) == (fail_above, block_above)
    assert rule.sql == _rule(0.01).sql


def test_a_share_up_to_the_limit_passes() -> None:
    rule = Grading(rule="DQ002", fail_above=0.1).of(_rule(0.5))
    assert [graded(rule, rows_checked=10, rows_failed=failed).status for failed in (0, 1, 2)] == [
        "pass",
        "pass",
        "fail",
    ]
