"""Rates standardised directly to a standard population, with gamma limits.

Owns weighted sums of Poisson rates. Crude rates belong in `incidence`, comparisons in `rates`.
Source: Fay and Feuer 1997, Stat Med 16:791.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import gammainccinv, gammaincinv

from analysis.estimate.confidence import tail_probability
from analysis.estimate.incidence import DAYS_PER_YEAR
from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "direct_fay_feuer"


@dataclass(frozen=True, slots=True)
class StandardStratum:
    """Events and person-days of one age-sex stratum, and that stratum's share of the standard population.

    `standard_weight` may be a share or a count of persons; only its ratio to the other strata matters.
    Raises EstimationError for negative numbers, a weight that is not finite and events without person-days.
    """

    events: int
    person_days: int
    standard_weight: float

    def __post_init__(self) -> None:
        if self.events < 0 or self.person_days < 0:
            raise EstimationError(
                f"a rate needs counts from 0, got {self.events} events in {self.person_days} person-days"
            )
        if not (math.isfinite(self.standard_weight) and self.standard_weight >= 0.0):
            raise EstimationError(f"a standard weight is a finite number from 0, got {self.standard_weight}")
        if self.events and not self.person_days:
            raise EstimationError(f"{self.events} events in 0 person-days: an event needs time at risk")


def directly_standardised_rate_per_100py(strata: Sequence[StandardStratum], *, confidence: float) -> Answer:
    """Events per 100 person-years that the standard population would have at the rates of these strata.

    Limits are those of a gamma distribution: exact with one stratum, conservative with very unequal weights. No event gives
    value 0 with an upper limit. `event_count` and `person_days` are those of all strata. Misleads as a rate of anybody in
    particular, and where the rates of two groups cross over age. A stratum of the standard without person-days cannot be
    filled in: `not_estimable`.
    Source: Fay and Feuer 1997 (R: epitools, ageadjust.direct).
    """
    tail = tail_probability(confidence)
    events, days = sum(stratum.events for stratum in strata), sum(stratum.person_days for stratum in strata)
    total = math.fsum(stratum.standard_weight for stratum in strata)
    weighted = [stratum for stratum in strata if stratum.standard_weight > 0.0]
    empty = sum(stratum.person_days == 0 for stratum in weighted)
    if not weighted:
        return not_estimable(METHOD, "no stratum has a standard weight", event_count=events, person_days=days)
    if empty:
        reason = f"strata of the standard without person-days: {empty} of {len(weighted)}"
        return not_estimable(METHOD, reason, event_count=events, person_days=days)
    per_event = [
        stratum.standard_weight / total / (stratum.person_days / DAYS_PER_YEAR / 100.0) for stratum in weighted
    ]
    counts = [stratum.events for stratum in weighted]
    lower, upper = fay_feuer_limits(counts, per_event, tail)
    return Answer(
        method=METHOD,
        value=math.fsum(count * each for count, each in zip(counts, per_event, strict=True)),
        lower=lower,
        upper=upper,
        confidence_level=confidence,
        event_count=events,
        person_days=days,
    )


def fay_feuer_limits(counts: Sequence[int], per_event: Sequence[float], tail: float) -> tuple[float, float]:
    """Gamma limits of a weighted sum of Poisson counts, `tail` beyond each.

    `per_event` is what one event adds to the sum, above zero. With one count the limits are Garwood's.
    """
    pairs = list(zip(counts, per_event, strict=True))
    rate = math.fsum(count * each for count, each in pairs)
    variance = math.fsum(count * each**2 for count, each in pairs)
    largest = max(per_event)
    above, above_variance = rate + largest, variance + largest**2
    lower = 0.0 if rate == 0.0 else variance / rate * float(gammaincinv(rate**2 / variance, tail))
    return lower, above_variance / above * float(gammainccinv(above**2 / above_variance, tail))
