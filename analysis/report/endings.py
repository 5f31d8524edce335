"""Tables on how long combinations last and why they end."""

from __future__ import annotations

from analysis.report import wording
from analysis.report.people import NO_COMBINATION
from analysis.report.table import Column, Table
from analysis.report.view import Row, View, as_int, total

SHOWN_PAIRS = 15
POPULATIONS = ("first_episode", "reached_min_overlap")
MEDIAN_METHODS = ("kaplan_meier_log_log", "naive_order_statistic")
LONGEST_METHOD = "longest_recorded"


def duration(view: View) -> list[Row]:
    """Median duration of first combinations, by population and method."""
    rows: list[Row] = []
    for population in POPULATIONS:
        for method in (*MEDIAN_METHODS, LONGEST_METHOD):
            found = view.estimate(
                analysis="persistence",
                estimand="median_duration_months",
                regimen_id="all",
                population=population,
                method=method,
            )
            if found:
                rows.append(_median_row(found, wording.POPULATIONS[population], wording.method_name(method)))
    return rows


def _median_row(found: Row, group: str, name: str) -> Row:
    return {
        "group": group,
        "name": name,
        "persons": found["person_count"],
        "ended": found["event_count"],
        "median": found,
        "time": found["person_days"],
        "is_withheld": found["event_count"] is None or found["person_count"] is None,
    }


def duration_by_pair(view: View) -> list[Row]:
    """Median duration of each pair's first combinations, the most frequent pairs first."""
    found = [
        row
        for row in view.estimates(
            analysis="persistence",
            estimand="median_duration_months",
            population="first_episode",
            method=MEDIAN_METHODS[0],
            stratum="",
        )
        if row["regimen_id"] != "all"
    ]
    order = sorted(found, key=lambda row: (-as_int(row["person_count"]), str(row["regimen_id"])))
    return [_median_row(row, "", view.regimen(row["regimen_id"])) for row in order[:SHOWN_PAIRS]]


def persistence(view: View) -> list[Row]:
    """Share still on the combination at the days that the study sets."""
    rows: list[Row] = []
    for population in POPULATIONS:
        for day in view.spec.analysis.persistence_days:
            found = view.estimate(
                analysis="persistence", estimand="survival", regimen_id="all", population=population, time_days=day
            )
            if found:
                rows.append(
                    {
                        "group": wording.POPULATIONS[population],
                        "day": f"day {day} ({day / wording.DAYS_PER_MONTH:.0f} months)",
                        "at_risk": found["person_count"],
                        "ended": found["event_count"],
                        "share": found,
                        "mean": view.estimate(
                            analysis="persistence",
                            estimand="rmst_days",
                            regimen_id="all",
                            population=population,
                            time_days=day,
                        ),
                        "is_withheld": found["status"] == "suppressed",
                    }
                )
    return rows


def components(view: View) -> list[Row]:
    """How long each drug of first pairs goes on from the first day of the pair."""
    rows: list[Row] = []
    names = {
        "first_started": "the drug started first", "second_started": "the drug started second",
        "started_together": "two started on one day, each",
    }  # fmt: skip
    for component, name in names.items():
        asked = {"analysis": "persistence", "regimen_id": "all", "stratum": f"component={component}"}
        median = view.estimate(estimand="median_duration_months", **asked)
        if median:
            year = view.spec.analysis.persistence_days[min(1, len(view.spec.analysis.persistence_days) - 1)]
            rows.append(
                {
                    "name": name,
                    "persons": median["person_count"],
                    "ended": median["event_count"],
                    "median": median,
                    "share": view.estimate(estimand="survival", time_days=year, **asked),
                    "is_withheld": median["status"] == "suppressed",
                }
            )
    return rows


def by_cause(view: View) -> list[Row]:
    """Probability of each ending by the days that the study sets: competing risks, first combinations from their first day."""
    rows: list[Row] = []
    names = wording.REASONS | wording.COMPONENTS
    heads = {"by=reason": "by recorded reason", "by=component": "by the component that stopped"}
    for stratum, head in heads.items():
        asked = {"analysis": "ending_incidence", "regimen_id": "all", "population": "first_episode", "stratum": stratum}
        for day in view.spec.analysis.persistence_days:
            found = {str(row["level"]): row for row in view.estimates(**asked, time_days=day)}
            order = [name for name in names if name in found] + sorted(set(found) - set(names))
            rows += [
                {
                    "group": f"By day {day} ({day / wording.DAYS_PER_MONTH:.0f} months), {head}",
                    "name": names.get(level, wording.plain(level)),
                    "ended": found[level]["event_count"],
                    "share": found[level],
                    "is_withheld": found[level]["status"] == "suppressed" or found[level]["event_count"] is None,
                }
                for level in order
            ]
    return rows


