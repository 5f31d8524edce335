"""The table of key numbers under each exposure rule."""

from __future__ import annotations

from analysis.analyses.hazard import ADJUSTED_METHOD, METHOD
from analysis.report import ratios, wording
from analysis.report.endings import MEDIAN_METHODS
from analysis.report.outcomes import POPULATION
from analysis.report.table import Column, Table
from analysis.report.view import Row, View

HAZARDS = {METHOD: "", ADJUSTED_METHOD: ", adjusted"}


def sensitivity(view: View) -> list[Row]:
    """The key numbers under each exposure rule, the primary one first."""
    rows: list[Row] = []
    for rule, label in view.rules.items():
        name = f"{label} (primary)" if rule == view.rule else label
        asked = {"exposure_rule": rule, "regimen_id": "all"}
        median = view.estimate(
            analysis="persistence",
            estimand="median_duration_months",
            population="first_episode",
            method=MEDIAN_METHODS[0],
            **asked,
        )
        rows.append(_key("Median duration of first combinations, months (Kaplan-Meier)", name, median, "months"))
        share = view.estimate(
            analysis="discontinuation", estimand="proportion", stratum="by=reason", level="adverse_event", **asked
        )
        rows.append(_key("First combinations stopped for an adverse event, %", name, share, "percent"))
        for outcome, outcome_label in view.outcomes.items():
            found = view.estimate(
                analysis="incidence",
                outcome_id=outcome,
                population=POPULATION,
                stratum="ladder=study_drugs",
                level=">=2",
                exposure_rule=rule,
            )
            rows.append(
                _key(
                    f"{outcome_label}: rate per 100 person-years with two or more study drugs at risk",
                    name,
                    found,
                    "rate",
                )
            )
        for contrast in ratios.odds_ratio_contrasts(view):
            by_method = ratios.level_estimates(view, contrast, ">=2", rule=rule)
            group = (
                f"{view.outcomes[contrast.outcome]}: odds ratio, {wording.LADDERS[contrast.ladder]}, two or more "
                f"against {wording.level_name(contrast.ladder, contrast.comparator_level)}"
            )
            rows.append(_key(group, name, ratios.spearhead(by_method), "ratio"))
        for contrast in view.spec.contrast:
            for method, way in HAZARDS.items() if contrast.estimator == "time_varying_cox" else ():
                found = view.estimate(
                    analysis="time_varying_hazard", estimand="hazard_ratio", outcome_id=contrast.outcome,
                    stratum="ladder=study_drugs", level=">=2", method=method, exposure_rule=rule,
                )  # fmt: skip
                group = f"{view.outcomes[contrast.outcome]}: hazard ratio, two or more against one study drug{way}"
                rows.append(_key(group, name, found, "ratio"))
    order = list(dict.fromkeys(str(row["group"]) for row in rows if row["is_asked"]))
    return sorted((row for row in rows if row["group"] in order), key=lambda row: order.index(str(row["group"])))


def _key(group: str, rule: str, found: Row | None, style: str) -> Row:
    return {
        "group": group,
        "rule": rule,
        "value": found,
        "style": style,
        "is_asked": found is not None,
        "method": found and wording.method_name(found["method"]),
        "persons": found and found["person_count"],
        "events": found and found["event_count"],
        "is_withheld": found is not None and found["status"] == "suppressed",
    }


TABLES = (
    Table(
        "sensitivity",
        "sensitivity",
        "Key numbers under each exposure rule",
        (
            Column("rule", "Exposure rule"),
            Column("method", "Method"),
            Column("persons", "Persons", "count"),
            Column("events", "Events", "count"),
            Column("value", "Value (limits)", "estimate"),
        ),
        sensitivity,
        "The rules differ in one setting each, as their label says; numbers that hold under all of them do not hang "
        "on that setting.",
        "No key number was estimated.",
    ),
)
