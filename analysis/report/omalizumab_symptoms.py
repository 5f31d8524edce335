"""Symptoms, exacerbations and stops against modelled free IgE: the tables of the omalizumab section.

Numbers come from `estimate.result`. The figures are in `omalizumab_figures.py`.
"""

from __future__ import annotations

from analysis.analyses import omalizumab_events as events
from analysis.analyses import omalizumab_symptoms as symptoms
from analysis.analyses.omalizumab import DRUG
from analysis.pkpd.response import NON_RESPONDER, RESPONDER
from analysis.report.omalizumab import CLASS_WORDS, TABLES_OF_DOSING
from analysis.report.table import Column, Table
from analysis.report.view import Row, View
from analysis.report.wording import plain

NO_SCORES = (
    "Not assessable: nobody whose omalizumab can be modelled has a symptom score in an instrument that is known."
)
RESPONSE_WORDS = {symptoms.EVERYBODY: "everybody", RESPONDER: "responders", NON_RESPONDER: "non-responders"}
INSTRUMENTS = {
    "act": "Asthma Control Test, points (more is better)",
    "acq": "Asthma Control Questionnaire, points (less is better)",
    "uas7": "Urticaria Activity Score over 7 days, points (less is better)",
    "tass": "total asthma symptom score, points (less is better)",
    "pef": "morning peak flow, L/min (more is better)",
    "rescue_use": "rescue medication, puffs a day (less is better)",
}
_DELAY = (
    ("half_time_days", symptoms.BOTH, "half-time of the effect, days", "days"),
    ("half_time_days", symptoms.ONSET, "half-time while symptoms go, days", "days"),
    ("half_time_days", symptoms.OFFSET, "half-time while symptoms come back, days", "days"),
    ("test", "onset over offset", "the first of the two over the second (P in the estimates)", "ratio"),
    ("hysteresis_index", symptoms.AGAINST_FREE_IGE, "loop area against free IgE (0: no delay)", "excess"),
    ("hysteresis_index", symptoms.AGAINST_EFFECT, "loop area against the delayed effect", "excess"),
    ("correlation", "", "correlation of worse scores with free IgE, within persons", "excess"),
    ("mean", symptoms.PER_DOUBLING, "points worse for each doubling of free IgE, within persons", "excess"),
)
_RETURN = (
    ("cumulative_incidence", 56, "back by week 8, %", "percent"),
    ("cumulative_incidence", 84, "back by week 12, %", "percent"),
    ("cumulative_incidence", 112, "back by week 16, %", "percent"),
    ("median_time_days", None, "median days from the last dose", "days"),
)


def _stratum(row: Row) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in str(row["stratum"]).split(";") if pair)


def _instruments(view: View) -> list[str]:
    found = [_stratum(row)["instrument"] for row in view.estimates(analysis=symptoms.ANALYSIS, estimand="count")]
    return list(dict.fromkeys(found))


def _instrument_words(name: str) -> str:
    return INSTRUMENTS.get(name, plain(name))


def _row(found: Row | None, name: str, column: str, group: str) -> list[Row]:
    if found is None:
        return []
    return [
        {
            "group": group, "name": name, "persons": found["person_count"], "events": found["event_count"], column: found,
            "is_withheld": found["status"] == "suppressed",
        }
    ]  # fmt: skip


def scored(view: View) -> list[Row]:
    """Who has scores, and who is a responder."""
    rows: list[Row] = []
    order = {
        name: place for place, name in enumerate(("with scores", RESPONDER, NON_RESPONDER, "responders who stopped"))
    }
    counts = sorted(
        view.estimates(analysis=symptoms.ANALYSIS, estimand="count"),
        key=lambda row: (
            str(row["stratum"]), row["population"] != symptoms.POPULATION, order.get(str(row["level"]), len(order)),
            row["level"] in (symptoms.FITTED, symptoms.FOLLOWED), str(row["level"]),
        ),
    )  # fmt: skip
    for row in counts:
        instrument = _instrument_words(_stratum(row)["instrument"])
        group = instrument if row["population"] == symptoms.POPULATION else f"{instrument}: responders and their stops"
        rows.append(
            {
                "group": group, "name": plain(row["level"]), "persons": row["person_count"],
                "is_withheld": row["status"] == "suppressed",
            }
        )  # fmt: skip
    return rows


