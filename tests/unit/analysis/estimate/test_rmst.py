"""Restricted means: R's survfit, areas by hand, and every mean that does not exist."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from analysis.estimate.cumulative_incidence import CumulativeIncidence, cumulative_incidence
from analysis.estimate.endings import DURATION_COLUMNS, ENDING_COLUMNS
from analysis.estimate.persistence import KaplanMeier, kaplan_meier
from analysis.estimate.result import EstimationError
from analysis.estimate.rmst import restricted_mean, restricted_mean_difference, restricted_mean_time_lost

FOLDER = Path(__file__).parents[3] / "truth"
TRUTH = json.loads((FOLDER / "rmst.json").read_text())
LOST = json.loads((FOLDER / "cumulative_incidence.json").read_text())["entry_at_zero"]


def curve(*rows: tuple[int, int, int, int], confidence: float = 0.95) -> KaplanMeier:
    """Of rows of entry, time, events, censored."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys(DURATION_COLUMNS, pl.Int64), orient="row")
    return kaplan_meier(frame, confidence=confidence)


def incidence(*rows: tuple[int, int, str, int]) -> CumulativeIncidence:
    """Of rows of entry, time, cause, count."""
    schema = dict(zip(ENDING_COLUMNS, (pl.Int64, pl.Int64, pl.String, pl.Int64), strict=True))
    return cumulative_incidence(
        pl.DataFrame(rows, schema=schema, orient="row"), causes=("a", "b", "c"), confidence=0.95
    )


def of_truth(part: dict[str, Any]) -> KaplanMeier:
    return kaplan_meier(pl.DataFrame({column: part[column] for column in DURATION_COLUMNS}), confidence=0.95)


@pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth["name"])
def test_means_and_their_difference_are_those_of_survfit(truth: dict[str, Any]) -> None:
    curves = [of_truth(truth[group]) for group in ("exposed", "comparator")]
    for km, group in zip(curves, ("exposed", "comparator"), strict=True):
        mean = restricted_mean(km, horizon_days=truth["horizon"])
        assert mean.value == pytest.approx(truth[group]["value"], rel=1e-12)
        assert mean.standard_error == pytest.approx(truth[group]["standard_error"], rel=1e-10)
    answer = restricted_mean_difference(*curves, horizon_days=truth["horizon"])
    assert answer.value == pytest.approx(truth["difference"], rel=1e-10)
    assert answer.standard_error == pytest.approx(truth["difference_standard_error"], rel=1e-10)
    assert answer.p_value == pytest.approx(truth["p_value"], rel=1e-8)
    spread = 1.959963984540054 * truth["difference_standard_error"]
    assert (answer.lower, answer.upper) == pytest.approx((truth["difference"] - spread, truth["difference"] + spread))


@pytest.mark.parametrize("truth", LOST, ids=lambda truth: truth["name"])
def test_days_lost_to_each_cause_are_those_of_survfit(truth: dict[str, Any]) -> None:
    frame = pl.DataFrame({column: truth[column] for column in ENDING_COLUMNS})
    fit = cumulative_incidence(frame, causes=list(truth["causes"]), confidence=0.95)
    lost = 0.0
    for cause, expected in truth["causes"].items():
        answer = restricted_mean_time_lost(fit, cause=cause, horizon_days=truth["horizon"])
        assert answer.value == pytest.approx(expected["lost_days"], rel=1e-12)
        assert answer.standard_error == pytest.approx(expected["lost_standard_error"], rel=1e-10)
        lost += answer.value or 0.0
    events = frame.with_columns(
        event_count=pl.when(pl.col("cause") != "censored").then("count").otherwise(0),
        censored_count=pl.when(pl.col("cause") == "censored").then("count").otherwise(0),
    )
    kept = restricted_mean(kaplan_meier(events, confidence=0.95), horizon_days=truth["horizon"])
    assert lost + (kept.value or 0.0) == pytest.approx(truth["horizon"], rel=1e-12)


def test_an_area_by_hand() -> None:
    # 4 persons: one stops on day 2 (S = 3/4), one on day 5 (S = 1/2), two are followed to day 10.
    mean = restricted_mean(curve((0, 2, 1, 0), (0, 5, 1, 0), (0, 10, 0, 2)), horizon_days=8)
    assert mean.value == pytest.approx(2 + 3 * 0.75 + 3 * 0.5)
    variance = (3 * 0.75 + 3 * 0.5) ** 2 / (4 * 3) + (3 * 0.5) ** 2 / (3 * 2)
    assert mean.standard_error == pytest.approx(math.sqrt(variance))
    assert (mean.person_count, mean.event_count, mean.method) == (4, 2, "restricted_mean_greenwood")
    assert mean.upper == 8.0


