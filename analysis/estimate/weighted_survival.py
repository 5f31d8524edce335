"""Weighted survival and cumulative incidence: for weights that are no counts, such as overlap or censoring weights.

Owns the weighted Kaplan-Meier and Aalen-Johansen estimates with a variance that holds for weights and for several rows of
a person: the infinitesimal jackknife, summed by person. Weights are taken for known. Making them belongs in `weighting`;
weights that are counts of persons in `persistence` and `cumulative_incidence`.
Source: Therneau, Crowson and Atkinson 2024, survival vignette "Methods", 2 (infinitesimal jackknife); Kish 1965 (effective number).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.estimate.confidence import tail_probability
from analysis.estimate.cumulative_incidence import aalen_johansen, log_log_limits
from analysis.estimate.endings import CENSORED, day_the_risk_set_empties, gap_reason, traffic_of
from analysis.estimate.result import Answer, EstimationError, not_estimable
from analysis.estimate.risk_sets import RiskSets, risk_sets

INCIDENCE_METHOD = "weighted_aalen_johansen_robust"
SURVIVAL_METHOD = "weighted_kaplan_meier_robust"
COLUMNS = ("person_id", "entry_days", "time_days", "cause", "weight")
Floats = NDArray[np.float64]

_CERTAIN = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedCurves:
    """Weighted survival and cumulative incidence of every cause, with the rows that their variance needs.

    `curve`: `time_days`, `survival` (no event of any cause yet), one column `incidence of <cause>` a cause, `at_risk_weight`
    (just before the day); from day 0, one row a day with an event. Limits come from `weighted_survival_at` and
    `weighted_incidence_at`. `gap`: empty, or why the curves end although persons enter later.
    """

    curve: pl.DataFrame
    causes: tuple[str, ...]
    confidence: float
    person_count: int
    gap: str
    rows: pl.DataFrame = field(repr=False)
    sets: RiskSets = field(repr=False)
    weights: Floats = field(repr=False)
    codes: NDArray[np.intp] = field(repr=False)
    own: NDArray[np.intp] = field(repr=False)
    days: NDArray[np.int64] = field(repr=False)
    at_risk: Floats = field(repr=False)
    events: Floats = field(repr=False)


def weighted_curves(rows: pl.DataFrame, *, causes: Sequence[str], confidence: float) -> WeightedCurves:
    """Survival and cumulative incidence of weighted persons.

    rows: `person_id`, `entry_days`, `time_days` (Int64; at risk on the days entry < t <= time), `cause` (one of `causes`, or
    "censored", also where only the weight changes), `weight` (Float64, at least 0). Rows of a person follow each other
    and an event is in the last. Rows of weight 0 are left out. At equal times events come before censoring.
    Misleads when weights are large for few, and takes them for known: with estimated overlap weights its limits are, if
    anything, too wide. With delayed entry as `cumulative_incidence`.
    Raises EstimationError for missing columns, nulls, unknown causes, a weight below 0 or not finite, a time not after
    its entry, or rows of a person that overlap or follow an event.
    """
    tail_probability(confidence)
    checked = _checked(rows, causes)
    is_event = pl.col("cause") != CENSORED
    traffic = traffic_of(
        checked.with_columns(event_count=is_event.cast(pl.Int64), censored_count=(~is_event).cast(pl.Int64))
    )
    gap_day = day_the_risk_set_empties(traffic)
    if gap_day is not None:
        checked = checked.filter(pl.col("entry_days") < gap_day)
    happened = checked.select(is_event).to_series().to_numpy()
    times, weights = checked["time_days"].to_numpy(), checked["weight"].to_numpy()
    sets, kept = risk_sets(checked["entry_days"].to_numpy(), times, happened, ties="breslow")
    weights, named = weights[kept], checked["cause"].to_numpy()[kept]
    days = np.unique(times[happened])
    at_risk = sets.sums(weights) if days.size else np.empty(0)
    events = np.zeros((days.size, len(causes)))
    own = np.full(weights.size, -1)
    for index, cause in enumerate(causes):
        own[named == cause] = index
        events[:, index] = sets.event_sums(weights * (named == cause)) if days.size else 0.0
    if days.size:
        # Where all at risk stop, rounding must not leave anybody.
        ones = np.ones(weights.size)
        everybody = sets.sums(ones) == sets.event_sums(ones)
        at_risk = np.where(everybody, events.sum(axis=1), at_risk)
    _, survival, incidence = aalen_johansen(at_risk, events)
    start = float(checked.filter(pl.col("entry_days") == 0)["weight"].sum())
    columns = {f"incidence of {cause}": np.append(0.0, incidence[:, k]) for k, cause in enumerate(causes)}
    curve = {"time_days": np.append(0, days), "survival": np.append(1.0, survival), **columns}
    return WeightedCurves(
        curve=pl.DataFrame({**curve, "at_risk_weight": np.append(start, at_risk)}),
        causes=tuple(causes),
        confidence=confidence,
        person_count=checked["person_id"].n_unique(),
        gap=gap_reason(gap_day),
        rows=checked,
        sets=sets,
        weights=weights,
        codes=(checked["person_id"].rank("dense").to_numpy() - 1).astype(np.intp)[kept],
        own=own,
        days=days,
        at_risk=at_risk,
        events=events,
    )


def weighted_survival_at(fit: WeightedCurves, *, time_days: int) -> Answer:
    """Weighted share without any event by the end of a day, with robust log-log limits.

    Counts are unweighted: persons at risk just before the day's endings, and events up to it. Before any event the lower
    limit takes the least effective number of persons at risk so far, (sum of weights)^2 / sum of squares, for persons:
    it is near, not exact. Where the value is 0 or 1 the other limit is that of the last day on which it was not.
    `not_estimable` beyond the last observed time, beyond a gap, and where nobody was at risk yet.
    Raises EstimationError for a negative day.
    """
    return _answer(fit, SURVIVAL_METHOD, None, time_days)


def weighted_incidence_at(fit: WeightedCurves, *, cause: str, time_days: int) -> Answer:
    """Weighted cumulative incidence of a cause by the end of a day, with limits and counts as `weighted_survival_at`.

    Events are those of the cause; without any the upper limit takes the effective number for persons.
    Raises EstimationError for a negative day or a cause that is not in the fit.
    """
    if cause not in fit.causes:
        raise EstimationError(f"the fit has no cause {cause!r}, only {', '.join(fit.causes)}")
    return _answer(fit, INCIDENCE_METHOD, fit.causes.index(cause), time_days)


def _answer(fit: WeightedCurves, method: str, index: int | None, time_days: int) -> Answer:
    if time_days < 0:
        raise EstimationError(f"a curve starts at day 0, asked for day {time_days}")
    day = max(time_days, 1)
    there = fit.rows.filter((pl.col("entry_days") < day) & (pl.col("time_days") >= day))
    past = fit.rows.filter((pl.col("time_days") <= time_days) & (pl.col("cause") != CENSORED))
    if index is not None:
        past = past.filter(pl.col("cause") == fit.causes[index])
    persons, events = there["person_id"].n_unique(), past.height
    if fit.rows.filter(pl.col("entry_days") < day).is_empty():
        return not_estimable(method, f"nobody is at risk by day {time_days}", person_count=persons, event_count=events)
    last_day = int(fit.rows["time_days"].max())  # type: ignore[arg-type]
    if time_days > last_day:
        reason = fit.gap or f"beyond the last observed time, day {last_day}"
        return not_estimable(method, reason, person_count=persons, event_count=events)
    value, error = _at(fit, index, int(np.searchsorted(fit.days, time_days, side="right")))
    reason, standard_error = "", None if events == 0 else error
    lower, upper = _limits(fit, index, time_days)
    if events == 0 and time_days > 0:
        tail = tail_probability(fit.confidence) ** (1.0 / _least_effective_number(fit.rows, time_days))
        lower, upper = (tail, 1.0) if index is None else (0.0, 1.0 - tail)
        reason = "no event yet; the limit takes the effective number of persons for persons"
    return Answer(
        method=method,
        value=value,
        lower=lower,
        upper=upper,
        confidence_level=fit.confidence,
        standard_error=standard_error,
        reason=reason,
        person_count=persons,
        event_count=events,
    )


def _limits(fit: WeightedCurves, index: int | None, time_days: int) -> tuple[float, float]:
    count = int(np.searchsorted(fit.days, time_days, side="right"))
    value, error = _at(fit, index, count)
    if _CERTAIN < value < 1.0 - _CERTAIN:
        low, high = log_log_limits(np.array([value]), np.array([error]), fit.confidence)
        return float(low[0]), float(high[0])
    before = count
    while before > 0 and not _CERTAIN < _at(fit, index, before)[0] < 1.0 - _CERTAIN:
        before -= 1
    if before == 0:
        starts = value if count == 0 or value == (1.0 if index is None else 0.0) else None
        return (starts, starts) if starts is not None else (0.0, 1.0)
    last, error = _at(fit, index, before)
    low, high = log_log_limits(np.array([last]), np.array([error]), fit.confidence)
    return (0.0, float(high[0])) if value <= _CERTAIN else (float(low[0]), 1.0)


def _at(fit: WeightedCurves, index: int | None, count: int) -> tuple[float, float]:
    """Value after the first `count` days with an event, and its standard error by the infinitesimal jackknife."""
    name = "survival" if index is None else f"incidence of {fit.causes[index]}"
    values = fit.curve[name].to_numpy()
    value = float(values[count])
    n, d = fit.at_risk[:count], fit.events[:count].sum(axis=1)
    stay = n - d
    before = fit.curve["survival"].to_numpy()[:count]
    # What an event on a day takes from the value, by ending the way to later ones; and what it adds by itself.
    ending = np.full(count, value) if index is None else value - values[1 : count + 1]
    taken = np.divide(ending, stay, out=np.zeros(count), where=stay > 0)
    given = np.zeros(count) if index is None else before / n
    own = np.zeros(count) if index is None else fit.events[:count, index]
    expected = np.append(0.0, np.cumsum(given * own / n - taken * d / n))
    leaves, enters = np.minimum(fit.sets.leaves, count), np.minimum(fit.sets.enters, count)
    change = -(expected[leaves] - expected[enters])
    ended = fit.sets.is_event & (fit.sets.leaves <= count)
    change[ended] -= taken[fit.sets.leaves[ended] - 1]
    if index is not None:
        mine = ended & (fit.own == index)
        change[mine] += given[fit.sets.leaves[mine] - 1]
    return value, float(np.sqrt((np.bincount(fit.codes, fit.weights * change) ** 2).sum()))


def _least_effective_number(rows: pl.DataFrame, time_days: int) -> float:
    entries, times = rows["entry_days"].to_numpy(), rows["time_days"].to_numpy()
    weights = rows["weight"].to_numpy()
    days = np.unique(np.concatenate((entries + 1, times, [time_days])))
    least = np.inf
    for day in days[(days <= time_days) & (days > entries.min())]:
        at_risk = weights[(entries < day) & (day <= times)]
        least = min(least, float(at_risk.sum() ** 2 / (at_risk**2).sum()) if at_risk.size else np.inf)
    return max(least, 1.0)


def _checked(rows: pl.DataFrame, causes: Sequence[str]) -> pl.DataFrame:
    missing = [column for column in COLUMNS if column not in rows.columns]
    if missing or not causes or len(set(causes)) < len(causes) or CENSORED in causes:
        raise EstimationError(
            f"weighted rows need causes named once each and the columns {', '.join(missing or COLUMNS)}"
        )
    kinds = {"entry_days": pl.Int64, "time_days": pl.Int64, "cause": pl.String, "weight": pl.Float64}
    typed = rows.select("person_id", *(pl.col(name).cast(kind) for name, kind in kinds.items())).sort(COLUMNS)
    if sum(typed.null_count().row(0)):
        raise EstimationError("weighted rows hold nulls")
    wrong = typed.filter(
        (pl.col("entry_days") < 0)
        | (pl.col("time_days") <= pl.col("entry_days"))
        | (pl.col("weight") < 0.0)
        | ~pl.col("weight").is_finite()
        | ~pl.col("cause").is_in([*causes, CENSORED])
    )
    same = pl.col("person_id") == pl.col("person_id").shift(1)
    odd = typed.filter(
        same & ((pl.col("entry_days") < pl.col("time_days").shift(1)) | (pl.col("cause").shift(1) != CENSORED))
    )
    if wrong.height or odd.height:
        raise EstimationError(
            f"{wrong.height} rows have an unknown cause, a wrong weight or time; {odd.height} overlap or follow an event"
        )
    return typed.filter(pl.col("weight") > 0.0)
