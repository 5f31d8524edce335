"""A hazard ratio in periods of follow-up, one coefficient each, and whether they are equal.

Owns the periods, the ratio and the counts of each, and the test of equality. The fit is `cox` on rows cut at the days;
the test along a continuous g(t) is `proportional_hazards`.
Source: Therneau and Grambsch 2000, Modeling Survival Data, 6.5 (step functions of time).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.special import chdtrc

from analysis.estimate.confidence import tail_probability
from analysis.estimate.counting_process import counting_rows, cut_at
from analysis.estimate.cox import CoxFit, cox, hazard_ratio
from analysis.estimate.result import Answer, EstimationError, not_estimable
from analysis.estimate.risk_sets import Ties

# Least eigenvalue of the contrasts' covariance scaled to a correlation matrix: below, too few persons stand behind it.
_LEAST_EIGENVALUE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodRatio:
    """Hazard ratio on the days after_day < t <= until_day; None is no bound. Counts and days are the period's."""

    after_day: int | None
    until_day: int | None
    answer: Answer

    @property
    def label(self) -> str:
        """The period in words, as in reasons."""
        return _label(self.after_day, self.until_day)


@dataclass(frozen=True, slots=True, kw_only=True)
class PiecewiseHazards:
    """`periods` in the order of time; `equality` is the Wald chi-square that those with a ratio are equal.

    `degrees_of_freedom`: of `equality`, one less than the periods with a ratio, at least 0.
    """

    periods: tuple[PeriodRatio, ...]
    equality: Answer
    degrees_of_freedom: int


def piecewise_hazard_ratios(
    frame: pl.DataFrame,
    covariate: str,
    *,
    cuts: Sequence[int],
    others: Sequence[str] = (),
    confidence: float,
    ties: Ties,
    strata: str | None = None,
    weight: str | None = None,
) -> PiecewiseHazards:
    """Hazard ratios of a covariate up to the first cut, between cuts and after the last, with cluster-robust limits.

    frame and the rest: as `cox`, clustered by `person_id`; others: covariates whose ratio is the same throughout.
    cuts: days, (90, 365) for the periods to day 90, days 91 to 365 and after day 365. A row is cut there; its event
    belongs to the last piece.
    A period without events, or with events at the lowest or the highest value of the covariate only, has no ratio and
    says why; rows of other values are left out of it, the limit of the likelihood, so that all else stands.
    `equality` is of the periods that have one. Misleads when read as an effect that starts or ends: those at risk late
    are those without an earlier event (Hernan 2010, Epidemiology 21:13).
    Raises EstimationError as `cox` does, for cuts that do not rise and for none.
    """
    tail_probability(confidence)
    if not cuts:
        raise EstimationError("piecewise ratios need at least one day to cut at")
    counting_rows(frame, [covariate, *others], cluster="person_id", strata=strata, weight=weight)
    edges = [None, *cuts, None]
    bounds = [(edges[place], edges[place + 1]) for place in range(len(cuts) + 1)]
    period = pl.sum_horizontal([(pl.col("stop_day") > day).cast(pl.Int64) for day in cuts])
    rows = cut_at(frame, cuts).with_columns(pl.col(covariate).cast(pl.Float64), _period=period)
    reasons, limit = [], []
    for place, (after, until) in enumerate(bounds):
        reason, within = _limit(rows.filter(pl.col("_period") == place), covariate, _label(after, until))
        reasons.append(reason)
        limit.append(within)
    names = [f"{covariate} {_label(*bound)}" for bound in bounds]
    estimated = [name for name, reason in zip(names, reasons, strict=True) if not reason]
    fit = None
    if estimated:
        pieces = pl.concat(limit).with_columns(
            pl.when(pl.col("_period") == place).then(covariate).otherwise(0.0).alias(name)
            for place, name in enumerate(names)
        )
        fit = cox(
            pieces, covariates=[*estimated, *others], confidence=confidence, ties=ties, strata=strata,
            weight=weight,
        )  # fmt: skip
        fit = replace(fit, model="cox_piecewise")
    counts = [_counts(rows.filter(pl.col("_period") == place)) for place in range(len(bounds))]
    answers = [
        not_estimable(fit.method if fit else f"cox_piecewise_{ties}_robust", reason, **count)
        if reason or fit is None
        else _with_counts(hazard_ratio(fit, name), count)
        for name, reason, count in zip(names, reasons, counts, strict=True)
    ]
    found = [name for name, answer in zip(names, answers, strict=True) if answer.status == "ok"]
    return PiecewiseHazards(
        periods=tuple(
            PeriodRatio(after_day=after, until_day=until, answer=answer)
            for (after, until), answer in zip(bounds, answers, strict=True)
        ),
        equality=_equality(fit, found, ties, _counts(rows)),
        degrees_of_freedom=max(0, len(found) - 1),
    )


def _label(after: int | None, until: int | None) -> str:
    if after is None:
        return f"to day {until}"
    return f"after day {after}" if until is None else f"from day {after + 1} to {until}"


def _limit(rows: pl.DataFrame, covariate: str, label: str) -> tuple[str, pl.DataFrame]:
    """Why a period has no ratio, empty if it may have one, and the rows that its likelihood keeps in the limit."""
    at_events = rows.filter(pl.col("event") == 1)[covariate]
    if at_events.is_empty():
        return f"no events {label}", rows
    low, high = rows[covariate].min(), rows[covariate].max()
    if low == high:
        return f"{covariate} does not vary {label}", rows
    only = at_events[0]
    if at_events.n_unique() > 1 or only not in (low, high):
        return "", rows
    others = rows.filter(pl.col(covariate) != only)[covariate]
    where = f"is {others[0]:g}" if others.n_unique() == 1 else f"is not {only:g}"
    return f"no events where {covariate} {where} {label}", rows.filter(pl.col(covariate) == only)


def _counts(rows: pl.DataFrame) -> dict[str, int]:
    return {
        "person_count": rows["person_id"].n_unique(),
        "event_count": int(rows["event"].sum()),
        "person_days": int((rows["stop_day"] - rows["start_day"]).sum()),
    }


def _with_counts(answer: Answer, counts: dict[str, int]) -> Answer:
    events, persons, days = (counts[name] for name in ("event_count", "person_count", "person_days"))
    return replace(answer, event_count=events, person_count=persons, person_days=days)


def _equality(fit: CoxFit | None, found: Sequence[str], ties: Ties, counts: dict[str, int]) -> Answer:
    method = f"{fit.method if fit else f'cox_piecewise_{ties}_robust'}_wald"
    if fit is None or len(found) < 2:
        return not_estimable(method, f"periods with a hazard ratio: {len(found)}, two are needed", **counts)
    coefficients = np.array([fit.coefficients[fit.covariates.index(name)] for name in found], dtype=np.float64)
    covariance = np.array(fit.covariance_of(found))
    contrast = np.hstack([np.ones((len(found) - 1, 1)), -np.eye(len(found) - 1)])
    difference, variance = contrast @ coefficients, contrast @ covariance @ contrast.T
    scale = np.sqrt(np.diag(variance))
    if scale.min() <= 0.0 or np.linalg.eigvalsh(variance / np.outer(scale, scale))[0] < _LEAST_EIGENVALUE:
        return not_estimable(method, "too few persons with events for a robust variance of the differences", **counts)
    statistic = float(difference @ np.linalg.solve(variance, difference))
    p_value = float(chdtrc(difference.size, statistic))
    return _with_counts(Answer(method=method, value=statistic, p_value=p_value), counts)
