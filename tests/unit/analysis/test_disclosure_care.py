"""Care items and warned combinations in a public report: no small count, and none that follows from two policies."""

from __future__ import annotations

from typing import Any

import polars as pl

from analysis.disclosure import disclosed
from analysis.disclosure_check import small_counts
from analysis.estimate.result import RESULT_SCHEMA
from tests.unit.analysis.report.small import small_report

MINIMUM = 5


def row(analysis: str, stratum: str, level: str, persons: int, events: int, **more: Any) -> dict[str, Any]:
    made = dict.fromkeys(RESULT_SCHEMA) | {
        "analysis": analysis, "estimand": "count", "exposure_rule": "primary", "population": "eligible", "regimen_id": "",
        "comparator_id": "", "outcome_id": "", "stratum": stratum, "level": level, "value": float(events),
        "person_count": persons, "event_count": events, "method": "count", "status": "ok", "reason": "",
    } | more  # fmt: skip
    return made | {
        "estimate_id": "/".join(str(made[name]) for name in ("analysis", "estimand", "regimen_id", "stratum", "level"))
    }


def item(
    policy: str, *, met: int, not_met: int, late: int = 0, missing: int = 0, name: str = "A16"
) -> list[dict[str, Any]]:
    stratum, assessable = f"item={name};policy={policy}", met + not_met + late
    counts = {
        "eligible": assessable + missing,
        "assessable": assessable,
        "late": late,
        "not_met": not_met,
        "not_assessable": missing,
    }
    rows = [row("care_item", stratum, level, number, number) for level, number in counts.items()]
    share = row("care_item", stratum, "met", assessable, met, estimand="proportion", value=met / assessable)
    return [*rows, share]


def shown(*rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    frames = dict(small_report().frames)
    made = pl.DataFrame(list(rows), schema=RESULT_SCHEMA)
    frames["estimate.result"] = pl.concat([frames["estimate.result"], made])
    public = disclosed(frames, profile="public", minimum_count=MINIMUM)
    assert small_counts({"estimate.result": public["estimate.result"]}, minimum_count=MINIMUM) == {}
    result = public["estimate.result"].filter(
        pl.col("analysis").is_in(["care_item", "warned_combination", "immunogenicity"])
    )
    return {found["estimate_id"]: found for found in result.to_dicts()}


def withheld(found: dict[str, dict[str, Any]]) -> set[bool]:
    return {one["status"] == "suppressed" for one in found.values()}


def test_an_item_without_small_counts_is_shown_under_all_policies() -> None:
    assert withheld(shown(*item("a", met=50, not_met=20), *item("b", met=60, not_met=10))) == {False}


def test_one_small_count_takes_the_item_under_all_its_policies_and_no_other() -> None:
    found = shown(
        *item("a", met=50, not_met=20), *item("b", met=66, not_met=4), *item("a", met=50, not_met=20, name="A17")
    )
    assert withheld({name: one for name, one in found.items() if "A16" in name}) == {True}
    assert withheld({name: one for name, one in found.items() if "A17" in name}) == {False}
    assert all(one["value"] is None and one["person_count"] is None for name, one in found.items() if "A16" in name)


def test_policies_that_differ_by_few_would_tell_them_and_go() -> None:
    assert withheld(shown(*item("a", met=50, not_met=20), *item("b", met=54, not_met=16))) == {True}
    assert withheld(shown(*item("a", met=50, not_met=20), *item("b", met=55, not_met=15))) == {False}


def test_strata_of_an_item_are_never_shown() -> None:
    parts = [
        row("care_item", "item=A16;policy=a;year=2020", "met", 50, 20, estimand="proportion", value=0.4),
        row("care_item", "item=A16;policy=a", "met", 50, 20, estimand="proportion", value=0.4, regimen_id="a+b"),
    ]
    assert withheld(shown(*parts)) == {True}


def test_a_warning_is_shown_over_its_pairs_alone_and_not_where_a_count_is_small() -> None:
    rows = [
        row("warned_combination", "warning=jak", "persons", 50, 50, regimen_id="all"),
        row("warned_combination", "warning=jak", "persons", 46, 46, regimen_id="a+b"),
        row("warned_combination", "warning=tnf", "persons", 50, 50, regimen_id="all"),
        row("warned_combination", "warning=tnf", "", 50, 3, regimen_id="all", estimand="incidence_rate_per_100py"),
    ]
    found = shown(*rows)
    told = {name: one["status"] == "suppressed" for name, one in found.items()}
    assert [told[row["estimate_id"]] for row in rows] == [False, True, True, True]


def test_antibodies_are_shown_over_all_second_drugs_and_an_outcome_goes_where_a_count_is_small() -> None:
    tested = {"population": "tested_for_both", "outcome_id": "antibody", "estimand": "proportion"}
    on_drug = {"population": "first_infliximab", "regimen_id": "infliximab", "estimand": "incidence_rate_per_100py"}
    rows = [
        row("immunogenicity", "", "with", 50, 20, regimen_id="all", **tested),
        row("immunogenicity", "", "with", 44, 16, regimen_id="adalimumab", **tested),
        row("immunogenicity", "a=with", "", 50, 20, outcome_id="antibody", **on_drug),
        row("immunogenicity", "a=without", "", 50, 20, outcome_id="loss_of_response", **on_drug),
        row("immunogenicity", "b=without", "", 50, 3, outcome_id="loss_of_response", **on_drug),
    ]
    found = shown(*rows)
    told = [found[row["estimate_id"]]["status"] == "suppressed" for row in rows]
    assert told == [False, True, False, True, True]
