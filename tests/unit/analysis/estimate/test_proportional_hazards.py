"""Proportional hazards against R's cox.zph, and a planted change that both the test and the periods see."""

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest

from analysis.estimate.piecewise_hazards import piecewise_hazard_ratios
from analysis.estimate.proportional_hazards import ProportionalHazards, Transform, proportional_hazards_test
from analysis.estimate.result import EstimationError

TRUTH = {
    row["name"]: row
    for row in json.loads((Path(__file__).parents[3] / "truth" / "proportional_hazards.json").read_text())
}
TRANSFORMS = get_args(Transform)
NAMES = ["person_id", "start_day", "stop_day", "event", "x"]


def rows_of(truth: dict[str, Any]) -> pl.DataFrame:
    names = {"id": "person_id", "start": "start_day", "stop": "stop_day"}
    return pl.DataFrame(truth["data"], strict=False).rename(names)


def frame(*rows: tuple[int, int, int, int, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=NAMES, orient="row")


def outcome_of(rows: pl.DataFrame, transform: Transform = "km") -> ProportionalHazards:
    return proportional_hazards_test(rows, covariates=["x"], transform=transform, ties="efron")


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("how", ["efron", "breslow", "efron_strata", "breslow_strata"])
@pytest.mark.parametrize("name", TRUTH)
def test_chi_squares_are_those_of_cox_zph(name: str, how: str, transform: Transform) -> None:
    truth = TRUTH[name]
    found = proportional_hazards_test(
        rows_of(truth),
        covariates=truth["covariates"],
        transform=transform,
        ties="efron" if how.startswith("efron") else "breslow",
        strata="stratum" if how.endswith("strata") else None,
    )
    answers = [*found.tests, found.all_together]
    assert [answer.value for answer in answers] == pytest.approx(truth[how][transform]["chi_square"], rel=1e-7)
    assert [answer.p_value for answer in answers] == pytest.approx(truth[how][transform]["p"], rel=1e-6)
    assert found.degrees_of_freedom == len(truth["covariates"])


def planted(late_ratio: float) -> pl.DataFrame:
    """2,000 persons with a hazard ratio of 3 to day 90 and another after it, nobody censored before day 400."""
    random = np.random.default_rng(20_241_123)
    x = np.arange(2_000) % 2
    early = random.exponential(1.0 / (0.004 * 3.0**x))
    late = 90.0 + random.exponential(1.0 / (0.004 * late_ratio**x))
    time = np.ceil(np.where(early <= 90.0, early, late)).astype(int)
    return pl.DataFrame(
        {
            "person_id": np.arange(x.size), "start_day": 0, "stop_day": np.minimum(time, 400),
            "event": (time <= 400).astype(int), "x": x.astype(float),
        }
    )  # fmt: skip


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_a_planted_change_is_seen_and_a_constant_ratio_is_not(transform: Transform) -> None:
    changed, constant = outcome_of(planted(1.0), transform).of("x"), outcome_of(planted(3.0), transform).of("x")
    assert changed.p_value is not None
    assert constant.p_value is not None
    assert changed.p_value < 1e-6
    assert constant.p_value > 0.01


def test_periods_tell_a_planted_change_and_its_ratios() -> None:
    found = piecewise_hazard_ratios(planted(1.0), "x", cuts=(90,), confidence=0.99, ties="efron")
    for period, truth in zip(found.periods, (3.0, 1.0), strict=True):
        assert period.answer.lower is not None
        assert period.answer.upper is not None
        assert period.answer.lower < truth < period.answer.upper
    assert found.equality.p_value is not None
    assert found.equality.p_value < 1e-6
    constant = piecewise_hazard_ratios(planted(3.0), "x", cuts=(90,), confidence=0.99, ties="efron")
    assert constant.equality.p_value is not None
    assert constant.equality.p_value > 0.01


def test_a_statistic_by_hand() -> None:
    # Days 1, 2: two at risk of either value, then one of each; events at x = 1, then x = 0. At the maximum
    # 2 theta/(2 theta + 2) + theta/(theta + 2) = 1, solved below; g is 1 and 2.
    rows = frame((1, 0, 1, 1, 1.0), (2, 0, 2, 1, 0.0), (3, 0, 3, 0, 0.0), (4, 0, 3, 0, 1.0))
    # Means m1 = theta/(theta + 1), m2 = theta/(theta + 2) with m1 + m2 = 1: theta^2 = 2.
    theta = math.sqrt(2.0)
    means = (theta / (theta + 1.0), theta / (theta + 2.0))
    assert sum(means) == pytest.approx(1.0)
    variances = [mean * (1.0 - mean) for mean in means]
    score = -(1.0 - means[0]) / 2.0 + (0.0 - means[1]) / 2.0  # g centred: -1/2 and 1/2
    left = sum(variances) / 4.0 - ((variances[1] - variances[0]) / 2.0) ** 2 / sum(variances)
    assert outcome_of(rows, "identity").of("x").value == pytest.approx(score**2 / left, rel=1e-9)
    # With two days every g(t) is the same but for its scale.
    assert outcome_of(rows, "km").of("x").value == pytest.approx(score**2 / left, rel=1e-9)


def test_a_covariate_without_coefficient_has_its_reason_and_leaves_the_others() -> None:
    truth = TRUTH["tied"]
    rows = rows_of(truth).with_columns(constant=2.0)
    found = proportional_hazards_test(rows, covariates=["constant", "exposed", "dose"], transform="km", ties="efron")
    assert found.of("constant").reason == "constant does not vary among persons at risk"
    assert found.of("dose").value == pytest.approx(truth["efron"]["km"]["chi_square"][1], rel=1e-7)
    assert found.degrees_of_freedom == 2


def test_without_events_or_with_one_day_of_events_nothing_is_tested() -> None:
    none = outcome_of(frame((1, 0, 5, 0, 1.0), (2, 0, 7, 0, 0.0)))
    assert (none.of("x").reason, none.all_together.reason) == ("no events", "no events")
    one_day = outcome_of(frame((1, 0, 5, 1, 1.0), (2, 0, 5, 1, 0.0), (3, 0, 9, 0, 0.0), (4, 0, 9, 0, 1.0)))
    assert one_day.of("x").reason == "all events fall on one day"
    assert one_day.all_together.status == "not_estimable"
    separated = outcome_of(frame((1, 0, 5, 1, 1.0), (2, 0, 7, 0, 0.0)))
    assert separated.of("x").reason == "no events where x is 0"
    assert separated.all_together.reason == "no covariate has a coefficient"


def test_the_order_of_rows_does_not_matter() -> None:
    rows = rows_of(TRUTH["colon"])
    one, other = (
        proportional_hazards_test(each, covariates=["both_drugs", "age"], transform="km", ties="efron")
        for each in (rows, rows.reverse())
    )
    for a, b in zip(one.tests, other.tests, strict=True):
        assert a.value == pytest.approx(b.value, rel=1e-9)


def test_questions_that_cannot_be_meant_are_refused() -> None:
    rows = frame((1, -3, 0, 1, 1.0), (2, -3, 4, 1, 0.0), (3, -3, 5, 0, 1.0), (4, 1, 5, 0, 0.0))
    with pytest.raises(EstimationError, match="events on day 0: the logarithm needs days above 0"):
        outcome_of(rows, "log")
    with pytest.raises(EstimationError, match="unknown transform or handling of ties: 'rank'"):
        outcome_of(rows, "rank")  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="no test of 'age'"):
        outcome_of(rows).of("age")
