"""Reactions after doses: tables by drug, number of the dose and study drugs together, windows, and what published risks make of them.

Owns these tables. Times are in `reaction_latency.py`. Numbers come from `estimate.result`.
"""

from __future__ import annotations

from analysis.analyses import reactions
from analysis.analyses.reactions import DOSE_LEVELS, UNKNOWN_DOSE
from analysis.report import wording
from analysis.report.table import Column, Table
from analysis.report.view import Row, View

NOT_ASKED = "The study asks for no outcome that is a reaction to a dose."
NO_DOSES = "Not assessable: no record of a study drug is an administration."
SHOWN_REGIMENS = 20
DOSE_WORDS = {"1": "first", "2": "second", "3": "third", ">=4": "fourth and later", UNKNOWN_DOSE: "number not known"}


def pairs(row: Row) -> dict[str, str]:
    """The `name=value` pairs of a stratum."""
    return dict(part.split("=", 1) for part in str(row["stratum"]).split(";") if part)


def is_applicable(view: View) -> bool:
    """Whether the study has an outcome that is a reaction."""
    return bool(view.estimates(analysis=reactions.ANALYSIS))


def outcomes_of(view: View) -> list[str]:
    """Reactions that the study asks for, in its order."""
    held = {str(row["outcome_id"]) for row in view.estimates(analysis=reactions.ANALYSIS)}
    return [outcome for outcome in view.outcomes if outcome in held]


def _one(view: View, outcome: str, estimand: str, where: str, *, regimen: str = "", level: str = "") -> Row | None:
    return view.estimate(
        analysis=reactions.ANALYSIS, estimand=estimand, outcome_id=outcome, stratum=where, regimen_id=regimen, level=level
    )  # fmt: skip


def _cells(view: View, outcome: str, drug: str, *, regimen: str = "", level: str = "", hours: str = "") -> Row:
    """Persons, doses, reactions and what follows of them."""
    where = reactions.stratum(drug=drug, window_hours=hours)
    share = _one(view, outcome, "proportion", where, regimen=regimen, level=level)
    rate = _one(view, outcome, "rate_per_10000_administrations", where, regimen=regimen, level=level)
    doses = _one(view, outcome, "count", reactions.stratum(drug=drug, of="doses"), regimen=regimen, level=level)
    return {
        "persons": share and share["person_count"],
        "doses": doses and doses["value"],
        "reactions": rate and rate["event_count"],
        "share": share,
        "by_dose": rate,
        "is_withheld": share is not None and share["status"] == "suppressed",
    }


def _drugs(view: View, outcome: str) -> list[str]:
    """All doses, then the drugs by name."""
    held = {
        pairs(row).get("drug", reactions.ALL)
        for row in view.estimates(
            analysis=reactions.ANALYSIS, outcome_id=outcome, estimand="proportion", regimen_id="", level=""
        )
    }
    return sorted(held, key=lambda drug: (drug != reactions.ALL, drug))


def drug_name(view: View, drug: str) -> str:
    """A drug, or all doses, in words."""
    return "all administered doses" if drug == reactions.ALL else view.regimen(drug)


def by_drug(view: View) -> list[Row]:
    """All doses and each drug: persons, doses, reactions and their rates; the drugs without administrations in one row."""
    rows: list[Row] = []
    for outcome in outcomes_of(view):
        undosed: list[str] = []
        group = {"group": view.outcomes[outcome]}
        for drug in _drugs(view, outcome):
            cells = _cells(view, outcome, drug)
            share = cells["share"]
            if drug != reactions.ALL and isinstance(share, dict) and share["status"] == "not_assessable":
                undosed.append(drug)
                continue
            by_time = _one(view, outcome, "incidence_rate_per_100py", reactions.stratum(drug=drug))
            total = {"is_total": drug == reactions.ALL}
            rows.append(group | {"name": drug_name(view, drug), **cells, "by_time": by_time} | total)
        if undosed:
            named = ", ".join(drug_name(view, drug) for drug in undosed)
            rows.append(group | {"name": named, **_cells(view, outcome, undosed[0])})
    return rows


def by_dose(view: View) -> list[Row]:
    """Each number of the dose, of all drugs and of each that has a reaction."""
    rows: list[Row] = []
    for outcome in outcomes_of(view):
        for drug in _drugs(view, outcome):
            where = reactions.stratum(drug=drug)
            whole = _one(view, outcome, "rate_per_10000_administrations", where)
            if (
                whole is None
                or whole["status"] == "not_assessable"
                or (drug != reactions.ALL and not whole["event_count"])
            ):
                continue
            for level in (*DOSE_LEVELS, UNKNOWN_DOSE):
                cells = _cells(view, outcome, drug, level=level)
                if cells["share"] is None:
                    continue
                share_of = _one(
                    view, outcome, "proportion", reactions.stratum(by="dose_number", drug=drug), level=level
                )
                rows.append(
                    {
                        "group": f"{view.outcomes[outcome]}: {drug_name(view, drug)}",
                        "name": DOSE_WORDS[level],
                        **cells,
                        "of_reactions": share_of,
                    }
                )
    return rows


