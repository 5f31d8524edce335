"""Fine-Gray regression: R's crr and finegray, by hand, a known effect, and every ratio that does not exist."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.cox import cox
from analysis.estimate.fine_gray import FineGrayFit, fine_gray, subdistribution_hazard_ratio
from analysis.estimate.result import EstimationError

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "fine_gray.json").read_text())
APART = [truth for truth in TRUTH if "crr" in truth]


def persons(*rows: tuple[int, str, float]) -> pl.DataFrame:
    """Rows of time, cause, x."""
    return pl.DataFrame(rows, schema={"time_days": pl.Int64, "cause": pl.String, "x": pl.Float64}, orient="row")


def fit_x(rows: pl.DataFrame) -> FineGrayFit:
    return fine_gray(rows, cause="a", covariates=["x"], confidence=0.95)


def of_truth(truth: dict[str, Any]) -> FineGrayFit:
    frame = pl.DataFrame(truth["persons"], strict=False)
    return fine_gray(frame, cause=truth["cause"], covariates=truth["covariates"], confidence=0.95)


@pytest.mark.parametrize("truth", APART, ids=lambda truth: truth["name"])
def test_coefficients_and_their_covariance_are_those_of_crr(truth: dict[str, Any]) -> None:
    fit = of_truth(truth)
    assert fit.coefficients == pytest.approx(truth["crr"], rel=1e-8)
    assert fit.standard_errors == pytest.approx(truth["crr_error"], rel=1e-8)
    assert fit.covariance.ravel() == pytest.approx(truth["crr_covariance"], rel=1e-7)


@pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth["name"])
def test_with_tied_censoring_too_the_weights_are_those_of_finegray(truth: dict[str, Any]) -> None:
    fit = of_truth(truth)
    assert fit.coefficients == pytest.approx(truth["finegray"], rel=1e-8)
    assert fit.fixed_weight_standard_errors == pytest.approx(truth["finegray_error"], rel=1e-8)
    assert fit.log_likelihood == pytest.approx(truth["finegray_log_likelihood"], rel=1e-12)


def test_a_ratio_by_hand() -> None:
    # Nobody is censored, so who ended by b stays with weight 1. Events of a on day 1 (x = 1), 3 (x = 0), 4 (x = 1); four
    # persons: theta/(2 theta + 2) * 1/(theta + 2) * theta/(theta + 1), flat where 2 = 2 theta/(theta + 1) + theta/(theta + 2).
    fit = fit_x(persons((1, "a", 1), (2, "b", 0), (3, "a", 0), (4, "a", 1)))
    theta = math.exp(fit.coefficients[0])
    assert 2 * theta / (theta + 1) + theta / (theta + 2) == pytest.approx(2.0, rel=1e-9)
    answer = subdistribution_hazard_ratio(fit, "x")
    error = float(fit.standard_errors[0])
    assert answer.value == pytest.approx(theta)
    assert answer.upper == pytest.approx(theta * math.exp(1.959963984540054 * error))
    assert answer.p_value == pytest.approx(math.erfc(abs(math.log(theta)) / error / math.sqrt(2)))
    assert (answer.person_count, answer.event_count, answer.person_days) == (4, 3, 10)


def test_without_another_cause_it_is_cox_with_breslow_ties() -> None:
    truth = TRUTH[2]
    frame = pl.DataFrame(truth["persons"], strict=False).with_columns(
        cause=pl.when(pl.col("cause") == "death").then(pl.lit("a")).otherwise(pl.lit("censored")), x=pl.col("age")
    )
    rows = frame.with_columns(
        person_id=pl.int_range(pl.len()), start_day=pl.lit(0), stop_day="time_days", event=(pl.col("cause") == "a").cast(pl.Int64)
    )  # fmt: skip
    expected = cox(rows, covariates=["x"], confidence=0.95, ties="breslow")
    fit = fit_x(frame)
    assert fit.coefficients[0] == pytest.approx(expected.coefficients[0], rel=1e-9)
    assert fit.standard_errors[0] == pytest.approx(expected.robust_standard_errors[0], rel=1e-9)


def test_the_order_of_rows_changes_nothing() -> None:
    frame = pl.DataFrame(TRUTH[2]["persons"], strict=False)
    one, two = (
        fine_gray(rows, cause="death", covariates=["age", "male"], confidence=0.95)
        for rows in (frame, frame.sample(fraction=1.0, shuffle=True, seed=9))
    )
    assert one.coefficients.tobytes() == two.coefficients.tobytes()
    assert one.covariance.tobytes() == two.covariance.tobytes()


def test_a_planted_effect_comes_back_and_its_limits_cover() -> None:
    # Fine and Gray's own simulation: F(t) = 1 - (1 - p (1 - e^-t))^exp(beta x) for cause a.
    rng = np.random.default_rng(3)
    beta, share, covered, found = 0.6, 0.5, 0, []
    for _ in range(200):
        x = rng.integers(0, 2, 300).astype(float)
        ratio = np.exp(beta * x)
        is_a = rng.random(300) < 1 - (1 - share) ** ratio
        u = rng.random(300) * (1 - (1 - share) ** ratio)
        of_a = -np.log(1 - (1 - (1 - u) ** (1 / ratio)) / share)
        time = np.ceil(np.where(is_a, of_a, rng.exponential(0.7, 300)) * 365)
        ends = np.ceil(rng.uniform(0.3, 3.0, 300) * 365)
        cause = np.where(time > ends, "censored", np.where(is_a, "a", "b"))
        fit = fit_x(pl.DataFrame({"time_days": np.minimum(time, ends).astype(int), "cause": cause, "x": x}))
        answer = subdistribution_hazard_ratio(fit, "x")
        assert answer.lower is not None
        assert answer.upper is not None
        covered += answer.lower <= math.exp(beta) <= answer.upper
        found.append(fit.coefficients[0])
    assert np.mean(found) == pytest.approx(beta, abs=0.04)
    assert 182 <= covered <= 198


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "no events of the cause"),
        ([(3, "b", 1.0), (4, "censored", 0.0)], "no events of the cause"),
        ([(3, "a", 1.0), (4, "censored", 1.0)], "x does not vary among persons"),
        ([(3, "a", 1.0), (4, "censored", 0.0), (5, "a", 1.0)], "no events where x is not 1"),
        ([(3, "censored", 1.0), (4, "a", 0.5), (5, "a", 0.5), (2, "censored", 0.0)], "a covariate does not vary within any risk set"),
        ([(1, "a", 2.0), (2, "a", 1.0), (3, "censored", 0.0)], "the likelihood has no finite maximum"),
    ],
)  # fmt: skip
def test_without_a_maximum_there_is_a_reason(rows: list[tuple[int, str, float]], reason: str) -> None:
    fit = fit_x(persons(*rows))
    answer = subdistribution_hazard_ratio(fit, "x")
    assert (answer.status, answer.reason, answer.value) == ("not_estimable", reason, None)


def test_residuals_that_cancel_have_no_standard_error() -> None:
    # Two tied events, one a level: each is its own expectation, whatever the coefficient of 0.
    answer = subdistribution_hazard_ratio(fit_x(persons((3, "a", 1.0), (3, "a", 0.0))), "x")
    assert (answer.status, answer.value) == ("not_estimable", None)
    assert answer.reason == "what persons add to the score cancels: no robust standard error"


def test_covariates_that_repeat_each_other_are_collinear() -> None:
    frame = pl.DataFrame(TRUTH[2]["persons"], strict=False).with_columns(twice=2 * pl.col("age"))
    fit = fine_gray(frame, cause="death", covariates=["age", "twice"], confidence=0.95)
    assert fit.reason == "collinear: age, twice"


def test_frames_that_mean_nothing_are_refused() -> None:
    frame = persons((3, "a", 1.0), (4, "b", 0.0))
    for wrong, message in (
        (frame.drop("x"), "need each covariate once and the columns x"),
        (frame.with_columns(cause=pl.lit(None, pl.String)), "nulls"),
        (frame.with_columns(x=pl.lit(math.inf)), "not finite"),
        (frame.with_columns(time_days=pl.lit(0)), "before day 1"),
    ):
        with pytest.raises(EstimationError, match=message):
            fit_x(wrong)
    with pytest.raises(EstimationError, match="covariate once"):
        fine_gray(frame, cause="a", covariates=["x", "x"], confidence=0.95)
    with pytest.raises(EstimationError, match="no covariate 'y'"):
        subdistribution_hazard_ratio(fit_x(frame), "y")


@settings(deadline=None, max_examples=200)
@given(
    rows=st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from(("a", "b", "censored")), st.sampled_from((0.0, 0.5, 1.0))), max_size=10
    )
)  # fmt: skip
def test_every_small_table_has_finite_limits_or_a_reason(rows: list[tuple[int, str, float]]) -> None:
    answer = subdistribution_hazard_ratio(fit_x(persons(*rows)), "x")
    assert answer.reason or (
        answer.lower is not None and answer.upper is not None and answer.standard_error is not None
    )
