"""Matched sets under the public profile: no count is told, nor anything that one could be solved from."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.analyses.drug_class import class_odds_ratios
from analysis.analyses.joint import joint_odds_ratios
from analysis.analyses.ladder import comparisons
from analysis.analyses.matched import matched_odds_ratios
from analysis.disclosure_matched import withhold_matched, withhold_misclassified, withhold_rate_ratios
from analysis.estimate.result import result_frame
from analysis.matching.control_sample import DESIGNS
from tests.unit.analysis.analyses import test_drug_class, test_joint, test_matched, test_rate_ratio

Row = dict[str, Any]
MANY = {(1, 0): 30, (0, 1): 10, (2, 0): 40, (0, 2): 12, (3, 0): 20, (0, 3): 9, (0, 0): 5}


def _rows(pairs: dict[tuple[int, int], int], *, incidence: str = "ok") -> list[Row]:
    estimates = [
        estimate
        for asked in comparisons([test_matched.CONTRAST], tuple(DESIGNS))
        for estimate in matched_odds_ratios(
            test_matched._sets(pairs), asked.contrast, levels=asked.levels,
            rules=["primary"], confidence=0.95, small_cell=5, is_assessable=True,
        )
    ]  # fmt: skip
    estimates += joint_odds_ratios(
        test_joint._sets(test_joint.PAIRS),
        ["infection"], rules=["primary"], minimum_persons=10, confidence=0.95, is_assessable=True,
    )  # fmt: skip
    estimates += class_odds_ratios(
        test_drug_class._sets({("x", "none"): 30, ("none", "x"): 10}),
        ["infection"], rule="primary", confidence=0.95, small_cell=5, is_assessable=True,
    )  # fmt: skip
    rows = result_frame(estimates, study_digest="d").to_dicts()
    level = dict.fromkeys(rows[0]) | {
        "analysis": "incidence", "exposure_rule": "primary", "outcome_id": "infection", "stratum": "ladder=toruner",
        "level": "1", "estimate_id": "i", "status": incidence,
    }  # fmt: skip
    return [*rows, level]


def _withheld(rows: list[Row], minimum: int = 5) -> list[Row]:
    def hide(row: Row) -> None:
        row |= {"value": None, "lower": None, "upper": None, "status": "suppressed"}

    received = {row["estimate_id"]: dict(row) for row in rows}
    withhold_matched(rows, received, hide, minimum)
    return rows


def _matched(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["analysis"] == "matched_odds_ratio"]


def _rates(*, suppressed: str, stratum: str = "ladder=toruner") -> list[Row]:
    estimates = [
        estimate
        for asked in test_rate_ratio.asked_ladders([test_rate_ratio.LADDER])
        for estimate in test_rate_ratio.rate_comparisons(
            test_rate_ratio._cells(test_rate_ratio.CELLS, ("person_days", "event_count")),
            test_rate_ratio._cells(test_rate_ratio.PERIODS, ("period_count", "case_count")),
            asked, rules=["primary"], confidence=0.95, is_assessable=True,
        )
    ]  # fmt: skip
    rows = result_frame(estimates, study_digest="d").to_dicts()
    incidence = {
        "analysis": "incidence", "population": "all_time", "exposure_rule": "primary", "outcome_id": "infection",
        "status": suppressed, "stratum": stratum,
    }  # fmt: skip
    return [*rows, dict.fromkeys(rows[0]) | incidence]


@pytest.mark.parametrize("stratum", ["ladder=toruner", ""])
def test_compared_rates_go_whole_where_a_level_or_all_of_it_was_withheld(stratum: str) -> None:
    def hide(row: Row) -> None:
        row |= {"value": None, "status": "suppressed"}

    for suppressed, expected in (("suppressed", {"suppressed"}), ("ok", {"ok"})):
        rows = _rates(suppressed=suppressed, stratum=stratum)
        withhold_rate_ratios(rows, hide)
        assert {row["status"] for row in rows if row["analysis"] == "rate_ratio"} == expected
    other = _rates(suppressed="suppressed", stratum="ladder=broad")
    withhold_rate_ratios(other, hide)
    assert {row["status"] for row in other if row["analysis"] == "rate_ratio"} == {"ok"}, "another ladder tells nothing"
    regimen = _rates(suppressed="suppressed", stratum="")
    regimen[-1]["regimen_id"] = "a+b"
    withhold_rate_ratios(regimen, hide)
    assert {row["status"] for row in regimen if row["analysis"] == "rate_ratio"} == {"ok"}, "nor does a rare regimen"


@pytest.mark.parametrize(("level", "expected"), [("1", "suppressed"), (">=2", "ok")])
def test_a_bias_analysis_goes_with_the_odds_ratio_that_it_would_give_back(level: str, expected: str) -> None:
    key = {
        "exposure_rule": "primary", "population": "all_time", "outcome_id": "infection", "stratum": "ladder=toruner",
        "comparator_id": "0",
    }  # fmt: skip
    ratio = {"analysis": "infection_odds_ratio", "status": "suppressed", "level": "1", "event_count": None}
    bias = {"analysis": "misclassified_odds_ratio", "status": "ok", "level": level, "event_count": 9}
    rows: list[Row] = [key | ratio, key | bias]
    withhold_misclassified(rows, lambda row: row.update(status="suppressed"))
    assert rows[1]["status"] == expected and (rows[1]["event_count"] is None) == (expected == "suppressed")


def test_no_count_is_left_and_the_ratio_of_four_cells_goes() -> None:
    rows = _matched(_withheld(_rows(MANY)))
    assert all(row["person_count"] is None and row["event_count"] is None for row in rows)
    assert {row["status"] for row in rows if row["estimand"] == "count" or row["method"] == "crude_woolf"} == {
        "suppressed"
    }
    assert any(row["status"] == "ok" and row["method"] == "conditional_logistic_profile" for row in rows)


@pytest.mark.parametrize("analysis", ["joint_odds_ratio", "class_odds_ratio"])
def test_pairs_of_drugs_and_classes_go_whole(analysis: str) -> None:
    rows = [row for row in _withheld(_rows(MANY)) if row["analysis"] == analysis]
    assert rows and all(
        row["status"] == "suppressed" and row["value"] is None and row["event_count"] is None for row in rows
    )


@pytest.mark.parametrize(
    ("pairs", "minimum", "incidence"),
    [
        (MANY | {(3, 0): 4}, 5, "ok"),  # few cases at three and more: Firth was made
        (MANY, 21, "ok"),  # 20 cases at three and more, which follow from the others
        (MANY, 5, "suppressed"),  # the events of a level were withheld
    ],
)
def test_a_ladder_goes_whole_where_one_of_its_levels_is_small_or_withheld(
    pairs: dict[tuple[int, int], int], minimum: int, incidence: str
) -> None:
    rows = _matched(_withheld(_rows(pairs, incidence=incidence), minimum))
    assert {row["status"] for row in rows} == {"suppressed"}
    assert {row["status"] for row in _matched(_withheld(_rows(MANY)))} > {"suppressed"}, "else not"
