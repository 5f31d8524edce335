"""Logistic regression: R's glm, sandwich and brglm2, tables by hand, and every coefficient that does not exist."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.adjusted import Limits, adjusted_odds_ratio, likelihood_ratio_test
from analysis.estimate.logistic import firth_logistic, logistic
from analysis.estimate.regression import RegressionFit
from analysis.estimate.result import EstimationError
from analysis.estimate.two_by_two import TwoByTwo, odds_ratio

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "logistic.json").read_text())
PLAIN = {row["name"]: row for row in TRUTH["plain"]}
FIRTH = {row["name"]: row for row in TRUTH["firth"]}


def rows_of(truth: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(truth["data"], strict=False).with_columns(pl.all().cast(pl.Float64))


def fit_of(truth: dict[str, Any], rows: pl.DataFrame | None = None) -> RegressionFit:
    frame = rows_of(truth) if rows is None else rows
    extra = {"cluster": "id", "frequency": "frequency", "offset": "log_odds"}
    return logistic(frame, covariates=truth["covariates"], confidence=0.95, **extra)


def table(exposed_events: int, exposed_others: int, events: int, others: int) -> pl.DataFrame:
    counts = [exposed_events, exposed_others, events, others]
    return pl.DataFrame({"event": [1, 0, 1, 0], "x": [1.0, 1.0, 0.0, 0.0], "times": counts})


def limits_of(fit: RegressionFit, name: str, limits: Limits) -> tuple[float | None, float | None, float | None]:
    answer = adjusted_odds_ratio(fit, name, limits=limits)
    return answer.lower, answer.value, answer.upper


@pytest.mark.parametrize("name", PLAIN)
def test_coefficients_variances_and_profile_limits_are_those_of_glm(name: str) -> None:
    truth = PLAIN[name]
    fit = fit_of(truth)
    assert list(fit.coefficients) == pytest.approx(truth["coefficients"], rel=1e-8)
    assert list(fit.standard_errors) == pytest.approx(truth["standard_errors"], rel=1e-8)
    assert fit.robust_covariance is not None
    assert list(fit.robust_covariance.ravel()) == pytest.approx(truth["robust_covariance"], rel=1e-7, abs=1e-10)
    assert fit.log_likelihood == pytest.approx(truth["log_likelihood"], rel=1e-10)
    for index, covariate in enumerate(truth["covariates"]):
        answer = adjusted_odds_ratio(fit, covariate, limits="profile")
        assert answer.lower == pytest.approx(math.exp(truth["profile_lower"][index]), rel=1e-8)
        assert answer.upper == pytest.approx(math.exp(truth["profile_upper"][index]), rel=1e-8)
    test = likelihood_ratio_test(fit, truth["covariates"])
    assert test.value == pytest.approx(truth["likelihood_ratio"], rel=1e-8)
    assert test.p_value == pytest.approx(truth["likelihood_ratio_p"], rel=1e-7)


@pytest.mark.parametrize("name", FIRTH)
def test_firth_estimates_and_limits_are_those_of_brglm2_and_of_the_penalised_profile(name: str) -> None:
    truth = FIRTH[name]
    fit = firth_logistic(rows_of(truth), covariates=truth["covariates"], confidence=0.95, frequency="frequency")
    assert list(fit.coefficients) == pytest.approx(truth["coefficients"], rel=1e-7)
    assert list(fit.standard_errors) == pytest.approx(truth["standard_errors"], rel=1e-6)
    assert fit.log_likelihood == pytest.approx(truth["log_likelihood"], rel=1e-10)
    assert fit.reasons == ("",) * len(truth["covariates"])
    for index, covariate in enumerate(truth["covariates"]):
        answer = adjusted_odds_ratio(fit, covariate, limits="profile")
        assert answer.lower == pytest.approx(math.exp(truth["profile_lower"][index]), rel=1e-7)
        assert answer.upper == pytest.approx(math.exp(truth["profile_upper"][index]), rel=1e-7)
        assert answer.p_value == pytest.approx(truth["p_values"][index], rel=1e-5)
        assert likelihood_ratio_test(fit, [covariate]).p_value == pytest.approx(truth["p_values"][index], rel=1e-5)


def test_firth_on_the_endometrial_data_is_what_heinze_and_schemper_print() -> None:
    # Heinze and Schemper 2002, Stat Med 21:2409, table III: 2.93 (0.61 to 7.85), -0.03 (-0.12 to 0.04), -2.60 (-4.37
    # to -1.23).
    truth = FIRTH["endometrial"]
    fit = firth_logistic(rows_of(truth), covariates=truth["covariates"], confidence=0.95)
    printed = [
        [round(math.log(number), 2) for number in limits_of(fit, name, "profile") if number is not None]
        for name in truth["covariates"]
    ]
    assert printed == [[0.61, 2.93, 7.85], [-0.12, -0.03, 0.04], [-4.37, -2.6, -1.23]]


def test_a_level_with_only_events_has_a_lower_limit_and_leaves_the_others_those_of_the_limit() -> None:
    (truth,) = TRUTH["limit"]
    rows = rows_of(truth)
    fit = logistic(rows, covariates=truth["covariates"], confidence=0.95)
    answer = adjusted_odds_ratio(fit, "neovasculation", limits="profile")
    assert (answer.status, answer.value, answer.upper) == ("limit_only", None, None)
    assert answer.reason == "only events where neovasculation is 1"
    assert answer.lower == pytest.approx(math.exp(truth["profile_lower"]), rel=1e-8)
    assert list(fit.coefficients[1:]) == pytest.approx(truth["coefficients"], rel=1e-8)
    assert list(fit.standard_errors[1:]) == pytest.approx(truth["standard_errors"], rel=1e-8)
    assert fit.log_likelihood == pytest.approx(truth["log_likelihood"], rel=1e-10)
    assert adjusted_odds_ratio(fit, "neovasculation", limits="wald").status == "not_estimable"
    turned = rows.with_columns(neovasculation=1 - pl.col("neovasculation"))
    other = logistic(turned, covariates=truth["covariates"], confidence=0.95)
    zero = adjusted_odds_ratio(other, "neovasculation", limits="profile")
    assert (zero.status, zero.value, zero.lower) == ("ok", 0.0, 0.0)
    assert zero.upper == pytest.approx(math.exp(-truth["profile_lower"]), rel=1e-8)
    assert likelihood_ratio_test(fit, ["neovasculation"]).p_value == pytest.approx(answer.p_value or 0, rel=1e-9)


def test_one_binary_covariate_is_woolf() -> None:
    fit = logistic(table(12, 5, 7, 20), covariates=["x"], confidence=0.95, frequency="times")
    ours, theirs = (
        adjusted_odds_ratio(fit, "x", limits="wald"),
        odds_ratio(TwoByTwo(12, 5, 7, 20), method="woolf", confidence=0.95),
    )
    assert (ours.value, ours.lower, ours.upper) == pytest.approx((theirs.value, theirs.lower, theirs.upper), rel=1e-10)
    assert (ours.event_count, fit.counts.row_count, ours.method) == (19, 44, "logistic_wald")


def test_one_binary_covariate_with_firths_penalty_adds_a_half_to_each_cell() -> None:
    for cells in ((12, 5, 7, 20), (0, 5, 7, 20), (5, 0, 7, 20), (3, 7, 0, 9), (8, 3, 5, 0), (5, 0, 0, 5), (0, 3, 4, 0)):
        fit = firth_logistic(table(*cells), covariates=["x"], confidence=0.95, frequency="times")
        answer = adjusted_odds_ratio(fit, "x", limits="profile")
        a, b, c, d = (cell + 0.5 for cell in cells)
        assert answer.status == "ok"
        assert answer.value == pytest.approx(a * d / (b * c), rel=1e-9)
        assert answer.method == "firth_logistic_profile"


@pytest.mark.parametrize(
    ("cells", "reason", "status"),
    [
        ((0, 5, 7, 20), "no events where x is 1", "ok"),
        ((5, 0, 7, 20), "only events where x is 1", "limit_only"),
        ((3, 7, 0, 9), "no events where x is 0", "limit_only"),
        ((8, 3, 5, 0), "only events where x is 0", "ok"),
        ((0, 31, 0, 31), "no events", "not_estimable"),
        ((3, 0, 4, 0), "every row is an event", "not_estimable"),
        ((0, 0, 4, 9), "x does not vary where there is information", "not_estimable"),
        ((4, 9, 0, 0), "x does not vary where there is information", "not_estimable"),
        ((5, 0, 0, 6), "no events where x is 0", "limit_only"),
        ((0, 5, 6, 0), "no events where x is 1", "ok"),
        ((0, 0, 0, 0), "no events", "not_estimable"),
    ],
)
def test_zero_cells_answer_as_far_as_they_can(cells: tuple[int, int, int, int], reason: str, status: str) -> None:
    fit = logistic(table(*cells), covariates=["x"], confidence=0.95, frequency="times")
    answer = adjusted_odds_ratio(fit, "x", limits="profile")
    assert (answer.status, answer.value) == (status, 0.0 if status == "ok" else None)
    assert answer.reason == reason
    if status == "limit_only":
        assert answer.lower is not None
        assert 0.0 < answer.lower < 1000.0
    if status == "not_estimable":
        firth = firth_logistic(table(*cells), covariates=["x"], confidence=0.95, frequency="times")
        assert adjusted_odds_ratio(firth, "x", limits="profile").reason == reason
        assert likelihood_ratio_test(fit, ["x"]).reason == reason


def test_the_limit_of_a_zero_cell_is_where_the_binomial_likelihood_says() -> None:
    # Nobody of 20 exposed has the event, 10 of 20 others have: the profile over the intercept by a grid.
    fit = logistic(table(0, 20, 10, 10), covariates=["x"], confidence=0.95, frequency="times")
    _, _, upper = limits_of(fit, "x", "profile")
    intercept = np.linspace(-3, 3, 600_001)
    height = -20 * np.logaddexp(0, intercept + math.log(upper or 0)) + 10 * intercept - 20 * np.logaddexp(0, intercept)
    assert height.max() == pytest.approx(-20 * math.log(2) - 3.841458820694124 / 2, abs=1e-8)


def test_complete_separation_by_a_dose_gives_the_one_limit() -> None:
    rows = pl.DataFrame({"event": [0, 0, 0, 1, 1, 1], "dose": [1.0, 2, 3, 4, 5, 6]})
    fit = logistic(rows, covariates=["dose"], confidence=0.95)
    answer = adjusted_odds_ratio(fit, "dose", limits="profile")
    assert (answer.status, answer.reason) == ("limit_only", "separation: the likelihood has no finite maximum in dose")
    assert fit.log_likelihood == 0.0
    overlapping = rows.with_columns(event=pl.Series([0, 0, 1, 0, 1, 1]))
    assert (
        adjusted_odds_ratio(
            logistic(overlapping, covariates=["dose"], confidence=0.95), "dose", limits="profile"
        ).status
        == "ok"
    )


def test_covariates_that_separate_only_together_are_found() -> None:
    rows = pl.DataFrame(
        {"event": [0, 1, 0, 1, 1, 0], "a": [0.0, 1.0, 2.0, 3.0, 2.0, 1.0], "b": [1.0, 0.0, 2.5, 1.5, 1.5, 2.5]}
    )
    both = logistic(rows, covariates=["a", "b"], confidence=0.95)
    assert both.infinite == (1, -1)
    assert adjusted_odds_ratio(both, "a", limits="profile").status == "limit_only"
    alone = logistic(rows, covariates=["a"], confidence=0.95)
    assert adjusted_odds_ratio(alone, "a", limits="profile").status == "ok"


def test_separation_that_leaves_a_direction_open_has_no_number() -> None:
    # x divides events from others whatever is added of z, so that z may go either way.
    rows = pl.DataFrame({"event": [0, 0, 1, 1], "x": [0.0, 1.0, 4.0, 5.0], "z": [0.0, 1.0, 1.0, 0.0]})
    fit = logistic(rows, covariates=["x", "z"], confidence=0.95)
    assert fit.infinite == (1, 0)
    assert adjusted_odds_ratio(fit, "z", limits="profile").reason == "separation leaves the direction of z open"


def test_collinear_and_constant_covariates_are_named_and_leave_the_others() -> None:
    truth = PLAIN["infert"]
    rows = rows_of(truth).with_columns(twice=2 * pl.col("age") + 1, constant=pl.lit(0.1))
    fit = logistic(rows, covariates=["spontaneous", "age", "twice", "constant"], confidence=0.95)
    assert fit.reasons == ("", *["collinear: age, twice"] * 2, "constant does not vary where there is information")
    without = logistic(rows, covariates=["spontaneous", "age"], confidence=0.95)
    assert fit.coefficients[0] == pytest.approx(without.coefficients[0], rel=1e-10)
    assert limits_of(fit, "spontaneous", "profile") == pytest.approx(limits_of(without, "spontaneous", "profile"))
    assert likelihood_ratio_test(fit, ["age"]).status == "not_estimable"


def test_frequencies_are_repeated_rows_and_zero_ones_are_absent() -> None:
    truth = PLAIN["infert"]
    rows = rows_of(truth).with_columns(frequency=(pl.int_range(pl.len()) % 4).cast(pl.Float64))
    repeated = rows.select(pl.all().repeat_by(pl.col("frequency").cast(pl.UInt32))).explode(pl.all())
    for fitter in (logistic, firth_logistic):
        one = fitter(rows, covariates=truth["covariates"], confidence=0.95, frequency="frequency")
        other = fitter(repeated, covariates=truth["covariates"], confidence=0.95)
        assert one.coefficients == pytest.approx(other.coefficients, rel=1e-9)
        assert limits_of(one, "age", "profile") == pytest.approx(limits_of(other, "age", "profile"), rel=1e-8)
        assert one.counts.event_count == other.counts.event_count


def test_weights_that_are_no_counts_have_robust_limits_only() -> None:
    truth = PLAIN["infert"]
    rows = rows_of(truth).with_columns(weight=0.5 + pl.int_range(pl.len()) % 3)
    fit = logistic(rows, covariates=["age"], confidence=0.95, cluster="id", weight="weight")
    scaled = logistic(
        rows.with_columns(weight=10 * pl.col("weight")),
        covariates=["age"],
        confidence=0.95,
        cluster="id",
        weight="weight",
    )
    assert limits_of(fit, "age", "robust") == pytest.approx(limits_of(scaled, "age", "robust"), rel=1e-9)
    for limits in ("wald", "profile"):
        with pytest.raises(EstimationError, match="robust limits only"):
            adjusted_odds_ratio(fit, "age", limits=limits)
    with pytest.raises(EstimationError, match="no likelihood ratio"):
        likelihood_ratio_test(fit, ["age"])
    with pytest.raises(EstimationError, match="need a cluster"):
        logistic(rows, covariates=["age"], confidence=0.95, weight="weight")


def test_one_cluster_has_no_robust_standard_error() -> None:
    rows = table(12, 5, 7, 20).with_columns(site=1)
    fit = logistic(rows, covariates=["x"], confidence=0.95, frequency="times", cluster="site")
    assert adjusted_odds_ratio(fit, "x", limits="robust").reason.startswith("the scores cancel within each cluster")


def test_huge_counts_keep_their_digits() -> None:
    cells = (30_000_000, 2_000_000_000, 20_000_000, 1_900_000_000)
    fit = logistic(table(*cells), covariates=["x"], confidence=0.95, frequency="times")
    lower, value, upper = limits_of(fit, "x", "profile")
    a, b, c, d = cells
    assert value == pytest.approx(a * d / (b * c), rel=1e-11)
    assert (lower, upper) == pytest.approx(limits_of(fit, "x", "wald")[::2], rel=1e-6)


def test_an_odds_ratio_too_large_to_be_held_says_so() -> None:
    rows = pl.DataFrame({"event": [0, 0, 1, 0, 1, 1], "dose": [1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4]})
    answer = adjusted_odds_ratio(logistic(rows, covariates=["dose"], confidence=0.95), "dose", limits="wald")
    assert (answer.status, answer.value) == ("not_estimable", None)
    assert answer.reason == "an odds ratio for one unit of dose is too large or small to be held"


REFUSED = {
    "4 rows have an event that is not 0 or 1": {"event": pl.lit(2)},
    "covariates that are not finite": {"x": pl.lit(math.inf)},
    "nulls in x": {"x": pl.lit(None, pl.Float64)},
    "times must be a whole number": {"times": pl.lit(0.5)},
    "times must be a whole number from 0": {"times": pl.lit(-1)},
    "times holds numbers that are not finite": {"times": pl.lit(math.nan)},
}


@pytest.mark.parametrize(("message", "change"), REFUSED.items())
def test_rows_that_cannot_be_meant_are_refused(message: str, change: dict[str, pl.Expr]) -> None:
    with pytest.raises(EstimationError, match=message):
        logistic(table(3, 4, 5, 6).with_columns(**change), covariates=["x"], confidence=0.95, frequency="times")


def test_names_that_cannot_be_meant_are_refused() -> None:
    rows = table(3, 4, 5, 6)
    for covariates in ([], ["x", "x"], ["age"], ["event"]):
        with pytest.raises(EstimationError, match="each covariate once"):
            logistic(rows, covariates=covariates, confidence=0.95)
    fit = logistic(rows, covariates=["x"], confidence=0.95)
    with pytest.raises(EstimationError, match="no covariate 'age'"):
        adjusted_odds_ratio(fit, "age", limits="wald")
    with pytest.raises(EstimationError, match="need a fit with clusters"):
        adjusted_odds_ratio(fit, "x", limits="robust")
    with pytest.raises(EstimationError, match="unknown limits"):
        adjusted_odds_ratio(fit, "x", limits="exact")  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="each of its covariates once"):
        likelihood_ratio_test(fit, [])
    assert logistic(rows.clear(), covariates=["x"], confidence=0.95).reasons == ("no events",)


@given(shift=st.integers(-1000, 1000), factor=st.sampled_from([0.001, 0.5, 20.0, 1e4]))
@settings(max_examples=20, deadline=None)
def test_moving_and_scaling_a_covariate_scales_its_coefficient_only(shift: int, factor: float) -> None:
    truth, rows = PLAIN["infert"], rows_of(PLAIN["infert"])
    moved = rows.with_columns(age=pl.col("age") * factor + shift)
    one, other = fit_of(truth, rows), fit_of(truth, moved.reverse())
    for ours, theirs in ((other.coefficients, one.coefficients), (other.standard_errors, one.standard_errors)):
        assert list(np.array(ours) * [1.0, 1.0, factor]) == pytest.approx(theirs, rel=1e-7)
