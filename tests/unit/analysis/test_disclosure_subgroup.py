"""Subgroups under the public profile: small ones go with as many others as keep the sums from telling them."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.disclosure_subgroup import COUNTS, withhold_subgroups

Row = dict[str, Any]
Levels = dict[str, tuple[int, int, int, int, int]]  # persons; events and days on one; events and days on two or more
LARGE: Levels = {"a": (900, 40, 9000, 30, 8000), "b": (700, 50, 7000, 20, 6000), "c": (800, 60, 5000, 10, 4000)}


def _hide(row: Row) -> None:
    row |= {"value": None, "status": "suppressed"}


def _rows(variables: dict[str, Levels], *, whole: str = "ok") -> tuple[list[Row], dict[str, Row]]:
    base = {"analysis": "subgroup_hazard", "exposure_rule": "r", "outcome_id": "o", "status": "ok", "value": 2.0}
    rows: list[Row] = []
    for variable, levels in variables.items():
        counts = {"person_count": 9, "event_count": 9, "person_days": 9}
        rows.append(
            base | counts | {"estimand": "test", "level": ">=2", "stratum": f"by={variable};ladder=study_drugs"}
        )
        for level, (persons, events_one, days_one, events_two, days_two) in levels.items():
            cells = [
                ("hazard_ratio", ">=2", events_one + events_two, days_one + days_two + 77),
                ("incidence_rate_per_100py", "1", events_one, days_one),
                ("incidence_rate_per_100py", ">=2", events_two, days_two),
            ]
            rows += [
                base
                | {
                    "estimand": estimand, "level": rung, "stratum": ";".join(sorted(["ladder=study_drugs", f"{variable}={level}"])),
                    "person_count": persons, "event_count": events, "person_days": days,
                }
                for estimand, rung, events, days in cells
            ]  # fmt: skip
    rows.append(
        base
        | {
            "analysis": "time_varying_hazard",
            "estimand": "hazard_ratio",
            "stratum": "ladder=study_drugs",
            "level": ">=2",
        }
        | {"status": whole, "person_count": 2400, "event_count": 210, "person_days": 39231}
    )
    named = [row | {"estimate_id": str(number)} for number, row in enumerate(rows)]
    received = {row["estimate_id"]: dict(row) for row in named}
    withhold_subgroups(named, received, _hide, 5)
    return named, received


def _hidden(rows: list[Row], variable: str = "sex") -> set[str]:
    return {
        part.split("=")[1]
        for row in rows
        if row["status"] == "suppressed"
        for part in row["stratum"].split(";")
        if part.startswith(f"{variable}=")
    }


def _test(rows: list[Row], variable: str = "sex") -> Row:
    return next(row for row in rows if row["estimand"] == "test" and f"by={variable}" in row["stratum"])


def test_large_subgroups_stay_and_the_test_keeps_no_counts() -> None:
    rows, _ = _rows({"sex": LARGE})
    assert _hidden(rows) == set()
    test = _test(rows)
    assert test["status"] == "ok" and all(test[name] is None for name in COUNTS)
    told = {(row["estimand"], row["person_count"] is None) for row in rows if "=a" in row["stratum"]}
    assert told == {("hazard_ratio", False), ("incidence_rate_per_100py", True)}


@pytest.mark.parametrize("place", [0, 1, 3])
def test_one_small_count_takes_its_subgroup_another_and_the_test(place: int) -> None:
    small = list(LARGE["c"])
    small[place] = 4
    rows, _ = _rows({"sex": LARGE | {"c": tuple(small)}, "steroids": LARGE})  # type: ignore[dict-item]
    assert "c" in _hidden(rows) and len(_hidden(rows)) == 2
    assert _test(rows)["status"] == "suppressed"
    gone = [row for row in rows if row["status"] == "suppressed"]
    assert all(row[name] is None for row in gone for name in COUNTS)
    assert _hidden(rows, "steroids") == set() and _test(rows, "steroids")["status"] == "ok"


def test_five_is_not_few_and_none_is_told_with_its_limit() -> None:
    rows, _ = _rows({"sex": LARGE | {"c": (800, 5, 5000, 5, 4000)}})
    assert _hidden(rows) == set()
    rows, _ = _rows({"sex": LARGE | {"c": (800, 60, 5000, 0, 4000)}})
    assert _hidden(rows) == set()


def test_of_two_subgroups_both_go_and_hidden_counts_cannot_be_subtracted() -> None:
    rows, received = _rows({"sex": {"a": LARGE["a"], "b": (700, 50, 7000, 3, 6000)}})
    assert _hidden(rows) == {"a", "b"}
    rows, received = _rows({"sex": LARGE | {"c": (800, 60, 5000, 2, 4000), "d": (800, 60, 5000, 1, 4000)}})
    hidden = _hidden(rows)
    events = sum(
        received[row["estimate_id"]]["event_count"]
        for row in rows
        if row["estimand"] == "incidence_rate_per_100py" and row["level"] == ">=2" and row["status"] == "suppressed"
    )
    assert {"c", "d"} < hidden, "their three events would follow from the sum"
    assert events >= 5


def test_where_the_whole_is_withheld_all_subgroups_are() -> None:
    rows, _ = _rows({"sex": LARGE, "steroids": LARGE}, whole="suppressed")
    assert {row["status"] for row in rows} == {"suppressed"}


def test_what_is_not_assessable_stays_so() -> None:
    row = {
        "analysis": "subgroup_hazard", "estimand": "test", "stratum": "by=steroids;ladder=study_drugs", "status": "not_assessable",
        "estimate_id": "0", "exposure_rule": "r", "outcome_id": "o", "level": ">=2",
    }  # fmt: skip
    rows = [dict(row)]
    withhold_subgroups(rows, {"0": row}, _hide, 5)
    assert rows == [row]
