"""Care items and warned combinations as estimates: what is asked, what is not applicable, and what is never a zero."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from analysis.analyses.care_item import care_item_estimates, stratum_of
from analysis.analyses.warned_combination import warned_combination_estimates
from analysis.estimate.result import Estimate, result_frame

ITEMS = pl.DataFrame(
    {
        "care_item_id": ["A16", "A26", "A09", "A18"],
        "policy": ["p"] * 4,
        "drug_id": ["infliximab", "infliximab", "omalizumab", None],
    }
)
DRUGS = pl.DataFrame({"drug_id": ["infliximab"], "is_biologic": [True]})
NO_REASONS = pl.DataFrame(
    schema={"care_item_id": pl.String, "policy": pl.String, "reason": pl.String, "moment_count": pl.Int64}
)


def summary(*rows: dict[str, Any]) -> pl.DataFrame:
    numbers = {
        "person_count": 10, "assessable_person_count": 8, "eligible_count": 10, "assessable_count": 8, "met_count": 6,
        "late_count": 1, "not_met_count": 1, "not_assessable_count": 2, "met_person_count": 6, "late_person_count": 1,
        "not_met_person_count": 1, "not_assessable_person_count": 2, "assessable_square_sum": 8,
        "assessable_met_sum": 6, "met_square_sum": 6,
    }  # fmt: skip
    base = {"care_item_id": "A16", "policy": "p", "stratum_name": "all", "stratum_value": "all"}
    schema = {**dict.fromkeys(base, pl.String), **dict.fromkeys(numbers, pl.Int64)}
    return pl.DataFrame([base | numbers | row for row in rows], schema=schema)


def asked(rows: pl.DataFrame, *, reasons: pl.DataFrame = NO_REASONS, drugs: pl.DataFrame = DRUGS) -> list[Estimate]:
    return care_item_estimates(ITEMS, rows, reasons, drugs, rule="primary", confidence=0.95)


def of(found: list[Estimate], level: str, item: str = "A16") -> Estimate:
    return next(e for e in found if e.question.level == level and e.question.stratum == stratum_of(item, "p"))


def test_late_is_not_met_and_every_count_stands_beside_the_share() -> None:
    found = asked(summary({}))
    share = of(found, "met").answer
    assert (share.value, share.event_count, share.person_count, share.method) == (0.75, 6, 8, "clopper_pearson")
    assert share.lower == pytest.approx(0.3491, abs=1e-4)
    assert share.upper == pytest.approx(0.9681, abs=1e-4)
    counts = {
        level: of(found, level).answer.value
        for level in ("eligible", "assessable", "late", "not_met", "not_assessable")
    }
    assert counts == {"eligible": 10, "assessable": 8, "late": 1, "not_met": 1, "not_assessable": 2}


def test_an_item_of_a_drug_that_nobody_has_is_not_there_and_one_without_a_moment_has_no_number() -> None:
    found = asked(summary({}))
    assert {e.question.stratum for e in found} == {stratum_of(item, "p") for item in ("A16", "A26", "A18")}
    nobody = of(found, "met", "A26").answer
    assert (nobody.status, nobody.value) == ("not_estimable", None)


def test_without_a_biologic_no_item_is_asked() -> None:
    drugs = pl.DataFrame({"drug_id": ["vancomycin"], "is_biologic": [False]})
    assert asked(summary(), drugs=drugs) == []


def test_what_nobody_can_assess_is_no_zero_and_says_why_most_cannot() -> None:
    nothing = {"assessable_count": 0, "assessable_person_count": 0, "met_count": 0, "not_assessable_count": 10}
    reasons = pl.DataFrame(
        {
            "care_item_id": ["A16"] * 3,
            "policy": ["p"] * 3,
            "reason": ["rare", "b often", "a often"],
            "moment_count": [1, 5, 5],
        }
    )
    rows = summary(nothing, nothing | {"stratum_name": "year", "stratum_value": "2020"})
    found = asked(rows, reasons=reasons)
    answer = of(found, "met").answer
    assert (answer.status, answer.value, answer.reason) == ("not_assessable", None, "a often")
    assert of(found, "not_assessable").answer.value == 10
    assert not [e for e in found if "year" in e.question.stratum]


def test_strata_are_questions_of_their_own() -> None:
    found = asked(
        summary(
            {},
            {"stratum_name": "year", "stratum_value": "2020"},
            {"stratum_name": "regimen", "stratum_value": "infliximab+omalizumab"},
            {"stratum_name": "setting", "stratum_value": "home"},
            {"stratum_name": "dose", "stratum_value": "1"},
        )
    )
    held = {(e.question.regimen_id, e.question.stratum) for e in found if e.question.level == "met"}
    assert {
        ("", "item=A16;policy=p;year=2020"),
        ("infliximab+omalizumab", "item=A16;policy=p"),
        ("", "item=A16;policy=p;setting=home"),
        ("", "dose=1;item=A16;policy=p"),
    } <= held
    assert result_frame(found, study_digest="d").height == len(found)


WARNINGS = pl.DataFrame({"warning_id": ["jak", "tnf"]})


def warned(*rows: tuple[str, str, int, int]) -> list[Estimate]:
    frame = pl.DataFrame(
        [("jak", pair, outcome, 4, 5, 2, days, events, min(events, 4)) for pair, outcome, days, events in rows],
        schema=[
            "warning_id", "pair_id", "outcome_id", "person_count", "episode_count", "switch_overlap_count",
            "person_days", "event_count", "event_person_count",
        ],
        orient="row",
    )  # fmt: skip
    return warned_combination_estimates(WARNINGS, frame, assessable={"infection"}, rule="primary", confidence=0.95)


def test_a_warning_has_its_counts_time_and_rates_and_a_zero_its_upper_limit() -> None:
    found = warned(("all", "none", 36525, 0), ("all", "infection", 36525, 0), ("all", "death", 36525, 0))
    jak = [e for e in found if e.question.stratum == "warning=jak"]
    levels = {e.question.level: e.answer.value for e in jak if e.question.estimand == "count"}
    assert levels == {"persons": 4, "episodes": 5, "episodes shorter than the least overlap": 2}
    rate = next(e.answer for e in jak if e.question.outcome_id == "infection")
    assert (rate.value, rate.lower) == (0.0, 0.0)
    assert rate.upper == pytest.approx(3.689, abs=1e-3)
    assert next(e.answer for e in jak if e.question.outcome_id == "death").status == "not_assessable"


def test_a_warning_under_which_nobody_was_counts_nobody_and_has_no_rate() -> None:
    tnf = [e for e in warned(("all", "none", 1, 0)) if e.question.stratum == "warning=tnf"]
    assert [(e.question.estimand, e.answer.value) for e in tnf] == [("count", 0.0)]
