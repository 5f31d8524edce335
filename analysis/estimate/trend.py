"""Tests for a trend in the share of cases over ordered levels, in one table and over strata.

Owns the linear statistic. Comparisons of two groups belong in `two_by_two` and `risk`; how strong a trend is belongs in a
regression.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.estimate.confidence import wald_p_value
from analysis.estimate.result import Answer, EstimationError, not_estimable

COCHRAN_ARMITAGE = "cochran_armitage"
MANTEL_EXTENSION = "mantel_extension"


@dataclass(frozen=True, slots=True)
class Level:
    """Cases and noncases at one level; `score` places the level on the axis of the trend (0, 1, 2, 3 drugs).

    Raises EstimationError for a negative count or a score that is not finite.
    """

    score: float
    cases: int
    noncases: int

    def __post_init__(self) -> None:
        if self.cases < 0 or self.noncases < 0:
            raise EstimationError(f"cases and noncases are counted from 0, got {self.cases} and {self.noncases}")
        if not math.isfinite(self.score):
            raise EstimationError(f"a level needs a finite score, got {self.score}")


def cochran_armitage(levels: Sequence[Level]) -> Answer:
    """Cochran-Armitage z of a trend in the share of cases, with its two-sided P (R: prop.trend.test, which gives z^2).

    `value` is z, above 0 where the share grows with `score`. Misleads when the share rises and falls again, and with few
    cases: P is that of the normal distribution. Depends on the scores through their spacing only.
    Source: Armitage 1955, Biometrics 11:375.
    """
    return _trend([levels], method=COCHRAN_ARMITAGE, lost_freedom=0)


def mantel_extension(strata: Sequence[Sequence[Level]]) -> Answer:
    """Mantel's extension z of a trend in the share of cases over levels within strata, with its two-sided P.

    `strata`: the levels of each; levels may be missing from a stratum. Strata without cases, without noncases or with one
    level only say nothing and are left out of z, not of `event_count`. Misleads when the trend runs up in some strata and
    down in others. With one stratum it is Cochran-Armitage's z times sqrt((N - 1) / N); with two levels scored 0 and 1 it is
    the Cochran-Mantel-Haenszel test.
    Source: Mantel 1963, JASA 58:690.
    """
    return _trend(strata, method=MANTEL_EXTENSION, lost_freedom=1)


def _trend(strata: Sequence[Sequence[Level]], *, method: str, lost_freedom: int) -> Answer:
    counted = sum(level.cases for levels in strata for level in levels)
    persons = sum(level.cases + level.noncases for levels in strata for level in levels)
    parts = [part for levels in strata if (part := _excess_and_variance(levels, lost_freedom)) is not None]
    if not parts:
        reason = "no stratum has cases and noncases" if _never_mixed(strata) else "only one level has persons"
        return not_estimable(method, reason, person_count=persons, event_count=counted)
    z = math.fsum(excess for excess, _ in parts) / math.sqrt(math.fsum(variance for _, variance in parts))
    return Answer(method=method, value=z, p_value=wald_p_value(z), person_count=persons, event_count=counted)


def _excess_and_variance(levels: Sequence[Level], lost_freedom: int) -> tuple[float, float] | None:
    """Summed score of the cases less its expectation, and its variance; None where the variance is 0."""
    sizes = [level.cases + level.noncases for level in levels]
    size, cases = sum(sizes), sum(level.cases for level in levels)
    scored = {level.score for level, persons in zip(levels, sizes, strict=True) if persons}
    if cases in (0, size) or len(scored) < 2:
        return None
    # Scores from their mean, so that calendar years do not lose digits.
    mean = math.fsum(level.score * persons for level, persons in zip(levels, sizes, strict=True)) / size
    excess = math.fsum((level.score - mean) * level.cases for level in levels)
    spread = math.fsum((level.score - mean) ** 2 * persons for level, persons in zip(levels, sizes, strict=True))
    return excess, cases * (size - cases) / (size * (size - lost_freedom)) * spread


def _never_mixed(strata: Sequence[Sequence[Level]]) -> bool:
    return not any(
        any(level.cases for level in levels) and any(level.noncases for level in levels) for levels in strata
    )
