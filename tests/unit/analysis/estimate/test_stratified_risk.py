"""Risks over strata and homogeneity: against R, by hand, and every zero."""

import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest

from analysis.estimate.result import EstimationError
from analysis.estimate.risk import risk_difference, risk_ratio
from analysis.estimate.stratified_risk import (
    RiskDifferenceMethod,
    _expected_cells,
    breslow_day_tarone,
    mantel_haenszel_risk_difference,
    mantel_haenszel_risk_ratio,
)
from analysis.estimate.two_by_two import TwoByTwo, mantel_haenszel_odds_ratio

STRATA = json.loads((Path(__file__).parents[3] / "truth" / "stratified_risk.json").read_text())["strata"]
EVERY_METHOD = get_args(RiskDifferenceMethod)


def close(number: float | None) -> Any:
    return None if number is None else pytest.approx(number, rel=1e-11)


def tables_of(row: dict[str, Any]) -> list[TwoByTwo]:
    return [TwoByTwo(*cells) for cells in row["strata"]]


@pytest.mark.parametrize("row", STRATA, ids=lambda row: row["name"])
def test_the_risk_ratio_is_that_of_metafor(row: dict[str, Any]) -> None:
    answer = mantel_haenszel_risk_ratio(tables_of(row), confidence=0.95)
    truth = [row[key] for key in ("ratio", "ratio_lower", "ratio_upper", "ratio_standard_error", "ratio_p")]
    assert [answer.value, answer.lower, answer.upper, answer.standard_error, answer.p_value] == pytest.approx(
        truth, rel=1e-9
    )


@pytest.mark.parametrize("row", STRATA, ids=lambda row: row["name"])
def test_the_risk_difference_is_that_of_metafor_and_of_epir(row: dict[str, Any]) -> None:
    sato = mantel_haenszel_risk_difference(tables_of(row), method="mantel_haenszel_sato", confidence=0.95)
    truth = [row[key] for key in ("difference", "difference_lower", "difference_upper", "difference_p")]
    assert [sato.value, sato.lower, sato.upper, sato.p_value] == pytest.approx(truth, rel=1e-9)
    robins = mantel_haenszel_risk_difference(tables_of(row), method="mantel_haenszel_greenland_robins", confidence=0.95)
    truth = [row[key] for key in ("difference", "greenland_robins_lower", "greenland_robins_upper")]
    assert [robins.value, robins.lower, robins.upper] == pytest.approx(truth, rel=1e-9)


@pytest.mark.parametrize("row", STRATA, ids=lambda row: row["name"])
def test_homogeneity_is_that_of_metafor(row: dict[str, Any]) -> None:
    answer = breslow_day_tarone(tables_of(row))
    assert [answer.value, answer.p_value] == pytest.approx([row["tarone"], row["tarone_p"]], rel=1e-9)


def test_one_stratum_is_the_single_table() -> None:
    table = TwoByTwo(12, 5, 7, 20)
    one, single = (
        mantel_haenszel_risk_ratio([table], confidence=0.95),
        risk_ratio(table, method="katz", confidence=0.95),
    )
    assert (one.value, one.lower, one.upper) == pytest.approx((single.value, single.lower, single.upper), rel=1e-12)


