"""What a risk that is given, such as one of the literature, makes of a number of persons.

Owns the binomial answers with the limits of that risk. The number of persons itself is in `rare_events`, risks of our own data belong in
`proportion`.
Source: Hanley and Lippman-Hand 1983, JAMA 249:1743.
"""

from __future__ import annotations

import math

from analysis.estimate.rare_events import persons_to_see_one
from analysis.estimate.result import Answer, EstimationError

METHOD = "binomial"


def chance_of_one(risk: float, persons: int) -> float:
    """Probability that at least one of so many persons has the event. Raises EstimationError for a risk outside (0, 1)."""
    _check(risk)
    return -math.expm1(persons * math.log1p(-risk))


def needed(risk: float, *, lower: float | None, upper: float | None, probability: float) -> Answer:
    """`persons_to_see_one` with what the limits of the risk give: the upper limit of the risk needs fewest persons."""
    return Answer(
        method=METHOD,
        value=float(persons_to_see_one(risk, probability=probability)),
        lower=None if upper is None else float(persons_to_see_one(upper, probability=probability)),
        upper=None if not lower else float(persons_to_see_one(lower, probability=probability)),
    )


def expected(risk: float, persons: int, *, lower: float | None, upper: float | None) -> Answer:
    """Events expected among so many persons under this risk, and under its limits."""
    _check(risk)
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


def _check(risk: float) -> None:
    if not 0.0 < risk < 1.0:
        raise EstimationError(f"a risk lies between 0 and 1, got {risk}")
