"""Severity acts where it was planted: on exposure, on infections, and on what a hospital measures; in `null` nothing acts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from analysis.simulate import PROFILES, Simulation, simulate, simulate_profile

_PERSONS = 20_000


@pytest.fixture(scope="module")
def confounded(drugs: pl.DataFrame, outcomes: pl.DataFrame) -> Simulation:
    return simulate("validation", persons=_PERSONS, seed=1, drugs=drugs, outcomes=outcomes)


@pytest.fixture(scope="module")
def nothing(drugs: pl.DataFrame, outcomes: pl.DataFrame) -> Simulation:
    return simulate("null", persons=_PERSONS, seed=1, drugs=drugs, outcomes=outcomes)


def _measured(world: Simulation) -> pl.DataFrame:
    """Z and its traces in the year before entry, by person."""
    people = world.truth_person.select("person_id", "z", "entry_date")
    counts = {
        "crp": (world.tables["measurement"], "datetime", pl.col("value").log().mean()),
        "bursts": (world.tables["prescription"].filter(drug_source_value="prednisone"), "start_date", pl.len()),
        "flares": (world.tables["condition"].filter(setting="emergency"), "start_date", pl.len()),
        "stays": (world.tables["visit"], "start_datetime", pl.len()),
    }
    found = people
    for name, (rows, day, what) in counts.items():
        year = rows.join(people, on="person_id").filter(
            pl.col(day) < pl.col("entry_date"), pl.col(day) >= pl.col("entry_date") - pl.duration(days=365)
        )
        found = found.join(year.group_by("person_id").agg(what.alias(name)), on="person_id", how="left")
    return found.with_columns(pl.col("crp", "bursts", "flares", "stays").cast(pl.Float64).fill_null(0.0))


def _explained(frame: pl.DataFrame, columns: list[str]) -> float:
    """R2 of a linear regression of Z."""
    design = np.column_stack([np.ones(frame.height), *(frame[name].to_numpy() for name in columns)])
    z = frame["z"].to_numpy()
    rest = z - design @ np.linalg.lstsq(design, z, rcond=None)[0]
    return float(1 - rest.var() / z.var())


def _severity_at(world: Simulation, column: str) -> float:
    """Mean Z of those to whom it happened, in standard errors."""
    z = world.truth_person.drop_nulls(column)["z"].to_numpy()
    return float(z.mean() * np.sqrt(z.size))


def test_proxies_explain_six_tenths_of_severity_together_and_none_does_alone(confounded: Simulation) -> None:
    frame = _measured(confounded)
    names = ["crp", "bursts", "flares", "stays"]
    assert 0.55 < _explained(frame, names) < 0.65
    assert all(0.02 < _explained(frame, [name]) < 0.57 for name in names)
    shuffled = frame.with_columns(z=pl.col("z").shuffle(seed=1))
    assert _explained(shuffled, names) < 0.01


def test_severity_raises_background_courses_infections_and_pairs(confounded: Simulation, nothing: Simulation) -> None:
    for column in ("pair", "first_serious_infection_date", "first_opportunistic_infection_date"):
        assert _severity_at(confounded, column) > 4
    assert _severity_at(nothing, "pair") > 4
    assert abs(_severity_at(nothing, "first_serious_infection_date")) < 3.29
    doses = {}
    for name, world in (("confounded", confounded), ("nothing", nothing)):
        after = (
            world.tables["prescription"]
            .filter(drug_source_value="azathioprine")
            .join(world.truth_person, on="person_id")
        )
        per_person = (
            after.filter(pl.col("start_date") >= pl.col("entry_date"))
            .group_by("person_id")
            .agg(pl.len(), pl.first("z"))
        )
        doses[name] = float(np.corrcoef(per_person["len"], per_person["z"])[0, 1])
    assert doses["confounded"] > 0.1
    assert abs(doses["nothing"]) < 0.06


def test_in_null_infections_come_at_one_hazard_on_every_level(nothing: Simulation) -> None:
    for ladder, per_day in (("toruner", 4 / 1000 / 365.25), ("broad", 20 / 1000 / 365.25)):
        for row in nothing.truth["realised"][ladder]:
            quiet = 31 * per_day * 6  # the most that the days after another infection can take
            assert row["expected_count"] == pytest.approx(row["person_days"] * per_day, rel=quiet)
            assert abs(row["event_count"] - row["expected_count"]) < 3.29 * np.sqrt(row["expected_count"])
    assert {p["value"] for p in nothing.truth["planted"] if p["estimand"] == "odds_ratio"} == {1.0}
    assert {c["severity_log_effect"] for c in nothing.truth["negative_controls"]} == {0.0}


def test_proxies_and_confounding_are_no_part_of_demo(
    drugs: pl.DataFrame, outcomes: pl.DataFrame, small: Simulation
) -> None:
    assert "visit" not in small.tables
    assert "CRP" not in set(small.tables["measurement"]["test"])
    demo = PROFILES["demo"]
    validation = PROFILES["validation"]
    with_proxies = simulate_profile(
        replace(demo, proxies=validation.proxies), persons=400, seed=3, drugs=drugs, outcomes=outcomes
    )
    assert with_proxies.tables["person"].equals(small.tables["person"])
    assert with_proxies.tables["visit"].height > 0
    assert not with_proxies.tables["prescription"].equals(small.tables["prescription"])


def test_the_planted_ladder_of_validation_is_the_one_of_the_definition() -> None:
    profile = PROFILES["validation"]
    assert profile.persons == 200_000
    assert profile.infection.opportunistic_ratio == (1.0, 2.9, 14.5)
    assert profile.infection.serious_ratio == (1.0, 1.6, 3.5)
    assert (profile.infection.severity_log_effect, profile.infection.opportunistic_base_factor) == (0.4, 1.0)
