"""Outcomes that are every adverse event, of some seriousness and severity, or death."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from analysis.study.outcomes import check_controls, outcome_tables
from analysis.study.read import StudyError
from pipelines.steps import reference_frame
from tests.whole_run import small_study


def _rows(outcomes: list[dict[str, Any]]) -> Mapping[str, pl.DataFrame]:
    return outcome_tables(small_study(outcome=outcomes), reference_frame("outcome"))


def test_an_outcome_may_be_every_adverse_event_of_some_seriousness_and_severity() -> None:
    outcomes = [
        {"id": "serious_event", "any_term": True, "serious_only": True},
        {"id": "severe_event", "any_term": True, "severity": [" Severe", "life threatening", "severe"]},
        {"id": "pneumonia", "severity": ["severe"]},
    ]
    tables = _rows(outcomes)
    columns = ("outcome_id", "serious_only", "any_term", "any_severity", "lag_days")
    assert tables["outcome"].select(columns).rows() == [
        ("serious_event", True, True, True, 0),
        ("severe_event", False, True, False, 0),
        ("pneumonia", False, False, False, 7),
    ]
    assert tables["outcome_severity"].rows() == [
        ("pneumonia", "severe"), ("severe_event", "life threatening"), ("severe_event", "severe"),
    ]  # fmt: skip
    assert set(tables["outcome_term"]["outcome_id"]) == {"pneumonia"}


def test_death_is_dated_by_the_table_of_deaths_and_has_no_codes_or_terms() -> None:
    tables = _rows([{"id": "death"}, {"id": "died", "based_on": "death"}, {"id": "pneumonia"}])
    assert dict(tables["outcome"].select("outcome_id", "is_death").iter_rows()) == {
        "death": True, "died": True, "pneumonia": False,
    }  # fmt: skip
    assert set(tables["outcome_term"]["outcome_id"]) == {"pneumonia"}


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ({"id": "mine", "any_term": True, "terms": ["fever"]}, "leave terms and based_on out"),
        ({"id": "mine", "any_term": True, "based_on": "pneumonia"}, "leave terms and based_on out"),
        ({"id": "pneumonia", "any_term": True}, "needs an id of its own"),
        ({"id": "mine", "severity": ["severe"]}, "no codes or terms are given"),
        ({"id": "death", "terms": ["sudden death"]}, "dated by the table of deaths"),
    ],
)
def test_every_adverse_event_is_no_outcome_of_the_reference_and_takes_no_names(outcome: Any, told: str) -> None:
    with pytest.raises(StudyError, match=told):
        _rows([outcome])


def test_a_negative_control_is_not_compared_by_name_and_does_not_stand_alone() -> None:
    study, control = {"id": "fever", "terms": ["fever"]}, {"id": "nc_lipoma"}
    contrast = {"id": "c", "estimator": "matched_odds_ratio", "outcome": "nc_lipoma"}

    def checked(**sections: Any) -> None:
        spec = small_study(**sections)
        check_controls(spec, outcome_tables(spec, reference_frame("outcome"))["outcome"])

    checked(outcome=[study, control], contrast=[contrast | {"outcome": "fever"}])
    with pytest.raises(StudyError, match="contrast 'c' compares 'nc_lipoma', which is a negative control"):
        checked(outcome=[study, control], contrast=[contrast])
    checked(outcome=[study, control | {"negative_control": False}], contrast=[contrast])
    with pytest.raises(StudyError, match="name at least one outcome that is studied"):
        checked(outcome=[control])
