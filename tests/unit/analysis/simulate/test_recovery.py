"""Planted hazards come back from simple counts, within exact Poisson limits at the 99.9 % level (fixed seed).

The wide level is meant: some twenty comparisons on one seed, each of which should hold. No estimator of the product is
used.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest, chi2

from analysis.simulate import PROFILES, Simulation, simulate_profile
from analysis.simulate.design import ENDINGS, InfectionPlan
from analysis.simulate.infections import draw_infections, infection_hazards
from analysis.simulate.state import RiskTime
from analysis.simulate.truth import REASON_LABELS

_CONFIDENCE = 0.999
_DEMO = PROFILES["demo"]


def _holds(count: int, expected: float) -> bool:
    """Whether the exact Poisson limits of a count hold its expectation (Garwood 1936)."""
    outside = (1 - _CONFIDENCE) / 2
    lower = chi2.ppf(outside, 2 * count) / 2 if count else 0.0
    return bool(lower <= expected <= chi2.ppf(1 - outside, 2 * count + 2) / 2)


def _pairs(simulation: Simulation) -> pl.DataFrame:
    """First pairs with their observed days and whether the planned ending was observed."""
    rows = simulation.truth_person.drop_nulls("pair").join(simulation.tables["observation_period"], on="person_id")
    stop = pl.min_horizontal("pair_planned_stop_date", pl.col("end_date") + pl.duration(days=1))
    return rows.with_columns(
        (stop - pl.col("pair_start_date")).dt.total_days().alias("days"),
        (pl.col("pair_planned_stop_date") <= pl.col("end_date") + pl.duration(days=1)).alias("is_ended"),
    )


@pytest.mark.parametrize("ending", [name for name in ENDINGS if name not in ("pregnancy", "patient choice")])
def test_each_ending_comes_at_its_planted_hazard(large: Simulation, ending: str) -> None:
    pairs = _pairs(large)
    count = pairs.filter(pl.col("is_ended") & (pl.col("pair_ending") == ending)).height
    assert _holds(count, dict(_DEMO.pair.hazard_per_month)[ending] * pairs["days"].sum() / 30.4375)


def test_median_from_the_rate_of_observed_endings_is_the_planted_one(large: Simulation) -> None:
    """Ln 2 over the rate: a constant hazard needs no survival curve."""
    pairs = _pairs(large)
    count = pairs.filter(pl.col("is_ended") & (pl.col("pair_ending") != "lost")).height
    months = pairs["days"].sum() / 30.4375
    median = large.truth["planted"][0]
    assert (median["estimand"], median["population"]) == ("median_duration_months", "first_episode")
    assert median["value"] == pytest.approx(math.log(2) / 0.0806)
    assert _holds(count, math.log(2) / median["value"] * months)


def test_stop_rates_by_component_and_recorded_reason_are_the_planted_ones(large: Simulation) -> None:
    pairs = _pairs(large)
    stops = pairs.filter(pl.col("is_ended") & pl.col("component").is_not_null())
    reason = pl.when("is_reason_recorded").then("pair_ending").otherwise(pl.lit("unknown"))
    stops = stops.with_columns(reason.alias("recorded_reason"))
    per_100py = pairs["days"].sum() / 36525
    rates = [item for item in large.truth["planted"] if item["name"] == "pair_stop_rate"]
    assert len(rates) == 11
    for item in rates:
        chosen = stops
        if item["stratum"] == "by=component":
            chosen = stops.filter(pl.col("component") == item["level"].removesuffix("_started"))
        elif item["stratum"] == "by=reason":
            chosen = stops.filter(pl.col("recorded_reason").replace(REASON_LABELS) == item["level"])
        assert _holds(chosen.height, item["value"] * per_100py), item
    total, *parts = (item["value"] for item in rates)
    assert sum(parts[:3]) == pytest.approx(total)
    assert sum(parts[3:]) == pytest.approx(total)


def test_discontinuation_table_holds_every_recorded_stop_within_observed_time(large: Simulation) -> None:
    stops = _pairs(large).filter(pl.col("is_ended") & pl.col("is_reason_recorded"))
    drugs_stopped = stops["component"].replace_strict({"first": 1, "second": 1, "both": 2}, return_dtype=pl.Int64).sum()
    assert large.tables["discontinuation"].height == drugs_stopped
    every = _pairs(large).filter(pl.col("is_ended") & pl.col("component").is_not_null()).height
    assert binomtest(stops.height, every, 0.85).pvalue > 1 - _CONFIDENCE


def test_infections_by_ladder_level_come_at_their_planted_hazard(large: Simulation) -> None:
    for ladder, items in large.truth["realised"].items():
        for item in items:
            assert item["expected_count"] > 100
            assert _holds(item["event_count"], item["expected_count"]), (ladder, item)


def test_rate_ratios_of_simple_counts_hold_the_planted_odds_ratios(large: Simulation) -> None:
    planted = [item for item in large.truth["planted"] if item["estimand"] == "odds_ratio"]
    assert [item["value"] for item in planted] == [2.9, 14.5, 1.6, 3.5]
    for item in planted:
        levels = {row["level"]: row for row in large.truth["realised"][item["stratum"].removeprefix("ladder=")]}
        case, reference = levels[item["level"]], levels[item["comparator_id"]]
        ratio = case["event_count"] / case["person_days"] / reference["event_count"] * reference["person_days"]
        error = math.sqrt(1 / case["event_count"] + 1 / reference["event_count"])
        assert abs(math.log(ratio / item["value"])) < 3.29 * error


def test_death_and_loss_outside_pairs_come_at_their_planted_hazard(large: Simulation) -> None:
    rows = large.truth_person.filter(pl.col("pair").is_null())
    rows = rows.join(large.tables["observation_period"], on="person_id")
    years = ((rows["end_date"] - rows["entry_date"]).dt.total_days() + 1).sum() / 365.25
    deaths = rows.join(large.tables["death"], on="person_id").height
    lost = rows.filter(pl.col("end_date") < _DEMO.data_cut).height - deaths
    # Selecting those without a pair selects on what competes with it, not on these hazards' own causes.
    assert deaths > 100
    assert lost / deaths == pytest.approx(0.006 * 12 / 0.008, rel=0.25)
    assert years > 10_000


def test_severity_raises_add_ons_but_not_infections_in_demo(
    large: Simulation, drugs: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    confounded = replace(_DEMO, infection=replace(_DEMO.infection, severity_log_effect=0.4))
    other = simulate_profile(confounded, persons=20_000, seed=20260101, drugs=drugs, outcomes=outcomes)
    severity = {}
    for name, world in (("demo", large), ("confounded", other)):
        case = world.truth_person.drop_nulls("first_serious_infection_date")["z"].to_numpy()
        severity[name] = float(np.mean(case)) * math.sqrt(case.size)
    with_pair = large.truth_person.drop_nulls("pair")["z"].mean()
    assert isinstance(with_pair, float)
    assert with_pair > 0.1
    assert abs(severity["demo"]) < 3.29
    assert severity["confounded"] > 10


def test_recurrence_is_raised_until_day_180_and_not_after() -> None:
    """One level, no opportunistic infections, a high base rate: the hazard after an event by days since it."""
    persons, years = 4_000, 40
    plan = InfectionPlan(serious_per_1000py=300.0, opportunistic_per_1000py=0.0, severity_log_effect=0.0)
    level = np.zeros(persons, dtype=np.int64)
    risk = RiskTime(
        person=np.arange(persons), start=level, stop=level + round(years * 365.25), toruner=level, broad=level
    )
    hazards = infection_hazards(risk, plan, age=level + 30, severity=np.zeros(persons))
    found = draw_infections(risk, hazards, plan, persons=persons, rng=np.random.Generator(np.random.PCG64(9)))
    follows = found.person[1:] == found.person[:-1]
    space = np.diff(found.day)[follows]
    # Time since each event until the next event or the end, split at 180 days.
    last = np.concatenate([~follows, [True]])
    waited = np.where(last, risk.stop[found.person] - found.day - 1, np.concatenate([np.diff(found.day), [0]]))
    soon = np.minimum(np.maximum(waited - 30, 0), 150).sum() / 365.25
    late = np.maximum(waited - 180, 0).sum() / 365.25
    assert space.min() == 31
    assert _holds(int((space <= 180).sum()), 0.3 * 1.8 * soon)
    assert _holds(int((space > 180).sum()), 0.3 * late)
    assert not found.is_opportunistic.any()
