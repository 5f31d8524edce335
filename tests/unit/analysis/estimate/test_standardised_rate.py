"""Directly standardised rates: against R, a published example, and every zero."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from analysis.estimate.incidence import incidence_rate_per_100py
from analysis.estimate.result import EstimationError
from analysis.estimate.standardised_rate import StandardStratum, directly_standardised_rate_per_100py

ROWS = json.loads((Path(__file__).parents[3] / "truth" / "rates.json").read_text())["standardised"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_rate_and_limits_are_those_of_epitools(row: dict[str, Any]) -> None:
    strata = [StandardStratum(*stratum) for stratum in row["strata"]]
    answer = directly_standardised_rate_per_100py(strata, confidence=row["confidence"])
    assert [answer.value, answer.lower, answer.upper] == pytest.approx(
        [row["rate"], row["lower"], row["upper"]], rel=1e-9
    )


def test_one_stratum_is_the_crude_rate_with_garwood_limits() -> None:
    for events in (0, 1, 12):
        answer = directly_standardised_rate_per_100py([StandardStratum(events, 73_050, 7.0)], confidence=0.95)
        crude = incidence_rate_per_100py(events, 73_050, person_count=None, confidence=0.95)
        assert [answer.value, answer.lower, answer.upper] == pytest.approx(
            [crude.value, crude.lower, crude.upper], rel=1e-12
        )


def test_no_events_leave_the_limit_of_the_heaviest_stratum() -> None:
    answer = directly_standardised_rate_per_100py(
        [StandardStratum(0, 36_525, 3.0), StandardStratum(0, 36_525, 1.0)], confidence=0.95
    )
    assert (answer.status, answer.value, answer.lower) == ("ok", 0.0, 0.0)
    assert answer.upper == pytest.approx(-0.75 * math.log(0.025), rel=1e-12)


@pytest.mark.parametrize(
    ("strata", "reason"),
    [
        ([], "no stratum has a standard weight"),
        ([StandardStratum(1, 100, 0.0)], "no stratum has a standard weight"),
        (
            [StandardStratum(1, 100, 1.0), StandardStratum(0, 0, 1.0)],
            "strata of the standard without person-days: 1 of 2",
        ),
    ],
)
def test_a_standard_that_cannot_be_filled_is_not_estimable(strata: list[StandardStratum], reason: str) -> None:
    answer = directly_standardised_rate_per_100py(strata, confidence=0.95)
    assert (answer.status, answer.reason, answer.value, answer.upper) == ("not_estimable", reason, None, None)


def test_a_stratum_outside_the_standard_changes_counts_only() -> None:
    inside = [StandardStratum(2, 900, 3.0), StandardStratum(1, 400, 1.0)]
    outside = [StandardStratum(0, 0, 0.0), StandardStratum(5, 70, 0.0)]
    plain = directly_standardised_rate_per_100py(inside, confidence=0.95)
    padded = directly_standardised_rate_per_100py(inside + outside, confidence=0.95)
    assert (plain.value, plain.upper) == (padded.value, padded.upper)
    assert (plain.event_count, padded.event_count, padded.person_days) == (3, 8, 1370)


@pytest.mark.parametrize(
    "stratum", [(-1, 5, 1.0), (1, -5, 1.0), (1, 0, 1.0), (1, 5, -1.0), (1, 5, math.nan), (1, 5, math.inf)]
)
def test_what_is_no_stratum_is_refused(stratum: tuple[int, int, float]) -> None:
    with pytest.raises(EstimationError):
        StandardStratum(*stratum)