def delay(view: View) -> list[Row]:
    """How scores follow modelled free IgE."""
    rows: list[Row] = []
    for instrument in _instruments(view):
        for response, words in RESPONSE_WORDS.items():
            group = f"{_instrument_words(instrument)}: {words}"
            stratum = f"instrument={instrument};response={response}"
            for estimand, level, name, column in _DELAY:
                found = view.estimate(
                    analysis=symptoms.ANALYSIS, regimen_id=DRUG, stratum=stratum, estimand=estimand, level=level
                )
                rows += _row(found, name, column, group)
    return rows


def changes(view: View) -> list[Row]:
    """Mean change of scores from before treatment, by four weeks."""
    rows: list[Row] = []
    for instrument in _instruments(view):
        for level, words in (
            (symptoms.ON_TREATMENT, "on treatment, weeks from the first dose"),
            (symptoms.AFTER_STOP, "after the last dose, weeks from it"),
        ):
            by_week: dict[int, Row] = {}
            for response in RESPONSE_WORDS:
                stratum = f"instrument={instrument};response={response}"
                for found in view.estimates(analysis=symptoms.ANALYSIS, stratum=stratum, estimand="mean", level=level):
                    week = int(str(found["time_days"])) // 7
                    row = by_week.setdefault(
                        week, {"group": f"{_instrument_words(instrument)}: {words}", "name": f"to week {week}"}
                    )
                    row[response] = found
            rows += [by_week[week] for week in sorted(by_week)]
    return rows


def returns(view: View) -> list[Row]:
    """When symptoms of responders were back after a stop."""
    rows: list[Row] = []
    for instrument in _instruments(view):
        asked = {
            "analysis": symptoms.ANALYSIS, "regimen_id": DRUG, "population": symptoms.STOPPED,
            "stratum": f"instrument={instrument}",
        }  # fmt: skip
        for level in (symptoms.SCORES, symptoms.SCORES_OR_EXACERBATION, symptoms.PREDICTED):
            group = f"{_instrument_words(instrument)}: {level}"
            for estimand, day, name, column in _RETURN:
                when = {} if day is None else {"time_days": day}
                rows += _row(view.estimate(**asked, **when, estimand=estimand, level=level), name, column, group)
        for level in (symptoms.LAG_AT_LEAST, symptoms.LAG_AT_MOST):
            group = f"{_instrument_words(instrument)}: those whose return was seen"
            rows += _row(view.estimate(**asked, estimand="mean", level=level), f"mean {level}", "excess", group)
    return rows


def against_free_ige(view: View) -> list[Row]:
    """Exacerbations and stops below 50 ng/mL and from there on."""
    rows: list[Row] = []
    words = {
        events.EXACERBATION: "severe exacerbations of asthma, from the first dose on",
        events.DISCONTINUATION: "stops, by free IgE before a dose",
    }
    methods = {events.CRUDE: "unadjusted", events.ADJUSTED: "with IgE before treatment and weight held equal"}
    for outcome, group in words.items():
        asked = {"analysis": events.ANALYSIS, "regimen_id": DRUG, "outcome_id": outcome}
        for level in (events.BELOW, events.ABOVE):
            for estimand, name, column in (
                ("incidence_rate_per_100py", "rate per 100 person-years", "rate"),
                ("proportion", "last doses, % of doses", "percent"),
            ):
                found = view.estimate(**asked, estimand=estimand, level=level)
                rows += _row(found, f"{level}: {name}", column, group)
        for level in (events.ABOVE, events.DOUBLING):
            for method, said in methods.items():
                found = view.estimate(**asked, estimand="hazard_ratio", level=level, method=method)
                rows += _row(found, f"hazard ratio, {level}, {said}", "ratio", group)
    return rows


