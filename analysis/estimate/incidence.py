"""Incidence rates with exact Poisson limits.

Owns one rate, by time or by administered doses. Comparisons of two rates do not belong here.
Source: Garwood 1936, Biometrika 28:437; Ulm 1990, Am J Epidemiol 131:373.
"""

from __future__ import annotations

from scipy.special import gammainccinv, gammaincinv

from analysis.estimate.confidence import tail_probability
from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "garwood"
DAYS_PER_YEAR = 365.25  # definitions.md 1


def incidence_rate_per_100py(events: int, person_days: int, *, person_count: int | None, confidence: float) -> Answer:
    """Events per 100 person-years, a person-year being 365.25 days, with Garwood's exact Poisson limits.

    Zero events give value 0 with the upper limit of the two-sided interval. Misleads when the hazard changes over
    follow-up (a curve says more) or when a few persons hold most events (the events are then not Poisson).
    Raises EstimationError for negative counts or days and for events without person-time.
    Source: Garwood 1936; Ulm 1990.
    """
    tail = tail_probability(confidence)
    if events < 0 or person_days < 0:
        raise EstimationError(f"a rate needs counts from 0, got {events} events in {person_days} person-days")
    if person_days == 0:
        if events:
            raise EstimationError(f"{events} events in 0 person-days: an event needs time at risk")
        return not_estimable(METHOD, "person_days is 0", person_count=person_count, event_count=0, person_days=0)
    hundred_years = person_days / DAYS_PER_YEAR / 100.0
    return Answer(
        method=METHOD,
        value=events / hundred_years,
        lower=0.0 if events == 0 else float(gammaincinv(events, tail)) / hundred_years,
        upper=float(gammainccinv(events + 1, tail)) / hundred_years,
        confidence_level=confidence,
        person_count=person_count,
        event_count=events,
        person_days=person_days,
    )


def rate_per_10000_administrations(events: int, administrations: int, *, confidence: float) -> Answer:
    """Events per 10,000 administered doses, with Garwood's exact Poisson limits.

    Zero events give value 0 with the upper limit of the two-sided interval. Misleads when a few persons hold most events, and when
    doses differ: the first ones carry most reactions to a biologic.
    Raises EstimationError for negative counts and for events without a dose.
    Source: Garwood 1936.
    """
    tail = tail_probability(confidence)
    if events < 0 or administrations < 0:
        raise EstimationError(f"a rate needs counts from 0, got {events} events in {administrations} doses")
    if administrations == 0:
        if events:
            raise EstimationError(f"{events} events after 0 doses: a reaction to a dose needs a dose")
        return not_estimable(METHOD, "there are no doses", event_count=0)
    unit = administrations / 10_000.0
    return Answer(
        method=METHOD,
        value=events / unit,
        lower=0.0 if events == 0 else float(gammaincinv(events, tail)) / unit,
        upper=float(gammainccinv(events + 1, tail)) / unit,
        confidence_level=confidence,
        event_count=events,
    )
