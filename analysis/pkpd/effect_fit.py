"""The half-time with which symptoms follow the drive, by profile likelihood, limits by resampling persons.

Owns one half-time for onset and offset. The turnover belongs in `effect`, two half-times in `effect_rates`.

Each half-time of a grid gives a least-squares fit of score on effect with each person's own level; the best is the maximum of the
profile, between grid points by a parabola. Records of a person are not independent: persons are drawn again, with the sums of the
fit kept by person, and the limits are percentiles. Where the profile has its maximum at an end of the grid, or is flat, that is
said and not turned into a number.
Misleads where modelled free IgE is of typical persons (too slow: 26 days instead of 21 in simulation), and where
regression to the mean, season or placebo response give the same onset without any drug: only untreated persons tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from analysis.estimate.result import Answer, not_estimable
from analysis.pkpd.effect import Driven, effects_at_records
from analysis.pkpd.quantities import Booleans, Floats, PkpdError

METHOD = "turnover_profile_likelihood"
# Half-times tried, days: from less than records can tell to longer than courses last.
HALF_TIMES_DAYS = np.geomspace(1.0, 180.0, 80)
FEWEST_PERSONS = 10  # to be drawn again; fewer give limits that mean nothing
_LEAST_SPREAD = 1e-6  # of an effect from 0 to 1 within persons


@dataclass(frozen=True, slots=True)
class HalfTimeFit:
    """The half-time, what full drive adds to the score (in its bad direction), and the profile.

    profile: `half_time_days`, `log_likelihood` (0 at the best of the grid), `slope`.
    """

    answer: Answer
    slope: float | None
    profile: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Sums:
    """By person: of squares of scores; by person and half-time: of products with and of squares of effects. About own means."""

    scores: Floats
    products: Floats
    squares: Floats


def half_time(
    held: Driven, *, confidence: float, replicates: int, seed: int, half_times_days: Floats = HALF_TIMES_DAYS
) -> HalfTimeFit:
    """Half-time in days of the effect behind the scores, with limits from persons drawn again `replicates` times.

    `event_count` counts records of persons with two or more. Not estimable: fewer than 10 such persons, an effect that does not
    vary within persons (always or never treated), scores that do not rise with the effect, a best half-time at an end of the
    grid, and a flat profile, whose limits lie beyond both ends. A limit beyond one end is absent and said.
    Raises PkpdError for a grid that does not rise, a confidence not between 0 and 1 and fewer than 100 replicates.
    """
    grid = np.asarray(half_times_days, dtype=np.float64)
    if grid.size < 3 or not (np.diff(grid) > 0.0).all() or not grid[0] > 0.0:
        raise PkpdError("half-times must be at least three, above 0 and rising")
    if not 0.0 < confidence < 1.0 or replicates < 100:
        raise PkpdError("limits need a confidence between 0 and 1 and at least 100 replicates")
    records = np.bincount(held.record_person, minlength=len(held.person_id))
    several = records >= 2
    counts = {"person_count": int(several.sum()), "event_count": int(records[several].sum())}
    empty = pl.DataFrame(schema={"half_time_days": pl.Float64, "log_likelihood": pl.Float64, "slope": pl.Float64})
    if counts["person_count"] < FEWEST_PERSONS:
        reason = f"fewer than {FEWEST_PERSONS} persons with two or more records"
        return HalfTimeFit(not_estimable(METHOD, reason, **counts), None, empty)
    sums = _sums(held, several, grid)
    spread = sums.squares.sum(axis=0)
    if spread.max() < _LEAST_SPREAD * counts["event_count"]:
        reason = "free IgE drives the same effect at all records of a person"
        return HalfTimeFit(not_estimable(METHOD, reason, **counts), None, empty)
    everyone = np.ones((1, counts["person_count"]))
    gains = _gains(sums, everyone)[0]
    residual = sums.scores.sum() - gains
    freedom = counts["event_count"] - counts["person_count"]
    likelihood = -0.5 * freedom * np.log(np.maximum(residual / residual.min(), 1.0)) if residual.min() > 0.0 else gains
    slopes = sums.products.sum(axis=0) / np.where(spread > 0.0, spread, np.inf)
    profile = pl.DataFrame({"half_time_days": grid, "log_likelihood": likelihood, "slope": slopes})
    best, is_inside = _best(grid, gains[None, :])
    if gains.max() <= 0.0:
        reason = "scores do not rise with the effect of free IgE"
        return HalfTimeFit(not_estimable(METHOD, reason, **counts), None, profile)
    slope = float(slopes[int(np.argmax(gains))])
    if not is_inside[0]:
        reason = f"the profile has no maximum between {grid[0]:.3g} and {grid[-1]:.3g} days: it rises to {best[0]:.3g}"
        return HalfTimeFit(not_estimable(METHOD, reason, **counts), slope, profile)
    lower, upper = _limits(sums, grid, confidence=confidence, replicates=replicates, seed=seed)
    if lower is None and upper is None:
        reason = f"the profile is flat: limits lie below {grid[0]:.3g} and above {grid[-1]:.3g} days"
        return HalfTimeFit(not_estimable(METHOD, reason, **counts), slope, profile)
    absent = {"lower": lower, "upper": upper}
    reasons = [f"the {side} limit lies outside the half-times tried" for side, limit in absent.items() if limit is None]
    value = float(best[0])
    answer = Answer(
        method=METHOD,
        value=value,
        # Percentiles of few persons may miss the estimate itself.
        lower=None if lower is None else min(lower, value),
        upper=None if upper is None else max(upper, value),
        confidence_level=confidence,
        reason="".join(reasons),
    )
    return HalfTimeFit(counted(answer, counts), slope, profile)


def counted(answer: Answer, counts: dict[str, int]) -> Answer:
    """The answer with the persons and records behind it."""
    return replace(answer, person_count=counts["person_count"], event_count=counts["event_count"])


def _sums(held: Driven, several: Booleans, grid: Floats) -> _Sums:
    kept = several[held.record_person]
    person = (np.cumsum(several) - 1)[held.record_person[kept]]
    effects = effects_at_records(held, onset_days=grid, offset_days=grid)[kept]
    size = np.bincount(person)

    def by_person(values: Floats) -> Floats:
        columns = [np.bincount(person, column) for column in values.T]
        return np.stack(columns, axis=1)

    scores = held.score[kept]
    centred: Floats = scores - (np.bincount(person, scores) / size)[person]
    effects = effects - (by_person(effects) / size[:, None])[person]
    return _Sums(
        scores=np.bincount(person, centred * centred).astype(np.float64),
        products=by_person(centred[:, None] * effects),
        squares=by_person(effects * effects),
    )


def _gains(sums: _Sums, weights: Floats) -> Floats:
    """Sum of squares explained by each half-time (columns) for each weighting of persons (rows); 0 for a falling slope."""
    products, squares = weights @ sums.products, weights @ sums.squares
    explained: Floats = np.maximum(products, 0.0) ** 2 / np.where(squares > 0.0, squares, np.inf)
    return explained


def _best(grid: Floats, gains: Floats) -> tuple[Floats, Booleans]:
    """The half-time of the largest gain of each row, by a parabola in its logarithm, and whether it is inside the grid."""
    top = gains.argmax(axis=1)
    is_inside = (top > 0) & (top < grid.size - 1) & (gains.max(axis=1) > 0.0)
    middle = np.clip(top, 1, grid.size - 2)
    row = np.arange(middle.size)
    left, centre, right = (gains[row, middle + shift] for shift in (-1, 0, 1))
    logs = np.log(grid)
    ahead, behind = logs[middle + 1] - logs[middle], logs[middle] - logs[middle - 1]
    rise, fall = (right - centre) / ahead, (centre - left) / behind
    curvature = 2.0 * (rise - fall) / (ahead + behind)
    at_middle = (rise * behind + fall * ahead) / (ahead + behind)
    shift = np.where(curvature < 0.0, -at_middle / np.where(curvature < 0.0, curvature, -1.0), 0.0)
    inside = np.exp(logs[middle] + np.clip(shift, -behind, ahead))
    return np.where(is_inside, inside, grid[top]), is_inside


def _limits(
    sums: _Sums, grid: Floats, *, confidence: float, replicates: int, seed: int
) -> tuple[float | None, float | None]:
    """Percentiles over persons drawn again; a draw whose best is at an end or nowhere lies beyond that end or either."""
    persons = sums.scores.size
    drawn = np.random.default_rng(seed).multinomial(persons, np.full(persons, 1.0 / persons), size=replicates)
    gains = _gains(sums, drawn.astype(np.float64))
    best, is_inside = _best(grid, gains)
    nowhere = gains.max(axis=1) <= 0.0
    below = nowhere | (~is_inside & (best == grid[0]))
    above = nowhere | (~is_inside & (best == grid[-1]))
    tail = 0.5 * (1.0 - confidence)
    rank = max(0, int(np.floor(tail * replicates)) - 1)
    lower = np.sort(np.where(below, -np.inf, best))[rank]
    upper = np.sort(np.where(above, np.inf, best))[replicates - 1 - rank]
    return (float(lower) if np.isfinite(lower) else None), (float(upper) if np.isfinite(upper) else None)
