"""Odds ratios of one table and of strata: against R, by hand, and every zero."""

import json
import math
import time
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.result import EstimationError
from analysis.estimate.two_by_two import (
    OddsRatioMethod,
    TwoByTwo,
    exact_conditional_stratified,
    mantel_haenszel_odds_ratio,
    odds_ratio,
)

TRUTH = Path(__file__).parents[3] / "truth"
TABLES = json.loads((TRUTH / "odds_ratio.json").read_text())
STRATA = json.loads((TRUTH / "stratified_odds_ratio.json").read_text())
FULL_TABLES = [row for row in TABLES if 0 not in row["cells"]]
ZERO_TABLES = [row for row in TABLES if 0 in row["cells"]]
EVERY_METHOD = get_args(OddsRatioMethod)
SIX_DIGITS = 1e-8  # R's roots, made precise, agree to ten digits; six are promised


def close(number: float | None) -> Any:
    """What agrees to the digits promised; None agrees with None."""
    return None if number is None else pytest.approx(number, rel=SIX_DIGITS)


def cells_of(row: dict[str, Any]) -> str:
    return "_".join(str(count) for count in row.get("cells", [])) or str(row["name"])


@pytest.mark.parametrize("row", FULL_TABLES, ids=cells_of)
def test_exact_conditional_is_fisher_test(row: dict[str, Any]) -> None:
    table = TwoByTwo(*row["cells"])
    answer = odds_ratio(table, method="exact_conditional", confidence=0.95)
    truth = [row[f"fisher_{part}"] for part in ("estimate", "lower", "upper", "p")]
    assert [answer.value, answer.lower, answer.upper, answer.p_value] == pytest.approx(truth, rel=SIX_DIGITS)
    at_90 = odds_ratio(table, method="exact_conditional", confidence=0.90)
    assert (at_90.lower, at_90.upper) == pytest.approx((row["fisher90_lower"], row["fisher90_upper"]), rel=SIX_DIGITS)


@pytest.mark.parametrize("row", FULL_TABLES, ids=cells_of)
def test_exact_mid_p_is_that_of_epitools(row: dict[str, Any]) -> None:
    answer = odds_ratio(TwoByTwo(*row["cells"]), method="exact_mid_p", confidence=0.95)
    truth = [row[f"mid_p_{part}"] for part in ("estimate", "lower", "upper")]
    assert [answer.value, answer.lower, answer.upper] == pytest.approx(truth, rel=SIX_DIGITS)
    # epitools takes its P from a difference with 1: below 1e-15 it says 0.
    assert answer.p_value == pytest.approx(row["mid_p_p"], rel=SIX_DIGITS, abs=1e-12)


@pytest.mark.parametrize("row", FULL_TABLES, ids=cells_of)
def test_woolf_is_the_wald_odds_ratio_of_epitools(row: dict[str, Any]) -> None:
    answer = odds_ratio(TwoByTwo(*row["cells"]), method="woolf", confidence=0.95)
    truth = [row[f"wald_{part}"] for part in ("estimate", "lower", "upper", "standard_error")]
    assert [answer.value, answer.lower, answer.upper, answer.standard_error] == pytest.approx(truth, rel=SIX_DIGITS)


def test_woolf_by_hand() -> None:
    answer = odds_ratio(TwoByTwo(10, 20, 5, 40), method="woolf", confidence=0.95)
    assert answer.value == 4.0
    assert answer.standard_error == pytest.approx(math.sqrt(1 / 10 + 1 / 20 + 1 / 5 + 1 / 40))
    assert answer.p_value == pytest.approx(math.erfc(math.log(4.0) / math.sqrt(0.375) / math.sqrt(2.0)))
    assert answer.event_count == 15


def test_median_unbiased_and_conditional_estimates_by_hand() -> None:
    # Margins 2, 3, 2: weights 3, 6, 1 for 0, 1, 2 exposed cases. Expected count 1: 6w + 2w^2 = 3 + 6w + w^2.
    table = TwoByTwo(1, 1, 1, 2)
    conditional = odds_ratio(table, method="exact_conditional", confidence=0.95)
    median = odds_ratio(table, method="exact_mid_p", confidence=0.95)
    assert conditional.value == pytest.approx(math.sqrt(3.0), rel=1e-12)
    assert median.value == pytest.approx(math.sqrt(3.0), rel=1e-12)  # w^2 = 3 balances the tails
    assert median.p_value == pytest.approx(2 * (1 / 10 + 6 / 20))


