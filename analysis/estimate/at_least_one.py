"""How many persons it takes to see a rare event, and what a number of persons could have shown.

Owns the binomial answer for a risk that is given, such as one of the literature. Risks of our own data belong in `proportion`.
Source: Hanley and Lippman-Hand 1983, JAMA 249:1743.
"""

from __future__ import annotations

import math

from analysis.estimate.result import Answer, EstimationError

METHOD = "binomial"


def persons_needed(risk: float, *, probability: float) -> int:
    """Fewest persons among whom at least one event is seen with this probability: ln(1 - probability) / ln(1 - risk), rounded up.

    3,328 for a risk of 0.09 % and 95 %. Raises EstimationError for a risk or a probability outside (0, 1).
    """
    _check(risk, probability)
    return math.ceil(math.log1p(-probability) / math.log1p(-risk))


def chance_of_one(risk: float, persons: int) -> float:
    """Probability that at least one of so many persons has the event. Raises EstimationError for a risk outside (0, 1)."""
    _check(risk, 0.5)
    return -math.expm1(persons * math.log1p(-risk))


def needed(risk: float, *, lower: float | None, upper: float | None, probability: float) -> Answer:
    """`persons_needed` with what the limits of the risk give: the upper limit of the risk needs fewest persons."""
    return Answer(
        method=METHOD,
        value=float(persons_needed(risk, probability=probability)),
        lower=None if upper is None else float(persons_needed(upper, probability=probability)),
        upper=None if not lower else float(persons_needed(lower, probability=probability)),
    )


def expected(risk: float, persons: int, *, lower: float | None, upper: float | None) -> Answer:
    """Events expected among so many persons under this risk, and under its limits."""
    _check(risk, 0.5)
    return Answer(
        method=METHOD,
        value=risk * persons,
        lower=None if lower is None else lower * persons,
        upper=None if upper is None else upper * persons,
        person_count=persons,
    )


def chance(risk: float, persons: int, *, lower: float | None, upper: float | None) -> Answer:
    """`chance_of_one` with what the limits of the risk give."""
    return Answer(
        method=METHOD,
        value=chance_of_one(risk, persons),
        lower=None if not lower else chance_of_one(lower, persons),
        upper=None if upper is None else chance_of_one(upper, persons),
        person_count=persons,
    )


def _check(risk: float, probability: float) -> None:
    if not (0.0 < risk < 1.0 and 0.0 < probability < 1.0):
        raise EstimationError(f"a risk and a probability lie between 0 and 1, got {risk} and {probability}")
