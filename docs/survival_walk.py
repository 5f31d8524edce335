"""The numbers and figures of docs/survival.md, from the published output of the demonstration.

    make demo && .venv/bin/python -m docs.survival_walk out

Writes the tables between the markers of the page and copies the figures beside it. Makes no number: each is a row of `estimate.result`.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import polars as pl

from analysis.report.names import METHODS
from analysis.report.wording import REASONS, estimate_cell, named
from benchmarks.pages import replace_part

PAGE = Path(__file__).parent / "survival.md"
COMPONENTS = {
    "first_started": "the drug started first", "second_started": "the drug started second", "started_together": "two started on one day",
}  # fmt: skip
FIGURES = {"persistence": "survival_persistence.svg", "endings": "survival_endings.svg"}
QUESTIONS = {
    "persistence": {
        "analysis": "persistence", "estimand": "median_duration_months", "regimen_id": "all", "population": "first_episode",
    },
    "endings": {
        "analysis": "ending_incidence", "regimen_id": "all", "population": "first_episode", "stratum": "by=reason", "time_days": 365,
    },
    "hazard": {"analysis": "time_varying_hazard", "estimand": "hazard_ratio", "outcome_id": "serious_infection"},
    "time_zero": {
        "analysis": "time_zero_comparison", "estimand": "hazard_ratio", "outcome_id": "serious_infection",
        "population": "carried_forward",
    },
    "probability": {
        "analysis": "time_zero_comparison", "estimand": "cumulative_incidence", "outcome_id": "serious_infection",
        "population": "carried_forward", "time_days": 365,
    },
}  # fmt: skip
STYLES = {"median_duration_months": "months", "cumulative_incidence": "percent", "hazard_ratio": "ratio"}


def rows(estimates: pl.DataFrame, question: dict[str, object], *, rule: str) -> list[str]:
    """Markdown rows of one question: level or period, method, value with limits, and the reason where there is one."""
    found = estimates.filter(
        pl.all_horizontal([pl.col(name) == value for name, value in ({"exposure_rule": rule} | question).items()])
    )
    told = []
    for row in found.sort("stratum", "level", "method").iter_rows(named=True):
        cell = estimate_cell(row, STYLES[row["estimand"]])  # type: ignore[arg-type]
        part = row["stratum"].partition(";")[2].replace("period=", "").replace("lag_days=", "lag in days: ")
        part = part or named(COMPONENTS, row["stratum"].partition("component=")[2]) or ""
        level = "no study drug" if row["level"] == "0" else named(REASONS, row["level"])
        what = part or level
        value = " ".join(part for part in (cell.text, cell.limits) if part)
        told.append(f"| {what} | {named(METHODS, row['method'])} | {value} | {cell.note} |")
    return told


def table(estimates: pl.DataFrame, question: dict[str, object], *, rule: str = "primary") -> str:
    """The Markdown table of one question."""
    unit = {"percent": "%", "months": "months", "ratio": "ratio"}[
        STYLES[str(question.get("estimand", "cumulative_incidence"))]
    ]
    return "\n".join(
        [f"| | method | {unit} (limits) | note |", "|---|---|--:|---|", *rows(estimates, question, rule=rule)]
    )


def main() -> None:
    """Writes the page's parts and its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    folder = parser.parse_args().out / "report"
    estimates = pl.read_parquet(folder / "estimates.parquet")
    for name, question in QUESTIONS.items():
        replace_part(PAGE, name, table(estimates, question))
    for figure, file in FIGURES.items():
        shutil.copyfile(folder / "figures" / f"{figure}.svg", PAGE.parent / "figures" / file)


if __name__ == "__main__":
    main()