def test_an_event_on_the_horizon_takes_no_day() -> None:
    mean = restricted_mean(curve((0, 8, 3, 0), (0, 9, 0, 6)), horizon_days=8)
    assert (mean.value, mean.event_count, mean.standard_error) == (8.0, 0, None)


def test_without_events_the_limit_is_exact() -> None:
    km = curve((0, 5, 0, 10), (0, 20, 0, 30))
    mean = restricted_mean(km, horizon_days=20)
    assert (mean.value, mean.upper, mean.standard_error) == (20.0, 20.0, None)
    assert mean.lower == pytest.approx(20 * 0.025 ** (1 / 30))
    assert mean.reason == "no event before the horizon; the lower limit is exact"
    fit = incidence((0, 5, "a", 2), (0, 20, "censored", 18))
    lost = restricted_mean_time_lost(fit, cause="c", horizon_days=20)
    assert (lost.value, lost.lower, lost.standard_error, lost.event_count) == (0.0, 0.0, None, 0)
    assert lost.upper == pytest.approx(20 * (1 - 0.025 ** (1 / 18)))


def test_a_group_without_events_lends_its_exact_limit_to_the_difference() -> None:
    empty, other = curve((0, 30, 0, 12)), curve((0, 10, 4, 0), (0, 30, 0, 8))
    answer = restricted_mean_difference(empty, other, horizon_days=30)
    mean = restricted_mean(other, horizon_days=30)
    assert mean.value is not None
    assert mean.upper is not None
    assert mean.lower is not None
    assert answer.value == pytest.approx(30 - mean.value)
    assert answer.lower == pytest.approx(
        30 - mean.value - math.hypot(30 * (1 - 0.025 ** (1 / 12)), mean.upper - mean.value)
    )
    assert answer.upper == pytest.approx(30 - mean.value + (mean.value - mean.lower))
    assert (answer.p_value, answer.method) == (None, "restricted_mean_difference_mover")
    assert answer.reason.startswith("no event in exposed before")
    both = restricted_mean_difference(empty, empty, horizon_days=30)
    assert (both.value, both.reason[:37]) == (0.0, "no event in exposed and comparator be")


def test_a_horizon_beyond_either_group_is_refused() -> None:
    long, short = curve((0, 10, 4, 0), (0, 90, 0, 8)), curve((0, 10, 4, 0), (0, 30, 1, 8))
    answer = restricted_mean_difference(long, short, horizon_days=31)
    assert (answer.status, answer.value) == ("not_estimable", None)
    assert answer.reason == "comparator: the horizon is beyond the last observed time, day 30"
    assert restricted_mean_difference(short, long, horizon_days=31).reason.startswith("exposed: ")
    assert restricted_mean_difference(short, long, horizon_days=30).status == "ok"


def test_gaps_late_starts_and_nobody_have_no_mean() -> None:
    gap = curve((0, 3, 2, 0), (6, 9, 1, 1))
    assert restricted_mean(gap, horizon_days=8).reason == gap.gap
    assert restricted_mean(curve((5, 9, 1, 1)), horizon_days=8).reason == "nobody is at risk from day 0"
    assert restricted_mean(curve(), horizon_days=8).status == "not_estimable"
    assert restricted_mean_time_lost(incidence(), cause="a", horizon_days=8).status == "not_estimable"


def test_questions_that_mean_nothing_are_refused() -> None:
    km = curve((0, 10, 4, 3))
    with pytest.raises(EstimationError, match="a horizon"):
        restricted_mean(km, horizon_days=0)
    with pytest.raises(EstimationError, match="no cause 'z'"):
        restricted_mean_time_lost(incidence((0, 5, "a", 2)), cause="z", horizon_days=3)
    with pytest.raises(EstimationError, match="confidence"):
        restricted_mean_difference(km, curve((0, 10, 4, 3), confidence=0.9), horizon_days=5)


def test_the_standard_error_is_that_of_resampled_persons() -> None:
    rng = np.random.default_rng(11)
    days = rng.integers(1, 40, (400, 120))
    ends = rng.integers(1, 60, (400, 120))
    found = []
    for time, end in zip(days, ends, strict=True):
        frame = pl.DataFrame(
            {
                "entry_days": np.zeros(120, dtype=np.int64), "time_days": np.minimum(time, end),
                "event_count": (time <= end).astype(int), "censored_count": (time > end).astype(int),
            }
        )  # fmt: skip
        mean = restricted_mean(kaplan_meier(frame, confidence=0.95), horizon_days=25)
        assert mean.lower is not None
        assert mean.upper is not None
        found.append((mean.value, mean.standard_error, mean.lower, mean.upper))
    values, errors, lowers, uppers = (np.array(part, dtype=float) for part in zip(*found, strict=True))
    assert errors.mean() == pytest.approx(values.std(), rel=0.1)
    truth = sum(1 - day / 39 for day in range(25))
    assert 0.92 <= ((lowers <= truth) & (truth <= uppers)).mean() <= 0.98
