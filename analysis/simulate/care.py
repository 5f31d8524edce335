"""Records of care around the doses: tests, treatment, autoinjectors, settings and minutes, reviews, and contraindications.

Owns what is planted for care items and the numbers that the truth tells of it. Has a random stream under a key of its own, so that every
other record of a world is the same with and without it. Windows are those of `reference.care_item`; days are numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.simulate.antibodies import antibody_tests
from analysis.simulate.care_plan import INSTRUMENTS, OTHER_INSTRUMENT, SPECIALTY, CarePlan
from analysis.simulate.design import Profile
from analysis.simulate.dosing import Records
from analysis.simulate.population import Population
from analysis.simulate.reference import DrugBook, Flags, Ints
from analysis.simulate.state import exposure_episodes
from analysis.simulate.tables import dates, diagnoses, ids_of, numbered

_STREAM = 810  # this module's key among the children of the seed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Starts:
    """First doses of study drugs: person, drug and day of each."""

    person: Ints
    drug: Ints
    day: Ints

    def of(self, drug: int) -> tuple[Ints, Ints]:
        """Persons and days of one drug."""
        return self.person[self.drug == drug], self.day[self.drug == drug]


def with_care(
    tables: dict[str, pl.DataFrame], profile: Profile, people: Population, records: Records, book: DrugBook, *,
    observed_stop: Ints, seed: int,
) -> dict[str, pl.DataFrame]:  # fmt: skip
    """The tables with the records of care; unchanged where the profile plants none."""
    plan = profile.care
    if plan is None:
        return tables
    streams = [
        np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed, spawn_key=(_STREAM,)).spawn(7)
    ]
    starts = _starts(records, book)
    infliximab, omalizumab = (starts.of(book.position(name)) for name in ("infliximab", "omalizumab"))
    screening, therapy = _tuberculosis(plan, infliximab, observed_stop=observed_stop, rng=streams[0])
    injectors = _autoinjectors(plan, omalizumab, observed_stop=observed_stop, rng=streams[1])
    prescriptions = pl.concat(
        [tables["prescription"], *map(_dispensings, (injectors, therapy), "JT", _PRODUCTS)], how="diagonal"
    )
    added = {
        "prescription": _settings(plan, prescriptions, records, book, rng=streams[2]),
        "measurement": _with_those_before(
            tables,
            "measurement",
            pl.concat([screening, antibody_tests(plan, records, book, observed_stop=observed_stop, rng=streams[6])]),
        ),
        "symptom_score": _with_those_before(
            tables,
            "symptom_score",
            _reviews(plan, profile, people, starts, observed_stop=observed_stop, rng=streams[3]),
        ),
        "visit": _with_those_before(
            tables,
            "visit",
            _annual_visits(plan, profile, people, records, book, observed_stop=observed_stop, rng=streams[4]),
        ),
        "condition": pl.concat(
            [
                tables["condition"],
                _contraindications(plan, infliximab, after=tables["condition"].height, rng=streams[5]),
            ],
            how="diagonal_relaxed",
        ),
    }
    return tables | added


def _with_those_before(tables: dict[str, pl.DataFrame], name: str, rows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([*([tables[name]] if name in tables else []), rows], how="diagonal_relaxed")


_PRODUCTS = ("EpiPen 0.3 mg auto-injector", "isoniazid 300 mg")


def _starts(records: Records, book: DrugBook) -> _Starts:
    is_study = np.array(book.is_study, dtype=np.bool_)[records.drug]
    person, drug, day = records.person[is_study], records.drug[is_study], records.day[is_study]
    order = np.lexsort((day, drug, person))
    person, drug, day = person[order], drug[order], day[order]
    first = np.ones(person.size, dtype=np.bool_)
    first[1:] = (person[1:] != person[:-1]) | (drug[1:] != drug[:-1])
    return _Starts(person=person[first], drug=drug[first], day=day[first])


def _tuberculosis(
    plan: CarePlan, starts: tuple[Ints, Ints], *, observed_stop: Ints, rng: np.random.Generator
) -> tuple[pl.DataFrame, tuple[Ints, Ints]]:
    """Rows of `measurement`, and person and day of preventive therapy. A positive test lies early enough for therapy to be 28 days old."""
    person, first = starts
    draw, size = rng.random(person.size), person.size
    before = draw < plan.screened
    late = ~before & (draw < plan.screened + plan.screened_late)
    positive = before & (rng.random(size) < plan.ltbi)
    treated = positive & (rng.random(size) < plan.treated)
    early, near, after = (
        rng.integers(70, 340, size=size),
        rng.integers(1, 340, size=size),
        rng.integers(1, 61, size=size),
    )
    therapy = first - rng.integers(29, 61, size=size)
    day = np.where(late, first + after, first - np.where(positive, early, near))
    held = (before | late) & (day < observed_stop[person])
    frame = pl.DataFrame(
        {
            "measurement_id": numbered("TB", count=int(held.sum()), digits=7),
            "person_id": ids_of(person[held]),
            "test": pl.repeat("IGRA", int(held.sum()), eager=True),
            "datetime": dates(day[held]),
            "value_text": pl.Series(["negative", "positive"]).gather(positive[held].astype(np.int64)),
        }
    )
    return frame, (person[treated], therapy[treated])


def _autoinjectors(
    plan: CarePlan, starts: tuple[Ints, Ints], *, observed_stop: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    person, first = starts
    day = first + rng.integers(-180, 31, size=person.size)
    held = (rng.random(person.size) < plan.autoinjector) & (day < observed_stop[person])
    return person[held], day[held]


def _dispensings(given: tuple[Ints, Ints], letter: str, product: str) -> pl.DataFrame:
    person, day = given
    return pl.DataFrame(
        {
            "prescription_id": numbered(f"RX{letter}", count=person.size, digits=7),
            "person_id": ids_of(person),
            "record_type": pl.repeat("dispensing", person.size, eager=True),
            "drug_source_value": pl.repeat(product, person.size, eager=True),
            "start_date": dates(day),
        }
    )


def _settings(
    plan: CarePlan, prescriptions: pl.DataFrame, records: Records, book: DrugBook, *, rng: np.random.Generator
) -> pl.DataFrame:
    """Table `prescription` with setting and minutes: omalizumab in a clinic, from the fourth dose on of some at home."""
    size = records.day.size
    number = _dose_numbers(records)
    ours: Flags = records.drug == book.position("omalizumab")
    at_home = ours & (number > 3) & (rng.random(size) < plan.home_later)
    clinic = ours & ~at_home
    share = np.where(number <= 3, plan.observed_first, plan.observed_later)
    long = rng.random(size) < share
    minutes = np.where(long, rng.integers(120, 151, size=size), rng.integers(30, 111, size=size))
    told = clinic & (rng.random(size) >= plan.minutes_missing)
    infused = np.array(book.is_infusion, dtype=np.bool_)[records.drug]
    site = np.where(at_home, 1, np.where(clinic | infused, 2, 0))
    rest = prescriptions.height - size

    def padded(values: pl.Series) -> pl.Series:
        return values.extend_constant(None, rest)

    names = pl.Series([None, "home", "clinic"], dtype=pl.String)
    kinds = prescriptions["record_type"][:size]
    return prescriptions.with_columns(
        record_type=pl.concat(
            [
                kinds.zip_with(~pl.Series(clinic), pl.repeat("administration", size, eager=True)),
                prescriptions["record_type"][size:],
            ]
        ),
        site_of_care=padded(names.gather(site)),
        observed_minutes=padded(pl.Series(minutes).zip_with(pl.Series(told), pl.Series([None] * size, dtype=pl.Int64))),
    )


def _dose_numbers(records: Records) -> Ints:
    """Number of each record among those of its person and drug, from 1."""
    order = np.lexsort((records.day, records.drug, records.person))
    person, drug = records.person[order], records.drug[order]
    begins = np.ones(order.size, dtype=np.bool_)
    begins[1:] = (person[1:] != person[:-1]) | (drug[1:] != drug[:-1])
    place = np.arange(order.size)
    number = np.empty(order.size, dtype=np.int64)
    number[order] = place - np.maximum.accumulate(np.where(begins, place, 0)) + 1
    return number


def _reviews(
    plan: CarePlan,
    profile: Profile,
    people: Population,
    starts: _Starts,
    *,
    observed_stop: Ints,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Table `symptom_score`: one score in week 8 to 12 of a new drug, of the instrument of the first indication."""
    size = starts.person.size
    day = starts.day + rng.integers(56, 85, size=size)
    held = (rng.random(size) < plan.review_8_12_weeks) & (day < observed_stop[starts.person])
    kinds = [INSTRUMENTS.get(reason.name, OTHER_INSTRUMENT) for reason in profile.indications]
    which = people.first_indication[starts.person[held]]
    low, high = (np.array([kind[end] for kind in kinds])[which] for end in (1, 2))
    value = np.floor(low + (high - low + 1) * rng.random(which.size)).astype(np.int64)
    return pl.DataFrame(
        {
            "person_id": ids_of(starts.person[held]),
            "instrument": pl.Series([kind[0] for kind in kinds]).gather(which),
            "date": dates(day[held]),
            "value": value,
        }
    ).unique(maintain_order=True)


