"""Time from dose to reaction: its bins with their figure, and what policies of observation would have seen.

Owns these tables and the figure. Numbers come from `estimate.result`; who reacted after which dose is in `reactions.py`.
"""

from __future__ import annotations

import matplotlib as mpl

from analysis.analyses import reaction_latency as latency
from analysis.analyses import reactions
from analysis.report import wording
from analysis.report.drawing import BLUE, LINE, MUTED, ORANGE, STYLE, new_canvas, svg_text
from analysis.report.reactions import drug_name, outcomes_of, pairs
from analysis.report.table import Column, Table
from analysis.report.view import Row, View

NO_REACTION = "No reaction is attributed to a dose."
BINS = (
    "to 30 min", "30 to 60 min", "60 to 90 min", "90 to 120 min", "2 to 6 h", "6 to 12 h", "12 to 24 h",
)  # fmt: skip
LATE_BINS = BINS[2:]


def _latency(view: View, outcome: str, estimand: str, drug: str, level: str) -> Row | None:
    return view.estimate(
        analysis=latency.ANALYSIS, estimand=estimand, outcome_id=outcome, stratum=reactions.stratum(drug=drug), level=level
    )  # fmt: skip


def latencies(view: View) -> list[Row]:
    """Bins of the time from dose to reaction, in all and by drug with a reaction; the share later than an hour last."""
    rows: list[Row] = []
    for outcome in outcomes_of(view):
        drugs = {
            pairs(row).get("drug", reactions.ALL)
            for row in view.estimates(analysis=latency.ANALYSIS, outcome_id=outcome, level=latency.LATE)
        }
        for drug in sorted(drugs, key=lambda name: (name != reactions.ALL, name)):
            late = _latency(view, outcome, "proportion", drug, latency.LATE)
            if late is None or (drug != reactions.ALL and late["status"] == "not_estimable"):
                continue
            known, unknown = (
                _latency(view, outcome, "count", drug, level) for level in (latency.KNOWN, latency.NOT_KNOWN)
            )
            told = (
                ""
                if known is None or unknown is None or known["value"] is None or unknown["value"] is None
                else f" (time known of {wording.count(known['value'])}, not known of {wording.count(unknown['value'])})"
            )
            group = f"{view.outcomes[outcome]}: {drug_name(view, drug)}{told}"
            for level in (*BINS, latency.LATE):
                found = _latency(view, outcome, "proportion", drug, level)
                if found is not None:
                    rows.append(
                        {
                            "group": group, "name": level, "reactions": found["event_count"], "share": found,
                            "is_total": level == latency.LATE, "is_withheld": found["status"] == "suppressed",
                        }
                    )  # fmt: skip
    return rows


def policies(view: View) -> list[Row]:
    """What each policy of observation would have seen."""
    words: dict[str, Row] = {}
    for row in view.rows("reference.observation_policy"):
        words.setdefault(str(row["policy_id"]), row)
    return [
        {
            "group": f"{view.outcomes[outcome]}: {view.regimen(row['drug_id'])}",
            "name": row["label"],
            "source": row["source"],
            **{
                column: view.estimate(
                    analysis=latency.ANALYSIS,
                    outcome_id=outcome,
                    stratum=reactions.stratum(drug=str(row["drug_id"]), policy=policy),
                    level=level,
                )
                for column, level in (("seen", latency.CAPTURED), ("supervised", latency.SUPERVISED))
            },
        }
        for outcome in outcomes_of(view)
        for policy, row in words.items()
        if view.estimates(
            analysis=latency.ANALYSIS,
            outcome_id=outcome,
            stratum=reactions.stratum(drug=str(row["drug_id"]), policy=policy),
        )
    ]


def figure(view: View) -> tuple[str, str] | None:
    """Shares of the bins of latency with their limits, of all doses and the first outcome that has any."""
    for outcome in outcomes_of(view):
        found = [(name, _latency(view, outcome, "proportion", reactions.ALL, name)) for name in BINS]
        shown = [(name, row) for name, row in found if row is not None and row["status"] == "ok"]
        if len(shown) == len(BINS):
            break
    else:
        return None
    late = _latency(view, outcome, "proportion", reactions.ALL, latency.LATE)
    with mpl.rc_context(STYLE):
        canvas, (axis,) = new_canvas(3.2)
        for place, (name, row) in enumerate(shown):
            value, lower, upper = (100 * float(str(row[part])) for part in ("value", "lower", "upper"))
            axis.barh(place, value, color=ORANGE if name in LATE_BINS else BLUE, alpha=0.35, height=0.62)
            axis.plot([lower, upper], [place, place], color=MUTED, linewidth=1.2)
            axis.plot([value], [place], marker="o", color=ORANGE if name in LATE_BINS else BLUE, markersize=5)
        axis.set_yticks(range(len(shown)), [name + (" (late)" if name in LATE_BINS else "") for name, _ in shown])
        axis.invert_yaxis()
        axis.set_xlim(left=0)
        axis.grid(axis="x", color=LINE, linewidth=0.6)
        axis.set_xlabel(f"% of reactions with known time: {view.outcomes[outcome]}")
    said = (
        "" if late is None or late["status"] != "ok" else f" Later than an hour: {wording.in_words(late, 'percent')}."
    )
    return svg_text(
        canvas, "reaction_latency",
        f"Shares of reactions by time from dose to onset, with exact limits, bins later than an hour marked.{said}",
    )  # fmt: skip


TABLES = (
    Table(
        "reaction_latency",
        "reactions",
        "Time from dose to reaction",
        (
            Column("name", "Time"), Column("reactions", "Reactions", "count"),
            Column("share", "% of those with known time (limits)", "percent"),
        ),
        latencies,
        "A reaction with a date only has no known time and is not counted as early. Where late reactions more often come with a date "
        "only, the share later than an hour is too small.",
        NO_REACTION,
        is_long=True,
    ),
    Table(
        "reaction_policy",
        "reactions",
        "What observation after the dose would have seen",
        (
            Column("name", "Policy"),
            Column("seen", "% of reactions within the time (limits)", "percent"),
            Column("supervised", "% at doses in a health-care setting (limits)", "percent"),
            Column("source", "Source", "sentence"),
        ),
        policies,
        "Of reactions with known time and known number of the dose. What a policy would have seen is not what was observed here.",
        "Not assessable: the drug of these policies was not administered, or times are not known.",
    ),
)  # fmt: skip
