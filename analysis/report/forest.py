"""Forest figures: incidence by level, and odds ratios by level on a log axis with the literature beside them."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.transforms import blended_transform_factory

from analysis.analyses.ladder import LEVELS
from analysis.report import outcomes, ratios, wording
from analysis.report.drawing import BLUE, LINE, MUTED, ORANGE, STYLE, new_canvas, svg_text
from analysis.report.view import Row, View

LOG_MARKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
FINE_MARKS = (
    0.3,
    0.4,
    0.6,
    0.7,
    0.8,
    0.9,
    1.2,
    1.4,
    1.6,
    1.8,
    2.5,
    3,
    4,
)  # where few of the others lie inside the axis


def log_marks(low: float, high: float) -> list[float]:
    """Marks of a log axis: round numbers, and finer ones between where fewer than three of them would be seen."""
    coarse = [float(mark) for mark in LOG_MARKS if low <= mark <= high]
    if len(coarse) >= 3:
        return coarse
    return sorted({*coarse, *(float(mark) for mark in FINE_MARKS if low <= mark <= high)})


def incidence(view: View) -> tuple[str, str] | None:
    """Rates by number of study drugs and ladder level with exact limits, one panel an outcome."""
    rows = [row for row in outcomes.incidence_by_level(view) if row["rate"] and row["rate"]["upper"] is not None]  # type: ignore[index]
    if not rows:
        return None
    labels = [f"{row['name']}" for row in rows]
    return forest(
        rows,
        labels,
        key="rate",
        name="incidence",
        axis_label="first events per 100 person-years (exact limits)",
        description="Rates with exact limits for each outcome by level of exposure. The numbers are those of the "
        "table.",
        log=False,
    )


def forest(
    rows: list[Row], labels: list[str], *, key: str, name: str, axis_label: str, description: str, log: bool
) -> tuple[str, str]:
    """Points with limits, rows under their group; limits past the edge end in an arrow."""
    places: list[float] = []
    heads: list[tuple[float, str]] = []
    y, group = 0.0, ""
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
        canvas, (axis,) = new_canvas(0.23 * -y + 0.9)
        if log:
            axis.set_xscale("log")
            axis.axvline(1, color=MUTED, linewidth=0.8)
            axis.set_xticks(log_marks(*edge))
            axis.minorticks_off()
        axis.set_xlim(edge)
        for place, row in zip(places, rows, strict=True):
            _whisker(axis, place, row[key], edge, colour=BLUE, marker="o", log=log)  # type: ignore[arg-type]
            if literature := row.get("literature_row"):
                _whisker(axis, place - 0.32, literature, edge, colour=ORANGE, marker="D", log=log)  # type: ignore[arg-type]
        for place, head in heads:
            where = blended_transform_factory(canvas.transFigure, axis.transData)
            label = axis.text(0.005, place, head, weight="bold", size=9, va="center", ha="left", transform=where)
            label.set(in_layout=False, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})
        axis.set_yticks(places, labels, size=9)
        axis.set_ylim(y + 0.4, 0.7)
        axis.tick_params(axis="y", length=0)
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.grid(axis="x", color=LINE, linewidth=0.5)
        axis.set_axisbelow(True)
        axis.set_xlabel(axis_label)
    return svg_text(canvas, name, description)


def _edge(found: list[Row], *, log: bool) -> tuple[float, float]:
    ends = [float(row[part]) for row in found for part in ("value", "lower", "upper") if row[part] is not None]  # type: ignore[arg-type]
    values = [float(row["value"]) for row in found if row["value"] is not None]  # type: ignore[arg-type]
    if log:
        positive = [end for end in ends if end > 0] or [1.0]
        return max(min(*positive, 0.8), 0.05) / 1.15, min(max(*positive, 2.0), 100.0) * 1.15
    top = max(values, default=0.0)
    return 0.0, min(max(ends), max(4 * top, sorted(ends)[len(ends) // 2] * 2, 0.1)) * 1.06


def _whisker(
    axis: Axes, place: float, row: Row, edge: tuple[float, float], *, colour: str, marker: str, log: bool = False
) -> None:
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
    for contrast in ratios.odds_ratio_contrasts(view):
        for level in LEVELS:
            found = ratios.spearhead(ratios.level_estimates(view, contrast, level))
            if found and (found["value"] is not None or found["upper"] is not None or found["lower"] is not None):
                compared = wording.level_name(contrast.ladder, contrast.comparator_level)
                rows.append(
                    {
                        "group": f"{view.outcomes[contrast.outcome]}: {wording.LADDERS[contrast.ladder]}, against "
                        f"{compared}",
                        "name": f"{wording.level_name(contrast.ladder, level)}{_unusual(found)}",
                        "ratio": found,
                        "literature_row": ratios.benchmark(view, contrast, level),
                    }
                )
    if not rows:
        return None
    overlay = "; diamonds: literature" if any(row["literature_row"] for row in rows) else ""
    return forest(
        rows,
        [str(row["name"]) for row in rows],
        key="ratio",
        name="ladder",
        axis_label=f"odds ratio, log axis (circles: this study, Mantel-Haenszel unless said{overlay})",
        description=f"Odds ratios with limits by level of exposure on a logarithmic axis{overlay}. The numbers are "
        "those of the table.",
        log=True,
    )


def _unusual(found: Row) -> str:
    """The method in brackets where it is not the usual one."""
    name = str(found["method"]).removeprefix("pooled_periods_")
    return "" if name == "mantel_haenszel" else f" ({wording.method_name(name)})"