@pytest.mark.parametrize("row", ZERO_TABLES, ids=cells_of)
@pytest.mark.parametrize("method", ["exact_conditional", "exact_mid_p"])
def test_a_zero_cell_gives_one_exact_limit(row: dict[str, Any], method: OddsRatioMethod) -> None:
    table = TwoByTwo(*row["cells"])
    if table.empty_margin:
        assert odds_ratio(table, method=method, confidence=0.95).status == "not_estimable"
        return
    # Mid-P halves the one probability left, so its limit at 0.975 (tail 0.0125) is the conditional one at 0.95.
    answer = odds_ratio(table, method=method, confidence=0.95 if method == "exact_conditional" else 0.975)
    is_zero = row["fisher_estimate"] == 0
    assert (answer.status, answer.value) == (("ok", 0.0) if is_zero else ("limit_only", None))
    truth = row["fisher_upper"] if is_zero else row["fisher_lower"]
    assert (answer.upper if is_zero else answer.lower) == pytest.approx(truth, rel=SIX_DIGITS)
    assert (answer.lower if is_zero else answer.upper) == (0.0 if is_zero else None)
    if method == "exact_conditional":
        assert answer.p_value == pytest.approx(row["fisher_p"], rel=SIX_DIGITS)


@pytest.mark.parametrize(
    ("cells", "status", "named"),
    [
        ((0, 5, 7, 20), "ok", "exposed_cases is 0"),
        ((8, 3, 5, 0), "ok", "comparator_noncases is 0"),
        ((0, 5, 7, 0), "ok", "exposed_cases or comparator_noncases is 0"),
        ((5, 0, 7, 20), "limit_only", "exposed_noncases is 0"),
        ((3, 7, 0, 9), "limit_only", "comparator_cases is 0"),
    ],
)
def test_the_reason_names_the_zero_cell(cells: tuple[int, int, int, int], status: str, named: str) -> None:
    table = TwoByTwo(*cells)
    for method in EVERY_METHOD:
        answer = odds_ratio(table, method=method, confidence=0.95)
        if method == "haldane_anscombe":
            assert (answer.status, answer.reason) == ("ok", "0.5 was added to every cell")
        elif method == "woolf":
            assert (answer.status, answer.value, answer.lower, answer.upper) == ("not_estimable", None, None, None)
            assert all(cell in answer.reason for cell in table.zero_cells)
        else:
            assert (answer.status, answer.reason) == (status, named)
    stratum = mantel_haenszel_odds_ratio([table], confidence=0.95)
    assert (stratum.status, stratum.reason) == (status, f"{named}; the limit is exact conditional")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ((0, 0, 4, 9), "nobody is exposed"),
        ((4, 9, 0, 0), "nobody is in the comparator"),
        ((0, 31, 0, 31), "there are no cases"),
        ((3, 0, 8, 0), "there are no noncases"),
        ((0, 0, 0, 0), "nobody is exposed"),
    ],
)
def test_an_empty_margin_is_not_estimable(cells: tuple[int, int, int, int], reason: str) -> None:
    table = TwoByTwo(*cells)
    for method in EVERY_METHOD:
        answer = odds_ratio(table, method=method, confidence=0.95)
        assert (answer.status, answer.reason) == ("not_estimable", reason)
        assert (answer.value, answer.lower, answer.upper, answer.p_value) == (None, None, None, None)
        assert answer.event_count == table.case_count
    for stratified in (mantel_haenszel_odds_ratio, exact_conditional_stratified):
        assert stratified([table, table], confidence=0.95).reason == "every stratum has an empty margin"
        assert stratified([], confidence=0.95).reason == "there are no strata"


@pytest.mark.parametrize("row", STRATA, ids=cells_of)
def test_mantel_haenszel_is_mantelhaen_test(row: dict[str, Any]) -> None:
    tables = [TwoByTwo(*cells) for cells in row["strata"]]
    answer = mantel_haenszel_odds_ratio(tables, confidence=0.95)
    assert answer.p_value == pytest.approx(row["p"], rel=SIX_DIGITS)
    assert answer.event_count == sum(cells[0] + cells[2] for cells in row["strata"])
    if row["lower"] is not None:
        truth = [row["estimate"], row["lower"], row["upper"]]
        assert [answer.value, answer.lower, answer.upper] == pytest.approx(truth, rel=SIX_DIGITS)
        assert answer.standard_error == pytest.approx(
            math.log(row["upper"] / row["lower"]) / 2 / 1.959963984540054, rel=SIX_DIGITS
        )
    else:
        assert answer.standard_error is None
        assert (answer.value, answer.status) == (row["estimate"], "ok" if row["estimate"] == 0 else "limit_only")
        assert (answer.lower, answer.upper) == (close(row["exact_lower"]), close(row["exact_upper"]))


