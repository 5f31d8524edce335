"""Endings as competing risks: hand-worked probabilities, what is not assessable, and that all add up."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses.discontinuation import ReasonRecords
from analysis.analyses.ending_incidence import ending_incidence
from analysis.estimate.result import Estimate

TOLD = ReasonRecords(names_reasons=True, has_adverse_events=True)


def _counts(rows: list[tuple[str, str, int, int, int]], *, regimen: str = "all") -> pl.DataFrame:
    """Dimension, cause, entry, time, persons."""
    frame = pl.DataFrame(rows, schema=["dimension", "cause", "entry_days", "time_days", "person_count"], orient="row")
    return frame.with_columns(
        exposure_rule=pl.lit("primary"), population=pl.lit("first_episode"), regimen_id=pl.lit(regimen)
    )


ROWS = [
    ("reason", "efficacy", 0, 10, 2), ("reason", "death", 0, 20, 1), ("reason", "censored", 0, 20, 1),
    ("reason", "unknown", 0, 30, 3), ("reason", "censored", 0, 40, 3),
]  # fmt: skip


def _found(
    rows: list[tuple[str, str, int, int, int]], records: ReasonRecords = TOLD
) -> dict[tuple[str, int], Estimate]:
    estimates, _ = ending_incidence(_counts(rows), confidence=0.95, days=(15, 35), reason_records=records)
    return {(e.question.level, e.question.time_days or 0): e for e in estimates}


def test_probabilities_by_hand() -> None:
    """Of 10, 2 end on day 10 (0.2); of 8, 1 dies on day 20 (0.8 / 8); of 6 left at 0.7, 3 stop on day 30 (0.35)."""
    found = _found(ROWS)
    assert found["efficacy", 15].answer.value == pytest.approx(0.2)
    assert found["efficacy", 35].answer.value == pytest.approx(0.2)
    assert found["death", 35].answer.value == pytest.approx(0.1)
    assert found["unknown", 35].answer.value == pytest.approx(0.35)
    everything = sum(e.answer.value or 0.0 for (_, day), e in found.items() if day == 35)
    assert everything == pytest.approx(1 - 0.35)


def test_a_reason_that_nobody_had_is_zero_with_an_upper_limit() -> None:
    answer = _found(ROWS)["pregnancy", 35].answer
    assert (answer.value, answer.lower) == (0.0, 0.0)
    assert answer.upper == pytest.approx(1 - 0.025 ** (1 / 3))  # fewest at risk: the three after day 30


def test_a_reason_that_no_record_could_name_is_not_assessable_and_death_is() -> None:
    found = _found(ROWS, ReasonRecords(names_reasons=False, has_adverse_events=True))
    assert found["efficacy", 35].answer.status == "not_assessable"
    assert found["adverse_event", 35].answer.status == "ok"
    assert found["unknown", 35].answer.status == found["death", 35].answer.status == "ok"


def test_curves_are_those_of_all_pairs_and_of_endings_that_occurred() -> None:
    counts = pl.concat([_counts(ROWS), _counts(ROWS, regimen="a+b")])
    _, curve = ending_incidence(counts, confidence=0.95, days=(15,), reason_records=TOLD)
    assert set(curve["regimen_id"]) == {"all"}
    assert set(curve["level"]) == {"efficacy", "death", "unknown"}
    assert curve.select("stratum", "level", "time_days").is_duplicated().sum() == 0
    end = curve.filter(pl.col("level") == "unknown").sort("time_days")
    assert end["value"].to_list() == pytest.approx([0.0, 0.0, 0.0, 0.35, 0.35])
    assert end["at_risk_count"].to_list() == [10, 10, 8, 6, 3]


def test_nobody_gives_nothing() -> None:
    estimates, curve = ending_incidence(_counts([]), confidence=0.95, days=(15,), reason_records=TOLD)
    assert estimates == [] and curve.height == 0
