"""Worlds of a few persons, drawn at random, and their way into a database.

Days are drawn close together, so that ties, nested and touching windows, gaps of exactly gap_days, holes in observed
time and deaths inside a gap are common, not rare.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.cases.runner import Ascii, Bench
from tests.reference.before_and_after import Definitions
from tests.reference.day_by_day import Drug, History, Policy
from tests.reference.supply import Window

DAY_0 = dt.date(2020, 1, 1)  # 29 February is day 59
LAST_DAY = 100
DRUGS = {
    "a": Drug("study", "x", counts_toruner=False, counts_broad=True, is_biologic=True),
    "b": Drug("study", "x", counts_toruner=True, counts_broad=True, is_biologic=True),
    "c": Drug("study", "y", counts_toruner=False, counts_broad=False),
    "p": Drug("background", "z", counts_toruner=True, counts_broad=True, is_biologic=True),
    "q": Drug("background", "z", counts_toruner=True, counts_broad=True),
}
MIN_OVERLAP = 10
DEFINITIONS = Definitions(after_stop=25, restart_after=8, switch_within=6)
LAGS = {"now": 0, "late": 7}
EPISODE_GAP = 5
NO_CAP = 36_500
HANDLING = {0: "merge", NO_CAP: "stockpile"}
USES = ("exposure.handling", "exposure.supply", "exposure.hospital_stay", "exposure.coverage", "exposure.episode")
BUILT = (
    *USES,
    "exposure.combination_interval",
    "exposure.class_interval",
    "exposure.combination_episode",
    "exposure.initiation",
    "exposure.discontinuation",
    "exposure.after_stop",
    "cohort.entry",
    "cohort.outcome_record",
    "cohort.outcome_event",
    "cohort.lagged_state",
    "cohort.person_time",
)

SAME_EVERY_TIME = settings(
    derandomize=True, deadline=None, database=None,
    suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example),
)  # fmt: skip

Policies = dict[str, Policy]


@dataclass(frozen=True)
class World:
    """Persons, two rules and the look-back of a study."""

    persons: tuple[History, ...]
    rules: tuple[Policies, Policies]
    look_back: int


@st.composite
def histories(draw: st.DrawFn) -> History:
    """One person."""
    lengths = st.sampled_from((1, 1, 2, 3, 7, 10, 14, 30))
    doses = st.sampled_from((None, (10, "mg"), (20, "mg"), (30, "mg"), (10, "iu")))
    windows = [
        Window(drug, start, start + length, dose)
        for drug, start, length, dose in draw(
            st.lists(st.tuples(st.sampled_from("aabbcpq"), st.integers(0, 70), lengths, doses), max_size=8)
        )
    ]
    stays = draw(st.lists(st.tuples(st.integers(0, 80), st.sampled_from((1, 2, 10))), max_size=3))
    edges = sorted(draw(st.lists(st.integers(0, LAST_DAY), max_size=6, unique=True) | st.just([0, LAST_DAY])))
    death = draw(st.none() | st.integers(0, LAST_DAY + 10))
    end = LAST_DAY if death is None else min(LAST_DAY, death + 1)
    periods = [(start, min(stop, end)) for start, stop in zip(edges[::2], edges[1::2], strict=False) if start < end]
    outcomes = {name: tuple(draw(st.lists(st.integers(0, LAST_DAY), max_size=3))) for name in LAGS}
    return History(
        tuple(windows), tuple(periods), death, outcomes, tuple((first, first + days) for first, days in stays)
    )


def _of_lengths(rule: Policies, lengths: tuple[int, int | None]) -> Policies:
    """The rule with the shortest use that counts and the longest that is followed, which hold for every drug."""
    return {name: replace(policy, shortest=lengths[0], longest=lengths[1]) for name, policy in rule.items()}


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A few persons under two rules."""
    policy = st.builds(
        Policy,
        st.sampled_from((0, 1, 3, 10)),
        st.sampled_from((0, 2, 10, 25)),
        st.sampled_from((0, 0, 0, 2, 9, NO_CAP)),
        dose_change=st.sampled_from(("carry", "discard", "convert")),
        bridges=st.sampled_from((False, False, True)),
        washout=st.sampled_from((0, 1, 12, 40)),
    ).map(lambda drawn: drawn if drawn.cap else replace(drawn, dose_change="carry"))
    lengths = st.sampled_from(((1, None), (1, None), (4, None), (1, 12), (3, 20)))
    rule = st.builds(_of_lengths, st.fixed_dictionaries(dict.fromkeys(DRUGS, policy)), lengths)
    persons = draw(st.lists(histories(), min_size=1, max_size=12))
    return World(tuple(persons), (draw(rule), draw(rule)), draw(st.sampled_from((0, 1, 5, 20))))


def _table(columns: str, rows: Sequence[Sequence[object]]) -> Ascii:
    return Ascii(tuple(columns.split()), [tuple(None if cell is None else str(cell) for cell in row) for row in rows])


def _date(day: int | None) -> dt.date | None:
    return None if day is None else DAY_0 + dt.timedelta(days=day)


def load(bench: Bench, world: World) -> None:
    """Puts a world into a bench and builds every table of use and up to person-time from it."""
    people = list(enumerate(world.persons, start=1))
    given_rows = {
        "spec.study": _table("look_back_days", [(world.look_back,)]),
        "spec.exposure_rule": _table(
            "exposure_rule rule_number min_overlap_days min_episode_days max_episode_days after_stop_days restart_after_days "
            "switch_within_days",
            [
                (
                    *(
                        f"r{i}",
                        i + 1,
                        MIN_OVERLAP,
                        next(iter(rule.values())).shortest,
                        next(iter(rule.values())).longest,
                    ),
                    *(DEFINITIONS.after_stop, DEFINITIONS.restart_after, DEFINITIONS.switch_within),
                )
                for i, rule in enumerate(world.rules)
            ],
        ),
        "spec.drug": _table(
            "drug_id role drug_class counts_toruner counts_broad is_biologic",
            [
                (name, d.role, d.drug_class, d.counts_toruner, d.counts_broad, d.is_biologic)
                for name, d in DRUGS.items()
            ],
        ),
        "spec.drug_policy": _table(
            "exposure_rule drug_id gap_days tail_days washout_days overlap_handling stockpile_cap_days dose_change "
            "bridges_hospital_stays",
            [
                (
                    *(f"r{i}", name, p.gap, p.tail, p.washout, HANDLING.get(p.cap, "stockpile_capped")),
                    *(p.cap, p.dose_change, p.bridges),
                )
                for i, rule in enumerate(world.rules)
                for name, p in rule.items()
            ],
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
            "prescription_id person_id drug_id start_date stop_date day_dose dose_unit",
            [
                (f"{i}-{n}", i, w.drug, _date(w.start), _date(w.stop), *(w.dose or (None, None)))
                for i, h in people
                for n, w in enumerate(h.windows)
            ],
        ),
        "staged.visit": _table(
            "visit_id person_id visit_type start_date stop_date",
            [
                (f"{i}-{n}", i, "inpatient", _date(first), _date(stop))
                for i, h in people
                for n, (first, stop) in enumerate(h.stays)
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
