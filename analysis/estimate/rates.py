"""Rate ratio and rate difference of two groups of person-time and of strata of them.

Owns the table of events and person-days and what every zero answers. One rate belongs in `incidence`, standardised rates
in `standardised_rate`, hazards, which may change over follow-up, in `cox`.

All limits take events as Poisson: they are too narrow where a few persons hold most events (`overdispersion`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from scipy.special import betainc, betaincinv
from scipy.stats import binomtest

from analysis.estimate.confidence import normal_quantile, tail_probability, wald_p_value
from analysis.estimate.incidence import DAYS_PER_YEAR
from analysis.estimate.noncentral_hypergeometric import solve
from analysis.estimate.result import Answer, EstimationError, not_estimable
from analysis.estimate.standardised_rate import fay_feuer_limits

RateRatioMethod = Literal["exact_conditional", "exact_mid_p"]

MANTEL_HAENSZEL = "mantel_haenszel"
MOVER = "mover"
DAYS_PER_100_YEARS = 100.0 * DAYS_PER_YEAR


@dataclass(frozen=True, slots=True)
class TwoRates:
    """Events and person-days of the exposed and of the comparator.

    Raises EstimationError for a number that is negative or not whole and for events without person-days.
    """

    exposed_events: int
    exposed_person_days: int
    comparator_events: int
    comparator_person_days: int

    def __post_init__(self) -> None:
        cells = {field.name: getattr(self, field.name) for field in fields(self)}
        wrong = [name for name, count in cells.items() if not isinstance(count, int) or count < 0]
        if wrong:
            raise EstimationError(f"a cell is a whole number from 0 (int), not so: {', '.join(wrong)}")
        for group in ("exposed", "comparator"):
            if cells[f"{group}_events"] and not cells[f"{group}_person_days"]:
                raise EstimationError(f"{group}: events in 0 person-days; an event needs time at risk")

    @property
    def event_count(self) -> int:
        """Events of both groups."""
        return self.exposed_events + self.comparator_events

    @property
    def person_days(self) -> int:
        """Person-days of both groups."""
        return self.exposed_person_days + self.comparator_person_days

    @property
    def groups_swapped(self) -> TwoRates:
        """The table with exposed and comparator exchanged: its ratio is the inverse."""
        return TwoRates(
            self.comparator_events, self.comparator_person_days, self.exposed_events, self.exposed_person_days
        )

    @property
    def untimed_group(self) -> str:
        """The group without person-days, which leaves no rate to compare; empty when there is none."""
        if self.exposed_person_days == 0:
            return "exposed_person_days is 0"
        return "comparator_person_days is 0" if self.comparator_person_days == 0 else ""


def rate_ratio(table: TwoRates, *, method: RateRatioMethod, confidence: float) -> Answer:
    """Rate of the exposed over the rate of the comparator, given the events of both together.

    `exact_conditional`: the ratio of the two rates, Clopper-Pearson limits of the exposed share of events and the two-sided
    P by probability (R: poisson.test). `exact_mid_p`: median-unbiased with mid-P limits and P (R: epitools,
    rateratio.midp); less conservative. No exposed event is 0 with an exact upper limit, no comparator event `limit_only`.
    Misleads when the rate changes over follow-up and the groups are followed for different lengths.
    Raises EstimationError for an unknown method or a confidence outside (0, 1).
    Source: Rothman, Greenland and Lash 2008, Modern Epidemiology, 3rd ed., 254; Ulm 1990, Am J Epidemiol 131:373.
    """
    tail = tail_probability(confidence)
    if method not in get_args(RateRatioMethod):
        raise EstimationError(f"unknown method of a rate ratio: {method!r}")
    if reason := table.untimed_group or ("" if table.event_count else "there are no events"):
        return not_estimable(method, reason, **_counts([table]))
    exposed, other = table.exposed_events, table.comparator_events
    times = table.comparator_person_days / table.exposed_person_days
    if method == "exact_mid_p":
        estimate = None if other == 0 else 0.0 if exposed == 0 else _mid_p_odds(table, 0.5)
        lower = 0.0 if exposed == 0 else _mid_p_odds(table, tail)
        upper = None if other == 0 else _mid_p_odds(table, 1.0 - tail)
        above = _mid_p_share(exposed, other, table.exposed_person_days / table.person_days)
        p_value = 2.0 * min(above, 1.0 - above)
    else:
        estimate = None if other == 0 else exposed / other
        lower = 0.0 if exposed == 0 else _odds(exposed, other + 1, tail)
        upper = None if other == 0 else _odds(exposed + 1, other, 1.0 - tail)
        share = table.exposed_person_days / table.person_days
        p_value = float(binomtest(exposed, table.event_count, share).pvalue)
    return Answer(
        method=method,
        value=None if estimate is None else estimate * times,
        lower=lower * times,
        upper=None if upper is None else upper * times,
        confidence_level=confidence,
        p_value=min(1.0, p_value),
        status="limit_only" if other == 0 else "ok",
        reason=_zero_events([table]),
        event_count=table.event_count,
        person_days=table.person_days,
    )


def rate_difference_per_100py(table: TwoRates, *, confidence: float) -> Answer:
    """Rate of the exposed less the rate of the comparator, events per 100 person-years of 365.25 days.

    Limits combine the exact limits of the two rates (MOVER) and so exist without any event. No P. Misleads when carried
    over to persons of another baseline rate.
    Source: Zou and Donner 2008, Stat Med 27:1693; Garwood 1936 for each rate.
    """
    tail = tail_probability(confidence)
    if reason := table.untimed_group:
        return not_estimable(MOVER, reason, **_counts([table]))
    return _mover([table], method=MOVER, tail=tail, confidence=confidence)


def mantel_haenszel_rate_ratio(tables: Sequence[TwoRates], *, confidence: float) -> Answer:
    """Common rate ratio over strata with Greenland-Robins limits, `standard_error` of the log and the score P.

    `tables`: one per stratum. Strata without person-days in a group are left out of the estimate, not of the counts; strata
    without events change nothing. Misleads when the rate ratio differs between strata. Where one group has no event in any
    stratum the value is 0 or infinite (`limit_only`); the one limit is then exact conditional, and `reason` says so.
    Source: Rothman and Boice 1979; Greenland and Robins 1985, Biometrics 41:55.
    """
    tail = tail_probability(confidence)
    strata = [table for table in tables if not table.untimed_group and table.event_count]
    if not strata:
        reason = "there are no events in strata with both groups" if tables else "there are no strata"
        return not_estimable(MANTEL_HAENSZEL, reason, **_counts(tables))
    up = math.fsum(table.exposed_events * table.comparator_person_days / table.person_days for table in strata)
    down = math.fsum(table.comparator_events * table.exposed_person_days / table.person_days for table in strata)
    answer = Answer(
        method=MANTEL_HAENSZEL,
        value=None if down == 0.0 else up / down,
        lower=1.0 / _upper_limit_of_zero([table.groups_swapped for table in strata], tail) if down == 0.0 else 0.0,
        upper=_upper_limit_of_zero(strata, tail) if up == 0.0 else None,
        confidence_level=confidence,
        p_value=_score_p_value(strata),
        event_count=sum(table.event_count for table in tables),
        person_days=sum(table.person_days for table in tables),
        status="limit_only" if down == 0.0 else "ok",
        reason=_zero_events(strata),
    )
    if answer.reason:
        return replace(answer, reason=f"{answer.reason}; the limit is exact conditional")
    standard_error = math.sqrt(math.fsum(_score_variance_term(table) for table in strata) / (up * down))
    spread = normal_quantile(confidence) * standard_error
    lower, upper = up / down * math.exp(-spread), up / down * math.exp(spread)
    return replace(answer, lower=lower, upper=upper, standard_error=standard_error)


def mantel_haenszel_rate_difference_per_100py(tables: Sequence[TwoRates], *, confidence: float) -> Answer:
    """Common rate difference over strata, events per 100 person-years, with Greenland-Robins limits and Wald P.

    `tables`: one per stratum; those without person-days in a group are left out of the estimate, not of the counts; strata
    without events count. Misleads when the difference varies over strata, as it must where baseline rates differ and the
    ratio is common. Where a group has no event its variance would be 0: the limits are then those of the two weighted rates
    (gamma) combined by MOVER, and `reason` says so.
    Source: Greenland and Robins 1985, Biometrics 41:55; Fay and Feuer 1997 and Zou and Donner 2008 for zeros.
    """
    tail = tail_probability(confidence)
    strata = [table for table in tables if not table.untimed_group]
    if not strata:
        reason = "no stratum has person-days in both groups" if tables else "there are no strata"
        return not_estimable(MANTEL_HAENSZEL, reason, **_counts(tables))
    answer = replace(
        _mover(strata, method=MANTEL_HAENSZEL, tail=tail, confidence=confidence),
        event_count=sum(table.event_count for table in tables),
        person_days=sum(table.person_days for table in tables),
    )
    if reason := _zero_events(strata):
        return replace(answer, reason=f"{reason}; the limits are those of two weighted rates")
    value, _, standard_error = _weighted_difference(strata)
    spread = normal_quantile(confidence) * standard_error
    p_value = wald_p_value(value / standard_error)
    return replace(answer, lower=value - spread, upper=value + spread, standard_error=standard_error, p_value=p_value)


def _odds(events: int, others: int, probability: float) -> float:
    """Odds of the quantile of a beta distribution, each side from its own tail so that neither rounds away."""
    share = float(betaincinv(events, others, probability))
    return share / float(betaincinv(others, events, 1.0 - probability)) if share > 0.5 else share / (1.0 - share)


def _mid_p_share(exposed: int, other: int, share: float) -> float:
    """P of more exposed events plus half the P of as many, at this expected share of them."""
    more = float(betainc(exposed + 1, other, share)) if other else 0.0
    as_many = float(betainc(exposed, other + 1, share)) if exposed else 1.0
    return (more + as_many) / 2.0


def _mid_p_odds(table: TwoRates, target: float) -> float:
    exposed, other = table.exposed_events, table.comparator_events

    def excess(log_odds: float) -> float:
        return _mid_p_share(exposed, other, 1.0 / (1.0 + math.exp(-log_odds))) - target

    return math.exp(solve(excess, start=math.log((exposed + 0.5) / (other + 0.5))))


def _upper_limit_of_zero(strata: Sequence[TwoRates], tail: float) -> float:
    """Rate ratio at which no exposed event in any stratum has probability `tail`, given the events."""
    parts = [(table.event_count, table.exposed_person_days / table.comparator_person_days) for table in strata]

    def excess(log_ratio: float) -> float:
        ratio = math.exp(log_ratio)
        return math.fsum(events * math.log1p(ratio * times) for events, times in parts) + math.log(tail)

    return math.exp(solve(excess, start=0.0))


def _score_p_value(strata: Sequence[TwoRates]) -> float:
    excess = math.fsum(
        (table.exposed_events * table.comparator_person_days - table.comparator_events * table.exposed_person_days)
        / table.person_days
        for table in strata
    )
    return wald_p_value(excess / math.sqrt(math.fsum(_score_variance_term(table) for table in strata)))


def _score_variance_term(table: TwoRates) -> float:
    return table.event_count * table.exposed_person_days * table.comparator_person_days / table.person_days**2


def _per_event(strata: Sequence[TwoRates]) -> tuple[list[float], list[float]]:
    """What one event of a stratum adds to the weighted rate of its group, per 100 person-years."""
    weight = math.fsum(table.exposed_person_days * table.comparator_person_days / table.person_days for table in strata)
    factor = DAYS_PER_100_YEARS / weight
    exposed = [table.comparator_person_days / table.person_days * factor for table in strata]
    return exposed, [table.exposed_person_days / table.person_days * factor for table in strata]


def _weighted_difference(strata: Sequence[TwoRates]) -> tuple[float, float, float]:
    """Weighted rate of the exposed less that of the comparator, the latter, and the standard error of the difference."""
    exposed, comparator = _per_event(strata)
    pairs = list(zip(strata, exposed, comparator, strict=True))
    rate = math.fsum(table.exposed_events * here for table, here, _ in pairs)
    other = math.fsum(table.comparator_events * there for table, _, there in pairs)
    variance = math.fsum(table.exposed_events * a**2 + table.comparator_events * b**2 for table, a, b in pairs)
    return rate - other, other, math.sqrt(variance)


def _mover(strata: Sequence[TwoRates], *, method: str, tail: float, confidence: float) -> Answer:
    """Difference of the weighted rates with limits from the limits of each."""
    exposed, comparator = _per_event(strata)
    value, other, _ = _weighted_difference(strata)
    low, high = fay_feuer_limits([table.exposed_events for table in strata], exposed, tail)
    other_low, other_high = fay_feuer_limits([table.comparator_events for table in strata], comparator, tail)
    rate = value + other
    return Answer(
        method=method,
        value=value,
        lower=value - math.hypot(rate - low, other_high - other),
        upper=value + math.hypot(high - rate, other - other_low),
        confidence_level=confidence,
        event_count=sum(table.event_count for table in strata),
        person_days=sum(table.person_days for table in strata),
    )


def _zero_events(strata: Sequence[TwoRates]) -> str:
    where = "" if len(strata) == 1 else " in every stratum"
    names = [name for name in ("exposed_events", "comparator_events") if not any(getattr(t, name) for t in strata)]
    return f"{' and '.join(names)} is 0{where}" if names else ""


def _counts(tables: Sequence[TwoRates]) -> dict[str, int | None]:
    return {
        "event_count": sum(table.event_count for table in tables),
        "person_days": sum(table.person_days for table in tables),
    }
