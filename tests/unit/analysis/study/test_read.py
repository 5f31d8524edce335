"""A study file is read as it is meant, or refused with the key that is wrong and the nearest right one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from analysis.study.read import StudyError, nearest, read_study, study_from

STUDIES = Path(__file__).parents[4] / "studies"
SMALL: dict[str, Any] = {
    "study": {"id": "small", "title": "Small"},
    "source": {},
    "population": {},
    "drugs": {"study": ["omalizumab"]},
    "drug": [{"id": "newdrug"}],
    "exposure_rule": [{"id": "primary", "drug": {"omalizumab": {}}}],
    "combination": {},
    "outcome": [{"id": "pneumonia"}],
    "contrast": [{"id": "c", "estimator": "time_varying_cox", "outcome": "pneumonia"}],
    "analysis": {},
    "disclosure": {},
    "report": {},
}


def _with(path: tuple[str | int, ...], value: object) -> dict[str, Any]:
    settings = copy.deepcopy(SMALL)
    place: Any = settings
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return settings


def _message(path: tuple[str | int, ...], value: object) -> str:
    with pytest.raises(StudyError) as caught:
        study_from(_with(path, value), name="s.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("path", "key", "right"),
    [
        (("outcomes",), "outcomes", "outcome"),
        (("study", "titel"), "study.titel", "title"),
        (("source", "formats"), "source.formats", "format"),
        (("population", "lookback_days"), "population.lookback_days", "look_back_days"),
        (("drugs", "backgrounds"), "drugs.backgrounds", "background"),
        (("drug", 0, "tail"), "drug[1].tail", "tail_days"),
        (("exposure_rule", 0, "gapdays"), "exposure_rule[1].gapdays", "gap_days"),
        (("exposure_rule", 0, "drug", "omalizumab", "taildays"), "taildays", "tail_days"),
        (("combination", "min_overlap"), "combination.min_overlap", "min_overlap_days"),
        (("outcome", 0, "lagdays"), "outcome[1].lagdays", "lag_days"),
        (("contrast", 0, "comparator"), "contrast[1].comparator", "comparator_level"),
        (("analysis", "confidence"), "analysis.confidence", "confidence_level"),
        (("disclosure", "profil"), "disclosure.profil", "profile"),
        (("report", "organization"), "report.organization", "organisation"),
    ],
)
def test_an_unknown_key_names_the_nearest_right_one_of_its_section(
    path: tuple[str | int, ...], key: str, right: str
) -> None:
    message = _message(path, 1)
    assert message.startswith("s.toml: ")
    assert "unknown key" in message
    assert key in message
    assert f"(did you mean {right!r}?)" in message


def test_a_key_that_nothing_resembles_is_refused_without_a_guess() -> None:
    assert _message(("study", "zzz"), 1) == "s.toml: unknown key 'study.zzz'"


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("population", "look_back_days"), "a year", "population.look_back_days: Input should be a valid integer"),
        (("population", "look_back_days"), -1, "population.look_back_days"),
        (("study", "id"), "Big Study", "study.id: String should match pattern"),
        (("study", "start_date"), "someday", "study.start_date"),
        (("drugs", "study"), "omalizumab", "drugs.study"),
        (("drugs", "study"), [], "drugs.study"),
        (("source", "format"), "csv", "source.format: Input should be 'native' or 'omop'"),
        (("analysis", "confidence_level"), 95, "analysis.confidence_level"),
        (("combination", "max_drugs"), 4, "combination.max_drugs"),
        (("outcome", 0, "codes"), {"ICD11": ["1"]}, "outcome[1].codes"),
        (("outcome",), [], "outcome"),
        (("exposure_rule",), [], "at least one [[exposure_rule]] is needed"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_with_its_key(path: tuple[str | int, ...], value: object, told: str) -> None:
    assert told in _message(path, value)


def test_a_missing_required_key_is_named() -> None:
    settings = copy.deepcopy(SMALL)
    del settings["study"]["title"]
    with pytest.raises(StudyError, match=r"required key 'study\.title' is missing"):
        study_from(settings, name="s.toml")


def test_every_problem_is_told_at_once() -> None:
    settings = _with(("study", "titel"), 1)
    settings["analysis"]["period_days"] = 0
    with pytest.raises(StudyError, match=r"study\.titel.*; analysis\.period_days"):
        study_from(settings, name="s.toml")


def test_the_end_must_not_be_before_the_start_and_may_be_the_same_day() -> None:
    told = _message(("study",), {"id": "s", "title": "S", "start_date": "2020-01-02", "end_date": "2020-01-01"})
    assert "study.end_date 2020-01-01 is before study.start_date 2020-01-02" in told
    told = _message(("study",), {"id": "s", "title": "S", "start_date": "2020-01-02", "data_cut": "2020-01-01"})
    assert "study.data_cut 2020-01-01 is before study.start_date 2020-01-02" in told
    same = {"id": "s", "title": "S", "start_date": "2020-01-02", "end_date": "2020-01-02", "data_cut": "2020-01-02"}
    assert study_from(_with(("study",), same), name="s").study.end_date is not None


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("population",), {"minimum_age_years": 65, "maximum_age_years": 64}, "maximum_age_years is below"),
        (("population",), {"age_band_starts": [18, 65]}, "must rise from 0"),
        (("population",), {"age_band_starts": [0, 65, 18]}, "must rise from 0"),
        (("population",), {"age_band_starts": [0, 18, 18]}, "must rise from 0"),
        (("drug", 0, "id"), "none", "drug id 'none' is reserved"),
        (("drug", 0, "id"), "all", "drug id 'all' is reserved"),
        (("outcome",), [{"id": "pneumonia"}, {"id": "pneumonia"}], "[[outcome]] id 'pneumonia' is given twice"),
        (("exposure_rule",), [{"id": "a"}, {"id": "a"}], "[[exposure_rule]] id 'a' is given twice"),
        (("contrast", 0, "outcome"), "sepsis", "names outcome 'sepsis', which is not in the study"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(path: tuple[str | int, ...], value: object, told: str) -> None:
    assert told in _message(path, value)


def test_a_missing_and_an_unreadable_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"study file not found: .*none\.toml"):
        read_study(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[study\n", encoding="utf-8")
    with pytest.raises(StudyError, match=r"broken\.toml is not a readable TOML file"):
        read_study(broken)
    broken.write_bytes(b'title = "\xff"')
    with pytest.raises(StudyError, match=r"broken\.toml is not a readable TOML file"):
        read_study(broken)


@pytest.mark.parametrize("name", ["biologic_combination", "vancomycin_piperacillin_aki"])
def test_the_studies_that_come_along_can_be_read(name: str) -> None:
    study = read_study(STUDIES / f"{name}.toml")
    assert study.study.id == name
    assert study.primary_rule == "primary"


def test_the_digest_follows_every_setting_but_not_where_the_records_lie() -> None:
    digest = study_from(SMALL, name="s").digest()
    assert len(digest) == 64
    assert study_from(SMALL, name="other name").digest() == digest
    assert study_from(_with(("source", "path"), "/elsewhere"), name="s").digest() == digest
    for path, value in (
        (("source", "format"), "omop"),
        (("study", "title"), "Other"),
        (("exposure_rule", 0, "gap_days"), 31),
        (("analysis", "confidence_level"), 0.9),
        (("report", "organisation"), "X"),
    ):
        assert study_from(_with(path, value), name="s").digest() != digest, path


def test_nearest_is_silent_when_nothing_is_near() -> None:
    assert nearest("omalizumb", ["omalizumab", "dupilumab"]) == " (did you mean 'omalizumab'?)"
    assert nearest("xyz", ["omalizumab"]) == ""
