"""Exact unconditional limits: base R that goes table by table, what can be reckoned by hand, and coverage at every pair of risks."""

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from analysis.estimate.exact_unconditional import MAXIMUM_TABLES, table_count
from analysis.estimate.result import Answer
from analysis.estimate.risk import RiskDifferenceMethod, risk_difference, risk_ratio
from analysis.estimate.two_by_two import TwoByTwo

TABLES = json.loads((Path(__file__).parents[3] / "truth" / "exact_unconditional.json").read_text())["tables"]
EXPOSED, COMPARATOR = 4, 3


def _difference(*cells: int) -> Answer:
    return risk_difference(TwoByTwo(*cells), method="exact_unconditional", confidence=0.95)


def _ratio(*cells: int) -> Answer:
    return risk_ratio(TwoByTwo(*cells), method="exact_unconditional", confidence=0.95)


@pytest.mark.parametrize("row", TABLES, ids=lambda row: "_".join(map(str, row["cells"])))
def test_limits_are_those_of_the_definition_in_base_r(row: dict[str, Any]) -> None:
    difference, ratio = _difference(*row["cells"]), _ratio(*row["cells"])
    # R steps by 5e-5 from outside, so that it may stop one step too far out.
    assert (difference.lower, difference.upper) == pytest.approx(
        (row["difference_lower"], row["difference_upper"]), abs=2e-4
    )
    if row["ratio_lower"] is not None:
        assert ratio.lower == pytest.approx(row["ratio_lower"], rel=2e-3, abs=5e-4)
    if row["ratio_upper"] is not None:
        assert ratio.upper == pytest.approx(row["ratio_upper"], rel=2e-3)


def test_no_case_in_ten_and_ten_leaves_what_nobody_in_ten_leaves() -> None:
    # The comparator's risk at 0 is worst: P(no exposed case) = (1 - d)^10 = 0.025.
    answer = _difference(0, 10, 0, 10)
    assert answer.upper == pytest.approx(1 - 0.025 ** (1 / 10), abs=1e-7)
    assert answer.lower == pytest.approx(-(1 - 0.025 ** (1 / 10)), abs=1e-7)
    assert (answer.value, answer.p_value) == (0.0, 1.0)


def test_exchanged_groups_mirror_the_limits() -> None:
    one, other = _difference(0, 8, 3, 6), _difference(3, 6, 0, 8)
    assert other.lower == pytest.approx(-one.upper, abs=1e-8) and other.upper == pytest.approx(-one.lower, abs=1e-8)  # type: ignore[operator]
    ratio, inverse = _ratio(0, 8, 3, 6), _ratio(3, 6, 0, 8)
    assert inverse.lower == pytest.approx(1 / ratio.upper, rel=1e-6)  # type: ignore[operator]
    assert (ratio.value, ratio.lower, inverse.value, inverse.upper) == (0.0, 0.0, None, None)
    assert (inverse.status, inverse.reason) == ("limit_only", "comparator_cases is 0")


def _least_coverage(method: RiskDifferenceMethod) -> float:
    """The smallest share of tables whose limits hold the true difference, over a grid of true risks."""
    limits = {}
    for a, c in itertools.product(range(EXPOSED + 1), range(COMPARATOR + 1)):
        answer = risk_difference(TwoByTwo(a, EXPOSED - a, c, COMPARATOR - c), method=method, confidence=0.95)
        limits[a, c] = (answer.lower, answer.upper)
    least = 1.0
    for p1, p2 in itertools.product(np.linspace(0.01, 0.99, 25), repeat=2):
        held = math.fsum(
            binom.pmf(a, EXPOSED, p1) * binom.pmf(c, COMPARATOR, p2)
            for (a, c), (low, high) in limits.items()
            if low is not None and high is not None and low <= p1 - p2 <= high
        )
        least = min(least, held)
    return least


def test_they_hold_the_truth_as_often_as_they_say_at_every_pair_of_risks_and_score_limits_do_not() -> None:
    assert _least_coverage("exact_unconditional") >= 0.95 - 1e-9
    assert _least_coverage("miettinen_nurminen") < 0.95


def test_limits_that_are_exact_are_wider_than_score_limits_at_a_zero() -> None:
    exact = _difference(0, 31, 7, 60)
    score = risk_difference(TwoByTwo(0, 31, 7, 60), method="miettinen_nurminen", confidence=0.95)
    assert exact.upper is not None and score.upper is not None and exact.upper > score.upper
    assert exact.lower is not None and score.lower is not None and exact.lower < score.lower


def test_groups_too_large_to_look_at_are_not_estimable_and_say_so() -> None:
    table = TwoByTwo(0, 200, 3, 197)
    assert table_count(table) == 201 * 201 > MAXIMUM_TABLES
    for answer in (_difference(0, 200, 3, 197), _ratio(0, 200, 3, 197)):
        assert answer.status == "not_estimable" and "40401" in answer.reason


def test_nobody_and_no_case() -> None:
    assert _difference(0, 0, 1, 5).reason == "nobody is exposed"
    assert _ratio(0, 5, 0, 5).reason == "there are no cases"
    everybody = _difference(5, 0, 0, 5)
    assert everybody.value == everybody.upper == 1.0 and everybody.lower is not None and 0 < everybody.lower < 1
