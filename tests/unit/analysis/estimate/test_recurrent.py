"""Events that recur: rows by hand, Andersen-Gill and Prentice-Williams-Peterson against R's coxph."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest

from analysis.estimate.counting_process import cut_at
from analysis.estimate.cox import CoxFit, hazard_ratio
from analysis.estimate.recurrent import andersen_gill, prentice_williams_peterson
from analysis.estimate.recurrent_rows import ROW_COLUMNS, recurrent_rows
from analysis.estimate.result import EstimationError
from analysis.estimate.risk_sets import Ties

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "recurrent.json").read_text())["models"]
COVARIATES = ["rx", "size", "number"]
EVERY_TIES = get_args(Ties)

Row = tuple[int, int, int, int, int, int]


def rows_by_hand(
    follow_up: list[tuple[int, int, int]], records: list[tuple[int, int]], *, gap_days: int = 30
) -> list[Row]:
    """Rows of (person, start, stop, event, event number, first day of the stretch)."""
    return recurrent_rows(
        pl.DataFrame(follow_up, schema=["person_id", "start_day", "stop_day"], orient="row"),
        pl.DataFrame(records, schema={"person_id": pl.Int64, "day": pl.Int64}, orient="row"),
        gap_days=gap_days,
    ).rows()


@pytest.mark.parametrize(
    ("why", "records", "expected"),
    [
        ("no record: one row", [], [(1, 0, 365, 0, 1, 0)]),
        ("an event ends a row, risk returns after the gap", [100], [(1, 0, 100, 1, 1, 0), (1, 130, 365, 0, 2, 130)]),
        ("a record 30 days on is the same event", [100, 130], [(1, 0, 100, 1, 1, 0), (1, 160, 365, 0, 2, 160)]),
        (
            "31 days on is the next, after one day at risk",
            [100, 131],
            [(1, 0, 100, 1, 1, 0), (1, 130, 131, 1, 2, 130), (1, 161, 365, 0, 3, 161)],
        ),
        ("records chain", [100, 125, 150], [(1, 0, 100, 1, 1, 0), (1, 180, 365, 0, 2, 180)]),
        ("an event on the last day counts", [365], [(1, 0, 365, 1, 1, 0)]),
        ("one after the last day does not", [366], [(1, 0, 365, 0, 1, 0)]),
        ("an outcome on day 0 has time 1 and counts", [1], [(1, 0, 1, 1, 1, 0), (1, 31, 365, 0, 2, 31)]),
        ("one before time zero delays the risk", [-10], [(1, 20, 365, 0, 1, 20)]),
        ("long before, it delays nothing", [-30], [(1, 0, 365, 0, 1, 0)]),
        ("an event that goes on into follow-up is not new", [-10, 15], [(1, 45, 365, 0, 1, 45)]),
        ("two records of one day are one", [100, 100], [(1, 0, 100, 1, 1, 0), (1, 130, 365, 0, 2, 130)]),
        ("the gap reaches past the end", [350], [(1, 0, 350, 1, 1, 0)]),
        ("never at risk: no row", [-10, 15, 45, 75, 105, 135, 165, 195, 225, 255, 285, 315, 345], []),
    ],
)
def test_rows_by_hand(why: str, records: list[int], expected: list[Row]) -> None:
    assert rows_by_hand([(1, 0, 365)], [(1, day) for day in records]) == expected, why


def test_without_a_gap_risk_returns_at_once_and_persons_are_apart() -> None:
    found = rows_by_hand([(2, 5, 9), (1, 0, 6)], [(1, 2), (2, 7), (1, 3)], gap_days=0)
    assert found == [
        (1, 0, 2, 1, 1, 0),
        (1, 2, 3, 1, 2, 2),
        (1, 3, 6, 0, 3, 3),
        (2, 5, 7, 1, 1, 5),
        (2, 7, 9, 0, 2, 7),
    ]


def test_covariates_are_carried_and_the_order_of_rows_does_not_matter() -> None:
    follow_up = pl.DataFrame({"person_id": ["b", "a"], "start_day": [0, 0], "stop_day": [50, 60], "age": [61.0, 47.0]})
    records = pl.DataFrame({"person_id": ["a", "b", "a"], "day": [40, 10, 5]})
    rows = recurrent_rows(follow_up, records, gap_days=10)
    assert rows.columns == [*ROW_COLUMNS, "age"]
    assert rows["age"].to_list() == [47.0, 47.0, 47.0, 61.0, 61.0]
    assert recurrent_rows(follow_up.reverse(), records.reverse(), gap_days=10).equals(rows)


@pytest.mark.parametrize(
    ("follow_up", "records", "gap_days", "message"),
    [
        ([(1, 0, 9), (1, 9, 12)], [], 30, "1 too many"),
        ([(1, 9, 9)], [], 30, "1 are not"),
        ([(1, 0, 9)], [(2, 4)], 30, r"follow-up \(1 are not\)"),
        ([(1, 0, 9)], [], -1, "got -1"),
    ],
)
def test_frames_that_cannot_be_meant_are_refused(
    follow_up: list[tuple[int, int, int]], records: list[tuple[int, int]], gap_days: int, message: str
) -> None:
    with pytest.raises(EstimationError, match=message):
        rows_by_hand(follow_up, records, gap_days=gap_days)


def test_columns_that_cannot_be_meant_are_refused() -> None:
    follow_up = pl.DataFrame({"person_id": [1], "start_day": [0], "stop_day": [9]})
    records = pl.DataFrame({"person_id": [1], "day": [None]}, schema={"person_id": pl.Int64, "day": pl.Int64})
    with pytest.raises(EstimationError, match="records needs the columns person_id, day, without nulls"):
        recurrent_rows(follow_up, records, gap_days=30)
    with pytest.raises(EstimationError, match="follow-up needs the columns stop_day"):
        recurrent_rows(follow_up.drop("stop_day"), records.drop_nulls(), gap_days=30)
    with pytest.raises(EstimationError, match="no column named event_number"):
        recurrent_rows(follow_up.with_columns(event_number=1), records.drop_nulls(), gap_days=30)


def bladder() -> pl.DataFrame:
    names = {"id": "person_id", "start": "start_day", "stop": "stop_day", "enum": "event_number"}
    return pl.DataFrame(TRUTH["data"], strict=False).rename(names).with_columns(risk_start_day="start_day")


def fitted(rows: pl.DataFrame, how: str, ties: Ties, covariates: Sequence[str] = COVARIATES) -> CoxFit:
    if how == "andersen_gill":
        return andersen_gill(rows, covariates=covariates, confidence=0.95, ties=ties)
    clock, cap = how.split("_")
    return prentice_williams_peterson(
        rows, covariates=covariates, clock=clock, strata_cap=int(cap), confidence=0.95, ties=ties,
    )  # type: ignore[arg-type] # fmt: skip


@pytest.mark.parametrize("ties", EVERY_TIES)
@pytest.mark.parametrize("how", TRUTH["efron"])
def test_models_of_recurrent_events_are_those_of_coxph(how: str, ties: Ties) -> None:
    truth: dict[str, Any] = TRUTH[ties][how]
    fit = fitted(bladder(), how, ties)
    assert fit.coefficients == pytest.approx(truth["coefficients"], rel=1e-8)
    assert fit.robust_standard_errors == pytest.approx(truth["robust_standard_errors"], rel=1e-8)
    assert fit.robust_covariance.ravel() == pytest.approx(truth["robust_covariance"], rel=1e-7, abs=1e-12)


@pytest.mark.parametrize(
    ("how", "theta"),
    [
        ("total_2", (1.0 + math.sqrt(5.0)) / 2.0),
        ("gap_2", (1.0 + math.sqrt(5.0)) / 2.0),
        ("total_1", (1.0 + math.sqrt(17.0)) / 2.0),
        ("gap_1", (1.0 + math.sqrt(13.0)) / 2.0),
    ],
)
def test_ratios_by_hand(how: str, theta: float) -> None:
    # Person 1 (x = 1) has events on days 4 and 6, person 2 (x = 0) on day 3 and stays to 8, 3 (x = 1) stays to 5,
    # 4 (x = 0) to 9. Strata of event 1 and 2: 1/(2 theta + 2), theta/(2 theta + 1) and, of persons 1 and 2 on either
    # clock, theta/(theta + 1), flat where theta^2 = theta + 1. In one stratum and total time day 4 has person 2 at risk
    # again and day 6 persons 1, 2, 4: 1/(2 theta + 2), theta/(2 theta + 2), theta/(theta + 2), theta^2 = theta + 4.
    # In gap time all six stretches begin on day 0: theta/(3 theta + 3), 1/(2 theta + 3), theta/(2 theta + 2), so
    # theta^2 = theta + 3.
    follow_up = pl.DataFrame(
        {"person_id": [1, 2, 3, 4], "start_day": [0] * 4, "stop_day": [6, 8, 5, 9], "x": [1.0, 0.0, 1.0, 0.0]}
    )
    rows = recurrent_rows(follow_up, pl.DataFrame({"person_id": [1, 1, 2], "day": [4, 6, 3]}), gap_days=0)
    fit = fitted(rows, how, "efron", ["x"])
    assert fit.coefficients[0] == pytest.approx(math.log(theta), rel=1e-9)


def test_rows_made_from_follow_up_and_events_are_those_of_the_data() -> None:
    rows = bladder()
    follow_up = rows.group_by("person_id").agg(
        pl.col("start_day").min(), pl.col("stop_day").max(), pl.col("rx", "size", "number").first()
    )
    records = rows.filter(pl.col("event") == 1).select("person_id", day="stop_day")
    made = recurrent_rows(follow_up, records, gap_days=0)
    # The data stop at the fourth event of a person; follow-up after it is not in them.
    first_four = made.filter(pl.col("event_number") <= 4)
    expected = rows.select(ROW_COLUMNS).cast(pl.Int64).sort("person_id", "start_day")
    assert first_four.select(ROW_COLUMNS).equals(
        expected.with_columns(pl.col("person_id").cast(rows["person_id"].dtype))
    )


def test_the_method_names_the_clock_and_the_cap() -> None:
    assert (
        hazard_ratio(fitted(bladder(), "gap_2", "efron"), "rx").method == "pwp_gap_time_cap_2_efron_robust_stratified"
    )
    assert hazard_ratio(fitted(bladder(), "andersen_gill", "efron"), "rx").method == "andersen_gill_efron_robust"


@pytest.mark.parametrize("how", ["andersen_gill", "total_3", "gap_3"])
def test_cutting_rows_and_their_order_change_nothing(how: str) -> None:
    one = fitted(bladder(), how, "efron")
    other = fitted(cut_at(bladder(), [3, 7, 20]).reverse(), how, "efron")
    assert one.coefficients == pytest.approx(other.coefficients, rel=1e-9)
    assert one.robust_standard_errors == pytest.approx(other.robust_standard_errors, rel=1e-9)


def test_without_any_event_nothing_is_estimable() -> None:
    rows = bladder().with_columns(event=0)
    for how in ("andersen_gill", "total_3", "gap_3"):
        answer = hazard_ratio(fitted(rows, how, "efron"), "rx")
        assert (answer.status, answer.reason, answer.event_count) == ("not_estimable", "no events", 0)


def test_questions_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(EstimationError, match="got 'calendar', 3"):
        fitted(bladder(), "calendar_3", "efron")
    with pytest.raises(EstimationError, match="got 'gap', 0"):
        fitted(bladder(), "gap_0", "efron")
    with pytest.raises(EstimationError, match="columns risk_start_day"):
        fitted(bladder().drop("risk_start_day"), "gap_3", "efron")
    with pytest.raises(EstimationError, match="178 rows have an event number below 1"):
        fitted(bladder().with_columns(event_number=0), "total_3", "efron")
