"""Omalizumab: who could be modelled, doses against the tables, free IgE on treatment and after the last dose.

Owns these tables of the section; those of symptoms are in `omalizumab_symptoms.py`, its figures in `omalizumab_figures.py`.
"""

from __future__ import annotations

from analysis.analyses.omalizumab import ANALYSIS, CLASSES, COUNTED, DRUG, EVERYBODY, MODELLED
from analysis.report.table import Column, Table
from analysis.report.view import Row, View

NOT_APPLICABLE = "Not applicable: nobody in the data has a dose of omalizumab."
TABLES_OF_DOSING = {"us_12plus": "US label, asthma from 12 years", "eu": "EU summary of product characteristics"}
CLASS_WORDS = {
    "as_table": "as the table says",
    "equal_four_week_dose": "another interval, the same in four weeks",
    "under": "less",
    "over": "more",
    "no_dose": "the table gives no dose for this IgE and weight",
    "off_table_ige": "IgE outside the table",
    "off_table_weight": "weight outside the table",
    "not_applicable": "dosed without IgE and weight (urticaria)",
    "not_assessable": "not assessable",
}
PARTS = {  # estimand -> heading, column
    "mean": ("On treatment, to four weeks after the last dose: mean share of days", "share"),
    "median_time_days": (
        "After the last dose, where none follows for eight weeks: median days until free IgE is again at",
        "days",
    ),
}


def is_applicable(view: View) -> bool:
    """Whether anybody has a dose."""
    return bool(view.estimates(analysis=ANALYSIS))


def standing(view: View) -> list[Row]:
    """Who could be modelled and why others could not."""
    rows = view.estimates(analysis=ANALYSIS, estimand="count", stratum="")
    order = {EVERYBODY: 0, MODELLED: 1}
    return [
        {"name": row["level"], "persons": row["person_count"], "is_withheld": row["status"] == "suppressed"}
        for row in sorted(rows, key=lambda row: (order.get(str(row["level"]), 2), str(row["level"])))
    ]


def doses(view: View) -> list[Row]:
    """Persons by class of their usual dose under each table."""
    rows: list[Row] = []
    for table, words in TABLES_OF_DOSING.items():
        for level in (*CLASSES, *COUNTED):
            found = view.estimate(analysis=ANALYSIS, regimen_id=DRUG, stratum=f"table={table}", level=level)
            if found is None:
                continue
            is_share = found["estimand"] == "proportion"
            rows.append(
                {
                    "group": words,
                    "name": CLASS_WORDS[level],
                    "persons": found["event_count"] if is_share else found["person_count"],
                    "share": found if is_share else None,
                    "is_withheld": found["status"] == "suppressed",
                }
            )
    return rows


def free_ige(view: View) -> list[Row]:
    """Free IgE on treatment and its rise after the last dose."""
    return [
        {
            "group": heading,
            "name": found["level"],
            "persons": found["person_count"],
            column: found,
            "is_withheld": found["status"] == "suppressed",
        }
        for estimand, (heading, column) in PARTS.items()
        for found in view.estimates(analysis=ANALYSIS, estimand=estimand)
    ]


TABLES = (
    Table(
        "omalizumab_standing",
        "omalizumab",
        "Who could be modelled",
        (Column("name", "Persons"), Column("persons", "Number", "count")),
        standing,
        "IgE counts only where it was measured before the day of the first dose: on treatment total IgE is several times higher and says "
        "nothing of free IgE. Outside the data behind the model: below 39 or above 150 kg, below 19 or above 1,055 IU/mL.",
        NOT_APPLICABLE,
    ),
    Table(
        "omalizumab_doses",
        "omalizumab",
        "The usual dose against the dosing tables",
        (
            Column("name", "Dose"),
            Column("persons", "Persons", "count"),
            Column("share", "% of those compared (limits)", "percent", is_optional=True),
        ),
        doses,
        "The median dose and the median of days between doses of each person, against the table for weight and IgE before treatment. A "
        "table is a rule of dosing and no truth of need; those dosed by another indication are not compared.",
        NOT_APPLICABLE,
    ),
    Table(
        "omalizumab_free_ige",
        "omalizumab",
        "Free IgE as the model gives it",
        (
            Column("name", "Free IgE"),
            Column("persons", "Persons", "count"),
            Column("share", "% (limits)", "percent", is_optional=True),
            Column("days", "Days (limits)", "days", is_optional=True),
        ),
        free_ige,
        "Modelled from doses, weight and IgE before treatment, not measured; limits are those of the persons seen, not of the model. The "
        "rise is Kaplan-Meier's, the end of observed time censoring.",
        NOT_APPLICABLE,
    ),
)  # fmt: skip