@pytest.mark.parametrize("row", STRATA, ids=cells_of)
def test_exact_stratified_is_mantelhaen_test_exact(row: dict[str, Any]) -> None:
    answer = exact_conditional_stratified([TwoByTwo(*cells) for cells in row["strata"]], confidence=0.95)
    truth = [close(row[f"exact_{part}"]) for part in ("estimate", "lower", "upper", "p")]
    assert [answer.value, answer.lower, answer.upper, answer.p_value] == truth
    assert answer.status == ("limit_only" if row["exact_estimate"] is None else "ok")


def test_strata_without_information_change_counts_only() -> None:
    tables = [TwoByTwo(2, 40, 9, 38), TwoByTwo(1, 22, 6, 25)]
    empty = [TwoByTwo(3, 0, 2, 0), TwoByTwo(0, 0, 2, 8)]
    for estimator in (mantel_haenszel_odds_ratio, exact_conditional_stratified):
        plain, padded = estimator(tables, confidence=0.95), estimator(tables + empty, confidence=0.95)
        assert (plain.value, plain.lower, plain.upper) == (padded.value, padded.lower, padded.upper)
        assert (plain.event_count, padded.event_count) == (18, 25)


def test_mantel_haenszel_of_one_stratum_is_the_cross_product_with_woolf_limits() -> None:
    table = TwoByTwo(12, 5, 7, 20)
    stratified = mantel_haenszel_odds_ratio([table], confidence=0.95)
    woolf = odds_ratio(table, method="woolf", confidence=0.95)
    assert (stratified.value, stratified.lower, stratified.upper) == pytest.approx(
        (woolf.value, woolf.lower, woolf.upper), rel=1e-12
    )


def test_zeros_of_mixed_cells_are_named_together() -> None:
    tables = [TwoByTwo(0, 9, 3, 9), TwoByTwo(4, 2, 6, 0)]
    answer = mantel_haenszel_odds_ratio(tables, confidence=0.95)
    assert answer.reason.startswith("exposed_cases or comparator_noncases is 0 in every informative stratum")
    exact = exact_conditional_stratified(tables, confidence=0.95)
    assert (answer.value, answer.upper) == (0.0, pytest.approx(exact.upper, rel=1e-9))


def test_the_exact_limit_of_large_zero_strata_needs_no_convolution() -> None:
    tables = [TwoByTwo(0, 9_000_000, 40_000, 9_000_000), TwoByTwo(0, 5_000, 9, 90_000)]
    answer = mantel_haenszel_odds_ratio(tables, confidence=0.95)
    assert answer.upper == pytest.approx(-math.log(0.025) / 40_000.5, rel=1e-3)  # Poisson: 40,000.5 expected
    with pytest.raises(EstimationError, match="exact strata allow 5000"):
        exact_conditional_stratified(tables, confidence=0.95)


@pytest.mark.parametrize("method", ["exact_conditional", "exact_mid_p"])
def test_margins_of_ten_million_are_exact_and_fast(method: OddsRatioMethod) -> None:
    table = TwoByTwo(3_000_000, 7_000_000, 2_000_000, 8_000_000)
    before = time.perf_counter()
    exact = odds_ratio(table, method=method, confidence=0.95)
    assert time.perf_counter() - before < 5.0
    woolf = odds_ratio(table, method="woolf", confidence=0.95)
    assert (exact.value, exact.lower, exact.upper) == pytest.approx((woolf.value, woolf.lower, woolf.upper), rel=1e-6)


def test_rare_cases_in_ten_million_follow_the_binomial_limit() -> None:
    # 20 of 220 cases exposed at equal time: given the cases, a binomial whose odds are the odds ratio.
    table = TwoByTwo(20, 10_000_000, 200, 10_000_000)
    answer = odds_ratio(table, method="exact_conditional", confidence=0.95)
    assert answer.value == pytest.approx(0.1, rel=1e-6)
    # R: binom.test(20, 220)$conf.int as odds.
    assert (answer.lower, answer.upper) == pytest.approx((0.0597894, 0.1586259), rel=1e-5)


