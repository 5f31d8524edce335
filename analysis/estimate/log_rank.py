"""Log-rank tests: whether groups stay equally long, from counts of endings by day.

Owns the weighted, the stratified and the trend test with delayed entry and tied days. How large a difference is belongs
in `cox` and `rmst`; the test of cumulative incidences in `gray`.
Source: Mantel 1966, Cancer Chemother Rep 50:163; Peto and Peto 1972, JRSS A 135:185; Harrington and Fleming 1982, Biometrika
69:553; Tarone and Ware 1977, Biometrika 64:156; Tarone 1975, Biometrika 62:679 (trend).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import chdtrc

from analysis.estimate.confidence import wald_p_value
from analysis.estimate.endings import at_risk_on, checked_durations, traffic_of
from analysis.estimate.result import Answer, EstimationError, not_estimable

Weights = Literal["log_rank", "wilcoxon", "tarone_ware", "peto", "fleming_harrington"]
Floats = NDArray[np.float64]

# Eigenvalues of the covariance below this share of the largest are a direction that no risk set compares.
_LEAST_EIGENVALUE = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRank:
    """Observed and expected events of each group, and the test of their difference.

    `table`: `group`, `person_count`, `observed_count`, `expected` (events if all hazards were equal, in its strata; not
    weighted), by group in byte order. `differences` (weighted observed less expected) and `covariance` are in its order.
    """

    table: pl.DataFrame
    differences: Floats = field(compare=False)
    covariance: Floats = field(compare=False)
    answer: Answer
    method: str


def log_rank(
    durations: pl.DataFrame,
    *,
    weights: Weights = "log_rank",
    rho: float = 0.0,
    gamma: float = 0.0,
    strata: str | None = None,
) -> LogRank:
    """Test that the hazards of all groups are equal on all days: `value` is chi-squared.

    durations: `group` (String), `entry_days`, `time_days`, `event_count`, `censored_count` as `kaplan_meier` takes them,
    and the column that `strata` names; only persons of one stratum are compared. The degrees of freedom are the groups
    that risk sets compare, less one (in `reason` where that is fewer than given). Weights of a day: 1 (`log_rank`), the
    number at risk (`wilcoxon`, Gehan's), its root (`tarone_ware`), Peto and Peto's survival (`peto`), or
    S^rho (1 - S)^gamma with S the pooled Kaplan-Meier before the day, of the stratum (`fleming_harrington`; rho = 1,
    gamma = 0 is R's survdiff(rho = 1)). The variance is hypergeometric, so ties count as they are.
    `not_estimable` without events, or when no risk set holds two groups. Misleads when the curves cross: weights chosen
    after seeing them are no test.
    Raises EstimationError for a bad frame, unknown weights, or rho or gamma below 0 or given with other weights.
    Source: R survival::survdiff; Fleming and Harrington 1991, Counting Processes and Survival Analysis, 7.
    """
    if weights not in get_args(Weights) or min(rho, gamma) < 0.0 or not np.isfinite(rho + gamma):
        raise EstimationError(f"unknown weights {weights!r}, or rho or gamma below 0")
    if weights != "fleming_harrington" and (rho or gamma):
        raise EstimationError(f"rho and gamma belong to fleming_harrington, not to {weights}")
    by = ["group"] if strata is None else ["group", strata]
    # Counted by day once: every later step is over days, not over persons.
    rows = (
        checked_durations(durations, by=by)
        .group_by(*by, "entry_days", "time_days")
        .agg(pl.col("event_count", "censored_count").sum())
        .with_columns(pl.col("group").cast(pl.String))
    )
    method = weights if weights == "log_rank" else f"log_rank_{weights}"
    if weights == "fleming_harrington":
        method += f"_{rho:g}_{gamma:g}"
    method += "" if strata is None else "_stratified"
    groups = rows["group"].unique().sort().to_list()
    sums = _Sums(np.zeros(len(groups)), np.zeros((len(groups), len(groups))), np.zeros(len(groups)))
    parts = [rows] if strata is None else rows.sort(strata).partition_by(strata, maintain_order=True)
    for part in parts if groups else []:
        at_risk, events = _risk_sets(part, groups)
        if events.size:
            sums = sums.plus(_of_days(at_risk, events, _weights_of(at_risk, events, weights, rho, gamma)))
    persons = pl.col("event_count") + pl.col("censored_count")
    table = (
        rows.group_by("group")
        .agg(person_count=persons.sum(), observed_count=pl.col("event_count").sum())
        .sort("group")
        .with_columns(expected=pl.Series(sums.expected, dtype=pl.Float64))
    )
    return LogRank(
        table=table,
        differences=sums.differences,
        covariance=sums.covariance,
        answer=_chi_squared(table, sums, method),
        method=method,
    )


def log_rank_trend(test: LogRank, scores: Mapping[str, float]) -> Answer:
    """Test that hazards rise or fall with a score of the groups: `value` is z, above 0 where they rise.

    scores: one finite number for each group of the test. Counts are the test's. `not_estimable` when no risk set holds two
    scores. Misses hazards that rise and fall.
    Raises EstimationError when the scores are not those of the groups.
    Source: Tarone 1975; Klein and Moeschberger 2003, 7.4.
    """
    groups = test.table["group"].to_list()
    if sorted(scores) != groups or not all(np.isfinite(score) for score in scores.values()):
        raise EstimationError(f"a trend needs one finite score for each of {', '.join(groups)}")
    values = np.array([scores[group] for group in groups])
    values = values - values.mean() if values.size else values
    variance = float(values @ test.covariance @ values)
    method = f"{test.method}_trend"
    counts = {"person_count": test.answer.person_count, "event_count": test.answer.event_count}
    largest = float(np.abs(test.covariance).max(initial=0.0)) * float((values**2).sum())
    if variance <= _LEAST_EIGENVALUE * largest:
        return not_estimable(method, test.answer.reason or "no risk set holds two scores", **counts)
    z = float(values @ test.differences) / variance**0.5
    return Answer(
        method=method,
        value=z,
        p_value=wald_p_value(z),
        person_count=test.answer.person_count,
        event_count=test.answer.event_count,
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    """Over days and strata: weighted observed less expected, their covariance, and expected events."""

    differences: Floats
    covariance: Floats
    expected: Floats

    def plus(self, other: _Sums) -> _Sums:
        return _Sums(
            self.differences + other.differences, self.covariance + other.covariance, self.expected + other.expected
        )


def _risk_sets(rows: pl.DataFrame, groups: list[str]) -> tuple[Floats, Floats]:
    """Persons at risk and events (days with an event, groups)."""
    days = rows.filter(pl.col("event_count") > 0)["time_days"].unique().sort()
    at_risk, events = [], []
    for group in groups:
        own = rows.filter(pl.col("group") == group)
        at_risk.append(at_risk_on(traffic_of(own), days)["at_risk_count"])
        happened = own.group_by("time_days").agg(pl.col("event_count").sum())
        found = days.to_frame().join(happened, on="time_days", how="left", maintain_order="left")
        events.append(found["event_count"].fill_null(0))
    return np.column_stack(at_risk).astype(float), np.column_stack(events).astype(float)


def _weights_of(at_risk: Floats, events: Floats, weights: Weights, rho: float, gamma: float) -> Floats:
    n: Floats = at_risk.sum(axis=1)
    d = events.sum(axis=1)
    if weights == "wilcoxon":
        return n
    if weights == "tarone_ware":
        rooted: Floats = np.sqrt(n)
        return rooted
    if weights == "peto":
        survival: Floats = np.cumprod(1.0 - d / (n + 1.0))
        return survival
    before = np.concatenate(([1.0], np.cumprod(1.0 - d / n)[:-1]))
    chosen: Floats = before**rho * (1.0 - before) ** gamma if weights == "fleming_harrington" else np.ones_like(n)
    return chosen


def _of_days(at_risk: Floats, events: Floats, weights: Floats) -> _Sums:
    n, d = at_risk.sum(axis=1), events.sum(axis=1)
    share = at_risk / n[:, np.newaxis]
    expected = share * d[:, np.newaxis]
    spread = weights**2 * d * np.divide(n - d, n - 1.0, out=np.zeros_like(n), where=n > 1.0)
    covariance = -((share * spread[:, np.newaxis]).T @ share)
    # Exactly 0 for a group that is all or none of every risk set: a difference of sums would leave rounding.
    np.fill_diagonal(covariance, spread @ (share * (1.0 - share)))
    return _Sums(weights @ (events - expected), covariance, expected.sum(axis=0))


def quadratic_form(differences: Floats, covariance: Floats) -> tuple[float, int]:
    """Chi-squared of differences that sum to 0 with their degrees of freedom: the directions that have any variance."""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > _LEAST_EIGENVALUE * max(values.max(initial=0.0), np.finfo(float).tiny)
    return float(((vectors[:, kept].T @ differences) ** 2 / values[kept]).sum()), int(kept.sum())


def _chi_squared(table: pl.DataFrame, sums: _Sums, method: str) -> Answer:
    persons, events = int(table["person_count"].sum()), int(table["observed_count"].sum())
    value, freedom = quadratic_form(sums.differences, sums.covariance)
    if table.height < 2 or events == 0 or freedom == 0:
        reason = "fewer than two groups" if table.height < 2 else "no events" if events == 0 else ""
        reason = reason or "no risk set compares two groups"
        return not_estimable(method, reason, person_count=persons, event_count=events)
    return Answer(
        method=method,
        value=value,
        p_value=float(chdtrc(freedom, value)),
        person_count=persons,
        event_count=events,
        reason="" if freedom == table.height - 1 else f"{freedom} degrees of freedom for {table.height} groups",
    )
