"""Balance of baseline covariates between exposed and comparator, before and after weights or matching.

Owns the standardised difference. Weights are made in `weighting` and `matching`; thresholds belong to the caller.
Source: Austin 2009, Stat Med 28:3083; Austin and Stuart 2015, Stat Med 34:3661 (weighted variances).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from analysis.estimate.design import design_of, event_column
from analysis.estimate.likelihood import Floats
from analysis.estimate.result import EstimationError

BALANCE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "covariate": pl.String, "exposed_mean": pl.Float64, "comparator_mean": pl.Float64,
    "standardised_difference": pl.Float64, "status": pl.String, "reason": pl.String,
}  # fmt: skip


def standardised_differences(
    frame: pl.DataFrame, *, covariates: Sequence[str], weight: str | None = None, exposed: str = "is_exposed"
) -> pl.DataFrame:
    """Difference of the means of each covariate in standard deviations, one row a covariate.

    frame: one row a person: `is_exposed` (0 or 1), the covariates and, if named, a weight from 0.
    Columns: `covariate`, `exposed_mean`, `comparator_mean`, `standardised_difference` (exposed less comparator, over the
    root of the mean of both variances), `status` (ok, not_estimable), `reason`. A covariate of 0 and 1 has the variance
    p (1 - p), any other the unbiased one for weights; both are weighted like the means. Without variance in either group
    the difference is 0 if the means are equal, else not estimable.
    Misleads after weighting when a covariate's spread has changed: look at the means too.
    Raises EstimationError for missing columns, nulls, numbers not finite, or a weight below 0.
    """
    design = design_of(frame, covariates, [exposed] if weight is None else [exposed, weight])
    is_exposed = event_column(frame, exposed) == 1.0
    weights = np.ones(frame.height) if weight is None else frame[weight].cast(pl.Float64).to_numpy()
    if not np.isfinite(weights).all() or (weights < 0.0).any():
        raise EstimationError(f"{weight} must be finite and not negative")
    values = frame.select(pl.col(design.names).cast(pl.Float64)).to_numpy()
    rows = []
    for name, column in zip(design.names, values.T, strict=True):
        groups = [_mean_and_variance(column[group], weights[group], column) for group in (is_exposed, ~is_exposed)]
        row: dict[str, object] = {"covariate": name, "status": "not_estimable"}
        empty = [words for group, words in zip(groups, ("exposed", "in the comparator"), strict=True) if group is None]
        if empty:
            rows.append(row | {"reason": f"nobody of any weight is {empty[0]}"})
            continue
        (mean, variance), (other_mean, other_variance) = (group for group in groups if group is not None)
        row |= {"exposed_mean": mean, "comparator_mean": other_mean}
        spread = float(np.sqrt((variance + other_variance) / 2.0))
        if spread > 0.0:
            rows.append(row | {"standardised_difference": (mean - other_mean) / spread, "status": "ok", "reason": ""})
        elif mean == other_mean:
            rows.append(row | {"standardised_difference": 0.0, "status": "ok", "reason": ""})
        else:
            rows.append(row | {"reason": f"{name} differs between the groups and varies in neither"})
    return pl.DataFrame(rows, schema=BALANCE_SCHEMA)


def _mean_and_variance(group: Floats, weights: Floats, everybody: Floats) -> tuple[float, float] | None:
    group, weights = group[weights > 0.0], weights[weights > 0.0]
    if not group.size:
        return None
    if group.min() == group.max():
        return float(group[0]), 0.0
    total = float(weights.sum())
    mean = float(weights @ group) / total
    if np.isin(everybody, (0.0, 1.0)).all():
        return mean, mean * (1.0 - mean)
    unbiased = total / (total**2 - float(weights @ weights))
    return mean, unbiased * float(weights @ (group - mean) ** 2)
