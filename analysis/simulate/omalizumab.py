"""Weight and IgE of those who get omalizumab: what a clinic measures before the first dose, and what it should not take for it.

Owns the measurements and the classes of dosing that are planted by them. The dose is that of the profile: it is the weight and IgE that are
chosen to make it right, too little or too much. Cells are those where the US and the EU table agree on 300 mg every four weeks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.simulate.dosing import Records
from analysis.simulate.omalizumab_design import OmalizumabPlan
from analysis.simulate.reference import DrugBook, Floats, Ints
from analysis.simulate.tables import dates, ids_of, numbered

# IgE in IU/mL and weight in kg by class, for 300 mg every four weeks.
RANGES = {
    "as_table": ((105.0, 195.0), (62.0, 88.0)),
    "under": ((330.0, 480.0), (72.0, 88.0)),
    "over": ((35.0, 95.0), (42.0, 58.0)),
    "off_table_ige": ((6.0, 28.0), (62.0, 88.0)),
}
_ON_TREATMENT_FACTOR = 4.0  # total IgE on omalizumab against before
_ON_TREATMENT_DAYS = 90
_DAYS_BEFORE = 60


@dataclass(frozen=True, slots=True)
class Baselines:
    """Those who get omalizumab, one value a person: day of the first dose, and the true IgE in IU/mL and weight in kg before it."""

    person: Ints
    first: Ints
    ige: Floats
    weight: Floats


def drawn_baselines(plan: OmalizumabPlan, records: Records, book: DrugBook, *, rng: np.random.Generator) -> Baselines:
    """Weight and IgE before omalizumab by the classes of dosing that are planted."""
    is_ours = records.drug == book.position("omalizumab")
    person, place = np.unique(records.person[is_ours], return_index=True)
    shares = dict(plan.class_shares)
    classes = np.array(list(RANGES))[rng.choice(len(RANGES), size=person.size, p=[shares[name] for name in RANGES])]
    ige, weight = (_drawn(classes, side, rng) for side in (0, 1))
    return Baselines(person, records.day[is_ours][place], ige, weight)


def measured(
    plan: OmalizumabPlan, baselines: Baselines, *, observed_stop: Ints, rng: np.random.Generator
) -> pl.DataFrame:
    """Rows of table `measurement`: weight and total IgE before the first dose, and of some total IgE on treatment."""
    person, first, ige, weight = baselines.person, baselines.first, baselines.ige, baselines.weight
    size = person.size
    day = first - rng.integers(1, _DAYS_BEFORE, size=size)
    has_ige, has_weight = rng.random(size) >= plan.ige_missing_share, rng.random(size) >= plan.weight_missing_share
    again = (rng.random(size) < plan.on_treatment_ige_share) & (first + _ON_TREATMENT_DAYS < observed_stop[person])
    parts = [
        ("Total IgE", "IU/mL", person[has_ige], day[has_ige], np.round(ige[has_ige], 0)),
        ("Body weight", "kg", person[has_weight], day[has_weight], np.round(weight[has_weight], 1)),
        (
            "Total IgE", "IU/mL", person[again], first[again] + _ON_TREATMENT_DAYS,
            np.round(_ON_TREATMENT_FACTOR * ige[again], 0),
        ),
    ]  # fmt: skip
    frame = pl.concat(
        pl.DataFrame(
            {
                "person_id": ids_of(whose),
                "test": pl.repeat(test, whose.size, eager=True),
                "datetime": dates(when),
                "value": value.astype(np.float64),
                "unit": pl.repeat(unit, whose.size, eager=True),
            }
        )
        for test, unit, whose, when, value in parts
    ).sort("person_id", "datetime", "test")
    return frame.select(numbered("O", count=frame.height, digits=8).alias("measurement_id"), pl.all())


def _drawn(classes: np.ndarray[tuple[int], np.dtype[np.str_]], side: int, rng: np.random.Generator) -> Floats:
    low, high = (np.array([RANGES[name][side][end] for name in classes]) for end in (0, 1))
    found: Floats = low + (high - low) * rng.random(classes.size)
    return found
