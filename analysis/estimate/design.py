"""The columns of a regression frame as arrays: standardised covariates, events, groups.

Owns the checks of such a frame. Models and their likelihoods do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.estimate.likelihood import Booleans, Floats, Integers
from analysis.estimate.result import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Standardised covariates: `z` (rows, covariates), which parameter each is, and the SD of each in its own unit."""

    names: tuple[str, ...]
    z: Floats
    means: Floats
    scales: Floats


def design_of(frame: pl.DataFrame, covariates: Sequence[str], others: Sequence[str]) -> Design:
    """The covariates of a frame, standardised. `others`: columns that must be there too, without nulls.

    Raises EstimationError for missing columns, nulls, covariates that are not finite or named twice, or none.
    """
    columns = [*dict.fromkeys(others), *covariates]
    missing = [column for column in columns if column not in frame.columns]
    if missing or not covariates or len(set(columns)) < len(columns):
        raise EstimationError(f"a regression needs each covariate once and the columns {', '.join(missing or columns)}")
    nulls = [column for column in columns if frame[column].null_count()]
    if nulls:
        raise EstimationError(f"a regression frame holds nulls in {', '.join(nulls)}")
    values = frame.select(pl.col(covariates).cast(pl.Float64)).to_numpy()
    if not np.isfinite(values).all():
        raise EstimationError("a regression frame holds covariates that are not finite")
    if not values.shape[0]:
        return Design(
            names=tuple(covariates), z=values, means=np.zeros(values.shape[1]), scales=np.ones(values.shape[1])
        )
    means = np.where(values.min(axis=0) == values.max(axis=0), values[0], values.mean(axis=0))
    scales = (values - means).std(axis=0)
    scales = np.where(scales > 0.0, scales, 1.0)
    return Design(names=tuple(covariates), z=(values - means) / scales, means=means, scales=scales)


def event_column(frame: pl.DataFrame, event: str) -> Floats:
    """The event of each row, 0 or 1. Raises EstimationError for any other value."""
    values = frame[event].cast(pl.Float64).to_numpy()
    odd = int((~np.isin(values, (0.0, 1.0))).sum())
    if odd:
        raise EstimationError(f"{odd} rows have an event that is not 0 or 1")
    return values


def codes_of(frame: pl.DataFrame, column: str) -> Integers:
    """The groups of a column, numbered from 0 in the order of its values."""
    codes: Integers = (frame[column].rank("dense").cast(pl.Int64) - 1).to_numpy().astype(np.intp)
    return codes


def infinite_reasons(design: Design, events: Floats, counted: Booleans) -> list[str]:
    """Per covariate, the words for an infinite coefficient: the level without events or without others, if it has one."""
    reasons = []
    for name, column, mean, scale in zip(design.names, design.z.T, design.means, design.scales, strict=True):
        reason = f"separation: the likelihood has no finite maximum in {name}"
        values = np.round(column * scale + mean, 12)
        for happened, words in ((1.0, "no events"), (0.0, "only events")):
            inside, outside = values[counted & (events == happened)], values[counted & (events != happened)]
            if inside.size and inside.min() == inside.max() and inside[0] in (values.min(), values.max()):
                other = np.setdiff1d(outside, inside)
                if other.size and reason.startswith("separation"):
                    where = f"is {other[0]:g}" if other.size == 1 else f"is not {inside[0]:g}"
                    reason = f"{words} where {name} {where}"
        reasons.append(reason)
    return reasons
