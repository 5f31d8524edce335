"""Adverse events by class and term, by pairs, days from the last dose, and the screen.

Owns these tables. Numbers come from `estimate.result`.
"""

from __future__ import annotations

from analysis.analyses import adverse_events as events
from analysis.report import wording
from analysis.report.reactions import pairs
from analysis.report.table import Column, Table
from analysis.report.view import Row, View, as_int

NO_TABLE = "Not assessable: the source has no table of adverse events."
NOTHING = "No adverse event was recorded from cohort entry on."
CLASS_WORDS = {
    "any": "any adverse event", "serious": "serious", "severe": "severe", "fatal": "fatal", "withdrawal": "drug withdrawn for it",
    "related": "at least possibly related",
}  # fmt: skip
SHOWN_PAIRS = 15


def is_applicable(view: View) -> bool:
    """Whether the source has a table of adverse events."""
    return bool(view.source["has_adverse_event"])


def _rate(view: View, where: str, level: str, population: str = events.ALL_EVENTS) -> Row | None:
    return view.estimate(
        analysis=events.ANALYSIS, estimand="incidence_rate_per_100py", population=population, stratum=where, level=level
    )  # fmt: skip


def _levels(view: View, organ_class: str, term: str, event_class: str) -> Row:
    """Events and rates with none, one and several study drugs, and the difference of the last two."""
    where = events.stratum(organ_class, term, event_class, f"ladder={events.LADDER}")
    rates = {level: _rate(view, where, level) for level in events.LEVELS}
    counts = [row["event_count"] for row in rates.values() if row is not None]
    return {
        **{f"rate_{level}": row for level, row in rates.items()},
        "first": _rate(view, where, ">=2", events.FIRST_EVENTS),
        "difference": view.estimate(
            analysis=events.ANALYSIS, estimand="rate_difference_per_100py", stratum=where, level=">=2", comparator_id="1"
        ),
        "events": None if None in counts else sum(as_int(count) for count in counts),
        "is_withheld": any(row is not None and row["status"] == "suppressed" for row in rates.values()),
    }  # fmt: skip


def overview(view: View) -> list[Row]:
    """Each class of adverse events by number of study drugs."""
    rows: list[Row] = []
    for name, words in CLASS_WORDS.items():
        untold = _rate(view, events.stratum(events.ALL, events.ALL, name), "")
        if untold is not None and untold["status"] == "not_assessable":
            rows.append({"name": words, "rate_1": untold, "rate_>=2": untold, "records": "none"})
            continue
        level = events.RECORDS if name == events.ANY else events.SAYING
        told = view.estimate(
            analysis=events.ANALYSIS, estimand="count", stratum=events.stratum(events.ALL, events.ALL, name), level=level
        )  # fmt: skip
        said = (
            wording.NONE
            if told is None
            else wording.WITHHELD
            if told["value"] is None
            else wording.count(told["value"])
        )
        rows.append({"name": words, **_levels(view, events.ALL, events.ALL, name), "records": said})
    return rows


def _terms(view: View) -> list[tuple[str, str]]:
    """Organ class and term, the most frequent first, ties by name; those that are withheld last."""
    found: dict[tuple[str, str], int] = {}
    ladder = f"ladder={events.LADDER}"
    for row in view.estimates(
        analysis=events.ANALYSIS, estimand="incidence_rate_per_100py", population=events.ALL_EVENTS, regimen_id=""
    ):
        named = pairs(row)
        if "term" in named and "class" not in named and ladder in str(row["stratum"]):
            key = (named.get("organ_class", events.NOT_GIVEN), named["term"])
            found[key] = found.get(key, 0) + max(0, as_int(row["event_count"]))
    return sorted(found, key=lambda key: (-found[key], key[1], key[0]))


def terms(view: View) -> list[Row]:
    """The most frequent terms by number of study drugs."""
    every, shown = _terms(view), view.spec.adverse_events.shown_terms
    rows: list[Row] = [
        {
            "name": term,
            "organ_class": None if organ_class == events.NOT_GIVEN else organ_class,
            **_levels(view, organ_class, term, events.ANY),
        }
        for organ_class, term in every[:shown]
    ]
    if len(every) > shown:
        rows.append({"name": f"{len(every) - shown} more terms, less frequent or withheld: in estimates.csv"})
    return rows


def by_pair(view: View) -> list[Row]:
    """Any adverse event under a pair, less either of its drugs alone; the pairs with most persons."""
    asked = {"analysis": events.ANALYSIS, "stratum": ""}
    found = [
        row
        for row in view.estimates(**asked, estimand="rate_difference_per_100py")
        if row["comparator_id"] and "+" in str(row["regimen_id"])
    ]
    is_withheld = any(row["status"] == "suppressed" for row in found)
    found = [row for row in found if row["status"] != "suppressed"]
    persons = {str(row["regimen_id"]): as_int(row["person_count"]) for row in found}
    order = sorted(persons, key=lambda pair: (-persons[pair], pair))
    rows: list[Row] = []
    for pair in order[:SHOWN_PAIRS]:
        rate = {
            name: view.estimate(
                **asked, estimand="incidence_rate_per_100py", population=events.ALL_EVENTS, regimen_id=name
            )
            for name in (pair, *pair.split("+"))
        }
        by_dose = view.estimate(**asked, estimand="rate_per_10000_administrations", regimen_id=pair)
        rows += [
            {
                "group": view.regimen(pair),
                "name": f"less {view.regimen(row['comparator_id'])} alone",
                "rate": rate[pair],
                "alone": rate[str(row["comparator_id"])],
                "difference": row,
                "by_dose": by_dose,
                "is_withheld": row["status"] == "suppressed",
            }
            for row in found
            if row["regimen_id"] == pair
        ]
    if len(order) > SHOWN_PAIRS:
        rows.append(
            {"group": "others", "name": f"{len(order) - SHOWN_PAIRS} pairs with fewer persons: in estimates.csv"}
        )
    if is_withheld:
        rows.append({"group": "withheld", "name": "pairs with small counts, and those that would tell them"})
    return rows


