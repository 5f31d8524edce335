"""The figures of the report, one function each: rows in, an SVG text out that is the same for the same rows.

Owns style, size and the description that a screen reader speaks. Shape and label always say what colour says. Numbers
come from the tables' builders; none is made here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib as mpl

from analysis.report import endings, people, specification, wording
from analysis.report.drawing import BLUE, LINE, MUTED, ORANGE, PALE, STYLE, new_canvas, svg_text
from analysis.report.forest import incidence, ladder
from analysis.report.love import love
from analysis.report.omalizumab_figures import around_withdrawal, by_class, loop
from analysis.report.reaction_latency import figure as reaction_latency
from analysis.report.stacked import endings as stacked_endings
from analysis.report.subgroup import subgroup_forest
from analysis.report.view import Row, View, as_int
from analysis.report.wording import DAYS_PER_YEAR, THIN

SHORT = {"first_episode": "every (solid)", "reached_min_overlap": "overlap (dashed)"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: where it stands, what it says in one sentence, and its drawing (None: nothing to draw)."""

    id: str
    section: str
    title: str
    draw: Callable[[View], tuple[str, str] | None]


def attrition(view: View) -> tuple[str, str] | None:
    """Boxes from the persons received to the combinations followed, with those left out beside the arrows."""
    rows = [row for row in people.attrition(view) if row["group"] == "Persons"]
    if not rows:
        return None
    with mpl.rc_context(STYLE):
        canvas, (axis,) = new_canvas(0.46 * len(rows) + 0.2)
        axis.set(xlim=(0, 10), ylim=(-len(rows) + 0.45, 0.55))
        axis.axis("off")
        for number, row in enumerate(rows):
            box = {
                "boxstyle": "square,pad=0.35",
                "facecolor": PALE if number in (0, len(rows) - 1) else "white",
                "edgecolor": MUTED,
                "linewidth": 0.8,
            }
            left = wording.WITHHELD if row["left"] is None else wording.count(row["left"])
            axis.text(0.15, -number, left.rjust(9), ha="left", va="center", weight="bold")
            axis.text(1.45, -number, str(row["step"]), ha="left", va="center", bbox=box)
            if row["excluded"]:
                axis.text(
                    7.0, -number, f"{wording.count(row['excluded'])} left out", ha="left", va="center", color=MUTED
                )
            if number:
                axis.annotate(
                    "",
                    xy=(1.75, -number + 0.28),
                    xytext=(1.75, -number + 0.72),
                    arrowprops={"arrowstyle": "->", "color": MUTED},
                )
    return svg_text(
        canvas,
        "attrition",
        f"Flow from {_said(rows[0]['left'])} persons received to {_said(rows[-1]['left'])}: the numbers are those of "
        "the table.",
    )


def _said(value: object) -> str:
    return wording.WITHHELD if value is None else wording.count(value)


def exposure(view: View) -> tuple[str, str] | None:
    """Person-years by regimen as horizontal bars, single drugs and combinations apart."""
    rows = [row for row in people.exposure(view) if row["time"] is not None and not row.get("is_total")]
    rows = [row for row in rows if row["group"] != "No study drug"]
    if not rows:
        return None
    with mpl.rc_context(STYLE):
        canvas, (axis,) = new_canvas(0.27 * len(rows) + 0.9)
        for number, row in enumerate(rows):
            together = str(row["group"]).startswith("Two")
            value = as_int(row["time"]) / DAYS_PER_YEAR
            axis.barh(
                -number,
                value,
                height=0.68,
                color=ORANGE if together else BLUE,
                hatch="////" if together else "",
                edgecolor="white",
                linewidth=0,
            )
            axis.text(value, -number, f" {wording.years(row['time'])}", va="center", ha="left", size=9)
        axis.set_yticks([-number for number in range(len(rows))], [_short(str(row["regimen"])) for row in rows], size=9)
        axis.set_ylim(-len(rows) + 0.4, 0.6)
        axis.margins(x=0.12)
        axis.tick_params(axis="y", length=0)
        axis.xaxis.set_major_formatter(lambda value, _: wording.grouped(value, 0 if value >= 10 or value == 0 else 1))
        axis.set_xlabel("person-years of observed time (hatched: two or more study drugs together)")
    top = rows[0]
    return svg_text(
        canvas,
        "exposure",
        f"Person-years by regimen; most on {top['regimen']} with {wording.years(top['time'])}. The numbers are those "
        "of the table.",
    )


