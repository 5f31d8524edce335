"""Risk ratio and risk difference of one 2x2 table.

Owns what each zero cell answers on the scale of risks. The score statistic belongs in `score`, strata in
`stratified_risk`, odds ratios in `two_by_two`.

The table must hold everybody at risk for the same time; cells of a case-control study have no risks. As in
`two_by_two`, `person_count` is left to the caller.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from analysis.estimate import exact_unconditional, score
from analysis.estimate.confidence import normal_quantile, tail_probability, wald_p_value
from analysis.estimate.proportion import wilson_limits
from analysis.estimate.result import Answer, EstimationError, not_estimable
from analysis.estimate.two_by_two import TwoByTwo

RiskRatioMethod = Literal["katz", "koopman", "exact_unconditional"]
RiskDifferenceMethod = Literal["newcombe", "miettinen_nurminen", "exact_unconditional"]


def risk_ratio(table: TwoByTwo, *, method: RiskRatioMethod, confidence: float) -> Answer:
    """Risk of the exposed over the risk of the comparator.

    `katz`: log limits, Wald P, `standard_error` of the log; no answer without exposed or comparator cases, nor where
    everybody is a case. `koopman`: score limits and P (Pearson's chi-square, uncorrected), for every table with a case.
    Zero cells: no exposed case is 0 with its upper limit; no comparator case is `limit_only`; no case at all says
    nothing on a ratio. `exact_unconditional`: limits that hold the truth at least as often as they say whatever the risks, which score
    limits need not where a cell is zero; not for groups with more than MAXIMUM_TABLES tables, for which score limits are good.
    Misleads when follow-up differs between the groups; compare rates then.
    Raises EstimationError for an unknown method or a confidence outside (0, 1).
    Source: Katz et al. 1978, Biometrics 34:469; Koopman 1984, Biometrics 40:513; Chan and Zhang 1999, Biometrics 55:1202.
    """
    quantile = normal_quantile(confidence)
    if method not in get_args(RiskRatioMethod):
        raise EstimationError(f"unknown method of a risk ratio: {method!r}")
    reason = empty_group(table) or ("there are no cases" if table.case_count == 0 else "")
    if method == "katz" and not reason:
        reason = _why_not_katz(table)
    if reason:
        return not_estimable(method, reason, event_count=table.case_count)
    if method == "katz":
        return _katz(table, confidence)
    if method == "exact_unconditional":
        return _exact(table, "ratio", confidence)
    value = None if table.comparator_cases == 0 else _ratio(table)
    lower, upper = score.ratio_limits([table], value, quantile)
    return Answer(
        method=method,
        value=value,
        lower=lower,
        upper=upper,
        confidence_level=confidence,
        p_value=_score_p_value(*score.ratio_deviation([table], 0.0)),
        event_count=table.case_count,
        status="limit_only" if value is None else "ok",
        reason=zero_cases(table),
    )


def risk_difference(table: TwoByTwo, *, method: RiskDifferenceMethod, confidence: float) -> Answer:
    """Risk of the exposed less the risk of the comparator, between -1 and 1.

    `newcombe`: the Wilson limits of the two risks combined, without a P. `miettinen_nurminen`: score limits and P
    (Pearson's chi-square times (N - 1) / N). Both exist with every zero cell: no case among 31 and 31 is 0 with limits.
    `exact_unconditional` as in `risk_ratio`.
    Misleads when follow-up differs between the groups, and when carried over to persons of another baseline risk.
    Raises EstimationError for an unknown method or a confidence outside (0, 1).
    Source: Newcombe 1998, Stat Med 17:873 (his method 10); Miettinen and Nurminen 1985, Stat Med 4:213; Chan and Zhang 1999.
    """
    quantile = normal_quantile(confidence)
    if method not in get_args(RiskDifferenceMethod):
        raise EstimationError(f"unknown method of a risk difference: {method!r}")
    if reason := empty_group(table):
        return not_estimable(method, reason, event_count=table.case_count)
    if method == "exact_unconditional":
        return _exact(table, "difference", confidence)
    value = _difference(table)
    if method == "newcombe":
        lower, upper = _newcombe_limits(table, value, quantile)
        p_value = None
    else:
        lower, upper = score.difference_limits([table], value, quantile)
        p_value = _score_p_value(*score.difference_deviation([table], 0.0))
    return Answer(
        method=method,
        value=value,
        lower=lower,
        upper=upper,
        confidence_level=confidence,
        p_value=p_value,
        event_count=table.case_count,
    )


def _exact(table: TwoByTwo, scale: exact_unconditional.Scale, confidence: float) -> Answer:
    """The answer with exact unconditional limits; not for groups too large to look at every table."""
    method, tables = "exact_unconditional", exact_unconditional.table_count(table)
    if tables > exact_unconditional.MAXIMUM_TABLES:
        reason = (
            f"exact limits look at {exact_unconditional.MAXIMUM_TABLES} tables at most, these groups can give {tables}"
        )
        return not_estimable(method, reason, event_count=table.case_count)
    tail = tail_probability(confidence)
    lower: float
    upper: float | None
    if scale == "difference":
        value: float | None = _difference(table)
        lower, upper = exact_unconditional.difference_limits(table, tail)
    else:
        value = None if table.comparator_cases == 0 else _ratio(table)
        lower, upper = exact_unconditional.ratio_limits(table, tail)
    return Answer(
        method=method,
        value=value,
        lower=lower,
        upper=upper,
        confidence_level=confidence,
        p_value=exact_unconditional.two_sided_p(table),
        event_count=table.case_count,
        status="limit_only" if value is None else "ok",
        reason=zero_cases(table) if scale == "ratio" else "",
    )


def empty_group(table: TwoByTwo) -> str:
    """The group without persons, which leaves no risk to compare; empty when there is none."""
    if table.margins.exposed == 0:
        return "nobody is exposed"
    return "nobody is in the comparator" if table.margins.comparator == 0 else ""


def zero_cases(table: TwoByTwo) -> str:
    """Names the group without cases behind a ratio of 0 or infinity; empty for any other."""
    cells = (("exposed_cases", table.exposed_cases), ("comparator_cases", table.comparator_cases))
    return " and ".join(f"{name} is 0" for name, count in cells if count == 0)


def _why_not_katz(table: TwoByTwo) -> str:
    if zero := zero_cases(table):
        return f"katz needs cases in both groups, {zero}"
    return "katz needs a noncase, there are none" if table.exposed_noncases + table.comparator_noncases == 0 else ""


def _katz(table: TwoByTwo, confidence: float) -> Answer:
    value = _ratio(table)
    # 1/a - 1/n as b / (a n): the difference would lose the digits of a risk near 1.
    standard_error = math.sqrt(
        table.exposed_noncases / (table.exposed_cases * table.margins.exposed)
        + table.comparator_noncases / (table.comparator_cases * table.margins.comparator)
    )
    spread = normal_quantile(confidence) * standard_error
    return Answer(
        method="katz",
        value=value,
        lower=value * math.exp(-spread),
        upper=value * math.exp(spread),
        confidence_level=confidence,
        standard_error=standard_error,
        p_value=wald_p_value(math.log(value) / standard_error),
        event_count=table.case_count,
    )


def _ratio(table: TwoByTwo) -> float:
    return table.exposed_cases * table.margins.comparator / (table.comparator_cases * table.margins.exposed)


def _difference(table: TwoByTwo) -> float:
    exposed, comparator = table.margins.exposed, table.margins.comparator
    return (table.exposed_cases * comparator - table.comparator_cases * exposed) / (exposed * comparator)


def _newcombe_limits(table: TwoByTwo, value: float, quantile: float) -> tuple[float, float]:
    exposed, comparator = table.margins.exposed, table.margins.comparator
    risk, other = table.exposed_cases / exposed, table.comparator_cases / comparator
    low, high = wilson_limits(table.exposed_cases, exposed, quantile)
    other_low, other_high = wilson_limits(table.comparator_cases, comparator, quantile)
    return value - math.hypot(risk - low, other_high - other), value + math.hypot(high - risk, other - other_low)


def _score_p_value(distance: float, variance: float) -> float:
    """Two-sided P of the score statistic; 1 where all are cases or none is, so that no difference could be seen."""
    return 1.0 if variance == 0.0 else wald_p_value(distance / math.sqrt(variance))
