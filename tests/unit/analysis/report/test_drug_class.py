"""The table of drug classes in the report: the class with most cases first, literature where it is of the same class."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses.drug_class import class_odds_ratios
from analysis.estimate.result import result_frame
from analysis.report import drug_class
from analysis.report.table import show
from analysis.report.view import View
from tests.unit.analysis.analyses import test_drug_class as sets_of
from tests.unit.analysis.report.described import RULE
from tests.unit.analysis.report.small import SETTINGS, small_report

CONTRAST = {"id": "sets", "estimator": "matched_odds_ratio", "outcome": "infection", "ladder": "toruner"}


def test_each_class_has_a_row_and_a_rare_one_says_that_it_is_not_adjusted() -> None:
    sets = sets_of._sets({("rare", "none"): 2, ("x", "none"): 30, ("none", "x"): 10})
    estimates = class_odds_ratios(
        sets.with_columns(exposure_rule=pl.lit(RULE)),
        ["infection"], rule=RULE, confidence=0.95, small_cell=5, is_assessable=True,
    )  # fmt: skip
    received = small_report(settings={"contrast": [*SETTINGS["contrast"], CONTRAST]})
    benchmark = received.frames["reference.benchmark"].with_columns(ladder=pl.lit(""), level=pl.lit("x"))
    extra = result_frame(estimates, study_digest="d")
    view = View(
        received.spec,
        received.frames
        | {
            "estimate.result": pl.concat([received.frames["estimate.result"], extra]),
            "reference.benchmark": benchmark,
        },
    )
    rows = drug_class.classes(view)
    assert [(row["name"], row["cases"]) for row in rows] == [("x", 30), ("rare", 2)]
    assert rows[0]["mutual"]["value"] == pytest.approx(3.0)  # type: ignore[index]
    assert str(rows[0]["literature"]).startswith("14.5") and rows[1]["literature"] is None
    assert rows[1]["alone"]["status"] == "limit_only"  # type: ignore[index]
    assert rows[1]["mutual"]["status"] == "not_estimable"  # type: ignore[index]
    assert show(drug_class.TABLES[0], view).body
