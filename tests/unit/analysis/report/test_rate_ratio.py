"""The table of compared rates in the report: the comparator with its rate alone, the trend in the heading, the second step behind."""

from __future__ import annotations

import polars as pl

from analysis.estimate.result import result_frame
from analysis.report import rate_ratio
from analysis.report.table import show
from analysis.report.view import View
from tests.unit.analysis.analyses import test_rate_ratio as rates
from tests.unit.analysis.report.described import RULE
from tests.unit.analysis.report.small import SETTINGS, small_report

CONTRAST = {"id": "sets", "estimator": "matched_odds_ratio", "outcome": "infection", "ladder": "toruner"}


def test_levels_stand_in_their_order_and_two_against_one_behind() -> None:
    estimates = [
        estimate
        for asked in rates.asked_ladders([rates.LADDER])
        for estimate in rates.rate_comparisons(
            rates._cells(rates.CELLS, ("person_days", "event_count")).with_columns(exposure_rule=pl.lit(RULE)),
            rates._cells(rates.PERIODS, ("period_count", "case_count")).with_columns(exposure_rule=pl.lit(RULE)),
            asked, rules=[RULE], confidence=0.95, is_assessable=True,
        )
    ]  # fmt: skip
    received = small_report(settings={"contrast": [*SETTINGS["contrast"], CONTRAST]})
    extra = result_frame(estimates, study_digest="d")
    frames = received.frames | {"estimate.result": pl.concat([received.frames["estimate.result"], extra])}
    view = View(received.spec, frames)
    rows = rate_ratio.compared_rates(view)
    names = ["no class", "one class", "two or more classes", "two or more classes"]
    assert [row["name"] for row in rows] == names
    assert rows[0]["ratio"] is None and rows[0]["standardised"] is not None
    assert rows[1]["stratified"] is not None and rows[1]["stratified_difference"] is not None
    assert "trend: z 3." in str(rows[0]["group"]) and "against no class" in str(rows[0]["group"])
    assert str(rows[3]["group"]).endswith("against one class") and rows[3]["standardised"] is None
    assert show(rate_ratio.TABLES[0], view).body
