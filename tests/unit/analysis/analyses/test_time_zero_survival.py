"""From time zero: hazard ratios, probabilities with their difference, and events that recur."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from analysis.analyses.time_zero import METHODS
from analysis.analyses.time_zero_recurrent import AG_METHODS, PWP_METHOD
from analysis.analyses.time_zero_survival import HAZARD_METHODS
from analysis.estimate.result import Estimate
from tests.unit.analysis.analyses.test_time_zero import _found, _ratios, _spec, _world


def _told(estimates: list[Estimate], estimand: str, method: str = "") -> list[Estimate]:
    return [
        e
        for e in estimates
        if e.question.estimand == estimand
        and e.question.population == "as_treated"
        and e.answer.method.startswith(method)
    ]


def test_hazard_ratios_are_near_the_odds_ratios_of_short_periods_and_gated_alike() -> None:
    estimates, _ = _found(_world(ratio=2.0, confounding=0.7))
    odds, hazards = _ratios(estimates), {e.answer.method: e.answer for e in _told(estimates, "hazard_ratio")}
    for way, method in HAZARD_METHODS.items():
        one, other = odds[METHODS[way]].answer, hazards[method]
        assert other.value == pytest.approx(one.value, rel=0.06)
        assert other.status == one.status


def test_the_probability_of_the_outcome_is_that_of_the_counts_by_hand() -> None:
    """Of 600 in the group all are followed to an event or to day 360: the share with an event by day 180 is the probability."""
    members, time = _world(ratio=1.5)
    estimates, _ = _found((members, time), _spec(analysis={"persistence_days": [180, 720]}))
    found = {
        (e.question.level, e.question.time_days): e.answer for e in _told(estimates, "cumulative_incidence", "aalen")
    }
    added = time.filter("is_combination")
    share = added.filter((pl.col("event_count") == 1) & (pl.col("stop_day") <= 180)).height / added.height
    assert found["combination", 180].value == pytest.approx(share)
    assert found["combination", 720].status == "not_estimable"
    assert found["one_drug", 180].event_count == time.filter(
        ~pl.col("is_combination") & (pl.col("event_count") == 1) & (pl.col("stop_day") <= 180)
    ).height  # fmt: skip


def test_death_competes_and_without_deaths_the_probability_says_that_it_is_too_high() -> None:
    members, time = _world()
    dying = time.with_columns(
        ending=pl.when((pl.col("ending") == "censored") & (pl.col("person_id") % 3 == 0))
        .then(pl.lit("death")).otherwise("ending"),
        stop_day=pl.when((pl.col("ending") == "censored") & (pl.col("person_id") % 3 == 0))
        .then(30).otherwise("stop_day"),
    )  # fmt: skip
    day = _spec(analysis={"persistence_days": [330]})
    competing, naive = (
        {
            e.question.level: e.answer
            for e in _told(_found((members, frame), day, **more)[0], "cumulative_incidence", "aalen")
        }
        for frame, more in (
            (dying, {}),
            (dying.with_columns(ending=pl.col("ending").replace("death", "censored")), {"has_deaths": False}),
        )
    )
    for group in ("combination", "one_drug"):
        assert competing[group].value < naive[group].value  # type: ignore[operator]
        assert "no deaths" in naive[group].reason and competing[group].reason == ""
    everything, _ = _found((members, dying), day, has_deaths=False)
    told = [*_told(everything, "cumulative_incidence"), *_told(everything, "mean_cumulative_count")]
    assert len(told) == 4 and all("no deaths" in e.answer.reason for e in told)


def test_what_the_score_lacks_is_said_by_every_number_that_rests_on_it() -> None:
    estimates, _ = _found(_world(), _spec(analysis={"persistence_days": [180]}))
    resting = [
        e
        for e in estimates
        if e.question.population == "as_treated"
        and ("overlap" in e.answer.method or "matched" in e.answer.method or "weighted" in e.answer.method)
    ]
    assert {e.question.estimand for e in resting} == {
        "odds_ratio",
        "hazard_ratio",
        "cumulative_incidence",
        "risk_difference",
    }
    assert all("hospital days not known" in e.answer.reason for e in resting)
    crude = [e for e in estimates if e.answer.method in (METHODS["crude"], HAZARD_METHODS["crude"])]
    assert crude and not any("not known" in e.answer.reason for e in crude)


def test_overlap_weights_take_the_confounder_off_the_difference_of_probabilities_too() -> None:
    spec = _spec(analysis={"persistence_days": [360]})
    estimates, _ = _found(_world(ratio=1.0, confounding=0.8), spec)
    crude = {e.question.level: e.answer.value for e in _told(estimates, "cumulative_incidence", "aalen")}
    (difference,) = [e.answer for e in _told(estimates, "risk_difference")]
    assert crude["combination"] - crude["one_drug"] > 0.07  # type: ignore[operator]
    assert difference.lower is not None and difference.upper is not None and difference.lower < 0 < difference.upper
    assert abs(difference.value or 1.0) < 0.05


def _recurring(rate_ratio: float) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Members followed for 360 days with events at a constant rate, 31 days or more apart; the first ends `stop_day`."""
    members, time = _world()
    rng = np.random.default_rng(7)
    rows = []
    first = []
    for number, member, added in time.select("set_number", "member_number", "is_combination").iter_rows():
        day, days = 0.0, []
        while True:
            day += rng.exponential(200 / (rate_ratio if added else 1.0)) + (31 if days else 0)
            if day > 359:
                break
            days.append(int(day) + 1)
        rows += [("primary", "infection", number, member, each) for each in days]
        first.append(days[0] if days else 0)
    events = pl.Series(first)
    followed = time.with_columns(
        stop_day=pl.when(events > 0).then(events).otherwise(360), event_count=(events > 0).cast(pl.Int64),
        ending=pl.when(events > 0).then(pl.lit("event")).otherwise(pl.lit("censored")),
        follow_up_stop_day=pl.lit(360), is_death=pl.lit(value=False),
    )  # fmt: skip
    records = pl.DataFrame(
        rows, orient="row", schema=["exposure_rule", "outcome_id", "set_number", "member_number", "record_day"]
    )
    return members, followed, records


