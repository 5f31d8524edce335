"""Negative-control outcomes: diagnoses that no drug causes, so that an honest study finds a ratio of 1.

Owns when they happen. Each has a constant hazard from entry on, that a profile may raise by severity (exp(effect x Z)), as an
outcome that is found because ill persons see doctors more often. Never looks at exposure. Which outcomes there are is the
reference's (`category = negative_control`); how a diagnosis is written is `tables.py`.
Source: Lipsitch 2010, Epidemiology 21:383; Schuemie 2014, Stat Med 33:209.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from analysis.simulate.design import DAYS_PER_YEAR, NegativeControl
from analysis.simulate.population import Population
from analysis.simulate.reference import Ints, read_negative_control_codes
from analysis.simulate.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlEvents:
    """First events, one value an event, ordered by outcome and person. `control`: position in the profile's controls."""

    person: Ints
    day: Ints
    control: Ints


def draw_control_events(
    controls: tuple[NegativeControl, ...], people: Population, timeline: Timeline, *, rng: np.random.Generator
) -> ControlEvents:
    """The first event of each control and person between entry and the observed end, where there is one."""
    persons, days, which = [], [], []
    for number, control in enumerate(controls):
        per_day = control.per_1000py / 1000 / DAYS_PER_YEAR * np.exp(control.severity_log_effect * people.severity)
        day = people.entry + np.floor(rng.exponential(size=people.entry.size) / per_day).astype(np.int64)
        person = np.flatnonzero(day < timeline.observed_stop)
        persons.append(person)
        days.append(day[person])
        which.append(np.full(person.size, number, dtype=np.int64))
    none = np.empty(0, dtype=np.int64)
    return ControlEvents(
        person=np.concatenate([none, *persons]),
        day=np.concatenate([none, *days]),
        control=np.concatenate([none, *which]),
    )


def control_codes(controls: tuple[NegativeControl, ...], events: ControlEvents, outcomes: pl.DataFrame) -> pl.Series:
    """The ICD-10 code that each event is written with. outcomes: the reference table `outcome`, all text, in any order.

    Raises SimulationError for an outcome that is missing or that the reference does not call a negative control.
    """
    codes = read_negative_control_codes(outcomes, outcome_ids=tuple(control.outcome_id for control in controls))
    return pl.Series(codes, dtype=pl.String).gather(events.control)


def control_truth(controls: tuple[NegativeControl, ...], events: ControlEvents) -> list[dict[str, Any]]:
    """For truth.json, one entry a control: the planted ratio (1 for every drug and level) and what raises it instead."""
    counts = np.bincount(events.control, minlength=len(controls))
    return [
        asdict(control) | {"hazard_ratio": 1.0, "first_event_count": int(count)}
        for control, count in zip(controls, counts, strict=True)
    ]
