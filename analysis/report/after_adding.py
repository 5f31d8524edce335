"""Tables on what happens after a second drug is added: probabilities by a day, and infections that recur."""

from __future__ import annotations

from analysis.analyses import time_zero_groups
from analysis.analyses.time_zero import POPULATIONS
from analysis.analyses.time_zero_recurrent import AG_METHODS, PWP_METHOD
from analysis.analyses.time_zero_survival import WEIGHTED_METHOD
from analysis.report import wording
from analysis.report.comparability import FOLLOWED, NO_COMPARISON, asked
from analysis.report.table import Column, Table
from analysis.report.view import Row, View


def probability(view: View) -> list[Row]:
    """Probability of each outcome by the days that the study sets: crude, weighted, and the weighted difference."""
    rows: list[Row] = []
    for head, day, held in _by_day(view, ("cumulative_incidence", "risk_difference")):
        found = {
            (str(row["level"]), row["method"] == WEIGHTED_METHOD): row
            for row in held
            if row["estimand"] == "cumulative_incidence"
        }
        rows.append(
            {
                "group": head,
                "name": _day(day),
                "combination": found.get(("combination", False)),
                "one_drug": found.get(("one_drug", False)),
                "weighted_combination": found.get(("combination", True)),
                "weighted_one_drug": found.get(("one_drug", True)),
                "difference": _in_percent(next((row for row in held if row["estimand"] == "risk_difference"), None)),
            }
        )
    return rows


def recurrent(view: View) -> list[Row]:
    """Mean number of events by the days that the study sets, and under them the ratios of any and of the next event."""
    rows: list[Row] = []
    for head, day, held in _by_day(view, ("mean_cumulative_count",)):
        found = {str(row["level"]): row for row in held}
        rows.append(
            {
                "group": head,
                "name": f"mean number by {_day(day)}",
                "combination": found.get("combination"),
                "one_drug": found.get("one_drug"),
            }
        )
    names = {
        AG_METHODS["crude"]: "any event, crude (Andersen-Gill)",
        AG_METHODS["overlap"]: "any event, overlap weights (Andersen-Gill)",
        PWP_METHOD: "the next event, overlap weights (Prentice-Williams-Peterson)",
    }
    for head in dict.fromkeys(str(row["group"]) for row in rows):
        outcome, population = next(
            (outcome, population)
            for outcome in asked(view)
            for population in POPULATIONS
            if head == _head(view, outcome, population)
        )
        ratios = {
            str(row["method"]): row
            for row in view.estimates(
                analysis=time_zero_groups.ANALYSIS, estimand="hazard_ratio", outcome_id=outcome, population=population
            )
        }
        rows += [
            {"group": head, "name": name, "ratio": ratios[method]} for method, name in names.items() if method in ratios
        ]
    order = list(dict.fromkeys(str(row["group"]) for row in rows))
    return sorted(rows, key=lambda row: order.index(str(row["group"])))


def _by_day(view: View, estimands: tuple[str, ...]) -> list[tuple[str, int, list[Row]]]:
    """Heading, day and estimates of each outcome, kind of follow-up and day that has one with a value or a limit."""
    found = []
    for outcome in asked(view):
        for population in POPULATIONS:
            for day in view.spec.analysis.persistence_days:
                held = [
                    row
                    for row in view.estimates(
                        analysis=time_zero_groups.ANALYSIS, population=population, outcome_id=outcome, time_days=day
                    )
                    if row["estimand"] in estimands
                ]
                if any(row["status"] in ("ok", "limit_only", "gate_failed", "suppressed") for row in held):
                    found.append((_head(view, outcome, population), day, held))
    return found


def _head(view: View, outcome: str, population: str) -> str:
    return f"{view.outcomes[outcome]}, {FOLLOWED[population]}"


def _day(day: int) -> str:
    return f"day {day} ({day / wording.DAYS_PER_MONTH:.0f} months)"


def _in_percent(row: Row | None) -> Row | None:
    """A difference of probabilities in percentage points."""
    if row is None:
        return None
    return row | {part: None if row[part] is None else 100 * float(row[part]) for part in ("value", "lower", "upper")}  # type: ignore[arg-type]


TABLES = (
    Table(
        "time_zero_probability",
        "comparability",
        "Probability of the outcome after a second drug is added, and without",
        (
            Column("name", "By"),
            Column("combination", "Added, %", "percent"),
            Column("one_drug", "One drug, %", "percent"),
            Column("weighted_combination", "Added, weighted, %", "percent"),
            Column("weighted_one_drug", "One drug, weighted, %", "percent"),
            Column("difference", "Difference, weighted, points", "excess"),
        ),
        probability,
        "Aalen-Johansen with death competing, from the day on which the outcome's lag is over. Crude columns do not make the groups "
        "comparable; weighted ones take overlap weights, and so are about those who could have had either.",
        NO_COMPARISON,
    ),
    Table(
        "time_zero_recurrent",
        "comparability",
        "Infections that recur after a second drug is added, and without",
        (
            Column("name", "What"),
            Column("combination", "Drug added", "ratio"),
            Column("one_drug", "One drug", "ratio"),
            Column("ratio", "Hazard ratio (limits)", "ratio"),
        ),
        recurrent,
        "Mean number of events a person, death competing (Ghosh-Lin), crude. Ratios: of the rate of any event, and of the next event "
        "since the one before, which compares persons with as many events so far. Records within the outcome's episode gap are "
        "one event.",
        NO_COMPARISON,
        is_long=True,
    ),
)
