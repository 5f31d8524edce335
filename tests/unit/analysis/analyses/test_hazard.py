"""Hazard ratios of a second study drug: exposure split in time, what adjusts it, what tests it, and pairs."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from analysis.analyses.hazard import (
    ADJUSTED_FOR,
    ADJUSTED_METHOD,
    METHOD,
    NAIVE_METHOD,
    time_varying_hazard,
    with_baseline,
)
from analysis.analyses.joint_hazard import joint_hazards
from analysis.estimate.result import Estimate, EstimationError
from analysis.study.spec import Contrast

CONTRAST = Contrast(id="second", estimator="time_varying_cox", outcome="infection", ladder="study_drugs")
PERSONS = 3_000


def _world(*, ratio: float = 1.0, seed: int = 1, confounding: float = 0.0, late: float = 1.0) -> pl.DataFrame:
    """Persons on one drug from day 0, some of whom add a second on a random day; follow-up ends on day 720.

    Daily hazard 1/1000, times the ratio while on two, times exp(confounding x age), which raises adding too; `late`
    multiplies the ratio after day 365.
    """
    rng = np.random.default_rng(seed)
    age = rng.normal(size=PERSONS)
    added = rng.exponential(400 / np.exp(confounding * age)).astype(int) + 1
    rows = []
    for person in range(PERSONS):
        base = np.exp(confounding * age[person]) / 1000
        cuts = sorted({0, min(added[person], 720), 365, 720})
        for start, stop in pairwise(cuts):
            on_two = start >= added[person]
            hazard = base * (ratio * (late if start >= 365 else 1.0) if on_two else 1.0)
            wait = int(np.floor(rng.exponential(1 / hazard))) + 1
            event = wait <= stop - start
            rows.append((person, start, start + wait if event else stop, 2 if on_two else 1, int(event), age[person]))
            if event:
                break
    frame = pl.DataFrame(
        rows, orient="row",
        schema=["person_id", "start_day", "stop_day", "risk_drug_count", "event_count", "age_years"],
    )  # fmt: skip
    named = frame.with_columns(
        exposure_rule=pl.lit("primary"), population=pl.lit("from_first"), outcome_id=pl.lit("infection")
    )
    return named.with_columns(pl.lit(0.0).alias(name) for name in ADJUSTED_FOR if name != "age_years")


def _found(frame: pl.DataFrame) -> tuple[dict[str, Estimate], list[Estimate], list[str]]:
    estimates, diagnostics = time_varying_hazard(
        frame, CONTRAST, rules=["primary"], confidence=0.95, is_assessable=True
    )
    whole = {
        e.answer.method: e
        for e in estimates
        if e.question.stratum == "ladder=study_drugs"
        and e.question.estimand == "hazard_ratio"
        and e.question.level == ">=2"
    }
    pieces = [e for e in estimates if "period=" in e.question.stratum]
    assert len({e.estimate_id for e in estimates}) == len(estimates)
    return whole, pieces, [row.status for row in diagnostics]


def test_the_planted_ratio_comes_back_and_the_naive_one_is_far_below() -> None:
    whole, _, _ = _found(_world(ratio=2.0))
    answer = whole[METHOD].answer
    assert answer.lower is not None and answer.upper is not None and answer.lower < 2.0 < answer.upper
    naive = whole[NAIVE_METHOD].answer
    assert naive.value is not None and naive.value < 1.0
    assert "immortal time" in naive.reason


def test_what_confounds_is_taken_off_where_it_is_recorded() -> None:
    frame = _world(ratio=1.5, confounding=0.8)
    whole, _, _ = _found(frame)
    crude, adjusted = whole[METHOD].answer, whole[ADJUSTED_METHOD].answer
    assert crude.lower is not None and crude.lower > 1.5
    assert adjusted.value == pytest.approx(1.5, rel=0.15)
    unknown = frame.with_columns(hospital_days=pl.lit(None, pl.Float64))
    assert _found(unknown)[0][ADJUSTED_METHOD].answer.reason.endswith("not adjusted for hospital days")


def test_a_ratio_that_changes_fails_the_test_and_shows_in_its_periods() -> None:
    _, pieces, status = _found(_world(ratio=4.0, late=0.125))
    assert status == ["fail"]
    values = {e.question.stratum.split("=")[-1]: e.answer.value for e in pieces}
    assert list(values) == ["days 1 to 90", "days 91 to 365", "days 366 on"]
    assert values["days 91 to 365"] > 2.5 and values["days 366 on"] < 1.0  # type: ignore[operator]
    _, _, honest = _found(_world(ratio=2.0))
    assert honest == ["pass"]


def test_days_on_no_study_drug_are_compared_with_days_on_one() -> None:
    frame = _world(ratio=2.0).with_columns(risk_drug_count=pl.col("risk_drug_count").replace(2, 0))
    estimates, _ = time_varying_hazard(frame, CONTRAST, rules=["primary"], confidence=0.95, is_assessable=True)
    (found,) = [e for e in estimates if e.question.level == "0"]
    assert found.answer.lower is not None and found.answer.upper is not None
    assert found.answer.lower < 2.0 < found.answer.upper


def test_without_events_nothing_is_told_and_without_outcome_tables_nothing_is_assessable() -> None:
    quiet = _world().with_columns(event_count=pl.lit(0, pl.Int64))
    whole, pieces, status = _found(quiet)
    assert {e.answer.status for e in [*whole.values(), *pieces]} == {"not_estimable"}
    assert status == ["not_assessable"]
    estimates, _ = time_varying_hazard(quiet, CONTRAST, rules=["primary"], confidence=0.95, is_assessable=False)
    assert [e.answer.status for e in estimates] == ["not_assessable"]


def test_covariates_are_those_of_entry_and_nobody_goes_without() -> None:
    time = pl.DataFrame({"exposure_rule": ["r"], "person_id": [1]})
    entry = pl.DataFrame(
        {
            "exposure_rule": ["r"],
            "person_id": [1],
            "entry_date": [dt.date(2020, 1, 1)],
            "sex": ["F"],
            "age_years": [50],
            "calendar_year": [2020],
        }
    )
    baseline = pl.DataFrame(
        {
            "exposure_rule": ["r"] * 2, "person_id": [1] * 2, "baseline_date": [dt.date(2020, 1, 1), dt.date(2020, 6, 1)],
            "charlson_score": [2, 9], "hospital_days": [3, 9], "steroid_days": [4, 9], "prior_event_count": [1, 0],
        }
    )  # fmt: skip
    assert with_baseline(time, entry, baseline).select(ADJUSTED_FOR).row(0) == (50, 1, 2020, 2, 3, 4, 1)
    with pytest.raises(EstimationError, match="age_years is missing"):
        with_baseline(time, entry.with_columns(person_id=pl.lit(2, pl.Int64)), baseline)


def _pair_world(ratio_of_ratios: float) -> pl.DataFrame:
    """Four groups of equal size with hazards 1, 2, 1.5 and 3 times the ratio of ratios, followed for a year."""
    rng = np.random.default_rng(3)
    hazards = {"none": 1.0, "a": 2.0, "b": 1.5, "a+b": 3.0 * ratio_of_ratios}
    parts = []
    for number, (regimen, factor) in enumerate(hazards.items()):
        wait = np.floor(rng.exponential(1000 / factor, size=4_000)).astype(int) + 1
        parts.append(
            pl.DataFrame(
                {
                    "person_id": np.arange(4_000) + 10_000 * number, "start_day": 0, "stop_day": np.minimum(wait, 365),
                    "event_count": (wait <= 365).astype(int), "risk_regimen_id": regimen,
                }
            )
        )  # fmt: skip
    return pl.concat(parts).with_columns(
        exposure_rule=pl.lit("primary"), population=pl.lit("from_first"), outcome_id=pl.lit("infection")
    )


@pytest.mark.parametrize("planted", [1.0, 2.0])
def test_pairs_give_back_each_ratio_and_how_the_two_combine(planted: float) -> None:
    estimates = joint_hazards(
        _pair_world(planted), ["infection"], rule="primary", minimum_persons=10, confidence=0.95, is_assessable=True
    )
    found = {(e.question.estimand, e.question.level): e.answer for e in estimates}
    for level, truth in (("a", 2.0), ("b", 1.5), ("a+b", 3.0 * planted)):
        assert found["hazard_ratio", level].value == pytest.approx(truth, rel=0.12)
    assert found["ratio_of_ratios", ""].value == pytest.approx(planted, rel=0.2)
    reri = 3.0 * planted - 2.0 - 1.5 + 1.0
    answer = found["reri", ""]
    assert answer.lower is not None and answer.upper is not None and answer.lower < reri < answer.upper
    assert all(e.question.regimen_id == "a+b" for e in estimates)


def test_a_pair_that_few_take_has_no_rows() -> None:
    few = _pair_world(1.0).filter((pl.col("risk_regimen_id") != "a+b") | (pl.col("person_id") < 30_009))
    assert joint_hazards(
        few, ["infection"], rule="primary", minimum_persons=10, confidence=0.95, is_assessable=True
    ) == []  # fmt: skip
