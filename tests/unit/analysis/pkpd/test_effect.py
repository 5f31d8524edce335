"""The turnover against a stiff solver, the half-times that made the records found again, and what cannot be known said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.integrate import solve_ivp

from analysis.estimate.result import Answer
from analysis.pkpd.courses import collected, courses, daily
from analysis.pkpd.effect import Driven, drive, driven, effects_at_records
from analysis.pkpd.effect_fit import half_time
from analysis.pkpd.effect_rates import two_rates
from analysis.pkpd.hysteresis import delayed_points, hysteresis_index
from analysis.pkpd.parameters import ParameterSet
from analysis.pkpd.quantities import PkpdError

UNTIL, EVERY = 308, 14


def _modelled(lowe: ParameterSet, count: int, doses: int, until: int = UNTIL) -> pl.DataFrame:
    """Days of persons with 300 mg each four weeks."""
    rng = np.random.default_rng(3)
    persons = pl.DataFrame(
        {
            "person_id": np.arange(count),
            "weight_kg": rng.uniform(60.0, 90.0, count),
            "baseline_ige_iu_per_ml": rng.uniform(60.0, 300.0, count),
            "until_day": until,
        }
    )
    given = persons.select("person_id").join(pl.DataFrame({"day": 28 * np.arange(doses)}), how="cross")
    pieces = courses(persons, given.with_columns(dose_mg=pl.lit(300.0)), lowe, anchor="clearance")
    return collected(pieces, daily)[0]


def _records(days: pl.DataFrame, first: int = 0) -> pl.DataFrame:
    kept = days.filter((pl.col("day") % EVERY == 0) & (pl.col("day") >= first))
    return kept.select("person_id", "day", score=pl.lit(0.0))


def _held(days: pl.DataFrame, records: pl.DataFrame) -> Driven:
    return driven(days, records, ic50_ng_per_ml=30.0, hill=4.0, higher_is_better=False)


def _scored(held: Driven, onset: float, offset: float, *, noise: float, slope: float = 4.0, seed: int = 1) -> Driven:
    """The same records with scores that half-times made: own level of each person, slope, noise."""
    rng = np.random.default_rng(seed)
    effect = effects_at_records(held, onset_days=np.array([onset]), offset_days=np.array([offset]))[:, 0]
    level = rng.normal(3.0, 1.0, len(held.person_id))[held.record_person]
    return replace(held, score=level + slope * effect + noise * rng.normal(size=effect.size))


@pytest.fixture(scope="module")
def days(lowe: ParameterSet) -> pl.DataFrame:
    return _modelled(lowe, 60, 7)


@pytest.fixture(scope="module")
def held(days: pl.DataFrame) -> Driven:
    return _held(days, _records(days))


def test_the_drive_is_half_at_the_ic50_and_never_leaves_0_to_1() -> None:
    free = np.array([1e-3, 19.8, 1e5])
    shares = drive(free, ic50_ng_per_ml=19.8, hill=15.9)
    assert shares == pytest.approx([0.0, 0.5, 1.0], abs=1e-12)
    assert drive(np.array([10.0]), ic50_ng_per_ml=20.0, hill=2.0)[0] == pytest.approx(100.0 / 500.0)
    with pytest.raises(PkpdError, match="above 0"):
        drive(free, ic50_ng_per_ml=0.0, hill=1.0)


@pytest.mark.parametrize(("onset", "offset"), [(21.0, 21.0), (3.0, 40.0), (50.0, 2.0)])
def test_the_turnover_is_that_of_a_stiff_solver(onset: float, offset: float) -> None:
    """A drive that turns on most days, straight between days."""
    rng = np.random.default_rng(2)
    shares = rng.uniform(size=25)
    record = np.arange(25)
    held = Driven(shares[:, None], pl.Series([1]), record, np.zeros(25, dtype=np.intp), np.zeros(25))
    found = effects_at_records(held, onset_days=np.array([onset]), offset_days=np.array([offset]))[:, 0]

    def change(time: float, effect: np.ndarray) -> np.ndarray:
        gap = np.interp(time, record, shares) - effect
        return np.log(2.0) / np.where(gap > 0.0, offset, onset) * gap

    expected = [shares[0]]
    for day in range(24):
        solved = solve_ivp(change, (day, day + 1), [expected[-1]], rtol=1e-10, atol=1e-12, max_step=0.01)
        expected.append(float(solved.y[0, -1]))
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_half_time_is_the_time_to_half_of_a_step() -> None:
    shares = np.concatenate(([1.0], np.zeros(60)))
    one = np.zeros(2, dtype=np.intp)
    held = Driven(shares[:, None], pl.Series([1]), np.array([1, 22]), one, np.zeros(2))
    first, later = effects_at_records(held, onset_days=np.array([21.0]), offset_days=np.array([5.0]))[:, 0]
    assert later / first == pytest.approx(0.5, rel=1e-12)


def test_the_half_time_that_made_the_scores_is_found(held: Driven) -> None:
    exact = half_time(_scored(held, 21.0, 21.0, noise=0.0), confidence=0.95, replicates=100, seed=1)
    assert exact.answer.value == pytest.approx(21.0, rel=0.002)
    assert exact.slope == pytest.approx(4.0, rel=0.01)
    noisy = half_time(_scored(held, 21.0, 21.0, noise=1.2), confidence=0.95, replicates=400, seed=1)
    assert noisy.answer.status == "ok"
    assert noisy.answer.lower < 21.0 < noisy.answer.upper  # type: ignore[operator]
    assert noisy.answer.upper / noisy.answer.lower < 1.5  # type: ignore[operator]
    assert (noisy.answer.person_count, noisy.answer.event_count) == (60, 60 * 23)
    again = half_time(_scored(held, 21.0, 21.0, noise=1.2), confidence=0.95, replicates=400, seed=1)
    assert again.answer == noisy.answer
    best = noisy.profile.sort("log_likelihood")[-1]
    assert best["log_likelihood"].item() == 0.0
    assert best["half_time_days"].item() == pytest.approx(noisy.answer.value, rel=0.1)


def test_scores_that_fall_when_worse_give_the_same_half_time(days: pl.DataFrame, held: Driven) -> None:
    worse = _scored(held, 21.0, 21.0, noise=1.0)
    keys = {"person_id": held.person_id.gather(held.record_person), "day": held.record_day}
    turned = driven(
        days,
        pl.DataFrame({**keys, "score": -worse.score}),
        ic50_ng_per_ml=30.0,
        hill=4.0,
        higher_is_better=True,
    )
    one, other = (half_time(each, confidence=0.95, replicates=100, seed=2).answer for each in (worse, turned))
    assert one == other
    twisted = replace(worse, score=-worse.score)
    assert half_time(twisted, confidence=0.95, replicates=100, seed=2).answer.status == "not_estimable"


def _limits(answer: Answer) -> tuple[float, float]:
    assert answer.lower is not None
    assert answer.upper is not None
    return answer.lower, answer.upper


def test_different_half_times_of_onset_and_offset_are_told_apart(held: Driven) -> None:
    found = two_rates(_scored(held, 10.0, 40.0, noise=1.2), confidence=0.99)
    for answer, truth in ((found.onset, 10.0), (found.offset, 40.0), (found.equality, 0.25)):
        lower, upper = _limits(answer)
        assert lower < truth < upper
    assert found.equality.p_value < 1e-6  # type: ignore[operator]


def test_equal_half_times_are_not_told_apart_more_often_than_chance(held: Driven) -> None:
    """20 worlds: at 0.05 more than 4 would be seen three times in a thousand."""
    values = [
        two_rates(_scored(held, 21.0, 21.0, noise=1.2, seed=seed), confidence=0.95).equality.p_value
        for seed in range(20)
    ]
    assert sum(value < 0.05 for value in values if value is not None) <= 4
    assert None not in values


def test_without_records_off_treatment_the_offset_is_not_estimable(lowe: ParameterSet) -> None:
    treated = _modelled(lowe, 30, 11, until=150)
    found = two_rates(_scored(_held(treated, _records(treated)), 21.0, 21.0, noise=1.0), confidence=0.95)
    assert found.onset.status == "ok"
    assert (found.offset.status, found.equality.status) == ("not_estimable", "not_estimable")
    assert "rises" in found.offset.reason


def test_what_cannot_be_known_is_said(lowe: ParameterSet, days: pl.DataFrame, held: Driven) -> None:
    def said(each: Driven) -> tuple[str, str]:
        answer = half_time(each, confidence=0.95, replicates=200, seed=1).answer
        assert (answer.value, answer.lower, answer.upper) == (None, None, None)
        return answer.status, answer.reason

    few = _held(days, _records(days).filter(pl.col("person_id") < 5))
    assert said(few) == ("not_estimable", "fewer than 10 persons with two or more records")
    assert two_rates(few, confidence=0.95).equality.reason == "fewer than 10 persons with two or more records"
    steady = _held(days, _records(days, first=112).filter(pl.col("day") <= 140))
    resting = replace(steady, drive=np.ones_like(steady.drive))
    assert said(resting)[1] == "free IgE drives the same effect at all records of a person"
    assert two_rates(resting, confidence=0.95).onset.reason == said(resting)[1]
    assert "maximum between" in said(_scored(held, 900.0, 900.0, noise=0.0))[1]
    noise = [
        said_of.answer
        for seed in range(8)
        for said_of in [
            half_time(
                _scored(held, 21.0, 21.0, noise=1.0, slope=0.0, seed=seed), confidence=0.95, replicates=200, seed=1
            )
        ]
    ]
    assert sum(answer.status == "not_estimable" for answer in noise) >= 6
    assert all(answer.reason for answer in noise)


def test_a_limit_outside_the_half_times_tried_is_absent_and_said(held: Driven) -> None:
    short = np.geomspace(1.0, 22.0, 40)
    scored = _scored(held, 21.0, 21.0, noise=2.0)
    answer = half_time(scored, confidence=0.95, replicates=200, seed=1, half_times_days=short).answer
    assert (answer.status, answer.upper) == ("ok", None)
    assert answer.lower is not None
    assert answer.reason == "the upper limit lies outside the half-times tried"


def test_impossible_input_is_refused(days: pl.DataFrame, held: Driven) -> None:
    records = _records(days)
    settings = {"ic50_ng_per_ml": 30.0, "hill": 4.0, "higher_is_better": False}
    with pytest.raises(PkpdError, match="60 persons have modelled days with holes"):
        driven(days.filter(pl.col("day") != 5), records, **settings)  # type: ignore[arg-type]
    with pytest.raises(PkpdError, match="1 records stand on days without a modelled course"):
        driven(
            days,
            pl.concat([records, pl.DataFrame({"person_id": [0], "day": [309], "score": [1.0]}, schema=records.schema)]),
            **settings,
        )  # type: ignore[arg-type]
    with pytest.raises(PkpdError, match="1380 records have no score"):
        driven(days, records.with_columns(score=pl.lit(None, dtype=pl.Float64)), **settings)  # type: ignore[arg-type]
    with pytest.raises(PkpdError, match="at least three, above 0 and rising"):
        half_time(held, confidence=0.95, replicates=100, seed=1, half_times_days=np.array([3.0, 2.0, 1.0]))
    with pytest.raises(PkpdError, match="at least 100 replicates"):
        half_time(held, confidence=0.95, replicates=99, seed=1)
    with pytest.raises(PkpdError, match="between 0 and 1"):
        two_rates(held, confidence=1.0)


def test_the_loop_of_a_full_circle_has_the_area_of_the_square_and_turned_round_its_negative() -> None:
    """Scores lag: high while x falls, low while x rises."""
    x, score = [1.0, 0.0, 0.0, 1.0, 1.0], [9.0, 9.0, 5.0, 5.0, 9.0]
    frames = [
        pl.DataFrame({"person_id": person, "day": range(5), "x": x, "score": score}) for person in ("a", "b", "c")
    ]
    found = hysteresis_index(pl.concat(frames), confidence=0.95)
    assert (found.value, found.lower, found.upper, found.person_count, found.event_count) == (1.0, 1.0, 1.0, 3, 15)
    back = pl.concat(frames).with_columns(day=-pl.col("day"))
    assert hysteresis_index(back, confidence=0.95).value == -1.0
    flat = pl.concat(frames).with_columns(score=pl.lit(5.0))
    assert hysteresis_index(flat, confidence=0.95).reason == "fewer than two persons have a loop of records"
    with pytest.raises(PkpdError, match="must be numbers"):
        hysteresis_index(flat.with_columns(x=pl.lit(None, dtype=pl.Float64)), confidence=0.95)


def test_the_loop_is_open_against_free_ige_and_closes_at_the_right_half_time(days: pl.DataFrame, held: Driven) -> None:
    scored = _scored(held, 21.0, 21.0, noise=0.5)
    right = delayed_points(scored, half_time_days=21.0)
    free = days.select("person_id", "day", log=pl.col("free_ige_ng_per_ml").log())
    against_free = right.join(free, on=["person_id", "day"]).with_columns(x=pl.col("log"))
    areas = [
        hysteresis_index(points, confidence=0.95).value
        for points in (against_free, right, delayed_points(scored, half_time_days=60.0))
    ]
    assert areas[0] > 0.1  # type: ignore[operator]
    assert areas[1] == pytest.approx(0.0, abs=0.03)
    assert areas[2] < -0.05  # type: ignore[operator]
