"""The comparison from time zero under the public profile."""

from __future__ import annotations

from typing import Any

import polars as pl

from analysis.analyses.time_zero_groups import ANALYSIS
from analysis.disclosure_time_zero import thinned_diagnostics, withhold_time_zero

Row = dict[str, Any]


def _rows(*, events: int = 20, persons: int = 500, compared: int = 80) -> list[Row]:
    base = {"analysis": ANALYSIS, "exposure_rule": "r", "status": "ok", "value": 1.0, "person_days": 999}
    asked = base | {"population": "as_treated", "outcome_id": "infection"}
    counted = base | {"population": "time_zero", "outcome_id": "", "estimand": "count", "event_count": None}
    rows = [
        asked
        | {
            "estimand": "incidence_rate_per_100py",
            "level": "combination",
            "event_count": events,
            "person_count": persons,
        },
        asked | {"estimand": "incidence_rate_per_100py", "level": "one_drug", "event_count": 50, "person_count": 900},
        asked | {"estimand": "odds_ratio", "level": "combination", "event_count": events + 50, "person_count": 1_400},
        counted | {"level": "added", "person_count": 100},
        counted | {"level": "compared", "person_count": compared},
    ]
    return [row | {"estimate_id": str(number)} for number, row in enumerate(rows)]


def _withheld(rows: list[Row]) -> list[Row]:
    def hide(row: Row) -> None:
        row |= {"value": None, "status": "suppressed"}

    withhold_time_zero(rows, {row["estimate_id"]: dict(row) for row in rows}, hide, 5)
    return rows


def test_without_small_counts_rates_stay_with_their_events_and_nothing_else_is_counted() -> None:
    rows = _withheld(_rows())
    assert [row["status"] for row in rows] == ["ok"] * 5
    assert [row["event_count"] for row in rows] == [20, 50, None, None, None]
    assert [row["person_count"] for row in rows] == [None, None, None, 100, 80]
    assert {row["person_days"] for row in rows} == {None}


def test_few_events_or_persons_in_one_group_take_the_outcome_whole() -> None:
    for small in (_rows(events=3), _rows(persons=4)):
        rows = _withheld(small)
        assert [row["status"] for row in rows] == ["suppressed"] * 3 + ["ok"] * 2
        assert [row["event_count"] for row in rows[:3]] == [None] * 3
    zero = _withheld(_rows(events=0))
    assert [row["event_count"] for row in zero[:2]] == [0, 50] and zero[0]["status"] == "ok"


def test_few_without_a_comparator_take_both_counts() -> None:
    rows = _withheld(_rows(compared=98))
    assert [row["status"] for row in rows[3:]] == ["suppressed"] * 2
    assert [row["person_count"] for row in rows[3:]] == [None] * 2


def test_a_detectable_ratio_goes_with_its_outcome() -> None:
    diagnostics = pl.DataFrame(
        {
            "analysis": ["a"] * 3,
            "diagnostic": ["minimal_detectable_ratio", "minimal_detectable_ratio", "equipoise"],
            "item": ["exposure_rule=r;outcome_id=infection", "exposure_rule=r;outcome_id=fever", "exposure_rule=r"],
        }
    )
    left = thinned_diagnostics(diagnostics, _withheld(_rows(events=3)))
    assert left["item"].to_list() == ["exposure_rule=r;outcome_id=fever", "exposure_rule=r"]
    assert thinned_diagnostics(diagnostics, _withheld(_rows())).height == 3
