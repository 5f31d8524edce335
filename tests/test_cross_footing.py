"""Summaries add up: cells to the partition, drugs and combinations to the sets that hold them, on random small histories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from tests.cases.runner import Bench, input_columns
from tests.reference.day_by_day import History, Policy
from tests.reference.supply import Window
from tests.worlds import DRUGS, SAME_EVERY_TIME, World, load, worlds

SUMMARIES = (
    "summary.exposure_time",
    "summary.exposure_cell",
    "summary.event_count",
    "summary.rate_cell",
    "summary.drug_use",
    "summary.combination_use",
    "summary.after_stop_count",
)
OBSERVED = (
    "SELECT s.exposure_rule, o.person_id, SUM(DATE_DIFF('day', o.start_date, o.stop_date)) AS days "
    "FROM staged.observation_period AS o CROSS JOIN spec.exposure_rule AS s GROUP BY s.exposure_rule, o.person_id"
)
_BY_PERSON = (
    "SELECT exposure_rule, person_id, SUM(DATE_DIFF('day', start_date, stop_date)) AS days FROM {} GROUP BY ALL"
)
_HOLDS = "CONTAINS('+' || t.regimen_id || '+', '+' || {} || '+')"
EQUALS = {  # what it says -> two SELECTs that must give the same rows
    "the partition by drug is observed time": (OBSERVED, _BY_PERSON.format("exposure.combination_interval")),
    "the partition by class is observed time": (OBSERVED, _BY_PERSON.format("exposure.class_interval")),
    "cells add up to the days on each set": (
        "SELECT exposure_rule, regimen_id, SUM(person_days) FROM summary.exposure_cell GROUP BY ALL",
        "SELECT exposure_rule, regimen_id, person_days FROM summary.exposure_time WHERE population = 'observed'",
    ),
    "beginnings in cells add up to the runs of each set": (
        "SELECT exposure_rule, regimen_id, SUM(start_count) FROM summary.exposure_cell GROUP BY ALL",
        "SELECT i.exposure_rule, i.regimen_id, COUNT(*) FROM exposure.combination_interval AS i WHERE NOT EXISTS (SELECT 1 "
        "FROM exposure.combination_interval AS b WHERE b.exposure_rule = i.exposure_rule AND b.person_id = i.person_id "
        "AND b.stop_date = i.start_date AND b.regimen_id = i.regimen_id) GROUP BY ALL",
    ),
    "the observed use of a drug is the time on the sets that hold it": (
        "SELECT u.exposure_rule, u.drug_id, u.observed_use_days FROM summary.drug_use AS u INNER JOIN spec.drug AS d "
        "USING (drug_id) WHERE d.role = 'study'",
        "SELECT g.exposure_rule, g.drug_id, COALESCE(SUM(t.person_days), 0) FROM spec.drug_policy AS g "
        "INNER JOIN spec.drug AS d ON g.drug_id = d.drug_id AND d.role = 'study' LEFT JOIN summary.exposure_time AS t "
        f"ON t.exposure_rule = g.exposure_rule AND t.population = 'observed' AND {_HOLDS.format('g.drug_id')} GROUP BY ALL",
    ),
    "the observed use of a pair is the time on the sets that hold both": (
        "SELECT exposure_rule, regimen_id, observed_use_days FROM summary.combination_use "
        "WHERE drug_count = 2 AND observed_use_days > 0",
        "SELECT t.exposure_rule, a.drug_id || '+' || b.drug_id, SUM(t.person_days) FROM summary.exposure_time AS t "
        f"INNER JOIN spec.drug AS a ON {_HOLDS.format('a.drug_id')} INNER JOIN spec.drug AS b ON {_HOLDS.format('b.drug_id')} "
        "WHERE t.population = 'observed' AND a.drug_id < b.drug_id GROUP BY ALL",
    ),
    "every use of a drug and of a combination ended in one way": (
        "SELECT exposure_rule, drug_id, episode_count FROM summary.drug_use UNION ALL "
        "SELECT exposure_rule, regimen_id, episode_count FROM summary.combination_use",
        "SELECT exposure_rule, drug_id, stopped_count + death_count + censored_count FROM summary.drug_use UNION ALL "
        "SELECT exposure_rule, regimen_id, stopped_count + death_count + censored_count FROM summary.combination_use",
    ),
    "every known stop is followed by one thing, and so is the first of each person": (
        "SELECT exposure_rule, population, regimen_id, SUM(stop_count) FROM summary.after_stop_count GROUP BY ALL",
        "SELECT exposure_rule, 'all_stops', regimen_id, COUNT(*) FROM exposure.discontinuation WHERE ending = 'stopped' "
        "GROUP BY ALL UNION ALL SELECT exposure_rule, 'first_stop', regimen_id, COUNT(DISTINCT person_id) "
        "FROM exposure.discontinuation WHERE ending = 'stopped' GROUP BY ALL",
    ),
    "new uses are those of the table of beginnings": (
        "SELECT exposure_rule, SUM(new_use_count) FROM summary.drug_use GROUP BY ALL",
        "SELECT exposure_rule, COUNT(*) FILTER (is_new_use) FROM exposure.initiation GROUP BY ALL "
        "UNION ALL SELECT exposure_rule, 0 FROM spec.exposure_rule WHERE exposure_rule NOT IN ("
        "SELECT exposure_rule FROM exposure.initiation)",
    ),
    "cells of rates add up to time at risk and its events": (
        "SELECT exposure_rule, outcome_id, ladder, level, SUM(person_days), SUM(event_count) FROM summary.rate_cell GROUP BY ALL",
        "SELECT exposure_rule, outcome_id, dimension, level, person_days, event_count FROM summary.event_count "
        "WHERE population = 'all_time' AND dimension IN ('study_drugs', 'toruner', 'broad')",
    ),
}
BREAKS = {  # what breaks it -> the equality that must not hold then
    "UPDATE summary.exposure_cell SET person_days = person_days + 1": "cells add up to the days on each set",
    "UPDATE summary.rate_cell SET event_count = event_count + 1": "cells of rates add up to time at risk and its events",
    "UPDATE summary.exposure_cell SET start_count = 0": "beginnings in cells add up to the runs of each set",
    "DELETE FROM exposure.class_interval WHERE person_id = 1": "the partition by class is observed time",
    "DELETE FROM exposure.combination_interval WHERE person_id = 1": "the partition by drug is observed time",
    "UPDATE summary.drug_use SET observed_use_days = use_days + 1": (
        "the observed use of a drug is the time on the sets that hold it"
    ),
    "UPDATE summary.combination_use SET observed_use_days = use_days + 1": (
        "the observed use of a pair is the time on the sets that hold both"
    ),
    "UPDATE summary.drug_use SET censored_count = censored_count + 1": (
        "every use of a drug and of a combination ended in one way"
    ),
    "DELETE FROM summary.after_stop_count WHERE population = 'first_stop'": (
        "every known stop is followed by one thing, and so is the first of each person"
    ),
    "UPDATE summary.drug_use SET new_use_count = new_use_count + 1": "new uses are those of the table of beginnings",
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(input_columns(tmp_path_factory.mktemp("footing") / "columns.duckdb"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def a_world() -> World:
    """Two persons; the first takes two drugs together, stops one and later takes it again."""
    rule = {name: Policy(gap=3, tail=5, washout=10) for name in DRUGS}
    one = History((Window("a", 20, 50), Window("b", 30, 60), Window("a", 70, 80)), ((0, 100),), None, {})
    return World((one, History((Window("c", 5, 15),), ((0, 40), (50, 90)), None, {})), (rule, rule), 0)


def _summarise(bench: Bench, world: World) -> None:
    """Builds the summaries of a world whose persons turn 50 one after the other during it."""
    load(bench, world)
    bench.fill("spec.age_band", None)
    bench.rows("UPDATE staged.person SET birth_date = DATE '1969-12-25' + CAST(person_id * 9 AS INTEGER)")
    for name in SUMMARIES:
        bench.build(name)


def _agrees(bench: Bench, said: str) -> bool:
    one, other = (sorted(bench.rows(select)) for select in EQUALS[said])
    return one == other


@settings(SAME_EVERY_TIME, max_examples=60)
@given(world=worlds())
def test_summaries_add_up(bench: Bench, world: World) -> None:
    with bench.transaction():
        _summarise(bench, world)
        for said in EQUALS:
            assert _agrees(bench, said), said


@pytest.mark.parametrize("change", BREAKS)
def test_what_does_not_add_up_is_seen(bench: Bench, change: str, a_world: World) -> None:
    with bench.transaction():
        _summarise(bench, a_world)
        assert all(_agrees(bench, said) for said in EQUALS)
        bench.rows(change)
        assert not _agrees(bench, BREAKS[change])


def test_every_sum_is_shown_to_fail() -> None:
    assert set(BREAKS.values()) == set(EQUALS)
