"""Hazard ratios by period and by pair, and endings by cause, under the public profile."""

from __future__ import annotations

from typing import Any

import polars as pl

from analysis.disclosure_endings import withhold_endings, without_endings
from analysis.disclosure_hazard import withhold_hazards

Row = dict[str, Any]


def _hide(row: Row) -> None:
    row |= {"value": None, "status": "suppressed"}


def _received(rows: list[Row]) -> tuple[list[Row], dict[str, Row]]:
    named = [row | {"estimate_id": str(number), "status": row.get("status", "ok")} for number, row in enumerate(rows)]
    return named, {row["estimate_id"]: dict(row) for row in named}


def _hazards(events: list[int], **whole: object) -> list[Row]:
    base = {
        "analysis": "time_varying_hazard",
        "exposure_rule": "r",
        "outcome_id": "o",
        "value": 2.0,
        "person_count": 99,
        "person_days": 9,
    }
    pieces = [
        base | {"estimand": "hazard_ratio", "stratum": f"ladder=study_drugs;period={number}", "event_count": count}
        for number, count in enumerate(events)
    ]
    total = base | {"estimand": "hazard_ratio", "stratum": "ladder=study_drugs", "event_count": sum(events)} | whole
    pair = base | {"analysis": "joint_hazard", "estimand": "hazard_ratio", "stratum": "", "event_count": 50}
    return [
        *pieces,
        base | {"estimand": "test", "stratum": "ladder=study_drugs", "event_count": sum(events)},
        total,
        pair,
    ]


def test_periods_stay_without_counts_and_go_together_where_one_has_few() -> None:
    rows, received = _received(_hazards([20, 30, 40]))
    withhold_hazards(rows, received, _hide, 5)
    assert [row["status"] for row in rows] == ["ok"] * 5 + ["suppressed"]
    assert [row["event_count"] for row in rows] == [None] * 4 + [90, None]
    rows, received = _received(_hazards([20, 3, 40]))
    withhold_hazards(rows, received, _hide, 5)
    assert [row["status"] for row in rows] == ["suppressed"] * 4 + ["ok", "suppressed"]
    rows, received = _received(_hazards([20, 30, 40], status="suppressed"))
    withhold_hazards(rows, received, _hide, 5)
    assert {row["status"] for row in rows} == {"suppressed"}


def test_other_lags_are_never_told() -> None:
    lag = _hazards([20])[1] | {"estimand": "hazard_ratio", "stratum": "ladder=study_drugs;lag_days=30"}
    rows, received = _received([*_hazards([20, 30, 40]), lag])
    withhold_hazards(rows, received, _hide, 5)
    assert (rows[-1]["status"], rows[-1]["event_count"], rows[-1]["person_days"]) == ("suppressed", None, None)
    assert rows[0]["status"] == "ok"


def _endings(counts: dict[str, list[int]], *, withheld: str = "") -> list[Row]:
    base = {"exposure_rule": "r", "population": "p", "regimen_id": "all", "value": 0.1, "person_count": 9}
    rows = [
        base
        | {
            "analysis": "ending_incidence",
            "stratum": "by=reason",
            "level": cause,
            "time_days": day,
            "event_count": count,
        }
        for cause, numbers in counts.items()
        for day, count in enumerate(numbers)
    ]
    share = base | {
        "analysis": "discontinuation",
        "stratum": "by=reason",
        "level": withheld,
        "time_days": None,
        "event_count": None,
    }
    return [*rows, share | {"status": "suppressed"}] if withheld else rows


def _told(rows: list[Row]) -> dict[str, set[str]]:
    told: dict[str, set[str]] = {}
    for row in rows:
        if row["analysis"] == "ending_incidence":
            told.setdefault(row["level"], set()).add(row["status"])
            assert row["person_count"] is None and row["event_count"] is None
    return told


def test_a_cause_that_gains_few_between_two_days_goes_with_another() -> None:
    rows, received = _received(_endings({"a": [10, 20], "b": [10, 13], "c": [30, 60], "d": [0, 0]}))
    withhold_endings(rows, received, _hide, 5)
    assert _told(rows) == {"a": {"suppressed"}, "b": {"suppressed"}, "c": {"ok"}, "d": {"ok"}}


def test_a_cause_whose_share_is_withheld_goes_and_large_ones_stay() -> None:
    rows, received = _received(_endings({"a": [10, 20], "b": [10, 30], "c": [30, 60]}, withheld="b"))
    withhold_endings(rows, received, _hide, 5)
    assert _told(rows) == {"a": {"suppressed"}, "b": {"suppressed"}, "c": {"ok"}}
    rows, received = _received(_endings({"a": [10, 20], "b": [10, 30], "c": [30, 60]}))
    withhold_endings(rows, received, _hide, 5)
    assert _told(rows) == {"a": {"ok"}, "b": {"ok"}, "c": {"ok"}}


def test_curves_of_endings_are_left_out() -> None:
    curve = pl.DataFrame({"analysis": ["persistence", "ending_incidence"], "value": [1.0, 0.1]})
    assert without_endings(curve)["analysis"].to_list() == ["persistence"]