def by_dose(view: View) -> list[Row]:
    """Exacerbations and time above 50 ng/mL by how the usual dose compares with the table."""
    rows: list[Row] = []
    for table, group in TABLES_OF_DOSING.items():
        asked = {"analysis": events.ANALYSIS, "regimen_id": DRUG, "stratum": f"table={table}"}
        struck = asked | {"outcome_id": events.EXACERBATION}
        for level in events.COMPARED:
            share = view.estimate(**asked, estimand="mean", level=f"{level}: {events.ABOVE}")
            rate = view.estimate(**struck, estimand="incidence_rate_per_100py", level=level)
            if share is None and rate is None:
                continue
            known = rate or share
            rows.append(
                {
                    "group": group, "name": CLASS_WORDS[level], "persons": known["person_count"] if known else None,
                    "events": rate["event_count"] if rate else None, "share": share, "rate": rate,
                    "ratio": view.estimate(**struck, estimand="incidence_rate_ratio", level=level),
                    "is_withheld": known is not None and known["status"] == "suppressed",
                }
            )  # fmt: skip
    return rows


_NUMBERS = (
    Column("persons", "Persons", "count"),
    Column("events", "Records", "count", is_optional=True),
    Column("days", "Days (limits)", "days", is_optional=True),
    Column("percent", "% (limits)", "percent", is_optional=True),
    Column("rate", "Per 100 person-years (limits)", "rate", is_optional=True),
    Column("ratio", "Ratio (limits)", "ratio", is_optional=True),
    Column("excess", "Value (limits)", "excess", is_optional=True),
)
TABLES = (
    Table(
        "omalizumab_scored",
        "omalizumab",
        "Who has symptom scores, and who gained by them",
        (Column("name", "Persons"), Column("persons", "Number", "count")),
        scored,
        "A responder is better by what matters in the instrument around week 16 than in the 90 days before the first dose, told once. "
        "Getting better is no proof of the drug: treatment begins when symptoms are worst.",
        NO_SCORES,
    ),
    Table(
        "omalizumab_changes",
        "omalizumab",
        "Change of scores from before treatment",
        (
            Column("name", "Weeks"),
            *(
                Column(response, f"{words[:1].upper()}{words[1:]} (limits)", "excess")
                for response, words in RESPONSE_WORDS.items()
            ),
        ),
        changes,
        "Mean of persons with a score in those four weeks and one before treatment; who is seen later is another group. Responders are "
        "chosen by scores of week 16, and so look better around it than they are.",
        NO_SCORES,
    ),
    Table(
        "omalizumab_delay",
        "omalizumab",
        "How symptoms follow free IgE",
        (Column("name", "What"), *_NUMBERS),
        delay,
        "Free IgE is modelled for typical persons of a weight, IgE and doses, and half-times are too long by what persons differ beyond "
        "that. Regression to the mean and season give the same onset without any drug. Choosing responders by scores makes onset look "
        "faster. A half-time needs scores on treatment and off it.",
        NO_SCORES,
    ),
    Table(
        "omalizumab_return",
        "omalizumab",
        "Symptoms after a stop",
        (Column("name", "What"), *_NUMBERS),
        returns,
        "Responders who stopped after 84 days or more, and not because the drug had failed. Back: half of the gain and what matters lost "
        "in scores over at least a week. A restart and the last score censor; another biologic and death compete (shares) or censor "
        "(median). "
        "A return is dated by the score that shows it, so that it was earlier; predicted: the effect of modelled free IgE.",
        NO_SCORES,
    ),
    Table(
        "omalizumab_events",
        "omalizumab",
        "Exacerbations and stops by free IgE",
        (Column("name", "What"), *_NUMBERS),
        against_free_ige,
        "Free IgE as modelled before, from doses before. It is high where somebody stopped or came late, which has reasons: no effect of "
        "free IgE can be read from these ratios.",
        "Not assessable: nobody can be modelled.",
    ),
    Table(
        "omalizumab_by_dose",
        "omalizumab",
        "Time above 50 ng/mL and exacerbations by the usual dose",
        (
            Column("name", "Dose against the table"),
            Column("persons", "Persons", "count"),
            Column("share", "% of treatment from 50 ng/mL on (limits)", "percent"),
            Column("events", "Exacerbations", "count", is_optional=True),
            Column("rate", "Per 100 person-years (limits)", "rate", is_optional=True),
            Column("ratio", "Ratio to as the table says (limits)", "ratio", is_optional=True),
        ),
        by_dose,
        "On treatment, those with asthma. Unadjusted: who is iller may be dosed otherwise.",
        "Not assessable: nobody can be modelled.",
    ),
)
