"""Minimal detectable ratios: R's power.prop.test and formulas, simulation, and studies that can detect nothing."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from analysis.estimate.power import (
    minimal_detectable_hazard_ratio,
    minimal_detectable_odds_ratio,
    minimal_detectable_rate_ratio,
)
from analysis.estimate.result import Answer, EstimationError

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "propensity.json").read_text())


def odds(cases: int, controls: int, share: float, power: float = 0.8) -> Answer:
    return minimal_detectable_odds_ratio(cases, controls, exposed_controls=share, confidence=0.95, power=power)


def rate(events: float, exposed_days: int, comparator_days: int) -> Answer:
    return minimal_detectable_rate_ratio(
        events, exposed_person_days=exposed_days, comparator_person_days=comparator_days, confidence=0.95, power=0.8
    )


def hazard(events: int, share: float = 0.2) -> Answer:
    return minimal_detectable_hazard_ratio(events, exposed_share=share, confidence=0.95, power=0.8)


def test_ratios_are_those_of_r() -> None:
    assert [odds(100, 200, 0.1).value, odds(40, 4000, 0.02).value] == pytest.approx(TRUTH["odds"], rel=1e-9)
    assert [odds(100, 100, 0.1).value, odds(500, 500, 0.4).value] == pytest.approx(TRUTH["odds_by_r"], rel=1e-9)
    assert [rate(12, 1_000, 4_000).value, rate(400, 5, 5).value] == pytest.approx(TRUTH["rate"], rel=1e-9)
    assert [hazard(50).value, hazard(1000).value] == pytest.approx(TRUTH["hazard"], rel=1e-12)
    assert odds(100, 200, 0.1).method == "minimal_detectable_odds_ratio"


def test_a_study_of_this_size_finds_the_ratio_as_often_as_promised() -> None:
    value = odds(100, 200, 0.1).value
    assert value is not None
    random = np.random.default_rng(11)
    share = value * 0.1 / 0.9 / (1 + value * 0.1 / 0.9)
    cases, controls = random.binomial(100, share, 20_000) / 100, random.binomial(200, 0.1, 20_000) / 200
    pooled = (100 * cases + 200 * controls) / 300
    z = (cases - controls) / np.sqrt(pooled * (1 - pooled) * (1 / 100 + 1 / 200))
    assert float((np.abs(z) > 1.959964).mean()) == pytest.approx(0.8, abs=0.02)


def test_larger_studies_see_smaller_ratios_and_more_power_needs_larger_ones() -> None:
    for smaller, larger in ((odds(1000, 2000, 0.1), odds(100, 200, 0.1)), (rate(120, 9, 9), rate(12, 9, 9))):
        assert smaller.value is not None
        assert larger.value is not None
        assert 1.0 < smaller.value < larger.value
    assert (odds(100, 200, 0.1, power=0.5).value or 0) < (odds(100, 200, 0.1, power=0.9).value or 0)
    assert 1.0 < (odds(10**8, 10**9, 0.5).value or 0) < 1.001


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (odds(0, 10, 0.1), "there are no cases"),
        (odds(10, 0, 0.1), "there are no controls"),
        (odds(1, 1, 0.5), "with 1 cases and 1 controls no odds ratio reaches this power"),
        (rate(0, 10, 10), "no events are expected in the comparator"),
        (rate(5, 0, 10), "a group has no person-days"),
        (rate(0.001, 10, 10), "no rate ratio reaches this power"),
        (hazard(0), "no events"),
        (hazard(1, 0.001), "no hazard ratio below e^50 reaches this power"),
    ],
)
def test_a_study_that_can_detect_nothing_says_so(answer: Answer, reason: str) -> None:
    assert (answer.status, answer.value, answer.reason) == ("not_estimable", None, reason)


def test_what_cannot_be_meant_is_refused() -> None:
    for share in (0.0, 1.0, math.nan):
        with pytest.raises(EstimationError, match="share"):
            odds(10, 10, share)
        with pytest.raises(EstimationError, match="share"):
            hazard(10, share)
    for power in (0.4, 1.0):
        with pytest.raises(EstimationError, match="power lies between"):
            odds(10, 10, 0.1, power=power)
    with pytest.raises(EstimationError, match="must not be negative"):
        odds(-1, 10, 0.1)
    with pytest.raises(EstimationError, match="must not be negative"):
        rate(-1, 10, 10)
    with pytest.raises(EstimationError, match="must not be negative"):
        hazard(-1)
