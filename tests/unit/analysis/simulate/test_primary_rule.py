"""The written records, read day by day in plain Python by the primary rule, give the plan and the planted levels.

Nothing of the simulator is used to read them: only the tables, the reference and the rule as it is written.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any

import polars as pl
import pytest

from analysis.simulate import Simulation

_DAY = dt.timedelta(days=1)
_FIRST = {"toruner": "first_opportunistic_infection_date", "broad": "first_serious_infection_date"}


class _Person:
    """One person's episodes by drug, from the records alone."""

    def __init__(self, rows: list[dict[str, Any]], drugs: dict[str, dict[str, Any]]) -> None:
        self.drugs = drugs
        self.episodes: dict[str, list[list[dt.date]]] = defaultdict(list)
        self.doses: dict[str, list[dt.date]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: row["start_date"]):
            drug = _drug_id(row["drug_source_value"], drugs)
            days = row["days_supply"] or self.cover(drug, row["start_date"])
            start, stop = row["start_date"], row["start_date"] + days * _DAY
            known = self.episodes[drug]
            if known and (start - known[-1][1]).days <= self.gap(drug):
                known[-1][1] = max(known[-1][1], stop)
            else:
                known.append([start, stop])

    def cover(self, drug: str, day: dt.date) -> int:
        """Days that a dose covers: to the next planned one in an induction, which begins after the look-back."""
        given, look_back = self.doses[drug], int(self.drugs[drug]["new_user_washout_days"])
        if given and (day - given[-1]).days > look_back:
            given.clear()
        if day not in given:
            given.append(day)
        planned = [int(text) for text in (self.drugs[drug]["induction_days"] or "0").split("|")]
        if len(given) < len(planned):
            return planned[len(given)] - planned[len(given) - 1]
        return int(self.drugs[drug]["interval_days"])

    def gap(self, drug: str) -> int:
        return int(self.drugs[drug]["gap_days"]) if self.drugs[drug]["is_biologic"] == "1" else 30

    def covered(self, day: dt.date) -> list[str]:
        study = [drug for drug in self.episodes if self.drugs[drug]["is_biologic"] == "1"]
        return sorted(d for d in study if any(start <= day < stop for start, stop in self.episodes[d]))

    def level(self, day: dt.date, flag: str) -> int:
        classes = set()
        for drug, known in self.episodes.items():
            reach = max(self.gap(drug), int(self.drugs[drug]["tail_days"])) * _DAY
            if self.drugs[drug][flag] == "1" and any(start <= day < stop + reach for start, stop in known):
                classes.add(self.drugs[drug]["drug_class"])
        return min(len(classes), 2)

    def first_study_day(self) -> dt.date:
        return min(known[0][0] for drug, known in self.episodes.items() if self.drugs[drug]["is_biologic"] == "1")


def _drug_id(name: str, drugs: dict[str, dict[str, Any]]) -> str:
    found = [d for d, row in drugs.items() if name in (row["generic_name"], *(row["brands"] or "").split(";"))]
    assert len(found) == 1, f"{name} names {found}"
    return found[0]


def _people(simulation: Simulation, drugs: pl.DataFrame) -> dict[str, _Person]:
    reference = {row["drug_id"]: row for row in drugs.iter_rows(named=True)}
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in simulation.tables["prescription"].iter_rows(named=True):
        rows[row["person_id"]].append(row)
    return {person: _Person(records, reference) for person, records in rows.items()}


