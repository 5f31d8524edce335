"""Rate ratios and differences of two groups and of strata: against R, by hand, and every zero."""

import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.rates import (
    RateRatioMethod,
    TwoRates,
    mantel_haenszel_rate_difference_per_100py,
    mantel_haenszel_rate_ratio,
    rate_difference_per_100py,
    rate_ratio,
)
from analysis.estimate.result import EstimationError

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "rates.json").read_text())
EVERY_METHOD = get_args(RateRatioMethod)


def close(number: float | None) -> Any:
    return None if number is None else pytest.approx(number, rel=1e-9, abs=1e-15)


def name_of(row: dict[str, Any]) -> str:
    return str(row.get("name", row.get("cells")))


def tables_of(row: dict[str, Any]) -> list[TwoRates]:
    return [TwoRates(*cells) for cells in row["strata"]]


@pytest.mark.parametrize("row", [row for row in TRUTH["tables"] if "ratio" in row], ids=name_of)
def test_the_exact_rate_ratio_is_poisson_test(row: dict[str, Any]) -> None:
    answer = rate_ratio(TwoRates(*row["cells"]), method="exact_conditional", confidence=0.95)
    truth = [close(row[key]) for key in ("ratio", "lower", "upper", "p")]
    assert [answer.value, answer.lower, answer.upper, answer.p_value] == truth
    assert answer.status == ("limit_only" if row["ratio"] is None else "ok")


@pytest.mark.parametrize("row", [row for row in TRUTH["tables"] if "mid_p_ratio" in row], ids=name_of)
def test_the_mid_p_rate_ratio_is_that_of_epitools(row: dict[str, Any]) -> None:
    answer = rate_ratio(TwoRates(*row["cells"]), method="exact_mid_p", confidence=0.95)
    truth = [close(row[f"mid_p_{key}"]) for key in ("ratio", "lower", "upper", "p")]
    assert [answer.value, answer.lower, answer.upper, answer.p_value] == truth


@pytest.mark.parametrize("row", TRUTH["tables"], ids=name_of)
def test_limits_of_a_difference_combine_the_exact_limits_of_two_rates(row: dict[str, Any]) -> None:
    answer = rate_difference_per_100py(TwoRates(*row["cells"]), confidence=0.95)
    truth = [close(row[key]) for key in ("difference", "mover_lower", "mover_upper")]
    assert (answer.status, [answer.value, answer.lower, answer.upper]) == ("ok", truth)


@pytest.mark.parametrize("row", TRUTH["strata"], ids=name_of)
def test_strata_are_those_of_metafor(row: dict[str, Any]) -> None:
    ratio = mantel_haenszel_rate_ratio(tables_of(row), confidence=0.95)
    truth = [close(row[f"ratio{key}"]) for key in ("", "_lower", "_upper", "_standard_error")]
    assert [ratio.value, ratio.lower, ratio.upper, ratio.standard_error] == truth
    assert ratio.p_value == close(row["score_p"])
    difference = mantel_haenszel_rate_difference_per_100py(tables_of(row), confidence=0.95)
    truth = [close(row[f"difference{key}"]) for key in ("", "_lower", "_upper", "_p")]
    assert [difference.value, difference.lower, difference.upper, difference.p_value] == truth


@pytest.mark.parametrize("method", EVERY_METHOD)
def test_zeros_have_one_exact_limit(method: RateRatioMethod) -> None:
    none = rate_ratio(TwoRates(0, 3000, 7, 20_000), method=method, confidence=0.95)
    assert (none.status, none.value, none.lower, none.reason) == ("ok", 0.0, 0.0, "exposed_events is 0")
    # P(0 of 7) = tail, or half of it with mid-P: (1 + 0.15 ratio)^-7.
    tail = 0.025 if method == "exact_conditional" else 0.05
    assert none.upper == pytest.approx((tail ** (-1 / 7) - 1) / 0.15, rel=1e-9)
    infinite = rate_ratio(TwoRates(7, 20_000, 0, 3000), method=method, confidence=0.95)
    assert (infinite.status, infinite.value, infinite.upper) == ("limit_only", None, None)
    assert (infinite.lower, infinite.reason) == (pytest.approx(1 / none.upper, rel=1e-9), "comparator_events is 0")  # type: ignore[operator]


@pytest.mark.parametrize("method", EVERY_METHOD)
@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ((0, 30, 0, 90), "there are no events"),
        ((0, 0, 7, 20), "exposed_person_days is 0"),
        ((3, 7, 0, 0), "comparator_person_days is 0"),
    ],
)
def test_a_ratio_without_information_is_not_estimable(
    cells: tuple[int, int, int, int], reason: str, method: RateRatioMethod
) -> None:
    answer = rate_ratio(TwoRates(*cells), method=method, confidence=0.95)
    assert (answer.status, answer.reason, answer.lower, answer.upper) == ("not_estimable", reason, None, None)
    difference = rate_difference_per_100py(TwoRates(*cells), confidence=0.95)
    assert difference.status == ("ok" if "events" in reason else "not_estimable")


def test_zeros_in_every_stratum_have_one_exact_limit() -> None:
    strata = [TwoRates(0, 3000, 4, 20_000), TwoRates(0, 1500, 3, 10_000)]
    answer = mantel_haenszel_rate_ratio(strata, confidence=0.95)
    # Both strata have the same person-days ratio, so they are one table of 7 events.
    assert answer.upper == pytest.approx((0.025 ** (-1 / 7) - 1) / 0.15, rel=1e-9)
    assert answer.reason == "exposed_events is 0 in every stratum; the limit is exact conditional"
    swapped = mantel_haenszel_rate_ratio([table.groups_swapped for table in strata], confidence=0.95)
    assert (swapped.status, swapped.value, swapped.upper) == ("limit_only", None, None)
    assert swapped.lower == pytest.approx(1 / answer.upper, rel=1e-9)  # type: ignore[operator]