@pytest.mark.parametrize("cells", [(0, 5, 7, 20), (3, 7, 0, 9), (5, 0, 7, 0)])
def test_one_stratum_with_a_zero_has_the_score_limits_of_the_table(cells: tuple[int, int, int, int]) -> None:
    table = TwoByTwo(*cells)
    one, single = (
        mantel_haenszel_risk_ratio([table], confidence=0.95),
        risk_ratio(table, method="koopman", confidence=0.95),
    )
    assert (one.status, one.value) == (single.status, single.value)
    assert (one.lower, one.upper) == (close(single.lower), close(single.upper))
    assert one.reason.endswith("; the limits are those of the score")
    difference = mantel_haenszel_risk_difference([table], method="mantel_haenszel_sato", confidence=0.95)
    of_table = risk_difference(table, method="miettinen_nurminen", confidence=0.95)
    assert (difference.value, difference.lower, difference.upper) == (
        close(of_table.value), close(of_table.lower), close(of_table.upper)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("strata", "status", "reason"),
    [
        ([(0, 6, 3, 9), (0, 4, 2, 5)], "ok", "exposed_cases is 0 in every stratum"),
        ([(3, 6, 0, 9), (2, 4, 0, 5)], "limit_only", "comparator_cases is 0 in every stratum"),
        ([(3, 0, 4, 0), (2, 0, 5, 0)], "ok", "no stratum has cases and noncases"),
        ([(3, 0, 4, 0), (0, 2, 0, 5)], "ok", "no stratum has cases and noncases"),
    ],
)
def test_zeros_in_every_stratum_have_score_limits(
    strata: list[tuple[int, int, int, int]], status: str, reason: str
) -> None:
    tables = [TwoByTwo(*cells) for cells in strata]
    answer = mantel_haenszel_risk_ratio(tables, confidence=0.95)
    assert (answer.status, answer.reason) == (status, f"{reason}; the limits are those of the score")
    assert answer.lower is not None
    assert (answer.upper is None) == (status == "limit_only")
    more = mantel_haenszel_risk_ratio(tables * 4, confidence=0.95)  # the same, known better
    assert more.lower is not None
    assert more.lower >= answer.lower
    assert answer.upper is None or (more.upper is not None and more.upper < answer.upper)


@pytest.mark.parametrize("method", EVERY_METHOD)
@pytest.mark.parametrize("cells", [(0, 5, 30, 70), (5, 0, 30, 70), (30, 70, 0, 5), (30, 70, 5, 0), (0, 31, 0, 31)])
def test_a_group_of_no_or_only_cases_does_not_lose_its_uncertainty(
    cells: tuple[int, int, int, int], method: RiskDifferenceMethod
) -> None:
    answer = mantel_haenszel_risk_difference([TwoByTwo(*cells)], method=method, confidence=0.95)
    assert answer.reason.endswith("is 0 in every stratum; the limits are those of the score")
    assert answer.lower is not None
    assert answer.upper is not None
    # Wald limits of 30 of 100 alone are 0.18 apart; five persons more cannot say less than that.
    assert answer.upper - answer.lower > 0.2
    assert answer.standard_error is None


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_strata_without_cases_count_in_a_difference_only(method: RiskDifferenceMethod) -> None:
    tables, empty = [TwoByTwo(2, 40, 9, 38), TwoByTwo(1, 22, 6, 25)], [TwoByTwo(0, 50, 0, 50)]
    plain = mantel_haenszel_risk_difference(tables, method=method, confidence=0.95)
    padded = mantel_haenszel_risk_difference(tables + empty, method=method, confidence=0.95)
    assert plain.value is not None
    assert padded.value is not None
    assert abs(padded.value) < abs(plain.value)
    ratio, same = (mantel_haenszel_risk_ratio(each, confidence=0.95) for each in (tables, tables + empty))
    assert (ratio.value, ratio.lower) == (same.value, same.lower)


def test_strata_with_an_empty_group_change_counts_only() -> None:
    tables, empty = [TwoByTwo(2, 40, 9, 38), TwoByTwo(1, 22, 6, 25)], [TwoByTwo(0, 0, 4, 8)]
    plain, padded = (mantel_haenszel_risk_ratio(each, confidence=0.95) for each in (tables, tables + empty))
    assert (plain.value, plain.lower, plain.upper) == (padded.value, padded.lower, padded.upper)
    assert (plain.event_count, padded.event_count) == (18, 22)


@pytest.mark.parametrize(
    ("strata", "reason"),
    [
        ([], "there are no strata"),
        ([(0, 0, 4, 8), (3, 3, 0, 0)], "every stratum has an empty group"),
        ([(0, 9, 0, 8), (3, 3, 0, 0)], "there are no cases in strata with both groups"),
    ],
)
def test_strata_without_information_are_not_estimable(strata: list[tuple[int, int, int, int]], reason: str) -> None:
    tables = [TwoByTwo(*cells) for cells in strata]
    answer = mantel_haenszel_risk_ratio(tables, confidence=0.95)
    assert (answer.status, answer.reason) == ("not_estimable", reason)
    difference = mantel_haenszel_risk_difference(tables, method="mantel_haenszel_sato", confidence=0.95)
    assert difference.status == ("ok" if "no cases" in reason else "not_estimable")