def by_regimen(view: View) -> list[Row]:
    """Each drug under each set of several study drugs, the most persons first."""
    rows: list[Row] = []
    for outcome in outcomes_of(view):
        found = [
            {
                "group": view.outcomes[outcome],
                "name": f"{view.regimen(pairs(row)['drug'])}, with {view.regimen(row['regimen_id'])} covered or in tail",
                **_cells(view, outcome, pairs(row)["drug"], regimen=str(row["regimen_id"])),
                "by_time": _one(
                    view, outcome, "incidence_rate_per_100py", str(row["stratum"]), regimen=str(row["regimen_id"])
                ),
            }
            for row in view.estimates(analysis=reactions.ANALYSIS, outcome_id=outcome, estimand="proportion", level="")
            if "+" in str(row["regimen_id"]) and "drug" in pairs(row)
        ]
        shown = [row for row in found if not row["is_withheld"]]
        shown.sort(key=lambda row: (-int(str(row["persons"] or 0)), str(row["name"])))
        rows += shown[:SHOWN_REGIMENS]
        told = {
            f"{len(shown) - SHOWN_REGIMENS} others, with fewer persons: in estimates.csv": len(shown) > SHOWN_REGIMENS,
            "the others are withheld" if shown else "all are withheld": len(shown) < len(found),
        }
        rows += [{"group": view.outcomes[outcome], "name": words} for words, is_so in told.items() if is_so]
    return rows


def by_window(view: View) -> list[Row]:
    """The main window of attribution and the others."""
    settings = view.spec.reactions
    rows: list[Row] = []
    for outcome in outcomes_of(view):
        for hours in (settings.window_hours, *settings.sensitivity_hours):
            cells = _cells(view, outcome, reactions.ALL, hours="" if hours == settings.window_hours else str(hours))
            if cells["share"] is not None:
                name = f"{hours} hours" + (" (main)" if hours == settings.window_hours else "")
                rows.append({"group": view.outcomes[outcome], "name": name, **cells})
    return rows


def power(view: View) -> list[Row]:
    """What each published risk makes of the persons here."""
    rows: list[Row] = []
    for outcome in outcomes_of(view):
        for risk in view.rows("reference.benchmark", outcome_id=outcome):
            where = reactions.stratum(benchmark=str(risk["benchmark_id"]), drug=reactions.BENCHMARK_DRUG)
            needed = _one(view, outcome, "count", where, level="persons needed")
            if needed is None:
                continue
            expected = _one(view, outcome, "count", where, level="expected")
            rows.append(
                {
                    "group": view.outcomes[outcome],
                    "name": risk["source"],
                    "risk": f"{100 * float(str(risk['value'])):.4g}{wording.THIN}%",
                    "needed": needed["value"],
                    "persons": expected and expected["person_count"],
                    "expected": expected,
                    "chance": _one(view, outcome, "risk", where, level="at least one"),
                    "is_withheld": expected is not None and expected["status"] == "suppressed",
                }
            )
    return rows


_COUNTS = (
    Column("persons", "Persons", "count"),
    Column("doses", "Doses", "count"),
    Column("reactions", "Reactions", "count"),
)
_RATES = (
    Column("share", "% of persons (limits)", "rare_percent", is_optional=True),
    Column("by_dose", "Per 10,000 doses (limits)", "dose_rate", is_optional=True),
)
TABLES = (
    Table(
        "reaction_by_drug",
        "reactions",
        "Reactions after administered doses",
        (
            Column("name", "Doses of"), *_COUNTS, *_RATES,
            Column("by_time", "First reaction per 100 person-years on the drug (limits)", "rate", is_optional=True),
        ),
        by_drug,
        "A reaction in the hours after a dose is attributed to it; after doses of two drugs to both, so that drugs do not add up to all. "
        "Only records of administration are doses: a drug that was dispensed is not assessable, which is no zero.",
        NOT_ASKED,
    ),
    Table(
        "reaction_by_dose",
        "reactions",
        "By number of the dose",
        (Column("name", "Dose"), *_COUNTS, *_RATES, Column("of_reactions", "% of the reactions (limits)", "percent", is_optional=True)),
        by_dose,
        "Doses are counted over all administrations of the person's drug in the source. The number is known where the time before the "
        "first is observed and the drug was not dispensed before.",
        NO_DOSES,
    ),
    Table(
        "reaction_by_regimen",
        "reactions",
        "Under combinations",
        (
            Column("name", "Doses of"), *_COUNTS, *_RATES,
            Column("by_time", "First reaction per 100 person-years (limits)", "rate", is_optional=True),
        ),
        by_regimen,
        "Few doses under a combination leave wide limits: none seen is not none possible.",
        "No dose was administered under a combination.",
        is_long=True,
    ),
    Table(
        "reaction_by_window",
        "reactions",
        "Under other windows of attribution",
        (Column("name", "After the dose"), Column("reactions", "Reactions", "count"), *_RATES),
        by_window,
        "Where a time of day is not known the window is of whole days: that of the dose, and for 24 hours the next.",
        NO_DOSES,
    ),
    Table(
        "reaction_power",
        "reactions",
        "What published risks make of the persons here",
        (
            Column("name", "Published by"),
            Column("risk", "Risk per person"),
            Column("needed", "Persons to see one with 95 % probability", "count"),
            Column("persons", "Persons here", "count"),
            Column("expected", "Reactions expected here (limits of the literature)", "excess"),
            Column("chance", "% probability of at least one (limits of the literature)", "percent"),
        ),
        power,
        "Below the number of persons needed, none seen says little.",
        "No literature value is a risk of such a reaction.",
    ),
)  # fmt: skip
