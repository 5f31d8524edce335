"""The exposure layer and person-time against the slow reference, on random small histories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases.runner import Bench, input_columns
from tests.reference.before_and_after import after_stops, ending_kind, new_uses, stopped_component
from tests.reference.by_class import class_intervals
from tests.reference.day_by_day import (
    History,
    State,
    combination_episodes,
    entry,
    episodes,
    person_time,
    states,
)
from tests.reference.supply import Window, covered_days, pill_count_days
from tests.worlds import (
    DAY_0,
    DEFINITIONS,
    DRUGS,
    EPISODE_GAP,
    LAGS,
    MIN_OVERLAP,
    NO_CAP,
    SAME_EVERY_TIME,
    Policies,
    World,
    load,
    worlds,
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(input_columns(tmp_path_factory.mktemp("reference") / "columns.duckdb"))
    yield made
    made.close()


def _day(column: str) -> str:
    return f"DATE_DIFF('day', DATE '{DAY_0}', {column})"


def _expected(world: World, rows: str) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for i, history in enumerate(world.persons, start=1):
        for number, rule in enumerate(world.rules):
            found += [(f"r{number}", i, *row) for row in _ROWS[rows](history, rule, world.look_back)]
    return sorted(found, key=repr)


def _episode_rows(history: History, rule: Policies, _: int) -> Iterator[tuple[object, ...]]:
    for name in DRUGS:
        for e in episodes(history, name, rule[name]):
            yield name, e.number, e.start, e.stop, e.record_count, e.ending == "censored", e.ending, e.ending_day


def _state_rows(history: History, rule: Policies, _: int) -> Iterator[tuple[object, ...]]:
    for day, s in states(history, DRUGS, rule).items():
        yield day, s.regimen, s.risk_regimen, _size(s.regimen), _size(s.risk_regimen), s.toruner, s.broad


def _size(regimen: str) -> int:
    return 0 if regimen == "none" else len(regimen.split("+"))


def _class_rows(history: History, rule: Policies, _: int) -> Iterator[tuple[object, ...]]:
    for start, stop, s in class_intervals(history, DRUGS, rule):
        yield start, stop, s.classes, s.risk_classes, _size(s.classes), _size(s.risk_classes), s.biologics


def _together_rows(history: History, rule: Policies, _: int) -> Iterator[tuple[object, ...]]:
    for t in combination_episodes(history, DRUGS, rule, min_overlap=MIN_OVERLAP):
        yield (
            *(t.regimen, t.number, _size(t.regimen), t.start, t.stop, t.first_drug, t.is_switch_overlap),
            *(t.ending == "censored", t.ending, t.ending_day, t.stopped),
        )


def _new_use_rows(history: History, rule: Policies, _: int) -> Iterator[tuple[object, ...]]:
    for name in DRUGS:
        for number, is_new in new_uses(history, name, rule[name]):
            yield name, number, is_new


def _ending_rows(history: History, rule: Policies, _: int) -> Iterator[tuple[object, ...]]:
    used = {name: episodes(history, name, rule[name]) for name, drug in DRUGS.items() if drug.role == "study"}
    for t in combination_episodes(history, DRUGS, rule, min_overlap=MIN_OVERLAP):
        yield t.regimen, t.number, t.ending_day, ending_kind(t, used), stopped_component(t)


def _after_stop_rows(history: History, rule: Policies, _: int) -> Iterator[tuple[object, ...]]:
    for s in after_stops(history, DRUGS, rule, DEFINITIONS):
        yield s.regimen, s.number, s.ending_day, s.stopped, s.remaining, s.next_event, s.next_drug, s.days


def _entry_rows(history: History, rule: Policies, look_back: int) -> Iterator[tuple[object, ...]]:
    found = entry(history, DRUGS, rule, look_back=look_back)
    if found:
        yield found.day, found.regimen, found.is_new_user


def _person_time_rows(history: History, rule: Policies, look_back: int) -> Iterator[tuple[object, ...]]:
    entered = entry(history, DRUGS, rule, look_back=look_back)
    if entered is None:
        return
    day_states = states(history, DRUGS, rule)
    for outcome, lag in LAGS.items():
        for population in ("all_time", *(("from_first",) if entered.is_new_user else ())):
            found: Counter[tuple[State, str]] = person_time(
                history, day_states, entered, outcome, lag=lag, episode_gap=EPISODE_GAP,
                first_period_only=population == "from_first",
            )  # fmt: skip
            for s in sorted({state for state, _ in found}, key=repr):
                yield (
                    *(population, outcome, s.regimen, s.risk_regimen, s.toruner, s.broad),
                    *(found[s, "days"], found[s, "events"]),
                )


_ROWS = {
    "episode": _episode_rows,
    "state": _state_rows,
    "class": _class_rows,
    "together": _together_rows,
    "new_use": _new_use_rows,
    "ending": _ending_rows,
    "after_stop": _after_stop_rows,
    "entry": _entry_rows,
    "person_time": _person_time_rows,
}
_SELECTS = {
    "episode": f"SELECT exposure_rule, person_id, drug_id, episode_number, {_day('start_date')}, {_day('stop_date')}, "
    f"prescription_count, is_censored, ending, {_day('ending_date')} FROM exposure.episode",
    "state": f"SELECT exposure_rule, person_id, UNNEST(RANGE({_day('start_date')}, {_day('stop_date')})), regimen_id, "
    "risk_regimen_id, drug_count, risk_drug_count, toruner_count, broad_count FROM exposure.combination_interval",
    "class": f"SELECT exposure_rule, person_id, {_day('start_date')}, {_day('stop_date')}, class_regimen_id, "
    "risk_class_regimen_id, class_count, risk_class_count, biologic_count FROM exposure.class_interval",
    "together": "SELECT exposure_rule, person_id, regimen_id, episode_number, drug_count, "
    f"{_day('start_date')}, {_day('stop_date')}, first_drug_id, is_switch_overlap, is_censored, ending, "
    f"{_day('ending_date')}, stopped_drugs FROM exposure.combination_episode",
    "new_use": "SELECT exposure_rule, person_id, drug_id, episode_number, is_new_use FROM exposure.initiation",
    "ending": f"SELECT exposure_rule, person_id, regimen_id, episode_number, {_day('ending_date')}, ending_kind, "
    "stopped_component FROM exposure.discontinuation WHERE CONTAINS(regimen_id, '+')",
    "after_stop": f"SELECT exposure_rule, person_id, regimen_id, episode_number, {_day('ending_date')}, stopped_drugs, "
    "remaining_regimen_id, next_event, next_drug_id, time_days FROM exposure.after_stop",
    "entry": f"SELECT exposure_rule, person_id, {_day('entry_date')}, entry_regimen_id, is_new_user FROM cohort.entry",
    "person_time": "SELECT exposure_rule, person_id, population, outcome_id, regimen_id, risk_regimen_id, "
    "toruner_count, broad_count, CAST(SUM(DATE_DIFF('day', start_date, stop_date)) AS BIGINT), "
    "CAST(SUM(event_count) AS BIGINT) "
    "FROM cohort.person_time GROUP BY ALL",
}
_TOUCHING = (
    "SELECT COUNT(*) FROM exposure.combination_interval AS a INNER JOIN exposure.combination_interval AS b "
    "USING (exposure_rule, person_id, regimen_id, risk_regimen_id, toruner_count, broad_count) "
    "WHERE a.stop_date = b.start_date"
)
_OUT_OF_STEP = (
    "SELECT COUNT(*) FROM cohort.person_time AS t INNER JOIN cohort.entry AS e USING (exposure_rule, person_id) "
    "WHERE t.start_day <> DATE_DIFF('day', e.entry_date, t.start_date) OR t.start_day < 0 "
    "OR t.stop_day - t.start_day <> DATE_DIFF('day', t.start_date, t.stop_date) OR t.stop_day <= t.start_day"
)


@settings(SAME_EVERY_TIME, max_examples=100)
@given(world=worlds())
def test_sql_agrees_with_the_day_by_day_reference(bench: Bench, world: World) -> None:
    with bench.transaction():
        load(bench, world)
        for rows, select in _SELECTS.items():
            assert sorted(bench.rows(select), key=repr) == _expected(world, rows), rows
        assert bench.rows(_TOUCHING) == [(0,)], "intervals are maximal"
        assert bench.rows(_OUT_OF_STEP) == [(0,)], "day numbers follow the dates from entry"


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from((1, 2, 3, 7, 30))), min_size=1, max_size=9))
@SAME_EVERY_TIME
def test_the_reference_without_a_cap_counts_pills(records: list[tuple[int, int]]) -> None:
    windows = [Window("a", start, start + days) for start, days in records]
    assert covered_days(windows, NO_CAP) == pill_count_days(windows)


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from((1, 2, 3, 7, 30))), min_size=1, max_size=9))
@SAME_EVERY_TIME
def test_the_reference_with_a_cap_of_no_days_merges(records: list[tuple[int, int]]) -> None:
    windows = [Window("a", start, start + days) for start, days in records]
    assert covered_days(windows, 0) == {day for w in windows for day in range(w.start, w.stop)}
