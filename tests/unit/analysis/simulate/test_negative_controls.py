"""Outcomes that no drug causes come at their planted hazard, raised by severity only where that was planted."""

from __future__ import annotations

import math
from dataclasses import replace

import polars as pl
import pytest
from scipy.stats import chi2

from analysis.simulate import PROFILES, Simulation, SimulationError, simulate_profile
from analysis.simulate.design import NegativeControl
from analysis.simulate.omalizumab_design import OmalizumabPlan

_DEMO = PROFILES["demo"]
_CODES = pl.col("code_system") == "ICD10"


def _events(simulation: Simulation, outcomes: pl.DataFrame, outcome_id: str) -> pl.DataFrame:
    """Diagnoses of a negative control with the latent state of their persons."""
    code = outcomes.row(by_predicate=pl.col("outcome_id") == outcome_id, named=True)["icd10_who_include"].split(";")[0]
    found = simulation.tables["condition"].filter(_CODES & (pl.col("code") == code))
    return found.join(simulation.truth_person, on="person_id", validate="m:1")


def _mean_severity(simulation: Simulation, outcomes: pl.DataFrame, *, effect: float) -> float:
    """Standardised mean of Z over the events of every control with this planted effect."""
    ids = [c.outcome_id for c in _DEMO.negative_controls if c.severity_log_effect == effect]
    z = pl.concat([_events(simulation, outcomes, outcome_id)["z"] for outcome_id in ids])
    mean = z.mean()
    assert isinstance(mean, float)
    return mean * math.sqrt(z.len())


def test_demo_has_ten_controls_of_each_kind_and_truth_names_them(large: Simulation, outcomes: pl.DataFrame) -> None:
    told = large.truth["negative_controls"]
    assert [sum(c["severity_log_effect"] == effect for c in told) for effect in (0.0, 0.3)] == [10, 10]
    assert {c["hazard_ratio"] for c in told} == {1.0}
    assert {c["outcome_id"] for c in told} == set(outcomes.filter(category="negative_control")["outcome_id"])
    for control in told:
        events = _events(large, outcomes, control["outcome_id"])
        assert events.height == events["person_id"].n_unique() == control["first_event_count"]
        assert (events["start_date"] >= events["entry_date"]).all()


def test_plain_controls_come_at_their_planted_hazard(large: Simulation, outcomes: pl.DataFrame) -> None:
    people = large.truth_person.join(large.tables["observation_period"], on="person_id")
    for control in (c for c in _DEMO.negative_controls if c.severity_log_effect == 0.0):
        events = _events(large, outcomes, control.outcome_id).select("person_id", "start_date")
        lived = people.join(events, on="person_id", how="left", suffix="_event")
        last = pl.coalesce("start_date_event", "end_date")
        years = lived.select(((last - pl.col("entry_date")).dt.total_days() + 0.5).sum()).item() / 365.25
        expected, count = control.per_1000py / 1000 * years, events.height
        assert chi2.ppf(0.0005, 2 * count) / 2 < expected < chi2.ppf(0.9995, 2 * count + 2) / 2, control
        assert not chi2.ppf(0.0005, 2 * count) / 2 < 2 * expected < chi2.ppf(0.9995, 2 * count + 2) / 2


def test_severity_raises_the_second_set_alone(large: Simulation, outcomes: pl.DataFrame) -> None:
    assert abs(_mean_severity(large, outcomes, effect=0.0)) < 3.29
    assert _mean_severity(large, outcomes, effect=0.3) > 10


def test_controls_move_no_other_record(drugs: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    # Without exacerbations, whose diagnoses are numbered on from those of controls.
    calm = replace(_DEMO, omalizumab=OmalizumabPlan())
    small, without = (
        simulate_profile(profile, persons=400, seed=3, drugs=drugs, outcomes=outcomes)
        for profile in (calm, replace(calm, negative_controls=()))
    )
    for name, table in without.tables.items():
        assert table.equals(small.tables[name].head(table.height)), name
        assert (table.height < small.tables[name].height) == (name == "condition")


def test_what_the_reference_does_not_call_a_control_is_refused(drugs: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    for name in ("stroke", "nobody"):
        profile = replace(_DEMO, negative_controls=(NegativeControl(outcome_id=name),))
        with pytest.raises(SimulationError, match=name):
            simulate_profile(profile, persons=10, seed=1, drugs=drugs, outcomes=outcomes)


@pytest.mark.parametrize("per_1000py", [0.0, -1.0, math.inf, math.nan])
def test_a_control_without_a_hazard_is_refused(per_1000py: float) -> None:
    with pytest.raises(SimulationError):
        NegativeControl(outcome_id="nc_myopia", per_1000py=per_1000py)
