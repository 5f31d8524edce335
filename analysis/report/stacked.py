"""Figure of endings as competing risks: the probability of each, one upon the other, and who is still on the combination above."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np

from analysis.report import wording
from analysis.report.drawing import BLUE, INK, LINE, MUTED, ORANGE, PALE, STYLE, new_canvas, svg_text
from analysis.report.view import View, as_int
from analysis.report.wording import THIN

FACES = (BLUE, ORANGE, "#7a8b99", "#6aa5d8", "#e0a15e", "#a9b8c4", "#3d6b50", "#8a4f7d", "#d9cbb0")
HATCHES = ("", "//", "", "..", "", "xx", "", "--", "")


def endings(view: View) -> tuple[str, str] | None:
    """Cumulative incidence of each reason and of death, stacked, the most frequent at the bottom."""
    rows = view.rows(
        "estimate.curve", analysis="ending_incidence", exposure_rule=view.rule, population="first_episode",
        regimen_id="all", stratum="by=reason",
    )  # fmt: skip
    if not rows:
        return None
    days = sorted({as_int(row["time_days"]) for row in rows})
    values: dict[str, list[float]] = {}
    for cause in {str(row["level"]) for row in rows}:
        known = {as_int(row["time_days"]): float(row["value"]) for row in rows if row["level"] == cause}  # type: ignore[arg-type]
        values[cause] = [known[day] for day in days]
    order = sorted(values, key=lambda cause: (-values[cause][-1], cause))
    months = np.array(days) / wording.DAYS_PER_MONTH
    with mpl.rc_context(STYLE):
        canvas, (axis,) = new_canvas(4.2)
        below = np.zeros(len(days))
        for number, cause in enumerate(order):
            above = below + np.array(values[cause])
            axis.fill_between(
                months, below, above, step="post", facecolor=FACES[number % len(FACES)], edgecolor="white", linewidth=0.4,
                hatch=HATCHES[number % len(HATCHES)], label=wording.named(wording.REASONS, cause),
            )  # fmt: skip
            below = above
        axis.fill_between(
            months,
            below,
            1.0,
            step="post",
            facecolor=PALE,
            edgecolor=MUTED,
            linewidth=0.4,
            label="still on the combination",
        )
        axis.set(
            ylim=(0, 1), xlim=(0, months[-1]), xlabel="months since the first day together", ylabel="share of persons"
        )
        axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}{THIN}%")
        axis.grid(axis="y", color=LINE, linewidth=0.4)
        handles, labels = axis.get_legend_handles_labels()
        axis.legend(
            handles[::-1],
            labels[::-1],
            loc="center left",
            bbox_to_anchor=(1.01, 0.5),
            frameon=False,
            fontsize=9,
            labelcolor=INK,
        )
    return svg_text(
        canvas, "endings",
        "Probability of each ending over time, one upon the other, with the share still on the combination on top. The numbers are "
        "those of the table.",
    )  # fmt: skip
