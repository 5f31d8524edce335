"""The comparison from time zero against planted confounding, hand-counted periods and what must be refused."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from analysis.analyses.time_zero import METHODS, time_zero_comparison
from analysis.analyses.time_zero_groups import ANALYSIS, groups_of_rule
from analysis.analyses.time_zero_periods import in_periods
from analysis.estimate.result import Estimate, EstimationError
from analysis.study.comparison import Comparison, Diagnostics
from analysis.study.read import study_from
from analysis.study.spec import StudySpec

SETS, DRAWN = 600, 4


def _spec(**sections: object) -> StudySpec:
    settings = {
        "study": {"id": "s", "title": "S"},
        "drugs": {"study": ["omalizumab", "dupilumab"]},
        "outcome": [{"id": "infection", "terms": ["x"]}],
        "contrast": [{"id": "c", "estimator": ANALYSIS, "outcome": "infection"}],
    }
    return study_from(settings | sections, name="s.toml")


def _world(
    *, ratio: float = 1.0, confounding: float = 1.0, seed: int = 1, hidden: bool = False, outcomes: int = 1
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Sets of one who adds a drug and four who do not; days on steroids raise the chance of adding and the monthly risk."""
    rng = np.random.default_rng(seed)
    added = np.tile([True, *[False] * DRAWN], SETS)
    steroid = rng.normal(loc=np.where(added, 0.6, 0.0))
    members = pl.DataFrame(
        {
            "exposure_rule": "primary",
            "set_number": np.repeat(np.arange(1, SETS + 1), DRAWN + 1),
            "member_number": np.tile(np.arange(DRAWN + 1), SETS),
            "person_id": np.arange(added.size),
            "is_combination": added,
            "drug_id": "omalizumab",
            "indication": "asthma",
            "sex": rng.choice(["F", "M"], added.size),
            "age_years": rng.integers(20, 80, added.size),
            "calendar_year": rng.integers(2016, 2024, added.size),
            "drug_days": rng.integers(30, 900, added.size),
            "broad_count": 0,
            "charlson_score": 0,
            "hospital_days": None,
            "steroid_days": 0.0 if hidden else 100 + 30 * steroid,
            "prior_event_count": 0,
        },
        schema_overrides={"hospital_days": pl.Int64},
    )
    times = []
    for number in range(outcomes):
        monthly = 0.02 * (1.0 if number else ratio) ** added * np.exp(confounding * steroid)
        month = rng.geometric(np.clip(monthly / (1 + monthly), 1e-9, 1.0))
        times.append(
            members.select("exposure_rule", "set_number", "member_number", "person_id", "is_combination").with_columns(
                population=pl.lit("as_treated"), outcome_id=pl.lit("infection" if not number else f"nc{number}"),
                start_day=pl.lit(0), stop_day=pl.Series(np.minimum(month, 12) * 30),
                event_count=pl.Series((month <= 12).astype(np.int64)),
                ending=pl.Series(np.where(month <= 12, "event", "censored")),
            )
        )  # fmt: skip
    return members, pl.concat(times)


def _ratios(estimates: list[Estimate], outcome: str = "infection") -> dict[str, Estimate]:
    return {
        e.answer.method: e
        for e in estimates
        if e.question.estimand == "odds_ratio"
        and e.question.outcome_id == outcome
        and e.question.population == "as_treated"
    }


def _found(world: tuple[pl.DataFrame, pl.DataFrame], spec: StudySpec | None = None, **more: object):  # type: ignore[no-untyped-def]
    settings = {"rules": ["primary"], "negative_controls": [], "assessable": ["infection"]} | more
    return time_zero_comparison(*world, spec or _spec(), **settings)  # type: ignore[arg-type]


def test_what_confounds_is_removed_where_it_is_recorded_and_the_planted_ratio_comes_back() -> None:
    logs: dict[str, list[float]] = {method: [] for method in METHODS.values()}
    for seed in range(6):
        ratios = _ratios(_found(_world(ratio=2.0, confounding=0.7, seed=seed))[0])
        for method in METHODS.values():
            logs[method].append(math.log(ratios[method].answer.value or math.nan))
    means = {method: math.exp(np.mean(values)) for method, values in logs.items()}
    assert means[METHODS["crude"]] > 2.5  # the confounder takes its part
    assert means[METHODS["overlap"]] == pytest.approx(2.0, rel=0.1)
    assert means[METHODS["matched"]] == pytest.approx(2.0, rel=0.12)


def test_an_unbalanced_comparison_fails_and_a_balanced_one_does_not() -> None:
    estimates, diagnostics = _found(_world(ratio=1.5, confounding=0.7))
    ratios = _ratios(estimates)
    crude = ratios[METHODS["crude"]].answer
    assert crude.status == "gate_failed" and "steroid days, above 0.1" in crude.reason and crude.value is not None
    assert ratios[METHODS["overlap"]].answer.status == "ok"
    assert ratios[METHODS["overlap"]].answer.reason == "hospital days not known"
    failed = {(r.diagnostic, r.item) for r in diagnostics if r.status == "fail" and "carried_forward" not in r.item}
    assert failed == {
        ("standardised_difference", "covariate=steroid_days;exposure_rule=primary;method=crude"),
    }