@pytest.mark.parametrize("cells", [(-1, 2, 3, 4), (1, 2, 3, -4), (1.5, 2, 3, 4), (None, 2, 3, 4)])
def test_a_cell_that_is_no_count_is_refused(cells: tuple[Any, Any, Any, Any]) -> None:
    with pytest.raises(EstimationError, match="a cell is a whole number from 0"):
        TwoByTwo(*cells)


def test_an_unknown_method_and_a_percentage_are_refused() -> None:
    table = TwoByTwo(1, 2, 3, 4)
    with pytest.raises(EstimationError, match="unknown method"):
        odds_ratio(table, method="fisher", confidence=0.95)  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="between 0 and 1"):
        odds_ratio(table, method="woolf", confidence=95)


CELLS = st.integers(0, 300)
TABLE = st.builds(TwoByTwo, CELLS, CELLS, CELLS, CELLS)


def inverse(number: float | None) -> float | None:
    return None if number is None or number == 0 else 1 / number


@settings(deadline=None)
@given(table=TABLE, method=st.sampled_from(EVERY_METHOD))
def test_swapping_the_groups_inverts_value_and_limits(table: TwoByTwo, method: OddsRatioMethod) -> None:
    one = odds_ratio(table, method=method, confidence=0.95)
    other = odds_ratio(table.groups_swapped, method=method, confidence=0.95)
    assert inverse(one.value) == (None if not other.value else pytest.approx(other.value, rel=1e-8))
    assert inverse(one.upper) == (None if not other.lower else pytest.approx(other.lower, rel=1e-8))
    assert inverse(one.lower) == (None if other.upper is None else pytest.approx(other.upper, rel=1e-8))
    assert one.p_value == (None if other.p_value is None else pytest.approx(other.p_value, rel=1e-8))


@settings(deadline=None)
@given(table=TABLE)
def test_swapping_cases_and_noncases_inverts_the_exact_estimate(table: TwoByTwo) -> None:
    turned = TwoByTwo(table.exposed_noncases, table.exposed_cases, table.comparator_noncases, table.comparator_cases)
    one = odds_ratio(table, method="exact_mid_p", confidence=0.95)
    other = odds_ratio(turned, method="exact_mid_p", confidence=0.95)
    assert inverse(one.value) == (None if not other.value else pytest.approx(other.value, rel=1e-8))


@settings(deadline=None)
@given(table=TABLE)
def test_mid_p_limits_lie_within_the_conditional_ones(table: TwoByTwo) -> None:
    wide = odds_ratio(table, method="exact_conditional", confidence=0.95)
    narrow = odds_ratio(table, method="exact_mid_p", confidence=0.95)
    if wide.lower is not None and narrow.lower is not None:
        assert wide.lower <= narrow.lower * (1 + 1e-9)
    if wide.upper is not None and narrow.upper is not None:
        assert narrow.upper <= wide.upper * (1 + 1e-9)


@settings(max_examples=50, deadline=None)
@given(table=st.builds(TwoByTwo, *[st.integers(0, 60)] * 4))
def test_one_stratum_is_the_single_table(table: TwoByTwo) -> None:
    single = odds_ratio(table, method="exact_conditional", confidence=0.95)
    stratum = exact_conditional_stratified([table], confidence=0.95)
    for one, other in zip(
        (single.value, single.lower, single.upper, single.p_value),
        (stratum.value, stratum.lower, stratum.upper, stratum.p_value),
        strict=True,
    ):
        assert one == (None if other is None else pytest.approx(other, rel=1e-9))


@settings(deadline=None)
@given(table=TABLE, copies=st.integers(2, 5))
def test_repeating_a_stratum_keeps_the_mantel_haenszel_value_and_narrows_it(table: TwoByTwo, copies: int) -> None:
    once = mantel_haenszel_odds_ratio([table], confidence=0.95)
    often = mantel_haenszel_odds_ratio([table] * copies, confidence=0.95)
    assert often.value == (None if once.value is None else pytest.approx(once.value, rel=1e-12))
    if once.standard_error is not None:
        assert often.standard_error == pytest.approx(once.standard_error / math.sqrt(copies), rel=1e-9)
