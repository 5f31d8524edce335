"""The figures of the report, one function each: rows in, an SVG text out that is the same for the same rows.

Owns style, size and the description that a screen reader speaks. Shape and label always say what colour says. Numbers come from
the tables' builders; none is made here.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.transforms import blended_transform_factory

from analysis.report import endings, outcomes, people, wording
from analysis.report.view import Row, View, as_int
from analysis.report.wording import DAYS_PER_YEAR, THIN

INK, MUTED, LINE, BLUE, ORANGE, PALE = "#1d2733", "#52606d", "#c3ccd5", "#1f5a94", "#b4500b", "#dbe7f3"
STYLE = {
    "svg.hashsalt": "coexposure", "svg.fonttype": "none", "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"], "font.size": 10, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": MUTED,
    "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8,
    "text.parse_math": False,
}  # fmt: skip
WIDTH = 8.6  # inches
LOG_MARKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
FONTS = "'DejaVu Sans', Verdana, 'Segoe UI', sans-serif"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: where it stands, what it says in one sentence, and its drawing (None: nothing to draw)."""

    id: str
    section: str
    title: str
    draw: Callable[[View], tuple[str, str] | None]


def _svg(canvas: Canvas, name: str, description: str) -> tuple[str, str]:
    """The drawing without prolog, metadata and fixed size, its ids made unlike those of other figures on the page."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    text = text.replace("font-family: 'DejaVu Sans'", f"font-family: {FONTS}").replace("'DejaVu Sans', sans-serif", FONTS)
    escaped = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", text, count=1)
    text = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", text, count=1)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{escaped}" ', 1)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n", description


def _canvas(height: float, *, rows: int = 1, ratios: tuple[float, ...] = (1,)) -> tuple[Canvas, list[Axes]]:
    canvas = Canvas(figsize=(WIDTH, height), layout="constrained")
    axes = canvas.subplots(rows, 1, squeeze=False, gridspec_kw={"height_ratios": ratios})
    return canvas, [axis[0] for axis in axes]


def attrition(view: View) -> tuple[str, str] | None:
    """Boxes from the persons received to the combinations followed, with those left out beside the arrows."""
    rows = [row for row in people.attrition(view) if row["group"] == "Persons"]
    if not rows:
        return None
    with mpl.rc_context(STYLE):
        canvas, (axis,) = _canvas(0.46 * len(rows) + 0.2)
        axis.set(xlim=(0, 10), ylim=(-len(rows) + 0.45, 0.55))
        axis.axis("off")
        for number, row in enumerate(rows):
            box = {"boxstyle": "square,pad=0.35", "facecolor": PALE if number in (0, len(rows) - 1) else "white", "edgecolor": MUTED, "linewidth": 0.8}
            left = wording.WITHHELD if row["left"] is None else wording.count(row["left"])
            axis.text(0.15, -number, left.rjust(9), ha="left", va="center", weight="bold")
            axis.text(1.45, -number, str(row["step"]), ha="left", va="center", bbox=box)
            if row["excluded"]:
                axis.text(7.0, -number, f"{wording.count(row['excluded'])} left out", ha="left", va="center", color=MUTED)
            if number:
                axis.annotate("", xy=(1.75, -number + 0.28), xytext=(1.75, -number + 0.72), arrowprops={"arrowstyle": "->", "color": MUTED})
    return _svg(canvas, "attrition", f"Flow from {_said(rows[0]['left'])} persons received to {_said(rows[-1]['left'])}: the numbers are those of the table.")


def _said(value: object) -> str:
    return wording.WITHHELD if value is None else wording.count(value)


def exposure(view: View) -> tuple[str, str] | None:
    """Person-years by regimen as horizontal bars, single drugs and combinations apart."""
    rows = [row for row in people.exposure(view) if row["time"] is not None and not row.get("is_total")]
    rows = [row for row in rows if row["group"] != "No study drug"]
    if not rows:
        return None
    with mpl.rc_context(STYLE):
        canvas, (axis,) = _canvas(0.27 * len(rows) + 0.9)
        for number, row in enumerate(rows):
            together = str(row["group"]).startswith("Two")
            value = as_int(row["time"]) / DAYS_PER_YEAR
            axis.barh(-number, value, height=0.68, color=ORANGE if together else BLUE, hatch="////" if together else "", edgecolor="white", linewidth=0)
            axis.text(value, -number, f" {wording.years(row['time'])}", va="center", ha="left", size=9)
        axis.set_yticks([-number for number in range(len(rows))], [_short(str(row["regimen"])) for row in rows], size=9)
        axis.set_ylim(-len(rows) + 0.4, 0.6)
        axis.margins(x=0.12)
        axis.tick_params(axis="y", length=0)
        axis.xaxis.set_major_formatter(lambda value, _: wording.grouped(value, 0 if value >= 10 or value == 0 else 1))
        axis.set_xlabel("person-years of observed time (hatched: two or more study drugs together)")
    top = rows[0]
    return _svg(canvas, "exposure", f"Person-years by regimen; most on {top['regimen']} with {wording.years(top['time'])}. The numbers are those of the table.")


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
        canvas, (axis, below) = _canvas(4.6, rows=2, ratios=(1, 0.07 + 0.07 * len(curves)))
        for (name, rows), colour, dash in zip(curves.items(), (BLUE, ORANGE), ("-", "--"), strict=False):
            times = [as_int(row["time_days"]) / per for row in rows]
            axis.step(times, [row["value"] for row in rows], where="post", color=colour, linestyle=dash, linewidth=1.6, label=wording.POPULATIONS[name])
            banded = [(time, row) for time, row in zip(times, rows, strict=True) if row["lower"] is not None and row["upper"] is not None]
            axis.fill_between([time for time, _ in banded], [row["lower"] for _, row in banded], [row["upper"] for _, row in banded],
                              step="post", color=colour, alpha=0.14, linewidth=0)  # fmt: skip
        axis.set(ylim=(0, 1.02), xlim=(0, last / per * 1.01), ylabel="share still on the combination", xlabel=f"{unit} since the first day together")
        axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}{THIN}%")
        axis.set_xticks(marks)
        axis.grid(axis="y", color=LINE, linewidth=0.5)
        axis.legend(frameon=False, loc="upper right", fontsize=9)
        below.axis("off")
        below.set(xlim=(0, last / per * 1.01), ylim=(-len(curves) + 0.4, 1.3))
        below.text(0, 0.55, "persons at risk", size=9, color=MUTED, va="bottom", ha="left")
        for number, ((_, rows), colour) in enumerate(zip(curves.items(), (BLUE, ORANGE), strict=False)):
            for mark in marks:
                below.text(mark, -number, at_risk(rows, mark * per), ha="center", va="center", size=9, color=colour)
    first = curves[next(iter(curves))]
    return _svg(canvas, "persistence", f"Kaplan-Meier curve of persistence over {last} days, from {_said(first[1]['at_risk_count'])} persons at risk, with limits.")


def _curve(view: View, population: str) -> list[Row]:
    rows = view.rows("estimate.curve", analysis="persistence", exposure_rule=view.rule, population=population, regimen_id="all")
    return sorted(rows, key=lambda row: as_int(row["time_days"]))


def _marks(last: float) -> list[float]:
    step = next((size for size in (1, 2, 3, 6, 12, 24, 60, 120) if last / size <= 10), 240)
    return [float(mark) for mark in range(0, int(last) + 1, step)]


def at_risk(rows: list[Row], day: float) -> str:
    """Persons at risk on a day: of the first time from then on, for `at_risk_count` counts those just before a time."""
    later = [row for row in rows if as_int(row["time_days"]) >= max(day, 1)]
    return wording.count(later[0]["at_risk_count"]) if later else "0"


def incidence(view: View) -> tuple[str, str] | None:
    """Rates by number of study drugs and ladder level with exact limits, one panel an outcome."""
    rows = [row for row in outcomes.incidence_by_level(view) if row["rate"] and row["rate"]["upper"] is not None]  # type: ignore[index]
    if not rows:
        return None
    labels = [f"{row['name']}" for row in rows]
    return _forest(
        rows, labels, key="rate", name="incidence", axis_label="first events per 100 person-years (exact limits)",
        description="Rates with exact limits for each outcome by level of exposure. The numbers are those of the table.", log=False,
    )  # fmt: skip


def _forest(rows: list[Row], labels: list[str], *, key: str, name: str, axis_label: str, description: str, log: bool) -> tuple[str, str]:
    """Points with limits, rows under their group; limits past the edge end in an arrow."""
    places, heads, y, group = [], [], 0.0, ""
    for row in rows:
        if row["group"] != group:
            group = str(row["group"])
            y -= 0.35 if places else 0
            heads.append((y, group))
            y -= 1
        places.append(y)
        y -= 1
    values = [row[key] for row in rows]
    edge = _edge(values, log=log)  # type: ignore[arg-type]
    with mpl.rc_context(STYLE):
        canvas, (axis,) = _canvas(0.23 * -y + 0.9)
        if log:
            axis.set_xscale("log")
            axis.axvline(1, color=MUTED, linewidth=0.8)
            axis.set_xticks([mark for mark in LOG_MARKS if edge[0] <= mark <= edge[1]])
            axis.minorticks_off()
        axis.set_xlim(edge)
        for place, row in zip(places, rows, strict=True):
            _whisker(axis, place, row[key], edge, colour=BLUE, marker="o", log=log)  # type: ignore[arg-type]
            if literature := row.get("literature_row"):
                _whisker(axis, place - 0.32, literature, edge, colour=ORANGE, marker="D", log=log)  # type: ignore[arg-type]
        for place, head in heads:
            where = blended_transform_factory(canvas.transFigure, axis.transData)
            axis.text(0.005, place, head, weight="bold", size=9, va="center", ha="left", transform=where).set_in_layout(False)
        axis.set_yticks(places, labels, size=9)
        axis.set_ylim(y + 0.4, 0.7)
        axis.tick_params(axis="y", length=0)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.grid(axis="x", color=LINE, linewidth=0.5)
        axis.set_axisbelow(True)
        axis.set_xlabel(axis_label)
    return _svg(canvas, name, description)


def _edge(found: list[Row], *, log: bool) -> tuple[float, float]:
    ends = [float(row[part]) for row in found for part in ("value", "lower", "upper") if row[part] is not None]  # type: ignore[arg-type]
    values = [float(row["value"]) for row in found if row["value"] is not None]  # type: ignore[arg-type]
    if log:
        positive = [end for end in ends if end > 0] or [1.0]
        return max(min(*positive, 0.8), 0.05) / 1.15, min(max(*positive, 2.0), 100.0) * 1.15
    top = max(values, default=0.0)
    return 0.0, min(max(ends), max(4 * top, sorted(ends)[len(ends) // 2] * 2, 0.1)) * 1.06


def _whisker(axis: Axes, place: float, row: Row, edge: tuple[float, float], *, colour: str, marker: str, log: bool = False) -> None:
    low = edge[0] if row["lower"] is None else max(float(row["lower"]), edge[0])  # type: ignore[arg-type]
    high = edge[1] if row["upper"] is None else min(float(row["upper"]), edge[1])  # type: ignore[arg-type]
    axis.plot([low, high], [place, place], color=colour, linewidth=1.4, solid_capstyle="butt")
    if row["upper"] is None or float(row["upper"]) > edge[1]:  # type: ignore[arg-type]
        axis.plot([edge[1]], [place], marker=">", color=colour, markersize=5, clip_on=False)
    if log and (row["lower"] is None or float(row["lower"]) < edge[0]):  # type: ignore[arg-type]
        axis.plot([edge[0]], [place], marker="<", color=colour, markersize=5, clip_on=False)
    value = row["value"]
    if value is not None and edge[0] <= float(value) <= edge[1]:  # type: ignore[arg-type]
        axis.plot([float(value)], [place], marker=marker, color=colour, markersize=5.5, clip_on=False)  # type: ignore[arg-type]


def ladder(view: View) -> tuple[str, str] | None:
    """Odds ratios by level on a log axis, the literature beside ours."""
    rows: list[Row] = []
    for contrast in outcomes.odds_ratio_contrasts(view):
        for level in outcomes.LEVELS:
            found = outcomes.spearhead(outcomes.level_estimates(view, contrast, level))
            if found and (found["value"] is not None or found["upper"] is not None or found["lower"] is not None):
                compared = wording.level_name(contrast.ladder, contrast.comparator_level)
                rows.append(
                    {
                        "group": f"{view.outcomes[contrast.outcome]}: {wording.LADDERS[contrast.ladder]}, against {compared}",
                        "name": f"{wording.level_name(contrast.ladder, level)}{_unusual(found)}",
                        "ratio": found, "literature_row": outcomes.benchmark(view, contrast, level),
                    }
                )  # fmt: skip
    if not rows:
        return None
    overlay = "; diamonds: literature" if any(row["literature_row"] for row in rows) else ""
    return _forest(
        rows, [str(row["name"]) for row in rows], key="ratio", name="ladder", axis_label=f"odds ratio, log axis (circles: this study, Mantel-Haenszel unless said{overlay})",
        description=f"Odds ratios with limits by level of exposure on a logarithmic axis{overlay}. The numbers are those of the table.", log=True,
    )  # fmt: skip


def _unusual(found: Row) -> str:
    """The method in brackets where it is not the usual one."""
    name = str(found["method"]).removeprefix("pooled_periods_")
    return "" if name == "mantel_haenszel" else f" ({wording.method_name(name)})"


FIGURES = (
    Figure("attrition", "attrition", "Persons from receipt to combination", attrition),
    Figure("exposure", "exposure", "Person-years by regimen", exposure),
    Figure("persistence", "exposure", "Persistence of first combinations", persistence),
    Figure("incidence", "outcomes", "Incidence by level of exposure", incidence),
    Figure("ladder", "outcomes", "Odds ratios by level of exposure", ladder),
)


def drawn_figures(view: View) -> dict[str, tuple[Figure, str, str]]:
    """Every figure that has something to draw, by id: the figure, its SVG and its description."""
    drawn = {}
    for figure in FIGURES:
        if result := figure.draw(view):
            drawn[figure.id] = (figure, *result)
    return drawn
