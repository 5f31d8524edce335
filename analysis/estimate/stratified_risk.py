"""Risk ratio and risk difference common to strata, and whether the odds ratio is common at all.

Owns the Mantel-Haenszel estimates of risks and the test of homogeneity. One table belongs in `risk`, odds ratios over
strata in `two_by_two`, trends over levels in `trend`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from scipy.special import chdtrc

from analysis.estimate import score
from analysis.estimate.confidence import normal_quantile, wald_p_value
from analysis.estimate.result import Answer, EstimationError, not_estimable
from analysis.estimate.risk import empty_group
from analysis.estimate.two_by_two import TwoByTwo, mantel_haenszel_odds_ratio

RiskDifferenceMethod = Literal["mantel_haenszel_sato", "mantel_haenszel_greenland_robins"]

MANTEL_HAENSZEL = "mantel_haenszel"
BRESLOW_DAY_TARONE = "breslow_day_tarone"


def mantel_haenszel_risk_ratio(tables: Sequence[TwoByTwo], *, confidence: float) -> Answer:
    """Common risk ratio over strata with Greenland-Robins limits, `standard_error` of the log and Wald P.

    `tables`: one per stratum. Strata with an empty group are left out of the estimate, not of `event_count`; strata
    without cases change nothing. Misleads when the risk ratio differs between strata, or follow-up between the groups.
    Where one group has no case in any stratum the value is 0 or infinite (`limit_only`), and where no stratum
    has both cases and noncases it is 1 without a standard error; the limits are then score limits over the strata, and `reason` says so.
    Source: Greenland and Robins 1985, Biometrics 41:55; Miettinen and Nurminen 1985, Stat Med 4:213 (score).
    """
    quantile = normal_quantile(confidence)
    strata = [table for table in tables if not empty_group(table)]
    counted = sum(table.case_count for table in tables)
    if reason := _no_risks(tables, strata, needs_cases=True):
        return not_estimable(MANTEL_HAENSZEL, reason, event_count=counted)
    up = math.fsum(table.exposed_cases * table.margins.comparator / table.size for table in strata)
    down = math.fsum(table.comparator_cases * table.margins.exposed / table.size for table in strata)
    value = None if down == 0.0 else up / down
    variance = math.fsum(_ratio_variance_term(table) for table in strata)
    if reason := _why_score_limits_of_a_ratio(strata, variance):
        lower, upper = score.ratio_limits(strata, value, quantile)
        return Answer(
            method=MANTEL_HAENSZEL,
            value=value,
            lower=lower,
            upper=upper,
            confidence_level=confidence,
            event_count=counted,
            status="limit_only" if value is None else "ok",
            reason=f"{reason}; the limits are those of the score",
        )
    standard_error = math.sqrt(variance / (up * down))
    spread = quantile * standard_error
    return Answer(
        method=MANTEL_HAENSZEL,
        value=up / down,
        lower=up / down * math.exp(-spread),
        upper=up / down * math.exp(spread),
        confidence_level=confidence,
        standard_error=standard_error,
        p_value=wald_p_value(math.log(up / down) / standard_error),
        event_count=counted,
    )


def mantel_haenszel_risk_difference(
    tables: Sequence[TwoByTwo], *, method: RiskDifferenceMethod, confidence: float
) -> Answer:
    """Common risk difference over strata with `standard_error` and Wald P; value and limits lie between -1 and 1.

    `tables`: one per stratum; those with an empty group are left out of the estimate, not of `event_count`; strata without
    cases count. `mantel_haenszel_sato`: the variance that holds for few large and for many small strata.
    `mantel_haenszel_greenland_robins`: for few large strata; too small where a group of a stratum is a person or two.
    Misleads when the risk difference differs between strata, as it must where baseline risks differ and the ratio is common.
    Where all or none of a group are cases, that group's part of either variance is zero or close to it; the limits are then
    score limits over the strata, and `reason` says so.
    Raises EstimationError for an unknown method.
    Source: Greenland and Robins 1985, Biometrics 41:55; Sato 1989, Biometrics 45:1323; Miettinen and Nurminen 1985 (score).
    """
    quantile = normal_quantile(confidence)
    if method not in get_args(RiskDifferenceMethod):
        raise EstimationError(f"unknown method of a common risk difference: {method!r}")
    strata = [table for table in tables if not empty_group(table)]
    counted = sum(table.case_count for table in tables)
    if reason := _no_risks(tables, strata, needs_cases=False):
        return not_estimable(method, reason, event_count=counted)
    weight = math.fsum(table.margins.exposed * table.margins.comparator / table.size for table in strata)
    value = math.fsum(_crossed(table) / table.size for table in strata) / weight
    answer = Answer(method=method, value=value, confidence_level=confidence, event_count=counted)
    reason = _why_score_limits_of_a_difference(strata)
    term = _sato_term if method == "mantel_haenszel_sato" else _greenland_robins_term
    variance = math.fsum(term(table, value) for table in strata) / weight**2
    if not reason and variance <= 0.0:
        reason = "the variance is 0"
    if reason:
        lower, upper = score.difference_limits(strata, value, quantile)
        return replace(answer, lower=lower, upper=upper, reason=f"{reason}; the limits are those of the score")
    standard_error = math.sqrt(variance)
    return replace(
        answer,
        lower=max(-1.0, value - quantile * standard_error),
        upper=min(1.0, value + quantile * standard_error),
        standard_error=standard_error,
        p_value=wald_p_value(value / standard_error),
    )


def breslow_day_tarone(tables: Sequence[TwoByTwo]) -> Answer:
    """Breslow-Day chi-square of equal odds ratios over strata, with Tarone's correction and its P.

    `value` is the statistic; the degrees of freedom are one less than the strata without an empty margin. A large P is no
    evidence of equality: with few cases per stratum the test sees little, and with expected cells below 5 its P is rough.
    Not estimable with fewer than two such strata, or where the Mantel-Haenszel odds ratio is 0 or infinite.
    Source: Breslow and Day 1980, Statistical Methods in Cancer Research I:142; Tarone 1985, Biometrika 72:91.
    """
    strata = [table for table in tables if not table.empty_margin]
    cases = sum(table.case_count for table in tables)
    if len(strata) < 2:
        reason = f"strata with both groups, cases and noncases: {len(strata)}, two are needed"
        return not_estimable(BRESLOW_DAY_TARONE, reason, event_count=cases)
    common = mantel_haenszel_odds_ratio(strata, confidence=0.95)
    if not common.value:
        return not_estimable(BRESLOW_DAY_TARONE, f"no common odds ratio: {common.reason}", event_count=cases)
    excesses, variances = [], []
    for table in strata:
        expected = _expected_cells(table, common.value)
        excesses.append(table.exposed_cases - expected[0])
        variances.append(1.0 / math.fsum(1.0 / cell for cell in expected))
    breslow_day = math.fsum(excess**2 / variance for excess, variance in zip(excesses, variances, strict=True))
    statistic = max(0.0, breslow_day - math.fsum(excesses) ** 2 / math.fsum(variances))
    return Answer(
        method=BRESLOW_DAY_TARONE,
        value=statistic,
        p_value=float(chdtrc(len(strata) - 1, statistic)),
        event_count=cases,
    )


def _no_risks(tables: Sequence[TwoByTwo], strata: Sequence[TwoByTwo], *, needs_cases: bool) -> str:
    if not tables:
        return "there are no strata"
    if not strata:
        return "every stratum has an empty group"
    if needs_cases and not any(table.case_count for table in strata):
        return "there are no cases in strata with both groups"
    return ""


def _why_score_limits_of_a_ratio(strata: Sequence[TwoByTwo], variance: float) -> str:
    exposed, comparator = _cases(strata)
    if not exposed or not comparator:
        return f"{'comparator_cases' if exposed else 'exposed_cases'} is 0 in every stratum"
    return "" if variance else "no stratum has cases and noncases"


def _why_score_limits_of_a_difference(strata: Sequence[TwoByTwo]) -> str:
    exposed, comparator = _cases(strata)
    cells = {
        "exposed_cases": exposed,
        "exposed_noncases": sum(table.exposed_noncases for table in strata),
        "comparator_cases": comparator,
        "comparator_noncases": sum(table.comparator_noncases for table in strata),
    }
    zeros = [name for name, count in cells.items() if count == 0]
    return f"{' and '.join(zeros)} is 0 in every stratum" if zeros else ""


def _cases(strata: Sequence[TwoByTwo]) -> tuple[int, int]:
    return sum(table.exposed_cases for table in strata), sum(table.comparator_cases for table in strata)


def _crossed(table: TwoByTwo) -> int:
    return table.exposed_cases * table.margins.comparator - table.comparator_cases * table.margins.exposed


def _ratio_variance_term(table: TwoByTwo) -> float:
    """(cases n1 n0 - a c N) / N^2 over whole numbers: the difference of two floats would lose digits."""
    exposed, comparator = table.margins.exposed, table.margins.comparator
    whole = table.case_count * exposed * comparator - table.exposed_cases * table.comparator_cases * table.size
    return whole / table.size**2


def _sato_term(table: TwoByTwo, difference: float) -> float:
    exposed, comparator, size = table.margins.exposed, table.margins.comparator, table.size
    shift = (
        table.comparator_cases * exposed**2
        - table.exposed_cases * comparator**2
        + exposed * comparator * (comparator - exposed) / 2.0
    ) / size**2
    spread = (table.exposed_cases * table.comparator_noncases + table.comparator_cases * table.exposed_noncases) / size
    return difference * shift + spread / 2.0


def _greenland_robins_term(table: TwoByTwo, _difference: float) -> float:
    exposed, comparator = table.margins.exposed, table.margins.comparator
    return (
        table.exposed_cases * table.exposed_noncases * comparator**2 / exposed
        + table.comparator_cases * table.comparator_noncases * exposed**2 / comparator
    ) / table.size**2


def _expected_cells(table: TwoByTwo, odds_ratio: float) -> list[float]:
    """Cells with the margins of `table` and exactly this odds ratio, in the order of `TwoByTwo`.

    Each from its own root: a small cell taken as the rest of a margin would lose its digits.
    """
    exposed, comparator, cases = table.margins.exposed, table.margins.comparator, table.case_count
    noncases = table.size - cases
    return [
        _expected_count(exposed, comparator, cases, odds_ratio),
        _expected_count(exposed, comparator, noncases, 1.0 / odds_ratio),
        _expected_count(comparator, exposed, cases, 1.0 / odds_ratio),
        _expected_count(comparator, exposed, noncases, odds_ratio),
    ]


def _expected_count(group: int, other: int, cases: int, odds_ratio: float) -> float:
    """Cases in `group` among `cases` of both groups: the root of a quadratic whose discriminant is a sum of squares."""
    slope = odds_ratio * (group + cases) + other - cases
    spread = 2.0 * odds_ratio * (group * other + cases * (group + other - cases))
    root = math.sqrt((odds_ratio * (group - cases)) ** 2 + (other - cases) ** 2 + spread)
    if slope > 0.0:
        return 2.0 * odds_ratio * group * cases / (slope + root)
    return (slope - root) / (2.0 * (odds_ratio - 1.0))
