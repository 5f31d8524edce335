"""Comparators of those who add a drug: who is eligible, and that nothing but the seed decides among them."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import polars as pl
from scipy.stats import chisquare

from analysis.matching.comparison_sample import SAMPLE_SCHEMA, comparison_sample, no_comparators
from analysis.study.comparison import Comparison

DAY = dt.date(2020, 1, 1)


def _day(number: int) -> dt.date:
    return DAY + dt.timedelta(days=number)


def _candidates(rows: list[tuple[str, int, str, str, int, int, int, str | None]]) -> pl.DataFrame:
    """Rule, person, drug, indication, first and last-plus-one day of the row, start of the drug, drug added."""
    return pl.DataFrame(
        [
            (rule, person, drug, indication, _day(start), _day(stop), _day(since), added)
            for rule, person, drug, indication, start, stop, since, added in rows
        ],
        schema={
            "exposure_rule": pl.String, "person_id": pl.Int64, "drug_id": pl.String, "indication": pl.String, "start_date": pl.Date,
            "stop_date": pl.Date, "drug_start_date": pl.Date, "added_drug_id": pl.String,
        },
        orient="row",
    )  # fmt: skip


def _members(
    rows: list[tuple[str, int, str, str, int, int, int, str | None]], **settings: int
) -> list[tuple[int, int]]:
    frame = comparison_sample(_candidates(rows), Comparison(**settings))  # type: ignore[arg-type]
    assert frame.schema == pl.Schema(SAMPLE_SCHEMA)
    return frame.filter(~pl.col("is_combination")).select("set_number", "person_id").rows()


ADDS = ("r", 1, "a", "ibd", 1, 100, 0, "b")


def test_a_comparator_is_on_the_same_drug_for_the_same_condition_on_that_day_and_for_as_long() -> None:
    others = [
        ("r", 2, "a", "ibd", 1, 100, 90, None),  # its last day is time zero
        ("r", 3, "a", "ibd", 1, 99, 0, None),  # off the drug on time zero
        ("r", 4, "a", "ibd", 100, 200, 0, None),  # not yet on it
        ("r", 5, "c", "ibd", 1, 200, 0, None),  # another drug
        ("r", 6, "a", "ra", 1, 200, 0, None),  # another condition
        ("r", 7, "a", "ibd", 1, 200, 91, None),  # started a day too late
        ("r", 8, "a", "ibd", 1, 150, 0, "c"),  # adds a drug later
        ("s", 9, "a", "ibd", 1, 200, 0, None),  # another rule
    ]
    assert sorted(person for number, person in _members([ADDS, *others]) if number == 1) == [2, 8]


def test_time_zero_is_the_last_day_of_who_adds_a_drug_and_what_is_told_is_theirs() -> None:
    frame = comparison_sample(_candidates([ADDS, ("r", 2, "a", "ibd", 1, 200, 5, None)]), Comparison())
    assert frame.drop("exposure_rule").rows() == [
        (1, 0, 1, True, "a", "b", _day(99), _day(0)),
        (1, 1, 2, False, "a", None, _day(99), _day(5)),
    ]


def test_who_adds_a_drug_on_that_day_is_no_comparator_and_one_without_any_is_a_set_alone() -> None:
    rows = [ADDS, ("r", 2, "a", "ibd", 1, 100, 0, "c")]
    frame = comparison_sample(_candidates(rows), Comparison())
    assert frame.select("set_number", "person_id", "is_combination").rows() == [(1, 1, True), (2, 2, True)]


def test_a_person_with_two_drugs_in_turn_can_serve_for_both_and_not_for_a_third() -> None:
    rows = [
        ADDS,
        ("r", 2, "a", "ibd", 1, 110, 0, None),
        ("r", 2, "c", "ibd", 111, 300, 0, None),
        ("r", 3, "c", "ibd", 1, 200, 0, "b"),
        ("r", 4, "d", "ibd", 1, 200, 0, "b"),
    ]
    assert _members(rows) == [(1, 2), (2, 2)]


def test_the_order_of_rows_changes_nothing_and_the_seed_does() -> None:
    rows = [ADDS, *(("r", person, "a", "ibd", 1, 200, 0, None) for person in range(2, 60))]
    drawn = _members(rows, comparators_drawn=5)
    assert len(drawn) == 5
    assert _members(list(reversed(rows)), comparators_drawn=5) == drawn
    assert _members(rows, comparators_drawn=5, seed=2) != drawn


def test_each_eligible_person_is_drawn_as_often_as_any_other() -> None:
    rows = [ADDS, *(("r", person, "a", "ibd", 1, 200, 0, None) for person in range(2, 12))]
    frame = _candidates(rows)
    counts: Counter[int] = Counter()
    for seed in range(600):
        drawn = comparison_sample(frame, Comparison(comparators_drawn=3, seed=seed))
        counts.update(drawn.filter(~pl.col("is_combination"))["person_id"].to_list())
    assert sum(counts.values()) == 1_800 and len(counts) == 10
    # Draws within a set are without replacement, which makes the statistic smaller than its distribution: no false alarm.
    assert chisquare(list(counts.values())).pvalue > 0.001
    lopsided = counts | Counter({2: counts[2] + 90})
    assert chisquare(list(lopsided.values())).pvalue < 0.001


def test_nobody_without_anybody() -> None:
    assert comparison_sample(_candidates([]), Comparison()).equals(no_comparators())
