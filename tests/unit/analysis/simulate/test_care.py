"""Profile `clinic`: the demonstration's world, record for record, and what a clinic does around its doses."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from analysis.simulate import PROFILES, Simulation, simulate_profile
from analysis.simulate.care_plan import CarePlan
from analysis.simulate.profiles import OmalizumabPlan
from pipelines.steps import reference_frame

PERSONS, SEED = 400, 5


def world(profile: str, **changes: object) -> Simulation:
    return simulate_profile(
        replace(PROFILES[profile], **changes),  # type: ignore[arg-type]
        persons=PERSONS,
        seed=SEED,
        drugs=reference_frame("drug"),
        outcomes=reference_frame("outcome"),
    )


@pytest.fixture(scope="module")
def demo() -> Simulation:
    return world("demo", omalizumab=OmalizumabPlan())  # scores are those of the reviews alone


@pytest.fixture(scope="module")
def clinic() -> Simulation:
    return world("clinic")


def test_every_other_record_is_that_of_the_demonstration(demo: Simulation, clinic: Simulation) -> None:
    for name in ("person", "observation_period", "death", "adverse_event", "discontinuation"):
        assert clinic.tables[name].equals(demo.tables[name]), name
    for name in ("measurement", "condition"):
        key = f"{name}_id"
        kept = clinic.tables[name].filter(pl.col(key).is_in(demo.tables[name][key].implode()))
        assert kept.select(demo.tables[name].columns).equals(demo.tables[name]), name
    before, after = demo.tables["prescription"], clinic.tables["prescription"]
    same = [name for name in before.columns if name != "record_type"]
    assert after.head(before.height).select(same).equals(before.select(same))


def test_the_demonstration_has_none_of_it(demo: Simulation) -> None:
    assert not {"visit", "symptom_score", "procedure"} & set(demo.tables)
    assert not {"site_of_care", "observed_minutes"} & set(demo.tables["prescription"].columns)
    assert "care" not in demo.truth


def test_no_record_of_care_lies_outside_observed_time(clinic: Simulation) -> None:
    dated = {
        "measurement": "datetime",
        "symptom_score": "date",
        "visit": "start_datetime",
        "prescription": "start_date",
        "condition": "start_date",
    }
    periods = clinic.tables["observation_period"].rename({"start_date": "observed_from", "end_date": "observed_to"})
    for name, column in dated.items():
        rows = clinic.tables[name].join(periods, on="person_id")
        assert rows.height == clinic.tables[name].height
        assert rows.filter(
            (pl.col(column) < pl.col("observed_from")) | (pl.col(column) > pl.col("observed_to"))
        ).is_empty(), name


@pytest.mark.parametrize("table", ["measurement", "visit", "prescription", "condition"])
def test_identifiers_are_unique(clinic: Simulation, table: str) -> None:
    assert clinic.tables[table][f"{table}_id"].n_unique() == clinic.tables[table].height


def test_a_plan_of_nothing_and_a_plan_of_everything_are_written_as_such() -> None:
    nothing = dict.fromkeys(
        ("screened", "screened_late", "ltbi", "treated", "autoinjector", "observed_first", "observed_later"), 0.0
    )
    none = world("clinic", care=CarePlan(**nothing, review_8_12_weeks=0.0, annual_review=0.0, contraindication=0.0))
    assert none.tables["visit"].is_empty()
    assert none.tables["symptom_score"].is_empty()
    assert none.tables["measurement"].filter(pl.col("test") == "IGRA").is_empty()
    assert none.tables["prescription"]["observed_minutes"].max() < 120  # type: ignore[operator]
    every = world(
        "clinic",
        care=CarePlan(screened=1.0, screened_late=0.0, ltbi=1.0, treated=1.0, minutes_missing=0.0, home_later=0.0),
    )
    tests = every.tables["measurement"].filter(pl.col("test") == "IGRA")
    treated = every.tables["prescription"].filter(pl.col("drug_source_value").str.starts_with("isoniazid"))
    assert set(tests["value_text"]) == {"positive"}
    assert set(treated["person_id"]) == set(tests["person_id"])


def test_the_truth_tells_every_planted_share(clinic: Simulation) -> None:
    plan = CarePlan()
    told = {(row["care_item_id"], row["dose"]): row["share_met"] for row in clinic.truth["care"]}
    assert told == {
        ("A16", ""): plan.screened, ("A17", ""): plan.treated, ("A12", ""): plan.autoinjector,
        ("A11", "1 to 3"): plan.observed_first, ("A11", "4 and later"): plan.observed_later,
        ("A23", ""): plan.review_8_12_weeks, ("A25", ""): plan.annual_review, ("A21", ""): 1.0 - plan.contraindication,
    }  # fmt: skip
