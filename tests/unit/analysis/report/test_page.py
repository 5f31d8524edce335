"""What the page says: numbers as estimated, zeros with what they do not exclude, and why something is absent."""

from __future__ import annotations

import html
import re
from pathlib import Path

import polars as pl

from analysis.analyses import discontinuation
from analysis.report import ReportInput, write_bundle
from analysis.report.wording import THIN, count, number
from tests.unit.analysis.report.small import small_report


def page_of(report: ReportInput, folder: Path) -> str:
    write_bundle(report, folder, run={}, fingerprint="f")
    return (folder / "index.html").read_text(encoding="utf-8")


def cells_of(page: str, table: str) -> list[list[str]]:
    """The cells of a table's body as text."""
    body = page.split(f'id="table-{table}"')[1].split("</table>", maxsplit=1)[0].split("<tbody>")[1]
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", body, flags=re.DOTALL)
    return [[words(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL)] for row in rows]


def words(markup: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", markup))).strip()


def one(report: ReportInput, **equal: object) -> dict[str, object]:
    frame = report.frames["estimate.result"].filter(pl.col("exposure_rule") == "primary")
    for column, value in equal.items():
        frame = frame.filter(pl.col(column) == value)
    return frame.row(0, named=True)


def test_numbers_of_the_page_are_those_of_the_estimates(tmp_path: Path) -> None:
    report = small_report()
    page = page_of(report, tmp_path / "report")
    rate = one(report, analysis="incidence", regimen_id="alpha")
    row = next(row for row in cells_of(page, "incidence_by_regimen") if row[0] == "Alpha")
    low, high = (number(float(str(rate[end])), "rate") for end in ("lower", "upper"))
    assert row[-1] == f"{number(float(str(rate['value'])), 'rate')} ({low}\N{EN DASH}{high})"
    assert row[1:4] == [count(rate["person_count"]), "112.3", count(rate["event_count"])]
    ratio = one(report, analysis="infection_odds_ratio", level=">=2", method="pooled_periods_mantel_haenszel")
    ladder = next(row for row in cells_of(page, "odds_ratio_ladder") if row[0] == "two or more classes")
    assert ladder[3].startswith(number(float(str(ratio["value"])), "ratio"))
    assert "14.5 (4.90\N{EN DASH}43.0)" in ladder
    assert any("indirect" in cell and "seen in an independent source" in cell for cell in ladder)


def test_a_zero_is_worded_by_what_it_does_not_exclude(tmp_path: Path) -> None:
    page = words(page_of(small_report(), tmp_path / "report"))
    assert (
        "First combinations stopped for an adverse event: no events in 31 persons; up to 11.2 % not excluded"
        in page.replace(THIN, " ")
    )


def test_stops_without_any_recorded_reason_are_not_called_zero(tmp_path: Path) -> None:
    endings = {
        ("stopped", "both", "unknown"): (17, 5004),
        ("death", "", "death"): (5, 1009),
        ("censored", "", ""): (9, 2994),
    }
    page = words(page_of(small_report(endings=endings), tmp_path / "report"))
    assert "17 of 31 first combinations were stopped and no reason is recorded for any of them" in page
    assert "First combinations stopped for an adverse event" not in page.split("Gate")[0].split("1 Attrition")[0]


def test_stops_that_no_record_could_explain_are_not_assessable_and_not_zero(tmp_path: Path) -> None:
    records = discontinuation.ReasonRecords(names_reasons=False, has_adverse_events=False)
    endings = {
        ("stopped", "both", "unknown"): (17, 5004),
        ("death", "", "death"): (5, 1009),
        ("censored", "", ""): (9, 2994),
    }
    for profile in ("internal", "public"):
        report = small_report(endings=endings, records=records, settings={"disclosure": {"profile": profile}})
        page = page_of(report, tmp_path / profile)
        rows = {row[0]: row for row in cells_of(page, "discontinuation")}
        assert rows["adverse event"][3].startswith("not assessable")
        assert rows["stopped, any reason"][1:3] == ["17", "31"]


def test_every_estimate_that_is_not_ok_stands_on_the_page_with_its_reason(tmp_path: Path) -> None:
    for name, report in (
        (
            "some",
            small_report(
                rates={
                    "none": (180, 60013, 0),
                    "alpha": (110, 41017, 0),
                    "beta": (79, 0, 0),
                    "alpha+beta": (31, 9109, 0),
                }
            ),
        ),
        ("all", small_report(is_assessable=False)),
    ):
        page = words(page_of(report, tmp_path / name))
        table = pl.read_csv(tmp_path / name / "tables/unanswered.csv")
        found = report.frames["estimate.result"].filter(pl.col("status") != "ok")
        assert found.height
        assert table["number"].sum() == found.height
        assert not [reason for reason in found["reason"].unique() if words(str(reason)) not in page]


def test_totals_of_tables_are_the_sums_of_their_rows(tmp_path: Path) -> None:
    regimens = (
        {"none": (180, 200, 50000)}
        | {f"drug{n}": (40 + n, 50, 1000 + n) for n in range(20)}
        | {f"a+drug{n}": (20, 21, 300) for n in range(15)}
    )
    page_of(small_report(observed=regimens), tmp_path / "report")
    exposure = pl.read_csv(tmp_path / "report/tables/exposure.csv")
    rows, whole = exposure.filter(pl.col("regimen") != "total"), exposure.filter(pl.col("regimen") == "total")
    assert rows["time_days"].sum() == whole["time_days"][0] == sum(days for _, _, days in regimens.values())
    assert rows["intervals"].sum() == whole["intervals"][0]
    assert abs(rows["share"].sum() - 1) < 1e-12
    assert rows.filter(pl.col("regimen").str.starts_with("other (10 regimens")).height == 1
    baseline = pl.read_csv(tmp_path / "report/tables/baseline.csv")
    assert baseline.filter(
        pl.col("combination_count") + pl.col("one_at_a_time_count") != pl.col("all_count")
    ).is_empty()
    account = pl.read_csv(tmp_path / "report/tables/row_account.csv").drop_nulls("rows_in")
    assert (account["rows_in"] == account["rows_kept"] + account["rows_quarantined"] + account["rows_duplicate"]).all()


def test_endings_sum_to_the_persons_followed(tmp_path: Path) -> None:
    page_of(small_report(), tmp_path / "report")
    endings = pl.read_csv(tmp_path / "report/tables/discontinuation.csv").filter(pl.col("group") == "How they ended")
    assert endings["stops"].to_list() == [17, 5, 9]
    assert endings["persons"].unique().to_list() == [31]


def test_a_study_without_optional_things_says_why_a_section_is_empty(tmp_path: Path) -> None:
    alone = {"none": (180, 240, 73331), "alpha": (120, 150, 40003)}
    report = small_report(
        settings={
            "contrast": [],
            "exposure_rule": [{"id": "primary"}, {"id": "long"}],
            "report": {"benchmarks": False},
        },
        endings={},
        observed=alone,
        is_assessable=False,
        baseline={},
        steps=(220, 210, 200, 200, 200, 0, 0, 0, 0, 0),
    )
    empty = {"estimate.curve", "meta.sql_digest", "meta.package_version", "reference.benchmark", "quality.unmapped"}
    report = ReportInput(
        report.spec, {name: frame.clear() if name in empty else frame for name, frame in report.frames.items()}
    )
    page = words(page_of(report, tmp_path / "report"))
    assert "Nobody was seen on two study drugs at the same time" in page
    assert "This is not a zero: nothing is known." in page
    assert "No person entered the cohort" in page
    assert "No digest is recorded." in page
    for section in re.findall(
        r"<section id=.*?</section>", (tmp_path / "report/index.html").read_text("utf-8"), flags=re.DOTALL
    ):
        assert re.search(r"<table|<p|<dl|<ol", section), section[:80]


def test_several_datings_of_an_outcome_stand_side_by_side(tmp_path: Path) -> None:
    twice = [
        {"id": "infection", "label": "Infection at start", "codes": {"ICD10": ["A41"]}},
        {"id": "late", "label": "Infection at end", "date_rule": "visit_end", "codes": {"ICD10": ["A41"]}},
    ]
    report = small_report(settings={"outcome": twice})
    late = (
        report.frames["estimate.result"]
        .filter(pl.col("outcome_id") == "infection")
        .with_columns(outcome_id=pl.lit("late"), estimate_id=pl.col("estimate_id") + "late")
    )
    frames = dict(report.frames) | {
        "estimate.result": pl.concat([report.frames["estimate.result"], late]),
        "meta.source": report.frames["meta.source"].with_columns(source_format=pl.lit("omop")),
    }
    page = page_of(ReportInput(report.spec, frames), tmp_path / "report")
    assert [row[:2] for row in cells_of(page, "outcome_dating") if len(row) > 1][:2] == [
        ["Infection at start", "start"],
        ["Infection at end", "visit end"],
    ]
    assert "The order of drug and diagnosis inside one stay is not known" in page


def test_the_page_draws_no_conclusion(tmp_path: Path) -> None:
    page = words(page_of(small_report(), tmp_path / "report")).lower()
    text = page.replace("safety report", "").replace("safety board", "")
    assert not re.search(r"\b(safe|causes|caused|causal|due to the combination|significant|p-value|p =)\b", text)


def test_sensitivity_gives_each_key_number_under_each_rule(tmp_path: Path) -> None:
    page_of(small_report(), tmp_path / "report")
    table = pl.read_csv(tmp_path / "report/tables/sensitivity.csv")
    assert table.group_by("group").agg(pl.col("rule").n_unique())["rule"].unique().to_list() == [2]
    assert table["group"].n_unique() == 4


def test_standing_limitations_come_in_by_their_condition(tmp_path: Path) -> None:
    few = words(page_of(small_report(), tmp_path / "few"))
    assert "Fewer than 50 persons had a combination (31)" in few
    assert "The literature values shown are indirect" in few
    assert "Where no event was seen the upper limit is the finding." in few
    assert "eras as delivered" not in few
    report = small_report(
        settings={"report": {"benchmarks": False, "limitations": ["A limitation of this study alone."]}}
    )
    source = report.frames["meta.source"].with_columns(
        era_level=pl.lit(value=True), has_observation_period=pl.lit(value=False)
    )
    eras = words(page_of(ReportInput(report.spec, dict(report.frames) | {"meta.source": source}), tmp_path / "eras"))
    assert "eras as delivered" in eras
    assert "has no observation periods" in eras
    assert "A limitation of this study alone." in eras
    assert "literature values shown are indirect" not in eras


def test_a_report_on_simulated_records_says_so_first_and_another_does_not(tmp_path: Path) -> None:
    report = small_report()
    source = report.frames["meta.source"].with_columns(is_simulated=pl.lit(value=True))
    simulated = ReportInput(spec=report.spec, frames={**report.frames, "meta.source": source})
    pages = [page_of(report, tmp_path / "real"), page_of(simulated, tmp_path / "simulated")]
    assert ["No person of this report exists" in page for page in pages] == [False, True]