@pytest.mark.parametrize("cells", [(0, 3652, 100, 365_250), (100, 365_250, 0, 3652), (0, 3652, 0, 9999)])
def test_a_group_without_events_does_not_lose_its_uncertainty(cells: tuple[int, int, int, int]) -> None:
    table = TwoRates(*cells)
    answer = mantel_haenszel_rate_difference_per_100py([table], confidence=0.95)
    single = rate_difference_per_100py(table, confidence=0.95)
    assert (answer.value, answer.lower, answer.upper) == (close(single.value), close(single.lower), close(single.upper))
    assert answer.reason.endswith("is 0; the limits are those of two weighted rates")
    assert answer.standard_error is None


def test_one_stratum_has_the_crude_ratio_and_difference() -> None:
    table = TwoRates(12, 36_525, 7, 73_050)
    ratio = mantel_haenszel_rate_ratio([table], confidence=0.95)
    assert (ratio.value, ratio.standard_error) == (pytest.approx(24 / 7), pytest.approx(math.sqrt(1 / 12 + 1 / 7)))
    difference = mantel_haenszel_rate_difference_per_100py([table], confidence=0.95)
    assert (difference.value, difference.standard_error) == (pytest.approx(8.5), pytest.approx(math.sqrt(12 + 7 / 4)))


def test_strata_without_time_in_a_group_change_counts_only() -> None:
    strata, empty = [TwoRates(2, 900, 3, 1300), TwoRates(1, 400, 2, 2500)], [TwoRates(0, 0, 4, 800)]
    for estimator in (mantel_haenszel_rate_ratio, mantel_haenszel_rate_difference_per_100py):
        plain, padded = estimator(strata, confidence=0.95), estimator(strata + empty, confidence=0.95)
        assert (plain.value, plain.lower, plain.upper) == (padded.value, padded.lower, padded.upper)
        assert (plain.event_count, padded.event_count, padded.person_days) == (8, 12, 5900)
    silent = [TwoRates(0, 5000, 0, 5000)]
    ratios = [mantel_haenszel_rate_ratio(each, confidence=0.95).value for each in (strata, strata + silent)]
    assert ratios[0] == ratios[1]


@pytest.mark.parametrize("estimator", [mantel_haenszel_rate_ratio, mantel_haenszel_rate_difference_per_100py])
def test_no_strata_are_not_estimable(estimator: Any) -> None:
    assert (estimator([], confidence=0.95).status, estimator([], confidence=0.95).reason) == (
        "not_estimable", "there are no strata"
    )  # fmt: skip
    assert estimator([TwoRates(0, 0, 4, 800)], confidence=0.95).status == "not_estimable"
    assert mantel_haenszel_rate_ratio([TwoRates(0, 5, 0, 5)], confidence=0.95).reason.startswith("there are no events")


def test_ten_million_events_stay_exact() -> None:
    table = TwoRates(9_000_000, 10**9, 10_000_000, 10**9)
    answer = rate_ratio(table, method="exact_conditional", confidence=0.95)
    spread = 1.959963984540054 * math.sqrt(1 / 9e6 + 1 / 1e7)
    assert (answer.lower, answer.upper) == pytest.approx((0.9 * math.exp(-spread), 0.9 * math.exp(spread)), rel=1e-6)


@pytest.mark.parametrize("cells", [(-1, 5, 1, 5), (1, 0, 1, 5), (1, 5, 1, 0), (1.5, 5, 1, 5)])
def test_what_is_no_count_of_events_in_time_is_refused(cells: tuple[Any, Any, Any, Any]) -> None:
    with pytest.raises(EstimationError):
        TwoRates(*cells)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(EstimationError, match="unknown method"):
        rate_ratio(TwoRates(1, 2, 3, 4), method="wald", confidence=0.95)  # type: ignore[arg-type]


EVENTS, DAYS = st.integers(0, 300), st.integers(1, 10**7)
TABLE = st.builds(TwoRates, EVENTS, DAYS, EVENTS, DAYS)


@settings(deadline=None, max_examples=60)
@given(table=TABLE, method=st.sampled_from(EVERY_METHOD))
def test_swapping_the_groups_inverts_the_ratio(table: TwoRates, method: RateRatioMethod) -> None:
    one, other = (rate_ratio(each, method=method, confidence=0.95) for each in (table, table.groups_swapped))
    for here, there in ((one.value, other.value), (one.lower, other.upper), (one.upper, other.lower)):
        if here and there:
            assert here == pytest.approx(1.0 / there, rel=1e-7)
        else:
            assert not here and not there


@settings(deadline=None, max_examples=60)
@given(table=TABLE)
def test_mid_p_limits_lie_within_the_conditional_ones(table: TwoRates) -> None:
    wide = rate_ratio(table, method="exact_conditional", confidence=0.95)
    narrow = rate_ratio(table, method="exact_mid_p", confidence=0.95)
    if wide.lower is not None and narrow.lower is not None:
        assert wide.lower <= narrow.lower * (1 + 1e-9)
    if wide.upper is not None and narrow.upper is not None:
        assert narrow.upper <= wide.upper * (1 + 1e-9)
