"""Odds ratios of matched sets: the levels compared, Firth where cells are small, and the counts beside each."""

from __future__ import annotations

import math

import polars as pl
import pytest

from analysis.analyses.matched import ADJUSTED_FOR, ADJUSTED_METHOD, matched_odds_ratios, with_covariates
from analysis.estimate.result import Estimate, EstimationError
from analysis.study.spec import Contrast

CONTRAST = Contrast(id="m", estimator="matched_odds_ratio", outcome="infection", ladder="toruner")
CONDITIONAL, FIRTH, CRUDE = "conditional_logistic_profile", "firth_conditional_logistic_profile", "crude_woolf"


def _sets(
    pairs: dict[tuple[int, int], int], *, design: str = "incidence_density", rule: str = "primary"
) -> pl.DataFrame:
    """Matched pairs: (level of the case, level of its control) -> number of pairs; every person serves once."""
    rows = []
    for (case, control), count in pairs.items():
        for _ in range(count):
            number = len(rows) // 2 + 1
            rows += [(number, 0, True, 2 * number, case), (number, 1, False, 2 * number + 1, control)]
    frame = pl.DataFrame(
        rows, schema=["set_number", "control_number", "is_case", "person_id", "toruner_count"], orient="row"
    )
    named = frame.with_columns(exposure_rule=pl.lit(rule), outcome_id=pl.lit("infection"), design=pl.lit(design))
    return named.with_columns(pl.lit(0.0).alias(name) for name in ADJUSTED_FOR)


def _found(
    sets: pl.DataFrame, contrast: Contrast = CONTRAST, *, small_cell: int = 5, is_assessable: bool = True
) -> dict[tuple[str, str], Estimate]:
    estimates = matched_odds_ratios(
        sets, contrast, rules=["primary"], confidence=0.95, small_cell=small_cell, is_assessable=is_assessable
    )
    found = {(e.question.level, e.answer.method): e for e in estimates if e.question.estimand == "odds_ratio"}
    assert len({e.estimate_id for e in estimates}) == len(estimates)
    return found


def test_in_pairs_the_odds_ratio_is_that_of_the_discordant_pairs() -> None:
    found = _found(_sets({(1, 0): 30, (0, 1): 10, (1, 1): 7, (0, 0): 9}))
    answer = found["1", CONDITIONAL].answer
    assert answer.value == pytest.approx(3.0, rel=1e-9)  # McNemar: 30 / 10
    assert answer.event_count == 56 and answer.person_count == 112
    assert found["1", CRUDE].answer.value == pytest.approx(37 * 39 / (17 * 19), rel=1e-12)
    assert found["per level", CONDITIONAL].answer.value == pytest.approx(3.0, rel=1e-9)


def test_the_e_value_is_that_of_the_adjusted_ratio_and_its_lower_limit() -> None:
    sets = _sets({(1, 0): 30, (0, 1): 10})
    estimates = matched_odds_ratios(
        sets, CONTRAST, rules=["primary"], confidence=0.95, small_cell=5, is_assessable=True
    )
    adjusted = _found(sets)["1", ADJUSTED_METHOD].answer
    (found,) = [e.answer for e in estimates if e.question.estimand == "e_value" and e.question.level == "1"]
    assert adjusted.lower is not None
    assert found.value == pytest.approx(3 + math.sqrt(6), rel=1e-9)
    assert found.lower == pytest.approx(adjusted.lower + math.sqrt(adjusted.lower * (adjusted.lower - 1)), rel=1e-9)


def test_covariates_that_do_not_vary_leave_the_odds_ratio_as_it_is_and_others_move_it() -> None:
    sets = _sets({(1, 0): 30, (0, 1): 10})
    assert _found(sets)["1", ADJUSTED_METHOD].answer.value == pytest.approx(3.0, rel=1e-9)
    # a covariate that goes with exposure in three quarters of the members takes a part of its effect
    related = sets.with_columns(
        charlson_score=((pl.col("toruner_count") + (pl.col("set_number") % 4 == 0)) % 2).cast(pl.Float64)
    )
    moved = _found(related)["1", ADJUSTED_METHOD].answer.value
    assert moved is not None and abs(moved - 3.0) > 1e-3
    assert _found(related)["1", CONDITIONAL].answer.value == pytest.approx(3.0, rel=1e-9)


