"""The picture of docs/exposure.md: one person's timeline under four rules, computed by the project's own SELECTs.

    python -m docs.exposure_timeline

Owns the example's records and rules; the page's table is tested against `intervals()`.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.cases.runner import Ascii, Bench, input_columns, parse_table

WINDOWS = """
prescription_id | person_id | drug_id    | record_type    | start_date | stop_date
1               | 1         | adalimumab | dispensing     | 2020-01-01 | 2020-01-29
2               | 1         | adalimumab | dispensing     | 2020-01-15 | 2020-02-12
3               | 1         | adalimumab | dispensing     | 2020-04-01 | 2020-04-29
4               | 1         | omalizumab | administration | 2020-02-01 | 2020-02-29
5               | 1         | omalizumab | administration | 2020-02-29 | 2020-03-28"""
RULES = {
    "gap_28": ("records at most 28 days apart are one use", 28, 0, "merge", 0),
    "stockpile": ("and what is left of an early refill is used first", 28, 0, "stockpile", 36_500),
    "gap_60": ("records at most 60 days apart are one use", 60, 0, "merge", 0),
    "tail_70": ("as the first, and risk is carried for 70 days", 28, 70, "merge", 0),
}
OBSERVED = (dt.date(2020, 1, 1), dt.date(2020, 7, 1))
COLOURS = {"adalimumab": "#1f5a96", "omalizumab": "#b5541c"}


def intervals() -> list[tuple[str, dt.date, dt.date, str, str]]:
    """Rule, first day, day after the last, regimen and regimen at risk of every interval of the example."""
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(input_columns(Path(scratch) / "columns.duckdb"))
    numbered = [(name, str(number)) for number, name in enumerate(RULES, start=1)]
    policies = [
        (name, drug, str(gap), str(tail), handling, str(cap))
        for name, (_, gap, tail, handling, cap) in RULES.items()
        for drug in COLOURS
    ]
    columns = ("exposure_rule", "drug_id", "gap_days", "tail_days", "overlap_handling", "stockpile_cap_days")
    bench.fill("spec.exposure_rule", Ascii(("exposure_rule", "rule_number"), numbered))
    bench.fill("spec.drug", Ascii(("drug_id", "drug_class"), [(drug, drug) for drug in COLOURS]))
    bench.fill("spec.drug_policy", Ascii(columns, policies))
    bench.fill("exposure.window", parse_table(WINDOWS))
    period = tuple(map(str, OBSERVED))
    bench.fill(
        "staged.observation_period",
        Ascii(("person_id", "period_number", "start_date", "stop_date"), [("1", "1", *period)]),
    )
    for table in (
        "exposure.handling",
        "exposure.hospital_stay",
        "exposure.supply",
        "exposure.coverage",
        "exposure.episode",
        "exposure.combination_interval",
    ):
        bench.build(table)
    order = {name: number for number, name in enumerate(RULES)}
    rows = bench.rows(
        "SELECT exposure_rule, start_date, stop_date, regimen_id, risk_regimen_id FROM exposure.combination_interval"
    )
    bench.close()
    return sorted(rows, key=lambda row: (order[row[0]], row[1]))


def draw(target: Path) -> None:
    """Records on top, then one lane a drug under each rule: covered days filled, days at risk only in outline."""
    mpl.rcParams["svg.hashsalt"] = "exposure"
    figure = Figure(figsize=(9, 5))
    axes = figure.subplots()
    lanes: list[tuple[float, str]] = []
    y = 0.0
    for row in parse_table(WINDOWS).rows:
        drug, start, stop = str(row[2]), dt.date.fromisoformat(str(row[4])), dt.date.fromisoformat(str(row[5]))
        lane = y - list(COLOURS).index(drug)
        axes.barh(
            lane, (stop - start).days, left=_day(start), height=0.5, color=COLOURS[drug], alpha=0.45, edgecolor="white"
        )
    lanes += [(y - 0, "records: adalimumab"), (y - 1, "records: omalizumab")]
    y -= 2.6
    found = intervals()
    for name, (words, *_) in RULES.items():
        axes.text(_day(OBSERVED[0]), y + 0.62, f"{name}: {words}", fontsize=8.5, weight="bold")
        for number, (drug, colour) in enumerate(COLOURS.items()):
            lanes.append((y - number, drug))
            for rule, start, stop, regimen, at_risk in found:
                if rule == name and drug in at_risk.split("+"):
                    covered = drug in regimen.split("+")
                    axes.barh(
                        y - number, (stop - start).days, left=_day(start), height=0.5, facecolor=colour if covered else "none",
                        edgecolor=colour, hatch=None if covered else "////", linewidth=0.8,
                    )  # fmt: skip
        y -= 3.1
    months = [dt.date(2020, month, 1) for month in range(1, 8)]
    axes.set_xticks([_day(day) for day in months], [day.strftime("%-d %b") for day in months])
    axes.set_yticks([lane for lane, _ in lanes], [label for _, label in lanes], fontsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("2020 (filled: covered; hatched: at risk only)")
    figure.tight_layout()
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, metadata={"Date": None})


def _day(day: dt.date) -> int:
    return (day - OBSERVED[0]).days


if __name__ == "__main__":
    draw(Path(__file__).parent / "figures" / "exposure_timeline.svg")
    for row in intervals():
        print("| " + " | ".join(map(str, row)) + " |")  # noqa: T201
