"""Odds ratios of one 2x2 table and of strata of them.

Owns the table, the methods' meanings and what every zero cell answers. The exact distributions belong in
`noncentral_hypergeometric`; matched sets and regression do not belong here.

`event_count` is the cases of both columns. A cell may count persons or person-periods, so `person_count` is left to the
caller, who knows which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from analysis.estimate import noncentral_hypergeometric as exact
from analysis.estimate.confidence import normal_quantile, tail_probability, wald_p_value
from analysis.estimate.noncentral_hypergeometric import Distribution, Margins, Probabilities
from analysis.estimate.result import Answer, EstimationError, not_estimable

OddsRatioMethod = Literal["woolf", "haldane_anscombe", "exact_conditional", "exact_mid_p"]

MANTEL_HAENSZEL = "mantel_haenszel"
EXACT_STRATIFIED = "exact_conditional_stratified"

# One evaluation costs at most the square of this many multiplications (10 ms); an answer takes some 40 evaluations.
MAXIMUM_STRATIFIED_SUPPORT = 5_000


@dataclass(frozen=True, slots=True)
class TwoByTwo:
    """Counts of cases and noncases among the exposed and the comparator. Raises EstimationError for a negative cell."""

    exposed_cases: int
    exposed_noncases: int
    comparator_cases: int
    comparator_noncases: int

    def __post_init__(self) -> None:
        cells = {field.name: getattr(self, field.name) for field in fields(self)}
        wrong = [name for name, count in cells.items() if not isinstance(count, int) or count < 0]
        if wrong:
            raise EstimationError(f"a cell is a whole number from 0 (int), not so: {', '.join(wrong)}")

    @property
    def case_count(self) -> int:
        """Cases, exposed and comparator."""
        return self.exposed_cases + self.comparator_cases

    @property
    def margins(self) -> Margins:
        """What exact methods hold fixed."""
        return Margins(
            exposed=self.exposed_cases + self.exposed_noncases,
            comparator=self.comparator_cases + self.comparator_noncases,
            cases=self.case_count,
        )

    @property
    def empty_margin(self) -> str:
        """The margin that is zero and leaves no information on the odds ratio; empty when there is none."""
        sizes = {
            "nobody is exposed": self.exposed_cases + self.exposed_noncases,
            "nobody is in the comparator": self.comparator_cases + self.comparator_noncases,
            "there are no cases": self.case_count,
            "there are no noncases": self.exposed_noncases + self.comparator_noncases,
        }
        return next((words for words, size in sizes.items() if size == 0), "")

    @property
    def size(self) -> int:
        """Sum of the four cells."""
        return self.margins.exposed + self.margins.comparator

    @property
    def groups_swapped(self) -> TwoByTwo:
        """The table with exposed and comparator exchanged: its odds ratio is the inverse."""
        return TwoByTwo(self.comparator_cases, self.comparator_noncases, self.exposed_cases, self.exposed_noncases)

    @property
    def zero_cells(self) -> list[str]:
        """Names of the cells that are zero."""
        return [field.name for field in fields(self) if getattr(self, field.name) == 0]


def odds_ratio(table: TwoByTwo, *, method: OddsRatioMethod, confidence: float) -> Answer:
    """Odds of being a case among the exposed over those in the comparator.

    `woolf`: cross-product, logit limits, Wald P, `standard_error` of the log; no answer with a zero cell.
    `haldane_anscombe`: the same with 0.5 added to every cell, zero or not, as `reason` says; biased toward 1.
    `exact_conditional`: conditional maximum likelihood, limits from two one-sided exact tests, two-sided P by
    probability (R: fisher.test); its P and its limits can disagree at the border.
    `exact_mid_p`: median-unbiased estimate with mid-P limits and P (R: epitools, oddsratio.midp); less conservative.
    Misleads as a risk ratio when cases are common. Zero cells: 0 is `ok` with an exact upper limit; infinite is
    `limit_only`; an empty margin is `not_estimable`.
    Raises EstimationError for an unknown method or a confidence outside (0, 1).
    Source: Woolf 1955, Ann Hum Genet 19:251; Anscombe 1956, Biometrika 43:461; Gart 1970; Berry and Armitage 1995,
    The Statistician 44:417 (mid-P).
    """
    tail = tail_probability(confidence)
    if method not in get_args(OddsRatioMethod):
        raise EstimationError(f"unknown method of an odds ratio: {method!r}")
    if table.empty_margin:
        return not_estimable(method, table.empty_margin, event_count=table.case_count)
    if method == "woolf":
        return _logit(table, confidence, method=method, added=0.0)
    if method == "haldane_anscombe":
        answer = _logit(table, confidence, method=method, added=0.5)
        return replace(answer, reason="0.5 was added to every cell")
    rule = _CONDITIONAL if method == "exact_conditional" else _MID_P
    distribution = exact.table_distribution(table.margins)
    answer = _exact_answer([table], distribution, rule=rule, tail=tail)
    return replace(answer, method=method, confidence_level=confidence, event_count=table.case_count)


def mantel_haenszel_odds_ratio(tables: Sequence[TwoByTwo], *, confidence: float) -> Answer:
    """Common odds ratio over strata, with Robins-Breslow-Greenland limits and the Cochran-Mantel-Haenszel P.

    `tables`: one per stratum. Strata with an empty margin carry no information and are left out of the estimate, but
    their cases are in `event_count`. P is without continuity correction (R: mantelhaen.test(correct = FALSE)).
    Misleads when the odds ratio differs between strata. Where the cross-products of one side are zero in every stratum
    the value is 0 or infinite; the one limit is then that of `exact_conditional_stratified`, for strata of any size,
    and `reason` says so.
    Source: Mantel and Haenszel 1959, JNCI 22:719; Robins, Breslow and Greenland 1986, Biometrics 42:311.
    """
    tail = tail_probability(confidence)
    strata = [table for table in tables if not table.empty_margin]
    cases = sum(table.case_count for table in tables)
    if not strata:
        return not_estimable(MANTEL_HAENSZEL, _no_information(tables), event_count=cases)
    upward, downward = _cross_products(strata)
    up, down = math.fsum(upward), math.fsum(downward)
    answer = Answer(
        method=MANTEL_HAENSZEL,
        value=None if down == 0.0 else up / down,
        status="limit_only" if down == 0.0 else "ok",
        lower=1.0 / _upper_limit_of_zero([table.groups_swapped for table in strata], tail) if down == 0.0 else 0.0,
        upper=_upper_limit_of_zero(strata, tail) if up == 0.0 else None,
        reason=_zero_reason(strata),
        confidence_level=confidence,
        p_value=_cochran_mantel_haenszel_p_value(strata),
        event_count=cases,
    )
    if up == 0.0 or down == 0.0:
        return replace(answer, reason=f"{answer.reason}; the limit is exact conditional")
    standard_error = math.sqrt(_robins_breslow_greenland_variance(strata, upward, downward))
    spread = normal_quantile(confidence) * standard_error
    lower, upper = up / down * math.exp(-spread), up / down * math.exp(spread)
    return replace(answer, lower=lower, upper=upper, standard_error=standard_error)


def exact_conditional_stratified(tables: Sequence[TwoByTwo], *, confidence: float) -> Answer:
    """Common odds ratio over strata by exact conditional likelihood, for cells too small for Mantel-Haenszel limits.

    `tables`: one per stratum; those with an empty margin are left out, their cases stay in `event_count`. Limits, P and
    zero cells as `exact_conditional` of `odds_ratio` (R: mantelhaen.test(exact = TRUE)).
    Misleads when the odds ratio differs between strata.
    Raises EstimationError when the margins let the exposed cases take more than 5,000 values beyond the first; the
    limits of `mantel_haenszel_odds_ratio` are good there.
    Source: Gart 1970, Biometrika 57:471; Mehta, Patel and Gray 1985, JASA 80:969.
    """
    tail = tail_probability(confidence)
    strata = [table for table in tables if not table.empty_margin]
    cases = sum(table.case_count for table in tables)
    if not strata:
        return not_estimable(EXACT_STRATIFIED, _no_information(tables), event_count=cases)
    support = sum(table.margins.highest - table.margins.lowest for table in strata)
    if support > MAXIMUM_STRATIFIED_SUPPORT:
        raise EstimationError(f"exact strata allow {MAXIMUM_STRATIFIED_SUPPORT} values, these margins give {support}")
    distribution = exact.strata_distribution([table.margins for table in strata])
    answer = _exact_answer(strata, distribution, rule=_CONDITIONAL, tail=tail)
    return replace(answer, method=EXACT_STRATIFIED, confidence_level=confidence, event_count=cases)


@dataclass(frozen=True, slots=True)
class _ExactRule:
    """How an exact method reads a distribution at the observed count; the shares grow with the odds ratio."""

    estimate: Callable[[Probabilities, int], float]  # zero at the estimate, growing with the odds ratio
    share_for_lower: Callable[[Probabilities, int], float]  # the tail at the lower limit
    share_for_upper: Callable[[Probabilities, int], float]  # one less the tail at the upper limit
    p_value: Callable[[Probabilities, int], float]


def _above_mid(mass: Probabilities, count: int) -> float:
    return mass.above(count) + mass.at(count) / 2.0


_CONDITIONAL = _ExactRule(
    estimate=lambda mass, count: mass.mean() - count,
    share_for_lower=lambda mass, count: mass.at(count) + mass.above(count),
    share_for_upper=lambda mass, count: mass.above(count),
    p_value=lambda mass, count: mass.as_unlikely_as(count),
)
_MID_P = _ExactRule(
    estimate=lambda mass, count: _above_mid(mass, count) - 0.5,
    share_for_lower=_above_mid,
    share_for_upper=_above_mid,
    p_value=lambda mass, count: 2.0 * min(_above_mid(mass, count), mass.below(count) + mass.at(count) / 2.0),
)


def _exact_answer(strata: Sequence[TwoByTwo], distribution: Distribution, *, rule: _ExactRule, tail: float) -> Answer:
    count = sum(table.exposed_cases for table in strata)
    upward, downward = _cross_products(strata)
    start = math.log((math.fsum(upward) + 0.5) / (math.fsum(downward) + 0.5))

    def root(share: Callable[[Probabilities, int], float], target: float) -> float:
        return math.exp(exact.solve(lambda log_ratio: share(distribution(log_ratio), count) - target, start=start))

    at_lowest, at_highest = not any(upward), not any(downward)
    return Answer(
        method="exact",
        value=None if at_highest else 0.0 if at_lowest else root(rule.estimate, 0.0),
        lower=0.0 if at_lowest else root(rule.share_for_lower, tail),
        upper=None if at_highest else root(rule.share_for_upper, 1.0 - tail),
        p_value=rule.p_value(distribution(0.0), count),
        status="limit_only" if at_highest else "ok",
        reason=_zero_reason(strata),
    )


def _logit(table: TwoByTwo, confidence: float, *, method: OddsRatioMethod, added: float) -> Answer:
    if table.zero_cells and not added:
        reason = f"{method} needs every cell above zero, {' and '.join(table.zero_cells)} is 0"
        return not_estimable(method, reason, event_count=table.case_count)
    cells = [getattr(table, field.name) + added for field in fields(table)]
    value = cells[0] * cells[3] / (cells[1] * cells[2])
    standard_error = math.sqrt(math.fsum(1.0 / cell for cell in cells))
    spread = normal_quantile(confidence) * standard_error
    return Answer(
        method=method,
        value=value,
        lower=value * math.exp(-spread),
        upper=value * math.exp(spread),
        confidence_level=confidence,
        standard_error=standard_error,
        p_value=wald_p_value(math.log(value) / standard_error),
        event_count=table.case_count,
    )


def _cross_products(strata: Sequence[TwoByTwo]) -> tuple[list[float], list[float]]:
    upward = [table.exposed_cases * table.comparator_noncases / table.size for table in strata]
    downward = [table.exposed_noncases * table.comparator_cases / table.size for table in strata]
    return upward, downward


def _robins_breslow_greenland_variance(
    strata: Sequence[TwoByTwo], upward: Sequence[float], downward: Sequence[float]
) -> float:
    up, down = math.fsum(upward), math.fsum(downward)
    shares = [(table.exposed_cases + table.comparator_noncases) / table.size for table in strata]
    terms = list(zip(shares, upward, downward, strict=True))
    return (
        math.fsum(share * r for share, r, _ in terms) / (2.0 * up**2)
        + math.fsum(share * s + (1.0 - share) * r for share, r, s in terms) / (2.0 * up * down)
        + math.fsum((1.0 - share) * s for share, _, s in terms) / (2.0 * down**2)
    )


def _cochran_mantel_haenszel_p_value(strata: Sequence[TwoByTwo]) -> float:
    differences, variances = [], []
    for table in strata:
        exposed, cases = table.margins.exposed, table.case_count
        unexposed_or_noncase = (table.size - exposed) * (table.size - cases)
        # The numerator is whole: expected counts subtracted as floats would lose digits at large cells.
        differences.append((table.exposed_cases * table.size - exposed * cases) / table.size)
        variances.append(exposed * cases * unexposed_or_noncase / (table.size**2 * (table.size - 1)))
    return wald_p_value(math.fsum(differences) / math.sqrt(math.fsum(variances)))


def _upper_limit_of_zero(strata: Sequence[TwoByTwo], tail: float) -> float:
    """Odds ratio at which fewest exposed cases in every stratum has probability `tail`.

    The lowest total has one composition, so its probability is a product and needs no convolution.
    """
    parts = [(exact.table_distribution(table.margins), table.margins.lowest) for table in strata]

    def missing(log_ratio: float) -> float:
        return tail - math.prod(distribution(log_ratio).at(lowest) for distribution, lowest in parts)

    return math.exp(exact.solve(missing, start=0.0))


def _zero_reason(strata: Sequence[TwoByTwo]) -> str:
    """Names the zero cells behind an estimate of 0 or infinity; empty for any other."""
    where = "" if len(strata) == 1 else " in every informative stratum"
    pairs = (("exposed_cases", "comparator_noncases"), ("exposed_noncases", "comparator_cases"))
    for pair in pairs:
        zeros = [set(pair) & set(table.zero_cells) for table in strata]
        if all(zeros):
            return f"{' or '.join(cell for cell in pair if any(cell in each for each in zeros))} is 0{where}"
    return ""


def _no_information(tables: Sequence[TwoByTwo]) -> str:
    return "there are no strata" if not tables else "every stratum has an empty margin"
