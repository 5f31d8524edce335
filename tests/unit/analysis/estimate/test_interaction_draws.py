"""Ratios from counts and limits from resampling: by hand, against delta where it is good, and every gap."""

import math
from typing import get_args

import numpy as np
import pytest

from analysis.estimate.interaction import JointRatios, Measure, interaction
from analysis.estimate.interaction_draws import (
    FourGroups,
    Sampling,
    interaction_from_draws,
    joint_odds_ratios,
    joint_rate_ratios,
    normal_draws,
    resampled_odds,
    resampled_rates,
)
from analysis.estimate.result import EstimationError

LARGE = FourGroups(cases=(3000, 6000, 8000, 22_500), others=(200_000, 120_000, 180_000, 166_000))
MEASURES: tuple[Measure, ...] = ("ratio_of_ratios", "reri", "attributable_proportion", "synergy_index")


def test_odds_and_rates_share_their_reference() -> None:
    groups = FourGroups(cases=(3, 6, 8, 225), others=(20, 12, 18, 166))
    odds, rates = joint_odds_ratios(groups), joint_rate_ratios(groups)
    expected = (math.log(10 / 3), math.log(80 / 27), math.log(225 * 20 / 498))
    assert odds.log_ratios == pytest.approx(expected)
    assert rates.log_ratios == pytest.approx(expected)
    assert odds.covariance[0] == pytest.approx((1 / 3 + 1 / 20 + 1 / 6 + 1 / 12, 1 / 3 + 1 / 20, 1 / 3 + 1 / 20))
    assert rates.covariance[2] == pytest.approx((1 / 3, 1 / 3, 1 / 3 + 1 / 225))
    assert odds.event_count == rates.event_count == 242


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("kind", ["cohort", "case_control", "rates", "normal"])
def test_with_many_cases_percentiles_are_the_delta_limits(kind: str, measure: Measure) -> None:
    joint = joint_rate_ratios(LARGE) if kind == "rates" else joint_odds_ratios(LARGE)
    if kind == "rates":
        draws = resampled_rates(LARGE, draws=19_999, seed=1)
    elif kind == "normal":
        draws = normal_draws(joint, draws=19_999, seed=1)
    else:
        draws = resampled_odds(LARGE, sampling="cohort" if kind == "cohort" else "case_control", draws=19_999, seed=1)
    boot = interaction_from_draws(joint, draws, measure=measure, confidence=0.95)
    delta = interaction(joint, measure=measure, method="delta", confidence=0.95)
    assert boot.value == delta.value
    width = delta.upper - delta.lower  # type: ignore[operator]
    # Monte-Carlo error of a 2.5% quantile of 19,999 draws is 0.019 standard errors, 0.005 widths.
    assert (boot.lower, boot.upper) == pytest.approx((delta.lower, delta.upper), abs=0.04 * width)


def test_the_same_seed_gives_the_same_draws_and_another_does_not() -> None:
    joint = joint_odds_ratios(LARGE)
    makers = (
        lambda seed: resampled_odds(LARGE, sampling="cohort", draws=50, seed=seed),
        lambda seed: resampled_rates(LARGE, draws=50, seed=seed),
        lambda seed: normal_draws(joint, draws=50, seed=seed),
    )
    for make in makers:
        assert np.array_equal(make(7), make(7))
        assert not np.array_equal(make(7), make(8))


def test_normal_draws_have_the_covariance_asked_for() -> None:
    joint = joint_odds_ratios(FourGroups(cases=(3, 6, 8, 225), others=(20, 12, 18, 166)))
    draws = normal_draws(joint, draws=200_000, seed=3)
    assert np.cov(draws.T) == pytest.approx(np.array(joint.covariance), rel=0.03)
    assert draws.mean(axis=0) == pytest.approx(joint.log_ratios, abs=0.01)


