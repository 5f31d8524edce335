"""Newton's method, profiles and Firth's penalty on a binomial that can be solved by hand."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize

from analysis.estimate import likelihood as module
from analysis.estimate.adjusted import adjusted_odds_ratio
from analysis.estimate.likelihood import NoMaximumError, Penalised, maximise, profile, profile_limit
from analysis.estimate.logistic import LogisticLikelihood, firth_logistic, logistic

FREE = np.arange(1)


def binomial(events: int, others: int) -> LogisticLikelihood:
    """One coefficient: the log odds."""
    return LogisticLikelihood(
        x=np.ones((2, 1)),
        sign=np.array([1.0, -1.0]),
        weights=np.array([events, others], dtype=float),
        offset=np.zeros(2),
    )


def penalised(events: int, others: int) -> Penalised:
    return Penalised(binomial(events, others), FREE, np.ones(1))


def test_the_maximum_is_the_log_odds_and_with_firths_penalty_that_of_counts_and_a_half() -> None:
    top = maximise(binomial(30, 70), start=np.zeros(1), free=FREE)
    assert top.has_converged
    assert top.beta[0] == pytest.approx(math.log(30 / 70), rel=1e-14)
    for events, others in ((30, 70), (0, 7), (1, 0)):
        top = maximise(penalised(events, others), start=np.zeros(1), free=FREE)
        assert top.has_converged
        assert top.beta[0] == pytest.approx(math.log((events + 0.5) / (others + 0.5)), rel=1e-12)


def test_a_likelihood_without_maximum_does_not_converge_however_flat_it_grows() -> None:
    top = maximise(binomial(7, 0), start=np.zeros(1), free=FREE)
    assert not top.has_converged
    assert top.beta[0] > 20.0


def test_what_is_held_stays() -> None:
    top = maximise(binomial(30, 70), start=np.array([2.0]), free=np.empty(0, dtype=np.intp))
    assert (top.beta.tolist(), top.has_converged) == ([2.0], True)


def test_the_penalised_score_is_the_slope_and_the_curvature_its_own() -> None:
    at, width = np.array([0.7]), 1e-5
    likelihood = penalised(3, 5)
    slope = (
        (likelihood.evaluate(at + width).log_likelihood - likelihood.evaluate(at - width).log_likelihood) / 2 / width
    )
    point = likelihood.evaluate(at)
    assert point.score[0] == pytest.approx(slope, rel=1e-8)
    # log L + log(pi (1 - pi)) / 2 is the log likelihood of half an event and half an other more.
    assert likelihood.curvature(at, point, FREE)[0, 0] == pytest.approx(
        binomial(4, 5).evaluate(at).information[0, 0], rel=1e-8
    )


@pytest.mark.parametrize("step", [0.01, 1.0, 30.0])
def test_a_limit_is_where_the_profile_falls_to_the_target(step: float) -> None:
    largest = profile(binomial(30, 70), 0, start=np.zeros(1), free=np.empty(0, dtype=np.intp))
    best = math.log(30 / 70)
    for side in (-step, step):
        found = profile_limit(largest, target=largest(best) - 2.0, start=best, step=side)
        assert largest(found) == pytest.approx(largest(best) - 2.0, abs=1e-10)
        assert (found - best) * side > 0.0


@pytest.mark.parametrize("step", [0.01, 1.0, 30.0])
def test_from_below_the_target_the_search_first_climbs(step: float) -> None:
    # Seven events and nothing else: 7 log p = -2.
    largest = profile(binomial(7, 0), 0, start=np.zeros(1), free=np.empty(0, dtype=np.intp))
    share = math.exp(-2.0 / 7.0)
    assert largest(0.0) < -2.0 < largest(9.0)
    for start in (0.0, 9.0):
        found = profile_limit(largest, target=-2.0, start=start, step=-step)
        assert found == pytest.approx(math.log(share / (1.0 - share)), rel=1e-10)


def test_a_profile_that_never_falls_or_never_rises_has_no_limit() -> None:
    for target in (0.5, 2.0):
        with pytest.raises(NoMaximumError):
            profile_limit(lambda _: 1.0, target=target, start=0.0, step=1.0)


def test_what_newton_does_not_find_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pl.DataFrame({"event": [0, 0, 1, 0, 1, 1, 0], "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 9.0]})
    fitted = logistic(rows, covariates=["x"], confidence=0.95)
    with monkeypatch.context() as patched:
        patched.setattr(module, "MAXIMUM_DOUBLINGS", 0)
        answer = adjusted_odds_ratio(fitted, "x", limits="profile")
        assert (answer.status, answer.reason) == ("not_estimable", "the profile has no limit that could be found")
    monkeypatch.setattr(module, "MAXIMUM_STEPS", 1)
    for fitter in (logistic, firth_logistic):
        fit = fitter(rows, covariates=["x"], confidence=0.95)
        assert fit.reasons == ("no maximum of the likelihood could be found",)


def test_one_event_and_three_covariates_have_the_limits_of_the_highest_penalised_profile() -> None:
    # Far out the determinant of the information loses ten digits, and the penalised likelihood has several maxima.
    rows = pl.DataFrame(
        {
            "a": [2.0, 3.0, 2.0, 0.0, 3.0, 0.0, 1.0, 3.0, 3.0, 0.0, 2.0],
            "b": [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0],
            "c": [0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0],
            "event": [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        }
    )
    fit = firth_logistic(rows, covariates=["a", "b", "c"], confidence=0.95)
    x, sign = np.column_stack((np.ones(11), rows.drop("event").to_numpy())), 2.0 * rows["event"].to_numpy() - 1.0

    def lowness(others: np.ndarray, place: int, value: float) -> float:
        predictor = x @ np.insert(others, place, value)
        information = (x.T * np.exp(-np.logaddexp(0, predictor) - np.logaddexp(0, -predictor))) @ x
        return float(np.logaddexp(0, -sign * predictor).sum() - np.linalg.slogdet(information)[1] / 2)

    random = np.random.default_rng(3)
    for place, name in enumerate(fit.covariates, start=1):
        answer = adjusted_odds_ratio(fit, name, limits="profile")
        assert answer.status == "ok"
        for limit in (answer.lower, answer.upper):
            tops = [
                minimize(lowness, random.normal(scale=3.0, size=3), (place, math.log(limit or 0.0)), "Nelder-Mead")
                for _ in range(12)
            ]
            height = -min(float(top.fun) for top in tops)
            assert height == pytest.approx((fit.log_likelihood or 0.0) - 3.841458820694124 / 2, abs=1e-4)
