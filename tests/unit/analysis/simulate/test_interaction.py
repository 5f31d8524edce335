"""A planted interaction acts on the hazard of both drugs, each alone and both, and truth.json tells what it comes to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from analysis.simulate import PROFILES, SimulationError, simulate_profile
from analysis.simulate.design import InfectionPlan, Interaction
from analysis.simulate.infections import infection_hazards
from analysis.simulate.reference import read_drugs
from analysis.simulate.state import RiskTime

_PAIR = Interaction(first="infliximab", second="omalizumab", first_ratio=2.0, second_ratio=1.5, ratio_of_ratios=2.5)


def test_hazards_multiply_and_the_joint_has_the_ratio_of_ratios_besides() -> None:
    level = np.zeros(4, dtype=np.int64)
    risk = RiskTime(
        person=np.arange(4), start=level, stop=level + 10, toruner=level, broad=level,
        agents=(np.array([False, True, False, True]), np.array([False, False, True, True])),
    )  # fmt: skip
    plain = InfectionPlan(severity_log_effect=0.0)
    without, planted = (
        infection_hazards(risk, plan, age=level + 30, severity=np.zeros(4))
        for plan in (plain, replace(plain, interaction=_PAIR))
    )
    for kind in ("serious", "opportunistic"):
        assert getattr(planted, kind) / getattr(without, kind) == pytest.approx([1.0, 2.0, 1.5, 7.5])
    assert _PAIR.excess_risk == pytest.approx(5.0)  # 7.5 - 2 - 1.5 + 1


def test_an_agent_is_a_drug_or_a_class(drugs: pl.DataFrame) -> None:
    book = read_drugs(drugs, study=("adalimumab", "infliximab", "omalizumab"), background=("azathioprine",))
    assert [book.ids[i] for i in np.flatnonzero(book.agent("infliximab"))] == ["infliximab"]
    of_class = [book.ids[i] for i in np.flatnonzero(book.agent(book.drug_class[book.position("infliximab")]))]
    assert of_class == ["adalimumab", "infliximab"]
    with pytest.raises(SimulationError, match="rituximab"):
        book.agent("rituximab")


def test_truth_names_the_pair_its_ratios_and_their_interaction(drugs: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    demo = PROFILES["demo"]
    profile = replace(demo, infection=replace(demo.infection, interaction=_PAIR))
    world = simulate_profile(profile, persons=2_000, seed=1, drugs=drugs, outcomes=outcomes)
    without = simulate_profile(demo, persons=2_000, seed=1, drugs=drugs, outcomes=outcomes)
    told = [p for p in world.truth["planted"] if p["name"] == "interaction"]
    assert {(p["outcome_id"], p["estimand"], p["level"], p["value"]) for p in told} == {
        (outcome, *question)
        for outcome in ("opportunistic_infection", "serious_infection")
        for question in (
            ("odds_ratio", "infliximab", 2.0), ("odds_ratio", "omalizumab", 1.5),
            ("odds_ratio", "infliximab+omalizumab", 7.5), ("ratio_of_ratios", "", 2.5), ("reri", "", 5.0),
        )
    }  # fmt: skip
    assert {p["regimen_id"] for p in told} == {"infliximab+omalizumab"}
    assert not [p for p in without.truth["planted"] if p["name"] == "interaction"]
    # Exposure is no consequence of infections: the same records of drugs, other infections.
    assert world.tables["prescription"].equals(without.tables["prescription"])
    assert world.tables["adverse_event"].height > without.tables["adverse_event"].height


@pytest.mark.parametrize("ratio", [0.0, -1.0, float("inf"), float("nan")])
def test_a_ratio_that_is_none_is_refused(ratio: float) -> None:
    with pytest.raises(SimulationError):
        replace(_PAIR, ratio_of_ratios=ratio)
