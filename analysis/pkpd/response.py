"""Who gained from omalizumab by symptom scores, told once, around week 16.

Owns response. What is lost again after the last dose belongs in `reemergence`. Response is told from scores between two days on
treatment, whatever comes later, so that nobody is a responder because they were treated for long.
Misleads as an effect of the drug: who begins treatment when symptoms are worst gets better anyhow (regression to the mean).
"""

from __future__ import annotations

import polars as pl

from analysis.pkpd.quantities import PkpdError

BEFORE_DAYS = 90  # scores before the first dose that say how it was
RESPONDER, NON_RESPONDER, NOT_ASSESSABLE = "responder", "non_responder", "not_assessable"


def responses(
    records: pl.DataFrame,
    last_doses: pl.DataFrame,
    *,
    smallest_important_difference: float | None,
    higher_is_better: bool,
    from_day: int,
    until_day: int,
) -> pl.DataFrame:
    """Gain of each person with records: mean score of the days `from_day` to `until_day` against the 90 days before the first dose.

    records: `person_id`, `day`, `score`. last_doses: `person_id`, `last_dose_day` of the treatment that began on day 0; scores more
    than 28 days after it are none on treatment. Columns: `person_id`, `before_score`, `treated_score`, `gain` (above 0 is better),
    `response` (responder: a gain of at least the important difference), `reason` where it cannot be told.
    Raises PkpdError where the days do not rise or the important difference is not above 0.
    """
    if not 0 < from_day <= until_day:
        raise PkpdError(f"response is told between two days of treatment, not {from_day} and {until_day}")
    if smallest_important_difference is not None and not smallest_important_difference > 0.0:
        raise PkpdError(f"the smallest important difference cannot be {smallest_important_difference}")
    day, score = pl.col("day"), pl.col("score")
    is_treated = day.is_between(from_day, until_day) & (day <= pl.col("last_dose_day") + 28)
    levels = (
        records.select("person_id", "day", "score")
        .join(last_doses.select("person_id", "last_dose_day"), on="person_id", how="left")
        .sort("person_id", "day", "score")
        .group_by("person_id", maintain_order=True)  # means depend on it in their last digit
        .agg(
            before_score=score.filter(day.is_between(-BEFORE_DAYS, 0)).mean(),
            treated_score=score.filter(is_treated).mean(),
            stopped=(pl.col("last_dose_day").first() + 28 < from_day),
        )
        .sort("person_id")
    )
    better = pl.col("treated_score") - pl.col("before_score")
    important = pl.lit(smallest_important_difference, pl.Float64)
    reason = (
        pl.when(important.is_null()).then(pl.lit("no smallest important difference of the instrument is known"))
        .when(pl.col("before_score").is_null()).then(pl.lit("no score in the 90 days before the first dose"))
        .when(pl.col("stopped").fill_null(value=False)).then(pl.lit("stopped before response is told"))
        .when(pl.col("treated_score").is_null()).then(pl.lit("no score around week 16"))
    )  # fmt: skip
    # As near as numbers get: a gain of exactly the difference counts.
    is_responder = pl.col("gain") >= important * (1.0 - 1e-12)
    return (
        levels.with_columns(gain=better if higher_is_better else -better, reason=reason)
        .with_columns(
            response=pl.when(pl.col("reason").is_not_null())
            .then(pl.lit(NOT_ASSESSABLE))
            .when(is_responder)
            .then(pl.lit(RESPONDER))
            .otherwise(pl.lit(NON_RESPONDER))
        )
        .select("person_id", "before_score", "treated_score", "gain", "response", "reason")
    )
