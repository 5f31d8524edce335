"""Input tables with known truth: a world drawn from a profile and a seed, and the numbers planted in it.

The order of work: persons, what is meant to happen to them, the records that come of it, the exposure state read off
those records by the primary rule, infections drawn on that state, tables, truth. Every step has a random stream of its
own, so that adding a draw to one moves no other. Only `bundle.py` touches files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from analysis.simulate.antibodies import planted_antibodies
from analysis.simulate.bundle import write_simulation
from analysis.simulate.care import with_care
from analysis.simulate.care_plan import planted_care
from analysis.simulate.design import Profile, SimulationError
from analysis.simulate.dirty import with_bad_records
from analysis.simulate.dosing import draw_background, joined, place_doses
from analysis.simulate.infections import (
    draw_infections,
    expected_first_events,
    first_days,
    infection_hazards,
)
from analysis.simulate.negative_controls import control_codes, control_truth, draw_control_events
from analysis.simulate.omalizumab import drawn_baselines, measured
from analysis.simulate.population import draw_population
from analysis.simulate.profiles import DIRTY, PROFILES, profile_named
from analysis.simulate.proxies import draw_proxies, flare_diagnoses, proxy_tables
from analysis.simulate.reactions import planted_reactions, with_reactions
from analysis.simulate.reference import read_drugs
from analysis.simulate.state import exposure_episodes, lagged_risk_time
from analysis.simulate.symptoms import ASTHMA, exacerbation_diagnoses, planted_symptoms, symptom_truth
from analysis.simulate.tables import (
    adverse_event_table,
    condition_table,
    death_table,
    diagnoses,
    discontinuation_table,
    has_indication,
    observation_table,
    person_table,
    prescription_table,
)
from analysis.simulate.timeline import plan_timeline
from analysis.simulate.truth import planted_numbers, truth_document, truth_persons

__all__ = ["PROFILES", "Profile", "Simulation", "SimulationError", "simulate", "simulate_profile", "write_simulation"]

# Bits of a person number in the sort keys of `dosing.py`.
_MOST_PERSONS = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A simulated world: `tables` in the native input format by name, `truth` as in truth.json, truth by person.

    ledger: every bad record that was planted (`dirty.with_bad_records`); None where none was.
    """

    tables: dict[str, pl.DataFrame]
    truth: dict[str, Any]
    truth_person: pl.DataFrame
    ledger: pl.DataFrame | None = None


def simulate(
    profile: str, *, persons: int | None, seed: int, drugs: pl.DataFrame, outcomes: pl.DataFrame
) -> Simulation:
    """The world of a named profile.

    persons: None for the profile's own number. drugs, outcomes: the reference tables `drug` and `outcome`, all text,
    rows in any order. Same profile, persons, seed and reference: same bytes.
    Raises SimulationError for an unknown profile, a number of persons or seed out of range, or missing reference rows.
    """
    world = simulate_profile(profile_named(profile), persons=persons, seed=seed, drugs=drugs, outcomes=outcomes)
    if profile != DIRTY.name:
        return world
    tables, ledger = with_bad_records(world.tables, seed=seed)
    return replace(world, tables=tables, ledger=ledger)


