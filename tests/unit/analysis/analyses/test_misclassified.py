"""Bias analysis of a misclassified outcome: which ranges apply, what it leaves alone, and that it draws alike each time."""

from __future__ import annotations

import math

import polars as pl
import pytest

from analysis.analyses.ladder import comparisons
from analysis.analyses.misclassified import Draws, misclassified_odds_ratios
from analysis.estimate.result import Answer, result_frame
from analysis.study.spec import Contrast
from pipelines.steps import reference_frame

CONTRASTS = [
    Contrast(id=outcome, estimator="pooled_period_odds_ratio", outcome=outcome) for outcome in ("infection", "fever")
]
VALUES = pl.DataFrame(
    {
        "predictive_value_id": ["i"],
        "outcome_id": ["infection"],
        "ppv_low": [0.5],
        "ppv_high": [0.8],
        "source": ["Author 2009"],
    }
)
PERIODS = pl.DataFrame(
    [("0", "F", 40000, 40), ("0", "M", 60000, 60), ("1", "F", 20000, 60), (">=2", "F", 5000, 30)],
    schema=["level", "sex", "period_count", "case_count"],
    orient="row",
)


def _found(
    *, correlation: float = 0.8, seed: int = 1, values: pl.DataFrame = VALUES, is_assessable: bool = True
) -> dict[tuple[str, str, str], Answer]:
    both = pl.concat(
        [PERIODS.with_columns(exposure_rule=pl.lit("primary"), outcome_id=pl.lit(name), ladder=pl.lit("toruner"))
         for name in ("infection", "fever")]
    )  # fmt: skip
    estimates = misclassified_odds_ratios(
        both, values, comparisons(CONTRASTS, ("pooled_period_odds_ratio",)), rule="primary",
        draws=Draws(count=4000, seed=seed, correlation=correlation), confidence=0.95, is_assessable=is_assessable,
    )  # fmt: skip
    result_frame(estimates, study_digest="d")  # raises where a row is made twice
    assert {e.question.outcome_id for e in estimates} <= {"infection"}, "fever has no published value"
    return {(e.question.level, e.question.comparator_id, e.answer.method): e.answer for e in estimates}


def test_equal_predictive_values_leave_the_ratio_and_say_where_the_range_is_from() -> None:
    answer = _found(correlation=1.0)["1", "0", "misclassification_systematic"]
    crude = 60 * 99900 / (19940 * 100)
    assert answer.value == pytest.approx(crude, rel=2e-3)  # the outcome is rare: the value cancels
    assert answer.lower == pytest.approx(crude, rel=2e-3) and answer.upper == pytest.approx(crude, rel=2e-3)
    assert answer.reason == "predictive value 0.5 to 0.8: Author 2009"


def test_values_that_may_differ_between_levels_widen_the_limits_and_chance_widens_them_further() -> None:
    found = _found(correlation=0.0)
    systematic, total = (found["1", "0", f"misclassification_{name}"] for name in ("systematic", "total"))

    def width(answer: Answer) -> float:
        assert answer.lower is not None and answer.upper is not None
        return math.log(answer.upper / answer.lower)

    # 95 % of log(U / U') of two values uniform on 0.5 to 0.8 lie within about 0.38 of 0
    assert width(systematic) == pytest.approx(2 * 0.38, abs=0.06)
    assert width(total) > width(systematic) + 0.1
    assert {key[:2] for key in found} == {("1", "0"), (">=2", "0"), (">=2", "1")}


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    key = ("1", "0", "misclassification_total")
    assert _found()[key] == _found()[key]
    assert _found()[key].value != _found(seed=2)[key].value


def test_without_records_it_is_not_assessable_and_without_a_published_value_not_asked() -> None:
    assert {answer.status for answer in _found(is_assessable=False).values()} == {"not_assessable"}
    assert _found(values=VALUES.clear()) == {}


def test_the_reference_holds_shares_of_outcomes_that_it_knows() -> None:
    values, outcomes = reference_frame("predictive_value"), set(reference_frame("outcome")["outcome_id"])
    assert set(values["outcome_id"]) <= outcomes and values["outcome_id"].is_unique().all()
    low, high = (values[name].cast(pl.Float64) for name in ("ppv_low", "ppv_high"))
    assert ((low > 0) & (low <= high) & (high <= 1)).all()
    assert values["source"].null_count() == 0
