"""Controls of a study: each rule by itself, what is equal in a set, and what the replica changes."""

from __future__ import annotations

import datetime as dt

import polars as pl

from analysis.matching.control_sample import DESIGNS, SAMPLE_SCHEMA, control_sample, no_controls
from analysis.study.spec import CaseControl

DAY = dt.date(2020, 1, 1)


def _basis(rows: list[tuple[str, int, str, str]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=["exposure_rule", "person_id", "sex", "indication"], orient="row")
    return frame.with_columns(birth_date=pl.lit(dt.date(1980, 1, 1)), entry_date=pl.lit(DAY))


def _time(rows: list[tuple[str, int, int, int]]) -> pl.DataFrame:
    """Rule, person, days at risk, event on the last of them."""
    return pl.DataFrame(
        [(rule, person, DAY, DAY + dt.timedelta(days=days), event) for rule, person, days, event in rows],
        schema=["exposure_rule", "person_id", "start_date", "stop_date", "event_count"],
        orient="row",
    )


def _drawn(basis: pl.DataFrame, time: pl.DataFrame, design: str = "incidence_density") -> list[tuple[str, int, bool]]:
    frame = control_sample(basis, time, CaseControl(), outcome_id="fever", design=design)
    assert frame.schema == pl.Schema(SAMPLE_SCHEMA)
    assert set(frame["design"]) <= {design} and set(frame["outcome_id"]) <= {"fever"}
    return frame.select("exposure_rule", "person_id", "is_case").rows()


def test_sex_and_indication_are_equal_and_each_rule_has_its_own_cohort() -> None:
    basis = _basis([("a", 1, "F", "ibd"), ("a", 2, "F", "ibd"), ("a", 3, "M", "ibd"), ("a", 4, "F", "none")])
    basis = pl.concat([basis, _basis([("b", 1, "F", "ibd"), ("b", 4, "F", "ibd")])])
    time = _time([("a", 1, 10, 1), *(("a", person, 99, 0) for person in (2, 3, 4)), ("b", 1, 10, 1), ("b", 4, 99, 0)])
    assert _drawn(basis, time) == [("a", 1, True), ("a", 2, False), ("b", 1, True), ("b", 4, False)]


def test_the_day_of_the_event_is_the_index_date() -> None:
    frame = control_sample(
        _basis([("a", 1, "F", "ibd")]),
        _time([("a", 1, 10, 1)]),
        CaseControl(),
        outcome_id="f",
        design="incidence_density",
    )
    assert frame["index_date"].to_list() == [DAY + dt.timedelta(days=9)]


def test_the_replica_has_two_controls_a_case_and_the_other_design_four() -> None:
    basis = _basis([("a", person, "F", "ibd") for person in range(1, 9)])
    time = _time([("a", 1, 10, 1), *(("a", person, 99, 0) for person in range(2, 9))])
    assert len(_drawn(basis, time, "toruner_replica")) == 3
    assert len(_drawn(basis, time)) == 5


def test_a_person_without_time_at_risk_is_never_drawn() -> None:
    basis = _basis([("a", person, "F", "ibd") for person in (1, 2)])
    assert _drawn(basis, _time([("a", 1, 10, 1)])) == [("a", 1, True)]


def test_every_design_is_named_and_nothing_drawn_has_the_columns() -> None:
    assert set(DESIGNS.values()) == {"incidence_density", "toruner_replica"}
    assert no_controls().schema == pl.Schema(SAMPLE_SCHEMA)
