"""Cox regression: R's coxph, by hand, and every coefficient that does not exist."""

import json
import math
import time
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.cox import CoxFit, cox, hazard_ratio
from analysis.estimate.result import EstimationError
from analysis.estimate.risk_sets import Ties

TRUTH = {row["name"]: row for row in json.loads((Path(__file__).parents[3] / "truth" / "cox.json").read_text())}
EVERY_TIES = get_args(Ties)


def counting_rows(truth: dict[str, Any]) -> pl.DataFrame:
    names = {"id": "person_id", "start": "start_day", "stop": "stop_day"}
    return pl.DataFrame(truth["data"], strict=False).rename(names)


def frame(*rows: tuple[int, int, int, int, float], names: tuple[str, ...] = ("x",)) -> pl.DataFrame:
    """Rows of person, start, stop, event and covariates."""
    return pl.DataFrame(rows, schema=["person_id", "start_day", "stop_day", "event", *names], orient="row")


def fit_x(rows: pl.DataFrame) -> CoxFit:
    return cox(rows, covariates=["x"], confidence=0.95, ties="efron")


@pytest.mark.parametrize("ties", EVERY_TIES)
@pytest.mark.parametrize("name", ["heart", "bladder2", "tied"])
def test_coefficients_and_both_variances_are_those_of_coxph(name: str, ties: Ties) -> None:
    truth = TRUTH[name]
    fit = cox(counting_rows(truth), covariates=truth["covariates"], confidence=0.95, ties=ties)
    for ours, theirs in (
        (fit.coefficients, "coefficients"),
        (fit.model_standard_errors, "model_standard_errors"),
        (fit.robust_standard_errors, "robust_standard_errors"),
        (fit.robust_covariance.ravel(), "robust_covariance"),
    ):
        assert list(ours) == pytest.approx(truth[ties][theirs], rel=1e-8, abs=1e-12)
    assert fit.null_log_likelihood == pytest.approx(truth[ties]["null_log_likelihood"], rel=1e-12)
    assert fit.log_likelihood == pytest.approx(truth[ties]["log_likelihood"], rel=1e-12)
    assert fit.reasons == ("",) * len(truth["covariates"])
    assert (fit.row_count, fit.event_count) == (len(truth["data"]["id"]), sum(truth["data"]["event"]))
    assert fit.person_count == len(set(truth["data"]["id"]))


@pytest.mark.parametrize("ties", EVERY_TIES)
def test_a_level_without_events_has_no_hazard_ratio_and_leaves_the_others_those_of_coxph(ties: Ties) -> None:
    truth = TRUTH["empty_level"]
    fit = cox(counting_rows(truth), covariates=truth["covariates"], confidence=0.95, ties=ties)
    assert abs(truth[ties]["coefficients"][2]) > 10  # R stops somewhere on the way to minus infinity
    answer = hazard_ratio(fit, "rare")
    assert (answer.status, answer.reason, answer.value) == ("not_estimable", "no events where rare is 1", None)
    assert (fit.coefficients[2], fit.robust_standard_errors[2]) == (None, None)
    assert fit.coefficients[:2] == pytest.approx(truth[ties]["coefficients"][:2], rel=1e-7)
    assert fit.model_standard_errors[:2] == pytest.approx(truth[ties]["model_standard_errors"][:2], rel=1e-6)
    assert fit.robust_standard_errors[:2] == pytest.approx(truth[ties]["robust_standard_errors"][:2], rel=1e-6)
    assert fit.null_log_likelihood == pytest.approx(truth[ties]["null_log_likelihood"], rel=1e-12)
    assert fit.log_likelihood == pytest.approx(truth[ties]["log_likelihood"], rel=1e-7)
    assert np.isnan(fit.robust_covariance[2]).all()


def test_a_hazard_ratio_by_hand() -> None:
    # Exposed stop on days 1 and 4, the others on 2 and 3: theta/(2 theta + 2) * 1/(theta + 2) * 1/(theta + 1), whose
    # logarithm is flat where 1 = 2 theta/(theta + 1) + theta/(theta + 2), so theta^2 + theta - 1 = 0.
    fit = fit_x(frame((1, 0, 1, 1, 1), (2, 0, 2, 1, 0), (3, 0, 3, 1, 0), (4, 0, 4, 1, 1)))
    answer = hazard_ratio(fit, "x")
    assert answer.value == pytest.approx((math.sqrt(5.0) - 1.0) / 2.0, rel=1e-9)
    assert fit.null_log_likelihood == pytest.approx(-math.log(24))
    assert (answer.person_count, answer.event_count, answer.person_days) == (4, 4, 10)
    assert answer.method == "cox_efron_robust"
    assert answer.standard_error is not None
    assert answer.upper == pytest.approx(answer.value * math.exp(1.959963984540054 * answer.standard_error))
    assert answer.lower == pytest.approx(answer.value * math.exp(-1.959963984540054 * answer.standard_error))
    z = math.log(answer.value) / answer.standard_error
    assert answer.p_value == pytest.approx(math.erfc(abs(z) / math.sqrt(2)))


