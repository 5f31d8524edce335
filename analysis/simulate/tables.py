"""The simulated world as input tables of the native format (contract, section 2).

Owns column names, identifiers, codes and the wording of records. End dates are inclusive here, as the format says; one
day is taken off once, in this module. Draws nothing that a planted number depends on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.simulate.design import DAYS_PER_YEAR, ENDINGS, Profile
from analysis.simulate.dosing import Records
from analysis.simulate.infections import Infections
from analysis.simulate.population import Population, pick
from analysis.simulate.reference import DrugBook, Flags, Ints, read_terms
from analysis.simulate.timeline import Timeline

# Components of the composites in `reference.outcome`; shares are plausible choices.
_OPPORTUNISTIC = (
    ("tuberculosis", 0.20), ("pcp", 0.15), ("candida_invasive", 0.15), ("cmv", 0.15), ("zoster_disseminated", 0.10),
    ("ntm", 0.08), ("legionella", 0.07), ("aspergillosis", 0.05), ("listeriosis", 0.05),
)  # fmt: skip
_SERIOUS = (
    ("pneumonia", 0.35), ("skin_soft_tissue", 0.20), ("uti", 0.12), ("pyelonephritis", 0.08), ("sepsis", 0.08),
    ("intra_abdominal", 0.07), ("gi_infection", 0.05), ("septic_arthritis", 0.05),
)  # fmt: skip
_MINOR_TERMS = ("Headache", "Injection site reaction", "Nasopharyngitis")
_WITHDRAWAL_TERMS = ("Alanine aminotransferase increased", "Drug hypersensitivity", "Infusion related reaction")
_ADVERSE_EVENT = ENDINGS.index("adverse event")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Events:
    """Adverse events before they are numbered: one value an event; `suspect` is a drug name or None."""

    person: Ints
    day: Ints
    term: pl.Series
    is_serious: Flags
    suspect: pl.Series
    is_withdrawal: Flags


def dates(days: Ints) -> pl.Series:
    """Dates from days since 1970-01-01."""
    return pl.Series(values=days.astype(np.int32), dtype=pl.Int32).cast(pl.Date)


def person_ids(persons: int) -> pl.Series:
    """Identifiers as a register would give them, P and at least seven digits."""
    return numbered("P", count=persons, digits=7)


def ids_of(person: Ints) -> pl.Series:
    """The identifiers of persons by their position."""
    return person_ids(int(person.max(initial=-1)) + 1).gather(person)


def person_table(people: Population) -> pl.DataFrame:
    """Table `person`: one row a person."""
    sex = pl.Series(["M", "F"]).gather(people.is_female.astype(np.int64))
    return pl.DataFrame({"person_id": person_ids(people.entry.size), "sex": sex, "birth_date": dates(people.birth)})


def observation_table(people: Population, timeline: Timeline) -> pl.DataFrame:
    """Table `observation_period`: one row a person, to death, last contact or data cut."""
    return pl.DataFrame(
        {
            "person_id": person_ids(people.entry.size),
            "start_date": dates(people.observed_from),
            "end_date": dates(timeline.observed_stop - 1),
        }
    )


def death_table(timeline: Timeline) -> pl.DataFrame:
    """Table `death`: the last observed day of those whom death ended."""
    person = np.flatnonzero(timeline.is_dead)
    ids = person_ids(timeline.is_dead.size).gather(person)
    return pl.DataFrame({"person_id": ids, "death_date": dates(timeline.observed_stop[person] - 1)})


def prescription_table(records: Records, book: DrugBook, *, persons: int, profile: Profile) -> pl.DataFrame:
    """Table `prescription`: infusions as administrations, everything else as dispensings.

    Only background drugs carry days_supply; a biologic's window is its drug's interval.
    """
    width = max(len(names) for names in book.products)
    names = [name for products in book.products for name in (*products, *[""] * (width - len(products)))]
    doses = dict(profile.dose_mg)
    per_drug = pl.DataFrame(
        {
            "record_type": ["administration" if infusion else "dispensing" for infusion in book.is_infusion],
            "drug_code": list(book.code),
            "code_system": list(book.code_system),
            "days_supply": pl.Series(book.window).set(pl.Series(book.is_study), None),
            "dose": [doses.get(drug) for drug in book.ids],
            "dose_unit": ["mg" if drug in doses else None for drug in book.ids],
            "route": list(book.route),
        },
        schema_overrides={"days_supply": pl.Int64, "dose": pl.Float64, "dose_unit": pl.String},
    )
    taken = {name: per_drug[name].gather(records.drug) for name in per_drug.columns}
    return pl.DataFrame(
        {
            "prescription_id": numbered("RX", count=records.day.size, digits=9),
            "person_id": person_ids(persons).gather(records.person),
            "record_type": taken["record_type"],
            "drug_source_value": pl.Series(names).gather(records.drug * width + records.product),
            "drug_code": taken["drug_code"],
            "code_system": taken["code_system"],
            "start_date": dates(records.day),
            "days_supply": taken["days_supply"],
            "dose": taken["dose"],
            "dose_unit": taken["dose_unit"],
            "route": taken["route"],
        }
    )


def stopped_drugs(people: Population, timeline: Timeline) -> tuple[Ints, Ints]:
    """Person and drug of each recorded stop of a first pair within observed time; both drugs where both stop."""
    is_seen = timeline.has_pair & timeline.is_recorded & (timeline.pair_stop <= timeline.observed_stop)
    first = np.flatnonzero(is_seen & np.isin(timeline.component, (0, 2)))
    second = np.flatnonzero(is_seen & np.isin(timeline.component, (1, 2)))
    person = np.concatenate([first, second])
    drug = np.concatenate([people.first_drug[first], people.second_drug[second]])
    order = np.lexsort((drug, person))
    return person[order], drug[order]


def discontinuation_table(people: Population, timeline: Timeline, book: DrugBook) -> pl.DataFrame:
    """Table `discontinuation`: recorded reasons of first pairs' stops, dated on the last covered day."""
    person, drug = stopped_drugs(people, timeline)
    return pl.DataFrame(
        {
            "person_id": person_ids(people.entry.size).gather(person),
            "drug_source_value": pl.Series([products[0] for products in book.products]).gather(drug),
            "stop_date": dates(timeline.pair_stop[person] - 1),
            "reason": pl.Series(list(ENDINGS)).gather(timeline.ending[person]),
        }
    )


