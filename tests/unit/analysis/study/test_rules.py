"""What each exposure rule means for each drug, and which rules a grid makes."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.study.read import StudyError, study_from
from analysis.study.rules import DrugPolicy, all_rules, policy_rows, rule_rows
from analysis.study.spec import StudySpec

INFLIXIMAB = DrugPolicy(
    drug_id="infliximab", role="study", drug_class="TNF inhibitor", gap_days=28, tail_days=48, interval_days=56,
    half_life_days=9.5, washout_days=180, is_injectable=True,
)  # fmt: skip
DUPILUMAB = DrugPolicy(
    drug_id="dupilumab", role="study", drug_class="anti-IL-4R-alpha mAb", gap_days=28, tail_days=90, interval_days=14,
    half_life_days=None, washout_days=180, is_injectable=True,
)  # fmt: skip
PREDNISONE = DrugPolicy(
    drug_id="prednisone", role="background", drug_class="glucocorticoid", gap_days=30, tail_days=30, interval_days=1,
    half_life_days=0.15, washout_days=90, is_injectable=False,
)  # fmt: skip
TOFACITINIB = DrugPolicy(
    drug_id="tofacitinib", role="study", drug_class="JAK inhibitor", gap_days=30, tail_days=30, interval_days=1,
    half_life_days=0.13, washout_days=None, is_injectable=False,
)  # fmt: skip
DRUGS = [INFLIXIMAB, DUPILUMAB, PREDNISONE, TOFACITINIB]


def study(*rules: dict[str, Any], grid: dict[str, Any] | None = None) -> StudySpec:
    settings: dict[str, Any] = {
        "study": {"id": "s", "title": "S"}, "drugs": {"study": ["infliximab"]}, "outcome": [{"id": "pcp"}],
        "exposure_rule": list(rules) or [{"id": "primary"}],
    }  # fmt: skip
    return study_from(settings | ({"exposure_grid": grid} if grid else {}), name="s.toml")


def policy(rule: dict[str, Any], drug: str) -> dict[str, Any]:
    rows = policy_rows(study({"id": "primary"} | rule), DRUGS)
    return next(row for row in rows.iter_rows(named=True) if row["drug_id"] == drug)


def test_without_settings_gap_and_tail_are_the_drugs_own() -> None:
    row = policy({}, "infliximab")
    assert (row["gap_days"], row["gap_source"], row["tail_days"], row["tail_source"]) == (28, "drug", 48, "drug")


def test_a_gap_factor_is_a_multiple_of_the_interval_rounded_up() -> None:
    assert policy({"gap_factor": 0.5}, "infliximab")["gap_days"] == 28
    assert policy({"gap_factor": 0.51}, "infliximab")["gap_days"] == 29
    assert policy({"gap_factor": 0.5}, "infliximab")["gap_source"] == "interval"


def test_half_lives_make_the_tail_where_they_are_known_and_say_so_where_not() -> None:
    row = policy({"tail_half_lives": 5}, "infliximab")
    assert (row["tail_days"], row["tail_source"]) == (48, "half_life")  # 47.5, rounded up
    row = policy({"tail_half_lives": 5}, "dupilumab")
    assert (row["tail_days"], row["tail_source"]) == (90, "drug")


def test_the_narrower_setting_wins_drug_then_class_then_rule() -> None:
    rule = {
        "tail_days": 10, "drug_class": {"TNF inhibitor": {"tail_days": 20, "gap_days": 21}},
        "drug": {"infliximab": {"tail_days": 30}},
    }  # fmt: skip
    row = policy(rule, "infliximab")
    assert (row["tail_days"], row["tail_source"]) == (30, "single_drug")
    assert (row["gap_days"], row["gap_source"]) == (21, "class")
    assert policy(rule, "dupilumab")["tail_days"] == 10


def test_background_drugs_keep_their_own_gap_tail_and_merging_under_every_rule() -> None:
    row = policy({"gap_days": 90, "tail_half_lives": 5, "overlap": "stockpile"}, "prednisone")
    assert (row["gap_days"], row["tail_days"], row["overlap_handling"]) == (30, 30, "merge")


def test_a_cap_is_the_rules_or_30_days_by_mouth_or_one_interval() -> None:
    capped = {"overlap": "stockpile_capped"}
    assert policy(capped, "tofacitinib")["stockpile_cap_days"] == 30
    assert policy(capped, "infliximab")["stockpile_cap_days"] == 56
    assert policy(capped | {"stockpile_cap_days": 7}, "infliximab")["stockpile_cap_days"] == 7
    assert policy({}, "infliximab")["stockpile_cap_days"] == 0
    assert policy({"overlap": "stockpile"}, "infliximab")["stockpile_cap_days"] == 36_500


def test_a_grid_makes_a_rule_for_every_combination_beside_the_others() -> None:
    spec = study({"id": "primary", "tail_days": 5}, grid={"gap_days": [30, 60], "overlap": ["merge", "stockpile"]})
    assert [rule.id for rule in all_rules(spec)] == [
        "primary", "grid_gap30_merge", "grid_gap30_stockpile", "grid_gap60_merge", "grid_gap60_stockpile",
    ]  # fmt: skip
    assert {rule.tail_days for rule in all_rules(spec)} == {5}  # the primary rule's other settings stay
    assert rule_rows(spec)["is_primary"].to_list() == [True, False, False, False, False]


def test_a_grid_of_days_replaces_a_factor_of_the_primary_rule() -> None:
    spec = study({"id": "primary", "gap_factor": 0.5}, grid={"gap_days": [7]})
    rows = policy_rows(spec, [INFLIXIMAB])
    assert dict(zip(rows["exposure_rule"], rows["gap_days"], strict=True)) == {"primary": 28, "grid_gap7": 7}


def test_the_minimum_overlap_is_the_rules_or_that_of_the_combination() -> None:
    spec = study({"id": "primary"}, {"id": "strict", "min_overlap_days": 90})
    assert rule_rows(spec)["min_overlap_days"].to_list() == [28, 90]


def test_the_washout_is_the_narrowest_given_then_the_drugs_own_then_the_look_back() -> None:
    rule = {"washout_days": 10, "drug_class": {"TNF inhibitor": {"washout_days": 20}}}
    single = rule | {"drug": {"infliximab": {"washout_days": 0}}}

    def washout(settings: dict[str, Any], drug: str) -> tuple[int, str]:
        row = policy(settings, drug)
        return row["washout_days"], row["washout_source"]

    assert washout({}, "infliximab") == (180, "drug")
    assert washout({}, "tofacitinib") == (365, "look_back")
    assert washout(rule, "dupilumab") == (10, "rule")
    assert washout(rule, "infliximab") == (20, "class")
    assert washout(single, "infliximab") == (0, "single_drug")
    assert washout(rule, "prednisone") == (90, "drug")  # background drugs follow no rule


def test_what_follows_a_stop_is_looked_for_as_the_rule_says_or_the_analysis() -> None:
    spec = study(
        {"id": "primary"},
        {"id": "short", "after_stop_days": 90},
        {"id": "strict", "after_stop_days": 365, "restart_after_days": 60, "switch_within_days": 30},
    )
    rows = rule_rows(spec).select("after_stop_days", "restart_after_days", "switch_within_days").rows()
    assert rows == [(180, 0, 180), (90, 0, 90), (365, 60, 30)]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"gap_days": 1, "gap_factor": 1}, "gap_factor"),
        ({"tail_days": 1, "tail_half_lives": 1}, "tail_half_lives"),
        ({"stockpile_cap_days": 3}, "stockpile_capped"),
        ({"min_episode_days": 5, "max_episode_days": 4}, "max_episode_days"),
        ({"overlap": "pile"}, "stockpile"),
        ({"switch_within_days": 181}, "switch_within_days"),
        ({"after_stop_days": 90, "switch_within_days": 91}, "switch_within_days"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(StudyError, match=said):
        study({"id": "primary"} | rule)


def test_unknown_drugs_and_classes_of_a_rule_name_the_nearest() -> None:
    with pytest.raises(StudyError, match="did you mean 'TNF inhibitor'"):
        policy({"drug_class": {"TNF inhibitr": {"gap_days": 1}}}, "infliximab")
    with pytest.raises(StudyError, match="did you mean 'infliximab'"):
        policy({"drug": {"inflximab": {"gap_days": 1}}}, "infliximab")


def test_a_gap_factor_without_an_interval_is_refused() -> None:
    nameless = DrugPolicy(
        drug_id="x", role="study", drug_class="x", gap_days=1, tail_days=1, interval_days=None, half_life_days=None,
        washout_days=None, is_injectable=False,
    )  # fmt: skip
    with pytest.raises(StudyError, match="interval_days of 'x'"):
        policy_rows(study({"id": "primary", "gap_factor": 1}), [nameless])


def test_a_grid_rule_with_the_name_of_another_is_refused() -> None:
    with pytest.raises(StudyError, match="grid_gap30"):
        all_rules(study({"id": "primary"}, {"id": "grid_gap30"}, grid={"gap_days": [30]}))
