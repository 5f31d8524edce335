"""Defects found in other systems, each as a test that this one does not have it. The names are theirs and the numbers by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cases.runner import Bench, input_columns
from tests.reference.day_by_day import History, Policy
from tests.reference.supply import Window
from tests.worlds import DAY_0, DEFINITIONS, DRUGS, MIN_OVERLAP, USES, World, _table, load

OBSERVED = ((0, 300),)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder: Path = tmp_path_factory.mktemp("defects")
    made = Bench(input_columns(folder / "columns.duckdb"))
    yield made
    made.close()


@contextmanager
def _person(
    bench: Bench, *windows: Window, periods: tuple[tuple[int, int], ...] = OBSERVED, **settings: int
) -> Iterator[None]:
    """One person under one rule; days count from 0."""
    rule = {name: Policy(**{"gap": 0, "tail": 0} | settings) for name in DRUGS}
    with bench.transaction():
        load(bench, World((History(windows, periods, None, {}),), (rule, rule), 0))
        yield


def _days(bench: Bench, columns: str, table: str) -> list[tuple[object, ...]]:
    """Rows of the first rule, dates as days from 0, in order of their start."""
    names = ", ".join(
        f"DATE_DIFF('day', DATE '{DAY_0}', {name})" if name.endswith("_date") else name for name in columns.split()
    )
    return bench.rows(f"SELECT {names} FROM {table} WHERE exposure_rule = 'r0' ORDER BY start_date")


def test_treatment_patterns_a_nested_record_does_not_shrink_the_era(bench: Bench) -> None:
    with _person(bench, Window("a", 1, 101), Window("a", 10, 21)):
        assert _days(bench, "start_date stop_date", "exposure.episode") == [(1, 101)]


@pytest.mark.parametrize("records", [1, 2])
def test_adherer_and_phenex_the_gap_is_neither_subtracted_from_nor_added_to_a_single_episode(
    bench: Bench, records: int
) -> None:
    windows = [Window("a", 90 * n, 90 * n + 90) for n in range(records)]
    with _person(bench, *windows, gap=30, tail=40):
        assert _days(bench, "start_date stop_date", "exposure.episode") == [(0, 90 * records)]
        assert _days(bench, "start_date stop_date risk_regimen_id", "exposure.combination_interval") == [
            (0, 90 * records, "a"),
            (90 * records, 90 * records + 40, "a"),
            (90 * records + 40, 300, "none"),
        ]


def test_treatment_patterns_a_short_overlap_is_labelled_and_no_day_of_it_or_beside_it_is_lost(bench: Bench) -> None:
    with _person(bench, Window("a", 0, 50), Window("b", 48, 51), Window("b", 52, 60)):
        assert _days(bench, "regimen_id start_date stop_date", "exposure.combination_interval") == [
            ("a", 0, 48), ("a+b", 48, 50), ("b", 50, 51), ("none", 51, 52), ("b", 52, 60), ("none", 60, 300),
        ]  # fmt: skip
        assert MIN_OVERLAP > 50 - 48
        assert _days(bench, "start_date stop_date is_switch_overlap", "exposure.combination_episode") == [
            (48, 50, True)
        ]


def test_cohort_constructor_days_between_two_overlaps_are_no_combination(bench: Bench) -> None:
    with _person(bench, Window("a", 0, 100), Window("b", 10, 20), Window("b", 22, 30), gap=1):
        assert _days(bench, "start_date stop_date", "exposure.combination_episode") == [(10, 20), (22, 30)]
        assert bench.rows(
            "SELECT SUM(DATE_DIFF('day', start_date, stop_date)) FROM exposure.combination_interval "
            "WHERE exposure_rule = 'r0' AND regimen_id = 'a+b'"
        ) == [(18,)]


_AFTER = "SELECT next_event, time_days FROM exposure.after_stop WHERE exposure_rule = 'r0' AND regimen_id = 'a'"


def test_drug_utilisation_a_person_who_is_no_longer_observed_is_censored_not_untreated(bench: Bench) -> None:
    window = DEFINITIONS.after_stop
    with _person(bench, Window("a", 0, 50), periods=((0, 50 + window - 1),)):
        assert bench.rows(_AFTER) == [("censored", window - 1)]
    with _person(bench, Window("a", 0, 50), periods=((0, 50 + window),)):
        assert bench.rows(_AFTER) == [("none", window)]


def test_drug_utilisation_a_switch_and_a_restart_are_looked_for_from_the_same_day_on(bench: Bench) -> None:
    with _person(bench, Window("a", 0, 50), Window("b", 51, 60)):
        assert bench.rows(_AFTER) == [("switch", 1)]
    with _person(bench, Window("a", 0, 50), Window("a", 51, 60)):
        assert bench.rows(_AFTER + " AND episode_number = 1") == [("resumption", 1)]


def test_characterization_what_follows_a_stop_is_not_counted_across_a_hole_in_observed_time(bench: Bench) -> None:
    assert DEFINITIONS.after_stop > 20
    with _person(bench, Window("a", 0, 50), Window("a", 65, 80), periods=((0, 55), (60, 300))):
        assert bench.rows(_AFTER + " AND episode_number = 1") == [("censored", 5)]
    with _person(bench, Window("a", 0, 50), Window("a", 65, 80)):
        assert bench.rows(_AFTER + " AND episode_number = 1") == [("restart", 15)]


def test_drug_era_a_supply_of_28_days_covers_28_days_and_the_gap_between_two_is_what_is_not_covered(
    bench: Bench,
) -> None:
    with bench.transaction():
        for table in ("spec.drug", "spec.drug_policy", "spec.exposure_rule", "meta.source"):
            bench.fill(table, None)
        rows = [(1, 1, "adalimumab", "2020-01-01", 28), (2, 1, "adalimumab", "2020-02-28", 28)]
        bench.fill("staged.prescription", _table("prescription_id person_id drug_id start_date days_supply", rows))
        for name in ("exposure.window", *USES):
            bench.build(name)
        covers = bench.rows(
            "SELECT DATE_DIFF('day', start_date, stop_date) FROM exposure.\"window\" ORDER BY start_date"
        )
        assert covers == [(28,), (28,)]
        # 29 January to 27 February are 30 uncovered days: one use of 28 + 30 + 28 days under a gap of 30.
        used = bench.rows("SELECT DATE_DIFF('day', start_date, stop_date), prescription_count FROM exposure.episode")
        assert used == [(86, 2)]
