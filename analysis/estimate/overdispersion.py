"""Whether counts of events vary more than Poisson counts would.

Owns Pearson's dispersion over persons or strata. Rates and their limits belong in `incidence` and `rates`, variances
clustered by person in `cox`.
Source: McCullagh and Nelder 1989, Generalized Linear Models, 2nd ed., 4.5 and 6.2; Cochran 1954, Biometrics 10:417.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import chdtrc

from analysis.estimate.result import Answer, EstimationError, not_estimable

METHOD = "pearson_dispersion"


def overdispersion(events: Sequence[int], person_days: Sequence[int]) -> Answer:
    """Pearson's chi-square over its degrees of freedom for one common rate: near 1 when events are Poisson.

    `events`, `person_days`: one entry per person or stratum, in the same order; entries without days are left out. Limits
    of a rate widen by the square root of the value. `person_count` is the number of entries with days. P is given only where
    the chi-square distribution holds (every expected count from 1, a fifth at most below 5); where it is absent, `reason`
    says so. Misleads over strata whose rates differ, which is no over-dispersion, and over persons with rare events, where
    the value is near 1 whatever the persons are like.
    Raises EstimationError for negative numbers, lists of different lengths and events without person-days.
    """
    if len(events) != len(person_days):
        raise EstimationError(
            f"{len(events)} counts of events and {len(person_days)} of person-days do not belong together"
        )
    if any(count < 0 for count in events) or any(days < 0 for days in person_days):
        raise EstimationError("events and person-days are counted from 0")
    late = sum(count > 0 and days == 0 for count, days in zip(events, person_days, strict=True))
    if late:
        raise EstimationError(f"{late} entries have events in 0 person-days: an event needs time at risk")
    pairs = [(count, days) for count, days in zip(events, person_days, strict=True) if days]
    total, time = sum(count for count, _ in pairs), sum(days for _, days in pairs)
    counts: dict[str, int | None] = {"person_count": len(pairs), "event_count": total, "person_days": time}
    if len(pairs) < 2:
        return not_estimable(METHOD, f"entries with person-days: {len(pairs)}, two are needed", **counts)
    if total == 0:
        return not_estimable(METHOD, "there are no events", **counts)
    expected = [days * total / time for _, days in pairs]
    # (count - expected)^2 / expected over one whole numerator: nothing cancels at large counts.
    chi_square = math.fsum((count * time - days * total) ** 2 / (time * total * days) for count, days in pairs)
    freedom = len(pairs) - 1
    below_5 = sum(each < 5.0 for each in expected)
    rough = min(expected) < 1.0 or below_5 > len(pairs) / 5
    return Answer(
        method=METHOD,
        value=chi_square / freedom,
        p_value=None if rough else float(chdtrc(freedom, chi_square)),
        person_count=len(pairs),
        event_count=total,
        person_days=time,
        reason=f"no P: expected events are below 5 in {below_5} of {len(pairs)} entries" if rough else "",
    )
