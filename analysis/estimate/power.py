"""Minimal detectable ratios: the smallest ratio above 1 that a study of this size would find, at a given power.

Owns the formulas for odds, rate and hazard ratios. They say what could have been seen, before looking at the estimate;
the power of an estimate already seen says nothing beyond its P.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.optimize import brentq
from scipy.special import ndtri

from analysis.estimate.confidence import normal_quantile
from analysis.estimate.result import Answer, EstimationError, not_estimable

_LARGEST_LOG = 50.0  # of a ratio worth the name
_PRECISION = 1e-13


def minimal_detectable_odds_ratio(
    cases: int, controls: int, *, exposed_controls: float, confidence: float, power: float
) -> Answer:
    """Smallest odds ratio above 1 that unmatched cases and controls would find. `exposed_controls`: share, in (0, 1).

    The two-sided test compares the two shares of exposed, with the pooled share under no effect. Matched sets find a
    little more or less; with rare exposure the normal test is optimistic.
    Raises EstimationError for negative counts, or a share or confidence outside (0, 1), or a power outside [0.5, 1).
    Source: Schlesselman 1982, Case-Control Studies, 6; Fleiss 1981, Statistical Methods for Rates and Proportions, 3.
    """
    method = "minimal_detectable_odds_ratio"
    if min(cases, controls) < 0 or not 0.0 < exposed_controls < 1.0:
        raise EstimationError("counts must not be negative, and the share of exposed controls lies between 0 and 1")
    quantiles = normal_quantile(confidence), _power_quantile(power)
    if not cases or not controls:
        return not_estimable(method, "there are no cases" if not cases else "there are no controls", event_count=cases)

    def excess(log_ratio: float) -> float:
        odds = math.exp(log_ratio) * exposed_controls / (1.0 - exposed_controls)
        share = odds / (1.0 + odds)
        pooled = (cases * share + controls * exposed_controls) / (cases + controls)
        null = math.sqrt(pooled * (1.0 - pooled) * (1.0 / cases + 1.0 / controls))
        spread = share * (1.0 - share) / cases + exposed_controls * (1.0 - exposed_controls) / controls
        return share - exposed_controls - quantiles[0] * null - quantiles[1] * math.sqrt(spread)

    reason = f"with {cases} cases and {controls} controls no odds ratio reaches this power"
    return _smallest(method, excess, reason, event_count=cases)


def minimal_detectable_rate_ratio(
    comparator_events: float, *, exposed_person_days: int, comparator_person_days: int, confidence: float, power: float
) -> Answer:
    """Smallest rate ratio above 1 that these person-days would find, from the events seen or expected in the comparator.

    The two-sided Wald test of the log rate ratio, whose variance is one over the events expected in either group, under
    no effect for the test and at the ratio for the power. Optimistic below some 10 events.
    Raises EstimationError for negative counts, or a confidence outside (0, 1) or a power outside [0.5, 1).
    Source: Breslow and Day 1987, Statistical Methods in Cancer Research II, 7.
    """
    method = "minimal_detectable_rate_ratio"
    if min(comparator_events, exposed_person_days, comparator_person_days) < 0:
        raise EstimationError("events and person-days must not be negative")
    quantiles = normal_quantile(confidence), _power_quantile(power)
    if not exposed_person_days or not comparator_person_days:
        return not_estimable(method, "a group has no person-days")
    if not comparator_events:
        return not_estimable(method, "no events are expected in the comparator")
    expected = comparator_events * exposed_person_days / comparator_person_days

    def excess(log_ratio: float) -> float:
        null = math.sqrt(1.0 / comparator_events + 1.0 / expected)
        spread = math.sqrt(1.0 / comparator_events + math.exp(-log_ratio) / expected)
        return log_ratio - quantiles[0] * null - quantiles[1] * spread

    return _smallest(method, excess, "no rate ratio reaches this power")


def minimal_detectable_hazard_ratio(events: int, *, exposed_share: float, confidence: float, power: float) -> Answer:
    """Smallest hazard ratio above 1 that this many events would find, both groups together.

    exposed_share: of the persons, in (0, 1). For proportional hazards near no effect and no covariates related to the
    exposure; after matching or weighting take the effective numbers.
    Raises EstimationError for negative events, or a share or confidence outside (0, 1), or a power outside [0.5, 1).
    Source: Schoenfeld 1983, Biometrics 39:499.
    """
    method = "minimal_detectable_hazard_ratio"
    if events < 0 or not 0.0 < exposed_share < 1.0:
        raise EstimationError("events must not be negative, and the exposed share lies between 0 and 1")
    total = normal_quantile(confidence) + _power_quantile(power)
    if not events:
        return not_estimable(method, "no events", event_count=0)
    log_ratio = total / math.sqrt(events * exposed_share * (1.0 - exposed_share))
    if log_ratio > _LARGEST_LOG:
        return not_estimable(method, "no hazard ratio below e^50 reaches this power", event_count=events)
    return Answer(method=method, value=math.exp(log_ratio), event_count=events)


def _smallest(method: str, excess: Callable[[float], float], reason: str, event_count: int | None = None) -> Answer:
    """Where the difference first exceeds what the test needs, walking up from no effect."""
    low, step = 0.0, 0.05
    while excess(low + step) < 0.0:
        low += step
        if low > _LARGEST_LOG:
            return not_estimable(method, reason, event_count=event_count)
    value = math.exp(float(brentq(excess, low, low + step, xtol=_PRECISION)))
    return Answer(method=method, value=value, event_count=event_count)


def _power_quantile(power: float) -> float:
    if not 0.5 <= power < 1.0:
        raise EstimationError(f"power lies between 0.5 and 1, got {power}")
    return float(ndtri(power))