@pytest.mark.parametrize(("level", "other"), [(1.0, 0.0), (0.0, 1.0)])
def test_the_reason_names_the_level_without_events(level: float, other: float) -> None:
    rows = frame((1, 0, 5, 1, other), (2, 0, 7, 1, other), (3, 0, 9, 0, level), (4, 0, 8, 0, level))
    answer = hazard_ratio(fit_x(rows), "x")
    assert (answer.status, answer.reason) == ("not_estimable", f"no events where x is {level:g}")
    assert (answer.value, answer.lower, answer.upper, answer.event_count) == (None, None, None, 2)


def test_without_any_event_nothing_is_estimable() -> None:
    fit = fit_x(frame((1, 0, 5, 0, 1), (2, 0, 7, 0, 0)))
    assert (hazard_ratio(fit, "x").status, hazard_ratio(fit, "x").reason) == ("not_estimable", "no events")
    assert (fit.log_likelihood, fit.event_count, fit.person_days) == (None, 0, 12)
    assert hazard_ratio(fit_x(frame((1, 0, 5, 0, 1)).clear()), "x").reason == "no events"


def test_a_covariate_that_never_varies_is_not_estimable_and_leaves_the_others() -> None:
    rows = counting_rows(TRUTH["tied"]).with_columns(constant=pl.lit(3.0))
    fit = cox(rows, covariates=["constant", "exposed", "dose"], confidence=0.95, ties="efron")
    assert hazard_ratio(fit, "constant").reason == "constant does not vary among persons at risk"
    assert fit.coefficients[1:] == pytest.approx(TRUTH["tied"]["efron"]["coefficients"], rel=1e-8)


def test_a_covariate_that_varies_only_between_risk_sets_is_not_estimable() -> None:
    rows = frame((1, 0, 5, 1, 1), (2, 0, 5, 0, 1), (3, 5, 9, 1, 0), (4, 5, 9, 0, 0))
    assert hazard_ratio(fit_x(rows), "x").reason == "x does not vary within any risk set"


def test_all_events_at_the_largest_dose_are_no_number() -> None:
    rows = frame((1, 0, 5, 1, 3), (2, 0, 7, 1, 3), (3, 0, 9, 0, 1), (4, 0, 8, 0, 2), (5, 0, 8, 0, 3))
    assert hazard_ratio(fit_x(rows), "x").reason == "no events where x is not 3"


def test_a_dose_that_always_goes_first_is_no_huge_number() -> None:
    rows = frame(*[(day, 0, day, 1, 9.0 - day) for day in range(1, 9)])
    answer = hazard_ratio(fit_x(rows), "x")
    assert (answer.status, answer.reason) == ("not_estimable", "the likelihood has no finite maximum in x")


def test_two_levels_that_run_away_together_are_named() -> None:
    rows = counting_rows(TRUTH["tied"])
    # Three levels; nobody at the baseline has an event, so both contrasts to it are infinite.
    level = pl.col("person_id").cast(pl.Int64) % 3
    rows = rows.with_columns(
        middle=(level == 1).cast(pl.Float64),
        high=(level == 2).cast(pl.Float64),
        event=pl.when(level == 0).then(0).otherwise("event"),
    )
    fit = cox(rows, covariates=["middle", "high", "dose"], confidence=0.95, ties="efron")
    assert {hazard_ratio(fit, name).reason for name in fit.covariates} == {
        "the likelihood has no finite maximum in middle, high"
    }


def test_covariates_that_repeat_each_other_are_not_estimable() -> None:
    rows = counting_rows(TRUTH["tied"]).with_columns(twice=2 * pl.col("dose") + pl.col("exposed"))
    fit = cox(rows, covariates=["dose", "exposed", "twice"], confidence=0.95, ties="efron")
    assert {hazard_ratio(fit, name).reason for name in fit.covariates} == {"collinear: dose, exposed, twice"}


def test_one_person_has_no_robust_standard_error() -> None:
    rows = frame((1, 0, 5, 1, 1), (1, 0, 6, 1, 0), (1, 0, 9, 1, 1), (1, 0, 10, 0, 0))
    answer = hazard_ratio(fit_x(rows), "x")
    assert answer.status == "not_estimable"
    assert answer.reason.startswith("the score residuals cancel within each person")


def test_persons_may_be_named_by_text_and_the_cluster_by_another_column() -> None:
    truth = TRUTH["tied"]
    rows = counting_rows(truth)
    named = rows.select(pl.exclude("person_id"), site=pl.format("site {}", pl.col("person_id").cast(pl.Int64)))
    fit = cox(named, covariates=truth["covariates"], confidence=0.95, cluster="site", ties="efron")
    assert fit.robust_standard_errors == pytest.approx(truth["efron"]["robust_standard_errors"], rel=1e-8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start_day": pl.lit(9)}, "2 rows start at or after their stop, 0 have an event"),
        ({"event": pl.lit(2)}, "0 rows start at or after their stop, 2 have an event"),
        ({"x": pl.lit(math.inf)}, "not finite"),
        ({"x": pl.lit(None, pl.Float64)}, "nulls in x"),
        ({"person_id": pl.lit(None, pl.Int64)}, "nulls in person_id"),
    ],
)
def test_rows_that_cannot_be_meant_are_refused(change: dict[str, pl.Expr], message: str) -> None:
    rows = frame((1, 0, 5, 1, 1), (2, 0, 9, 0, 0)).with_columns(**change)
    with pytest.raises(EstimationError, match=message):
        fit_x(rows)


