"""The figures of the omalizumab section: around the last dose, the loop of symptoms and free IgE, and free IgE by class of dose."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
from matplotlib.axes import Axes

from analysis.pkpd.response import NON_RESPONDER, RESPONDER
from analysis.report.drawing import BLUE, LINE, MUTED, ORANGE, STYLE, new_canvas, svg_text
from analysis.report.omalizumab import CLASS_WORDS, TABLES_OF_DOSING
from analysis.report.omalizumab_symptoms import INSTRUMENTS
from analysis.report.view import Row, View

QUANTITIES = {
    "omalizumab_ug_per_ml": "omalizumab, µg/mL",
    "free_ige_ng_per_ml": "free IgE, ng/mL",
    "total_ige_ng_per_ml": "total IgE, ng/mL",
}
_COLOURS = {RESPONDER: BLUE, NON_RESPONDER: ORANGE}
_WORDS = {RESPONDER: "responders", NON_RESPONDER: "non-responders"}
_FEWEST_PERSONS = 5  # a median of fewer is a person's
_BIN_MIDDLE = 14  # of 28 days
_SHOWN_CLASSES = {"as_table": BLUE, "under": ORANGE, "over": MUTED}


def _numbers(rows: list[Row], *names: str) -> list[list[float]]:
    return [[float(str(row[name])) for row in rows] for name in names]


def around_withdrawal(view: View) -> tuple[str, str] | None:
    """Median and middle 80 % of persons: omalizumab, free and total IgE, and scores, by day from the last dose."""
    rows = view.rows("pkpd.around_withdrawal")
    if not rows:
        return None
    scores = _courses(view, "last_dose")
    count = len(QUANTITIES) + bool(scores)
    with mpl.rc_context(STYLE):
        canvas, axes = new_canvas(2.3 * count, rows=count, ratios=(1,) * count)
        for axis, (quantity, words) in zip(axes, QUANTITIES.items(), strict=False):
            _level(axis, [row for row in rows if row["quantity"] == quantity], words)
        _mark_fifty(axes[1])
        if scores:
            _scores(axes[-1], scores)
        for axis in axes:
            axis.axvline(0, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
            axis.grid(axis="y", color=LINE, linewidth=0.6)
            axis.set_xlim(-116, 172)
        axes[-1].set_xlabel("days from the last dose")
    shown = [row for row in rows if row["quantity"] == "free_ige_ng_per_ml" and row["persons"] == "typical"]
    before = next((row for row in shown if int(str(row["day"])) == 0), shown[0])
    last = shown[-1]
    return svg_text(
        canvas,
        "around_withdrawal",
        f"Modelled omalizumab, free and total IgE from 112 days before the last dose to 168 days after it, median and middle 80 % of "
        f"{before['person_count']} persons on the day of the last dose and of {last['person_count']} still followed on day {last['day']}; "
        f"broken lines: the middle 80 % where persons differ as the model's authors found. On the day of the last dose free IgE is "
        f"{float(str(before['median'])):.0f} ng/mL."
        + (" Below, scores of those who stopped, in four-week bins." if scores else ""),
    )


def _level(axis: Axes, rows: list[Row], words: str) -> None:
    typical, individual = (
        sorted((row for row in rows if row["persons"] == kind), key=lambda row: int(str(row["day"])))
        for kind in ("typical", "individual")
    )
    days, lower, median, upper = _numbers(typical, "day", "lower", "median", "upper")
    axis.fill_between(days, lower, upper, color=BLUE, alpha=0.18, linewidth=0)
    axis.plot(days, median, color=BLUE, linewidth=1.6)
    top = max(upper)
    if individual:
        days, lower, upper = _numbers(individual, "day", "lower", "upper")
        for line in (lower, upper):
            axis.plot(days, line, color=BLUE, linewidth=0.9, linestyle=(0, (3, 2)))
        top = max(top, *upper)
    axis.set_ylabel(words)
    if words.startswith("free"):
        axis.set_yscale("log")  # a tenth of what it is before treatment would lie on the axis
        axis.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axis.set_ylim(0, 1.05 * top)


def _mark_fifty(axis: Axes) -> None:
    axis.axhline(50, color=ORANGE, linewidth=1.0, linestyle=(0, (2, 2)))
    axis.text(-114, 50, "50 ng/mL", va="bottom", ha="left", color=ORANGE, size=9)


def _courses(view: View, since: str) -> dict[str, list[Row]]:
    """Bins of the first instrument by response, with five persons or more."""
    rows = [
        row for row in view.rows("pkpd.symptom_course", since=since) if int(str(row["person_count"])) >= _FEWEST_PERSONS
    ]
    first = min((str(row["instrument_id"]) for row in rows), default="")
    found = {
        response: sorted(
            (row for row in rows if row["instrument_id"] == first and row["response"] == response),
            key=lambda row: int(str(row["day"])),
        )
        for response in _COLOURS
    }
    return {response: held for response, held in found.items() if held}


def _scores(axis: Axes, courses: dict[str, list[Row]]) -> None:
    for response, rows in courses.items():
        days, lower, median, upper = _numbers(rows, "day", "lower", "median", "upper")
        middle = [day + _BIN_MIDDLE for day in days]
        axis.fill_between(middle, lower, upper, color=_COLOURS[response], alpha=0.14, linewidth=0)
        axis.plot(
            middle, median, color=_COLOURS[response], linewidth=1.6, marker="o", markersize=3.5, label=_WORDS[response]
        )
    instrument = str(next(iter(courses.values()))[0]["instrument_id"])
    axis.set_ylabel(INSTRUMENTS.get(instrument, instrument).split(",")[0])
    axis.legend(frameon=False, loc="best", fontsize=9)


def loop(view: View) -> tuple[str, str] | None:
    """Median score against median free IgE: on treatment from the first dose, and from the last dose on."""
    begun, stopped = _courses(view, "first_dose"), _courses(view, "last_dose")
    if RESPONDER not in begun or RESPONDER not in stopped:
        return None
    with mpl.rc_context(STYLE):
        canvas, (axis,) = new_canvas(4.2)
        for response, colour in _COLOURS.items():
            down = begun.get(response, [])
            up = [row for row in stopped.get(response, []) if int(str(row["day"])) >= 0]
            for rows, style, said in ((down, "-", "from the first dose"), (up, (0, (4, 2)), "from the last dose")):
                if len(rows) < 2:
                    continue
                free, score = _numbers(rows, "free_ige_ng_per_ml", "median")
                axis.plot(
                    free, score, color=colour, linestyle=style, linewidth=1.5, marker="o", markersize=3.5,
                    label=f"{_WORDS[response]}, {said}",
                )  # fmt: skip
                for (x, y), (to_x, to_y) in list(pairwise(zip(free, score, strict=True)))[::3]:
                    axis.annotate("", xy=(to_x, to_y), xytext=(x, y), arrowprops={"arrowstyle": "->", "color": colour})
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_xlabel("modelled free IgE on the days of the scores, ng/mL (logarithmic)")
        instrument = str(begun[RESPONDER][0]["instrument_id"])
        axis.set_ylabel(INSTRUMENTS.get(instrument, instrument).split(",")[0])
        axis.grid(color=LINE, linewidth=0.6)
        axis.legend(frameon=False, fontsize=9, loc="best")
    persons = begun[RESPONDER][0]["person_count"]
    return svg_text(
        canvas,
        "symptom_loop",
        f"Median score against median modelled free IgE in four-week bins, from before the first dose on treatment and after the last; "
        f"{persons} responders in the first bin. Where the two ways lie apart, symptoms lag behind free IgE.",
    )


def by_class(view: View) -> tuple[str, str] | None:
    """Free IgE in the first 28 weeks by class of the usual dose under each table: median and middle 80 % of persons."""
    rows = [
        row
        for row in view.rows("pkpd.class_course")
        if row["dose_class"] in _SHOWN_CLASSES
        and int(str(row["person_count"])) >= _FEWEST_PERSONS
        and int(str(row["day"])) > 0
    ]
    tables = [name for name in TABLES_OF_DOSING if any(row["table_name"] == name for row in rows)]
    if not tables:
        return None
    with mpl.rc_context(STYLE):
        canvas, axes = new_canvas(2.9 * len(tables), rows=len(tables), ratios=(1,) * len(tables))
        for axis, table in zip(axes, tables, strict=True):
            top = 60.0
            for name, colour in _SHOWN_CLASSES.items():
                held = sorted(
                    (row for row in rows if row["table_name"] == table and row["dose_class"] == name),
                    key=lambda row: int(str(row["day"])),
                )
                if not held:
                    continue
                days, lower, median, upper = _numbers(held, "day", "lower", "median", "upper")
                top = max(top, *upper)
                axis.fill_between(days, lower, upper, color=colour, alpha=0.14, linewidth=0)
                axis.plot(
                    days,
                    median,
                    color=colour,
                    linewidth=1.6,
                    label=f"{CLASS_WORDS[name]} ({held[0]['person_count']} persons)",
                )
            axis.axhline(50, color=ORANGE, linewidth=1.0, linestyle=(0, (2, 2)))
            axis.set_ylim(0, 1.05 * top)
            axis.set_xlim(0, 200)
            axis.set_ylabel("free IgE, ng/mL")
            axis.set_title(TABLES_OF_DOSING[table], loc="left", size=10)
            axis.grid(axis="y", color=LINE, linewidth=0.6)
            axis.legend(frameon=False, fontsize=9, loc="upper right")
        axes[-1].set_xlabel("days from the first dose")
    return svg_text(
        canvas,
        "free_ige_by_class",
        "Modelled free IgE on treatment by how the usual dose compares with the dosing table, median and middle 80 % of persons, before a "
        "dose of the day; the broken line is 50 ng/mL.",
    )
