"""Disclosure control: what the public profile withholds, and what a reader who subtracts still cannot tell."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from analysis.disclosure import disclosed
from analysis.disclosure_persistence import Moment, kept_moments
from analysis.report import ReportInput, write_bundle
from analysis.report.wording import count
from tests.unit.analysis.report.small import small_report

MINIMUM = 5
RATES = {"none": (180, 60013, 9), "alpha": (110, 41017, 12), "beta": (79, 31019, 3), "alpha+beta": (31, 9109, 0)}
ENDINGS = {
    ("stopped", "both", "efficacy"): (9, 3001),
    ("stopped", "first_started", "adverse_event"): (2, 607),
    ("stopped", "both", "remission"): (6, 1999),
    ("death", "", "death"): (5, 1009),
    ("censored", "", ""): (9, 2994),
}
OBSERVED = {
    "none": (180, 240, 73331),
    "alpha": (120, 150, 40003),
    "beta": (80, 90, 30011),
    "gamma": (3, 4, 1237),
    "alpha+beta": (31, 33, 9007),
    "alpha+gamma": (2, 2, 653),
    "beta+gamma": (7, 7, 2111),
}
BASELINE = {"sex": {"F": (28, 90), "M": (3, 79)}, "age_band": {"18-49": (17, 80), "50-64": (14, 89)}}
STEPS = (220, 218, 200, 200, 200, 200, 197, 40, 31, 31)


def public(frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    return disclosed(frames, profile="public", minimum_count=MINIMUM)


@pytest.fixture(scope="module")
def small() -> ReportInput:
    """The small study with a small count of every kind, under the public profile."""
    report = small_report(
        settings={"disclosure": {"profile": "public", "minimum_count": MINIMUM}},
        rates=RATES,
        endings=ENDINGS,
        observed=OBSERVED,
        baseline=BASELINE,
        steps=STEPS,
    )
    account = report.frames["quality.row_account"].with_columns(
        rows_in=pl.when(pl.col("table_name") == "person").then(203).otherwise(pl.col("rows_in")),
        rows_quarantined=pl.when(pl.col("table_name") == "person").then(3).otherwise(pl.col("rows_quarantined")),
    )
    return ReportInput(report.spec, dict(report.frames) | {"quality.row_account": account})


def primary(frame: pl.DataFrame, **equal: object) -> pl.DataFrame:
    for column, value in ({"exposure_rule": "primary"} | equal).items():
        frame = frame.filter(pl.col(column) == value)
    return frame


def test_internal_changes_nothing(small: ReportInput) -> None:
    shown = disclosed(small.frames, profile="internal", minimum_count=MINIMUM)
    assert all(shown[name].equals(frame) for name, frame in small.frames.items())


def test_no_count_from_one_to_four_is_left_in_any_estimate(small: ReportInput) -> None:
    result = public(dict(small.frames))["estimate.result"]
    for column in ("person_count", "event_count"):
        assert result.filter(pl.col(column).is_between(1, MINIMUM - 1)).is_empty()
    assert result.filter((pl.col("estimand") == "count") & pl.col("value").is_between(1, MINIMUM - 1)).is_empty()


def test_a_suppressed_estimate_keeps_no_number_and_has_a_reason(small: ReportInput) -> None:
    gone = public(dict(small.frames))["estimate.result"].filter(pl.col("status") == "suppressed")
    assert gone.height
    for column in ("value", "lower", "upper", "standard_error", "p_value", "person_days"):
        assert gone[column].null_count() == gone.height
    assert (gone["reason"].str.len_chars() > 0).all()


def test_zeros_stay_with_their_limits(small: ReportInput) -> None:
    row = primary(public(dict(small.frames))["estimate.result"], analysis="incidence", regimen_id="alpha+beta").row(
        0, named=True
    )
    assert (row["event_count"], row["value"], row["status"]) == (0, 0.0, "ok")
    assert row["upper"] > 0


def test_events_of_a_small_regimen_do_not_follow_from_its_level(small: ReportInput) -> None:
    rates = primary(public(dict(small.frames))["estimate.result"], analysis="incidence", outcome_id="infection")
    shown = {row["regimen_id"]: row["event_count"] for row in rates.to_dicts() if row["regimen_id"]}
    assert shown == {"none": 9, "alpha": None, "beta": None, "alpha+beta": 0}
    days = rates.filter(pl.col("regimen_id").is_in(["alpha", "beta"]))["person_days"]
    assert days.null_count() == 2


def test_stops_for_a_reason_do_not_follow_from_all_stops(small: ReportInput) -> None:
    frames = public(dict(small.frames))
    found = primary(frames["estimate.result"], analysis="discontinuation", estimand="proportion")
    reasons = {row["level"]: row["event_count"] for row in found.filter(pl.col("stratum") == "by=reason").to_dicts()}
    assert reasons["adverse_event"] is None
    assert sum(count is None for count in reasons.values()) >= 2
    assert reasons["pregnancy"] == 0
    components = found.filter(pl.col("stratum") == "by=component").to_dicts()
    assert sum(row["event_count"] is None for row in components) >= 2
    assert frames["summary.ending_count"]["reason"].unique().to_list() == [""]


def test_regimens_with_few_persons_share_a_row_of_their_kind_and_days_still_add_up(small: ReportInput) -> None:
    frames = public(dict(small.frames))
    times = primary(frames["summary.exposure_time"])
    assert times["person_days"].sum() == sum(days for _, _, days in OBSERVED.values())
    assert set(times["regimen_id"]) == {"none", "alpha", "alpha+beta", "withheld", "withheld+withheld"}
    pooled = {row["regimen_id"]: row for row in times.to_dicts()}
    assert pooled["withheld"]["person_days"] == 1237 + 30011  # gamma, and the smallest other
    assert pooled["withheld+withheld"]["person_days"] == 653 + 2111
    assert pooled["withheld"]["person_count"] is None


def test_baseline_hides_the_other_cell_of_row_and_column(small: ReportInput) -> None:
    rows = public(dict(small.frames))["summary.baseline"].to_dicts()
    gone = {(row["level"], row["person_group"]) for row in rows if row["person_count"] is None}
    assert {("M", "combination"), ("F", "combination"), ("M", "one_at_a_time"), ("F", "one_at_a_time")} <= gone
    assert ("18-49", "combination") not in gone


def test_attrition_keeps_no_two_steps_that_differ_by_few(small: ReportInput) -> None:
    left = [
        row["person_count"]
        for row in primary(public(dict(small.frames))["cohort.attrition"]).sort("step_number").to_dicts()
    ]
    assert left == [None, 218, 200, 200, 200, 200, None, 40, 31, 31]


def test_persons_on_a_regimen_who_are_all_but_few_are_withheld(small: ReportInput) -> None:
    times = small.frames["summary.exposure_time"].with_columns(
        person_count=pl.when(pl.col("regimen_id") == "none").then(198).otherwise(pl.col("person_count"))
    )
    result = small.frames["estimate.result"].with_columns(
        person_count=pl.when((pl.col("analysis") == "exposure_time") & (pl.col("regimen_id") == "none"))
        .then(198)
        .otherwise(pl.col("person_count"))
    )
    frames = public(dict(small.frames) | {"summary.exposure_time": times, "estimate.result": result})
    row = primary(frames["summary.exposure_time"], regimen_id="none").row(0, named=True)
    assert (row["person_count"], row["person_days"]) == (None, 73331)
    counts = primary(frames["estimate.result"], analysis="exposure_time", regimen_id="none", estimand="count")
    assert counts["value"].to_list() == [None]


def test_few_persons_set_aside_do_not_follow_from_the_row_account(small: ReportInput) -> None:
    frames = public(dict(small.frames))
    row = frames["quality.row_account"].filter(pl.col("table_name") == "person").row(0, named=True)
    assert (row["rows_in"], row["rows_kept"], row["rows_quarantined"], row["rows_duplicate"]) == (None, 200, None, 0)
    assert frames["meta.input_file"].filter(pl.col("table_name") == "person")["row_count"].to_list() == [None]
    assert frames["meta.source_table"].filter(pl.col("table_name") == "person")["rows_in"].to_list() == [None]


def test_between_two_shown_times_of_a_curve_there_are_none_or_not_few(small: ReportInput) -> None:
    curve = primary(public(dict(small.frames))["estimate.curve"], population="first_episode", regimen_id="all").sort(
        "time_days"
    )
    assert curve.height > 1
    for column in ("event_count", "censored_count"):
        assert curve.filter(pl.col(column).is_between(1, MINIMUM - 1)).is_empty()
    for earlier, later in pairwise(curve["at_risk_count"].to_list()):
        assert earlier - later == 0 or earlier - later >= MINIMUM


def test_moments_are_clear_of_each_other_and_of_the_end() -> None:
    moments = [Moment(10, 3, 0), Moment(20, 6, 0), Moment(30, 6, 2), Moment(40, 12, 6), Moment(50, 18, 6)]
    assert [moment.day for moment in kept_moments(moments, Moment(99, 30, 6), MINIMUM)] == [20, 40, 50]
    assert [moment.day for moment in kept_moments(moments, Moment(99, 20, 6), MINIMUM)] == [20, 40]
    assert kept_moments(moments, Moment(99, 8, 0), MINIMUM) == []


def test_a_second_population_that_differs_by_few_is_left_out(small: ReportInput) -> None:
    # two of the 31 never reached the minimum overlap
    result = small.frames["estimate.result"].with_columns(
        person_count=pl.when(pl.col("population") == "reached_min_overlap").then(29).otherwise(pl.col("person_count"))
    )
    frames = public(dict(small.frames) | {"estimate.result": result})
    second = frames["estimate.result"].filter(pl.col("population") == "reached_min_overlap")
    assert set(second["status"]) == {"suppressed"}
    assert second["person_count"].null_count() == second.height
    assert frames["estimate.curve"].filter(pl.col("population") == "reached_min_overlap").is_empty()


def test_ratios_go_where_a_level_has_few_events(small: ReportInput) -> None:
    rates = {"none": (180, 60013, 9), "alpha": (110, 41017, 2), "beta": (79, 31019, 1), "alpha+beta": (31, 9109, 8)}
    kept = primary(public(dict(small.frames))["estimate.result"], analysis="infection_odds_ratio", level=">=2")
    assert set(kept["status"]) == {"ok"}
    thin = small.frames["estimate.result"].to_dicts()
    for row in thin:
        if row["analysis"] == "incidence" and (row["stratum"], row["level"]) == ("ladder=toruner", "1"):
            row["event_count"] = sum(rates[name][2] for name in ("alpha", "beta"))
    frame = pl.DataFrame(thin, schema=small.frames["estimate.result"].schema)
    gone = primary(
        public(dict(small.frames) | {"estimate.result": frame})["estimate.result"],
        analysis="infection_odds_ratio",
        level="1",
    )
    assert set(gone["status"]) == {"suppressed"}


def test_no_file_of_a_public_bundle_holds_a_withheld_number(small: ReportInput, tmp_path: Path) -> None:
    result = small.frames["estimate.result"]
    gone = public(dict(small.frames))["estimate.result"].filter(pl.col("status") == "suppressed")["estimate_id"]
    hidden = result.filter(pl.col("estimate_id").is_in(gone.implode()))
    limits = ("value", "lower", "upper")
    # The longest combination may be the upper limit of a median, which is shown.
    seen = {
        value for column in limits for value in result.join(hidden, on="estimate_id", how="anti")[column].drop_nulls()
    }
    values = {
        repr(value)
        for column in limits
        for level, value in hidden.select("level", column).drop_nulls().iter_rows()
        if value not in {0.0, 1.0, *(seen if level == "longest" else ())}
    }
    days = (31019, 1237, 653, 30011, 2111)  # of withheld rows only
    numbers = {text for day in days for text in (str(day), count(day))} | {value for value in values if len(value) > 6}
    paths = write_bundle(small, tmp_path / "report", run={}, fingerprint="f")
    for path in paths:
        content = re.sub(
            "[0-9a-f]{64}", "", path.read_bytes().decode("utf-8", errors="replace")
        )  # digests are no numbers
        held = {text for text in numbers if re.search(rf"(?<![\d.]){re.escape(text)}(?![\d.])", content)}
        assert not held, (path.name, held)
    page = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert "Public profile." in page
    assert "Only this folder may leave" in page
    assert "withheld" in page


def test_subtracting_from_any_shown_total_tells_no_small_count(small: ReportInput, tmp_path: Path) -> None:
    write_bundle(small, tmp_path / "report", run={}, fingerprint="f")
    table = pl.read_csv(tmp_path / "report/tables/incidence_by_level.csv")
    whole = table.filter(pl.col("name") == "everybody at risk")["events"][0]
    for (group,), rows in table.filter(pl.col("name") != "everybody at risk").group_by("group"):
        hidden = rows["events"].null_count()
        assert hidden != 1, group
        if whole is not None and hidden:
            assert whole - rows["events"].sum() >= MINIMUM
    endings = pl.read_csv(tmp_path / "report/tables/discontinuation.csv")
    top = endings.filter(pl.col("group") == "How they ended")
    assert top["stops"].null_count() != 1
    exposure = pl.read_csv(tmp_path / "report/tables/exposure.csv")
    assert exposure["persons"].drop_nulls().is_between(1, MINIMUM - 1).sum() == 0
    for path in (tmp_path / "report/tables").glob("*.csv"):
        frame = pl.read_csv(path, infer_schema_length=None)
        for column in {"persons", "events", "stops", "ended", "cases", "left", "excluded", "at_risk"} & set(
            frame.columns
        ):
            if frame[column].dtype.is_numeric():
                assert frame.filter(pl.col(column).is_between(1, MINIMUM - 1)).is_empty(), (path.name, column)


def test_a_public_bundle_repeats_byte_for_byte(small: ReportInput, tmp_path: Path) -> None:
    first = write_bundle(small, tmp_path / "a", run={}, fingerprint="f")
    second = write_bundle(small, tmp_path / "b", run={}, fingerprint="f")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
