"""Subgroups in the report: every subgroup under its variable with the test in the heading, and the figure of their ratios."""

from __future__ import annotations

from typing import Any

import polars as pl

from analysis.disclosure import disclosed
from analysis.estimate.result import result_frame
from analysis.report import subgroup
from analysis.report.table import show
from analysis.report.view import View
from tests.unit.analysis.analyses.test_subgroup import estimates, world
from tests.unit.analysis.report.small import small_report


def _view(frame: pl.DataFrame, **settings: Any) -> View:
    received = small_report()
    extra = result_frame(estimates(frame, **settings), study_digest="d")
    result = pl.concat([received.frames["estimate.result"], extra])
    return View(received.spec, received.frames | {"estimate.result": result})


FRAME = world(ratios={"F": 3.0, "M": 1.0}, persons=2_000)


def test_subgroups_stand_under_their_variable_with_its_test() -> None:
    view = _view(FRAME)
    rows = subgroup.subgroups(view)
    groups = list(dict.fromkeys(str(row["group"]) for row in rows))
    assert [group.split(":")[0].split(", by ")[1] for group in groups] == list(subgroup.LABELS.values())
    sex = [row for row in rows if ", by sex:" in str(row["group"])]
    assert [row["name"] for row in sex] == ["female", "male"]
    assert "test of interaction, P below 0.0001" in str(sex[0]["group"])
    assert [row["name"] for row in rows][:3] == ["asthma", "psoriasis", "several conditions"]
    assert [row["name"] for row in rows][-2:] == ["before 2020", "2020 on"]
    assert show(subgroup.TABLES[0], view).body
    drawn = subgroup.subgroup_forest(view)
    assert drawn is not None and "several conditions" in drawn[0]


def test_a_subgroup_with_few_events_has_rates_and_no_ratio_and_the_unknown_says_so() -> None:
    few = FRAME.filter((pl.col("sex") == "F") | (pl.col("event_count") == 0) | (pl.col("person_id") < 30))
    view = _view(few.with_columns(steroids=pl.lit(None, pl.String)))
    rows = {(str(row["group"]).split(", by ")[1].split(":")[0], row["name"]): row for row in subgroup.subgroups(view)}
    men = rows["sex", "male"]
    assert men["ratio"]["status"] == "not_estimable" and men["two"]["value"] is not None  # type: ignore[index]
    unknown = rows["systemic steroids before entry", "not known"]
    assert "not assessable" in str(unknown["group"]) and "ratio" not in unknown


def test_without_a_hazard_ratio_asked_or_found_there_is_no_figure() -> None:
    received = small_report()
    assert subgroup.subgroup_forest(View(received.spec, received.frames)) is None
    assert subgroup.subgroups(View(received.spec, received.frames)) == []


def test_the_public_profile_shows_no_small_subgroup() -> None:
    few = FRAME.filter((pl.col("sex") == "F") | (pl.col("event_count") == 0) | (pl.col("person_id") < 10))
    assert 0 < few.filter(pl.col("sex") == "M")["event_count"].sum() < 5
    view = _view(few)
    shown = View(view.spec, disclosed(view.frames, profile="public", minimum_count=5))
    rows = {str(row["name"]): row for row in subgroup.subgroups(shown) if ", by sex:" in str(row["group"])}
    assert {row["ratio"]["status"] for row in rows.values()} == {"suppressed"}  # type: ignore[index]
    assert {row["events"] for row in rows.values()} == {None}
    kept = [row for row in subgroup.subgroups(shown) if ", by age at entry:" in str(row["group"])]
    assert {row["ratio"]["status"] for row in kept} == {"ok"}  # type: ignore[index]
