"""The ladder table: each way on its own row, exact or penalised where cells are small, the literature last with its directness."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from analysis.analyses.matched import matched_odds_ratios
from analysis.analyses.misclassified import Draws, misclassified_odds_ratios
from analysis.analyses.rate_ratio import asked_ladders, rate_comparisons
from analysis.analyses.steroid_window import steroid_window_odds_ratios
from analysis.estimate.result import Estimate, result_frame
from analysis.report import ladder
from analysis.report.table import show
from analysis.report.view import View
from analysis.study.spec import Contrast
from tests.unit.analysis.analyses import test_matched, test_misclassified, test_rate_ratio, test_steroid_window
from tests.unit.analysis.report.described import RULE
from tests.unit.analysis.report.small import SETTINGS, period_frame, small_report

CONTRAST = {"id": "sets", "estimator": "matched_odds_ratio", "outcome": "infection", "ladder": "toruner"}
PAIRS = {(1, 0): 30, (0, 1): 10, (2, 0): 3, (0, 0): 5}


def _view() -> View:
    contrast = Contrast.model_validate(CONTRAST)
    settings: dict[str, Any] = {"rules": [RULE], "confidence": 0.95, "is_assessable": True}
    estimates: list[Estimate] = []
    for asked in asked_ladders([contrast]):
        estimates += matched_odds_ratios(
            test_matched._sets(PAIRS, rule=RULE), asked.contrast, levels=asked.levels, small_cell=5, **settings
        )
        cells = test_rate_ratio._cells(test_rate_ratio.CELLS, ("person_days", "event_count"))
        periods = test_rate_ratio._cells(test_rate_ratio.PERIODS, ("period_count", "case_count"))
        estimates += rate_comparisons(
            *(frame.with_columns(exposure_rule=pl.lit(RULE)) for frame in (cells, periods)), asked, **settings
        )
    estimates += steroid_window_odds_ratios(
        test_steroid_window.steroid_sets({(1, 0): 40, (0, 1): 20}, taken=20, rule=RULE),
        asked_ladders([contrast]), rule=RULE, window_days=14, confidence=0.95, small_cell=5,
    )  # fmt: skip
    estimates += misclassified_odds_ratios(
        period_frame(RULE), test_misclassified.VALUES, asked_ladders([contrast]), rule=RULE,
        draws=Draws(count=1000, seed=1, correlation=1.0), confidence=0.95, is_assessable=True,
    )  # fmt: skip
    received = small_report(settings={"contrast": [*SETTINGS["contrast"], CONTRAST]})
    extra = result_frame(estimates, study_digest="d")
    frames = received.frames | {"estimate.result": pl.concat([received.frames["estimate.result"], extra])}
    return View(received.spec, frames)


def test_each_way_has_a_row_and_the_literature_stands_last_with_its_directness() -> None:
    rows: dict[str, Any] = {str(row["name"]): row for row in ladder.ladder(_view())}
    assert list(rows) == list(ladder.WAYS)
    assert rows[ladder.CRUDE]["1 v 0"]["value"] == pytest.approx(12 * 1491 / (1088 * 9))
    assert rows[ladder.RATE]["1 v 0"]["value"] == pytest.approx(9.5 / (0.5 + 8 / 3))
    assert rows[ladder.MATCHED]["1 v 0"]["value"] == pytest.approx(3.0)
    assert rows[ladder.MATCHED][">=2 v 0"]["method"].startswith("firth"), "three cases at two or more"
    assert rows[ladder.MATCHED]["per level"]["value"] > 1 and "per level" not in rows[ladder.CRUDE]
    assert rows[ladder.NO_NEW_STEROID]["1 v 0"]["value"] == pytest.approx(1.0)
    assert "Author 2009" in rows[ladder.MISCLASSIFIED][">=2 v 1"]["reason"]
    assert rows[ladder.LITERATURE][">=2 v 0"]["reason"] == "indirect: Author 2008"
    assert set(rows[ladder.LITERATURE]) & {"1 v 0", ">=2 v 1"} == set(), "literature stands where there is one"


def test_it_is_shown_with_the_columns_that_have_a_ratio() -> None:
    shown = show(ladder.TABLES[0], _view())
    assert [column.key for column in shown.columns] == ["name", "1 v 0", ">=2 v 0", ">=2 v 1", "per level"]
    (cell,) = [cells[2] for _, _, cells in shown.body if cells and cells[0].text == ladder.LITERATURE]
    assert cell.text == "14.5" and cell.note == "indirect: Author 2008"
