"""Intervals by drug and by class of a study with more of either than one number holds, against the slow reference."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cases.runner import Bench, input_columns
from tests.reference.by_class import class_intervals
from tests.reference.day_by_day import Drug, History, Policy, states
from tests.reference.supply import Window
from tests.worlds import DAY_0, USES, _date, _table

DRUG_COUNT = 200
CLASS_COUNT = 67
PLACES = 30  # drugs, or classes, that the state of one day holds as a number


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(input_columns(tmp_path / "columns.duckdb"))
    yield made
    made.close()


def _world(class_count: int) -> tuple[dict[str, Drug], dict[str, Policy], list[History]]:
    rng = random.Random(1)  # noqa: S311
    drugs = {
        f"d{n:03d}": Drug(
            "study" if n % 4 else "background",
            f"c{n % class_count}",
            counts_toruner=n % 2 == 0,
            counts_broad=n % 3 == 0,
            is_biologic=n % 5 == 0,
        )
        for n in range(DRUG_COUNT)
    }
    rule = {name: Policy(rng.choice((0, 3, 10)), rng.choice((0, 2, 20))) for name in drugs}
    persons = []
    for _ in range(60):
        own = rng.sample(sorted(drugs), 12)
        starts = [(rng.choice(own), rng.randrange(70)) for _ in range(20)]
        windows = tuple(Window(drug, start, start + rng.choice((1, 7, 14, 30))) for drug, start in starts)
        persons.append(History(windows, ((0, 40), (45, 100)), None, {}))
    return drugs, rule, persons


def _fill(bench: Bench, drugs: dict[str, Drug], rule: dict[str, Policy], people: list[tuple[int, History]]) -> None:
    given = {
        "spec.exposure_rule": _table("exposure_rule rule_number", [("r", 1)]),
        "spec.drug": _table(
            "drug_id role drug_class counts_toruner counts_broad is_biologic",
            [
                (name, d.role, d.drug_class, d.counts_toruner, d.counts_broad, d.is_biologic)
                for name, d in drugs.items()
            ],
        ),
        "spec.drug_policy": _table(
            "exposure_rule drug_id gap_days tail_days", [("r", name, p.gap, p.tail) for name, p in rule.items()]
        ),
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
    }
    for name, table in given.items():
        bench.fill(name, table)
    for name in USES:
        bench.build(name)


def test_two_hundred_drugs_give_the_states_that_each_day_has(bench: Bench) -> None:
    drugs, rule, persons = _world(class_count=7)
    people = list(enumerate(persons, start=1))
    used = {w.drug for h in persons for w in h.windows}
    assert len(used) > 5 * PLACES
    _fill(bench, drugs, rule, people)
    bench.build("exposure.combination_interval")
    found = {
        (person, day): rest
        for person, start, stop, *rest in bench.rows(
            f"SELECT person_id, DATE_DIFF('day', DATE '{DAY_0}', start_date), DATE_DIFF('day', DATE '{DAY_0}', stop_date), "
            "regimen_id, risk_regimen_id, toruner_count, broad_count FROM exposure.combination_interval"
        )
        for day in range(start, stop)  # type: ignore[call-overload]
    }
    expected = {
        (i, day): [s.regimen, s.risk_regimen, s.toruner, s.broad]
        for i, history in people
        for day, s in states(history, drugs, rule).items()
    }
    assert found == expected
    touching = bench.rows(
        "SELECT COUNT(*) FROM exposure.combination_interval AS a INNER JOIN exposure.combination_interval AS b ON "
        "a.person_id = b.person_id AND a.stop_date = b.start_date AND a.regimen_id = b.regimen_id AND a.risk_regimen_id = "
        "b.risk_regimen_id AND a.toruner_count = b.toruner_count AND a.broad_count = b.broad_count"
    )
    assert touching == [(0,)], "intervals are maximal"


def test_more_classes_than_one_number_holds_give_the_intervals_of_the_reference(bench: Bench) -> None:
    drugs, rule, persons = _world(class_count=CLASS_COUNT)
    people = list(enumerate(persons, start=1))
    assert len({drugs[w.drug].drug_class for h in persons for w in h.windows}) > 2 * PLACES
    _fill(bench, drugs, rule, people)
    bench.build("exposure.class_interval")
    found = bench.rows(
        f"SELECT person_id, DATE_DIFF('day', DATE '{DAY_0}', start_date), DATE_DIFF('day', DATE '{DAY_0}', stop_date), "
        "class_regimen_id, risk_class_regimen_id, biologic_count FROM exposure.class_interval"
    )
    expected = [
        (i, start, stop, s.classes, s.risk_classes, s.biologics)
        for i, history in people
        for start, stop, s in class_intervals(history, drugs, rule)
    ]
    assert sorted(found) == sorted(expected)
