"""Table on drug classes: each against no such class in matched sets, alone and with the other classes held equal."""

from __future__ import annotations

from analysis.analyses.drug_class import ALONE, ANALYSIS, MUTUAL
from analysis.analyses.matched_exact import METHOD as EXACT
from analysis.report import ratios
from analysis.report.matched import matched_contrasts
from analysis.report.table import Column, Table
from analysis.report.view import Row, View, as_int

NO_CLASS = "No member of a matched set was on a drug class on the index date."


def classes(view: View) -> list[Row]:
    """Odds ratios of each class under the primary rule by outcome, the class with most cases first."""
    rows: list[Row] = []
    for outcome in dict.fromkeys(contrast.outcome for contrast in matched_contrasts(view)):
        held = [row for row in view.estimates(analysis=ANALYSIS, outcome_id=outcome) if row["level"]]
        found: list[Row] = []
        for name in dict.fromkeys(str(row["level"]) for row in held):
            by_method = {str(row["method"]): row for row in held if row["level"] == name}
            first = next(iter(by_method.values()))
            literature = _literature(view, outcome, name)
            found.append(
                {
                    "group": view.outcomes[outcome],
                    "name": name,
                    "cases": first["event_count"],
                    "persons": first["person_count"],
                    "alone": by_method.get(ALONE, by_method.get(EXACT)),
                    "mutual": by_method.get(MUTUAL),
                    "literature": literature and ratios.literature_text(literature),
                    "is_withheld": first["status"] == "suppressed",
                }
            )
        rows += sorted(found, key=lambda row: (-as_int(row["cases"]), str(row["name"])))
    return rows


def _literature(view: View, outcome: str, name: str) -> Row | None:
    if not view.spec.report.benchmarks:
        return None
    found = view.rows("reference.benchmark", estimand="odds_ratio", outcome_id=outcome, level=name)
    return next((row for row in found if row["value"] is not None), None)


TABLES = (
    Table(
        "class_odds_ratio",
        "outcomes",
        "Drug classes, from matched sets",
        (
            Column("name", "Class at risk on the index date"),
            Column("cases", "Cases on it", "count"),
            Column("persons", "Persons on it", "count"),
            Column("alone", "Against no such class", "ratio"),
            Column("mutual", "The same, other classes held equal", "ratio"),
            Column("literature", "Literature (limits)", "literature", is_optional=True),
        ),
        classes,
        "Classes of study and background drugs. Held equal: every class with enough cases and controls, in one model; a rarer class has "
        "the exact odds ratio by itself only. Who gets which class hangs on disease and severity; nothing but the matching is held "
        "equal besides. Limits are not adjusted for the number of classes, and do not make a ranking. The literature is univariate.",
        NO_CLASS,
        is_long=True,
    ),
)
