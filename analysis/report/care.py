"""Care as it was given: every care item under each policy, what each policy asks, and combinations that labels warn of.

Owns the tables of the section. Numbers come from `estimate.result`, words from `reference.care_item` and `reference.combination_warning`.
"""

from __future__ import annotations

from analysis.analyses import care_item, immunogenicity, trough, warned_combination
from analysis.report import wording
from analysis.report.table import Column, Table
from analysis.report.view import Row, View

NOT_APPLICABLE = "Not applicable: nobody in the data has a dose of a drug that a care item is about."
NO_WARNING = "Not applicable: no combination of the study's drugs is one that is warned of."
POLICIES = {
    "source_article": "source article",
    "us_label": "US label",
    "ojtf": "joint task force",
    "eu_label": "EU label",
}


def is_applicable(view: View) -> bool:
    """Whether any care item is asked."""
    return bool(view.estimates(analysis=care_item.ANALYSIS))


def _asked(view: View) -> list[Row]:
    """The items that are asked in this study, in order."""
    held = {row["stratum"] for row in view.estimates(analysis=care_item.ANALYSIS, estimand="proportion", regimen_id="")}
    order = {policy: number for number, policy in enumerate(POLICIES)}
    items = [
        row
        for row in view.rows("reference.care_item")
        if care_item.stratum_of(str(row["care_item_id"]), str(row["policy"])) in held
    ]
    return sorted(items, key=lambda row: (str(row["care_item_id"]), order.get(str(row["policy"]), len(order))))


def _heading(item: Row) -> str:
    return f"{item['care_item_id']}: {item['title']}"


def items(view: View) -> list[Row]:
    """Each item under each policy: moments, what became of them and the share met of what can be assessed."""
    headings: dict[str, str] = {}
    rows: list[Row] = []
    for item in _asked(view):
        stratum = care_item.stratum_of(str(item["care_item_id"]), str(item["policy"]))
        share = view.estimate(analysis=care_item.ANALYSIS, estimand="proportion", stratum=stratum, level=care_item.MET)
        counts = {
            row["level"]: row for row in view.estimates(analysis=care_item.ANALYSIS, estimand="count", stratum=stratum)
        }
        eligible = counts.get("eligible")
        rows.append(
            {
                "group": headings.setdefault(str(item["care_item_id"]), _heading(item)),
                "name": POLICIES.get(str(item["policy"]), wording.plain(item["policy"])),
                "persons": eligible["person_count"] if eligible else 0,
                **{level: counts[level]["event_count"] if level in counts else 0 for level in care_item.COUNTED},
                "met": share,
                "is_withheld": bool(eligible and eligible["status"] == "suppressed"),
            }
        )
    return rows


def policies(view: View) -> list[Row]:
    """What each policy asks, with its source."""
    return [
        {
            "group": _heading(item),
            "name": POLICIES.get(str(item["policy"]), wording.plain(item["policy"])),
            "statement": " ".join(str(item[part]) for part in ("statement", "note") if item[part]),
            "source": ", ".join(str(item[part]) for part in ("source", "year") if item[part] is not None),
            "certainty": item["certainty"],
        }
        for item in _asked(view)
    ]


def warned(view: View) -> list[Row]:
    """Persons, episodes, time and outcomes under each warned combination."""
    rows: list[Row] = []
    for warning in view.rows("reference.combination_warning"):
        found = view.estimates(analysis=warned_combination.ANALYSIS, stratum=f"warning={warning['warning_id']}")
        for pair in sorted({str(row["regimen_id"]) for row in found}, key=lambda name: (name != "all", name)):
            here = [row for row in found if row["regimen_id"] == pair]
            rows.append(_exposure(str(warning["label"]), pair, here, view))
            rows += [
                {
                    "group": warning["label"],
                    "name": wording.named(view.outcomes, row["outcome_id"]),
                    "events": row["event_count"],
                    "rate": row,
                    "is_withheld": row["status"] == "suppressed",
                }
                for row in here
                if row["estimand"] == "incidence_rate_per_100py" and pair == "all"
            ]
    return rows


def _exposure(label: str, pair: str, here: list[Row], view: View) -> Row:
    counts = {row["level"]: row for row in here if row["estimand"] == "count"}
    time = next((row for row in here if row["estimand"] == "person_days"), None)
    persons = counts.get(warned_combination.PERSONS)
    return {
        "group": label,
        "name": "any of its pairs" if pair == "all" else view.regimen(pair),
        "persons": persons["person_count"] if persons else None,
        "episodes": counts[name]["event_count"] if (name := warned_combination.EPISODES) in counts else None,
        "short": counts[name]["event_count"] if (name := warned_combination.SHORT) in counts else None,
        "person_years": time["person_days"] if time else None,
        "is_total": pair == "all",
        "is_withheld": bool(persons and persons["status"] == "suppressed"),
    }


