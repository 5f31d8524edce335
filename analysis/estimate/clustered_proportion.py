"""Share of moments that are met, where one person has several: exact limits at the number of independent moments they are worth.

Owns the effective number of Korn and Graubard. Moments of one person are alike; limits that take each for itself are too narrow.
Source: Korn and Graubard 1998, Survey Methodology 24:193; the exact limits are those of Clopper and Pearson 1934.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy.special import betaincinv, stdtrit

from analysis.estimate.confidence import tail_probability
from analysis.estimate.proportion import proportion
from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "clopper_pearson_effective_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustered:
    """Moments of persons: how many, how many of them met, and the sums over persons of the products of their two numbers."""

    persons: int
    moments: int
    met: int
    moments_squared: int
    moments_by_met: int
    met_squared: int


def clustered_proportion(counts: Clustered, *, confidence: float) -> Answer:
    """Share of moments that are met, between 0 and 1; `person_count` is the number of persons, `event_count` of met moments.

    One moment a person: Clopper-Pearson. Else the same limits at the effective number: moments over the design effect, with the t quantiles
    of persons for those of moments, and never above the number of moments. None or all met, or one person alone: the persons are
    the effective number, for the moments then do not say how alike they are. Misleads where persons were chosen for their moments.
    Raises EstimationError for counts that no persons can have.
    Source: Korn and Graubard 1998.
    """
    tail = tail_probability(confidence)
    if not 0 <= counts.met <= counts.moments or counts.persons > counts.moments:
        raise EstimationError(f"counts of moments that no persons can have: {counts}")
    if counts.moments == 0:
        return not_estimable(METHOD, "no moment can be assessed", person_count=0, event_count=0)
    if counts.persons == counts.moments:
        return proportion(counts.met, counts.moments, confidence=confidence)
    share = counts.met / counts.moments
    number = effective_number(counts, tail=tail)
    met = share * number
    return Answer(
        method=METHOD,
        value=share,
        lower=0.0 if counts.met == 0 else float(betaincinv(met, number - met + 1.0, tail)),
        upper=1.0 if counts.met == counts.moments else float(betaincinv(met + 1.0, number - met, 1.0 - tail)),
        confidence_level=confidence,
        person_count=counts.persons,
        event_count=counts.met,
    )


def effective_number(counts: Clustered, *, tail: float) -> float:
    """How many independent moments these are worth."""
    if counts.met in (0, counts.moments) or counts.persons == 1:
        return float(counts.persons)
    share = counts.met / counts.moments
    squares = counts.met_squared - 2.0 * share * counts.moments_by_met + share**2 * counts.moments_squared
    variance = counts.persons / (counts.persons - 1) * max(squares, 0.0) / counts.moments**2
    if variance == 0.0:
        return float(counts.moments)
    narrower = float(stdtrit(counts.moments - 1, tail) / stdtrit(counts.persons - 1, tail))
    return min(float(counts.moments), share * (1.0 - share) / variance * narrower**2)
