"""Tables on matched sets in the report: rows by level and by pair, signs that can be read, and what is withheld."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from analysis.analyses.joint import joint_odds_ratios
from analysis.analyses.matched import matched_odds_ratios
from analysis.estimate.result import result_frame
from analysis.report import joint, matched, wording
from analysis.report.table import show
from analysis.report.view import View
from analysis.study.spec import Contrast
from tests.unit.analysis.analyses import test_joint, test_matched
from tests.unit.analysis.report.described import RULE
from tests.unit.analysis.report.small import SETTINGS, small_report

CONTRASTS = [
    *SETTINGS["contrast"],
    {"id": "sets", "estimator": "matched_odds_ratio", "outcome": "infection", "ladder": "toruner"},
]


@pytest.fixture(scope="module")
def view() -> View:
    """The small report with matched sets beside it."""
    received = small_report(settings={"contrast": CONTRASTS})
    sets = test_matched._sets({(1, 0): 30, (0, 1): 10, (0, 0): 5}, rule=RULE)
    pairs = test_joint._sets({("alpha", "none"): 20, ("none", "alpha"): 10, ("alpha+beta", "none"): 12, ("beta", "none"): 9,
                              ("none", "beta"): 3, ("none", "alpha+beta"): 9})  # fmt: skip
    contrast = Contrast.model_validate(CONTRASTS[-1])
    settings: dict[str, Any] = {"rules": [RULE], "confidence": 0.95, "is_assessable": True}
    estimates = matched_odds_ratios(sets, contrast, small_cell=5, **settings)
    paired = pairs.with_columns(exposure_rule=pl.lit(RULE))
    estimates += joint_odds_ratios(paired, ["infection"], minimum_persons=10, **settings)
    extra = result_frame(estimates, study_digest="d")
    frames = received.frames | {"estimate.result": pl.concat([received.frames["estimate.result"], extra])}
    return View(received.spec, frames)


def test_each_level_has_a_row_and_the_heading_says_how_many_cases_have_no_control(view: View) -> None:
    rows = matched.matched_ladder(view)
    assert [row["name"] for row in rows] == [
        "one class", "two or more classes", "two classes", "three or more classes", "each further class, up to three",
    ]  # fmt: skip
    assert str(rows[0]["group"]).endswith("up to 4 controls a case; 0 of 45 cases have no control")
    assert rows[0]["conditional"]["value"] == pytest.approx(3.0)  # type: ignore[index]
    assert rows[0]["e_value"] == f"{wording.number(3 + 6**0.5, 'ratio')} (2.41)"
    assert rows[1]["e_value"] is None and rows[1]["conditional"]["status"] == "not_estimable"  # type: ignore[index]


def test_a_pair_has_a_row_with_each_drug_alone_and_an_excess_whose_sign_can_be_read(view: View) -> None:
    (row,) = joint.joint(view)
    assert row["name"] == view.regimen("alpha+beta")
    assert [row[key]["value"] for key in ("first", "second", "both")] == [  # type: ignore[index]
        pytest.approx(2.0), pytest.approx(3.0), pytest.approx(12 / 9),
    ]  # fmt: skip
    cell = wording.estimate_cell(row["reri"], "excess")  # type: ignore[arg-type]
    assert cell.text == "\N{MINUS SIGN}2.67"
    assert " to " in cell.limits and wording.DASH not in cell.limits


def test_both_tables_are_shown(view: View) -> None:
    for table in (*matched.TABLES, joint.TABLES[0]):
        shown = show(table, view)
        assert shown.body and len(shown.columns) >= 5
