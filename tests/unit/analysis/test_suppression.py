"""Complementary suppression: no hidden cell may follow from the shown ones."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.suppression import Sum, hidden_cells

MINIMUM = 5
MARGINS = [Sum("all", ("a", "b", "c")), Sum("all", ("x", "y")), Sum("x", ("a", "b")), Sum("y", ("c",))]


def hidden(counts: dict[Hashable, int], sums: list[Sum], **more: object) -> set[Hashable]:
    primary = {cell for cell, count in counts.items() if 0 < count < MINIMUM}
    return hidden_cells(counts, sums, primary=primary, minimum=MINIMUM, **more)  # type: ignore[arg-type]


def test_nothing_small_hides_nothing() -> None:
    assert hidden({"all": 30, "a": 10, "b": 20, "c": 0}, MARGINS[:1]) == set()


def test_a_single_small_cell_takes_the_smallest_other_with_it() -> None:
    assert hidden({"all": 33, "a": 3, "b": 20, "c": 10}, MARGINS[:1]) == {"a", "c"}


def test_zeros_are_neither_hidden_nor_any_protection() -> None:
    assert hidden({"all": 23, "a": 3, "b": 20, "c": 0}, MARGINS[:1]) == {"a", "b"}


def test_hidden_parts_that_together_are_few_take_another_cell() -> None:
    # 22 - 20 = 2 would say that both hidden cells are 1
    assert hidden({"all": 22, "a": 1, "b": 1, "c": 20}, MARGINS[:1]) == {"a", "b", "c"}


def test_hidden_parts_of_exactly_the_minimum_are_enough() -> None:
    assert hidden({"all": 25, "a": 1, "b": 4, "c": 20}, MARGINS[:1]) == {"a", "b"}


def test_a_total_shown_by_its_only_part_is_hidden_with_it() -> None:
    assert {"c", "y"} <= hidden({"all": 33, "a": 10, "b": 20, "c": 3, "x": 30, "y": 3}, MARGINS)


def test_a_fixed_cell_is_never_taken() -> None:
    counts: dict[Hashable, int] = {"all": 33, "a": 3, "b": 20, "c": 10}
    assert hidden(counts, MARGINS[:1], fixed=("c",)) == {"a", "b"}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=6, max_size=6))
def test_no_hidden_cell_of_a_two_way_table_has_one_solution(cells: list[int]) -> None:
    counts: dict[Hashable, int] = {(row, column): cells[3 * row + column] for row in range(2) for column in range(3)}
    sums = [Sum(("row", row), tuple((row, column) for column in range(3))) for row in range(2)]
    sums += [Sum(("column", column), tuple((row, column) for row in range(2))) for column in range(3)]
    sums.append(Sum("all", (("row", 0), ("row", 1))))
    for one in sums:
        counts[one.total] = sum(counts[part] for part in one.parts)
    gone = hidden(counts, sums)
    inner = [cell for cell in gone if cell in {(row, column) for row in range(2) for column in range(3)}]
    solutions = []
    for guess in product(range(1, 19), repeat=len(inner)) if len(inner) <= 3 else []:
        full = counts | dict(zip(inner, guess, strict=True))
        totals = {one.total: sum(full[part] for part in one.parts) if one.total != "all" else None for one in sums}
        totals["all"] = sum(full[row, column] for row in range(2) for column in range(3))
        if all(totals[total] == counts[total] for total in totals if total not in gone):
            solutions.append(guess)
    for place, cell in enumerate(inner):
        if solutions and 0 < counts[cell] < MINIMUM and "all" not in gone:
            assert len({guess[place] for guess in solutions}) > 1, (counts, gone)
