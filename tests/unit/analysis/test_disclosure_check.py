"""The last look at a public bundle sees a small count wherever one is left."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.disclosure_check import COUNTS, small_counts
from analysis.study.spec import StudySpec
from pipelines.doors import grade_report
from tests.whole_run import small_study

CLEAR = {table: pl.DataFrame({column: [0, 5, None, 400] for column in columns}) for table, columns in COUNTS.items()}


def _study(profile: str) -> StudySpec:
    return small_study(disclosure={"profile": profile, "minimum_count": 5})


def test_zeros_missing_counts_and_counts_from_the_minimum_on_may_be_shown() -> None:
    assert small_counts(CLEAR, minimum_count=5) == {}
    result = grade_report(_study("public"), CLEAR)
    assert (result.status, result.is_blocking) == ("pass", False)


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table, columns in COUNTS.items() for column in columns]
)
def test_a_count_from_one_to_the_minimum_stops_a_public_report_and_no_other(table: str, column: str) -> None:
    frame = CLEAR[table].with_columns(pl.Series(column, [0, 5, 4, 1]))
    assert small_counts(CLEAR | {table: frame}, minimum_count=5) == {f"{table}.{column}": 2}
    assert small_counts(CLEAR | {table: frame}, minimum_count=4) == {f"{table}.{column}": 1}
    assert grade_report(_study("public"), CLEAR | {table: frame}).is_blocking
    assert grade_report(_study("internal"), CLEAR | {table: frame}).status == "not_assessable"
