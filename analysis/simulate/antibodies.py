"""Antibodies to infliximab: a constant hazard on the first course, lower while an immunomodulator was covered 30 days before.

Owns the tests that are written and the numbers that the truth tells. Everybody is tested on the day of the first dose; antibodies
are found on the day on which they arise. Source of the numbers: Coexposure's clinical content, section 7.5.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from analysis.simulate.care_plan import CarePlan
from analysis.simulate.design import DAYS_PER_MONTH
from analysis.simulate.dosing import Records
from analysis.simulate.reference import DrugBook, Ints
from analysis.simulate.state import Episodes, exposure_episodes
from analysis.simulate.tables import dates, ids_of, numbered

IMMUNOMODULATORS = ("azathioprine", "mercaptopurine", "methotrexate", "cyclosporine")
LAG_DAYS = 30


def antibody_tests(
    plan: CarePlan, records: Records, book: DrugBook, *, observed_stop: Ints, rng: np.random.Generator
) -> pl.DataFrame:
    """Rows of table `measurement`: a negative test on the day of the first infliximab, a positive one where antibodies arise."""
    episodes = exposure_episodes(records, book)
    ours = np.flatnonzero(episodes.drug == book.position("infliximab"))
    person, place = np.unique(episodes.person[ours], return_index=True)
    start = episodes.start[ours][place]
    days = np.minimum(episodes.stop[ours][place], observed_stop[person]) - start
    threshold = rng.exponential(size=person.size)
    beside = [book.position(name) for name in IMMUNOMODULATORS if name in book.ids]
    arises = np.full(person.size, -1, dtype=np.int64)
    for number, (who, first, length) in enumerate(zip(person, start, days, strict=True)):
        with_one = _covered(episodes, who, first, length, beside)
        per_day = plan.antibodies_per_month / DAYS_PER_MONTH * np.where(with_one, plan.immunomodulator_ratio, 1.0)
        reached = np.flatnonzero(np.cumsum(per_day) >= threshold[number])
        if reached.size:
            arises[number] = first + reached[0]
    found = arises >= 0
    whose = np.concatenate([person, person[found]])
    size = whose.size
    words = np.concatenate([np.zeros(person.size, dtype=np.int64), np.ones(int(found.sum()), dtype=np.int64)])
    return pl.DataFrame(
        {
            "measurement_id": numbered("AB", count=size, digits=7),
            "person_id": ids_of(whose),
            "test": pl.repeat("Infliximab ADA", size, eager=True),
            "datetime": dates(np.concatenate([start, arises[found]])),
            "value_text": pl.Series(["negative", "positive"]).gather(words),
        }
    )


def _covered(episodes: Episodes, person: int, first: int, length: int, drugs: list[int]) -> np.ndarray:
    """Which days of the course lie `LAG_DAYS` after a day that one of the drugs covers."""
    held = np.zeros(length, dtype=np.bool_)
    low, high = np.searchsorted(episodes.person, [person, person + 1])
    for place in range(low, high):
        if episodes.drug[place] in drugs:
            begin, end = (int(edge) + LAG_DAYS - first for edge in (episodes.start[place], episodes.stop[place]))
            held[max(begin, 0) : max(end, 0)] = True
    return held


def planted_antibodies(plan: CarePlan) -> dict[str, float]:
    """The planted hazard per month and its ratio with an immunomodulator."""
    return {"per_month": plan.antibodies_per_month, "immunomodulator_hazard_ratio": plan.immunomodulator_ratio}
