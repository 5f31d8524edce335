"""Components under the public profile: no small count is told, nor one that a reader could subtract."""

from __future__ import annotations

from typing import Any

import polars as pl

from analysis.analyses.components import component_incidence
from analysis.disclosure_components import withhold_components
from analysis.estimate.result import result_frame

Row = dict[str, Any]
LEVELS = ("0", "1", ">=2")


def _rows(events: dict[tuple[str, str], tuple[int, int, int]], *, suppressed: str = "") -> list[Row]:
    """Rates of components on one ladder: (outcome, component) -> events at each level; a composite beside each outcome."""
    cells = []
    for (outcome, component), counts in events.items():
        levels = [("toruner", level, 50, 9000, count) for level, count in zip(LEVELS, counts, strict=True)]
        everybody = ("overall", "all", 60, 27000, sum(counts))
        cells += [(outcome, component, *cell) for cell in (everybody, *levels)]
    frame = pl.DataFrame(
        cells,
        schema=["outcome_id", "component_id", "dimension", "level", "person_count", "person_days", "event_count"],
        orient="row",
    ).with_columns(exposure_rule=pl.lit("primary"), is_assessable=pl.lit(value=True))
    rows = result_frame(component_incidence(frame, confidence=0.95, is_assessable=True), study_digest="d").to_dicts()
    for outcome in {name for name, _ in events}:
        for level in LEVELS:
            rows.append(
                dict.fromkeys(rows[0])
                | {
                    "analysis": "incidence", "population": "all_time", "exposure_rule": "primary", "outcome_id": outcome,
                    "regimen_id": "", "stratum": "ladder=toruner", "level": level, "estimate_id": f"{outcome}{level}",
                    "status": "suppressed" if level == suppressed else "ok",
                }
            )  # fmt: skip
    return rows


def _shown(rows: list[Row], *, hides: bool = True) -> dict[tuple[str, str, str], Row]:
    """Rows of components after disclosure control: (outcome, component, level) -> row."""

    def hide(row: Row) -> None:
        if hides:
            row |= {"value": None, "lower": None, "upper": None, "person_days": None, "status": "suppressed"}
            row["event_count"] = None

    withhold_components(rows, {row["estimate_id"]: dict(row) for row in rows}, hide, 5)
    return {
        (row["outcome_id"], row["stratum"].split(";")[0].removeprefix("component="), row["level"]): row
        for row in rows
        if row["analysis"] == "component_incidence"
    }


def _told(shown: dict[tuple[str, str, str], Row], outcome: str, component: str) -> dict[str, int | None]:
    return {level: shown[outcome, component, level]["event_count"] for level in ("", *LEVELS)}


def test_a_small_count_takes_another_with_it_so_that_the_sum_does_not_tell_it() -> None:
    found = _told(_shown(_rows({("serious", "tb"): (20, 9, 3)})), "serious", "tb")
    assert found == {"": 32, "0": 20, "1": None, ">=2": None}
    untouched = _told(_shown(_rows({("serious", "tb"): (20, 9, 3)}), hides=False), "serious", "tb")
    assert untouched["1"] == 9, "else the count would be there"


def test_counts_that_are_not_small_and_zeros_stay() -> None:
    shown = _shown(_rows({("serious", "tb"): (20, 9, 0)}))
    assert _told(shown, "serious", "tb") == {"": 29, "0": 20, "1": 9, ">=2": 0}
    assert {row["person_count"] for row in shown.values()} == {None}


def test_a_level_goes_where_the_composite_was_withheld_at_it() -> None:
    found = _told(_shown(_rows({("serious", "tb"): (20, 9, 7)}, suppressed=">=2")), "serious", "tb")
    assert found == {"": 36, "0": 20, "1": None, ">=2": None}


def test_a_count_that_differs_by_few_from_the_same_component_of_another_outcome_goes() -> None:
    events = {("opportunistic", "tb"): (20, 9, 8), ("serious", "tb"): (18, 9, 8)}
    shown = _shown(_rows(events))
    assert _told(shown, "opportunistic", "tb") == {"": 37, "0": 20, "1": 9, ">=2": 8}
    serious = _told(shown, "serious", "tb")
    assert serious["0"] is None and serious[""] is None
    equal = _told(_shown(_rows(events | {("serious", "tb"): (20, 9, 8)})), "serious", "tb")
    assert equal == {"": 37, "0": 20, "1": 9, ">=2": 8}, "the same number tells nothing"
