"""A profile that cannot be planted is refused, and the reference must hold what a profile names."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args

import polars as pl
import pytest

from analysis.estimate.result import Estimand
from analysis.simulate import PROFILES, Simulation, SimulationError, simulate
from analysis.simulate.design import InfectionPlan
from analysis.simulate.reference import read_drugs

_DEMO = PROFILES["demo"]


def test_pair_hazards_are_those_of_the_plan_and_tiny_koc_has_median_eight() -> None:
    assert _DEMO.pair.total == pytest.approx(0.0866)
    assert _DEMO.pair.median_months == pytest.approx(math.log(2) / 0.0806)
    tiny = PROFILES["tiny_koc"].pair
    assert dict(tiny.hazard_per_month)["adverse event"] == 0.0
    assert dict(tiny.hazard_per_month)["lost"] == 0.0060
    assert tiny.median_months == pytest.approx(8.0)


def test_confounding_by_severity_is_the_default_and_off_in_demo() -> None:
    assert InfectionPlan().severity_log_effect == 0.4
    assert _DEMO.infection.severity_log_effect == 0.0


@pytest.mark.parametrize(("factor", "smallest"), [(1.0, 19.0), (4.0, 12.0)])
def test_other_serious_infections_keep_a_hazard_on_every_level(factor: float, smallest: float) -> None:
    assert InfectionPlan(opportunistic_base_factor=factor).smallest_other_per_1000py() == pytest.approx(smallest)


def test_opportunistic_hazard_beyond_the_serious_one_is_refused() -> None:
    InfectionPlan(opportunistic_base_factor=70 / 14.5)
    with pytest.raises(SimulationError, match="exceeds"):
        InfectionPlan(opportunistic_base_factor=70 / 14.5 + 0.001)


def test_a_look_back_that_is_not_observed_is_refused() -> None:
    with pytest.raises(SimulationError, match="look-back"):
        replace(_DEMO, history_days=(365, 400))


def test_shares_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(SimulationError, match="add up"):
        replace(_DEMO, indications=_DEMO.indications[1:])
    with pytest.raises(SimulationError, match="add up"):
        replace(_DEMO.pair, component_share=(("first", 0.5), ("second", 0.5), ("both", 0.1)))


def test_a_drug_or_column_the_reference_lacks_is_named(drugs: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    with pytest.raises(SimulationError, match="omalizumab"):
        simulate("demo", persons=5, seed=1, drugs=drugs.filter(pl.col("drug_id") != "omalizumab"), outcomes=outcomes)
    with pytest.raises(SimulationError, match="tail_days"):
        simulate("demo", persons=5, seed=1, drugs=drugs.drop("tail_days"), outcomes=outcomes)
    with pytest.raises(SimulationError, match="pneumonia"):
        simulate("demo", persons=5, seed=1, drugs=drugs, outcomes=outcomes.filter(pl.col("outcome_id") != "pneumonia"))


def test_a_study_drug_must_be_a_biologic_and_the_ladders_nested(drugs: pl.DataFrame) -> None:
    with pytest.raises(SimulationError, match="biologic"):
        read_drugs(drugs, study=("prednisone",), background=())
    with pytest.raises(SimulationError, match="nested"):
        read_drugs(drugs.with_columns(counts_broad=pl.lit("0")), study=("infliximab",), background=())


def test_planted_numbers_use_the_names_of_the_contract(small: Simulation) -> None:
    keys = {
        "name", "estimand", "exposure_rule", "population", "regimen_id", "outcome_id", "comparator_id", "stratum",
        "level", "value", "unit", "note",
    }  # fmt: skip
    for item in small.truth["planted"]:
        assert set(item) == keys
        assert item["estimand"] in get_args(Estimand)
        assert item["exposure_rule"] == "primary"
        assert item["population"] in {"first_episode", "all_time"}
    assert {"profile", "persons", "seed", "parameters", "planted"} <= set(small.truth)
    assert small.truth["parameters"]["infection"]["opportunistic_base_factor"] == 4.0
