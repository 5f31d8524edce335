"""Every table of small counts, zeros in each place, has an answer with limits or a reason; nothing warns or fails."""

import itertools
from typing import get_args

import pytest

from analysis.estimate import rates, risk, stratified_risk
from analysis.estimate.e_value import e_value
from analysis.estimate.rates import TwoRates
from analysis.estimate.result import Answer, EstimationError
from analysis.estimate.two_by_two import TwoByTwo

TABLES = [TwoByTwo(*cells) for cells in itertools.product((0, 1, 4), repeat=4)]
PAIRS = list(itertools.product(TABLES[::3], TABLES[::4]))
RATES = [
    TwoRates(events, 1000 * days, others, 1000 * other_days)
    for events, days, others, other_days in itertools.product((0, 1, 4), repeat=4)
    if (days or not events) and (other_days or not others)
]
EXACT = "exact_unconditional"
NARROWEST = 0.01  # no limits of at most 16 persons are closer


def check(answer: Answer) -> None:
    """Both limits with `ok`, a reason with anything else, and no interval without width."""
    if answer.status != "ok":
        assert answer.reason
        return
    assert answer.lower is not None
    assert answer.upper is not None
    assert answer.upper - answer.lower > NARROWEST


def test_risks_of_one_table() -> None:
    for number, table in enumerate(TABLES):
        is_looked_at = number % 5 == 0  # exact limits look at every table of the groups
        for ratio_method in get_args(risk.RiskRatioMethod):
            if ratio_method == EXACT and not is_looked_at:
                continue
            ratio = risk.risk_ratio(table, method=ratio_method, confidence=0.95)
            check(ratio)
            assert e_value(ratio, scale="risk_ratio").status in ("ok", "limit_only", "not_estimable")
        for method in get_args(risk.RiskDifferenceMethod):
            if method == EXACT and not is_looked_at:
                continue
            check(risk.risk_difference(table, method=method, confidence=0.95))


def test_risks_of_two_strata() -> None:
    for pair in PAIRS:
        check(stratified_risk.mantel_haenszel_risk_ratio(pair, confidence=0.95))
        for method in get_args(stratified_risk.RiskDifferenceMethod):
            check(stratified_risk.mantel_haenszel_risk_difference(pair, method=method, confidence=0.95))
        homogeneity = stratified_risk.breslow_day_tarone(pair)
        assert (homogeneity.status == "ok") == (homogeneity.p_value is not None)


def test_rates_of_one_table_and_of_two_strata() -> None:
    for table in RATES:
        for method in get_args(rates.RateRatioMethod):
            check(rates.rate_ratio(table, method=method, confidence=0.95))
        check(rates.rate_difference_per_100py(table, confidence=0.95))
    for pair in itertools.product(RATES[::2], RATES[::3]):
        check(rates.mantel_haenszel_rate_ratio(pair, confidence=0.95))
        check(rates.mantel_haenszel_rate_difference_per_100py(pair, confidence=0.95))


def test_the_check_fires() -> None:
    with pytest.raises(AssertionError):
        check(Answer(method="wald", value=0.0, lower=0.0, upper=0.0))
    with pytest.raises(AssertionError):
        check(Answer(method="wald", value=1.0, lower=0.5))
    with pytest.raises(EstimationError):
        Answer(method="wald", status="not_estimable")
