"""How a person's symptom scores go with their modelled free IgE, one number a person, then over persons.

Owns the association within persons. Delay is left out here on purpose: with it see `effect_fit`.
One number a person is a summary that keeps repeated records of a person from counting as many (Matthews 1990, BMJ 300:230).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from analysis.estimate.mean import mean
from analysis.estimate.result import Answer, not_estimable
from analysis.pkpd.effect_fit import counted

FEWEST_RECORDS = 5


@dataclass(frozen=True, slots=True)
class Association:
    """Mean of persons' Spearman correlations, and of their slopes in points per doubling of free IgE."""

    correlation: Answer
    slope: Answer


def within_person(points: pl.DataFrame, *, confidence: float) -> Association:
    """Association of score and free IgE within persons with 5 or more records in which both vary.

    points: `person_id`, `day`, `score` (the higher, the worse), `free_ige_ng_per_ml`. A correlation above 0, or a slope above 0, is worse
    scores at more free IgE. Both are means over persons, each counting once, with Student's limits (those of the correlation
    kept between -1 and 1); `person_count` counts those persons, `event_count` their records. Misleads as an effect: time on treatment,
    regression to the mean and free IgE go together, and the delay of symptoms makes it smaller than it is.
    """
    x, y = pl.col("free_ige_ng_per_ml").log(2.0), pl.col("score").cast(pl.Float64)
    persons = (
        points.sort("person_id", "day", "score")
        .group_by("person_id", maintain_order=True)
        .agg(
            records=pl.len(),
            correlation=pl.corr(x, y, method="spearman"),
            slope=pl.cov(x, y) / x.var(),
            varies=(x.max() > x.min()) & (y.max() > y.min()),
        )
        .filter((pl.col("records") >= FEWEST_RECORDS) & pl.col("varies"))
    )
    counts = {"person_count": persons.height, "event_count": int(persons["records"].sum())}
    if persons.height < 2:
        reason = f"fewer than two persons have {FEWEST_RECORDS} records in which scores and free IgE vary"
        return Association(*(not_estimable(method, reason, **counts) for method in ("spearman_mean", "slope_mean")))
    correlation, slope = (mean(persons[name], confidence=confidence) for name in ("correlation", "slope"))
    if correlation.lower is not None and correlation.upper is not None:
        correlation = replace(correlation, lower=max(-1.0, correlation.lower), upper=min(1.0, correlation.upper))
    return Association(
        replace(counted(correlation, counts), method="spearman_mean"),
        replace(counted(slope, counts), method="slope_mean"),
    )