def onset(view: View) -> list[Row]:
    """Days from the latest dose or other record of a study drug."""
    rows: list[Row] = []
    for name in (events.ANY, "serious"):
        found = {
            level: events.stratum(events.ALL, events.ALL, name, f"drugs={words}")
            for level, words in events.NAMED_LEVELS.items()
        }
        cells = [("median, days", "median_time_days", "")] + [
            (label, "proportion", label) for label, *_ in events.DAY_BINS
        ]
        for words, estimand, level in cells:
            row: Row = {"group": CLASS_WORDS[name], "name": words, "style": "days" if not level else "percent"}
            for place, where in found.items():
                row[place] = view.estimate(analysis=events.ANALYSIS, estimand=estimand, stratum=where, level=level)
            if any(row[place] is not None for place in found):
                rows.append(row)
    return rows


def screen(view: View) -> list[Row]:
    """Terms under a regimen whose lower limit is above what is expected, the highest first."""
    found = view.estimates(analysis=events.ANALYSIS, estimand="information_component")
    told = [row for row in found if row["status"] == "ok"]
    above = [row for row in told if float(str(row["lower"])) > 0]
    above.sort(key=lambda row: (-float(str(row["lower"])), str(row["estimate_id"])))
    rows: list[Row] = [
        {
            "name": pairs(row)["term"],
            "regimen": view.regimen(row["regimen_id"]),
            "events": row["event_count"],
            "component": row,
        }
        for row in above[: view.spec.adverse_events.shown_terms]
    ]
    if told:
        words = f"terms screened under a set of drugs: {wording.count(len(told))}, above what is expected: {wording.count(len(above))}"
        rows.append({"name": words})
    return rows


_LEVELS = (
    Column("events", "Events", "count"),
    Column("rate_0", "Per 100 person-years with none (limits)", "rate", is_optional=True),
    Column("rate_1", "with one study drug", "rate", is_optional=True),
    Column("rate_>=2", "with two or more", "rate", is_optional=True),
    Column("difference", "two or more less one (limits)", "excess", is_optional=True),
)
CAUTION = (
    "Crude rates by what was covered or in tail on the day of onset; with a study drug they are treatment-emergent. Who gets a second drug "
    "differs from who does not. All events are counted, as if independent: where a few persons have most, the limits are too narrow. "
)
TABLES = (
    Table(
        "adverse_event_overview", "adverse_events", "Adverse events by class",
        (
            Column("name", "Class"), *_LEVELS,
            Column("first", "first event, with two or more", "rate", is_optional=True),
            Column("records", "Records that say so or not"),
        ),
        overview,
        CAUTION + "A record that does not say whether it is of a class counts as not of it.",
        NO_TABLE,
    ),
    Table(
        "adverse_event_terms", "adverse_events", "Adverse events by term",
        (Column("name", "Term as received"), Column("organ_class", "System organ class", is_optional=True), *_LEVELS),
        terms,
        CAUTION + "The most frequent terms, ties by name. Among many terms some differ by chance.",
        NOTHING, is_long=True,
    ),
    Table(
        "adverse_event_pairs", "adverse_events", "Any adverse event under a pair, less either drug alone",
        (
            Column("name", "Compared"),
            Column("rate", "Per 100 person-years under the pair (limits)", "rate"),
            Column("alone", "under the one drug", "rate"),
            Column("difference", "difference (limits)", "excess"),
            Column("by_dose", "Per 10,000 doses under the pair (limits)", "dose_rate", is_optional=True),
        ),
        by_pair,
        CAUTION + "Doses count where every drug of the pair is recorded as administered.",
        "No pair has enough persons.", is_long=True,
    ),
    Table(
        "adverse_event_onset", "adverse_events", "Onset after the latest dose or other record of a study drug",
        (
            Column("name", "Days"), Column("1", "with one study drug (limits)", "estimate"),
            Column(">=2", "with two or more (limits)", "estimate"),
        ),
        onset,
        "In percent, the median in days. A dispensing is the latest record of a drug taken at home, not the latest dose. More drugs have "
        "more records, so that less time lies between any day and the latest of them.",
        NOTHING,
    ),
    Table(
        "adverse_event_screen", "adverse_events", "Screening: terms reported more often than expected",
        (
            Column("name", "Term as received"), Column("regimen", "Study drugs"), Column("events", "Events", "count"),
            Column("component", "Information component (limits)", "excess"),
        ),
        screen,
        "A screen within this database and no risk: events of a term under a set of drugs against the term's share of all events, "
        "shrunk, log 2. Shown where the lower limit is above 0. It knows no time at risk and no reason for treatment, and of many terms "
        "some lie above by chance.",
        "No term has enough events under a set of drugs.", is_long=True,
    ),
)  # fmt: skip
