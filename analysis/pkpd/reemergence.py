"""When symptoms come back after the last dose: as the effect predicts, and as records show.

Owns both days. When free IgE comes back belongs in `thresholds`, the effect in `effect`.

Either day is the first on which a share of what treatment had gained is lost again. On treatment is the mean of the last `treated_days`
before the last dose inclusive; before treatment is day 0 of the effect, and the mean of the records up to day 0. Not come back is
censored at the end of follow-up: a restart, another biologic, the end of records, which the caller names in `until_day`.
Misleads where persons stop because symptoms came back: their return precedes the last dose.
"""

from __future__ import annotations

import polars as pl

from analysis.pkpd.quantities import PkpdError

LASTING_DAYS = 7  # from the first to the last of records in a row that show the return
_KEY = ["person_id", "last_dose_day", "until_day"]


def predicted_return(effects: pl.DataFrame, stops: pl.DataFrame, *, share: float, treated_days: int) -> pl.DataFrame:
    """Days from the last dose until the effect has lost `share` of what treatment gained.

    effects: `person_id`, `day`, `effect`, as of `effect.effect_days`, each day. stops: `person_id`, `last_dose_day`, `until_day`.
    Columns: those of stops, `days_after_last_dose` (NULL if not reached), `status` (`reached`, `not_reached`, `not_assessable`), `reason`.
    Raises PkpdError for a share outside 0 to 1 and fewer than one treated day.
    """
    _check(share, treated_days)
    rows = stops.select(_KEY).join(effects.select("person_id", "day", value="effect"), on="person_id")
    return _returned(rows, stops, share=share, treated_days=treated_days, least_change=0.0, lasting_days=0)


def observed_return(
    records: pl.DataFrame,
    stops: pl.DataFrame,
    *,
    share: float,
    treated_days: int,
    smallest_important_difference: float,
    higher_is_better: bool,
) -> pl.DataFrame:
    """Days from the last dose until records in a row over at least 7 days have lost `share` of the gain and what matters.

    records: `person_id`, `day`, `score`. The loss must also be at least `smallest_important_difference`. Columns: as
    `predicted_return`, with `days_after_last_dose` of the first of those records and `days_after_before` of the record before it
    (0 where there is none): the return lies between.
    Not assessable: no record up to day 0, none in the last `treated_days`, no gain of the important difference.
    Raises PkpdError as `predicted_return`, and for an important difference below 0.
    """
    _check(share, treated_days)
    if not smallest_important_difference >= 0.0:
        raise PkpdError(f"the smallest important difference cannot be {smallest_important_difference}")
    worse = -pl.col("score") if higher_is_better else pl.col("score")
    rows = stops.select(_KEY).join(records.select("person_id", "day", value=worse.cast(pl.Float64)), on="person_id")
    found = _returned(
        rows,
        stops,
        share=share,
        treated_days=treated_days,
        least_change=smallest_important_difference,
        lasting_days=LASTING_DAYS,
    )
    day = pl.col("days_after_last_dose") + pl.col("last_dose_day")
    before = (
        found.select(*_KEY, return_day=day)
        .join(rows, on=_KEY)
        .filter((pl.col("day") < pl.col("return_day")) & (pl.col("day") > pl.col("last_dose_day")))
        .group_by(_KEY)
        .agg(days_after_before=pl.col("day").max() - pl.col("last_dose_day").first())
    )
    known = pl.when(pl.col("days_after_last_dose").is_not_null()).then(pl.col("days_after_before").fill_null(0))
    return found.join(before, on=_KEY, how="left", maintain_order="left").with_columns(days_after_before=known)


def _check(share: float, treated_days: int) -> None:
    if not 0.0 < share <= 1.0 or treated_days < 1:
        raise PkpdError("a return needs a share above 0 and up to 1 and at least one treated day")


def _returned(
    rows: pl.DataFrame, stops: pl.DataFrame, *, share: float, treated_days: int, least_change: float, lasting_days: int
) -> pl.DataFrame:
    """rows: the stop's key, `day`, `value` (the higher, the worse)."""
    day, last, value = pl.col("day"), pl.col("last_dose_day"), pl.col("value")
    is_treated = (day > last - treated_days) & (day <= last) & (day > 0)
    levels = rows.group_by(_KEY).agg(before=value.filter(day <= 0).mean(), treated=value.filter(is_treated).mean())
    gain = pl.col("before") - pl.col("treated")
    lost = value - pl.col("treated")
    shown = (
        rows.join(levels, on=_KEY)
        .filter((day > last) & (day <= pl.col("until_day")) & (gain > 0.0))
        .sort(*_KEY, "day")
        # As near as numbers get: a loss of exactly the share counts.
        .with_columns(is_lost=(lost >= share * gain * (1.0 - 1e-12)) & (lost >= least_change))
        .with_columns(run=pl.col("is_lost").rle_id().over(_KEY))
        .filter("is_lost")
        .group_by(*_KEY, "run")
        .agg(first=day.min(), final=day.max())
        .filter(pl.col("final") - pl.col("first") >= lasting_days)
        .group_by(_KEY)
        .agg(return_day=pl.col("first").min())
    )
    has_gain = (gain > 0.0) & (gain >= least_change)
    cause = (
        pl.when(pl.col("before").is_null()).then(pl.lit("nothing known before treatment"))
        .when(pl.col("treated").is_null()).then(pl.lit("nothing known in the last treated days"))
        .when(~has_gain).then(pl.lit("treatment had gained nothing that could be lost"))
    )  # fmt: skip
    is_open = pl.col("cause").is_null()
    status = pl.when(~is_open).then(pl.lit("not_assessable")).when(pl.col("return_day").is_not_null())
    return (
        stops.select(_KEY)
        .join(levels, on=_KEY, how="left", maintain_order="left")
        .join(shown, on=_KEY, how="left", maintain_order="left")
        .with_columns(cause=cause)
        .select(
            *_KEY,
            days_after_last_dose=pl.when(is_open).then(pl.col("return_day") - last),
            status=status.then(pl.lit("reached")).otherwise(pl.lit("not_reached")),
            reason=pl.when(~is_open)
            .then("cause")
            .when(pl.col("return_day").is_not_null())
            .then(pl.lit(""))
            .otherwise(pl.lit("not back before the end of follow-up")),
        )
    )
