"""Gray's test: whether groups have the same cumulative incidence of a cause, when other causes compete.

Owns the statistic and its variance, over strata too. The curves belong in `cumulative_incidence`; the log-rank test, which
compares cause-specific hazards instead, in `log_rank`; how large the difference is in `fine_gray`.
Source: Gray 1988, Ann Stat 16:1141.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import chdtrc

from analysis.estimate.endings import CENSORED, at_risk_on, checked_endings, traffic_of
from analysis.estimate.log_rank import quadratic_form
from analysis.estimate.result import Answer, EstimationError, not_estimable

Floats = NDArray[np.float64]

# A pooled incidence this near to 1 has reached it.
_ROUNDING = 1e-9


def gray_test(
    endings: pl.DataFrame, *, causes: Sequence[str], cause: str, rho: float = 0.0, strata: str | None = None
) -> Answer:
    """Test that the cumulative incidence of a cause is the same in all groups: `value` is chi-squared.

    endings: `group` (String), `entry_days` (all 0), `time_days`, `cause`, `count` as `cumulative_incidence` takes them, and
    the column that `strata` names; only persons of one stratum are compared. Days weigh (1 - F)^rho, F the pooled
    incidence before the day. Counts are all persons, and the events of the cause. Equal to R's cmprsk::cuminc.
    `not_estimable` without events of the cause, with one group, or when a group has ended so far before another that the
    pooled incidence, from those still there, reaches 1 before the last event. Misleads when read as a test of the cause's hazard: it also
    moves with the other causes.
    Raises EstimationError as `cumulative_incidence`, for entries after day 0, a cause not asked for, or rho below 0.
    """
    if cause not in causes or not 0.0 <= rho < np.inf:
        raise EstimationError(f"a test of {cause!r} needs it among the causes, and a rho of at least 0")
    by = ["group"] if strata is None else ["group", strata]
    rows = checked_endings(endings, causes=causes, by=by).with_columns(pl.col("group").cast(pl.String))
    if rows.filter(pl.col("entry_days") > 0).height:
        raise EstimationError("Gray's test takes no delayed entry: every entry is on day 0")
    groups = rows["group"].unique().sort().to_list()
    own = rows.filter(pl.col("cause") == cause)
    method = ("gray" if rho == 0.0 else f"gray_rho_{rho:g}") + ("" if strata is None else "_stratified")
    counts = {"person_count": int(rows["count"].sum()), "event_count": int(own["count"].sum())}
    if len(groups) < 2 or own.is_empty():
        return not_estimable(method, "no events of the cause" if len(groups) > 1 else "fewer than two groups", **counts)
    scores, covariance = np.zeros(len(groups)), np.zeros((len(groups), len(groups)))
    for part in [rows] if strata is None else rows.sort(strata).partition_by(strata, maintain_order=True):
        at_risk, first, other = _risk_sets(part, groups, cause)
        if not first.sum():
            continue
        found = _score(at_risk, first, other, rho)
        if found is None:
            return not_estimable(
                method, "a group has ended: the pooled incidence reaches 1 before the last event", **counts
            )
        scores, covariance = scores + found[0], covariance + found[1]
    value, freedom = quadratic_form(scores, covariance)
    if freedom == 0:
        return not_estimable(method, "no risk set compares two groups", **counts)
    return Answer(
        method=method,
        value=value,
        p_value=float(chdtrc(freedom, value)),
        person_count=counts["person_count"],
        event_count=counts["event_count"],
        reason="" if freedom == len(groups) - 1 else f"{freedom} degrees of freedom for {len(groups)} groups",
    )


def _risk_sets(rows: pl.DataFrame, groups: list[str], cause: str) -> tuple[Floats, Floats, Floats]:
    """Persons at risk, events of the cause and of the others (days with any event, groups)."""
    events = rows.filter(pl.col("cause") != CENSORED)
    days = events["time_days"].unique().sort()
    is_own = pl.col("cause") == cause
    columns: tuple[list[pl.Series], ...] = ([], [], [])
    for group in groups:
        mine = pl.col("group") == group
        columns[0].append(at_risk_on(traffic_of(rows.filter(mine)), days)["at_risk_count"])
        for column, wanted in zip(columns[1:], (is_own, ~is_own), strict=True):
            happened = events.filter(mine & wanted).group_by("time_days").agg(pl.col("count").sum())
            found = days.to_frame().join(happened, on="time_days", how="left", maintain_order="left")
            column.append(found["count"].fill_null(0))
    at_risk, first, other = (np.column_stack(column).astype(float) for column in columns)
    return at_risk, first, other


def _ratio(numerator: Floats, denominator: Floats, where: NDArray[np.bool_]) -> Floats:
    found: Floats = np.divide(
        numerator, denominator, out=np.zeros(np.broadcast(numerator, denominator).shape), where=where
    )
    return found


def _score(at_risk: Floats, first: Floats, other: Floats, rho: float) -> tuple[Floats, Floats] | None:
    """Gray's score of each group and their covariance; None where the pooled incidence reaches 1 too early."""
    is_there = at_risk > 0
    after = np.cumprod(1.0 - _ratio(first + other, at_risk, is_there), axis=0).astype(np.float64)
    before = np.vstack([np.ones_like(after[:1]), after[:-1]])
    rises = before * _ratio(first, at_risk, is_there)
    incidence_before = np.cumsum(rises, axis=0) - rises
    # At risk, over survival: who would be at risk had nothing ended their follow-up but censoring.
    kept = _ratio(at_risk, before, is_there)
    still = kept * (1.0 - incidence_before)
    all_first, all_kept = first.sum(axis=1), kept.sum(axis=1)
    rise = all_first / all_kept
    pooled = np.cumsum(rise)
    stayed = 1.0 - (pooled - rise)
    if (stayed[all_first > 0] < _ROUNDING).any():
        return None
    weights = stayed**rho
    scores = weights @ (first - (all_first / still.sum(axis=1))[:, np.newaxis] * still)
    share = kept / all_kept[:, np.newaxis]
    direct = (weights[:, np.newaxis] * kept)[:, :, np.newaxis] * (np.eye(at_risk.shape[1]) - share[:, np.newaxis, :])
    steps = direct * _ratio(rise, stayed, all_first > 0)[:, np.newaxis, np.newaxis]
    later = steps.sum(axis=0) - np.cumsum(steps, axis=0)
    remaining: Floats = (1.0 - pooled)[:, np.newaxis]
    left = _ratio(remaining, after, after > 0)
    # Ties take their share of the variance away, as without replacement.
    at_once: Floats = np.maximum(all_first - 1.0, 0.0)[:, np.newaxis]
    effective: Floats = all_kept[:, np.newaxis] * before - 1.0
    tied = np.clip(1.0 - _ratio(at_once, effective, (at_once > 0) & (effective > 0)), 0.0, 1.0)
    spread = tied * _ratio(before * rise[:, np.newaxis], at_risk, is_there)
    reach = direct + (1.0 - left)[:, np.newaxis, :] * later
    covariance = np.einsum("tik,tjk,tk->ij", reach, reach, spread)
    at_once = np.maximum(other - 1.0, 0.0)
    tied = 1.0 - _ratio(at_once, at_risk - 1.0, at_once > 0)
    spread = tied * _ratio(before**2 * other, at_risk**2, is_there) * (after > 0)
    reach = left[:, np.newaxis, :] * later
    covariance += np.einsum("tik,tjk,tk->ij", reach, reach, spread)
    return scores, covariance