def test_ranks_of_the_limits_by_hand() -> None:
    joint = JointRatios(log_ratios=(0.0, 0.0, math.log(50.0)), covariance=((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
    # RERI of (1, 1, R) is R - 1: 0 to 98, so that the 5th of 99 from either end are 4 and 94.
    draws = np.log(np.column_stack([np.ones(99), np.ones(99), np.arange(1.0, 100.0)]))
    answer = interaction_from_draws(joint, draws, measure="reri", confidence=0.90)
    assert (answer.lower, answer.upper) == pytest.approx((4.0, 94.0))
    assert answer.value == pytest.approx(49.0)
    draws[10] = np.nan  # R = 11, and the next ones: counted, and beyond either limit
    draws[50] = np.inf
    answer = interaction_from_draws(joint, draws, measure="reri", confidence=0.90)
    assert (answer.lower, answer.upper) == pytest.approx((2.0, 96.0))
    assert answer.reason == "2 of 99 resamples leave the measure undefined"


def test_a_draw_beyond_all_numbers_is_undefined() -> None:
    joint = joint_odds_ratios(LARGE)
    draws = np.tile(np.array(joint.log_ratios), (99, 1))
    draws[3, 2] = 500.0
    answer = interaction_from_draws(joint, draws, measure="reri", confidence=0.90)
    assert answer.reason == "1 of 99 resamples leave the measure undefined"


def test_undefined_resamples_that_fill_a_tail_leave_no_limits() -> None:
    groups = FourGroups(cases=(2, 6, 8, 25), others=(20, 12, 18, 16))
    draws = resampled_odds(groups, sampling="cohort", draws=999, seed=5)
    missing = int((~np.isfinite(draws).all(axis=1)).sum())
    assert missing > 25
    answer = interaction_from_draws(joint_odds_ratios(groups), draws, measure="reri", confidence=0.95)
    assert answer.status == "not_estimable"
    assert answer.reason == f"{missing} of 999 resamples leave the measure undefined, more than a tail"


def test_all_draws_undefined_are_counted_too() -> None:
    joint = joint_odds_ratios(LARGE)
    answer = interaction_from_draws(joint, np.full((99, 3), np.nan), measure="synergy_index", confidence=0.95)
    assert answer.reason == "99 of 99 resamples leave the measure undefined, more than a tail"


@pytest.mark.parametrize("place", range(4))
def test_a_zero_cell_is_named(place: int) -> None:
    name = ("neither", "a_only", "b_only", "both")[place]
    cases, others = [5, 6, 7, 8], [50, 60, 70, 80]
    cases[place] = 0
    empty = FourGroups(cases=tuple(cases), others=tuple(others))  # type: ignore[arg-type]
    assert joint_odds_ratios(empty).undefined == f"cases of {name} is 0"
    assert joint_rate_ratios(empty).undefined == f"events of {name} is 0"
    others[place] = 0
    both = FourGroups(cases=tuple(cases), others=tuple(others))  # type: ignore[arg-type]
    assert joint_odds_ratios(both).undefined == f"cases of {name} is 0 and noncases of {name} is 0"
    answer = interaction_from_draws(joint_odds_ratios(empty), np.zeros((99, 3)), measure="reri", confidence=0.95)
    assert (answer.status, answer.reason) == ("not_estimable", f"cases of {name} is 0")
    with pytest.raises(EstimationError, match="nothing to draw from"):
        normal_draws(joint_odds_ratios(empty), draws=9, seed=1)


def test_what_cannot_be_counted_or_drawn_is_refused() -> None:
    joint = joint_odds_ratios(LARGE)
    with pytest.raises(EstimationError, match="whole numbers"):
        FourGroups(cases=(1, 2, 3, -4), others=(1, 2, 3, 4))
    with pytest.raises(EstimationError, match="four groups"):
        FourGroups(cases=(1, 2, 3), others=(1, 2, 3, 4))  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="0 person-days"):
        joint_rate_ratios(FourGroups(cases=(1, 2, 3, 4), others=(1, 0, 3, 4)))
    with pytest.raises(EstimationError, match="a case and a noncase"):
        resampled_odds(FourGroups(cases=(0, 0, 0, 0), others=(1, 2, 3, 4)), sampling="cohort", draws=9, seed=1)
    with pytest.raises(EstimationError, match="unknown sampling"):
        resampled_odds(LARGE, sampling="jackknife", draws=9, seed=1)  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="do not reach a tail"):
        interaction_from_draws(joint, np.zeros((38, 3)), measure="reri", confidence=0.95)
    with pytest.raises(EstimationError, match="three columns"):
        interaction_from_draws(joint, np.zeros((99, 2)), measure="reri", confidence=0.95)


def test_a_case_control_resample_keeps_its_cases_and_a_cohort_may_lose_them() -> None:
    groups = FourGroups(cases=(0, 0, 0, 1), others=(500, 500, 500, 500))
    draws = {sampling: resampled_odds(groups, sampling=sampling, draws=2000, seed=2) for sampling in get_args(Sampling)}
    assert np.isposinf(draws["case_control"][:, 2]).all()
    lost = int(np.isnan(draws["cohort"][:, 2]).sum())
    assert 2000 * math.exp(-1) == pytest.approx(lost, rel=0.1)