def test_an_adjusted_ratio_says_which_covariate_the_source_lacks_and_without_any_is_not_assessable() -> None:
    sets = _sets({(1, 0): 30, (0, 1): 10}).with_columns(hospital_days=pl.lit(None, pl.Float64))
    answer = _found(sets)["1", ADJUSTED_METHOD].answer
    assert answer.value == pytest.approx(3.0, rel=1e-9)
    assert answer.reason == "not adjusted for hospital days (the source has no visits)"
    found = _found(sets.with_columns(charlson_score=pl.lit(None, pl.Float64)))
    assert found["1", ADJUSTED_METHOD].answer.status == "not_assessable"
    assert "no diagnoses" in found["1", ADJUSTED_METHOD].answer.reason
    assert found["1", CONDITIONAL].answer.value == pytest.approx(3.0, rel=1e-9)


def test_a_case_without_a_control_is_counted_and_moves_no_ratio() -> None:
    paired = _sets({(1, 0): 30, (0, 1): 10})
    alone = paired.filter("is_case").with_columns(
        set_number=pl.col("set_number") + 1000, person_id=pl.col("person_id") + 1000
    )
    sets = pl.concat([paired, alone])
    for key, estimate in _found(paired).items():
        assert _found(sets)[key].answer == estimate.answer
    estimates = matched_odds_ratios(
        sets, CONTRAST, rules=["primary"], confidence=0.95, small_cell=5, is_assessable=True
    )
    counts = {e.question.level: e.answer.value for e in estimates if e.question.estimand == "count"}
    assert counts == {"cases": 80, "cases without a control": 40, "controls": 40}


def test_a_control_who_serves_twice_is_one_person() -> None:
    sets = _sets({(1, 0): 2}).with_columns(person_id=pl.when("is_case").then("person_id").otherwise(99))
    estimates = matched_odds_ratios(
        sets, CONTRAST, rules=["primary"], confidence=0.95, small_cell=5, is_assessable=True
    )
    (controls,) = [e.answer for e in estimates if e.question.level == "controls"]
    assert (controls.value, controls.person_count) == (2, 1)


def test_covariates_are_those_of_the_person_under_the_rule_and_nobody_goes_without() -> None:
    sets = _sets({(1, 0): 1}).drop(ADJUSTED_FOR).with_columns(index_date=pl.date(2021, 1, 1))
    key = {"exposure_rule": ["primary", "primary", "other"], "person_id": [2, 3, 2]}
    basis = pl.DataFrame(key).with_columns(birth_date=pl.date(1981, 1, 1), entry_date=pl.date(2020, 1, 1))
    at_entry = pl.DataFrame(
        key | {"charlson_score": [4, 0, 9], "hospital_days": [0, 7, 9], "prior_event_count": [3, 0, 0]}
    ).with_columns(baseline_date=pl.date(2020, 1, 1))
    later = at_entry.with_columns(baseline_date=pl.date(2020, 6, 1), charlson_score=pl.lit(99, pl.Int64))
    baseline = pl.concat([at_entry, later])
    found = with_covariates(sets, basis, baseline).sort("person_id").select(ADJUSTED_FOR).rows()
    assert found == [(14610 / 365.25, 4.0, 0.0, 1.0), (14610 / 365.25, 0.0, 7.0, 0.0)]
    with pytest.raises(EstimationError, match="no covariates"):
        with_covariates(sets, basis, baseline.filter(pl.col("person_id") == 2))


def test_each_level_is_compared_with_none_and_two_are_told_beside_two_or_more() -> None:
    found = _found(_sets({(1, 0): 20, (0, 1): 10, (2, 0): 24, (0, 2): 8, (3, 0): 18, (0, 3): 6}))
    values = {level: found[level, CONDITIONAL].answer.value for level in ("1", ">=2", "2", ">=3")}
    assert values == {
        level: pytest.approx(value, rel=1e-9) for level, value in {"1": 2, ">=2": 3, "2": 3, ">=3": 3}.items()
    }
    assert found["2", CONDITIONAL].answer.event_count == 24 + 10 + 8 + 6, "cases at either level"
    assert {e.question.comparator_id for (level, _), e in found.items() if level != "per level"} == {"0"}
    assert found["per level", CONDITIONAL].question.comparator_id == ""


