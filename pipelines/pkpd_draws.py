"""The step that models omalizumab and IgE from the doses, weights and IgE of `pkpd.dose` and `pkpd.person`.

Owns the way from dates to days from the first dose and back into tables. What the model is belongs to `analysis/pkpd/`.
"""

from __future__ import annotations

import polars as pl

from analysis.pkpd.around_withdrawal import aligned_days, quantiles
from analysis.pkpd.courses import Piece, collected, courses, daily
from analysis.pkpd.dose_check import dose_check
from analysis.pkpd.dosing_table import dosing_table
from analysis.pkpd.histories import assessed
from analysis.pkpd.parameters import parameter_set
from analysis.pkpd.thresholds import threshold_stretches, withdrawal
from pipelines.steps import Build, reference_frame
from sql.catalog import tables

TABLES = ("standing", "threshold_interval", "withdrawal", "dose_check", "around_withdrawal", "course")
BAND = 0.8  # of persons, around a withdrawal
_DAYS_BEFORE, _DAYS_AFTER, _DAYS_APART = 112, 168, 7  # as followed in Slavin 2009, and the return to baseline
_STOPPED_DAYS = 56  # two intervals without a dose: a stop, and no gap between doses
# The versions of the dosing tables as the reference has them; they carry no date of their own.
_DOSING = {
    "us_12plus": ("omalizumab_dosing_us_12plus", "US label, asthma from 12 years"),
    "eu": ("omalizumab_dosing_eu", "EU summary of product characteristics"),
}


def model_omalizumab(build: Build) -> int:
    """Writes every table of TABLES, empty where nobody has omalizumab; returns the rows of `pkpd.standing`."""
    persons, doses = build.warehouse.read("pkpd.person"), build.warehouse.read("pkpd.dose")
    made = {name: _nothing(name) for name in TABLES}
    if persons.height:
        people, given = _people(persons), _in_days(persons, doses)
        told = assessed(people, given.select("person_id", "day", "dose_mg"))
        made["standing"] = told.join(people.select("person_id", "until_day"), on="person_id")
        made["dose_check"] = _doses_checked(build, persons, given)
        able = told.filter("is_assessable").select("person_id")
        if able.height:
            made |= _modelled(build, people.join(able, on="person_id"), given.join(able, on="person_id"))
    for name in TABLES:
        columns = [column.name for column in tables()[f"pkpd.{name}"].columns]
        build.warehouse.write(f"pkpd.{name}", made[name].select(columns))
    return made["standing"].height


def _in_days(persons: pl.DataFrame, doses: pl.DataFrame) -> pl.DataFrame:
    """Doses with their day from the first one."""
    return doses.join(persons.select("person_id", "first_date"), on="person_id").with_columns(
        day=(pl.col("dose_date") - pl.col("first_date")).dt.total_days()
    )


def _people(persons: pl.DataFrame) -> pl.DataFrame:
    """Persons as the model takes them, modelled to the end of observed time and at least to the last dose."""
    last = (pl.col("last_date") - pl.col("first_date")).dt.total_days()
    end = (pl.col("observed_stop_date") - pl.col("first_date")).dt.total_days() - 1
    return persons.with_columns(last_dose_day=last, until_day=pl.max_horizontal(last, end.fill_null(0)))


def _modelled(build: Build, persons: pl.DataFrame, doses: pl.DataFrame) -> dict[str, pl.DataFrame]:
    settings = build.spec.pkpd
    published = parameter_set(reference_frame("omalizumab_parameter"), model=settings.model)
    stops = persons.filter(pl.col("until_day") - pl.col("last_dose_day") >= _STOPPED_DAYS).select(
        "person_id", "last_dose_day", "until_day"
    )
    span = range(-_DAYS_BEFORE, _DAYS_AFTER + 1, _DAYS_APART)

    def here(piece: Piece) -> pl.DataFrame:
        return stops.filter(pl.col("person_id").is_in(piece.given.person_id.implode()))

    every = settings.course_every_days
    found = collected(
        courses(persons, doses, published, anchor=settings.anchor),
        threshold_stretches,
        lambda piece: withdrawal(piece, stops=here(piece)),
        lambda piece: aligned_days(piece, here(piece), span),
        lambda piece: daily(piece, every_days=every) if every else _nothing("course"),
    )
    aligned = quantiles(found[2], level=BAND).with_columns(model=pl.lit(settings.model), anchor=pl.lit(settings.anchor))
    made = dict(zip(("threshold_interval", "withdrawal", "around_withdrawal", "course"), found, strict=True))
    return made | {"around_withdrawal": aligned}


def _doses_checked(build: Build, persons: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """The usual dose of each person, the median of doses and of the days between them, against every dosing table."""
    usual = (
        days.sort("person_id", "day")
        .with_columns(interval=pl.col("day").diff().over("person_id"))
        .group_by("person_id")
        .agg(given_dose_mg=pl.col("dose_mg").median(), given_interval_days=pl.col("interval").median())
    )
    given = persons.join(usual, on="person_id")
    held = [
        dosing_table(reference_frame(table), name=name, version=version) for name, (table, version) in _DOSING.items()
    ]
    return dose_check(given, held, tolerance=build.spec.pkpd.dose_tolerance)


def _nothing(name: str) -> pl.DataFrame:
    kinds = {"BIGINT": pl.Int64, "DOUBLE": pl.Float64, "BOOLEAN": pl.Boolean}
    return pl.DataFrame(schema={c.name: kinds.get(c.type, pl.String) for c in tables()[f"pkpd.{name}"].columns})
