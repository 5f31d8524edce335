"""Conditional logistic regression: R's clogit and brglm2, pairs by hand, Fisher's tables, coefficients without end."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize_scalar

from analysis.estimate.adjusted import adjusted_odds_ratio, likelihood_ratio_test
from analysis.estimate.conditional_logistic import conditional_logistic, firth_conditional_logistic
from analysis.estimate.result import EstimationError
from analysis.estimate.two_by_two import TwoByTwo, exact_conditional_stratified, odds_ratio

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "conditional_logistic.json").read_text())
PLAIN = {row["name"]: row for row in TRUTH["plain"]}
FIRTH = {row["name"]: row for row in TRUTH["firth"]}


def rows_of(truth: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(truth["data"], strict=False).with_columns(pl.all().cast(pl.Float64))


def pairs(case_only: int, control_only: int, both: int = 0) -> pl.DataFrame:
    """Pairs of one case and one control by who of them is exposed."""
    exposed = [(1.0, 0.0)] * case_only + [(0.0, 1.0)] * control_only + [(1.0, 1.0)] * both
    return pl.DataFrame(
        {
            "set_id": np.repeat(np.arange(len(exposed)), 2),
            "event": [1, 0] * len(exposed),
            "x": [value for pair in exposed for value in pair],
        }
    )


def sets_of(tables: list[TwoByTwo]) -> pl.DataFrame:
    """One set a table."""
    parts = []
    for code, table in enumerate(tables):
        cells = [table.exposed_cases, table.exposed_noncases, table.comparator_cases, table.comparator_noncases]
        parts.append(
            pl.DataFrame(
                {
                    "set_id": code,
                    "event": np.repeat([1, 0, 1, 0], cells),
                    "x": np.repeat([1.0, 1.0, 0.0, 0.0], cells),
                }
            )
        )
    return pl.concat(parts)


@pytest.mark.parametrize("name", PLAIN)
def test_coefficients_errors_and_profile_limits_are_those_of_clogit(name: str) -> None:
    truth = PLAIN[name]
    fit = conditional_logistic(rows_of(truth), covariates=truth["covariates"], confidence=0.95, cluster="region")
    assert list(fit.coefficients) == pytest.approx(truth["coefficients"], rel=1e-8)
    assert list(fit.standard_errors) == pytest.approx(truth["standard_errors"], rel=1e-8)
    assert fit.log_likelihood == pytest.approx(truth["log_likelihood"], rel=1e-10)
    for index, covariate in enumerate(truth["covariates"]):
        answer = adjusted_odds_ratio(fit, covariate, limits="profile")
        assert answer.lower == pytest.approx(math.exp(truth["profile_lower"][index]), rel=1e-8)
        assert answer.upper == pytest.approx(math.exp(truth["profile_upper"][index]), rel=1e-8)
    test = likelihood_ratio_test(fit, truth["covariates"])
    assert test.value == pytest.approx(2 * (truth["log_likelihood"] - truth["null_log_likelihood"]), rel=1e-9)
    if "robust_covariance" in truth:
        assert fit.robust_covariance is not None
        assert list(fit.robust_covariance.ravel()) == pytest.approx(truth["robust_covariance"], rel=1e-7)


def test_the_truth_holds_sets_of_many_cases_and_a_robust_variance() -> None:
    assert "robust_covariance" in PLAIN["infert"]
    cases = rows_of(PLAIN["birthwt"]).group_by("set_id").agg(pl.len(), pl.col("event").sum())
    assert cases.filter(pl.col("event") > 1, 2 * pl.col("event") < pl.col("len")).height > 3
    assert cases.filter(2 * pl.col("event") > pl.col("len"), pl.col("event") < pl.col("len")).height > 0
    assert cases.filter(pl.col("event") == 0).height > 0


@pytest.mark.parametrize("name", FIRTH)
def test_firth_estimates_and_limits_are_those_of_every_draw_written_out(name: str) -> None:
    truth = FIRTH[name]
    fit = firth_conditional_logistic(rows_of(truth), covariates=truth["covariates"], confidence=0.95)
    assert list(fit.coefficients) == pytest.approx(truth["coefficients"], rel=1e-7)
    assert list(fit.standard_errors) == pytest.approx(truth["standard_errors"], rel=1e-7)
    assert fit.log_likelihood == pytest.approx(truth["log_likelihood"], rel=1e-9)
    for index, covariate in enumerate(truth["covariates"]):
        answer = adjusted_odds_ratio(fit, covariate, limits="profile")
        assert answer.lower == pytest.approx(math.exp(truth["profile_lower"][index]), rel=1e-7)
        assert answer.upper == pytest.approx(math.exp(truth["profile_upper"][index]), rel=1e-7)
        assert answer.p_value == pytest.approx(truth["p_values"][index], rel=1e-5)


def test_pairs_are_the_discordant_ones() -> None:
    rows = pairs(20, 8, both=5)
    fit = conditional_logistic(rows, covariates=["x"], confidence=0.95)
    answer = adjusted_odds_ratio(fit, "x", limits="wald")
    assert answer.value == pytest.approx(20 / 8, rel=1e-12)
    assert answer.standard_error == pytest.approx(math.sqrt(1 / 20 + 1 / 8), rel=1e-12)
    assert (fit.counts.set_count, fit.counts.informative_set_count, fit.counts.row_count) == (33, 28, 66)
    assert (answer.event_count, answer.method) == (33, "conditional_logistic_wald")
    firth = firth_conditional_logistic(rows, covariates=["x"], confidence=0.95)
    assert adjusted_odds_ratio(firth, "x", limits="profile").value == pytest.approx(20.5 / 8.5, rel=1e-10)
    assert adjusted_odds_ratio(firth, "x", limits="profile").method == "firth_conditional_logistic_profile"


@pytest.mark.parametrize(("case_only", "control_only"), [(9, 0), (0, 9), (1, 0)])
def test_pairs_discordant_one_way_only_have_the_limit_of_the_likelihood(case_only: int, control_only: int) -> None:
    fit = conditional_logistic(pairs(case_only, control_only, both=3), covariates=["x"], confidence=0.95)
    answer = adjusted_odds_ratio(fit, "x", limits="profile")
    share = math.exp(-3.841458820694124 / 2 / (case_only + control_only))
    odds = share / (1 - share)
    if case_only:
        assert (answer.status, answer.value, answer.upper) == ("limit_only", None, None)
        assert answer.lower == pytest.approx(odds, rel=1e-9)
    else:
        assert (answer.status, answer.value, answer.lower) == ("ok", 0.0, 0.0)
        assert answer.upper == pytest.approx(1 / odds, rel=1e-9)
    assert "x" in answer.reason
    assert adjusted_odds_ratio(fit, "x", limits="wald").status == "not_estimable"
    firth = firth_conditional_logistic(pairs(case_only, control_only), covariates=["x"], confidence=0.95)
    penalised = adjusted_odds_ratio(firth, "x", limits="profile")
    assert penalised.value == pytest.approx((case_only + 0.5) / (control_only + 0.5), rel=1e-9)


@pytest.mark.parametrize(
    "tables",
    [
        [TwoByTwo(12, 5, 7, 20)],
        [TwoByTwo(120, 50, 70, 200)],
        [TwoByTwo(300, 400, 350, 900)],
        [TwoByTwo(2, 40, 9, 38), TwoByTwo(1, 22, 6, 25), TwoByTwo(4, 61, 11, 58), TwoByTwo(3, 0, 2, 0)],
        [TwoByTwo(20, 3, 9, 4), TwoByTwo(11, 2, 6, 2), TwoByTwo(1, 1, 0, 1)],
    ],
)
def test_sets_with_many_cases_are_fishers_conditional_odds_ratio(tables: list[TwoByTwo]) -> None:
    ours = conditional_logistic(sets_of(tables), covariates=["x"], confidence=0.95)
    if len(tables) == 1:
        theirs = odds_ratio(tables[0], method="exact_conditional", confidence=0.95)
    else:
        theirs = exact_conditional_stratified(tables, confidence=0.95)
    answer = adjusted_odds_ratio(ours, "x", limits="profile")
    assert answer.value == pytest.approx(theirs.value, rel=1e-9)
    assert answer.event_count == theirs.event_count


@pytest.mark.parametrize(
    ("cells", "status", "draws"),
    [
        ((0, 5, 7, 20), "ok", math.comb(27, 7)),
        ((5, 0, 7, 20), "limit_only", math.comb(27, 7)),
        ((3, 7, 0, 9), "limit_only", math.comb(10, 3)),
        ((8, 3, 5, 0), "ok", math.comb(11, 8)),
    ],
)
def test_a_zero_cell_in_one_set_of_many_cases_has_one_limit(
    cells: tuple[int, int, int, int], status: str, draws: int
) -> None:
    fit = conditional_logistic(sets_of([TwoByTwo(*cells)]), covariates=["x"], confidence=0.95)
    answer = adjusted_odds_ratio(fit, "x", limits="profile")
    assert answer.status == status
    assert fit.log_likelihood == pytest.approx(-math.log(draws), rel=1e-12)  # as many draws are left in the limit
    assert answer.reason.startswith(("no events where x is", "only events where x is"))


def test_separation_in_one_covariate_leaves_the_other_that_of_the_limit() -> None:
    truth = FIRTH["apart"]
    rows = rows_of(truth)
    fit = conditional_logistic(rows, covariates=["exposed", "age"], confidence=0.95)
    answer = adjusted_odds_ratio(fit, "exposed", limits="profile")
    assert (answer.status, answer.reason) == ("limit_only", "only events where exposed is 1")
    # In the limit a set with an exposed case is certain.
    unexposed = rows.filter(pl.col("exposed").max().over("set_id") == 0)
    other = conditional_logistic(unexposed, covariates=["age"], confidence=0.95)
    assert fit.coefficients[1] == pytest.approx(other.coefficients[0], rel=1e-9)
    assert fit.standard_errors[1] == pytest.approx(other.standard_errors[0], rel=1e-9)
    assert fit.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-9)

    def height(exposed: float, age: float) -> float:
        total = 0.0
        for _, members in rows.group_by("set_id"):
            predictor = exposed * members["exposed"].to_numpy() + age * members["age"].to_numpy()
            total += float(predictor[members["event"].to_numpy() == 1][0]) - math.log(np.exp(predictor).sum())
        return total

    at_limit = minimize_scalar(lambda age: -height(math.log(answer.lower or 0), age), bracket=(-0.5, 0.5), tol=1e-12)
    assert -at_limit.fun == pytest.approx((fit.log_likelihood or 0) - 3.841458820694124 / 2, abs=1e-9)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (pairs(3, 2).with_columns(event=0), "no events"),
        (pairs(3, 2).with_columns(event=1), "every row is an event"),
        (pairs(0, 0, both=4), "no matched set holds a case and a control that differ in a covariate"),
        (pairs(3, 2).with_columns(set_id=2 * pl.col("set_id") + pl.col("event")), "no matched set holds a case"),
        (pairs(3, 2).clear(), "no events"),
    ],
)
def test_without_an_informative_set_nothing_is_estimable(rows: pl.DataFrame, reason: str) -> None:
    for fitter in (conditional_logistic, firth_conditional_logistic):
        fit = fitter(rows, covariates=["x"], confidence=0.95)
        answer = adjusted_odds_ratio(fit, "x", limits="profile")
        assert answer.status == "not_estimable"
        assert answer.reason.startswith(reason)
        assert (fit.counts.row_count, fit.log_likelihood) == (rows.height, None)


def test_a_matched_factor_and_a_repeated_one_have_no_coefficient() -> None:
    truth = PLAIN["infert"]
    rows = rows_of(truth).with_columns(twice=2 * pl.col("induced") + pl.col("set_id"))
    names = ["spontaneous", "region", "induced", "twice"]
    fit = conditional_logistic(rows, covariates=names, confidence=0.95)
    assert fit.reasons == ("", "region does not vary where there is information", *["collinear: induced, twice"] * 2)
    assert fit.coefficients[0] == pytest.approx(truth["coefficients"][0], rel=1e-9)
    firth = firth_conditional_logistic(rows, covariates=names, confidence=0.95)
    assert firth.coefficients[0] == pytest.approx(FIRTH["infert"]["coefficients"][0], rel=1e-7)
    assert firth.reasons == fit.reasons


def test_sets_without_information_change_nothing_but_the_counts() -> None:
    truth = PLAIN["infert"]
    rows = rows_of(truth)
    idle = rows.head(3).with_columns(set_id=pl.lit(1000.0), event=pl.lit(0.0))
    fit = conditional_logistic(pl.concat([idle, rows]).reverse(), covariates=truth["covariates"], confidence=0.95)
    assert list(fit.coefficients) == pytest.approx(truth["coefficients"], rel=1e-9)
    without = conditional_logistic(rows, covariates=truth["covariates"], confidence=0.95)
    assert fit.counts.set_count == (without.counts.set_count or 0) + 1
    assert fit.counts.informative_set_count == without.counts.informative_set_count


def test_what_cannot_be_meant_is_refused() -> None:
    rows = pairs(3, 2).with_columns(site=pl.int_range(pl.len()))
    with pytest.raises(EstimationError, match="site changes within a matched set"):
        conditional_logistic(rows, covariates=["x"], confidence=0.95, cluster="site")
    with pytest.raises(EstimationError, match="columns matched"):
        conditional_logistic(rows, covariates=["x"], confidence=0.95, matched_set="matched")
    with pytest.raises(EstimationError, match="nulls in set_id"):
        conditional_logistic(rows.with_columns(set_id=pl.lit(None, pl.Int64)), covariates=["x"], confidence=0.95)
