"""What is asked of the modelled tables, on tables small enough to check with a finger."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses.omalizumab import CLASSES, EVERYBODY, MODELLED, omalizumab_estimates
from analysis.disclosure_omalizumab import withhold_omalizumab
from analysis.estimate.result import Estimate

STANDING = pl.DataFrame(
    {
        "person_id": [1, 2, 3, 4],
        "is_assessable": [True, True, False, False],
        "reason": [None, None, "no weight", "no baseline IgE"],
        "is_extrapolated": [False, True, None, None],
        "until_day": [100, 200, 10, 10],
    }
)
# Person 1 is below 50 ng/mL on days 10 to 60 of 88 (last dose on day 60), person 2 on all of 128.
INTERVALS = pl.DataFrame(
    [
        (1, 50.0, 0.0, 10.0, False),
        (1, 50.0, 10.0, 60.0, True),
        (1, 50.0, 60.0, 100.0, False),
        (2, 50.0, 0.0, 200.0, True),
    ],
    schema=["person_id", "threshold_ng_per_ml", "start_day", "stop_day", "is_below"],
    orient="row",
)
STOPS = pl.DataFrame({"person_id": [1, 2, 3, 4], "last_dose_day": [60, 100, 0, 0]})
RISES = pl.DataFrame(
    [
        (1, "50 ng/mL", 20.3, 40, "reached"), (2, "50 ng/mL", None, 100, "not_reached"), (5, "50 ng/mL", 0.0, 70, "reached"),
        (1, "25 ng/mL", None, 40, "not_assessable"),
    ],
    schema={"person_id": pl.Int64, "level": pl.String, "days_after_last_dose": pl.Float64, "follow_up_days": pl.Int64, "status": pl.String},
    orient="row",
)  # fmt: skip
CHECKS = pl.DataFrame(
    [
        (1, "eu", "as_table"),
        (2, "eu", "under"),
        (3, "eu", "not_assessable"),
        (4, "eu", "not_applicable"),
        (5, "eu", "as_table"),
    ],
    schema=["person_id", "table_name", "dose_class"],
    orient="row",
)


def _asked(standing: pl.DataFrame = STANDING, intervals: pl.DataFrame = INTERVALS) -> list[Estimate]:
    return omalizumab_estimates(standing, intervals, RISES, CHECKS, STOPS, rule="primary", confidence=0.95)


def _found(estimand: str, level: str, stratum: str = "") -> Estimate:
    (found,) = (
        e for e in _asked() if (e.question.estimand, e.question.level, e.question.stratum) == (estimand, level, stratum)
    )
    return found


@pytest.mark.parametrize(
    ("level", "count"),
    [(EVERYBODY, 4), (MODELLED, 2), ("no weight", 1), ("no baseline IgE", 1), ("outside the data behind the model", 1)],
)
def test_who_can_be_modelled_and_who_cannot_is_counted_by_reason(level: str, count: int) -> None:
    assert _found("count", level).answer.value == count


def test_doses_are_shares_of_those_who_are_compared_and_the_others_are_counted_beside() -> None:
    share = _found("proportion", "as_table", "table=eu").answer
    assert (share.event_count, share.person_count, share.value) == (2, 3, pytest.approx(2 / 3))
    assert _found("proportion", "over", "table=eu").answer.upper == pytest.approx(1 - 0.025 ** (1 / 3))
    assert _found("count", "not_applicable", "table=eu").answer.value == 1
    shares = [e.answer.event_count or 0 for e in _asked() if e.question.estimand == "proportion"]
    assert sum(shares) == 3
    assert len(shares) == len(CLASSES)


def test_the_share_of_treatment_ends_an_interval_after_the_last_dose() -> None:
    answer = _found("mean", "below 50 ng/mL").answer
    one, two = 50 / 88, 1.0
    assert answer.value == pytest.approx((one + two) / 2)
    assert answer.standard_error == pytest.approx(abs(one - two) / 2)
    assert answer.upper == 1.0


def test_a_rise_is_censored_where_observed_time_ends_and_one_at_once_counts_on_the_first_day() -> None:
    answer = _found("median_time_days", "50 ng/mL").answer
    assert (answer.value, answer.person_count, answer.event_count) == (21.0, 3, 2)
    assert _found("median_time_days", "25 ng/mL").answer.status == "not_estimable"


def test_without_a_dose_nothing_is_said_and_without_a_model_why_not() -> None:
    assert _asked(STANDING.clear()) == []
    told = [e.answer for e in _asked(intervals=INTERVALS.clear()) if e.question.estimand == "mean"]
    assert [answer.status for answer in told] == ["not_assessable"]


@pytest.mark.parametrize(("minimum", "is_hidden"), [(2, True), (1, False)])
def test_where_a_part_is_small_all_parts_are_withheld(minimum: int, is_hidden: bool) -> None:
    rows: list[dict[str, object]] = [
        {
            "analysis": e.question.analysis, "estimand": e.question.estimand, "stratum": e.question.stratum, "level": e.question.level,
            "person_count": e.answer.person_count, "event_count": e.answer.event_count, "status": e.answer.status,
        }
        for e in _asked()
    ]  # fmt: skip
    hidden: list[object] = []
    withhold_omalizumab(rows, lambda row: hidden.append((row["stratum"], row["level"])), minimum)
    parts = [("table=eu", level) for level in (*CLASSES, "not_applicable", "not_assessable")]
    assert (set(parts) <= set(hidden)) == is_hidden
    assert ("", EVERYBODY) not in hidden