def _short(text: str, length: int = 44) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def persistence(view: View) -> tuple[str, str] | None:
    """Share still on the combination over time with its band, and the numbers at risk below."""
    curves = {name: _curve(view, name) for name in endings.POPULATIONS}
    curves = {name: rows for name, rows in curves.items() if len(rows) > 1}
    if not curves:
        return None
    last = max(as_int(row["time_days"]) for rows in curves.values() for row in rows)
    per, unit = (wording.DAYS_PER_MONTH, "months") if last > 120 else (1.0, "days")
    marks = _marks(last / per)
    with mpl.rc_context(STYLE):
        canvas, (axis, below) = new_canvas(4.6, rows=2, ratios=(1, 0.07 + 0.07 * len(curves)))
        for (name, rows), colour, dash in zip(curves.items(), (BLUE, ORANGE), ("-", "--"), strict=False):
            times = [as_int(row["time_days"]) / per for row in rows]
            axis.step(
                times,
                _numbers(rows, "value"),
                where="post",
                color=colour,
                linestyle=dash,
                linewidth=1.6,
                label=wording.POPULATIONS[name],
            )
            banded = [
                (time, row)
                for time, row in zip(times, rows, strict=True)
                if row["lower"] is not None and row["upper"] is not None
            ]
            axis.fill_between(
                [time for time, _ in banded],
                _numbers([row for _, row in banded], "lower"),
                _numbers([row for _, row in banded], "upper"),
                step="post",
                color=colour,
                alpha=0.14,
                linewidth=0,
            )
        axis.set(
            ylim=(0, 1.02),
            xlim=(0, last / per * 1.01),
            ylabel="share still on the combination",
            xlabel=f"{unit} since the first day together",
        )
        axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}{THIN}%")
        axis.set_xticks(marks)
        axis.grid(axis="y", color=LINE, linewidth=0.5)
        axis.legend(frameon=False, loc="upper right", fontsize=9)
        below.spines[:].set_visible(False)
        below.tick_params(length=0, pad=18)
        below.set(xlim=(0, last / per * 1.01), ylim=(-len(curves) + 0.4, 1.3), xticks=[])
        below.set_yticks([-float(number) for number in range(len(curves))], [SHORT[name] for name in curves], size=9)
        below.text(0, 0.55, "persons at risk", size=9, color=MUTED, va="bottom", ha="left")
        for number, ((_, rows), colour) in enumerate(zip(curves.items(), (BLUE, ORANGE), strict=False)):
            for mark in marks:
                below.text(mark, -number, at_risk(rows, mark * per), ha="center", va="center", size=9, color=colour)
    first = curves[next(iter(curves))]
    return svg_text(
        canvas,
        "persistence",
        f"Kaplan-Meier curve of persistence over {last} days, from {_said(first[1]['at_risk_count'])} persons at risk, "
        "with limits.",
    )


def _curve(view: View, population: str) -> list[Row]:
    rows = view.rows(
        "estimate.curve", analysis="persistence", exposure_rule=view.rule, population=population, regimen_id="all"
    )
    return sorted(rows, key=lambda row: as_int(row["time_days"]))


def _numbers(rows: list[Row], column: str) -> list[float]:
    return [float(row[column]) for row in rows]  # type: ignore[arg-type]


def _marks(last: float) -> list[float]:
    step = next((size for size in (1, 2, 3, 6, 12, 24, 60, 120) if last / size <= 10), 240)
    return [float(mark) for mark in range(0, int(last) + 1, step)]


def at_risk(rows: list[Row], day: float) -> str:
    """Persons at risk on a day: of the first time from then on, for `at_risk_count` counts those just before a time.

    On day 0 all who ever enter the risk set.
    """
    if day == 0:
        return wording.count(max(as_int(row["at_risk_count"]) for row in rows))
    later = [row for row in rows if as_int(row["time_days"]) >= day]
    return wording.count(later[0]["at_risk_count"]) if later else "0"


FIGURES = (
    Figure("attrition", "attrition", "Persons from receipt to combination", attrition),
    Figure("exposure", "exposure", "Person-years by regimen", exposure),
    Figure("persistence", "exposure", "Persistence of first combinations", persistence),
    Figure("endings", "discontinuation", "Endings of first combinations", stacked_endings),
    Figure("incidence", "outcomes", "Incidence by level of exposure", incidence),
    Figure("ladder", "outcomes", "Odds ratios by level of exposure", ladder),
    Figure("subgroups", "outcomes", "Hazard ratios in subgroups", subgroup_forest),
    Figure("love", "comparability", "Balance before time zero", love),
    Figure("around_withdrawal", "omalizumab", "Omalizumab, IgE and symptoms around the last dose", around_withdrawal),
    Figure("symptom_loop", "omalizumab", "Symptoms against free IgE, on the way down and back", loop),
    Figure("free_ige_by_class", "omalizumab", "Free IgE by the usual dose, modelled", by_class),
    Figure("reaction_latency", "reactions", "Time from dose to reaction", reaction_latency),
    Figure("specification_hazard", "sensitivity", "Hazard ratio under each exposure rule", specification.hazard),
    Figure("specification_odds", "sensitivity", "Odds ratio under each exposure rule", specification.odds),
)


def drawn_figures(view: View) -> dict[str, tuple[Figure, str, str]]:
    """Every figure that has something to draw, by id: the figure, its SVG and its description."""
    drawn = {}
    for figure in FIGURES:
        if result := figure.draw(view):
            drawn[figure.id] = (figure, *result)
    return drawn
