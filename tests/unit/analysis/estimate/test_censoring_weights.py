"""Censoring weights: R's coxph for censoring, by hand, and a planted survival under censoring that follows a covariate."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from analysis.estimate.censoring_weights import CensoringWeights, censoring_weights
from analysis.estimate.cox import cox
from analysis.estimate.result import EstimationError

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "censoring_weights.json").read_text())
NAMES = ["person_id", "start_day", "stop_day", "event", "is_censored", "x"]


def heart() -> pl.DataFrame:
    names = {"id": "person_id", "start": "start_day", "stop": "stop_day", "censored": "is_censored"}
    return pl.DataFrame(TRUTH["data"], strict=False).rename(names)


def frame(*rows: tuple[int, int, int, int, int, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=NAMES, orient="row")


def weighted(
    rows: pl.DataFrame, covariates: list[str], *, period_days: int = 1, truncate_tail: float = 0.0, **more: Any
) -> CensoringWeights:
    return censoring_weights(rows, covariates=covariates, period_days=period_days, truncate_tail=truncate_tail, **more)


@pytest.mark.parametrize("truth", TRUTH["weights"], ids=lambda truth: f"period {truth['period']}")
@pytest.mark.parametrize(("column", "tail"), [("weight", 0.0), ("truncated", 0.05)])
def test_weights_are_those_of_coxph_and_so_is_the_weighted_fit(truth: dict[str, Any], column: str, tail: float) -> None:
    found = weighted(
        heart(), ["age", "transplant"], period_days=int(truth["period"]), truncate_tail=tail, baseline=truth["baseline"]
    )
    assert found.rows is not None
    assert found.rows["start_day"].to_list() == truth["start"]
    assert found.rows["weight"].to_list() == pytest.approx(truth[column], rel=1e-8)
    if tail:
        fit = cox(found.rows, covariates=["age", "transplant"], confidence=0.95, ties="efron", weight="weight")
        assert fit.coefficients == pytest.approx(truth["coefficients"], rel=1e-7)
        assert fit.robust_standard_errors == pytest.approx(truth["robust_standard_errors"], rel=1e-7)
        assert found.truncated_row_count > 0


def test_the_method_names_period_and_truncation() -> None:
    assert weighted(heart(), ["age"], period_days=90).method == "censoring_cox_breslow_period_90_untruncated"
    found = weighted(heart(), ["age"], period_days=30, truncate_tail=0.01)
    assert found.method == "censoring_cox_breslow_period_30_truncated_0.01"


# x = 1: person 1 censored on day 2, 2 has an event on day 4. x = 0: 3 is censored on day 4, 4 stays to day 6.
HAND = frame((1, 0, 2, 0, 1, 1.0), (2, 0, 4, 1, 0, 1.0), (3, 0, 4, 0, 1, 0.0), (4, 0, 6, 0, 0, 0.0))


def test_weights_by_hand() -> None:
    # Censored on day 2: one of 2 theta + 2. On day 4 person 2 has left with the event: one of the 2 with x = 0, whose
    # ratio is 1 whatever theta, and the likelihood has no maximum. A fifth person with x = 1 stays.
    rows = pl.concat([HAND, frame((5, 0, 6, 0, 0, 1.0))])
    # Day 2: theta of 3 theta + 2; day 4: 1 of theta + 2 (persons 5, 3, 4; 2 is not at risk).
    # Flat where 1 = 3 theta / (3 theta + 2) + theta / (theta + 2): 3 theta^2 = 4.
    theta = math.sqrt(4.0 / 3.0)
    first, second = 1.0 / (3.0 * theta + 2.0), 1.0 / (theta + 2.0)
    found = weighted(rows, ["x"])
    assert found.rows is not None
    last = dict(found.rows.group_by("person_id").agg(pl.col("weight").last()).iter_rows())
    assert last[1] == 1.0  # nobody is censored before day 2
    assert last[2] == pytest.approx(math.exp(theta * first - 1.0 / 5.0))  # day 4, before its censoring
    assert last[3] == pytest.approx(math.exp(first - 1.0 / 5.0))
    assert last[4] == pytest.approx(math.exp(first + second - 1.0 / 5.0 - 1.0 / 3.0))
    assert last[5] == pytest.approx(math.exp(theta * (first + second) - 1.0 / 5.0 - 1.0 / 3.0))
    assert found.worth["time_days"].to_list() == [1, 2, 3, 4, 5, 6]
    assert found.worth["person_count"].to_list() == [5, 5, 4, 4, 2, 2]
    late = np.array([last[4], last[5]])
    assert found.worth["effective_count"][-1] == pytest.approx(late.sum() ** 2 / (late**2).sum())
    assert (found.worth["smallest"][-1], found.worth["largest"][-1]) == (late.min(), late.max())


def test_without_censoring_every_weight_is_one() -> None:
    found = weighted(HAND.with_columns(is_censored=0), ["x"])
    assert found.rows is not None
    assert (found.rows["weight"].unique().to_list(), found.censored_count, found.reason) == ([1.0], 0, "")


def test_the_model_of_the_numerator_alone_has_weights_of_one() -> None:
    found = weighted(heart(), ["age"], period_days=30, baseline=["age"])
    assert found.rows is not None
    assert found.rows["weight"].to_numpy() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_censored": (pl.col("person_id") == 1).cast(pl.Int64)}, "no weights: nobody censored where x is 0"),
        ({"x": pl.lit(1.0)}, "no weights: x does not vary among persons at risk"),
    ],
)
def test_a_model_that_has_no_coefficient_has_no_weights(change: dict[str, pl.Expr], reason: str) -> None:
    found = weighted(HAND.with_columns(**change), ["x"])
    assert (found.rows, found.reason) == (None, reason)
    assert found.worth.is_empty()


def test_the_order_of_rows_does_not_matter() -> None:
    one, other = (weighted(rows, ["age", "transplant"], period_days=30) for rows in (heart(), heart().reverse()))
    assert one.rows is not None
    assert other.rows is not None
    assert one.rows["person_id"].equals(other.rows["person_id"])
    assert one.rows["weight"].to_numpy() == pytest.approx(other.rows["weight"].to_numpy(), rel=1e-12)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (frame((1, 0, 5, 0, 0, 1.0), (1, 4, 9, 0, 1, 1.0)), "1 rows overlap"),
        (frame((1, 0, 5, 0, 1, 1.0), (1, 5, 9, 0, 0, 1.0)), "1 follow censoring"),
        (frame((1, 0, 5, 1, 1, 1.0), (2, 5, 9, 0, 2, 1.0)), "2 have is_censored"),
        (HAND.drop("is_censored"), "the column is_censored"),
        (HAND.with_columns(x=math.nan), "not finite"),
    ],
)
def test_rows_that_cannot_be_meant_are_refused(rows: pl.DataFrame, message: str) -> None:
    with pytest.raises(EstimationError, match=message):
        weighted(rows, ["x"])


@pytest.mark.parametrize(("period_days", "tail"), [(0, 0.0), (1, 0.5), (1, -0.1), (1, math.nan)])
def test_settings_that_cannot_be_meant_are_refused(period_days: int, tail: float) -> None:
    with pytest.raises(EstimationError, match="periods last from 1 day"):
        weighted(HAND, ["x"], period_days=period_days, truncate_tail=tail)


def survival_at(rows: pl.DataFrame, day: int) -> float:
    """The product over days of one less the weighted share of events, by its definition."""
    left = 1.0
    for each in sorted(set(rows.filter((pl.col("event") == 1) & (pl.col("stop_day") <= day))["stop_day"])):
        at_risk = rows.filter((pl.col("start_day") < each) & (pl.col("stop_day") >= each))
        ended = at_risk.filter((pl.col("stop_day") == each) & (pl.col("event") == 1))
        left *= 1.0 - ended["weight"].sum() / at_risk["weight"].sum()
    return left


def test_weights_bring_a_planted_survival_back() -> None:
    # After day 60 half of the persons fall ill: events at 0.01 a day against 0.001, and the ill leave the hospital at
    # 0.012 a day against 0.001. Survival to day 300 is exp(-0.06) (exp(-0.24) + exp(-2.4)) / 2 = 0.413.
    random = np.random.default_rng(20_241_125)
    size = 6_000
    ill = np.arange(size) % 2
    hazards, leaving = np.where(ill == 1, 0.01, 0.001), np.where(ill == 1, 0.012, 0.001)

    def drawn(early: float, late: np.ndarray) -> np.ndarray:
        first, later = random.exponential(1.0 / early, size), 60.0 + random.exponential(1.0 / late)
        return np.where(first <= 60.0, first, later)

    end, out = drawn(0.001, hazards), drawn(0.001, leaving)
    last = np.minimum(np.minimum(end, out), 360.0)
    persons = pl.DataFrame(
        {
            "person_id": np.arange(size), "start_day": 0, "stop_day": np.ceil(last).astype(int),
            "event": ((end <= out) & (end < 360)).astype(int), "is_censored": ((out < end) & (out < 360)).astype(int),
        }
    )  # fmt: skip
    crossing = persons.filter(pl.col("stop_day") > 60)
    rows = pl.concat(
        [
            persons.filter(pl.col("stop_day") <= 60).with_columns(ill=0.0),
            crossing.with_columns(stop_day=60, event=0, is_censored=0, ill=0.0).cast(
                persons.schema | {"ill": pl.Float64}
            ),
            crossing.with_columns(start_day=60, ill=pl.col("person_id").cast(pl.Float64) % 2).cast(
                persons.schema | {"ill": pl.Float64}
            ),
        ]
    )
    planted = math.exp(-0.06) * (math.exp(-0.24) + math.exp(-2.4)) / 2.0
    naive = survival_at(rows.with_columns(weight=1.0), 300)
    found = weighted(rows, ["ill"], period_days=5)
    assert found.rows is not None
    corrected = survival_at(found.rows, 300)
    assert naive - planted > 0.05
    assert abs(corrected - planted) < 0.02
    # The weights of those at risk sum to the survival with weights times the share not censored by anything.
    mean = found.worth.filter(pl.col("time_days") == 301)["mean"].item()
    assert mean == pytest.approx(corrected / naive, rel=0.04)
    assert (found.worth["effective_count"] <= found.worth["person_count"] + 1e-9).all()
