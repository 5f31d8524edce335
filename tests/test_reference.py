"""The exposure layer and person-time against the slow reference, on random small histories.

Every example is a world of a few persons and two exposure rules. Days are drawn close together, so that ties, nested
and touching windows, gaps of exactly gap_days, holes in observed time and deaths inside a gap are common, not rare.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cases.runner import Ascii, Bench, input_columns
from tests.reference.day_by_day import (
    Drug,
    History,
    Policy,
    State,
    Window,
    combination_episodes,
    entry,
    episodes,
    person_time,
    states,
)

DAY_0 = dt.date(2020, 1, 1)  # 29 February is day 59
LAST_DAY = 100
DRUGS = {
    "a": Drug("study", "x", counts_toruner=False, counts_broad=True),
    "b": Drug("study", "x", counts_toruner=True, counts_broad=True),
    "c": Drug("study", "y", counts_toruner=False, counts_broad=False),
    "p": Drug("background", "z", counts_toruner=True, counts_broad=True),
    "q": Drug("background", "z", counts_toruner=True, counts_broad=True),
}
MIN_OVERLAP = 10
LAGS = {"now": 0, "late": 7}
EPISODE_GAP = 5
BUILT = (
    "exposure.episode",
    "exposure.combination_interval",
    "exposure.combination_episode",
    "cohort.entry",
    "cohort.outcome_event",
    "cohort.person_time",
)

Policies = dict[str, Policy]


@dataclass(frozen=True)
class World:
    """Persons, two rules and the look-back of a study."""

    persons: tuple[History, ...]
    rules: tuple[Policies, Policies]
    look_back: int


@st.composite
def histories(draw: st.DrawFn) -> History:
    lengths = st.sampled_from((1, 1, 2, 3, 7, 10, 14, 30))
    windows = [
        Window(drug, start, start + length)
        for drug, start, length in draw(
            st.lists(st.tuples(st.sampled_from("aabbcpq"), st.integers(0, 70), lengths), max_size=8)
        )
    ]
    edges = sorted(draw(st.lists(st.integers(0, LAST_DAY), max_size=6, unique=True)))
    death = draw(st.none() | st.integers(0, LAST_DAY + 10))
    end = LAST_DAY if death is None else min(LAST_DAY, death + 1)
    periods = [(start, min(stop, end)) for start, stop in zip(edges[::2], edges[1::2], strict=False) if start < end]
    outcomes = {name: tuple(draw(st.lists(st.integers(0, LAST_DAY), max_size=3))) for name in LAGS}
    return History(tuple(windows), tuple(periods), death, outcomes)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    policy = st.builds(Policy, st.sampled_from((0, 1, 3, 10)), st.sampled_from((0, 2, 10, 25)))
    rule = st.fixed_dictionaries(dict.fromkeys(DRUGS, policy))
    persons = draw(st.lists(histories(), min_size=1, max_size=12))
    return World(tuple(persons), (draw(rule), draw(rule)), draw(st.sampled_from((0, 1, 5, 20))))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(input_columns(tmp_path_factory.mktemp("reference") / "columns.duckdb"))
    yield made
    made.close()


def _table(columns: str, rows: Sequence[Sequence[object]]) -> Ascii:
    return Ascii(tuple(columns.split()), [tuple(None if cell is None else str(cell) for cell in row) for row in rows])


def _date(day: int | None) -> dt.date | None:
    return None if day is None else DAY_0 + dt.timedelta(days=day)


def _load(bench: Bench, world: World) -> None:
    people = list(enumerate(world.persons, start=1))
    given_rows = {
        "spec.study": _table("look_back_days min_overlap_days", [(world.look_back, MIN_OVERLAP)]),
        "spec.exposure_rule": _table("exposure_rule rule_number", [("r0", 1), ("r1", 2)]),
        "spec.drug": _table(
            "drug_id role drug_class counts_toruner counts_broad",
            [(name, d.role, d.drug_class, d.counts_toruner, d.counts_broad) for name, d in DRUGS.items()],
        ),
        "spec.drug_policy": _table(
            "exposure_rule drug_id gap_days tail_days",
            [(f"r{i}", name, p.gap, p.tail) for i, rule in enumerate(world.rules) for name, p in rule.items()],
        ),
        "spec.outcome": _table(
            "outcome_id lag_days episode_gap_days", [(name, lag, EPISODE_GAP) for name, lag in LAGS.items()]
        ),
        "spec.outcome_term": _table("outcome_id term", [(name, name) for name in LAGS]),
        "staged.person": _table("person_id", [(i,) for i, _ in people]),
        "staged.death": _table("person_id death_date", [(i, _date(h.death)) for i, h in people if h.death is not None]),
        "staged.observation_period": _table(
            "person_id period_number start_date stop_date",
            [(i, n, _date(a), _date(b)) for i, h in people for n, (a, b) in enumerate(h.periods, start=1)],
        ),
        "exposure.window": _table(
            "prescription_id person_id drug_id start_date stop_date",
            [
                (f"{i}-{n}", i, w.drug, _date(w.start), _date(w.stop))
                for i, h in people
                for n, w in enumerate(h.windows)
            ],
        ),
        "staged.adverse_event": _table(
            "adverse_event_id person_id term onset_date",
            [
                (f"{i}-{name}-{n}", i, name, _date(day))
                for i, h in people
                for name, days in h.outcomes.items()
                for n, day in enumerate(days)
            ],
        ),
    }
    for name, table in given_rows.items():
        bench.fill(name, table)
    for name in BUILT:
        bench.build(name)


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
        for e in episodes(history, name, rule[name].gap):
            yield name, e.number, e.start, e.stop, e.record_count, e.ending == "censored", e.ending, e.ending_day


def _state_rows(history: History, rule: Policies, _: int) -> Iterator[tuple[object, ...]]:
    for day, s in states(history, DRUGS, rule).items():
        yield day, s.regimen, s.risk_regimen, _size(s.regimen), _size(s.risk_regimen), s.toruner, s.broad


def _size(regimen: str) -> int:
    return 0 if regimen == "none" else len(regimen.split("+"))


def _together_rows(history: History, rule: Policies, _: int) -> Iterator[tuple[object, ...]]:
    for t in combination_episodes(history, DRUGS, rule, min_overlap=MIN_OVERLAP):
        yield (
            *(t.regimen, t.number, _size(t.regimen), t.start, t.stop, t.first_drug, t.is_switch_overlap),
            *(t.ending == "censored", t.ending, t.ending_day, t.stopped),
        )


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
    "together": _together_rows,
    "entry": _entry_rows,
    "person_time": _person_time_rows,
}
_SELECTS = {
    "episode": f"SELECT exposure_rule, person_id, drug_id, episode_number, {_day('start_date')}, {_day('stop_date')}, "
    f"prescription_count, is_censored, ending, {_day('ending_date')} FROM exposure.episode",
    "state": f"SELECT exposure_rule, person_id, UNNEST(RANGE({_day('start_date')}, {_day('stop_date')})), regimen_id, "
    "risk_regimen_id, drug_count, risk_drug_count, toruner_count, broad_count FROM exposure.combination_interval",
    "together": "SELECT exposure_rule, person_id, regimen_id, episode_number, drug_count, "
    f"{_day('start_date')}, {_day('stop_date')}, first_drug_id, is_switch_overlap, is_censored, ending, "
    f"{_day('ending_date')}, stopped_drugs FROM exposure.combination_episode",
    "entry": f"SELECT exposure_rule, person_id, {_day('entry_date')}, entry_regimen_id, is_new_user FROM cohort.entry",
    "person_time": "SELECT exposure_rule, person_id, population, outcome_id, regimen_id, risk_regimen_id, "
    "toruner_count, broad_count, CAST(SUM(DATE_DIFF('day', start_date, stop_date)) AS BIGINT), CAST(SUM(event_count) AS BIGINT) "
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


@settings(
    max_examples=120, derandomize=True, deadline=None, database=None,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example),
)  # fmt: skip
@given(world=worlds())
def test_sql_agrees_with_the_day_by_day_reference(bench: Bench, world: World) -> None:
    with bench.transaction():
        _load(bench, world)
        for rows, select in _SELECTS.items():
            assert sorted(bench.rows(select), key=repr) == _expected(world, rows), rows
        assert bench.rows(_TOUCHING) == [(0,)], "intervals are maximal"
        assert bench.rows(_OUT_OF_STEP) == [(0,)], "day numbers follow the dates from entry"
