"""Subgroups of the hazard ratio: who falls where, a planted difference found and no other, and what is only described."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest

from analysis.analyses.hazard import with_baseline
from analysis.analyses.subgroup import VARIABLES, subgroup_hazards, with_subgroups
from analysis.estimate.result import Answer, Estimate, result_frame
from analysis.study.read import StudyError
from analysis.study.spec import Contrast
from tests.whole_run import small_study

CONTRAST = Contrast(id="second", estimator="time_varying_cox", outcome="infection", ladder="study_drugs")
BANDS = pl.DataFrame({"age_band": ["00-49", "50+"], "from_age": [0, 50], "below_age": [50, 200]})
LEVELS = {
    "indication": ["asthma", "psoriasis", "several"], "age_band": ["00-49", "50+"], "sex": ["F", "M"],
    "steroids": ["no", "yes"], "earlier_outcome": ["no", "yes"], "entry_period": ["before 2020", "2020 on"],
}  # fmt: skip


def world(*, ratios: dict[str, float], persons: int = 6_000, seed: int = 1) -> pl.DataFrame:
    """Persons of random subgroups on one drug from day 0; half add a second on a random day; followed for 720 days.

    Daily hazard 1/1000, times the ratio of the person's sex while on two.
    """
    rng = np.random.default_rng(seed)
    drawn = {name: rng.choice(levels, persons) for name, levels in LEVELS.items()}
    ratio = np.array([ratios[each] for each in drawn["sex"]])
    added = np.where(rng.random(persons) < 0.5, rng.integers(1, 360, persons), 720)
    first = np.floor(rng.exponential(1000, persons)).astype(int) + 1
    second = added + np.floor(rng.exponential(1000 / ratio)).astype(int) + 1
    names = pl.DataFrame(drawn).with_columns(person_id=np.arange(persons))
    before = pl.DataFrame(
        {
            "person_id": np.arange(persons), "start_day": 0 * added, "stop_day": np.minimum(first, added),
            "event_count": (first <= added).astype(int), "risk_drug_count": 1,
        }
    )  # fmt: skip
    after = pl.DataFrame(
        {
            "person_id": np.arange(persons), "start_day": added, "stop_day": np.minimum(second, 720),
            "event_count": (second <= 720).astype(int), "risk_drug_count": 2,
        }
    ).filter((first > added) & (added < 720))  # fmt: skip
    return (
        pl.concat([before, after])
        .join(names, on="person_id")
        .with_columns(exposure_rule=pl.lit("primary"), population=pl.lit("from_first"), outcome_id=pl.lit("infection"))
    )


def estimates(frame: pl.DataFrame, **changed: Any) -> list[Estimate]:
    """The estimates of a world under the primary rule."""
    settings = {"rule": "primary", "minimum_events": 10, "confidence": 0.95, "is_assessable": True} | changed
    return subgroup_hazards(frame, CONTRAST, **settings)


def _answers(found: list[Estimate], estimand: str, level: str = ">=2") -> dict[str, Answer]:
    return {
        e.question.stratum.replace("ladder=study_drugs", "").strip(";"): e.answer
        for e in found
        if e.question.estimand == estimand and e.question.level == level
    }


def test_an_effect_in_one_subgroup_only_is_found_there_and_only_its_variable_differs() -> None:
    """40 worlds: limits hold the planted ratios, the test of sex always fires, those of the five other variables by chance alone."""
    held, fired, by_chance = {"F": 0, "M": 0}, 0, 0
    planted = {"F": 3.0, "M": 1.0}
    for seed in range(40):
        found = estimates(world(ratios=planted, persons=2_000, seed=seed))
        ratios, tests = _answers(found, "hazard_ratio"), _answers(found, "test")
        assert {name.removeprefix("by=") for name in tests} == set(VARIABLES)
        for sex, ratio in planted.items():
            answer = ratios[f"sex={sex}"]
            assert answer.lower is not None and answer.upper is not None
            held[sex] += answer.lower < ratio < answer.upper
        p = {name: answer.p_value or 0.0 for name, answer in tests.items()}
        fired += p.pop("by=sex") < 1e-4
        by_chance += sum(each < 0.05 for each in p.values())
    assert fired == 40
    assert min(held.values()) >= 33  # 38 expected; limit of a binomial at 99.9 %
    assert by_chance <= 21  # of 200, 10 expected; the same


def test_the_same_effect_in_all_is_no_interaction_and_comes_back_in_each() -> None:
    found = estimates(world(ratios={"F": 2.0, "M": 2.0}, seed=4))
    assert min(answer.p_value or 0.0 for answer in _answers(found, "test").values()) > 0.05 / len(VARIABLES)
    for name, answer in _answers(found, "hazard_ratio").items():
        assert answer.lower is not None and answer.upper is not None
        assert answer.lower < 2.0 < answer.upper, name


def test_counts_of_the_subgroups_of_a_variable_add_up_to_everybody() -> None:
    frame = world(ratios={"F": 2.0, "M": 2.0}, persons=900)
    found = estimates(frame)
    events = {name: answer.event_count or 0 for name, answer in _answers(found, "hazard_ratio").items()}
    for variable in VARIABLES:
        assert sum(count for name, count in events.items() if name.startswith(variable)) == frame["event_count"].sum()
    for level, count in (("1", 1), (">=2", 2)):
        rates = _answers(found, "incidence_rate_per_100py", level)
        own = frame.filter(pl.col("risk_drug_count") == count)
        assert rates["sex=F"].event_count == own.filter(pl.col("sex") == "F")["event_count"].sum()
    assert len(result_frame(found, study_digest="d")) == len(found)


def test_a_subgroup_with_few_events_is_described_and_not_estimated() -> None:
    frame = world(ratios={"F": 2.0, "M": 2.0}, persons=900)
    few = frame.filter((pl.col("sex") != "M") | (pl.col("event_count") == 0) | (pl.col("person_id") < 60))
    events = few.filter(pl.col("sex") == "M")["event_count"].sum()
    assert 0 < events < 40
    found = estimates(few, minimum_events=events + 1)
    told = _answers(found, "hazard_ratio")["sex=M"]
    assert (told.status, told.event_count, told.value) == ("not_estimable", events, None)
    assert f"at least {events + 1} are needed" in told.reason
    rates = [_answers(found, "incidence_rate_per_100py", level)["sex=M"] for level in ("1", ">=2")]
    assert sum(rate.event_count or 0 for rate in rates) == events and {rate.status for rate in rates} == {"ok"}
    assert _answers(found, "test")["by=sex"].status == "not_estimable"
    assert _answers(estimates(few, minimum_events=events), "hazard_ratio")["sex=M"].status == "ok"


def test_what_the_source_cannot_tell_is_not_assessable_and_the_rest_stays() -> None:
    frame = world(ratios={"F": 2.0, "M": 2.0}, persons=900)
    unknown = frame.with_columns(indication=pl.lit(None, pl.String), steroids=pl.lit(None, pl.String))
    tests = _answers(estimates(unknown), "test")
    assert tests["by=indication"].reason == "the source has no diagnoses"
    status = {name: answer.status for name, answer in tests.items()}
    assert {name for name, each in status.items() if each == "not_assessable"} == {"by=indication", "by=steroids"}
    nothing = estimates(frame, is_assessable=False)
    assert {e.answer.status for e in nothing} == {"not_assessable"} and len(nothing) == len(VARIABLES)


def _described(**entry: Any) -> dict[str, Any]:
    first = dt.date(entry.pop("year", 2020), 1, 1)
    row = {"age_years": 50, "sex": "F", "calendar_year": first.year} | entry
    baseline = {"charlson_score": 0, "hospital_days": 0, "steroid_days": 0, "prior_event_count": 0}
    key = {"exposure_rule": "primary", "person_id": 1}
    told = {name: row.pop(name) for name in list(row) if name in baseline}
    indication = row.pop("indication", "none")
    entered = pl.DataFrame([key | {"entry_date": first} | row])
    frame = with_baseline(
        pl.DataFrame([key]), entered, pl.DataFrame([key | {"baseline_date": first} | baseline | told])
    )
    treated = pl.DataFrame([key | {"baseline_date": first, "indication": indication}])
    return with_subgroups(frame, entered, treated, age_bands=BANDS, calendar_starts=(2020, 2022, 2023)).row(0, named=True)  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "variable", "level"),
    [
        ({"age_years": 49}, "age_band", "00-49"),
        ({"age_years": 50}, "age_band", "50+"),
        ({"year": 2019}, "entry_period", "before 2020"),
        ({"year": 2020}, "entry_period", "2020 to 2021"),
        ({"year": 2022}, "entry_period", "2022"),
        ({"year": 2023}, "entry_period", "2023 on"),
        ({"steroid_days": 0}, "steroids", "no"),
        ({"steroid_days": 1}, "steroids", "yes"),
        ({"steroid_days": None}, "steroids", None),
        ({"prior_event_count": 0}, "earlier_outcome", "no"),
        ({"prior_event_count": 2}, "earlier_outcome", "yes"),
        ({"indication": "asthma"}, "indication", "asthma"),
        ({"indication": "asthma+copd"}, "indication", "several"),
        ({"indication": "none"}, "indication", "none"),
        ({"indication": "unknown"}, "indication", None),
        ({"sex": "U"}, "sex", "U"),
        ({"sex": None}, "sex", "unknown"),
    ],
)
def test_persons_fall_into_subgroups_by_what_is_known_at_entry(
    entry: dict[str, Any], variable: str, level: str | None
) -> None:
    assert _described(**entry)[variable] == level


def test_calendar_starts_rise() -> None:
    assert small_study(analysis={"calendar_starts": [2018]}).analysis.calendar_starts == (2018,)
    with pytest.raises(StudyError, match="calendar_starts must rise"):
        small_study(analysis={"calendar_starts": [2020, 2020]})
