"""Cumulative hazard: R's survfit, ties by hand, exact limits and days without an answer."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from analysis.estimate.endings import DURATION_COLUMNS
from analysis.estimate.nelson_aalen import NelsonAalen, cumulative_hazard_at, nelson_aalen
from analysis.estimate.result import EstimationError

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "nelson_aalen.json").read_text())


def durations(*rows: tuple[int, int, int, int]) -> pl.DataFrame:
    """Rows of entry, time, events, censored."""
    return pl.DataFrame(rows, schema=dict.fromkeys(DURATION_COLUMNS, pl.Int64), orient="row")


def fitted(*rows: tuple[int, int, int, int]) -> NelsonAalen:
    return nelson_aalen(durations(*rows), confidence=0.95)


@pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth["name"])
def test_hazards_and_errors_are_those_of_survfit_whatever_the_order(truth: dict[str, Any]) -> None:
    frame = pl.DataFrame({column: truth[column] for column in DURATION_COLUMNS})
    fit = nelson_aalen(frame, confidence=0.95)
    curve = fit.curve.slice(1)
    assert curve["time_days"].to_list() == truth["curve_time"]
    assert curve["at_risk_count"].to_list() == truth["at_risk"]
    assert curve["value"].to_list() == pytest.approx(truth["value"], rel=1e-12)
    assert curve["standard_error"].fill_null(0.0).to_list() == pytest.approx(truth["standard_error"], rel=1e-12)
    assert nelson_aalen(frame.sample(fraction=1.0, shuffle=True, seed=4), confidence=0.95).curve.equals(fit.curve)


def test_tied_events_and_limits_by_hand() -> None:
    fit = fitted((0, 5, 3, 1), (0, 9, 2, 4))
    assert fit.curve.select("time_days", "value", "at_risk_count", "event_count", "censored_count").rows() == [
        (0, 0.0, 10, 0, 0), (5, pytest.approx(0.3), 10, 3, 1), (9, pytest.approx(0.3 + 2 / 6), 6, 2, 4),
    ]  # fmt: skip
    answer = cumulative_hazard_at(fit, time_days=9)
    error = math.sqrt(3 / 100 + 2 / 36)
    assert answer.standard_error == pytest.approx(error)
    spread = math.exp(1.959963984540054 * error / (0.3 + 1 / 3))
    assert (answer.lower, answer.upper) == pytest.approx(((0.3 + 1 / 3) / spread, (0.3 + 1 / 3) * spread))
    assert (answer.person_count, answer.event_count, answer.method) == (6, 5, "nelson_aalen_log")
    assert cumulative_hazard_at(fit, time_days=8).value == pytest.approx(0.3)
    assert cumulative_hazard_at(fitted((0, 5, 3, 0)), time_days=5).value == pytest.approx(1.0)


def test_before_any_event_the_upper_limit_is_exact() -> None:
    fit = fitted((0, 5, 0, 3), (0, 9, 0, 7))
    answer = cumulative_hazard_at(fit, time_days=9)
    assert (answer.value, answer.lower, answer.standard_error) == (0.0, 0.0, None)
    assert answer.upper == pytest.approx(-math.log(0.025) / 7)
    assert cumulative_hazard_at(fit, time_days=5).upper == pytest.approx(-math.log(0.025) / 10)
    assert fit.curve["upper"].to_list() == pytest.approx([0.0, -math.log(0.025) / 10, -math.log(0.025) / 7])


def test_days_without_an_answer_say_why() -> None:
    assert cumulative_hazard_at(fitted((0, 5, 3, 1)), time_days=6).reason == "beyond the last observed time, day 5"
    assert cumulative_hazard_at(fitted((3, 5, 3, 1)), time_days=3).reason == "nobody is at risk by day 3"
    gap = fitted((0, 3, 2, 0), (6, 9, 1, 1))
    assert (gap.gap, cumulative_hazard_at(gap, time_days=9).reason) == (gap.gap, gap.gap)
    assert gap.gap == "the risk set empties on day 3 while persons enter later"
    assert cumulative_hazard_at(fitted(), time_days=0).status == "not_estimable"
    with pytest.raises(EstimationError, match="day 0"):
        cumulative_hazard_at(fitted((0, 5, 3, 1)), time_days=-1)
    with pytest.raises(EstimationError, match="need the columns"):
        nelson_aalen(durations((0, 5, 1, 1)).drop("time_days"), confidence=0.95)


def test_numpy_errors_stay_as_they_were() -> None:
    before = np.geterr()
    fitted((0, 5, 3, 1))
    assert np.geterr() == before
