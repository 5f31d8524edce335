"""Hazard ratios in periods: R's coxph on rows cut by survSplit, and periods that have none."""

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analysis.estimate.cox import cox, hazard_ratio
from analysis.estimate.piecewise_hazards import PiecewiseHazards, piecewise_hazard_ratios
from analysis.estimate.result import EstimationError

TRUTH = {
    row["name"]: row
    for row in json.loads((Path(__file__).parents[3] / "truth" / "proportional_hazards.json").read_text())
}
NAMES = ["person_id", "start_day", "stop_day", "event", "x"]


def rows_of(truth: dict[str, Any]) -> pl.DataFrame:
    names = {"id": "person_id", "start": "start_day", "stop": "stop_day"}
    return pl.DataFrame(truth["data"], strict=False).rename(names)


def frame(*rows: tuple[int, int, int, int, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=NAMES, orient="row")


def piecewise(rows: pl.DataFrame, cut: int = 10) -> PiecewiseHazards:
    return piecewise_hazard_ratios(rows, "x", cuts=(cut,), confidence=0.95, ties="efron")


@pytest.mark.parametrize("how", ["piecewise", "piecewise_weighted"])
@pytest.mark.parametrize("name", TRUTH)
def test_ratios_and_the_test_of_equality_are_those_of_coxph(name: str, how: str) -> None:
    truth = TRUTH[name][how]
    found = piecewise_hazard_ratios(
        rows_of(TRUTH[name]),
        truth["covariate"],
        cuts=[int(cut) for cut in truth["cuts"]],
        others=truth["others"],
        confidence=0.95,
        ties="efron",
        weight="weight" if how.endswith("weighted") else None,
    )
    answers = [period.answer for period in found.periods]
    assert [math.log(answer.value or 0.0) for answer in answers] == pytest.approx(truth["coefficients"], rel=1e-7)
    assert [answer.standard_error for answer in answers] == pytest.approx(truth["standard_errors"], rel=1e-7)
    assert [answer.event_count for answer in answers] == truth["events"]
    assert [answer.person_days for answer in answers] == truth["days"]
    assert found.equality.value == pytest.approx(truth["chi_square"], rel=1e-7)
    assert found.equality.p_value == pytest.approx(truth["p"], rel=1e-6)
    assert found.degrees_of_freedom == len(truth["cuts"])


EARLY = [(1, 0, 4, 1, 1.0), (2, 0, 5, 1, 0.0), (3, 0, 6, 1, 1.0), (4, 0, 8, 1, 0.0)]
LATE = [(5, 0, 14, 1, 1.0), (6, 0, 15, 1, 0.0), (7, 0, 18, 1, 1.0), (8, 0, 19, 1, 0.0), (9, 0, 20, 0, 1.0)]


def test_an_event_on_the_day_of_the_cut_belongs_to_the_period_before() -> None:
    found = piecewise(frame(*EARLY, (10, 0, 10, 1, 0.0), (11, 0, 11, 1, 0.0), *LATE))
    assert [period.answer.event_count for period in found.periods] == [5, 5]
    assert [period.label for period in found.periods] == ["to day 10", "after day 10"]
    assert [period.answer.method for period in found.periods] == ["cox_piecewise_efron_robust"] * 2


def test_each_period_alone_has_the_same_ratio() -> None:
    rows = frame(*EARLY, *LATE)
    late = rows.filter(pl.col("stop_day") > 10).with_columns(start_day=pl.lit(10, pl.Int64))
    alone = hazard_ratio(cox(late, covariates=["x"], confidence=0.95, ties="efron"), "x")
    together = piecewise(rows).periods[1].answer
    assert together.value == pytest.approx(alone.value, rel=1e-9)
    assert together.standard_error == pytest.approx(alone.standard_error, rel=1e-9)


@pytest.mark.parametrize(
    ("late", "reason"),
    [
        ([(5, 0, 14, 1, 1.0), (6, 0, 15, 0, 0.0)], "no events where x is 0 after day 10"),
        ([(5, 0, 14, 0, 1.0), (6, 0, 15, 1, 0.0)], "no events where x is 1 after day 10"),
        ([(5, 0, 14, 0, 1.0), (6, 0, 15, 0, 0.0)], "no events after day 10"),
        ([(5, 0, 14, 1, 1.0), (6, 0, 15, 1, 1.0)], "x does not vary after day 10"),
        ([], "no events after day 10"),
    ],
)
def test_a_period_without_a_ratio_says_why_and_leaves_the_other(
    late: list[tuple[int, int, int, int, float]], reason: str
) -> None:
    found = piecewise(frame(*EARLY, *late))
    assert found.periods[1].answer.reason == reason
    assert found.periods[0].answer.status == "ok"
    early = frame(*EARLY, *late).with_columns(
        event=pl.when(pl.col("stop_day") > 10).then(0).otherwise("event"), stop_day=pl.col("stop_day").clip(None, 10)
    )
    alone = hazard_ratio(cox(early, covariates=["x"], confidence=0.95, ties="efron"), "x")
    assert found.periods[0].answer.value == pytest.approx(alone.value, rel=1e-9)
    assert found.equality.reason == "periods with a hazard ratio: 1, two are needed"


def test_without_any_event_no_period_has_a_ratio() -> None:
    found = piecewise(frame((1, 0, 20, 0, 1.0), (2, 0, 20, 0, 0.0)))
    assert [period.answer.reason for period in found.periods] == ["no events to day 10", "no events after day 10"]
    assert (found.equality.status, found.degrees_of_freedom) == ("not_estimable", 0)
    assert found.periods[0].answer.person_days == 20


def test_the_order_of_rows_does_not_matter() -> None:
    rows = frame(*EARLY, *LATE)
    for one, other in zip(piecewise(rows).periods, piecewise(rows.reverse()).periods, strict=True):
        assert one.answer.value == pytest.approx(other.answer.value, rel=1e-10)


def test_questions_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(EstimationError, match="at least one day"):
        piecewise_hazard_ratios(frame(*EARLY), "x", cuts=(), confidence=0.95, ties="efron")
    with pytest.raises(EstimationError, match="must rise"):
        piecewise_hazard_ratios(frame(*EARLY), "x", cuts=(365, 90), confidence=0.95, ties="efron")
    with pytest.raises(EstimationError, match="columns age"):
        piecewise_hazard_ratios(frame(*EARLY), "x", cuts=(5,), others=["age"], confidence=0.95, ties="efron")
