"""What seeing no event says, and how many persons it takes to see one.

Owns the rule of three and the number behind it. Limits of observed counts belong in `proportion` and `incidence`.
Source: Hanley and Lippman-Hand 1983, JAMA 249:1743; Eypasch et al. 1995, BMJ 311:619.
"""

from __future__ import annotations

import math

from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "rule_of_three"


def rule_of_three(total: int) -> Answer:
    """Risk excluded by no event among `total` persons: upper limit 3 / total, at most 1.

    The limit is the one-sided one at 0.95 (two-sided at 0.90), as published; the exact one is 1 - 0.05^(1 / total), which
    3 / total exceeds always and below 30 persons by more than 5%. The upper limit of a two-sided interval at 0.95 is
    higher, near 3.69 / total: `proportion` has it. Misleads when the persons were not all followed as long as the event
    takes to come.
    Raises EstimationError for a negative `total`.
    """
    if total < 0:
        raise EstimationError(f"a number of persons is counted from 0, got {total}")
    if total == 0:
        return not_estimable(METHOD, "total is 0", person_count=0, event_count=0)
    return Answer(
        method=METHOD,
        value=0.0,
        lower=0.0,
        upper=min(1.0, 3.0 / total),
        confidence_level=0.90,
        person_count=total,
        event_count=0,
    )


def persons_to_see_one(risk: float, *, probability: float) -> int:
    """Fewest persons among whom at least one event is seen with `probability`, at `risk` per person.

    The smallest n with 1 - (1 - risk)^n >= probability: 3,328 at a risk of 0.0009 (0.09%) and 0.95. Misleads when persons
    share their risk (a hospital, a batch): more are then needed.
    Raises EstimationError for a risk outside (0, 1] or a probability outside (0, 1).
    """
    if not 0.0 < risk <= 1.0:
        raise EstimationError(f"a risk to be seen lies above 0 and at most at 1, got {risk}")
    if not 0.0 < probability < 1.0:
        raise EstimationError(f"a probability lies between 0 and 1, got {probability}")
    if risk == 1.0:
        return 1
    # At a whole number the quotient of two rounded logarithms falls on either side: a risk of 0.5 at 0.75 is 2 persons.
    exact = math.log1p(-probability) / math.log1p(-risk)
    nearest = round(exact)
    return max(1, nearest if math.isclose(exact, nearest, rel_tol=1e-13) else math.ceil(exact))
