"""Tables on components in the report: those that occurred by level, and those that nobody had with their limit."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses.components import component_incidence, component_odds_ratios
from analysis.analyses.ladder import comparisons
from analysis.estimate.result import result_frame
from analysis.report import components
from analysis.report.table import show
from analysis.report.view import View
from analysis.study.spec import Contrast
from tests.unit.analysis.analyses import test_matched
from tests.unit.analysis.report.described import RULE
from tests.unit.analysis.report.small import SETTINGS, small_report

CONTRAST = {"id": "sets", "estimator": "matched_odds_ratio", "outcome": "infection", "ladder": "toruner"}


@pytest.fixture(scope="module")
def view() -> View:
    """The small report with three components: one that occurred, one that nobody had, one that could not be recorded."""
    counts = pl.DataFrame(
        [
            ("sepsis", "overall", "all", 60, 27000, 12, True),
            ("sepsis", "toruner", "0", 50, 9000, 2, True),
            ("sepsis", "toruner", "1", 50, 18000, 10, True),
            ("zoster", "overall", "all", 60, 27000, 0, True),
            ("zoster", "toruner", ">=2", 9, 2000, 0, True),
            ("bk_virus", "overall", "all", 60, 27000, 0, False),
        ],
        schema=["component_id", "dimension", "level", "person_count", "person_days", "event_count", "is_assessable"],
        orient="row",
    ).with_columns(exposure_rule=pl.lit(RULE), outcome_id=pl.lit("infection"))
    estimates = component_incidence(counts, confidence=0.95, is_assessable=True)
    sets = test_matched._sets({(1, 0): 30, (0, 1): 10}, rule=RULE)
    key = ["exposure_rule", "outcome_id", "design", "set_number"]
    held = sets.select(key).unique().with_columns(component_id=pl.lit("sepsis"))
    for asked in comparisons([Contrast.model_validate(CONTRAST)], ("matched_odds_ratio",)):
        estimates += component_odds_ratios(sets, held, asked, rule=RULE, confidence=0.95, small_cell=5)
    received = small_report(settings={"contrast": [*SETTINGS["contrast"], CONTRAST]})
    extra = result_frame(estimates, study_digest="d")
    frames = received.frames | {"estimate.result": pl.concat([received.frames["estimate.result"], extra])}
    return View(received.spec, frames)


def test_a_component_that_occurred_has_its_rates_and_odds_ratios_by_level(view: View) -> None:
    (row,) = components.components_that_occurred(view)
    assert (row["name"], row["events"]) == ("Sepsis", 12)
    assert row["rate_1"]["event_count"] == 10  # type: ignore[index]
    assert row["ratio_1"]["value"] == pytest.approx(3.0)  # type: ignore[index]
    assert row["ratio_>=2"]["method"] == components.EXACT  # type: ignore[index]


def test_components_without_an_event_are_listed_with_their_limit_or_as_not_assessable(view: View) -> None:
    rows = {row["name"]: row for row in components.components_that_nobody_had(view)}
    assert list(rows) == ["bk virus", "Zoster"]
    assert rows["Zoster"]["rate"]["upper"] > 0 and rows["Zoster"]["top"]["upper"] > 0  # type: ignore[index]
    assert rows["bk virus"]["rate"]["status"] == "not_assessable"  # type: ignore[index]
    assert rows["bk virus"]["top"] is None


def test_without_a_matched_comparison_a_component_that_occurred_is_listed_with_its_rate(view: View) -> None:
    spec = view.spec.model_copy(update={"contrast": ()})
    (row,) = components.components_that_occurred(View(spec, view.frames))
    assert (row["name"], row["events"], row["ratio_1"]) == ("Sepsis", 12, None)
    assert "number of study drugs" in str(row["group"])


def test_both_tables_are_shown(view: View) -> None:
    assert components.has_components(view)
    for table in components.TABLES:
        assert show(table, view).body
