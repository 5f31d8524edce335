"""Literature beside ours: each published value with our estimate of the same question, and whether the two are compatible.

Owns the table. The comparison is in `analysis/analyses/benchmark_comparison.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from analysis.analyses import benchmark_comparison as comparison
from analysis.report import wording
from analysis.report.table import Column, Table
from analysis.report.view import Row, View
from analysis.report.wording import Style

STYLES: dict[str, Style] = {
    "odds_ratio": "ratio", "proportion": "percent", "median_duration_months": "months", "mean": "ratio",
}  # fmt: skip
VERDICTS = {True: "compatible", False: "not compatible"}


def published(row: Row) -> str:
    """A literature value with its limits, in the digits of its kind."""
    if row["value"] is None:
        return wording.NONE
    style = STYLES[str(row["estimand"])]
    value, lower, upper = (
        None if row[name] is None else 100 * float(str(row[name])) for name in ("value", "lower", "upper")
    )
    if style != "percent":
        value, lower, upper = (None if part is None else part / 100 for part in (value, lower, upper))
    ends = "" if lower is None or upper is None else f" ({lower:.3g}{wording.DASH}{upper:.3g})"
    unit = (
        f"{wording.THIN}%"
        if style == "percent"
        else f" {row['unit']}"
        if style == "months" or row["estimand"] == "mean"
        else ""
    )
    return f"{value:.3g}{ends}{unit}"


def literature(view: View) -> list[Row]:
    """A row for each literature value and each of our estimates of the same question."""
    found = comparison.by_question(view.rows("estimate.result"), view.rule)
    asked: dict[str, list[Row | None]] = {}
    for row in view.rows("reference.benchmark_estimate"):
        asked.setdefault(str(row["benchmark_id"]), []).append(row)
    rows: list[Row] = []
    for value in view.rows("reference.benchmark"):
        for item in asked.get(str(value["benchmark_id"]), [None]):
            compared = next(
                iter(
                    view.estimates(
                        analysis=comparison.ANALYSIS,
                        stratum=comparison.stratum(value["benchmark_id"], item),
                        population=str(item["population"]) if item else comparison.LITERATURE,
                    )
                ),
                None,
            )
            if compared is not None:
                rows.append(_row(value, item, comparison.own_estimate(item, found) if item else None, compared))
    return rows


def _row(value: Row, item: Row | None, ours: Mapping[str, object] | None, compared: Row) -> Row:
    verdict = comparison.is_compatible(compared)
    withheld = compared["status"] == "suppressed"
    return {
        "name": value["label"],
        "published": published(value),
        "source": f"{value['source']}; n {wording.count(value['person_count'])}; {value['directness']}; {value['review_status']}",
        "ours": None if ours is None else dict(ours),
        "style": STYLES.get(str(value["estimand"]), "ratio"),
        "population": wording.named(wording.POPULATIONS, item["population"]) if item else None,
        "ratio": compared if compared["estimand"] == "ratio_of_ratios" and verdict is not None else None,
        "points": compared if compared["estimand"] == "risk_difference" and verdict is not None else None,
        "verdict": wording.WITHHELD if withheld else VERDICTS.get(verdict, f"not comparable: {compared['reason']}"),  # type: ignore[arg-type]
    }


TABLES = (
    Table(
        "literature",
        "literature",
        "Literature beside ours",
        (
            Column("name", "Value"),
            Column("published", "Published (limits)", "literature"),
            Column("ours", "Ours (limits)", "estimate"),
            Column("population", "Ours is of", is_optional=True),
            Column("ratio", "Ours over the literature (limits)", "ratio", is_optional=True),
            Column("points", "Ours less the literature, percentage points (limits)", "points", is_optional=True),
            Column("verdict", "Together", "sentence"),
            Column("source", "Source, persons, directness, review", "sentence"),
        ),
        literature,
        "Compatible: the limits of the ratio hold 1, or those of the difference 0. That is not alike: wide limits hold anything. Not "
        "compatible may be other persons, other definitions or chance among several comparisons.",
        "The study asks for no literature values.",
        is_long=True,
    ),
)
