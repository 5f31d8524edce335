"""The odds ratio with 0.5 added to every cell: by whole numbers, and what it does not invent."""

import math

import pytest

from analysis.estimate.two_by_two import TwoByTwo, odds_ratio


@pytest.mark.parametrize("cells", [(0, 5, 7, 20), (3, 7, 0, 9), (12, 5, 7, 20)])
def test_haldane_anscombe_is_woolf_of_half_a_person_more(cells: tuple[int, int, int, int]) -> None:
    answer = odds_ratio(TwoByTwo(*cells), method="haldane_anscombe", confidence=0.95)
    # Twice the cells plus one is a table of whole numbers with the same cross-product and half the variance.
    doubled = odds_ratio(TwoByTwo(*(2 * cell + 1 for cell in cells)), method="woolf", confidence=0.95)
    assert doubled.standard_error is not None
    assert answer.value == pytest.approx(doubled.value, rel=1e-12)
    assert answer.standard_error == pytest.approx(doubled.standard_error * math.sqrt(2.0), rel=1e-12)
    assert answer.event_count == cells[0] + cells[2]


def test_haldane_anscombe_makes_nothing_of_an_empty_margin() -> None:
    answer = odds_ratio(TwoByTwo(0, 31, 0, 31), method="haldane_anscombe", confidence=0.95)
    assert (answer.status, answer.reason) == ("not_estimable", "there are no cases")
