"""Asthma under omalizumab: symptom scores that follow free IgE with a delay, and exacerbations that come with it.

Owns what is planted on top of the doses, weights and IgE that are drawn elsewhere. Free IgE is that of a typical person under Lowe's
model, with numbers of this module's own: another reference changes no simulated world. The effect is stepped here by days, and
not by what is to be tested.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.pkpd.courses import courses
from analysis.pkpd.parameters import Parameter, ParameterSet
from analysis.simulate.design import DAYS_PER_YEAR
from analysis.simulate.dosing import Records
from analysis.simulate.omalizumab import Baselines
from analysis.simulate.omalizumab_design import SymptomPlan
from analysis.simulate.reference import DrugBook, Flags, Floats, Ints
from analysis.simulate.tables import dates, diagnoses, ids_of, person_ids

ASTHMA = "allergic asthma"
LOWE = ParameterSet(
    model="lowe",
    reference_weight_kg=70.0,
    reference_ige_ng_per_ml=365.0,
    drug_molar_mass_kda=150.0,
    ige_molar_mass_kda=190.0,
    dissociation_exponent=0.0902,
    parameters={
        "absorption_rate": Parameter(0.458, 0.0, 0.0, None),
        "drug_clearance": Parameter(0.208, 1.0, 0.0, None),
        "ige_clearance": Parameter(3.85, 0.499, -0.372, None),
        "complex_clearance": Parameter(0.832, 0.671, 0.0, None),
        "volume": Parameter(9.33, 0.828, 0.0, None),
        "complex_volume": Parameter(6.31, 0.549, 0.0, None),
        "ige_production": Parameter(1220.0, 0.491, 0.594, None),
        "dissociation_constant": Parameter(1.81, 0.0, 0.115, None),
    },
    covariances={},
    residual_variances={},
)
_DOSE_MG = 300.0
_STOP_DAYS, _TREATED_DAYS = 56, 56
_EXACERBATION_CODE = "J46"
_LEAST_APART_DAYS = 21  # so that two exacerbations are never taken for one


@dataclass(frozen=True, slots=True)
class Planted:
    """Table `symptom_score`, diagnoses of exacerbations (person, day), and latent values by person."""

    scores: pl.DataFrame
    exacerbation_person: Ints
    exacerbation_day: Ints
    persons: pl.DataFrame


def planted_symptoms(
    plan: SymptomPlan,
    baselines: Baselines,
    records: Records,
    book: DrugBook,
    *,
    has_asthma: Flags,
    observed_stop: Ints,
    rng: np.random.Generator,
) -> Planted:
    """Scores and exacerbations of those who get omalizumab and have asthma (has_asthma: by person) when they do.

    Followed from `days_before` the first dose for `follow_days` at most. Latent by person: `is_omalizumab_responder`, and
    `symptom_return_days`, from the last dose before the first gap of more than 56 days until half of what the effect had lost on
    treatment is back; null where follow-up ends before.
    """
    chosen = np.flatnonzero(has_asthma[baselines.person])
    person, first = baselines.person[chosen], baselines.first[chosen]
    until = np.minimum(observed_stop[person] - 1 - first, plan.follow_days)
    kept = until >= 0
    person, first, until, chosen = person[kept], first[kept], until[kept], chosen[kept]
    size = person.size
    is_responder = rng.random(size) < plan.responder_share
    level = rng.normal(plan.score_before, plan.score_before_sd, size)
    gain = np.where(is_responder, rng.normal(plan.gain, plan.gain_sd, size), 0.0)
    visits = _visits(plan, np.minimum(until, plan.score_days), rng)
    noise = rng.normal(0.0, plan.noise_sd, visits.day.size)
    chance = rng.random((2, size, plan.most_exacerbations))
    doses = _doses(records, book, person, first, until)
    latent = _Latent(np.zeros(visits.day.size), np.full(size, -1), [])
    people = pl.DataFrame(
        {
            "person_id": np.arange(size), "weight_kg": baselines.weight[chosen], "baseline_ige_iu_per_ml": baselines.ige[chosen],
            "until_day": until,
        }
    )  # fmt: skip
    if size:
        for piece in courses(people, doses, LOWE, anchor="clearance"):
            _follow(
                piece.given.person_id.to_numpy(),
                piece.free_ige[:: piece.course.steps_per_day],
                plan,
                visits,
                doses,
                until,
                chance,
                latent,
            )
    score = np.clip(np.rint(level[visits.person] + gain[visits.person] * (1.0 - latent.effect) + noise), 5, 25)
    events = latent.exacerbations
    struck, day = (np.array([event[place] for event in events], dtype=np.int64) for place in (0, 1))
    order = np.lexsort((day, struck))
    return Planted(
        scores=pl.DataFrame(
            {
                "person_id": ids_of(person[visits.person]),
                "instrument": pl.repeat("ACT", score.size, eager=True),
                "date": dates(first[visits.person] + visits.day),
                "value": score,
            }
        ),
        exacerbation_person=person[struck[order]],
        exacerbation_day=first[struck[order]] + day[order],
        persons=pl.DataFrame(
            {
                "person_id": person_ids(int(observed_stop.size)).gather(person),
                "is_omalizumab_responder": is_responder,
                "symptom_return_days": pl.Series(latent.return_days).replace(-1, None),
            }
        ),
    )


def exacerbation_diagnoses(planted: Planted, *, after: int) -> pl.DataFrame:
    """Rows of table `condition`: status asthmaticus in an emergency department."""
    code = pl.repeat(_EXACERBATION_CODE, planted.exacerbation_day.size, eager=True)
    return diagnoses(
        planted.exacerbation_person, day=planted.exacerbation_day, code=code, after=after, setting="emergency"
    )


def symptom_truth(plan: SymptomPlan) -> dict[str, float | str]:
    """What is planted, for truth.json."""
    return {
        "half_time_onset_days": plan.onset_days, "half_time_offset_days": plan.offset_days, "responder_share": plan.responder_share,
        "ic50_ng_per_ml": plan.ic50_ng_per_ml, "hill": plan.hill, "exacerbations_per_py_below_50": plan.exacerbations_per_py[0],
        "exacerbations_per_py_from_50": plan.exacerbations_per_py[1],
        "note": "free IgE of typical persons by weight and IgE; an exacerbation keeps the next away for 21 days",
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Visits:
    """Sorted by person; `day` from the first dose."""

    person: Ints
    day: Ints


@dataclass(slots=True)
class _Latent:
    effect: Floats
    return_days: Ints
    exacerbations: list[tuple[int, int]]


def _visits(plan: SymptomPlan, until: Ints, rng: np.random.Generator) -> _Visits:
    """A visit shortly before the first dose, then every month with some scatter."""
    count = until // plan.visit_days + 1
    person = np.repeat(np.arange(until.size), count)
    number = np.arange(person.size) - np.repeat(np.cumsum(count) - count, count)
    scatter = rng.integers(-plan.visit_scatter_days, plan.visit_scatter_days + 1, person.size)
    day = np.where(number == 0, -rng.integers(1, plan.days_before + 1, person.size), number * plan.visit_days + scatter)
    kept = day <= until[person]
    return _Visits(person[kept], day[kept])


def _doses(records: Records, book: DrugBook, person: Ints, first: Ints, until: Ints) -> pl.DataFrame:
    place = np.full(int(records.person.max(initial=0)) + 1, -1, dtype=np.int64)
    place[person] = np.arange(person.size)
    is_ours = (records.drug == book.position("omalizumab")) & (place[records.person] >= 0)
    column = place[records.person[is_ours]]
    day = records.day[is_ours] - first[column]
    kept = day <= until[column]
    return pl.DataFrame({"person_id": column[kept], "day": day[kept], "dose_mg": np.full(int(kept.sum()), _DOSE_MG)})


def _follow(
    numbers: Ints, free: Floats, plan: SymptomPlan, visits: _Visits, doses: pl.DataFrame, until: Ints, chance: Floats, latent: _Latent
) -> None:  # fmt: skip
    """Steps the effect of a piece of persons by days; writes it at visits, its return, and exacerbations."""
    drive = free**plan.hill / (plan.ic50_ng_per_ml**plan.hill + free**plan.hill)
    effect = np.empty_like(drive)
    effect[0] = drive[0]
    kept_down, kept_up = (0.5 ** (1.0 / days) for days in (plan.onset_days, plan.offset_days))
    for day in range(1, drive.shape[0]):
        target = 0.5 * (drive[day - 1] + drive[day])
        kept = np.where(target > effect[day - 1], kept_up, kept_down)
        effect[day] = target + kept * (effect[day - 1] - target)
    column = np.full(until.size, -1, dtype=np.int64)
    column[numbers] = np.arange(numbers.size)
    here = np.flatnonzero(column[visits.person] >= 0)
    latent.effect[here] = effect[np.clip(visits.day[here], 0, None), column[visits.person[here]]]
    per_day = np.where(free < 50.0, *(rate / DAYS_PER_YEAR for rate in plan.exacerbations_per_py))
    given = dict(
        doses.filter(pl.col("person_id").is_in(numbers.tolist()))
        .group_by("person_id")
        .agg(pl.col("day").sort())
        .iter_rows()
    )
    for place, number in enumerate(numbers):
        last = int(until[number])
        latent.return_days[number] = _returned(effect[: last + 1, place], np.array(given[number]), last)
        hazard = np.concatenate([[0.0], np.cumsum(per_day[: last + 1, place])])
        latent.exacerbations += [(int(number), day) for day in _struck(hazard, chance[0, number])]


def _returned(effect: Floats, days: Ints, last: int) -> int:
    """Days from the last dose of the first stop to the day on which half of the gain is lost; -1 where there is none."""
    next_day = np.append(days[1:], last + 1)
    gaps = np.flatnonzero(next_day - days > _STOP_DAYS)
    if not gaps.size:
        return -1
    stop, end = int(days[gaps[0]]), min(int(next_day[gaps[0]]), last)
    treated = effect[max(1, stop - _TREATED_DAYS + 1) : stop + 1]
    if not treated.size:
        return -1
    half = treated.mean() + 0.5 * (effect[0] - treated.mean())
    back = np.flatnonzero(effect[stop + 1 : end + 1] >= half)
    return int(back[0]) + 1 if back.size and half > treated.mean() else -1


def _struck(hazard: Floats, chance: Floats) -> list[int]:
    """Days on which the cumulative hazard reaches the next exponential draw, 21 days apart at least.

    hazard: before day 0, and after each day.
    """
    found: list[int] = []
    reached, start = 0.0, 0
    for draw in chance:
        reached = hazard[start] - np.log1p(-draw)
        day = int(np.searchsorted(hazard, reached, side="left")) - 1
        start = day + _LEAST_APART_DAYS
        if day + 1 >= hazard.size:
            break
        found.append(day)
        if start >= hazard.size:
            break
    return found