AGENTS = {"immunomodulator": "immunomodulator", "steroid": "systemic steroid"}
TROUGH_GROUPS = {"antibody": "antibodies", "immunomodulator": "an immunomodulator"}
OUTCOMES = {"antibody": "antibodies to infliximab", "loss_of_response": "loss of response to infliximab"}


def antibodies(view: View) -> list[Row]:
    """Antibodies to a second biologic by those to an earlier one, and on infliximab by what is taken beside it."""
    found = view.estimates(analysis=immunogenicity.ANALYSIS)
    rows: list[Row] = []
    for row in found:
        ratio = row["estimand"] in ("risk_ratio", "hazard_ratio")
        if row["population"] == immunogenicity.TESTED:
            if row["regimen_id"] != "all":
                continue  # by drug: estimates.csv
            words = {
                "with": "antibodies to an earlier one",
                "without": "none to an earlier one",
                "not_tested": "not tested for both",
            }
            group = "antibodies to a second biologic, whichever it is"
            name = "ratio of risks" if ratio else words[str(row["level"])]
        elif row["population"] == trough.POPULATION:
            group = "trough level of infliximab after induction, µg/mL"
            agent, _, word = str(row["stratum"]).partition("=")
            name = f"{word} {TROUGH_GROUPS[agent]}" if agent else str(row["level"]) or "everybody with a level"
        else:
            group = OUTCOMES[str(row["outcome_id"])]
            agent, _, word = str(row["stratum"]).partition("=")
            name = f"{AGENTS[str(row['level'])]}: hazard ratio" if ratio else f"{word} {AGENTS[agent]}"
        column = {"proportion": "share", "incidence_rate_per_100py": "rate", "mean": "level"}.get(
            str(row["estimand"]), "ratio" if ratio else ""
        )
        shown: Row = {
            "group": group,
            "name": name,
            "persons": row["person_count"],
            "events": row["event_count"],
            "is_withheld": row["status"] == "suppressed",
        }
        rows.append(shown | ({column: row} if column else {}))
    return sorted(rows, key=lambda row: str(row["group"]))


TABLES = (
    Table(
        "care_items",
        "care",
        "Care items under each policy",
        (
            Column("name", "Policy"),
            Column("persons", "Persons", "count"),
            Column("eligible", "Moments", "count"),
            Column("assessable", "Assessable", "count"),
            Column("met", "% met (limits)", "percent"),
            Column("late", "Late", "count"),
            Column("not_met", "Not met", "count"),
            Column("not_assessable", "Not assessable", "count"),
        ),
        items,
        "A moment is a dose, a first dose, the start or a completed year of a combination, as the item says. The share is "
        "of the moments that can be assessed; late is not met. Where a person has several moments the limits allow for "
        "their being alike. Not assessable is never 0. Policies differ because the texts do: a low share under one is no "
        "fault under another. By number of the dose, drugs in use, setting and year: estimates.csv.",
        NOT_APPLICABLE,
    ),
    Table(
        "care_policies",
        "care",
        "What each policy asks",
        (
            Column("name", "Policy"),
            Column("statement", "Asks", "sentence"),
            Column("source", "Source", "literature"),
            Column("certainty", "How sure", "sentence"),
        ),
        policies,
        "From knowledge, not seen: the text was not at hand when the rule was written down; check it before use.",
        NOT_APPLICABLE,
        is_long=True,
    ),
    Table(
        "warned_combinations",
        "care",
        "Combinations that labels or rules warn of",
        (
            Column("name", "Combination or outcome"),
            Column("persons", "Persons", "count"),
            Column("episodes", "Episodes", "count"),
            Column("short", "Shorter than the least overlap", "count"),
            Column("person_years", "Person-years", "person_years"),
            Column("events", "Outcomes", "count", is_optional=True),
            Column("rate", "Per 100 person-years (limits)", "rate", is_optional=True),
        ),
        warned,
        "Days on which both drugs are covered. Outcomes are those on these days, first or not. Warnings overlap and are "
        "not summed. A rate here compares nobody.",
        NO_WARNING,
    ),
    Table(
        "antibodies",
        "care",
        "Antibodies to biologics and loss of response",
        (
            Column("name", "Group or comparison"),
            Column("persons", "Persons", "count"),
            Column("events", "With it (levels)", "count"),
            Column("share", "% (limits)", "percent", is_optional=True),
            Column("rate", "Per 100 person-years (limits)", "rate", is_optional=True),
            Column("ratio", "Ratio (limits)", "ratio", is_optional=True),
            Column("level", "Mean (limits)", "excess", is_optional=True),
        ),
        antibodies,
        "Only who was tested, with a result in words, is in it, and tests follow suspicion. Immunomodulator and steroid are "
        "those of 30 days before, so that one begun because of antibodies is not taken for their cause; hazard ratios of "
        "antibodies hold each equal to the other. Levels are drawn where response is lost, and antibodies make them low: their means "
        "compare no treatments. By drug: estimates.csv.",
        "Not applicable: nobody begins infliximab, and nobody a second biologic.",
    ),
)  # fmt: skip