def test_against_one_agent_none_is_a_level_of_its_own() -> None:
    contrast = CONTRAST.model_copy(update={"comparator_level": "1"})
    found = _found(_sets({(1, 0): 20, (0, 1): 10, (2, 1): 24, (1, 2): 8}), contrast)
    assert found["0", CONDITIONAL].answer.value == pytest.approx(0.5, rel=1e-9)
    assert found[">=2", CONDITIONAL].answer.value == pytest.approx(3.0, rel=1e-9)


def test_firth_is_made_where_a_level_has_few_cases_or_controls_and_only_there() -> None:
    few = _found(_sets({(1, 0): 4, (0, 1): 0, (0, 0): 20}))
    answer = few["1", FIRTH].answer
    assert few["1", CONDITIONAL].answer.status == "limit_only"
    assert answer.status == "ok" and answer.value is not None and 1 < answer.value < math.inf
    many = _found(_sets({(1, 0): 30, (0, 1): 10}), small_cell=5)
    assert ("1", FIRTH) not in many
    assert ("1", FIRTH) in _found(_sets({(1, 0): 30, (0, 1): 10}), small_cell=11)


def test_a_level_that_nobody_has_is_not_estimable_with_its_reason() -> None:
    answer = _found(_sets({(1, 0): 30, (0, 1): 10}))[">=2", CONDITIONAL].answer
    assert answer.status == "not_estimable" and answer.reason.startswith("level >=2 ")


def test_cases_controls_and_cases_without_a_control_are_counted() -> None:
    sets = _sets({(1, 0): 3, (0, 1): 2}).filter(pl.col("is_case") | (pl.col("set_number") > 2))
    estimates = matched_odds_ratios(
        sets, CONTRAST, rules=["primary"], confidence=0.95, small_cell=5, is_assessable=True
    )
    counts = {e.question.level: e.answer.value for e in estimates if e.question.estimand == "count"}
    assert counts == {"cases": 5, "cases without a control": 2, "controls": 3}


def test_rules_outcomes_and_designs_are_apart() -> None:
    sets = pl.concat(
        [
            _sets({(1, 0): 30, (0, 1): 10}),
            _sets({(1, 0): 10, (0, 1): 10}, rule="other"),
            _sets({(1, 0): 90, (0, 1): 10}, design="toruner_replica"),
            _sets({(1, 0): 90, (0, 1): 10}).with_columns(outcome_id=pl.lit("fever")),
        ]
    )
    estimates = matched_odds_ratios(
        sets, CONTRAST, rules=["primary", "other"], confidence=0.95, small_cell=0, is_assessable=True
    )
    values = {
        e.question.exposure_rule: e.answer.value
        for e in estimates
        if e.question.level == "1" and e.answer.method == CONDITIONAL
    }
    assert values == {"primary": pytest.approx(3.0), "other": pytest.approx(1.0)}
    replica = CONTRAST.model_copy(update={"estimator": "toruner_replica_odds_ratio"})
    found = _found(sets, replica)["1", CONDITIONAL]
    assert found.answer.value == pytest.approx(9.0) and found.question.population == "toruner_replica"


def test_without_a_case_every_level_says_so() -> None:
    estimates = matched_odds_ratios(
        _sets({(0, 0): 1}).clear(), CONTRAST, rules=["primary"], confidence=0.95, small_cell=5, is_assessable=True
    )
    ratios = [e for e in estimates if e.question.estimand == "odds_ratio"]
    assert {e.question.level for e in ratios} == {"1", ">=2", "2", ">=3", "per level"}
    assert {e.answer.status for e in ratios} == {"not_estimable"}
    assert {e.answer.value for e in estimates if e.question.estimand == "count"} == {0.0}


def test_without_records_that_could_hold_the_outcome_nothing_is_assessed() -> None:
    found = _found(_sets({(1, 0): 1}), is_assessable=False)
    assert {level for level, _ in found} == {"1", ">=2"}
    assert {e.answer.status for e in found.values()} == {"not_assessable"}
