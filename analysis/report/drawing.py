"""How a figure is drawn: style, size, and the SVG text that is the same for the same drawing.

Owns fonts, colours and the description that a screen reader speaks. What is drawn is in `figures.py` and the modules that it names.
"""

from __future__ import annotations

import io
import re

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

INK, MUTED, LINE, BLUE, ORANGE, PALE = "#1d2733", "#52606d", "#c3ccd5", "#1f5a94", "#b4500b", "#dbe7f3"
STYLE = {
    "svg.hashsalt": "coexposure",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "text.parse_math": False,
}


WIDTH = 8.6  # inches


FONTS = "'DejaVu Sans', Verdana, 'Segoe UI', sans-serif"


def svg_text(canvas: Canvas, name: str, description: str) -> tuple[str, str]:
    """The drawing without prolog, metadata and fixed size, its ids made unlike those of other figures on the page."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    text = text.replace("font-family: 'DejaVu Sans'", f"font-family: {FONTS}").replace(
        "'DejaVu Sans', sans-serif", FONTS
    )
    escaped = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", text, count=1)
    text = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", text, count=1)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{escaped}" ', 1)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n", description


def new_canvas(height: float, *, rows: int = 1, ratios: tuple[float, ...] = (1,)) -> tuple[Canvas, list[Axes]]:
    """A drawing of the report's width with one axis a row; height in inches."""
    canvas = Canvas(figsize=(WIDTH, height), layout="constrained")
    axes = canvas.subplots(rows, 1, squeeze=False, gridspec_kw={"height_ratios": ratios})
    return canvas, [axis[0] for axis in axes]