def test_names_that_cannot_be_meant_are_refused() -> None:
    rows = frame((1, 0, 5, 1, 1), (2, 0, 9, 0, 0))
    with pytest.raises(EstimationError, match="columns age"):
        cox(rows, covariates=["age"], confidence=0.95, ties="efron")
    for covariates in ([], ["x", "x"]):
        with pytest.raises(EstimationError, match="each covariate once"):
            cox(rows, covariates=covariates, confidence=0.95, ties="efron")
    with pytest.raises(EstimationError, match="ties: 'exact'"):
        cox(rows, covariates=["x"], confidence=0.95, ties="exact")  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="no covariate 'age'"):
        hazard_ratio(fit_x(rows), "age")


def same(one: CoxFit, other: CoxFit) -> bool:
    return all(
        getattr(one, part) == pytest.approx(getattr(other, part), rel=1e-7, abs=1e-9)
        for part in ("coefficients", "model_standard_errors", "robust_standard_errors", "log_likelihood")
    )


@pytest.mark.parametrize("ties", EVERY_TIES)
@given(cut=st.integers(1, 20))
@settings(max_examples=20, deadline=None)
def test_splitting_rows_in_time_changes_nothing(cut: int, ties: Ties) -> None:
    truth = TRUTH["tied"]
    rows = counting_rows(truth)
    crossed = (pl.col("start_day") < cut) & (pl.col("stop_day") > cut)
    split = pl.concat(
        [
            rows.filter(~crossed),
            rows.filter(crossed).with_columns(stop_day=pl.lit(cut, pl.Int64), event=pl.lit(0, pl.Int64)),
            rows.filter(crossed).with_columns(start_day=pl.lit(cut, pl.Int64)),
        ]
    )
    whole = cox(rows, covariates=truth["covariates"], confidence=0.95, ties=ties)
    assert same(whole, cox(split, covariates=truth["covariates"], confidence=0.95, ties=ties))


@given(shift=st.integers(-1000, 1000), factor=st.sampled_from([0.001, 0.5, 20.0, 1e4]))
@settings(max_examples=20, deadline=None)
def test_moving_and_scaling_a_covariate_scales_its_coefficient_only(shift: int, factor: float) -> None:
    truth = TRUTH["tied"]
    rows = counting_rows(truth)
    moved = rows.with_columns(dose=pl.col("dose") * factor + shift, start_day=pl.col("start_day") - 5000)
    moved = moved.with_columns(stop_day=pl.col("stop_day") - 5000)
    one = cox(rows, covariates=["exposed", "dose"], confidence=0.95, ties="efron")
    other = cox(moved, covariates=["exposed", "dose"], confidence=0.95, ties="efron")
    assert other.coefficients[0] == pytest.approx(one.coefficients[0], rel=1e-6)
    assert other.coefficients[1] == pytest.approx((one.coefficients[1] or 0) / factor, rel=1e-6)
    assert other.robust_standard_errors[1] == pytest.approx((one.robust_standard_errors[1] or 0) / factor, rel=1e-6)


def test_turning_the_levels_over_inverts_the_hazard_ratio() -> None:
    rows = counting_rows(TRUTH["tied"]).rename({"exposed": "x"})
    one = hazard_ratio(fit_x(rows), "x")
    other = hazard_ratio(fit_x(rows.with_columns(x=1 - pl.col("x"))), "x")
    assert one.value is not None
    assert one.lower is not None
    assert other.value == pytest.approx(1 / one.value, rel=1e-9)
    assert other.upper == pytest.approx(1 / one.lower, rel=1e-9)


def test_the_order_of_rows_does_not_matter() -> None:
    truth = TRUTH["heart"]
    rows = counting_rows(truth)
    one = cox(rows, covariates=truth["covariates"], confidence=0.95, ties="efron")
    assert same(one, cox(rows.reverse(), covariates=truth["covariates"], confidence=0.95, ties="efron"))


@pytest.mark.slow
def test_a_million_rows_take_less_than_ten_seconds() -> None:
    random = np.random.default_rng(20_240_101)
    count = 1_000_000
    start = random.integers(0, 2_000, count)
    x, age = (random.random(count) < 0.3).astype(float), random.normal(size=count)
    event = random.random(count) < 0.02 * np.exp(0.5 * x + 0.2 * age)
    rows = pl.DataFrame(
        {
            "person_id": random.integers(0, 300_000, count),
            "start_day": start,
            "stop_day": start + random.integers(1, 200, count),
            "event": event.astype(int),
            "x": x,
            "age": age,
        }
    )
    before = time.perf_counter()
    fit = cox(rows, covariates=["x", "age"], confidence=0.95, ties="efron")
    assert time.perf_counter() - before < 10.0
    assert fit.event_count > 20_000
    assert fit.coefficients == pytest.approx((0.5, 0.2), abs=0.05)
