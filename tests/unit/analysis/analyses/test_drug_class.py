"""Odds ratios of drug classes: alone, with the others held equal, and exact where a class is rare."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from analysis.analyses.drug_class import ALONE, MUTUAL, class_odds_ratios
from analysis.analyses.matched_exact import METHOD as EXACT
from analysis.estimate.result import Answer


def _sets(pairs: dict[tuple[str, str], int]) -> pl.DataFrame:
    """Matched pairs: (classes of the case, classes of its control) -> number of pairs; every person serves once."""
    rows: list[tuple[object, ...]] = []
    for (case, control), count in pairs.items():
        for _ in range(count):
            number = len(rows) // 2 + 1
            rows += [(number, 0, True, 2 * number, case), (number, 1, False, 2 * number + 1, control)]
    columns = ["set_number", "control_number", "is_case", "person_id", "risk_class_regimen_id"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        exposure_rule=pl.lit("primary"), outcome_id=pl.lit("infection"), design=pl.lit("incidence_density")
    )


def _found(sets: pl.DataFrame, *, small_cell: int = 5) -> dict[tuple[str, str], Answer]:
    estimates = class_odds_ratios(
        sets, ["infection"], rule="primary", confidence=0.95, small_cell=small_cell, is_assessable=True
    )
    assert {(e.question.stratum, e.question.comparator_id) for e in estimates} == {("by=class", "no such class")}
    return {(e.question.level, e.answer.method): e.answer for e in estimates}


def test_alone_a_class_is_compared_with_everybody_not_on_it_whatever_else_they_take() -> None:
    found = _found(_sets({("x", "none"): 20, ("none", "x"): 10, ("x+y", "y"): 10, ("y", "x+y"): 5, ("x", "y"): 6}))
    answer = found["x", ALONE]
    assert answer.value == pytest.approx((20 + 10 + 6) / (10 + 5), rel=1e-9)  # discordant pairs
    assert (answer.event_count, answer.person_count) == (36, 36 + 15)


def test_with_the_others_held_equal_a_class_that_only_goes_along_loses_its_ratio() -> None:
    # y does it (3 to 1 in every stratum of x); x goes with y and adds nothing: pairs that differ in both go with y.
    pairs = {
        ("y", "none"): 30,
        ("none", "y"): 10,
        ("x", "none"): 12,
        ("none", "x"): 12,
        ("x+y", "none"): 60,
        ("none", "x+y"): 20,
    }
    found = _found(_sets(pairs))
    assert found["x", ALONE].value == pytest.approx(72 / 32, rel=1e-9)
    assert found["x", MUTUAL].value == pytest.approx(1.0, rel=1e-6)
    assert found["y", MUTUAL].value == pytest.approx(3.0, rel=1e-6)


def test_the_mutual_model_maximises_the_likelihood_of_the_pairs() -> None:
    pairs = {
        ("y", "none"): 31,
        ("none", "y"): 9,
        ("x", "none"): 17,
        ("none", "x"): 8,
        ("x+y", "none"): 40,
        ("none", "x+y"): 7,
        ("x", "y"): 6,
        ("y", "x"): 11,
    }
    found = _found(_sets(pairs))

    def minus_log_likelihood(x: float, y: float) -> float:
        total = 0.0
        for (case, control), count in pairs.items():
            lead = sum(
                log * (name in case.split("+")) - log * (name in control.split("+"))
                for name, log in (("x", x), ("y", y))
            )
            total += count * math.log1p(math.exp(-lead))
        return total

    values = [found[name, MUTUAL].value for name in ("x", "y")]
    x, y = (math.log(value) for value in values if value is not None)
    best = minus_log_likelihood(x, y)
    for angle in np.linspace(0, 2 * math.pi, 16):
        assert minus_log_likelihood(x + 1e-3 * math.cos(angle), y + 1e-3 * math.sin(angle)) > best


def test_a_rare_class_has_the_exact_ratio_by_itself_and_says_why_it_is_not_adjusted() -> None:
    found = _found(_sets({("x", "none"): 30, ("none", "x"): 10, ("rare", "none"): 4}))
    assert found["rare", EXACT].status == "limit_only"
    assert found["rare", EXACT].lower == pytest.approx(0.025 ** (1 / 4) / (1 - 0.025 ** (1 / 4)), rel=1e-6)
    assert found["rare", MUTUAL].status == "not_estimable" and "fewer than 5" in found["rare", MUTUAL].reason
    assert ("x", EXACT) not in found and found["x", MUTUAL].value == pytest.approx(3.0, rel=1e-6)


def test_without_a_class_there_is_nothing_and_without_records_it_is_not_assessable() -> None:
    pairs = _sets({("none", "none"): 3})
    for is_assessable, expected in ((True, []), (False, ["not_assessable"])):
        found = class_odds_ratios(
            pairs, ["infection"], rule="primary", confidence=0.95, small_cell=5, is_assessable=is_assessable
        )
        assert [estimate.answer.status for estimate in found] == expected
