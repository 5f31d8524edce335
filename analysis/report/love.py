"""Figure of balance: standardised differences before and after weights and matching (a love plot)."""

from __future__ import annotations

import matplotlib as mpl

from analysis.report import comparability
from analysis.report.drawing import BLUE, LINE, MUTED, ORANGE, STYLE, new_canvas, svg_text
from analysis.report.view import View

MARKS = {"crude": ("o", "none", MUTED), "overlap": ("D", BLUE, BLUE), "matched": ("^", ORANGE, ORANGE)}


def love(view: View) -> tuple[str, str] | None:
    """Absolute standardised differences of each covariate, one mark a way of making groups comparable."""
    rows = comparability.balance(view)
    if not rows:
        return None
    threshold = view.spec.diagnostics.largest_difference
    with mpl.rc_context(STYLE):
        canvas, (axis,) = new_canvas(0.23 * len(rows) + 1.2)
        axis.axvline(threshold, color=MUTED, linewidth=0.8, linestyle="--")
        for place, row in enumerate(rows):
            for way, (marker, face, edge) in MARKS.items():
                value = row.get(way)
                if value is not None:
                    axis.plot(
                        [abs(float(value))], [-place], marker=marker, color=edge, markerfacecolor=face,  # type: ignore[arg-type]
                        markersize=5.5, linestyle="none", label=comparability.WAYS[way] if not place else None,
                    )  # fmt: skip
        axis.set_yticks([-place for place in range(len(rows))], [str(row["name"]) for row in rows], size=9)
        axis.set_ylim(-len(rows) + 0.4, 0.6)
        axis.set_xlim(left=-0.01)
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="both", color=LINE, linewidth=0.5)
        axis.set_axisbelow(True)
        axis.set_xlabel(f"absolute standardised difference (dashed: {threshold:g})")
        axis.legend(loc="lower right", frameon=True, framealpha=1.0, edgecolor=LINE, fontsize=9)
    return svg_text(
        canvas,
        "love",
        "Absolute standardised differences of each covariate, crude, with overlap weights and matched by score. The numbers are those "
        "of the table.",
    )
