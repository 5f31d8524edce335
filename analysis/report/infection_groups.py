"""Opportunistic infections by group, with the published predictive value of codes beside each.

Owns the table. Numbers come from `estimate.result`, predictive values from `reference.predictive_value`.
"""

from __future__ import annotations

from analysis.analyses import opportunistic_group
from analysis.analyses.ladder import LEVELS
from analysis.report import wording
from analysis.report.table import Column, Table
from analysis.report.view import Row, View, as_int


def infection_groups(view: View) -> list[Row]:
    """Groups of opportunistic infections with the published predictive value of codes for them."""
    held = sorted(
        view.rows("reference.infection_group"), key=lambda row: (as_int(row["group_number"]), str(row["component_id"]))
    )
    members: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    for row in held:
        members.setdefault(str(row["group_id"]), []).append(str(row["component_id"]))
        labels[str(row["group_id"])] = str(row["label"])
    rows: list[Row] = []
    for outcome in view.outcomes:
        for group, names in members.items():
            whole = _group(view, outcome, opportunistic_group.group_stratum(group), "")
            if whole is None:
                continue
            ladder = opportunistic_group.group_stratum(group, "toruner")
            rows.append(
                {
                    "group": view.outcomes[outcome],
                    "name": labels[group],
                    "events": whole["event_count"],
                    "rate": whole,
                    **{f"rate_{level}": _group(view, outcome, ladder, level) for level in LEVELS},
                    "ppv": _predictive(view, names),
                    "is_withheld": whole["status"] == "suppressed",
                }
            )
    return rows


def _group(view: View, outcome: str, where: str, level: str) -> Row | None:
    return view.estimate(analysis=opportunistic_group.ANALYSIS, outcome_id=outcome, stratum=where, level=level)


def _predictive(view: View, names: list[str]) -> str:
    found = [row for row in view.rows("reference.predictive_value") if row["outcome_id"] in names]
    return (
        "; ".join(
            f"{100 * float(str(row['ppv_low'])):.0f}{wording.DASH}{100 * float(str(row['ppv_high'])):.0f}{wording.THIN}% ({row['source']}, "
            f"{row['review_status']})"
            for row in found
        )
        or "none published to us"
    )


TABLES = (
    Table(
        "infection_groups", "adverse_events", "Opportunistic infections by group",
        (
            Column("name", "Group"), Column("events", "First infections", "count"),
            Column("rate", "Per 100 person-years (limits)", "rate"),
            Column("rate_0", "with no class of the Toruner ladder", "rate", is_optional=True),
            Column("rate_1", "with one", "rate", is_optional=True),
            Column("rate_>=2", "with two or more", "rate", is_optional=True),
            Column("ppv", "Published share of codes that were right", "sentence"),
        ),
        infection_groups,
        "A group is followed to the first record of any of its members, so that a person may count in several. The published share is of "
        "other sources and algorithms: of what codes call Pneumocystis or a mycobacterium, a half or less may be one.",
        "The study does not ask for opportunistic infection.", is_long=True,
    ),
)  # fmt: skip
