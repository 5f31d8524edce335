"""Weighted curves: R's survfit, the jackknife by finite differences, counts as weights, and values that do not exist."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.cumulative_incidence import cumulative_incidence, cumulative_incidence_at
from analysis.estimate.result import Answer, EstimationError
from analysis.estimate.weighted_survival import (
    COLUMNS,
    WeightedCurves,
    weighted_curves,
    weighted_incidence_at,
    weighted_survival_at,
)

TRUTH = {
    truth["name"]: truth
    for truth in json.loads((Path(__file__).parents[3] / "truth" / "weighted_survival.json").read_text())
}
CAUSES = ("a", "b")


def weighted(*rows: tuple[int, int, int, str, float]) -> pl.DataFrame:
    """Rows of person, entry, time, cause, weight."""
    kinds = (pl.Int64, pl.Int64, pl.Int64, pl.String, pl.Float64)
    return pl.DataFrame(rows, schema=dict(zip(COLUMNS, kinds, strict=True)), orient="row")


def fitted(rows: pl.DataFrame) -> WeightedCurves:
    return weighted_curves(rows, causes=CAUSES, confidence=0.95)


def of_truth(name: str) -> pl.DataFrame:
    return pl.DataFrame(TRUTH[name]["rows"], strict=False)


def every(fit: WeightedCurves, day: int) -> list[Answer]:
    return [
        weighted_survival_at(fit, time_days=day),
        *(weighted_incidence_at(fit, cause=cause, time_days=day) for cause in CAUSES),
    ]


@pytest.mark.parametrize("name", TRUTH)
def test_values_robust_errors_and_limits_are_those_of_survfit(name: str) -> None:
    truth, fit = TRUTH[name], fitted(of_truth(name))
    asked: dict[str, tuple[dict[str, Any], int]] = {"survival": (truth["survival"], 0)}
    asked |= {cause: (part, 1 + CAUSES.index(cause)) for cause, part in truth["causes"].items()}
    assert len(asked) == (1 if name == "split" else 3)
    for expected, place in asked.values():
        answers = [every(fit, day)[place] for day in truth["days"]]
        for column in ("value", "standard_error", "lower", "upper"):
            pairs = zip(answers, expected[column], strict=True)
            ours = [(getattr(answer, column), theirs) for answer, theirs in pairs if answer.event_count]
            assert [pair[0] for pair in ours] == pytest.approx([pair[1] for pair in ours], rel=1e-9, abs=1e-12)
            assert len(ours) >= len(truth["days"]) - 2


@pytest.mark.parametrize("name", TRUTH)
def test_the_error_is_how_the_value_moves_with_the_weight_of_each_person(name: str) -> None:
    # By finite differences, so also where a person's weight changes.
    frame, day, step = of_truth(name), 15, 1e-5
    answers = every(fitted(frame), day)
    moved = []
    for person in frame["person_id"].unique():
        factors = (1.0 + step, 1.0 - step)
        high, low = (
            every(
                fitted(
                    frame.with_columns(
                        weight=pl.when(pl.col("person_id") == person)
                        .then(pl.col("weight") * factor)
                        .otherwise("weight")
                    )
                ),
                day,
            )
            for factor in factors
        )
        moved.append(
            [((up.value or 0.0) - (down.value or 0.0)) / (2 * step) for up, down in zip(high, low, strict=True)]
        )
    errors = np.sqrt((np.array(moved) ** 2).sum(axis=0))
    assert [answer.standard_error for answer in answers] == pytest.approx(errors, rel=1e-6)


def test_cutting_a_row_in_two_changes_nothing() -> None:
    whole = of_truth("late")
    long = whole.filter(pl.col("time_days") > 9, pl.col("entry_days") < 9)
    rest = whole.join(long, on="person_id", how="anti")
    parts = pl.concat(
        [rest, long.with_columns(time_days=pl.lit(9), cause=pl.lit("censored")), long.with_columns(entry_days=pl.lit(9))],
        how="vertical_relaxed",
    )  # fmt: skip
    assert long.height > 20
    for one, two in zip(every(fitted(whole), 15), every(fitted(parts), 15), strict=True):
        assert (one.value, one.person_count, one.event_count) == (
            pytest.approx(two.value),
            two.person_count,
            two.event_count,
        )
        assert one.standard_error == pytest.approx(two.standard_error, rel=1e-12)


def test_weights_of_one_are_counts_and_order_and_scale_change_nothing() -> None:
    frame = of_truth("whole").with_columns(weight=pl.lit(1.0))
    counted = cumulative_incidence(
        frame.with_columns(count=pl.lit(1)), causes=CAUSES, confidence=0.95
    )  # fmt: skip
    for cause in CAUSES:
        ours = weighted_incidence_at(fitted(frame), cause=cause, time_days=12)
        theirs = cumulative_incidence_at(counted, cause=cause, time_days=12)
        for column in ("value", "lower", "upper", "standard_error"):
            assert getattr(ours, column) == pytest.approx(getattr(theirs, column), rel=1e-12)
        assert (ours.person_count, ours.event_count) == (theirs.person_count, theirs.event_count)
    base = of_truth("split")
    assert every(fitted(base.sample(fraction=1.0, shuffle=True, seed=8)), 14) == every(fitted(base), 14)
    for one, two in zip(
        every(fitted(base.with_columns(pl.col("weight") * 1e6)), 14), every(fitted(base), 14), strict=True
    ):
        assert (one.value, one.standard_error) == (pytest.approx(two.value), pytest.approx(two.standard_error))


def test_without_an_event_the_limit_takes_the_effective_number() -> None:
    fit = fitted(weighted((1, 0, 9, "a", 1.0), (2, 0, 12, "censored", 2.0), (3, 0, 20, "censored", 3.0)))
    answer = weighted_incidence_at(fit, cause="b", time_days=10)
    assert (answer.value, answer.lower, answer.standard_error, answer.event_count) == (0.0, 0.0, None, 0)
    assert answer.upper == pytest.approx(1 - 0.025 ** (1 / (25 / 13)))
    assert answer.reason == "no event yet; the limit takes the effective number of persons for persons"
    survival = weighted_survival_at(fit, time_days=8)
    assert (survival.value, survival.upper, survival.person_count) == (1.0, 1.0, 3)
    assert survival.lower == pytest.approx(0.025 ** (1 / (36 / 14)))
    start = weighted_survival_at(fit, time_days=0)
    assert (start.value, start.lower, start.upper) == (1.0, 1.0, 1.0)
    assert weighted_survival_at(fit, time_days=9).value == pytest.approx(5 / 6)


def test_where_nobody_stays_the_limit_is_that_of_the_day_before() -> None:
    fit = fitted(weighted((1, 0, 3, "a", 0.3), (2, 0, 5, "a", 0.7), (3, 0, 5, "a", 0.1)))
    last, before = (weighted_survival_at(fit, time_days=day) for day in (5, 4))
    assert (last.value, last.lower, last.upper) == (0.0, 0.0, before.upper)
    whole = weighted_incidence_at(fit, cause="a", time_days=5)
    assert (whole.value, whole.upper) == (pytest.approx(1.0), 1.0)
    assert whole.lower == weighted_incidence_at(fit, cause="a", time_days=4).lower
    at_once = weighted_survival_at(fitted(weighted((1, 0, 3, "a", 0.3), (2, 0, 3, "b", 0.7))), time_days=3)
    assert (at_once.value, at_once.lower, at_once.upper) == (0.0, 0.0, 1.0)


def test_days_without_an_answer_say_why() -> None:
    fit = fitted(weighted((1, 3, 5, "a", 0.3), (2, 3, 9, "censored", 0.7)))
    assert weighted_survival_at(fit, time_days=3).reason == "nobody is at risk by day 3"
    assert weighted_survival_at(fit, time_days=10).reason == "beyond the last observed time, day 9"
    gap = fitted(weighted((1, 0, 3, "a", 1.0), (2, 5, 9, "a", 1.0)))
    assert weighted_survival_at(gap, time_days=9).reason == "the risk set empties on day 3 while persons enter later"
    nobody = fitted(weighted((1, 0, 3, "a", 0.0)))
    assert weighted_survival_at(nobody, time_days=1).status == "not_estimable"
    assert nobody.curve.rows() == [(0, 1.0, 0.0, 0.0, 0.0)]


@pytest.mark.parametrize(
    "rows",
    [
        weighted((1, 0, 3, "c", 1.0)),
        weighted((1, 0, 3, "a", -1.0)),
        weighted((1, 0, 3, "a", math.inf)),
        weighted((1, 0, 3, "a", math.nan)),
        weighted((1, 3, 3, "a", 1.0)),
        weighted((1, 0, 5, "censored", 1.0), (1, 4, 8, "a", 1.0)),
        weighted((1, 0, 5, "a", 1.0), (1, 5, 8, "b", 1.0)),
        weighted((1, 0, 3, "a", 1.0)).drop("weight"),
        weighted((1, 0, 3, "a", 1.0)).with_columns(weight=pl.lit(None, pl.Float64)),
    ],
)
def test_rows_that_mean_nothing_are_refused(rows: pl.DataFrame) -> None:
    with pytest.raises(EstimationError, match="weight"):
        fitted(rows)


def test_questions_that_mean_nothing_are_refused() -> None:
    fit = fitted(weighted((1, 0, 3, "a", 1.0)))
    with pytest.raises(EstimationError, match="day 0"):
        weighted_survival_at(fit, time_days=-1)
    with pytest.raises(EstimationError, match="no cause 'c'"):
        weighted_incidence_at(fit, cause="c", time_days=1)
    with pytest.raises(EstimationError, match="named once"):
        weighted_curves(weighted((1, 0, 3, "a", 1.0)), causes=["a", "a"], confidence=0.95)


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 4), st.integers(1, 8), st.sampled_from((*CAUSES, "censored")), st.sampled_from((0.0, 0.1, 1.0, 7.5))
        ),
        max_size=9,
    )
)  # fmt: skip
def test_every_small_table_has_limits_around_its_value_or_a_reason(rows: list[tuple[int, int, str, float]]) -> None:
    numbered = [(person, row[0], row[0] + row[1], row[2], row[3]) for person, row in enumerate(rows)]
    fit = fitted(weighted(*numbered))
    for day in (0, 3, 7, 12):
        answers = every(fit, day)
        if answers[0].value is None:
            assert answers[0].reason
            continue
        values = [answer.value or 0.0 for answer in answers]
        assert sum(values) == pytest.approx(1.0, abs=1e-12)
        assert all(answer.lower is not None and answer.upper is not None for answer in answers)