def test_later_events_count_in_the_mean_and_in_the_ratio_of_rates() -> None:
    members, followed, records = _recurring(2.0)
    estimates, _ = _found(
        (members, followed), _spec(analysis={"persistence_days": [360]}), recurrence=(records, {"infection": 30})
    )
    means = {e.question.level: e.answer for e in _told(estimates, "mean_cumulative_count")}
    for group, is_added in (("combination", True), ("one_drug", False)):
        held = followed.filter(pl.col("is_combination") == is_added).select("set_number", "member_number")
        counted = records.join(held, on=["set_number", "member_number"], how="semi").height
        assert means[group].value == pytest.approx(counted / held.height)
        assert means[group].event_count == counted
    ratios = {e.answer.method: e.answer for e in _told(estimates, "hazard_ratio")}
    for method in (*AG_METHODS.values(), PWP_METHOD):
        answer = ratios[method]
        assert answer.lower is not None and answer.upper is not None and answer.lower < 2.0 < answer.upper
        assert answer.event_count == records.height
    without = _found(
        (members, followed),
        _spec(analysis={"persistence_days": [360]}),
        recurrence=(records, {"infection": 30}),
        has_deaths=False,
    )[0]
    assert all("no deaths" in e.answer.reason for e in _told(without, "mean_cumulative_count"))
    naive = _found((members, followed), recurrence=(records.clear(), {"infection": 30}))[0]
    nothing = {e.answer.method: e.answer.status for e in _told(naive, "hazard_ratio")}
    assert nothing[PWP_METHOD] == "not_estimable"
