"""The sections on reactions, adverse events and literature: what stands in their tables, and what where there is nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from analysis.analyses import adverse_events as events
from analysis.analyses import reaction_latency as latency
from analysis.analyses import reactions as after
from analysis.analyses.benchmark_comparison import benchmark_comparison
from analysis.estimate.result import Estimate, result_frame
from analysis.report import adverse_events, literature, reaction_latency, reactions
from analysis.report.page import render_page
from analysis.report.tables import shown_tables
from analysis.report.view import Row, View
from tests.unit.analysis.analyses import test_adverse_events as counted
from tests.unit.analysis.analyses import test_reactions as dosed
from tests.unit.analysis.report.small import small_report

OUTCOME = "infection"


def _view(estimates: list[Estimate], **settings: Any) -> View:
    report = small_report(settings=settings or None)
    ours = result_frame(estimates, study_digest="x")
    return View(
        report.spec, dict(report.frames) | {"estimate.result": pl.concat([report.frames["estimate.result"], ours])}
    )


def _renamed(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(outcome_id=pl.lit(OUTCOME))


ASKED = {"outcomes": [OUTCOME], "rule": "primary", "confidence": 0.95, "assessable": {OUTCOME}}


@pytest.fixture(scope="module")
def view() -> View:
    names = {"omalizumab": "alpha", "infliximab+omalizumab": "alpha+beta"}
    counts = _renamed(dosed.COUNTS).with_columns(
        drug_id=pl.col("drug_id").replace(names), regimen_id=pl.col("regimen_id").replace(names)
    )
    bins = pl.concat([dosed._bins([4, 2, 1, 3, 0, 5], [4, 2, 1, 3, 2, 6])] * 2).with_columns(
        drug_id=pl.Series(["alpha"] * 12 + ["all"] * 12)
    )
    found = after.reactions(
        counts, _renamed(dosed.TIMES).with_columns(drug_id=pl.lit("alpha")), undosed=["beta"], **ASKED
    )  # type: ignore[arg-type]
    found += latency.reaction_latency(_renamed(bins), _renamed(dosed.POLICIES), has_times=True, **ASKED)  # type: ignore[arg-type]
    frames = events.Frames(
        counts=counted.COUNTS.with_columns(level=pl.col("level").replace({"a": "alpha", "b": "beta", "a+b": "alpha+beta"})),
        classes=counted.CLASSES, onsets=counted.ONSETS, doses=counted.DOSES,
    )  # fmt: skip
    return _view([*found, *events.adverse_events(frames, counted.SETTINGS)], adverse_events={"shown_terms": 1})


def _by_name(rows: list[Row]) -> Mapping[object, Row]:
    return {row["name"]: row for row in rows}


def _value(cell: object) -> object:
    assert isinstance(cell, dict)
    return cell["value"]


def test_doses_and_reactions_stand_by_drug_and_a_dispensed_drug_has_no_zero(view: View) -> None:
    rows = _by_name(reactions.by_drug(view))
    assert (rows["all administered doses"]["doses"], rows["all administered doses"]["reactions"]) == (1000.0, 4)
    assert (rows["Alpha"]["persons"], _value(rows["Alpha"]["share"]), _value(rows["Alpha"]["by_dose"])) == (
        60,
        0.05,
        80.0,
    )
    share = rows["Beta"]["share"]
    assert isinstance(share, dict)
    assert (share["status"], rows["Beta"]["persons"], rows["Beta"]["reactions"]) == ("not_assessable", None, None)


def test_the_number_of_the_dose_that_is_not_known_has_its_row(view: View) -> None:
    rows = [row for row in reactions.by_dose(view) if str(row["group"]).endswith("Alpha")]
    assert [row["name"] for row in rows] == ["first", "fourth and later", "number not known"]
    assert rows[2]["of_reactions"] is None


def test_combinations_and_windows_have_their_rows(view: View) -> None:
    (row,) = reactions.by_regimen(view)
    assert (row["name"], row["persons"], row["reactions"]) == ("Alpha, with Alpha + Beta covered or in tail", 10, 0)
    assert [item["name"] for item in reactions.by_window(view)] == ["24 hours (main)"]


def test_latency_says_of_how_many_the_time_is_known(view: View) -> None:
    rows = reaction_latency.latencies(view)
    assert str(rows[0]["group"]).endswith("all administered doses (time known of 10, not known of 5)")
    assert _value(rows[-1]["share"]) == 0.4
    assert rows[-1]["is_total"]


def test_the_figure_is_drawn_only_where_every_bin_has_a_share(view: View) -> None:
    assert reaction_latency.figure(view) is None  # the bins from 90 minutes to 12 hours are not in these frames
    without = _view([])
    assert reaction_latency.figure(without) is None
    assert reactions.by_drug(without) == []


def test_only_the_most_frequent_terms_are_shown_and_the_others_counted(view: View) -> None:
    rows = adverse_events.terms(view)
    assert [(row["name"], row["organ_class"], row["events"]) for row in rows] == [("Rash", "Skin", 10)]


def test_a_class_that_nobody_tells_of_is_not_assessable_in_the_table(view: View) -> None:
    severe = _by_name(adverse_events.overview(view))["severe"]
    assert isinstance(severe["rate_1"], dict)
    assert severe["rate_1"]["status"] == "not_assessable"
    assert severe["records"] == "none"


def test_the_screen_says_how_many_were_screened(view: View) -> None:
    (row,) = adverse_events.screen(view)
    assert row == {"name": "terms screened under a set of drugs: 1, above what is expected: 0"}
    is_screen = pl.col("estimand") == "information_component"
    raised = view.frames["estimate.result"].with_columns(lower=pl.when(is_screen).then(0.1).otherwise("lower"))
    first, last = adverse_events.screen(View(view.spec, dict(view.frames) | {"estimate.result": raised}))
    assert (first["name"], first["regimen"], first["events"]) == ("Rash", "Alpha + Beta", 6)
    assert "above what is expected: 1" in str(last["name"])


def test_the_page_holds_the_sections_and_never_calls_anything_safe(view: View) -> None:
    page = render_page(view, shown_tables(view), {}, fingerprint="f")
    for title in ("Reactions after doses", "Adverse events by term", "Literature beside ours"):
        assert f">{title}<" in page
    assert "no events in 10 persons" in page
    assert " per 10,000 doses not excluded" in page
    sections = page[page.index("Reactions after doses") : page.index("Sensitivity")]
    assert "safe " not in sections.lower()


def test_a_study_without_reactions_or_records_says_so() -> None:
    report = small_report(is_assessable=False)
    view = View(report.spec, report.frames)
    page = render_page(view, shown_tables(view), {}, fingerprint="f")
    assert reactions.NOT_ASKED in page
    assert adverse_events.NO_TABLE in page


def test_literature_stands_beside_ours_with_a_verdict_or_a_reason() -> None:
    report = small_report()
    mapping = report.frames["reference.benchmark_estimate"].head(1).with_columns(benchmark_id=pl.lit("book"))
    ours = report.frames["estimate.result"].filter(
        (pl.col("analysis") == "infection_odds_ratio") & (pl.col("exposure_rule") == "primary") & (pl.col("status") == "ok")
    )  # fmt: skip
    row = ours.row(0, named=True)
    asked = mapping.with_columns(**{
        name: pl.lit(row[name])
        for name in ("analysis", "estimand", "population", "regimen_id", "comparator_id", "outcome_id", "stratum", "level", "method")
    })  # fmt: skip
    found = benchmark_comparison(
        report.frames["reference.benchmark"], asked, report.frames["estimate.result"], rule="primary", confidence=0.95
    )
    frames = dict(report.frames) | {
        "reference.benchmark_estimate": asked,
        "estimate.result": pl.concat([report.frames["estimate.result"], result_frame(found, study_digest="x")]),
    }
    (shown,) = literature.literature(View(report.spec, frames))
    assert (shown["published"], shown["name"]) == ("14.5 (4.9\N{EN DASH}43)", "two agents")
    assert shown["verdict"] in ("compatible", "not compatible")
    assert _value(shown["ours"]) == row["value"]
    missing = benchmark_comparison(
        report.frames["reference.benchmark"], asked.clear(), report.frames["estimate.result"], rule="primary", confidence=0.95
    )  # fmt: skip
    frames["estimate.result"] = pl.concat([report.frames["estimate.result"], result_frame(missing, study_digest="x")])
    frames["reference.benchmark_estimate"] = asked.clear()
    (shown,) = literature.literature(View(report.spec, frames))
    assert shown["verdict"] == "not comparable: none of our estimates asks the same question"


def test_withheld_rows_are_not_listed_one_by_one(view: View) -> None:
    gone = pl.col("regimen_id") != ""
    numbers = {
        name: pl.when(gone).then(None).otherwise(name)
        for name in ("value", "lower", "upper", "person_count", "event_count")
    }
    frame = view.frames["estimate.result"].with_columns(
        status=pl.when(gone).then(pl.lit("suppressed")).otherwise("status"), **numbers
    )
    hidden = View(view.spec, dict(view.frames) | {"estimate.result": frame})
    assert [row["name"] for row in reactions.by_regimen(hidden)] == ["all are withheld"]
    assert [row["group"] for row in adverse_events.by_pair(hidden)] == ["withheld"]
    assert [row["name"] for row in adverse_events.by_pair(view)] == ["less Alpha alone", "less Beta alone"]
