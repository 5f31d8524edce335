"""Weights that undo censoring which follows the covariates of the same rows: stabilised inverse probability of censoring.

Owns the weights of counting-process rows, their truncation and what they are worth. What is done with them is `cox` with
a weight column; treatment weights are in `weighting`.
Source: Robins and Finkelstein 2000, Biometrics 56:779; Cole and Hernan 2008, Am J Epidemiol 168:656 (stabilised weights
and truncation); Breslow 1974, Biometrics 30:89 (the baseline hazard of censoring).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from analysis.estimate.counting_process import CountingRows, counting_rows, cut_at
from analysis.estimate.cox import solution_of
from analysis.estimate.partial_likelihood import evaluate
from analysis.estimate.result import EstimationError
from analysis.estimate.risk_sets import Floats, risk_sets

# A log weight beyond this has left every use: e^50 persons.
_LARGEST_LOG_WEIGHT = 50.0

WORTH_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "time_days": pl.Int64, "person_count": pl.Int64, "mean": pl.Float64, "smallest": pl.Float64, "largest": pl.Float64,
    "effective_count": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CensoringWeights:
    """`rows` with their `weight`, None where `reason` says why there are no weights.

    `worth`: on the first day of each period with anybody at risk, `time_days`, `person_count`, `mean`, `smallest` and
    `largest` weight and `effective_count`, the persons without weights that would give the same precision (Kish).
    `method` names the model, the period and the truncation, and belongs to every result made with the weights.
    `truncated_row_count`: rows whose weight was set to a limit of truncation.
    """

    rows: pl.DataFrame | None = field(compare=False)
    worth: pl.DataFrame = field(compare=False)
    method: str
    reason: str
    censored_count: int
    truncated_row_count: int


def censoring_weights(
    frame: pl.DataFrame,
    *,
    covariates: Sequence[str],
    baseline: Sequence[str] = (),
    period_days: int,
    truncate_tail: float,
) -> CensoringWeights:
    """Stabilised inverse probability of staying uncensored until each row starts, given the covariates on the way.

    frame: as `cox` with `is_censored` (1 if the person was lost at stop_day, 0 at an event and at the planned end of the
    study, which depends on nothing and needs no weight); rows of a person must not overlap. Covariates may change from
    row to row; those of a row must be known at its start. Rows are cut every period_days, and a weight holds from the
    start of its row on: of periods of one day it is exact, of longer ones it lags behind by less than a period.
    Censoring has a Cox model (Breslow) of its own, given the covariates, over one given `baseline` (none: the share of
    everybody); whoever has an event on a day is not at risk of censoring on it (definitions.md 4). With `baseline` the
    analysis must adjust for the same covariates.
    truncate_tail: weights beyond this quantile of the rows at either end are set to it (0: none; R's type 7), which
    trades bias for variance.
    Where nobody is censored every weight is 1. Where the model has no coefficient for a covariate (nobody censored at one
    of its levels, no variation) there are no weights and `reason` says so: leave it out or merge levels.
    Misleads when something else drives both censoring and the outcome, and when some are all but sure to be censored: a
    few persons then carry the estimate (`worth`). The mean weight of those at risk is the survival with weights over that
    without, so that it leaves 1 where the censoring matters.
    Raises EstimationError as `cox` does, for overlapping rows, for rows after censoring, for is_censored not 0 or 1 or
    together with an event, a period below 1 and a tail not in [0, 0.5).
    """
    if not 0.0 <= truncate_tail < 0.5 or period_days < 1:
        raise EstimationError(
            f"periods last from 1 day, tails are from 0 to below 0.5; got {period_days}, {truncate_tail}"
        )
    method = f"censoring_cox_breslow_period_{period_days}_" + (
        f"truncated_{truncate_tail:g}" if truncate_tail else "untruncated"
    )
    rows = _checked(frame, [*covariates, *(name for name in baseline if name not in covariates)])
    last, censored_count = int(rows["stop_day"].max() or 0), int(rows["is_censored"].sum())  # type: ignore[arg-type]
    edges = range(period_days * (int(rows["start_day"].min() or 0) // period_days), last, period_days)  # type: ignore[arg-type]
    cut = cut_at(rows, list(edges), last_only=("event", "is_censored"))
    log_weight, reason = np.zeros(cut.height), ""
    if censored_count:
        for sign, names in ((1.0, list(covariates)), (-1.0, list(baseline))):
            hazard, reason = _censoring_hazard(cut, names)
            if reason:
                break
            log_weight += sign * _before(cut, hazard)
    if not reason and np.abs(log_weight).max(initial=0.0) > _LARGEST_LOG_WEIGHT:
        reason = "a weight is beyond e^50: some are all but sure to be censored"
    if reason:
        return CensoringWeights(
            rows=None, worth=pl.DataFrame(schema=WORTH_SCHEMA), method=method, reason=f"no weights: {reason}",
            censored_count=censored_count, truncated_row_count=0,
        )  # fmt: skip
    raw = np.exp(log_weight)
    low, high = np.quantile(raw, (truncate_tail, 1.0 - truncate_tail)) if raw.size and truncate_tail else (0.0, np.inf)
    weighted = cut.with_columns(weight=np.clip(raw, low, high))
    return CensoringWeights(
        rows=weighted, worth=_worth(weighted, edges), method=method, reason="", censored_count=censored_count,
        truncated_row_count=int(((raw < low) | (raw > high)).sum()),
    )  # fmt: skip


def _censoring_hazard(rows: pl.DataFrame, names: list[str]) -> tuple[Floats, str]:
    """The hazard of censoring that each row collects, and why there is none."""
    # Twice the days, and events half a day early: an event goes before the censoring of its day.
    turned = rows.with_columns(
        start_day=2 * pl.col("start_day"),
        stop_day=2 * pl.col("stop_day") - pl.col("event"),
        event=pl.col("is_censored"),
    )
    if not names:
        return _collected(
            counting_rows(turned.with_columns(_none=0.0), ["_none"], cluster="person_id"), np.zeros(1)
        ), ""
    counted = counting_rows(turned, names, cluster="person_id")
    solution = solution_of(counted, names=names, ties="breslow")
    missing = [reason.replace("no events", "nobody censored") for reason in solution.reasons if reason]
    return (np.zeros(rows.height), missing[0]) if missing else (_collected(counted, solution.beta), "")


def _collected(rows: CountingRows, beta: Floats) -> Floats:
    sets, kept = risk_sets(rows.start, rows.stop, rows.is_event, ties="breslow")
    x = rows.x[kept]
    point = evaluate(sets, x - x.mean(axis=0), beta)
    steps = np.bincount(sets.slot_time, point.hazards, minlength=sets.time_count)
    total = np.concatenate(([0.0], np.cumsum(steps)))
    hazard = np.zeros(rows.start.size)
    hazard[kept] = point.weights * (total[sets.leaves] - total[sets.enters])
    return hazard


def _before(rows: pl.DataFrame, hazard: Floats) -> Floats:
    """What the person's rows before each row have collected."""
    collected = rows.select("person_id", hazard=pl.Series(hazard))
    summed = collected.select(before=pl.col("hazard").cum_sum().over("person_id") - pl.col("hazard"))
    return summed["before"].to_numpy()


def _worth(rows: pl.DataFrame, edges: range) -> pl.DataFrame:
    # Rows are cut at the edges: at risk on the day after one are those that start there.
    weight = pl.col("weight")
    return (
        rows.filter(pl.col("start_day").is_in(list(edges)))
        .group_by(time_days=pl.col("start_day") + 1)
        .agg(
            person_count=pl.len().cast(pl.Int64),
            mean=weight.mean(),
            smallest=weight.min(),
            largest=weight.max(),
            effective_count=weight.sum() ** 2 / (weight**2).sum(),
        )
        .sort("time_days")
        .select(WORTH_SCHEMA.keys())
    )


def _checked(frame: pl.DataFrame, covariates: list[str]) -> pl.DataFrame:
    if "is_censored" not in frame.columns or frame["is_censored"].null_count():
        raise EstimationError("censoring weights need the column is_censored, without nulls")
    counting_rows(frame, covariates, cluster="person_id")
    rows = frame.with_columns(pl.col("start_day", "stop_day", "event", "is_censored").cast(pl.Int64))
    rows = rows.sort("person_id", "start_day")
    previous = pl.col("stop_day", "is_censored").shift(1).over("person_id").name.prefix("_")
    wrong = rows.with_columns(previous).select(
        overlap=(pl.col("start_day") < pl.col("_stop_day")).sum(),
        late=(pl.col("_is_censored") == 1).sum(),
        odd=(~pl.col("is_censored").is_in([0, 1]) | ((pl.col("is_censored") == 1) & (pl.col("event") == 1))).sum(),
    )
    overlap, late, odd = wrong.row(0)
    if overlap or late or odd:
        raise EstimationError(
            f"{overlap} rows overlap the one before, {late} follow censoring, {odd} have is_censored not 0 or 1 or with an event"
        )
    return rows
