"""Specification curves: every rule once, in the order of the value, with the settings that made it and no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from analysis.analyses.hazard import ADJUSTED_METHOD, METHOD
from analysis.disclosure import disclosed
from analysis.estimate.result import Answer, Estimate, Question, result_frame
from analysis.report import specification
from analysis.report.forest import log_marks
from analysis.report.sensitivity import sensitivity
from analysis.report.view import View
from analysis.study.read import study_from
from analysis.study.rules import all_rules, rule_rows
from tests.unit.analysis.report.small import SETTINGS, small_report

GRID = {"gap_days": [0, 30], "tail_half_lives": [1.5, 4], "overlap": ["merge", "stockpile"]}
RULES = [
    {"id": "primary", "label": "own gap"},
    {"id": "long", "label": "long gap", "gap_days": 90},
    {"id": "washed", "label": "long washout", "washout_days": 400},
]
VALUES = {  # of the rules that a curve is to hold; the others have none
    "primary": 1.5, "long": 1.2, "washed": 1.9, "grid_gap0_tailx1p5_merge": 0.8, "grid_gap30_tailx4p0_stockpile": 3.0,
}  # fmt: skip


def _estimates(values: Mapping[str, float], events: int) -> list[Estimate]:
    found = []
    for rule, value in values.items():
        asked: dict[str, Any] = {"exposure_rule": rule, "outcome_id": "infection", "level": ">=2"}
        numbers: dict[str, Any] = {"lower": value / 2, "upper": value * 2, "event_count": events, "person_count": 100}
        hazard = Question(
            analysis="time_varying_hazard", estimand="hazard_ratio", population="from_first", comparator_id="1",
            stratum="ladder=study_drugs", **asked,
        )  # fmt: skip
        odds = Question(
            analysis="infection_odds_ratio", estimand="odds_ratio", population="all_time", comparator_id="0",
            stratum="ladder=toruner", **asked,
        )  # fmt: skip
        found += [
            Estimate(hazard, Answer(method=METHOD, value=value, **numbers)),
            Estimate(hazard, Answer(method=ADJUSTED_METHOD, value=value, **numbers)),
            Estimate(hazard, Answer(method="cox_efron_naive_ever_robust", value=value, **numbers)),
            Estimate(odds, Answer(method="pooled_periods_mantel_haenszel", value=value, **numbers)),
            Estimate(odds, Answer(method="pooled_periods_woolf", value=value, **numbers)),
        ]
    return found


def _view(
    values: Mapping[str, float] = VALUES,
    *,
    events: int = 50,
    rules: list[dict[str, Any]] | None = None,
    grid: Any = GRID,
) -> View:
    settings = {"exposure_rule": RULES if rules is None else rules, "exposure_grid": grid}
    received = small_report(settings=settings)
    spec = study_from(SETTINGS | settings, name="study")
    frames = received.frames | {
        "estimate.result": result_frame(_estimates(values, events), study_digest="d"),
        "spec.exposure_rule": rule_rows(spec),
    }
    return View(spec, frames)


def test_every_rule_with_a_value_stands_once_in_the_order_of_its_value_and_the_adjusted_beside() -> None:
    view = _view()
    order = [
        "grid_gap0_tailx1p5_merge", "long", "primary", "washed", "grid_gap30_tailx4p0_stockpile",
    ]  # fmt: skip
    assert len(view.rules) == 3 + 8
    hazard, odds = specification.hazard_curve(view), specification.odds_curve(view)
    assert [one.rule for one in hazard] == [one.rule for one in odds] == order
    assert [one.found["method"] for one in hazard] == [METHOD] * 5
    assert [one.beside and one.beside["method"] for one in hazard] == [ADJUSTED_METHOD] * 5
    assert {one.found["method"] for one in odds} == {"pooled_periods_mantel_haenszel"}


def test_the_matrix_says_of_each_rule_which_settings_made_it() -> None:
    view = _view()
    assert specification.matrix(view, specification.odds_curve(view)) == [
        ("gap: each drug's own", [False, False, True, True, False]),
        ("gap: 0 days", [True, False, False, False, False]),
        ("gap: 30 days", [False, False, False, False, True]),
        ("gap: 90 days", [False, True, False, False, False]),
        ("tail: each drug's own", [False, True, True, True, False]),
        ("tail: 1.5 half-lives", [True, False, False, False, False]),
        ("tail: 4 half-lives", [False, False, False, False, True]),
        ("early refills: merged", [True, True, True, True, False]),
        ("early refills: stockpiled", [False, False, False, False, True]),
        ("else: other settings too", [False, False, False, True, False]),
    ]


def test_every_setting_of_a_rule_is_told_or_said_to_differ() -> None:
    """A field added to rules must not vanish from the matrix."""
    view = _view()
    primary = all_rules(view.spec)[0]
    changed = {"background_gap_days": 1, "min_episode_days": 2, "restart_after_days": 3, "bridge_hospital_stays": True}
    for name, value in changed.items():
        told = specification.settings(primary.model_copy(update={name: value}), view.spec)
        assert told["other"] == "other settings too", name
    told = specification.settings(primary, view.spec)
    assert told["other"] == ""
    assert told["overlap"] == "28 days at least"


def test_the_drawing_tells_the_ends_and_is_the_same_twice() -> None:
    for draw in (specification.hazard, specification.odds):
        first, second = draw(_view()), draw(_view())
        assert first is not None and first == second
        svg, said = first
        assert "under 5 exposure rules in the order of its value, from 0.80 to 3.00" in said
        assert "early refills: stockpiled" in svg
        assert ("triangles" in said) == (draw is specification.hazard)


@pytest.mark.parametrize("rules", [RULES[:1], RULES[:2]])
def test_fewer_than_three_rules_are_not_drawn(rules: list[dict[str, Any]]) -> None:
    few = {str(rule["id"]): 1.5 for rule in rules}
    view = _view(few, rules=rules, grid={})
    assert specification.hazard(view) is None and specification.odds(view) is None
    assert specification.hazard(_view({rule["id"]: 1.5 for rule in RULES}, grid={})) is not None


def test_rules_that_differ_in_nothing_told_still_have_a_curve() -> None:
    same = [{"id": name, "gap_days": 30} for name in ("primary", "again", "thrice")]
    view = _view({str(rule["id"]): 2.0 for rule in same}, rules=same, grid={})
    curve = specification.odds_curve(view)
    assert specification.matrix(view, curve) == [] and specification.odds(view) is not None


def test_what_is_withheld_is_not_drawn() -> None:
    view = _view(events=3)
    shown = disclosed(view.frames, profile="public", minimum_count=5)
    hidden = View(view.spec, shown)
    assert specification.hazard(view) is not None
    assert specification.hazard(hidden) is None and specification.odds(hidden) is None


def test_the_table_of_key_numbers_holds_what_the_curves_draw() -> None:
    view = _view()
    rows = {(row["group"], row["rule"]): row["value"] for row in sensitivity(view) if row["value"]}
    for one in specification.hazard_curve(view):
        label = f"{view.rules[one.rule]} (primary)" if one.rule == view.rule else view.rules[one.rule]
        told = [value for (group, rule), value in rows.items() if rule == label and "hazard ratio" in str(group)]
        assert told == [one.found, one.beside]
    assert len(rows) == 5 * 3


def test_a_narrow_log_axis_has_finer_marks() -> None:
    assert log_marks(0.4, 6.0) == [0.5, 1.0, 2.0, 5.0]
    assert log_marks(0.85, 1.7) == [0.9, 1.0, 1.2, 1.4, 1.6]
    assert log_marks(1.01, 1.1) == []
