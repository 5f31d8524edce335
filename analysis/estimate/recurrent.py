"""Hazard ratios of events that may recur: Andersen-Gill and Prentice-Williams-Peterson, clustered by person.

Owns what makes each model out of `cox`: the strata by event number with their cap, and the clock. Rows come from
`recurrent_rows`; the mean number of events, with death competing, is in `mean_cumulative_count`.
Source: Andersen and Gill 1982, Ann Stat 10:1100; Prentice, Williams and Peterson 1981, Biometrika 68:373; Therneau and
Grambsch 2000, Modeling Survival Data, 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

import polars as pl

from analysis.estimate.cox import CoxFit, cox
from analysis.estimate.result import EstimationError
from analysis.estimate.risk_sets import Ties

Clock = Literal["total", "gap"]


def andersen_gill(
    rows: pl.DataFrame,
    *,
    covariates: Sequence[str],
    confidence: float,
    ties: Ties,
    strata: str | None = None,
    weight: str | None = None,
) -> CoxFit:
    """Log hazard ratios of any event, first or later, with one baseline hazard for all.

    rows: as `recurrent_rows`, which may be cut further for covariates that change. Equal to R's
    coxph(Surv(start, stop, event) ~ x, cluster = id). The ratio is of the rates only while events do not change the rate
    of later ones beyond the covariates; the robust standard error holds either way, the model-based one does not.
    Death ends a row as censoring does: where it is common and depends on the covariates, read the mean cumulative
    count beside it.
    Raises EstimationError as `cox` does.
    """
    fit = cox(rows, covariates=covariates, confidence=confidence, ties=ties, strata=strata, weight=weight)
    return replace(fit, model="andersen_gill")


def prentice_williams_peterson(
    rows: pl.DataFrame,
    *,
    covariates: Sequence[str],
    clock: Clock,
    strata_cap: int,
    confidence: float,
    ties: Ties,
    weight: str | None = None,
) -> CoxFit:
    """Log hazard ratios of the next event, the baseline hazard that of the number of events so far.

    rows: as `recurrent_rows`: a person is at risk of event k only after event k - 1. clock: `total` is time since time
    zero, `gap` time since this stretch at risk began (`risk_start_day`). strata_cap: events of this number and later
    share one baseline hazard, for few persons reach them; the method names it. Equal to R's
    coxph(Surv(start, stop, event) ~ x + strata(pmin(number, cap)), cluster = id), with stop - start for the gap.
    Misleads as an effect on the whole: persons compared at event k have all had k - 1, so that a drug which causes first
    events compares its hardier remainder later (read Andersen-Gill and the mean cumulative count beside it).
    Raises EstimationError as `cox` does, for an unknown clock, a cap below 1, and numbers below 1 or rows that start
    before their stretch.
    """
    if clock not in get_args(Clock) or strata_cap < 1:
        raise EstimationError(f"the clock is total or gap, a cap of strata from 1; got {clock!r}, {strata_cap}")
    needed = ("start_day", "stop_day", "event_number", "risk_start_day")
    missing = [column for column in needed if column not in rows.columns]
    if missing or any(rows[column].null_count() for column in needed):
        raise EstimationError(
            f"rows of recurrent events need the columns {', '.join(missing or needed)}, without nulls"
        )
    odd = rows.filter((pl.col("event_number") < 1) | (pl.col("risk_start_day") > pl.col("start_day"))).height
    if odd:
        raise EstimationError(f"{odd} rows have an event number below 1 or start before their stretch at risk")
    begun = pl.col("risk_start_day") if clock == "gap" else pl.lit(0, pl.Int64)
    framed = rows.with_columns(
        pl.col("start_day") - begun, pl.col("stop_day") - begun, _stratum=pl.col("event_number").clip(1, strata_cap)
    )
    fit = cox(framed, covariates=covariates, confidence=confidence, ties=ties, strata="_stratum", weight=weight)
    return replace(fit, model=f"pwp_{clock}_time_cap_{strata_cap}")
