"""The step that models omalizumab and IgE from the doses, weights and IgE of `pkpd.dose` and `pkpd.person`.

Owns the way from dates to days from the first dose and back into tables. What the model is belongs to `analysis/pkpd/`; what symptom scores
are set against it, to `pkpd_symptoms.py`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from analysis.pkpd.around_withdrawal import aligned_days, quantiles
from analysis.pkpd.courses import Piece, collected, courses, daily, on_days
from analysis.pkpd.dose_check import dose_check
from analysis.pkpd.dosing_table import dosing_table
from analysis.pkpd.histories import assessed
from analysis.pkpd.risk_rows import risk_rows
from analysis.pkpd.thresholds import threshold_stretches, withdrawal
from analysis.pkpd.variability import draws
from pipelines.pkpd_symptoms import Modelled, drawn_days, published, symptom_points, symptom_tables
from pipelines.steps import Build, reference_frame
from sql.catalog import tables

TABLES = (
    "standing", "threshold_interval", "withdrawal", "dose_check", "around_withdrawal", "course", "class_course",
    "risk_interval", "dose_decision", "symptom_point", "symptom_day", "symptom_response", "reemergence", "symptom_course",
)  # fmt: skip
BAND = 0.8  # of persons, around a withdrawal
TYPICAL, INDIVIDUAL = "typical", "individual"
_SPAN = range(-112, 169, 7)  # days around the last dose, as followed in Slavin 2009 and to the return to baseline
_CLASS_DAYS = range(0, 197, 7)
_INTERVAL_DAYS = 28  # a dose still acts on treatment so long
# Persons and draws behind the band of persons who differ from typical ones. Lowe's variance of absorption is put aside: it makes one
# person in ten need two weeks to the suppression that labels give as an hour.
_DRAWN_PERSONS, _DRAWS = 300, 20
_LAST_DOSES_DAYS = 365  # before the last one; what was given earlier is eliminated when the shown days begin
_REPLACED = {"lowe": {"absorption_rate": 0.16}, "hayashi": {}}
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
        people, given = people_of(persons), in_days(persons, doses)
        told = assessed(people, given.select("person_id", "day", "dose_mg"))
        made["standing"] = told.join(people.select("person_id", "until_day"), on="person_id")
        made["dose_check"] = _doses_checked(build, persons, given)
        able = told.filter("is_assessable").select("person_id")
        if able.height:
            modelled = Modelled(
                people.join(able, on="person_id"),
                given.join(able, on="person_id"),
                build.warehouse.read("pkpd.stop").join(able, on="person_id", how="semi").sort("person_id"),
            )
            made |= _modelled(build, modelled, made["dose_check"])
    for name in TABLES:
        columns = [column.name for column in tables()[f"pkpd.{name}"].columns]
        build.warehouse.write(f"pkpd.{name}", made[name].select(columns))
    return made["standing"].height


def in_days(persons: pl.DataFrame, doses: pl.DataFrame) -> pl.DataFrame:
    """Doses with their day from the first one."""
    return doses.join(persons.select("person_id", "first_date"), on="person_id").with_columns(
        day=(pl.col("dose_date") - pl.col("first_date")).dt.total_days()
    )


def people_of(persons: pl.DataFrame) -> pl.DataFrame:
    """Persons as the model takes them, modelled to the end of observed time and at least to the last dose."""
    last = (pl.col("last_date") - pl.col("first_date")).dt.total_days()
    end = (pl.col("observed_stop_date") - pl.col("first_date")).dt.total_days() - 1
    return persons.with_columns(last_dose_day=last, until_day=pl.max_horizontal(last, end.fill_null(0)))


def _modelled(build: Build, modelled: Modelled, checked: pl.DataFrame) -> dict[str, pl.DataFrame]:
    settings, people, doses = build.spec.pkpd, modelled.people, modelled.doses
    stops = modelled.stops.select("person_id", "last_dose_day", "until_day")
    records, at_risk = build.warehouse.read("pkpd.symptom_record"), _at_risk(build, modelled)
    decisions = dose_decisions(modelled)
    on_class, drawn = _class_days(people, modelled.stops), drawn_days(build, records, modelled)
    asked = pl.concat(
        [
            on_class.select("person_id", "day"),
            drawn,
            decisions.select("person_id", "day"),
            at_risk.select("person_id", day="asked_day"),
            records.join(people, on="person_id")
            .filter(pl.col("day").is_between(0, pl.col("until_day")))
            .select("person_id", "day"),
        ]
    ).unique()

    def here(piece: Piece, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter(pl.col("person_id").is_in(piece.given.person_id.implode()))

    every = settings.course_every_days
    stretches, rises, aligned, course, levels = collected(
        courses(people, doses, published(build), anchor=settings.anchor),
        threshold_stretches,
        lambda piece: withdrawal(piece, stops=here(piece, stops)),
        lambda piece: aligned_days(piece, here(piece, stops), _SPAN),
        lambda piece: daily(piece, every_days=every) if every else _nothing("course"),
        lambda piece: on_days(piece, here(piece, asked)).select("person_id", "day", "free_ige_ng_per_ml"),
    )
    bands = [quantiles(aligned, level=BAND).with_columns(persons=pl.lit(TYPICAL))]
    if stops.height:
        bands.append(_individual(build, modelled).with_columns(persons=pl.lit(INDIVIDUAL)))
    around = pl.concat(bands).with_columns(model=pl.lit(settings.model), anchor=pl.lit(settings.anchor))
    points = symptom_points(records, modelled, levels)
    days = drawn.join(levels, on=["person_id", "day"]).sort("person_id", "day")
    return {
        "threshold_interval": stretches,
        "withdrawal": rises,
        "around_withdrawal": around,
        "course": course,
        "class_course": _class_course(on_class.join(levels, on=["person_id", "day"]), checked),
        "risk_interval": at_risk.join(levels.rename({"day": "asked_day"}), on=["person_id", "asked_day"], how="left"),
        "dose_decision": decisions.join(levels, on=["person_id", "day"]).sort("person_id", "dose_number"),
        "symptom_point": points,
        "symptom_day": days,
        **symptom_tables(build, modelled, points, days, rises),
    }


def _individual(build: Build, modelled: Modelled) -> pl.DataFrame:
    """Quantiles around the last dose over persons who differ from typical ones as the paper says persons do."""
    settings, stops = build.spec.pkpd, modelled.stops
    chosen = np.random.default_rng(build.spec.case_control.seed).permutation(stops.height)[:_DRAWN_PERSONS]
    last = stops[np.sort(chosen)].select("person_id", last="last_dose_day", until="until_day")
    doses = modelled.doses.join(last, on="person_id").filter(
        pl.col("day").is_between(pl.col("last") - _LAST_DOSES_DAYS, pl.col("last"))
    )
    begun = doses.group_by("person_id").agg(begin=pl.col("day").min())
    until = pl.min_horizontal("until", pl.col("last") + _SPAN[-1])
    copies = (
        last.join(begun, on="person_id")
        .join(modelled.people.select("person_id", "weight_kg", "baseline_ige_iu_per_ml"), on="person_id")
        .sort("person_id")
        .join(pl.DataFrame({"draw": range(_DRAWS)}), how="cross")
        .with_row_index("copy")
        .with_columns(last_dose_day=pl.col("last") - pl.col("begin"), until_day=until - pl.col("begin"))
    )
    people = copies.select(
        "weight_kg",
        "baseline_ige_iu_per_ml",
        "last_dose_day",
        "until_day",
        "draw",
        person_id=pl.col("copy").cast(pl.Int64),
    )
    given = (
        copies.select("person_id", "copy", "begin")
        .join(doses.select("person_id", "day", "dose_mg"), on="person_id")
        .select(person_id=pl.col("copy").cast(pl.Int64), day=pl.col("day") - pl.col("begin"), dose_mg="dose_mg")
    )
    deviations = draws(
        published(build), count=_DRAWS, seed=build.spec.case_control.seed, replaced=_REPLACED[settings.model]
    )
    own = people.select(
        "person_id", *(pl.Series(name, values[people["draw"].to_numpy()]) for name, values in deviations.items())
    )
    (aligned,) = collected(
        courses(people, given, published(build), anchor=settings.anchor, updated=own),
        lambda piece: aligned_days(
            piece, people.filter(pl.col("person_id").is_in(piece.given.person_id.implode())), _SPAN
        ),
    )
    # A person counts once, however many draws: the count is that of persons.
    return quantiles(aligned, level=BAND).with_columns(pl.col("person_count") // _DRAWS)


def _at_risk(build: Build, modelled: Modelled) -> pl.DataFrame:
    """Time at risk of an exacerbation of those with asthma, without free IgE: rows of `pkpd.risk_interval` and `asked_day`."""
    followed = modelled.people.filter(pl.col("observed_stop_date").is_not_null() & pl.col("is_dosed_by_table"))
    rows = risk_rows(
        followed.select("person_id", "until_day"),
        build.warehouse.read("pkpd.exacerbation").select("person_id", "day"),
        lag_days=build.spec.pkpd.ige_lag_days,
    )
    given = modelled.doses.select("person_id", dose_day="day").unique().sort("dose_day")
    return (
        rows.sort("start_day")
        .join_asof(
            given, left_on="start_day", right_on="dose_day", by="person_id", strategy="backward", check_sortedness=False
        )
        .with_columns(is_on_treatment=pl.col("start_day") <= pl.col("dose_day") + _INTERVAL_DAYS)
        .drop("dose_day")
        .sort("person_id", "start_day")
    )


def dose_decisions(modelled: Modelled) -> pl.DataFrame:
    """Doses from the second on of which it is known whether treatment went on after them: rows of `pkpd.dose_decision` but free IgE.

    Up to the last before the first stop; of those who did not stop all but the last. On each dose day free IgE is at its trough, so
    that the place of a day between two doses, which a stop fixes, says nothing.
    """
    last = modelled.people.select("person_id", latest="last_dose_day").join(
        modelled.stops.select("person_id", "last_dose_day"), on="person_id", how="left"
    )
    numbered = (
        modelled.doses.select("person_id", "day")
        .unique()
        .sort("person_id", "day")
        .with_columns(dose_number=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("person_id"))
        .join(last, on="person_id", maintain_order="left")
    )
    is_known = (
        pl.when(pl.col("last_dose_day").is_null())
        .then(pl.col("day") < pl.col("latest"))
        .otherwise(pl.col("day") <= pl.col("last_dose_day"))
    )
    return numbered.filter(is_known & (pl.col("dose_number") > 1)).select(
        "person_id", "dose_number", "day", is_last=(pl.col("day") == pl.col("last_dose_day")).fill_null(value=False)
    )


def _class_days(people: pl.DataFrame, stops: pl.DataFrame) -> pl.DataFrame:
    """Every seventh day of the first 28 weeks on which a person is on treatment and followed."""
    treated = people.select("person_id", "until_day", latest="last_dose_day").join(
        stops.select("person_id", "last_dose_day"), on="person_id", how="left"
    )
    last = pl.col("last_dose_day").fill_null(pl.col("latest")) + _INTERVAL_DAYS
    return (
        treated.join(pl.DataFrame({"day": list(_CLASS_DAYS)}), how="cross")
        .filter((pl.col("day") <= last) & (pl.col("day") <= pl.col("until_day")))
        .select("person_id", "day")
    )


def _class_course(levels: pl.DataFrame, checked: pl.DataFrame) -> pl.DataFrame:
    """Median and the middle of persons by class of their usual dose under each table."""
    low, high = 0.5 - BAND / 2, 0.5 + BAND / 2
    free = pl.col("free_ige_ng_per_ml")
    return (
        levels.join(checked.select("person_id", "table_name", "dose_class"), on="person_id")
        .group_by("table_name", "dose_class", "day")
        .agg(
            person_count=pl.len().cast(pl.Int64),
            lower=free.quantile(low, "linear"),
            median=free.median(),
            upper=free.quantile(high, "linear"),
        )
        .sort("table_name", "dose_class", "day")
    )


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