def _annual_visits(
    plan: CarePlan, profile: Profile, people: Population, records: Records, book: DrugBook, *, observed_stop: Ints,
    rng: np.random.Generator,
) -> pl.DataFrame:  # fmt: skip
    """Table `visit`: a specialist in each completed year of two study drugs together, at least 120 days after it began."""
    person, begin = _pair_years(records, book)
    day = begin + rng.integers(120, 361, size=person.size)
    held = (rng.random(person.size) < plan.annual_review) & (day < observed_stop[person])
    purposes = pl.Series([SPECIALTY[reason.purpose] for reason in profile.indications])
    return pl.DataFrame(
        {
            "visit_id": numbered("VS", count=int(held.sum()), digits=7),
            "person_id": ids_of(person[held]),
            "visit_type": pl.repeat("outpatient", int(held.sum()), eager=True),
            "start_datetime": dates(day[held]),
            "end_datetime": dates(day[held]),
            "specialty": purposes.gather(people.first_indication[person[held]]),
        }
    )


def _pair_years(records: Records, book: DrugBook) -> tuple[Ints, Ints]:
    """Person and first day of each completed year of two study drugs together, as the doses make it."""
    episodes = exposure_episodes(records, book)
    study = np.array(book.is_study, dtype=np.bool_)[episodes.drug]
    frame = pl.DataFrame(
        {
            "person": episodes.person[study],
            "drug": episodes.drug[study],
            "start": episodes.start[study],
            "stop": episodes.stop[study],
        }
    )
    together = (
        frame.join(frame, on="person", suffix="_other")
        .filter(pl.col("drug") < pl.col("drug_other"))
        .select(
            "person",
            start=pl.max_horizontal("start", "start_other"),
            stop=pl.min_horizontal("stop", "stop_other"),
        )
        .with_columns(years=(pl.col("stop") - pl.col("start")) // 365)
        .filter(pl.col("years") > 0)
        .sort("person", "start", "stop")
    )
    years = together["years"].to_numpy()
    number = np.arange(int(years.sum())) - np.repeat(np.cumsum(years) - years, years)
    return np.repeat(together["person"].to_numpy(), years), np.repeat(
        together["start"].to_numpy(), years
    ) + 365 * number


def _contraindications(
    plan: CarePlan, starts: tuple[Ints, Ints], *, after: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Rows of `condition`: sepsis in the month before the first infliximab, as a secondary diagnosis of an outpatient."""
    person, first = starts
    held = rng.random(person.size) < plan.contraindication
    day = first[held] - rng.integers(1, 31, size=int(held.sum()))
    rows = diagnoses(person[held], day=day, code=pl.repeat("A41.9", int(held.sum()), eager=True), after=after)
    return rows.with_columns(position=pl.lit("secondary"))