def discontinuation(view: View) -> list[Row]:
    """How first combinations ended: in all, by reason and by component, with shares and rates."""
    rows: list[Row] = []
    unknown, stops = stops_for(view, reason="unknown"), all_stops(view)
    missing = ""
    if unknown and stops and unknown["event_count"] and stops["event_count"]:
        counts = f"{wording.count(unknown['event_count'])} of {wording.count(stops['event_count'])}"
        missing = f" (not recorded for {counts} stops)"
    heads = {
        "": "How they ended",
        "by=ending": "How they ended",
        "by=reason": f"Stops by recorded reason{missing}",
        "by=component": "Stops by component",
    }
    names = wording.REASONS | wording.COMPONENTS | {"": "stopped, any reason"}
    for stratum, group in heads.items():
        asked = {"analysis": "discontinuation", "regimen_id": "all", "stratum": stratum}
        shares = {str(row["level"]): row for row in view.estimates(estimand="proportion", **asked)}
        rates = {str(row["level"]): row for row in view.estimates(estimand="incidence_rate_per_100py", **asked)}
        order = [name for name in names if name in shares] + sorted(set(shares) - set(names))
        for level in order:
            share = shares[level]
            rows.append(
                {
                    "group": group,
                    "name": names.get(level, wording.plain(level)),
                    "stops": share["event_count"],
                    "persons": share["person_count"],
                    "share": share,
                    "rate": rates.get(level),
                    "is_withheld": share["status"] == "suppressed",
                }
            )
        if stratum == "by=ending" and rows:
            rows.append(
                {
                    "group": group,
                    "name": "ongoing at the end of follow-up",
                    "stops": ongoing(view),
                    "persons": rows[0]["persons"],
                    "is_withheld": ongoing(view) is None,
                }
            )
    return rows


def ongoing(view: View) -> int | None:
    """First combinations whose end was not seen."""
    found = view.rows("summary.ending_count", exposure_rule=view.rule, regimen_id="all", ending="censored")
    return total(row["person_count"] for row in found)


def stops_for(view: View, *, reason: str) -> Row | None:
    """Share of first combinations stopped for a reason."""
    return view.estimate(
        analysis="discontinuation", estimand="proportion", regimen_id="all", stratum="by=reason", level=reason
    )


def all_stops(view: View) -> Row | None:
    """Share of first combinations that were stopped at all."""
    return view.estimate(analysis="discontinuation", estimand="proportion", regimen_id="all")


TABLES = (
    Table(
        "duration",
        "exposure",
        "Duration of first combinations",
        (
            Column("name", "Duration by"),
            Column("persons", "Persons", "count"),
            Column("ended", "Ended", "count"),
            Column("time", "Person-years", "person_years"),
            Column("median", "Months (limits)", "months"),
        ),
        duration,
        "The naive median counts ongoing combinations as ended and so is too short; it stands here because the "
        "literature reports it, as it does the longest: a record that grows with follow-up and the number of persons, a lower bound where "
        "it was still going on (its persons: those who lasted so long). Ended: stop of either drug, or death.",
        NO_COMBINATION,
    ),
    Table(
        "duration_by_pair",
        "exposure",
        "Duration by pair, every first combination of the pair",
        (
            Column("name", "Pair"),
            Column("persons", "Persons", "count"),
            Column("ended", "Ended", "count"),
            Column("time", "Person-years", "person_years"),
            Column("median", "Kaplan-Meier median, months (limits)", "months"),
        ),
        duration_by_pair,
        f"At most {SHOWN_PAIRS} pairs, by number of persons; all are in estimates.csv. A person may have several "
        "pairs.",
        NO_COMBINATION,
    ),
    Table(
        "persistence",
        "exposure",
        "Share still on the combination",
        (
            Column("day", "Day"),
            Column("at_risk", "At risk", "count"),
            Column("ended", "Ended so far", "count"),
            Column("share", "Share, % (limits)", "percent"),
            Column("mean", "Mean days so far (limits)", "days", is_optional=True),
        ),
        persistence,
        "Kaplan-Meier, follow-up as treated; ongoing combinations are censored. Mean days: on the combination up to that day (restricted "
        "mean), which unlike the median is there however few have ended.",
        NO_COMBINATION,
    ),
    Table(
        "component_persistence",
        "exposure",
        "How long each drug of first combinations goes on, from the first day together",
        (
            Column("name", "Drug"),
            Column("persons", "Persons", "count"),
            Column("ended", "Ended", "count"),
            Column("median", "Median, months (limits)", "months"),
            Column("share", "Still on it by the second day of the table above, % (limits)", "percent"),
        ),
        components,
        "Kaplan-Meier of each drug's own use, whatever becomes of the other. The drug started first has already been kept until the second "
        "was added.",
        NO_COMBINATION,
    ),
    Table(
        "ending_incidence",
        "discontinuation",
        "Probability of each ending",
        (
            Column("name", "Ending"),
            Column("ended", "Ended so", "count"),
            Column("share", "Probability, % (limits)", "percent"),
        ),
        by_cause,
        "Aalen-Johansen: endings compete, so that with the share still on the combination they add up to 100. One minus "
        "Kaplan-Meier would be too high for each.",
        NO_COMBINATION,
        is_long=True,
    ),
    Table(
        "discontinuation",
        "discontinuation",
        "How first combinations ended",
        (
            Column("name", "Ending"),
            Column("stops", "n", "count"),
            Column("persons", "of", "count"),
            Column("share", "% (exact limits)", "percent"),
            Column("rate", "Per 100 person-years (exact limits)", "rate"),
        ),
        discontinuation,
        "Shares are of all first combinations, ongoing ones included, and so a lower bound of the eventual share; the "
        "rates have no such defect. A reason is one that a stop record near the stop names.",
        NO_COMBINATION,
    ),
)