def adverse_event_table(
    profile: Profile, people: Population, timeline: Timeline, *, book: DrugBook, infections: Infections,
    outcomes: pl.DataFrame, rng: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    """Table `adverse_event`: infections (serious), withdrawals with a recorded reason, and minor events (not serious).

    outcomes: the reference table `outcome`. A withdrawal's event names the stopped drug and falls on its last covered
    day; its term is no infection.
    """
    parts = (
        _infection_events(infections, outcomes, rng=rng),
        _withdrawal_events(people, timeline, book, rng=rng),
        _minor_events(profile, people, timeline, rng=rng),
    )
    person = np.concatenate([part.person for part in parts])
    day = np.concatenate([part.day for part in parts])
    order = np.lexsort((np.arange(person.size), day, person))
    serious = np.concatenate([part.is_serious for part in parts])[order].astype(np.int64)
    withdrawal = np.concatenate([part.is_withdrawal for part in parts])[order].astype(np.int64)
    yes_no = pl.Series(["N", "Y"])
    return pl.DataFrame(
        {
            "adverse_event_id": numbered("AE", count=person.size, digits=8),
            "person_id": person_ids(people.entry.size).gather(person[order]),
            "term": pl.concat([part.term for part in parts]).gather(order),
            "onset_date": dates(day[order]),
            "serious": yes_no.gather(serious),
            "hospitalisation": yes_no.gather(serious),
            "action_taken": pl.Series(["dose not changed", "drug withdrawn"]).gather(withdrawal),
            "suspect_drug": pl.concat([part.suspect for part in parts]).gather(order),
        }
    )


def condition_table(
    profile: Profile, people: Population, timeline: Timeline, *, rng: np.random.Generator
) -> pl.DataFrame:
    """Table `condition`: two outpatient diagnoses 30 days apart or more for each indication, before its drug starts.

    The second indication is diagnosed before entry in those who have two, else in the year before the pair begins.
    """
    size = people.entry.size
    draw, apart = rng.random((2, size)), rng.integers(30, 61, size=(2, size))
    in_history = people.observed_from + np.floor(draw[0] * (people.entry - people.observed_from - 61)).astype(np.int64)
    before_pair = timeline.pair_start - 62 - np.floor(draw[1] * 300).astype(np.int64)
    has_second = people.has_two | timeline.has_pair
    second_day = np.where(people.has_two, in_history + 1, before_pair)
    person = np.concatenate([np.arange(size)] * 2 + [np.flatnonzero(has_second)] * 2)
    indication = np.concatenate([people.first_indication] * 2 + [people.second_indication[has_second]] * 2)
    day = np.concatenate(
        [in_history, in_history + apart[0], second_day[has_second], (second_day + apart[1])[has_second]]
    )
    order = np.lexsort((indication, day, person))
    codes = pl.Series([reason.icd10 for reason in profile.indications])
    return diagnoses(person[order], day=day[order], code=codes.gather(indication[order]), after=0)


def has_indication(profile: Profile, people: Population, timeline: Timeline, *, name: str) -> Flags:
    """Who has that indication in `condition_table`, by person."""
    place = [reason.name for reason in profile.indications].index(name)
    has_second = people.has_two | timeline.has_pair
    found: Flags = (people.first_indication == place) | (has_second & (people.second_indication == place))
    return found


def diagnoses(person: Ints, *, day: Ints, code: pl.Series, after: int, setting: str = "outpatient") -> pl.DataFrame:
    """Rows of table `condition`: primary ICD-10 diagnoses, numbered on from `after`."""
    return pl.DataFrame(
        {
            "condition_id": numbered("C", count=person.size, digits=8, after=after),
            "person_id": ids_of(person),
            "code": code,
            "code_system": pl.repeat("ICD10", person.size, eager=True),
            "start_date": dates(day),
            "position": pl.repeat("primary", person.size, eager=True),
            "setting": pl.repeat(setting, person.size, eager=True),
        }
    )


def _infection_events(infections: Infections, outcomes: pl.DataFrame, *, rng: np.random.Generator) -> _Events:
    size = infections.person.size
    kinds = [
        read_terms(outcomes, weights=_SERIOUS, opportunistic=False),
        read_terms(outcomes, weights=_OPPORTUNISTIC, opportunistic=True),
    ]
    draw = rng.random(size)
    serious, opportunistic = (pick(draw, kind["share"].to_list()) for kind in kinds)
    which = np.where(infections.is_opportunistic, opportunistic + kinds[0].height, serious)
    return _Events(
        person=infections.person,
        day=infections.day,
        term=pl.concat([kind["term"] for kind in kinds]).gather(which),
        is_serious=np.ones(size, dtype=np.bool_),
        suspect=_nobody(size),
        is_withdrawal=np.zeros(size, dtype=np.bool_),
    )


def _withdrawal_events(people: Population, timeline: Timeline, book: DrugBook, *, rng: np.random.Generator) -> _Events:
    person, drug = stopped_drugs(people, timeline)
    is_event = timeline.ending[person] == _ADVERSE_EVENT
    person, drug = person[is_event], drug[is_event]
    return _Events(
        person=person,
        day=timeline.pair_stop[person] - 1,
        term=pl.Series(list(_WITHDRAWAL_TERMS)).gather(rng.integers(0, len(_WITHDRAWAL_TERMS), size=person.size)),
        is_serious=np.zeros(person.size, dtype=np.bool_),
        suspect=pl.Series([products[0] for products in book.products]).gather(drug),
        is_withdrawal=np.ones(person.size, dtype=np.bool_),
    )


def _minor_events(profile: Profile, people: Population, timeline: Timeline, *, rng: np.random.Generator) -> _Events:
    days = timeline.observed_stop - people.entry
    count = rng.poisson(profile.minor_events_per_py * days / DAYS_PER_YEAR)
    person = np.repeat(np.arange(count.size), count)
    day = people.entry[person] + np.floor(rng.random(person.size) * days[person]).astype(np.int64)
    names = pl.Series(list(_MINOR_TERMS))
    return _Events(
        person=person,
        day=day,
        term=names.gather(rng.integers(0, len(_MINOR_TERMS), size=person.size)),
        is_serious=np.zeros(person.size, dtype=np.bool_),
        suspect=_nobody(person.size),
        is_withdrawal=np.zeros(person.size, dtype=np.bool_),
    )


def _nobody(size: int) -> pl.Series:
    return pl.Series(values=[None], dtype=pl.String).gather(np.zeros(size, dtype=np.int64))


def numbered(prefix: str, *, count: int, digits: int, after: int = 0) -> pl.Series:
    """Identifiers with leading zeros, in the order of counting, the first one above `after`."""
    number = pl.int_range(after + 1, after + count + 1).cast(pl.String).str.zfill(digits)
    return pl.select(pl.format(f"{prefix}{{}}", number).alias("id")).to_series()