def test_the_sparse_variance_sees_pairs_where_the_other_sees_nothing() -> None:
    # One exposed and one comparator a stratum: every Greenland-Robins term is 0.
    pairs = [TwoByTwo(1, 0, 0, 1)] * 12 + [TwoByTwo(0, 1, 1, 0)] * 4
    robins = mantel_haenszel_risk_difference(pairs, method="mantel_haenszel_greenland_robins", confidence=0.95)
    assert robins.reason == "the variance is 0; the limits are those of the score"
    sato = mantel_haenszel_risk_difference(pairs, method="mantel_haenszel_sato", confidence=0.95)
    # The variance of a mean of 16 paired differences: (16 - 8^2 / 16) / 16^2.
    assert (sato.value, sato.standard_error) == (0.5, pytest.approx(math.sqrt(12 / 256)))


@pytest.mark.parametrize(
    ("strata", "reason"),
    [
        ([(12, 5, 7, 20)], "strata with both groups, cases and noncases: 1, two are needed"),
        ([(12, 5, 7, 20), (3, 0, 2, 0)], "strata with both groups, cases and noncases: 1, two are needed"),
        ([(0, 6, 3, 9), (0, 4, 2, 5)], "no common odds ratio: exposed_cases is 0"),
        ([(3, 6, 0, 9), (2, 4, 0, 5)], "no common odds ratio: comparator_cases is 0"),
    ],
)
def test_homogeneity_needs_two_strata_and_a_common_odds_ratio(
    strata: list[tuple[int, int, int, int]], reason: str
) -> None:
    answer = breslow_day_tarone([TwoByTwo(*cells) for cells in strata])
    assert answer.status == "not_estimable"
    assert answer.reason.startswith(reason)


def test_equal_odds_ratios_are_homogeneous_and_opposite_ones_are_not() -> None:
    equal = breslow_day_tarone([TwoByTwo(20, 10, 10, 20), TwoByTwo(200, 100, 100, 200)])
    assert (equal.value, equal.p_value) == (pytest.approx(0.0, abs=1e-12), pytest.approx(1.0))
    opposite = breslow_day_tarone([TwoByTwo(20, 10, 10, 20), TwoByTwo(10, 20, 20, 10)])
    # The common odds ratio is 1: expected 15, variance 30 * 30 * 30 * 30 / 60^3 = 3.75.
    assert opposite.value == pytest.approx(2 * 25 / 3.75)
    assert opposite.p_value == pytest.approx(math.erfc(math.sqrt(2 * 25 / 3.75 / 2)))


@pytest.mark.parametrize(
    "tables",
    [
        [TwoByTwo(9_999_999, 1, 1, 9_999_999), TwoByTwo(5_000_000, 1, 2, 5_000_000)],
        [TwoByTwo(1, 9_999_999, 9_999_999, 1), TwoByTwo(3, 5_000_000, 5_000_000, 4)],
        [TwoByTwo(3, 10_000_000, 90, 10), TwoByTwo(1, 40, 9_000_000, 9_000_000)],
    ],
)
def test_extreme_odds_ratios_have_expected_cells_with_all_their_digits(tables: list[TwoByTwo]) -> None:
    answer = breslow_day_tarone(tables)
    assert answer.status == "ok"
    common = mantel_haenszel_odds_ratio(tables, confidence=0.95).value
    assert common is not None
    for table in tables:
        a, b, c, d = _expected_cells(table, common)
        assert a * d / (b * c) == pytest.approx(common, rel=1e-9)
        assert (a + b, a + c) == pytest.approx((table.margins.exposed, table.case_count), rel=1e-12)


def test_limits_of_a_difference_stop_at_one() -> None:
    tables = [TwoByTwo(2, 0, 0, 1), TwoByTwo(2, 1, 1, 2)]
    for method in EVERY_METHOD:
        answer = mantel_haenszel_risk_difference(tables, method=method, confidence=0.95)
        assert (answer.reason, answer.upper) == ("", 1.0)
        turned = mantel_haenszel_risk_difference([t.groups_swapped for t in tables], method=method, confidence=0.95)
        assert turned.lower == -1.0


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(EstimationError, match="unknown method"):
        mantel_haenszel_risk_difference([TwoByTwo(1, 2, 3, 4)], method="wald", confidence=0.95)  # type: ignore[arg-type]
