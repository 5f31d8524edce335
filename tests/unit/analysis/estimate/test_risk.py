"""Risk ratio and difference of one table: against R, by published example, and every zero."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate import score
from analysis.estimate.result import EstimationError
from analysis.estimate.risk import RiskDifferenceMethod, RiskRatioMethod, risk_difference, risk_ratio
from analysis.estimate.two_by_two import TwoByTwo

TABLES = json.loads((Path(__file__).parents[3] / "truth" / "risk.json").read_text())["tables"]
FULL_TABLES = [row for row in TABLES if 0 not in row["cells"]]
# Exact limits have tests of their own, for they look at every table.
EVERY_RATIO: tuple[RiskRatioMethod, ...] = ("katz", "koopman")
EVERY_DIFFERENCE: tuple[RiskDifferenceMethod, ...] = ("newcombe", "miettinen_nurminen")
EIGHT_DIGITS = 1e-9


def close(number: float | None) -> Any:
    return None if number is None else pytest.approx(number, rel=EIGHT_DIGITS, abs=1e-13)


def cells_of(row: dict[str, Any]) -> str:
    return "_".join(str(count) for count in row["cells"])


@pytest.mark.parametrize("row", FULL_TABLES, ids=cells_of)
def test_katz_is_the_wald_risk_ratio_of_epitools(row: dict[str, Any]) -> None:
    answer = risk_ratio(TwoByTwo(*row["cells"]), method="katz", confidence=0.95)
    assert (answer.value, answer.lower, answer.upper) == (
        close(row["ratio"]), close(row["katz_lower"]), close(row["katz_upper"])
    )  # fmt: skip


@pytest.mark.parametrize("row", [row for row in TABLES if "ratio" in row], ids=cells_of)
def test_koopman_limits_are_the_roots_of_the_score(row: dict[str, Any]) -> None:
    answer = risk_ratio(TwoByTwo(*row["cells"]), method="koopman", confidence=0.95)
    truth = [close(row[key]) for key in ("ratio", "score_ratio_lower", "score_ratio_upper")]
    assert [answer.value, answer.lower, answer.upper] == truth
    assert answer.p_value == close(row.get("pearson_p", 1.0))
    assert answer.status == ("limit_only" if row["ratio"] is None else "ok")


@pytest.mark.parametrize("row", TABLES, ids=cells_of)
def test_limits_of_a_difference_are_those_of_newcombe_and_of_the_score(row: dict[str, Any]) -> None:
    table = TwoByTwo(*row["cells"])
    for method in EVERY_DIFFERENCE:
        answer = risk_difference(table, method=method, confidence=0.95)
        name = "newcombe" if method == "newcombe" else "score_difference"
        truth = [close(row[key]) for key in ("difference", f"{name}_lower", f"{name}_upper")]
        assert (answer.status, [answer.value, answer.lower, answer.upper]) == ("ok", truth)


def test_the_p_of_miettinen_and_nurminen_is_pearsons_with_one_person_less() -> None:
    answer = risk_difference(TwoByTwo(12, 5, 7, 20), method="miettinen_nurminen", confidence=0.95)
    pearson = 44 * (12 * 20 - 5 * 7) ** 2 / (17 * 27 * 19 * 25)
    assert answer.p_value == pytest.approx(math.erfc(math.sqrt(pearson * 43 / 44 / 2)), rel=1e-12)


def test_published_limits() -> None:
    # Newcombe 1998, table II, 56/70 - 48/80: methods 10 and 5; Koopman 1984: 36/40 and 16/80.
    table = TwoByTwo(56, 14, 48, 32)
    newcombe = risk_difference(table, method="newcombe", confidence=0.95)
    assert (newcombe.lower, newcombe.upper) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    score_limits = risk_difference(table, method="miettinen_nurminen", confidence=0.95)
    assert (score_limits.lower, score_limits.upper) == pytest.approx((0.0528, 0.3382), abs=5e-5)
    koopman = risk_ratio(TwoByTwo(36, 4, 16, 64), method="koopman", confidence=0.95)
    assert (koopman.lower, koopman.upper) == pytest.approx((2.94, 7.15), abs=5e-3)


def test_no_exposed_case_is_zero_with_an_upper_limit() -> None:
    answer = risk_ratio(TwoByTwo(0, 5, 7, 20), method="koopman", confidence=0.95)
    assert (answer.status, answer.value, answer.lower, answer.reason) == ("ok", 0.0, 0.0, "exposed_cases is 0")
    assert answer.upper == pytest.approx(1.937378, abs=1e-6)


def test_no_comparator_case_has_a_lower_limit_only() -> None:
    answer = risk_ratio(TwoByTwo(3, 7, 0, 9), method="koopman", confidence=0.95)
    assert (answer.status, answer.value, answer.upper, answer.reason) == (
        "limit_only", None, None, "comparator_cases is 0"
    )  # fmt: skip
    assert answer.lower == pytest.approx(0.845897, abs=1e-6)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ((0, 5, 7, 20), "katz needs cases in both groups, exposed_cases is 0"),
        ((3, 7, 0, 9), "katz needs cases in both groups, comparator_cases is 0"),
        ((5, 0, 7, 0), "katz needs a noncase, there are none"),
    ],
)
def test_katz_names_what_it_lacks(cells: tuple[int, int, int, int], reason: str) -> None:
    answer = risk_ratio(TwoByTwo(*cells), method="katz", confidence=0.95)
    assert (answer.status, answer.reason, answer.value, answer.upper) == ("not_estimable", reason, None, None)


@pytest.mark.parametrize("method", EVERY_RATIO)
@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ((0, 31, 0, 31), "there are no cases"),
        ((0, 0, 7, 20), "nobody is exposed"),
        ((3, 7, 0, 0), "nobody is in the comparator"),
        ((0, 0, 0, 0), "nobody is exposed"),
    ],
)
def test_a_ratio_without_information_is_not_estimable(
    cells: tuple[int, int, int, int], reason: str, method: RiskRatioMethod
) -> None:
    answer = risk_ratio(TwoByTwo(*cells), method=method, confidence=0.95)
    assert (answer.status, answer.reason, answer.lower, answer.upper) == ("not_estimable", reason, None, None)


@pytest.mark.parametrize("method", EVERY_DIFFERENCE)
def test_a_difference_needs_two_groups_but_no_case(method: RiskDifferenceMethod) -> None:
    assert risk_difference(TwoByTwo(0, 0, 7, 2), method=method, confidence=0.95).reason == "nobody is exposed"
    assert risk_difference(TwoByTwo(1, 0, 0, 0), method=method, confidence=0.95).reason == "nobody is in the comparator"
    none = risk_difference(TwoByTwo(0, 31, 0, 31), method=method, confidence=0.95)
    assert (none.status, none.value) == ("ok", 0.0)
    assert none.lower is not None
    assert none.upper is not None
    assert none.lower < -0.11 < 0.11 < none.upper


@pytest.mark.parametrize("method", EVERY_DIFFERENCE)
def test_a_difference_of_one_ends_at_one(method: RiskDifferenceMethod) -> None:
    for table, value in ((TwoByTwo(5, 0, 0, 7), 1.0), (TwoByTwo(0, 7, 5, 0), -1.0)):
        answer = risk_difference(table, method=method, confidence=0.95)
        assert answer.value == value
        assert value in (answer.lower, answer.upper)


def test_ten_million_persons_agree_with_the_normal_limits() -> None:
    table = TwoByTwo(30_000, 9_970_000, 20_000, 9_980_000)
    katz, koopman = (risk_ratio(table, method=method, confidence=0.95) for method in EVERY_RATIO)
    assert (koopman.lower, koopman.upper) == pytest.approx((katz.lower, katz.upper), rel=1e-4)
    newcombe, scored = (risk_difference(table, method=method, confidence=0.95) for method in EVERY_DIFFERENCE)
    assert (newcombe.lower, newcombe.upper) == pytest.approx((scored.lower, scored.upper), rel=1e-4)


def test_an_unknown_method_and_a_percentage_are_refused() -> None:
    table = TwoByTwo(1, 2, 3, 4)
    with pytest.raises(EstimationError, match="unknown method of a risk ratio"):
        risk_ratio(table, method="wald", confidence=0.95)  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="unknown method of a risk difference"):
        risk_difference(table, method="wald", confidence=0.95)  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="between 0 and 1"):
        risk_ratio(table, method="katz", confidence=95)


CELLS = st.integers(0, 200)
TABLE = st.builds(TwoByTwo, CELLS, CELLS, CELLS, CELLS)


@settings(deadline=None, max_examples=60)
@given(table=TABLE, method=st.sampled_from(EVERY_RATIO))
def test_swapping_the_groups_inverts_the_ratio(table: TwoByTwo, method: RiskRatioMethod) -> None:
    one = risk_ratio(table, method=method, confidence=0.95)
    other = risk_ratio(table.groups_swapped, method=method, confidence=0.95)
    for here, there in ((one.value, other.value), (one.lower, other.upper), (one.upper, other.lower)):
        if here and there:
            assert here == pytest.approx(1.0 / there, rel=1e-8)
        else:
            assert not here and not there
    assert one.p_value == (None if other.p_value is None else pytest.approx(other.p_value, rel=1e-8, abs=1e-300))


@settings(deadline=None, max_examples=60)
@given(table=TABLE, method=st.sampled_from(EVERY_DIFFERENCE))
def test_swapping_the_groups_or_the_outcome_turns_the_difference_over(
    table: TwoByTwo, method: RiskDifferenceMethod
) -> None:
    one = risk_difference(table, method=method, confidence=0.9)
    turned = TwoByTwo(table.exposed_noncases, table.exposed_cases, table.comparator_noncases, table.comparator_cases)
    for other_table in (table.groups_swapped, turned):
        other = risk_difference(other_table, method=method, confidence=0.9)
        if one.value is None:
            assert other.status == "not_estimable"
            continue
        assert (other.value, other.lower, other.upper) == pytest.approx((-one.value, -one.upper, -one.lower), abs=1e-9)  # type: ignore[operator]


@settings(deadline=None, max_examples=60)
@given(table=TABLE)
def test_at_the_limits_the_score_is_the_normal_quantile(table: TwoByTwo) -> None:
    answer = risk_difference(table, method="miettinen_nurminen", confidence=0.95)
    for side, limit in ((1.0, answer.lower), (-1.0, answer.upper)):
        if limit is not None and abs(limit) < 1.0:
            distance, variance = score.difference_deviation([table], limit)
            assert distance == pytest.approx(side * 1.959963984540054 * math.sqrt(variance), rel=1e-7, abs=1e-12)


@pytest.mark.parametrize("cells", [(0, 9, 3, 40), (1, 9, 3, 40), (9, 1, 3, 40), (6, 6, 20, 20)])
def test_the_risks_under_a_difference_are_the_most_likely_ones(cells: tuple[int, int, int, int]) -> None:
    table = TwoByTwo(*cells)
    for difference in (-0.3, -0.01, 0.0, 1e-9, 0.2):
        low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
        tried = [low + (high - low) * step / 20_000 for step in range(20_001)]

        def log_likelihood(risk: float, difference: float = difference) -> float:
            risks = (risk + difference, 1 - risk - difference, risk, 1 - risk)
            parts = [(count, max(0.0, share)) for count, share in zip(cells, risks, strict=True) if count]
            return -math.inf if any(not share for _, share in parts) else sum(c * math.log(s) for c, s in parts)

        best = max(tried, key=log_likelihood)
        _, variance = score.difference_deviation([table], difference)
        sizes = (table.margins.exposed, table.margins.comparator)
        shares = (best + difference, best)
        slow = sum(share * (1 - share) / size for share, size in zip(shares, sizes, strict=True))
        assert variance == pytest.approx(slow * table.size / (table.size - 1), rel=2e-3, abs=1e-5)
