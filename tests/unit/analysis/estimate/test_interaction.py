"""Interaction on both scales: against R, by hand, and what has no measure."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.interaction import JointRatios, LimitMethod, Measure, interaction
from analysis.estimate.interaction_draws import FourGroups, joint_odds_ratios
from analysis.estimate.result import EstimationError

ROWS = json.loads((Path(__file__).parents[3] / "truth" / "interaction.json").read_text())
ADDITIVE: tuple[Measure, ...] = ("reri", "attributable_proportion", "synergy_index")
MEASURES: tuple[Measure, ...] = ("ratio_of_ratios", *ADDITIVE)
SMALL = ((0.04, 0.01, 0.01), (0.01, 0.05, 0.01), (0.01, 0.01, 0.03))


def joint_of(row: dict[str, Any]) -> JointRatios:
    return JointRatios.from_product_term(row["coefficients"], row["covariance"])


def ratios(a: float, b: float, both: float, covariance: tuple[tuple[float, ...], ...] = SMALL) -> JointRatios:
    return JointRatios(log_ratios=(math.log(a), math.log(b), math.log(both)), covariance=covariance)


@pytest.mark.parametrize("measure", ADDITIVE)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_delta_is_that_of_epir(row: dict[str, Any], measure: Measure) -> None:
    answer = interaction(joint_of(row), measure=measure, method="delta", confidence=0.95)
    assert [answer.value, answer.lower, answer.upper] == pytest.approx(row[f"{measure}_delta"], rel=1e-8)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_the_ratio_of_ratios_is_the_product_term(row: dict[str, Any]) -> None:
    answer = interaction(joint_of(row), measure="ratio_of_ratios", method="delta", confidence=0.95)
    assert [answer.value, answer.lower, answer.upper] == pytest.approx(row["ratio_of_ratios"], rel=1e-8)


@pytest.mark.parametrize("measure", ADDITIVE)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_mover_is_that_of_zou(row: dict[str, Any], measure: Measure) -> None:
    answer = interaction(joint_of(row), measure=measure, method="mover", confidence=0.95)
    truth = row[f"{measure}_mover"]
    if truth is None:
        assert (answer.status, answer.value) == ("not_estimable", None)
        assert answer.reason == "the excesses of A and B alone may sum to 0 (lower limit -0.159)"
    else:
        assert [answer.lower, answer.upper] == pytest.approx(truth, rel=1e-8)


def test_published_limits_of_oral_cancer() -> None:
    # Hosmer and Lemeshow 1992, table 2: RERI 3.74 (-1.84, 9.32), AP 0.41 (-0.07, 0.90), S 1.87 (0.65, 5.42).
    joint = joint_odds_ratios(FourGroups(cases=(3, 6, 8, 225), others=(20, 12, 18, 166)))
    published = {
        "reri": (3.74, -1.84, 9.32),
        "attributable_proportion": (0.41, -0.07, 0.90),
        "synergy_index": (1.87, 0.65, 5.42),
    }
    for measure in ADDITIVE:
        answer = interaction(joint, measure=measure, method="delta", confidence=0.95)
        assert [answer.value, answer.lower, answer.upper] == pytest.approx(published[measure], abs=0.006)


def test_measures_by_hand() -> None:
    joint = ratios(2.0, 3.0, 10.0)
    by_hand = {"ratio_of_ratios": 10 / 6, "reri": 6.0, "attributable_proportion": 0.6, "synergy_index": 3.0}
    for measure, value in by_hand.items():
        answer = interaction(joint, measure=measure, method="delta", confidence=0.95)  # type: ignore[arg-type]
        assert answer.value == pytest.approx(value, rel=1e-12)


def test_what_adds_has_no_additive_and_what_multiplies_no_multiplicative_interaction() -> None:
    adds, multiplies = ratios(2.0, 3.0, 4.0), ratios(2.0, 3.0, 6.0)
    for measure, null in (("reri", 0.0), ("attributable_proportion", 0.0), ("synergy_index", 1.0)):
        answer = interaction(adds, measure=measure, method="delta", confidence=0.95)  # type: ignore[arg-type]
        assert answer.value == pytest.approx(null, abs=1e-12)
        assert answer.p_value == pytest.approx(1.0)
    answer = interaction(multiplies, measure="ratio_of_ratios", method="delta", confidence=0.95)
    assert answer.value == pytest.approx(1.0)
    assert interaction(multiplies, measure="reri", method="delta", confidence=0.95).value == pytest.approx(2.0)


def test_delta_standard_errors_are_those_of_small_changes() -> None:
    joint = ratios(2.0, 3.0, 10.0)
    for measure in MEASURES:
        on_log = measure in ("ratio_of_ratios", "synergy_index")

        def of(shift: np.ndarray, measure: Measure = measure, on_log: bool = on_log) -> float:
            moved = JointRatios(log_ratios=tuple(np.array(joint.log_ratios) + shift), covariance=SMALL)
            value = interaction(moved, measure=measure, method="delta", confidence=0.95).value
            assert value is not None
            return math.log(value) if on_log else value

        slope = np.array([(of(step) - of(-step)) / 2e-5 for step in np.eye(3) * 1e-5])
        answer = interaction(joint, measure=measure, method="delta", confidence=0.95)
        assert answer.standard_error == pytest.approx(math.sqrt(slope @ np.array(SMALL) @ slope), rel=1e-6)


@pytest.mark.parametrize("method", ["delta", "mover"])
@pytest.mark.parametrize(("a", "b", "both"), [(0.5, 0.8, 2.0), (1.0, 1.0, 2.0)])
def test_no_excess_apart_leaves_no_synergy_index(a: float, b: float, both: float, method: LimitMethod) -> None:
    answer = interaction(ratios(a, b, both), measure="synergy_index", method=method, confidence=0.95)
    assert (answer.status, answer.reason) == ("not_estimable", "the excesses of A and B alone sum to 0 or less")
    assert interaction(ratios(a, b, both), measure="reri", method=method, confidence=0.95).status == "ok"


def test_no_excess_together_leaves_the_index_no_log_but_mover_limits() -> None:
    joint = ratios(4.0, 5.0, 0.9)
    delta = interaction(joint, measure="synergy_index", method="delta", confidence=0.95)
    assert (delta.status, delta.reason) == ("not_estimable", "both together have no excess: the index has no log")
    mover = interaction(joint, measure="synergy_index", method="mover", confidence=0.95)
    assert (mover.status, mover.value) == ("ok", pytest.approx(-0.1 / 7))


def test_an_undefined_ratio_is_not_estimable() -> None:
    joint = JointRatios(undefined="cases of both is 0", event_count=9)
    for measure in MEASURES:
        answer = interaction(joint, measure=measure, method="delta", confidence=0.95)
        assert (answer.status, answer.reason, answer.event_count) == ("not_estimable", "cases of both is 0", 9)


def test_a_measure_without_variance_is_not_estimable() -> None:
    # All three logs move together: the ratio of ratios still moves, a difference of logs would not.
    one = ((1.0, 1.0, 2.0), (1.0, 1.0, 2.0), (2.0, 2.0, 4.0))
    answer = interaction(ratios(2.0, 3.0, 6.0, one), measure="ratio_of_ratios", method="delta", confidence=0.95)
    assert (answer.status, answer.reason) == ("not_estimable", "the covariance leaves the measure no variance")


@pytest.mark.parametrize(
    "covariance",
    [
        ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 0.5, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        ((1.0, 2.0, 0.0), (2.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        ((1.0, 0.0, 0.0), (0.0, math.inf, 0.0), (0.0, 0.0, 1.0)),
        ((1.0, 0.0), (0.0, 1.0)),
    ],
)
def test_what_is_no_covariance_is_refused(covariance: tuple[tuple[float, ...], ...]) -> None:
    with pytest.raises(EstimationError):
        JointRatios(log_ratios=(0.1, 0.2, 0.3), covariance=covariance)


def test_other_input_that_means_nothing_is_refused() -> None:
    joint = ratios(2.0, 3.0, 10.0)
    with pytest.raises(EstimationError, match="those of delta"):
        interaction(joint, measure="ratio_of_ratios", method="mover", confidence=0.95)
    with pytest.raises(EstimationError, match="unknown measure or method"):
        interaction(joint, measure="rothman", method="delta", confidence=0.95)  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="finite"):
        JointRatios(log_ratios=(0.0, math.nan, 0.0), covariance=SMALL)
    with pytest.raises(EstimationError, match="three coefficients"):
        JointRatios.from_product_term([0.1, 0.2], SMALL)


@pytest.mark.parametrize("method", ["delta", "mover"])
def test_separation_is_not_estimable(method: LimitMethod) -> None:
    wide = ((0.04, 0.01, 0.01), (0.01, 0.05, 0.01), (0.01, 0.01, 1e6))
    for joint in (JointRatios(log_ratios=(0.0, 0.0, 400.0), covariance=SMALL), ratios(2.0, 3.0, 9.0, wide)):
        answer = interaction(joint, measure="reri", method=method, confidence=0.95)
        assert (answer.status, answer.reason) == ("not_estimable", "a ratio or its limit is beyond 1e100: separation")


def test_an_index_near_0_has_no_limits_on_the_log() -> None:
    joint = ratios(1.0, math.e, 1.0 + 1e-10)
    delta = interaction(joint, measure="synergy_index", method="delta", confidence=0.95)
    assert (delta.status, delta.reason) == ("not_estimable", "the limits are beyond 1e100")
    assert interaction(joint, measure="synergy_index", method="mover", confidence=0.95).status == "ok"


LOG = st.floats(-2.0, 3.0)


@settings(deadline=None, max_examples=80)
@given(logs=st.tuples(LOG, LOG, LOG), root=st.lists(st.floats(-0.5, 0.5), min_size=9, max_size=9))
def test_limits_hold_the_value_and_a_and_b_are_alike(logs: tuple[float, float, float], root: list[float]) -> None:
    half = np.array(root).reshape(3, 3)
    matrix = half @ half.T + 0.01 * np.eye(3)
    order = [1, 0, 2]
    one, other = (
        JointRatios(log_ratios=tuple(np.array(logs)[o]), covariance=tuple(map(tuple, ((m + m.T) / 2).tolist())))
        for o, m in (([0, 1, 2], matrix), (order, matrix[np.ix_(order, order)]))
    )
    for measure in ADDITIVE:
        for method in ("delta", "mover"):
            here, there = (interaction(each, measure=measure, method=method, confidence=0.95) for each in (one, other))  # type: ignore[arg-type]
            assert here.status == there.status
            if here.status == "ok":
                assert (here.lower, here.upper) == pytest.approx((there.lower, there.upper), rel=1e-6, abs=1e-9)
                assert here.lower <= here.value <= here.upper  # type: ignore[operator]
