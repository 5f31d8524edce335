"""The section on care: every item under every policy, what is withheld, and a study that has none of its drugs."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from analysis.analyses.care_item import care_item_estimates
from analysis.analyses.immunogenicity import immunogenicity_estimates
from analysis.analyses.warned_combination import warned_combination_estimates
from analysis.estimate.result import result_frame
from analysis.report import ReportInput, care, write_bundle
from analysis.report.page import _care_section
from analysis.report.view import View
from pipelines.steps import reference_frame
from tests.unit.analysis.analyses.test_immunogenicity import ORDER, TIME
from tests.unit.analysis.report.small import small_report

ITEMS = reference_frame("care_item")
DRUGS = pl.DataFrame({"drug_id": ["infliximab", "omalizumab"], "is_biologic": [True, True]})
NO_REASONS = pl.DataFrame(
    schema={"care_item_id": pl.String, "policy": pl.String, "reason": pl.String, "moment_count": pl.Int64}
)


def summary(not_assessable: set[str]) -> pl.DataFrame:
    """50 persons with one moment each under every policy of every item, of which 40 are met; nothing of A26."""
    rows = []
    for item, policy in ITEMS.select("care_item_id", "policy").rows():
        known = 0 if item in not_assessable else 50
        met, missing = (40 if known else 0), 50 - known
        counts = [50, known, 50, known, met, 0, known - met, missing, met, 0, known - met, missing, known, met, met]
        if item != "A26":
            rows.append((item, policy, "all", "all", *counts))
    names = (
        "person_count assessable_person_count eligible_count assessable_count met_count late_count not_met_count not_assessable_count "
        "met_person_count late_person_count not_met_person_count not_assessable_person_count assessable_square_sum assessable_met_sum "
        "met_square_sum"
    )
    columns = ["care_item_id", "policy", "stratum_name", "stratum_value", *names.split()]
    return pl.DataFrame(rows, schema=columns, orient="row")


@pytest.fixture(scope="module")
def report() -> ReportInput:
    warned = pl.DataFrame(
        [
            ("jak_biologic", pair, outcome, 30, 30, 10, 9000, 12 if outcome != "none" else 0, 9)
            for pair in ("all", "alpha+beta")
            for outcome in ("none", "infection")
        ],
        schema=[
            "warning_id", "pair_id", "outcome_id", "person_count", "episode_count", "switch_overlap_count",
            "person_days", "event_count", "event_person_count",
        ],
        orient="row",
    )  # fmt: skip
    estimates = care_item_estimates(ITEMS, summary({"A10"}), NO_REASONS, DRUGS, rule="primary", confidence=0.95)
    estimates += warned_combination_estimates(
        reference_frame("combination_warning"), warned, assessable={"infection"}, rule="primary", confidence=0.95
    )
    estimates += immunogenicity_estimates(
        ORDER, TIME, has_tests=True, has_infliximab=True, rule="primary", confidence=0.95
    )
    received = small_report()
    made = result_frame(estimates, study_digest="d")
    frames = dict(received.frames) | {"estimate.result": pl.concat([received.frames["estimate.result"], made])}
    return ReportInput(received.spec, frames)


def test_every_item_stands_under_every_policy_with_its_share_and_limits(report: ReportInput) -> None:
    rows = care.items(View(report.spec, report.frames))
    assert len(rows) == ITEMS.height
    assert [row["name"] for row in rows if str(row["group"]).startswith("A09")] == [
        "source article",
        "US label",
        "joint task force",
        "EU label",
    ]
    share = next(row["met"] for row in rows if str(row["group"]).startswith("A16"))
    assert (share["value"], share["event_count"]) == (0.8, 40)  # type: ignore[index]
    assert {row["not_assessable"] for row in rows if str(row["group"]).startswith("A10")} == {50}
    nobody = next(row for row in rows if str(row["group"]).startswith("A26"))
    assert (nobody["eligible"], nobody["met"]["status"]) == (0, "not_estimable")  # type: ignore[index]


def test_every_policy_says_what_it_asks_and_where_that_is_written(report: ReportInput) -> None:
    rows = care.policies(View(report.spec, report.frames))
    assert len(rows) == ITEMS.height
    assert all(row["statement"] and row["source"] and row["certainty"] for row in rows)


def test_a_warned_combination_has_its_time_and_outcomes_and_one_without_anybody_says_none(report: ReportInput) -> None:
    rows = [
        row for row in care.warned(View(report.spec, report.frames)) if row["group"] == "JAK inhibitor with a biologic"
    ]
    assert [row["name"] for row in rows] == ["any of its pairs", "infection", "Alpha + Beta"]
    assert (rows[0]["persons"], rows[0]["person_years"], rows[1]["events"]) == (30, 9000, 12)
    others = [row for row in care.warned(View(report.spec, report.frames)) if row["group"] == "Two TNF inhibitors"]
    assert [row["persons"] for row in others] == [0]


def test_the_page_holds_the_section_and_never_the_word_safe(report: ReportInput, tmp_path: Path) -> None:
    write_bundle(report, tmp_path / "report", run={"run_id": "r", "written_at": "t"}, fingerprint="f")
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    section = page[page.index('id="care"') : page.index('id="sensitivity"')]
    for item in ITEMS["care_item_id"].unique():
        assert f"{item}: " in section
    assert "not assessable" in section
    assert re.search(r"\bsafe\b", section, flags=re.IGNORECASE) is None


def test_a_study_without_the_drugs_says_not_applicable() -> None:
    received = small_report()
    section = _care_section(View(received.spec, received.frames))
    assert section.remarks == (care.NOT_APPLICABLE,)


def test_antibodies_stand_by_group_with_their_ratio(report: ReportInput) -> None:
    rows = care.antibodies(View(report.spec, report.frames))
    second = {row["name"]: row for row in rows if "second" in str(row["group"])}
    assert list(second) == [
        "not tested for both",
        "antibodies to an earlier one",
        "none to an earlier one",
        "ratio of risks",
    ]
    assert second["ratio of risks"]["ratio"]["value"] == pytest.approx(2.0)  # type: ignore[index]
    names = {row["name"] for row in rows if row["group"] == "antibodies to infliximab"}
    assert {"with immunomodulator", "without immunomodulator", "immunomodulator: hazard ratio"} <= names
