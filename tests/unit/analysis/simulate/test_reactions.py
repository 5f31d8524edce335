"""The world with reactions is the demonstration's, less its symptoms, with times and reactions added where they are planted."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from analysis.simulate import PROFILES, Simulation, SimulationError, simulate_profile
from analysis.simulate.reaction_plan import ReactionPlan
from pipelines.steps import reference_frame

PERSONS = 600
PLAN = ReactionPlan(risk=0.4)


def _world(name: str, plan: ReactionPlan | None) -> Simulation:
    return simulate_profile(
        replace(PROFILES[name], reactions=plan, omalizumab=PROFILES["boosted"].omalizumab), persons=PERSONS, seed=7,
        drugs=reference_frame("drug"), outcomes=reference_frame("outcome"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def demo() -> Simulation:
    return _world("demo", None)


@pytest.fixture(scope="module")
def boosted() -> Simulation:
    return _world("boosted", PLAN)


def test_everything_else_is_the_world_of_the_demonstration(demo: Simulation, boosted: Simulation) -> None:
    changed = {"prescription", "adverse_event"}
    for name in set(demo.tables) - changed:
        assert boosted.tables[name].equals(demo.tables[name]), name
    for name in changed:
        known = demo.tables[name]
        drop = ["record_type"] if name == "prescription" else []
        assert boosted.tables[name].head(known.height).select(known.columns).drop(drop).equals(known.drop(drop)), name


def test_every_dose_of_the_drug_and_every_infusion_has_a_time_of_day(boosted: Simulation) -> None:
    given = boosted.tables["prescription"].filter(pl.col("record_type") == "administration")
    others = boosted.tables["prescription"].filter(pl.col("record_type") != "administration")
    assert given["start_datetime"].null_count() == 0
    assert given.filter(pl.col("start_datetime").dt.date() != pl.col("start_date")).is_empty()
    assert given["start_datetime"].dt.hour().is_between(8, 16).all()
    assert others["start_datetime"].null_count() == others.height


def test_nobody_has_two_reactions_and_a_date_only_has_no_time(boosted: Simulation) -> None:
    found = boosted.tables["adverse_event"].filter(pl.col("term") == PLAN.term)
    assert found["person_id"].n_unique() == found.height
    timed = found.filter(pl.col("onset_datetime").is_not_null())
    assert 0 < timed.height < found.height
    assert timed.filter(pl.col("onset_datetime").dt.date() != pl.col("onset_date")).is_empty()


def test_every_timed_reaction_is_within_a_day_after_a_dose_of_the_drug(boosted: Simulation) -> None:
    doses = boosted.tables["prescription"].filter(
        pl.col("drug_source_value").str.contains("(?i)xolair|omalizumab|omlyclo")
    )
    timed = boosted.tables["adverse_event"].filter(
        (pl.col("term") == PLAN.term) & pl.col("onset_datetime").is_not_null()
    )
    waits = (
        timed.join(doses.select("person_id", "start_datetime"), on="person_id")
        .with_columns(minutes=(pl.col("onset_datetime") - pl.col("start_datetime")).dt.total_minutes())
        .filter(pl.col("minutes").is_between(1, 1440))
    )
    assert waits["person_id"].n_unique() == timed.height


def test_the_truth_names_what_was_planted(boosted: Simulation, demo: Simulation) -> None:
    planted = {
        (n["name"], n["level"]): n["value"] for n in boosted.truth["planted"] if n["name"].startswith("reaction")
    }
    assert planted == {
        ("reaction_risk", ""): 0.4, ("reaction_late", "later than 60 min"): 0.36, ("reaction_dose", "1"): 0.39,
        ("reaction_dose", "2"): 0.19, ("reaction_dose", "3"): 0.10, ("reaction_dose", ">=4"): 0.32,
    }  # fmt: skip
    assert not [n for n in demo.truth["planted"] if n["name"].startswith("reaction")]


def test_the_published_plan_is_twenty_times_the_published_risk() -> None:
    plan = PROFILES["boosted"].reactions
    assert plan is not None
    assert (plan.risk, plan.date_only_share) == (0.02, 0.08)
    assert plan.late_share == pytest.approx(0.36)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (replace(PLAN, dose_shares=(("1", 0.5), ("2", 0.2), ("3", 0.1), (">=4", 0.3))), "must add up to 1"),
        (replace(PLAN, latency=((0, 30, 0.9),)), "must add up to 1"),
        (replace(PLAN, dose_shares=(("1", 0.5), ("2", 0.5))), "shares are of doses 1, 2, 3, >=4"),
        (replace(PLAN, risk=1.0, dose_shares=(("1", 0.0), ("2", 0.0), ("3", 0.0), (">=4", 1.0))), "too few persons with dose >=4"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_planted_is_refused(plan: ReactionPlan, said: str) -> None:
    with pytest.raises(SimulationError, match=said):
        _world("boosted", plan)
