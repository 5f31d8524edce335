"""What a hospital records of severe illness in the year before entry: the measured proxies of the latent severity Z.

Owns CRP measurements, steroid bursts, emergency diagnoses of the first indication, and hospital stays, as counts and levels that
rise with Z. Together they explain about 0.6 of the variance of Z, so that adjusting for them takes most of its confounding off and
not all. Nothing here acts on infections: what severity does to them is in `infections.py`. A steroid burst is a prescription like
any other and exposes whoever has it, so that it ends before entry by more than the class carries risk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.simulate.design import Profile, ProxyPlan
from analysis.simulate.dosing import Courses
from analysis.simulate.population import Population
from analysis.simulate.reference import DISPENSED_DAYS, DrugBook, Floats, Ints
from analysis.simulate.tables import dates, diagnoses, ids_of, numbered

LOOK_BACK_DAYS = 365
_BURST_ENDS_BEFORE_ENTRY = 90
_LEAST_CRP = np.float64(0.1)  # mg/L, what a laboratory can tell from nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """Records before entry: person and day of each, `crp` in mg/L, `stay_days` of each stay; ordered by person."""

    bursts: Courses
    crp_person: Ints
    crp_day: Ints
    crp: Floats
    flare_person: Ints
    flare_day: Ints
    stay_person: Ints
    stay_day: Ints
    stay_days: Ints


def draw_proxies(profile: Profile, people: Population, book: DrugBook, *, rng: np.random.Generator) -> Proxies | None:
    """The proxies of everybody; None for a profile that plants none, which then draws nothing."""
    plan = profile.proxies
    if plan is None:
        return None
    size, z = people.entry.size, people.severity
    crp_person = np.repeat(np.arange(size), plan.crp_measurements)
    crp_day = people.entry[crp_person] - rng.integers(1, LOOK_BACK_DAYS, size=crp_person.size)
    noise = plan.crp_log_noise * rng.standard_normal(crp_person.size)
    crp: Floats = np.exp(plan.crp_log_mean + plan.crp_log_effect * z[crp_person] + noise)
    burst_person, burst_day = _happening(
        plan.bursts_per_year, plan, people, rng=rng, latest=DISPENSED_DAYS + _BURST_ENDS_BEFORE_ENTRY
    )
    flare_person, flare_day = _happening(plan.flares_per_year, plan, people, rng=rng, latest=1)
    stay_person, stay_day = _happening(plan.stays_per_year, plan, people, rng=rng, latest=15)
    return Proxies(
        bursts=Courses(
            person=burst_person,
            drug=np.full(burst_person.size, book.position(plan.burst_drug)),
            start=burst_day,
            stop=burst_day + DISPENSED_DAYS,
        ),
        crp_person=crp_person,
        crp_day=crp_day,
        crp=np.maximum(np.round(crp, 1), _LEAST_CRP),
        flare_person=flare_person,
        flare_day=flare_day,
        stay_person=stay_person,
        stay_day=stay_day,
        stay_days=rng.integers(2, 15, size=stay_person.size),
    )


def proxy_tables(proxies: Proxies) -> dict[str, pl.DataFrame]:
    """Tables `measurement` and `visit`."""
    return {
        "measurement": pl.DataFrame(
            {
                "measurement_id": numbered("M", count=proxies.crp.size, digits=8),
                "person_id": ids_of(proxies.crp_person),
                "test": pl.repeat("CRP", proxies.crp.size, eager=True),
                "datetime": dates(proxies.crp_day),
                "value": proxies.crp,
                "unit": pl.repeat("mg/L", proxies.crp.size, eager=True),
            }
        ),
        "visit": pl.DataFrame(
            {
                "visit_id": numbered("V", count=proxies.stay_day.size, digits=8),
                "person_id": ids_of(proxies.stay_person),
                "visit_type": pl.repeat("inpatient", proxies.stay_day.size, eager=True),
                "start_datetime": dates(proxies.stay_day),
                "end_datetime": dates(proxies.stay_day + proxies.stay_days - 1),
            }
        ),
    }


def flare_diagnoses(profile: Profile, people: Population, proxies: Proxies, *, after: int) -> pl.DataFrame:
    """Rows of table `condition`: emergency diagnoses of the first indication, which Charlson's score leaves out."""
    codes = pl.Series([reason.icd10 for reason in profile.indications])
    code = codes.gather(people.first_indication[proxies.flare_person])
    return diagnoses(proxies.flare_person, day=proxies.flare_day, code=code, after=after, setting="emergency")


def _happening(
    per_year: float, plan: ProxyPlan, people: Population, *, rng: np.random.Generator, latest: int
) -> tuple[Ints, Ints]:
    """Person and day of what happens in the look-back, at a rate times exp(effect x Z), up to `latest` days before entry."""
    count = rng.poisson(per_year * np.exp(plan.count_log_effect * people.severity))
    person = np.repeat(np.arange(count.size), count)
    return person, people.entry[person] - rng.integers(latest, LOOK_BACK_DAYS, size=person.size)
