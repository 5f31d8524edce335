"""How symptoms follow free IgE with a delay: a saturating drive and its turnover.

Owns the drive, the turnover and where records stand on it. What records say of the delay belongs in `effect_fit` and `effect_rates`.

    drive    g = f^hill / (IC50^hill + f^hill)            f: free IgE; from 0 (suppressed) to 1
    effect   dS/dt = rate (g - S),  S = g on day 0        rate = ln 2 / half-time: onset while S falls, offset while it rises
    symptom  = a person's own level + slope S

The delay acts on the drive and not on free IgE: delayed free IgE would have to fall through its whole baseline first, so that
onset took far longer than offset at one rate.
Source: form of the turnover of Zhu 2013 and 2023 (lung function); Slavin 2009 (symptoms). IC50 in
adults 19.8 ng/mL (15.1 to 24.5, Zhu 2023). No half-time of symptoms was found in print: it is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import expit

from analysis.pkpd.quantities import Floats, Integers, PkpdError


@dataclass(frozen=True, slots=True)
class Driven:
    """Drive of each day (rows) and person (columns), and the records on it sorted by day.

    A person whose days end earlier keeps the last drive; no record stands there. `score`: the higher, the worse.
    """

    drive: Floats
    person_id: pl.Series
    record_day: Integers
    record_person: Integers
    score: Floats


def drive(free_ige_ng_per_ml: Floats, *, ic50_ng_per_ml: float, hill: float) -> Floats:
    """Share of the full effect of free IgE, 0 to 1. Raises PkpdError for an IC50 or power that is not above 0."""
    if not (ic50_ng_per_ml > 0.0 and hill > 0.0):
        raise PkpdError(f"IC50 and power must be above 0, not {ic50_ng_per_ml} and {hill}")
    shares: Floats = expit(hill * np.log(free_ige_ng_per_ml / ic50_ng_per_ml))
    return shares


def driven(
    days: pl.DataFrame, records: pl.DataFrame, *, ic50_ng_per_ml: float, hill: float, higher_is_better: bool
) -> Driven:
    """Drive of modelled days with the records of the same persons.

    days: `person_id`, `day`, `free_ige_ng_per_ml`, as of `courses.daily`: each day from 0 on, once. records: `person_id`, `day`,
    `score`, any number a person; a record stands before a dose of its day. Persons without records are left out.
    Raises PkpdError for days with holes, records of unknown persons or days, scores that are no numbers, and as `drive`.
    """
    persons = records.select(pl.col("person_id").unique().sort()).with_row_index("number")
    held = days.join(persons, on="person_id").sort("number", "day")
    spans = held.group_by("number", maintain_order=True).agg(
        first=pl.col("day").min(), last=pl.col("day").max(), count=pl.len(), distinct=pl.col("day").n_unique()
    )
    whole = (pl.col("first") == 0) & (pl.col("last") + 1 == pl.col("count")) & (pl.col("count") == pl.col("distinct"))
    holes = spans.filter(~whole).height
    if holes:
        raise PkpdError(f"{holes} persons have modelled days with holes")
    rows = records.join(persons, on="person_id").join(spans, on="number", how="left")
    day = pl.col("day")
    lost = rows.filter(pl.col("last").is_null() | day.is_null() | (day < 0) | (day > pl.col("last"))).height
    if lost:
        raise PkpdError(f"{lost} records stand on days without a modelled course")
    odd = rows.filter(~pl.col("score").cast(pl.Float64).is_finite().fill_null(value=False)).height
    if odd:
        raise PkpdError(f"{odd} records have no score")
    length = spans["count"].to_numpy().astype(np.intp)
    shares = drive(held["free_ige_ng_per_ml"].to_numpy(), ic50_ng_per_ml=ic50_ng_per_ml, hill=hill)
    starts = np.cumsum(length) - length
    place = np.minimum(np.arange(length.max(initial=0))[:, None], length - 1)
    sorted_rows = rows.sort("day", "number", "score")
    score = sorted_rows["score"].to_numpy().astype(np.float64)
    return Driven(
        drive=shares[starts + place],
        person_id=persons["person_id"],
        record_day=sorted_rows["day"].to_numpy().astype(np.intp),
        record_person=sorted_rows["number"].to_numpy().astype(np.intp),
        score=-score if higher_is_better else score,
    )


def effect_days(
    days: pl.DataFrame, *, ic50_ng_per_ml: float, hill: float, onset_days: float, offset_days: float
) -> pl.DataFrame:
    """The modelled days with `drive` and `effect` (0 suppressed to 1 full), sorted by day and person; days as in `driven`.

    Raises PkpdError as `driven`.
    """
    rows = days.select("person_id", "day", score=pl.lit(0.0))
    held = driven(days, rows, ic50_ng_per_ml=ic50_ng_per_ml, hill=hill, higher_is_better=False)
    effects = effects_at_records(held, onset_days=np.array([onset_days]), offset_days=np.array([offset_days]))[:, 0]
    found = pl.DataFrame(
        {
            "person_id": held.person_id.gather(held.record_person),
            "day": held.record_day,
            "drive": held.drive[held.record_day, held.record_person],
            "effect": effects,
        }
    )
    return days.sort("day", "person_id").join(
        found, on=["person_id", "day"], how="left", validate="1:1", maintain_order="left"
    )


def effects_at_records(held: Driven, *, onset_days: Floats, offset_days: Floats) -> Floats:
    """The effect S at each record (rows) under each pair of half-times in days (columns).

    Between days the drive is straight and the effect exact, also where it turns from falling to rising within a day.
    """
    rates = np.log(2.0) / np.stack((onset_days, offset_days))
    out = np.empty((held.record_day.size, rates.shape[1]))
    last = int(held.record_day.max(initial=0))
    bounds = np.searchsorted(held.record_day, np.arange(last + 2))
    effect = np.repeat(held.drive[0][:, None], rates.shape[1], axis=1)
    for day in range(last + 1):
        here = slice(bounds[day], bounds[day + 1])
        out[here] = effect[held.record_person[here]]
        if day < last:
            effect = _next_day(effect, held.drive[day][:, None], held.drive[day + 1][:, None], rates)
    return out


def _next_day(effect: Floats, before: Floats, after: Floats, rates: Floats) -> Floats:
    """The effect a day later while the drive goes straight from `before` to `after`."""
    slope, gap = after - before, before - effect
    is_rising = (gap > 0.0) | ((gap == 0.0) & (slope > 0.0))
    rate = np.where(is_rising, rates[1], rates[0])
    gap_after = _gap(gap, slope, rate, 1.0)
    turns = gap * gap_after < 0.0
    if turns.any():
        # The gap was closed after ln(1 - rate gap / slope) / rate of the day; from there on the other rate holds.
        where = np.nonzero(turns)
        first, there = rate[where], np.broadcast_to(slope, turns.shape)[where]
        closed = np.log1p(-first * gap[where] / there) / first
        second = np.where(is_rising, rates[0], rates[1])[where]
        gap_after[where] = _gap(0.0 * closed, there, second, 1.0 - closed)
    return after - gap_after


def _gap(gap: Floats, slope: Floats, rate: Floats, time: float | Floats) -> Floats:
    """Drive less effect after `time` days: u' = slope - rate u."""
    return gap * np.exp(-rate * time) - slope * np.expm1(-rate * time) / rate