def simulate_profile(
    profile: Profile, *, persons: int | None, seed: int, drugs: pl.DataFrame, outcomes: pl.DataFrame
) -> Simulation:
    """The world of a profile given as a value; otherwise as `simulate`."""
    size = profile.persons if persons is None else persons
    if not 0 < size < _MOST_PERSONS or seed < 0:
        raise SimulationError(f"persons must lie between 1 and {_MOST_PERSONS - 1} and the seed must not be negative")
    streams = [np.random.Generator(np.random.PCG64(child)) for child in np.random.SeedSequence(seed).spawn(12)]
    book = read_drugs(drugs, study=profile.study_drugs, background=profile.background_drugs)
    if book.look_back.max() > profile.history_days[0]:
        raise SimulationError(f"{profile.name}: history_days is shorter than the look-back of a drug")
    people = draw_population(profile, book, persons=size, rng=streams[0])
    timeline = plan_timeline(profile, people, book, rng=streams[1])
    background = draw_background(profile, people, book, observed_stop=timeline.observed_stop, rng=streams[2])
    proxies = draw_proxies(profile, people, book, rng=streams[8])
    records = place_doses(
        joined((timeline.courses, background, *([proxies.bursts] if proxies else []))),
        book,
        plan=profile.dosing,
        observed_stop=timeline.observed_stop,
        rng=streams[3],
    )
    pair = profile.infection.interaction
    risk = lagged_risk_time(
        exposure_episodes(records, book),
        book,
        entry=people.entry,
        observed_stop=timeline.observed_stop,
        lag_days=profile.infection.lag_days,
        agents=tuple(book.agent(name) for name in (pair.first, pair.second)) if pair else (),
    )
    hazards = infection_hazards(risk, profile.infection, age=people.age, severity=people.severity)
    infections = draw_infections(risk, hazards, profile.infection, persons=size, rng=streams[4])
    expectations = {
        ladder: expected_first_events(
            risk,
            per_day,
            infections,
            plan=profile.infection,
            level=level,
            first=first_days(infections, persons=size, opportunistic_only=ladder == "toruner"),
        )
        for ladder, level, per_day in (
            ("toruner", risk.toruner, hazards.opportunistic),
            ("broad", risk.broad, hazards.serious),
        )
    }
    controls = draw_control_events(profile.negative_controls, people, timeline, rng=streams[7])
    indications = condition_table(profile, people, timeline, rng=streams[6])
    control_code = control_codes(profile.negative_controls, controls, outcomes)
    diagnosed = [
        indications,
        diagnoses(controls.person, day=controls.day, code=control_code, after=indications.height),
    ]
    if proxies:
        diagnosed.append(flare_diagnoses(profile, people, proxies, after=sum(part.height for part in diagnosed)))
    omalizumab, symptoms = profile.omalizumab, None
    if omalizumab:
        baselines = drawn_baselines(omalizumab, records, book, rng=streams[9])
        measurements = measured(omalizumab, baselines, observed_stop=timeline.observed_stop, rng=streams[9])
        if omalizumab.symptoms:
            symptoms = planted_symptoms(
                omalizumab.symptoms,
                baselines,
                records,
                book,
                has_asthma=has_indication(profile, people, timeline, name=ASTHMA),
                observed_stop=timeline.observed_stop,
                rng=streams[10],
            )
            diagnosed.append(exacerbation_diagnoses(symptoms, after=sum(part.height for part in diagnosed)))
    tables = {
        "person": person_table(people),
        "observation_period": observation_table(people, timeline),
        "death": death_table(timeline),
        "prescription": prescription_table(records, book, persons=size, profile=profile),
        "adverse_event": adverse_event_table(
            profile, people, timeline, book=book, infections=infections, outcomes=outcomes, rng=streams[5]
        ),
        "discontinuation": discontinuation_table(people, timeline, book),
        "condition": pl.concat(diagnosed),
        **(proxy_tables(proxies) if proxies else {}),
    }
    if omalizumab:
        tables["measurement"] = pl.concat([*([tables["measurement"]] if "measurement" in tables else []), measurements])
    persons_truth = truth_persons(people, timeline, book, infections)
    if omalizumab and omalizumab.symptoms and symptoms:
        tables["symptom_score"] = symptoms.scores
        persons_truth = persons_truth.join(symptoms.persons, on="person_id", how="left", maintain_order="left")
    tables = with_care(tables, profile, people, records, book, observed_stop=timeline.observed_stop, seed=seed)
    planted = planted_numbers(profile, people, timeline, book=book, expectations=expectations)
    if profile.reactions:
        plan = profile.reactions
        tables = with_reactions(plan, tables, records, book, observed_stop=timeline.observed_stop, rng=streams[11])
        planted += planted_reactions(plan)
    return Simulation(
        tables=tables,
        truth=truth_document(profile, persons=size, seed=seed, planted=planted, expectations=expectations)
        | {"negative_controls": control_truth(profile.negative_controls, controls)}
        | ({"symptoms": symptom_truth(omalizumab.symptoms)} if omalizumab and omalizumab.symptoms else {})
        | (
            {"care": planted_care(profile.care), "antibodies": planted_antibodies(profile.care)} if profile.care else {}
        ),
        truth_person=persons_truth,
    )
