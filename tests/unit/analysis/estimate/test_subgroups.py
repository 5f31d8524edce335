"""Hazard ratios in subgroups and the test that they are equal, against R's model with every product."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from analysis.estimate.result import EstimationError
from analysis.estimate.subgroups import SubgroupHazards, subgroup_hazard_ratios

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "subgroups.json").read_text(encoding="utf-8"))
ROWS = pl.DataFrame(TRUTH["data"]).select(
    person_id="id", start_day="start", stop_day="stop", event="event", level=pl.col("level").cast(pl.String),
    two=pl.col("two").cast(pl.Float64), none=pl.col("none").cast(pl.Float64),
)  # fmt: skip


def _found(rows: pl.DataFrame, *, minimum_events: int = 1) -> SubgroupHazards:
    return subgroup_hazard_ratios(
        rows, "two", subgroup="level", others=["none"], minimum_events=minimum_events, confidence=0.95, ties="efron"
    )


def test_ratios_and_the_test_are_those_of_the_model_with_every_product_in_r() -> None:
    found = _found(ROWS)
    answers = list(found.ratios.values())
    logs = [math.log(answer.value or 0.0) for answer in answers]
    assert logs == pytest.approx(TRUTH["coefficients"], rel=1e-8)
    assert [a.standard_error for a in answers] == pytest.approx(TRUTH["robust_standard_errors"], rel=1e-6)
    assert [log - logs[0] for log in logs[1:]] == pytest.approx(TRUTH["product_coefficients"], rel=1e-6)
    assert found.equality.value == pytest.approx(TRUTH["wald"], rel=1e-6)
    assert found.equality.p_value == pytest.approx(TRUTH["p_value"], rel=1e-6)
    assert (found.degrees_of_freedom, found.equality.person_count) == (2, 120)
    assert found.equality.event_count == ROWS["event"].sum()


def test_a_level_with_one_event_too_few_is_described_and_leaves_the_test() -> None:
    events = dict(ROWS.group_by("level").agg(pl.col("event").sum()).rows())
    least = min(events, key=lambda level: events[level])
    at, above = (_found(ROWS, minimum_events=events[least] + more) for more in (0, 1))
    assert at.ratios[least].status == "ok"
    told = above.ratios[least]
    assert (told.status, told.event_count) == ("not_estimable", events[least])
    assert told.person_count == 40 and told.person_days is not None and told.person_days > 0
    assert told.reason == f"events in the subgroup: {events[least]}, at least {events[least] + 1} are needed"
    assert above.degrees_of_freedom == 1


def test_one_level_with_a_ratio_cannot_be_tested_and_no_rows_give_nothing() -> None:
    alone = _found(ROWS.filter(pl.col("level") == "1"))
    assert alone.equality.status == "not_estimable"
    assert alone.equality.reason == "subgroups with a hazard ratio: 1, two are needed"
    empty = _found(ROWS.clear())
    assert (empty.ratios, empty.degrees_of_freedom) == ({}, 0)


def test_order_of_rows_changes_nothing() -> None:
    shuffled = _found(ROWS.sample(fraction=1.0, shuffle=True, seed=3))
    assert shuffled.equality.value == pytest.approx(_found(ROWS).equality.value, rel=1e-12)


def test_a_person_in_two_levels_and_a_level_that_is_missing_are_refused() -> None:
    twice = ROWS.with_columns(level=pl.when(pl.col("start_day") > 0).then(pl.lit("9")).otherwise("level"))
    with pytest.raises(EstimationError, match="not one value for each person"):
        _found(twice)
    with pytest.raises(EstimationError, match="level is missing for"):
        _found(ROWS.with_columns(level=pl.when(pl.col("person_id") > 3).then("level")))


def test_the_test_keeps_its_level_where_all_ratios_are_equal() -> None:
    """400 worlds of two levels of 150 persons, exposed or not from day 0: 5 % of the tests fall below 0.05."""
    rng = np.random.default_rng(11)
    size, below = 300, 0
    for _ in range(400):
        exposed, level = rng.integers(0, 2, size), rng.integers(0, 2, size)
        wait = rng.exponential(np.where(exposed == 1, 60, 100) * (1 + level)).astype(int) + 1
        rows = pl.DataFrame(
            {
                "person_id": np.arange(size), "start_day": 0, "stop_day": np.minimum(wait, 200),
                "event": (wait <= 200).astype(int), "two": exposed.astype(float), "none": 0.0, "level": level.astype(str),
            }
        )  # fmt: skip
        p_value = _found(rows).equality.p_value
        assert p_value is not None
        below += p_value < 0.05
    assert 7 <= below <= 35  # 20 expected; limits of a binomial at 99.9 %