def test_negative_controls_show_a_confounder_that_is_not_recorded() -> None:
    controls = [f"nc{number}" for number in range(1, 13)]
    world = _world(ratio=1.0, confounding=0.9, hidden=True, outcomes=13)
    estimates, _ = _found(world, negative_controls=controls)
    overlap = _ratios(estimates)[METHODS["overlap"]].answer
    assert overlap.status == "gate_failed" and "12 negative controls" in overlap.reason
    calibrated = _ratios(estimates)[f"{METHODS['overlap']}_calibrated"].answer
    assert overlap.value and calibrated.value and overlap.lower and overlap.lower > 1.0
    assert calibrated.lower and calibrated.lower < 1.0 < calibrated.upper  # type: ignore[operator]
    honest = _found(_world(ratio=1.0, confounding=0.0, hidden=True, outcomes=13), negative_controls=controls)
    assert _ratios(honest[0])[METHODS["overlap"]].answer.status == "ok"
    error = [row for row in honest[1] if row.diagnostic == "expected_systematic_error" and "overlap" in row.item]
    assert error[0].status == "pass"


def test_too_small_a_study_is_not_read() -> None:
    members, time = _world()
    few = members.filter(pl.col("set_number") <= 4)
    quiet = time.with_columns(event_count=(pl.col("person_id") == 2).cast(pl.Int64)).with_columns(
        ending=pl.when(pl.col("event_count") == 1).then(pl.lit("event")).otherwise(pl.lit("censored"))
    )
    estimates, diagnostics = _found((few, quiet))
    row = next(row for row in diagnostics if row.diagnostic == "minimal_detectable_ratio")
    assert row.status == "fail" and row.value is not None and row.value > 10
    exact = _ratios(estimates)["pooled_periods_exact_conditional"].answer
    assert exact.value == 0.0 and exact.upper is not None and exact.status == "gate_failed"
    assert "no ratio up to 10 could be detected" in exact.reason


def test_exposure_that_is_told_without_error_has_no_score_and_says_why() -> None:
    members, time = _world()
    told = members.with_columns(indication=pl.when("is_combination").then(pl.lit("ibd")).otherwise(pl.lit("asthma")))
    ratios = _ratios(_found((told, time))[0])
    for way in ("overlap", "matched"):
        answer = ratios[METHODS[way]].answer
        assert answer.status == "not_estimable" and "indication ibd" in answer.reason


def test_nobody_who_adds_a_drug_and_nobody_to_compare_with() -> None:
    members, time = _world()
    alone = members.filter(pl.col("is_combination"))
    answers = _ratios(_found((alone, time))[0])
    assert {a.answer.reason for a in answers.values()} == {"nobody who adds a drug has a comparator"}
    answers = _ratios(_found((members.clear(), time.clear()))[0])
    assert {a.answer.reason for a in answers.values()} == {"nobody adds a drug"}


def test_without_outcome_tables_it_is_not_assessable_and_unasked_it_is_empty() -> None:
    estimates, _ = _found(_world(), assessable=[])
    assert {e.answer.status for e in estimates if e.question.outcome_id} == {"not_assessable"}
    assert _found(_world(), _spec(contrast=[])) == ([], [])


def test_those_without_a_comparator_are_counted() -> None:
    members, time = _world()
    lonely = members.filter((pl.col("set_number") > 10) | pl.col("is_combination"))
    counts = {e.question.level: e.answer.value for e in _found((lonely, time))[0] if e.question.estimand == "count"}
    assert counts == {"added a drug": SETS, "added a drug and have a comparator": SETS - 10}


def test_a_covariate_that_one_person_lacks_is_refused() -> None:
    members, _ = _world()
    holed = members.with_columns(
        charlson_score=pl.when(pl.col("person_id") == 7).then(None).otherwise("charlson_score")
    )
    with pytest.raises(EstimationError, match="charlson_score is missing"):
        groups_of_rule(holed, "primary", Comparison(), Diagnostics())


def test_a_person_who_serves_in_several_sets_is_one_cluster() -> None:
    members, time = _world(ratio=1.5)
    twice = members.with_columns(person_id=pl.col("person_id") % 900)
    wide, narrow = (_ratios(_found((frame, time))[0])[METHODS["crude"]].answer for frame in (twice, members))
    assert wide.value == pytest.approx(narrow.value)
    assert wide.standard_error != pytest.approx(narrow.standard_error, rel=1e-3)
    assert (wide.person_count, narrow.person_count) == (900, SETS * (DRAWN + 1))


def test_periods_by_hand() -> None:
    """30-day periods from the lag on: of 100 days from day 7 to 107 four begin, on days 7, 37, 67 and 97."""
    held = pl.DataFrame(
        {"start_day": [7, 7, 0], "stop_day": [107, 30, 400], "event_count": [1, 0, 1], "is_combination": [1, 0, 1]}
    )
    rows = in_periods(held, period_days=30).select("stop_day", "from_day_90", "from_day_365", "event", "period_count")
    assert rows.rows() == [
        (107, 0.0, 0.0, 0, 3), (107, 1.0, 0.0, 1, 1),
        (30, 0.0, 0.0, 0, 1),
        (400, 0.0, 0.0, 0, 3), (400, 1.0, 0.0, 0, 10), (400, 1.0, 1.0, 1, 1),
    ]  # fmt: skip
