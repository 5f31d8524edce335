"""Tables on outcomes: incidence, ladders of odds ratios with the literature beside them, hazard ratio, sensitivity."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.report import wording
from analysis.report.table import Column, Table
from analysis.report.view import Row, View, as_int, total

SHOWN_REGIMENS = 10
LEVELS = ("0", "1", ">=2")
LADDERS = ("study_drugs", "toruner", "broad")
POPULATION = "all_time"
NO_OUTCOME_TABLE = (
    "The source has neither adverse events nor diagnoses, so that no outcome can be assessed. This is not a zero: "
    "nothing is known."
)


def incidence_by_level(view: View) -> list[Row]:
    """First outcomes, time at risk and rate by number of study drugs and ladder level.

    A ladder on which everybody stays at level 0 says nothing that the line of everybody does not, and is left out.
    """
    rows: list[Row] = []
    for outcome, label in view.outcomes.items():
        asked = {"analysis": "incidence", "outcome_id": outcome, "population": POPULATION, "regimen_id": ""}
        if whole := view.estimate(**{**asked, "stratum": ""}):
            rows.append(_rate_row(whole, label, "everybody at risk") | {"is_total": True})
        for ladder in LADDERS:
            group = f"{label}: by {wording.LADDERS[ladder]}"
            stratum = {**asked, "stratum": f"ladder={ladder}"}
            rungs = [(level, found) for level in LEVELS if (found := view.estimate(**{**stratum, "level": level}))]
            if [level for level, _ in rungs] != ["0"]:
                rows += [_rate_row(found, group, wording.level_name(ladder, level)) for level, found in rungs]
    return rows


def _rate_row(found: Row, group: str, name: str) -> Row:
    return {
        "group": group,
        "name": name,
        "persons": found["person_count"],
        "time": found["person_days"],
        "events": found["event_count"],
        "rate": found,
        "is_withheld": found["status"] != "not_assessable",
    }


def incidence_by_regimen(view: View) -> list[Row]:
    """First outcomes, time at risk and rate by regimen at risk, the rarer regimens counted together."""
    rows: list[Row] = []
    for outcome, label in view.outcomes.items():
        found = view.estimates(analysis="incidence", outcome_id=outcome, population=POPULATION, stratum="")
        found = [row for row in found if row["regimen_id"]]
        for kind, members in _kinds(found):
            order = sorted(members, key=lambda row: (-as_int(row["person_days"]), str(row["regimen_id"])))
            cut = len(order) if len(order) <= SHOWN_REGIMENS + 1 else SHOWN_REGIMENS
            rows += [_rate_row(row, f"{label}: {kind}", view.regimen(row["regimen_id"])) for row in order[:cut]]
            if rest := order[cut:]:
                events, days = total(row["event_count"] for row in rest), total(row["person_days"] for row in rest)
                rows.append(
                    {
                        "group": f"{label}: {kind}",
                        "name": f"other ({len(rest)} regimens; rates in estimates.csv)",
                        "time": days,
                        "events": events,
                        "is_withheld": events is None or days is None,
                    }
                )
    return rows


def _kinds(found: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    yield "no study drug at risk", [row for row in found if row["regimen_id"] == "none"]
    yield (
        "one study drug at risk",
        [row for row in found if row["regimen_id"] != "none" and "+" not in str(row["regimen_id"])],
    )
    yield "two or more study drugs at risk", [row for row in found if "+" in str(row["regimen_id"])]


def has_several_datings(view: View) -> bool:
    """Whether outcomes of the study are dated by different rules."""
    return len({outcome.date_rule for outcome in view.spec.outcome}) > 1


def dating(view: View) -> list[Row]:
    """Rates by number of study drugs, the outcomes of each dating side by side."""
    if not has_several_datings(view):
        return []
    rows: list[Row] = []
    rules = {outcome.id: outcome.date_rule for outcome in view.spec.outcome}
    for level in LEVELS:
        for outcome, label in view.outcomes.items():
            found = view.estimate(
                analysis="incidence",
                outcome_id=outcome,
                population=POPULATION,
                stratum="ladder=study_drugs",
                level=level,
            )
            if found:
                group = wording.level_name("study_drugs", level)
                rows.append(_rate_row(found, group, label) | {"dated": wording.plain(rules[outcome])})
    return rows


RATE_COLUMNS = (
    Column("persons", "Persons", "count"),
    Column("time", "Person-years", "person_years"),
    Column("events", "First events", "count"),
    Column("rate", "Per 100 person-years (exact limits)", "rate"),
)

TABLES = (
    Table(
        "incidence_by_level",
        "outcomes",
        "Incidence by level of exposure",
        (Column("name", "At risk"), *RATE_COLUMNS),
        incidence_by_level,
        "Cohort from entry to the first outcome; a day belongs to the drugs covered or in their risk tail on it, "
        "lagged as the methods say. A level on which nobody spent time has no line. Rates are crude.",
        NO_OUTCOME_TABLE,
    ),
    Table(
        "outcome_dating",
        "outcomes",
        "The same outcome under each dating",
        (Column("name", "Outcome"), Column("dated", "Dated by"), *RATE_COLUMNS),
        dating,
        "The same diagnoses under different dates. Where the lines of a group differ much, the date decides the "
        "result.",
        "All outcomes of the study are dated by one rule.",
    ),
    Table(
        "incidence_by_regimen",
        "outcomes",
        "Incidence by regimen at risk",
        (Column("name", "Regimen"), *RATE_COLUMNS),
        incidence_by_regimen,
        "Crude rates; the people on different regimens differ in illness, age and other treatment.",
        NO_OUTCOME_TABLE,
    ),
)