@pytest.mark.parametrize("world", ["small", "tiny"])
def test_first_pair_in_the_records_lasts_exactly_as_planned(
    world: str, drugs: pl.DataFrame, request: pytest.FixtureRequest
) -> None:
    simulation: Simulation = request.getfixturevalue(world)
    people = _people(simulation, drugs)
    observed = dict(simulation.tables["observation_period"].select("person_id", "end_date").iter_rows())
    ended = 0
    for row in simulation.truth_person.iter_rows(named=True):
        person, last = people[row["person_id"]], observed[row["person_id"]]
        days = [row["entry_date"] + number * _DAY for number in range((last - row["entry_date"]).days + 1)]
        covered = {day: person.covered(day) for day in days}
        assert person.first_study_day() == row["entry_date"]
        assert max(len(drugs_on) for drugs_on in covered.values()) <= 2
        start = next((day for day in days if len(covered[day]) == 2), None)
        assert start == row["pair_start_date"]
        if start is None:
            continue
        assert "+".join(covered[start]) == row["pair"]
        stop = next((day for day in days if day > start and covered[day] != covered[start]), last + _DAY)
        if row["pair_ending"] in ("death", "lost") or row["pair_planned_stop_date"] > last + _DAY:
            # No stop within observed time: what looks uncovered at its end is shorter than any drug's gap.
            gap = min(person.gap(drug) for drug in covered[start])
            assert (last + _DAY - stop).days <= gap
        else:
            assert stop == row["pair_planned_stop_date"]
            ended += 1
    assert ended > (10 if world == "tiny" else 80)


@pytest.mark.parametrize("world", ["small", "tiny"])
def test_planted_hazards_act_on_the_state_seven_days_earlier(
    world: str, drugs: pl.DataFrame, request: pytest.FixtureRequest
) -> None:
    """Days at risk and summed hazard by level, recomputed by hand, equal those the simulation used."""
    simulation: Simulation = request.getfixturevalue(world)
    days, hazard, events = _recount(simulation, drugs, lag=7 * _DAY)
    for ladder in _FIRST:
        for level, realised in enumerate(simulation.truth["realised"][ladder]):
            assert days[ladder, level] == realised["person_days"]
            assert events[ladder, level] == realised["event_count"]
            assert hazard[ladder, level] == pytest.approx(realised["expected_count"], rel=1e-9)


@pytest.mark.parametrize("lag", [6, 8])
def test_one_day_more_or_less_of_lag_does_not_fit(lag: int, drugs: pl.DataFrame, tiny: Simulation) -> None:
    """Negative control of the check above."""
    days, _, _ = _recount(tiny, drugs, lag=lag * _DAY)
    realised = [item["person_days"] for item in tiny.truth["realised"]["broad"]]
    assert [days["broad", level] for level in range(3)] != realised


def _recount(
    simulation: Simulation, drugs: pl.DataFrame, *, lag: dt.timedelta
) -> tuple[dict[tuple[str, int], int], dict[tuple[str, int], float], dict[tuple[str, int], int]]:
    """Days, planted hazard and first events by ladder and level, day by day from entry to first event or end."""
    people, plan = _people(simulation, drugs), simulation.truth["parameters"]["infection"]
    observed = dict(simulation.tables["observation_period"].select("person_id", "end_date").iter_rows())
    infections: dict[str, list[dt.date]] = defaultdict(list)
    for row in simulation.tables["adverse_event"].filter(pl.col("serious") == "Y").iter_rows(named=True):
        infections[row["person_id"]].append(row["onset_date"])
    opportunistic = plan["opportunistic_per_1000py"] * plan["opportunistic_base_factor"]
    planted = {
        "toruner": [opportunistic * ratio for ratio in plan["opportunistic_ratio"]],
        "broad": [plan["serious_per_1000py"] * ratio for ratio in plan["serious_ratio"]],
    }
    days: dict[tuple[str, int], int] = defaultdict(int)
    hazard: dict[tuple[str, int], float] = defaultdict(float)
    events: dict[tuple[str, int], int] = defaultdict(int)
    for row in simulation.truth_person.iter_rows(named=True):
        person, age_ratio = people[row["person_id"]], 2.0 if row["age"] > 50 else 1.0
        for ladder, column in _FIRST.items():
            day, last = row["entry_date"], row[column] or observed[row["person_id"]]
            while day <= last:
                level = person.level(day - lag, f"counts_{ladder}")
                days[ladder, level] += 1
                events[ladder, level] += day == row[column]
                if not any(0 < (day - earlier).days <= 30 for earlier in infections[row["person_id"]]):
                    hazard[ladder, level] += planted[ladder][level] * age_ratio / 1000 / 365.25
                day += _DAY
    return days, hazard, events
