"""Trends over levels: against R, by hand, and what says nothing."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from analysis.estimate.result import EstimationError
from analysis.estimate.trend import Level, cochran_armitage, mantel_extension
from analysis.estimate.two_by_two import TwoByTwo, mantel_haenszel_odds_ratio

ROWS = json.loads((Path(__file__).parents[3] / "truth" / "stratified_risk.json").read_text())["trend"]


def strata_of(row: dict[str, Any]) -> list[list[Level]]:
    return [[Level(*level) for level in stratum] for stratum in row["strata"]]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_the_trend_over_strata_is_the_score_test_of_conditional_regression(row: dict[str, Any]) -> None:
    answer = mantel_extension(strata_of(row))
    assert answer.value is not None
    assert answer.value**2 == pytest.approx(row["extension_chisq"], rel=1e-9)
    assert answer.p_value == pytest.approx(math.erfc(math.sqrt(row["extension_chisq"] / 2)), rel=1e-8)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_the_crude_trend_is_prop_trend_test(row: dict[str, Any]) -> None:
    levels = [level for stratum in strata_of(row) for level in stratum]
    answer = cochran_armitage(levels)
    assert answer.value is not None
    assert (answer.value**2, answer.p_value) == pytest.approx((row["crude_chisq"], row["crude_p"]), rel=1e-9)


def test_z_has_the_sign_of_the_slope() -> None:
    rising = [Level(0, 1, 99), Level(1, 5, 95), Level(2, 9, 91)]
    up = cochran_armitage(rising).value
    down = cochran_armitage([Level(-level.score, level.cases, level.noncases) for level in rising]).value
    assert up is not None
    assert up > 2.0
    assert down == -up


def test_two_levels_over_strata_are_the_cochran_mantel_haenszel_test() -> None:
    tables = [TwoByTwo(2, 40, 9, 38), TwoByTwo(1, 22, 6, 25), TwoByTwo(4, 61, 11, 58)]
    strata = [
        [Level(0, t.comparator_cases, t.comparator_noncases), Level(1, t.exposed_cases, t.exposed_noncases)]
        for t in tables
    ]
    answer = mantel_extension(strata)
    assert answer.p_value == pytest.approx(mantel_haenszel_odds_ratio(tables, confidence=0.95).p_value, rel=1e-12)


def test_scores_count_by_their_spacing_only() -> None:
    levels = [Level(0, 1, 99), Level(1, 5, 95), Level(3, 9, 91)]
    moved = [Level(2020 + 10 * level.score, level.cases, level.noncases) for level in levels]
    assert cochran_armitage(moved).value == pytest.approx(cochran_armitage(levels).value, rel=1e-12)


@pytest.mark.parametrize(
    ("strata", "reason"),
    [
        ([], "no stratum has cases and noncases"),
        ([[]], "no stratum has cases and noncases"),
        ([[Level(0, 0, 9), Level(1, 0, 4)]], "no stratum has cases and noncases"),
        ([[Level(0, 9, 0), Level(1, 4, 0)]], "no stratum has cases and noncases"),
        ([[Level(0, 3, 9), Level(1, 0, 0)]], "only one level has persons"),
        ([[Level(2, 3, 9), Level(2, 1, 1)]], "only one level has persons"),
    ],
)
def test_levels_that_say_nothing_are_not_estimable(strata: list[list[Level]], reason: str) -> None:
    answer = mantel_extension(strata)
    assert (answer.status, answer.reason, answer.value) == ("not_estimable", reason, None)
    if len(strata) == 1:
        assert cochran_armitage(strata[0]).reason == reason


def test_strata_that_say_nothing_change_counts_only() -> None:
    informative = [Level(0, 1, 9), Level(1, 5, 5)]
    plain, padded = mantel_extension([informative]), mantel_extension([informative, [Level(1, 7, 2)], [Level(0, 0, 3)]])
    assert (plain.value, plain.p_value) == (padded.value, padded.p_value)
    assert (plain.event_count, padded.event_count, padded.person_count) == (6, 13, 32)


@pytest.mark.parametrize(("score", "cases", "noncases"), [(0, -1, 2), (0, 1, -2), (math.nan, 1, 2), (math.inf, 1, 2)])
def test_what_is_no_level_is_refused(score: float, cases: int, noncases: int) -> None:
    with pytest.raises(EstimationError):
        Level(score, cases, noncases)
