"""Outcomes that the source could hold, one by one: serious and severe adverse events, and what stands beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analysis.estimate.result import Answer
from pipelines import ladder_analyses, questions
from pipelines.asked import assessable_outcomes
from pipelines.steps import Build
from tests.whole_run import TINY, build_tables, built, small_study, write_csv

OUTCOMES: list[dict[str, Any]] = [
    {"id": "fever", "codes": {"ICD10CM": ["R50"]}, "lag_days": 0},
    {"id": "serious_event", "any_term": True, "serious_only": True},
    {"id": "severe_event", "any_term": True, "severity": ["severe", "Life threatening"]},
]
CONTRASTS = [
    {
        "id": outcome["id"],
        "estimator": "pooled_period_odds_ratio",
        "outcome": outcome["id"],
        "ladder": "study_drugs",
        "comparator_level": "1",
    }
    for outcome in OUTCOMES
]
EVENTS = """
    adverse_event_id | person_id | term     | onset_date | serious | severity
    1                | 1         | Headache | 2020-01-10 | N       | SEVERE
    2                | 1         | Rash     | 2020-02-01 | Y       | moderate
    3                | 2         | Fever    | 2020-12-01 | N       | life threatening"""


def _build(folder: Path, **tables: str) -> Build:
    spec = small_study(outcome=OUTCOMES, contrast=CONTRASTS)
    return built(spec, write_csv(folder / "source", **TINY | tables), folder / "build.duckdb")


def _rates(build: Build) -> dict[tuple[str, str], Answer]:
    """Rate by outcome and number of study drugs."""
    return {
        (e.question.outcome_id, e.question.level): e.answer
        for e in questions.ask_incidence(build)[0]
        if e.question.stratum == "ladder=study_drugs" and e.question.population == "all_time"
    }


def _differences(build: Build) -> dict[str, Answer]:
    """Rate difference of two or more against one study drug, by outcome."""
    return {
        e.question.outcome_id: e.answer
        for e in ladder_analyses.rates(build)[0]
        if e.question.estimand == "rate_difference_per_100py"
        and (e.question.level, e.question.comparator_id) == (">=2", "1")
        and e.answer.method == "mover"
    }


def test_serious_and_severe_events_have_rates_on_one_and_on_two_drugs_and_their_difference(tmp_path: Path) -> None:
    """Person 1: omalizumab from 1 January, with dupilumab from 15 January; person 2: dupilumab from 1 November."""
    build = _build(tmp_path, adverse_event=EVENTS)
    assert assessable_outcomes(build) == {"fever", "serious_event", "severe_event"}
    rates = _rates(build)
    counts = {key: (answer.event_count, answer.person_days) for key, answer in rates.items()}
    assert counts["serious_event", ">=2"] == (1, 18)  # 15 January to the event on 1 February, that day included
    assert counts["serious_event", "1"][0] == 0
    assert counts["severe_event", "1"] == (2, 10 + 31)  # to 10 January; to 1 December
    assert ("severe_event", ">=2") not in counts, "nobody was at risk on two drugs any more"
    difference = _differences(build)["serious_event"]
    assert difference.value == pytest.approx(100 * 365.25 / 18)
    assert difference.lower is not None and difference.upper is not None


def test_without_a_table_of_adverse_events_only_what_has_diagnoses_is_assessable(tmp_path: Path) -> None:
    """As a source in the OMOP format is: it has no such table."""
    build = _build(tmp_path, adverse_event=EVENTS)
    build.warehouse.execute("UPDATE meta.source SET has_adverse_event = FALSE")
    build.warehouse.execute("DELETE FROM staged.adverse_event")
    build_tables(build)
    assert assessable_outcomes(build) == {"fever"}
    status = {
        outcome: {a.status for (name, _), a in _rates(build).items() if name == outcome}
        for outcome in ("fever", "serious_event", "severe_event")
    }
    assert status == {"fever": {"ok"}, "serious_event": {"not_assessable"}, "severe_event": {"not_assessable"}}
    for found in (questions.ask_odds_ratio(build)[0], ladder_analyses.rates(build)[0]):
        told = {e.question.outcome_id: e.answer.status for e in found if e.question.outcome_id != "fever"}
        assert told == {"serious_event": "not_assessable", "severe_event": "not_assessable"}


def test_events_that_never_say_how_severe_they_are_hold_no_severe_ones(tmp_path: Path) -> None:
    build = _build(tmp_path)  # TINY's events have no severity, but say whether they are serious
    assert assessable_outcomes(build) == {"fever", "serious_event"}
    assert {a.status for (name, _), a in _rates(build).items() if name == "severe_event"} == {"not_assessable"}
