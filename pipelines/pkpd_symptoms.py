"""The way from symptom scores and modelled free IgE to the tables of response and return, and to what half-times are fitted on.

Owns which records and persons belong to which question. What the questions mean is in `analysis/pkpd/`; what is asked of them over
persons in `analysis/analyses/omalizumab_symptoms.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.pkpd.courses import collected, courses, daily
from analysis.pkpd.effect import Driven, driven, effect_days
from analysis.pkpd.effect_fit import half_time
from analysis.pkpd.effect_rates import two_rates
from analysis.pkpd.parameters import ParameterSet, parameter_set
from analysis.pkpd.quantities import NG_PER_IU
from analysis.pkpd.reemergence import observed_return, predicted_return
from analysis.pkpd.response import BEFORE_DAYS, NON_RESPONDER, RESPONDER, responses
from analysis.pkpd.symptom_course import symptom_course
from pipelines.steps import Build, reference_frame

FIFTY = "50 ng/mL"
_FEWEST_REPLICATES = 100  # where only the estimate is used


@dataclass(frozen=True, slots=True)
class Instrument:
    """A symptom score of the reference."""

    instrument_id: str
    label: str
    higher_is_better: bool
    important_difference: float | None


@dataclass(frozen=True, slots=True)
class Modelled:
    """Persons who can be modelled, as the model takes them, with their doses and first stops.

    people: `person_id`, `weight_kg`, `baseline_ige_iu_per_ml`, `until_day`, `last_dose_day`, ...; doses: `person_id`, `day`, `dose_mg`;
    stops: rows of `pkpd.stop`.
    """

    people: pl.DataFrame
    doses: pl.DataFrame
    stops: pl.DataFrame


def published(build: Build) -> ParameterSet:
    """The parameter set that the study names."""
    return parameter_set(reference_frame("omalizumab_parameter"), model=build.spec.pkpd.model)


def instruments(points: pl.DataFrame) -> list[Instrument]:
    """Instruments with a score, in the order of the reference. points: `pkpd.symptom_point`."""
    known = reference_frame("instrument").filter(
        pl.col("instrument_id").is_in(points["instrument_id"].unique().implode())
    )
    return [
        Instrument(
            row["instrument_id"],
            row["label"],
            row["better"] == "higher",
            None if row["mcid"] is None else float(row["mcid"]),
        )
        for row in known.iter_rows(named=True)
    ]


def symptom_points(records: pl.DataFrame, modelled: Modelled, levels: pl.DataFrame) -> pl.DataFrame:
    """Scores of modelled persons with free IgE of the day: `pkpd.symptom_point`.

    records: `pkpd.symptom_record`; levels: `person_id`, `day`, `free_ige_ng_per_ml` on every day of a record from 0 on. Before the
    first dose free IgE is the baseline. Scores after another biologic was begun, or after the last modelled day, are left out.
    """
    baseline = modelled.people.select("person_id", "until_day", baseline=pl.col("baseline_ige_iu_per_ml") * NG_PER_IU)
    stops = modelled.stops.select("person_id", "last_dose_day", stop_until_day="until_day", ending="ending")
    is_after_switch = (pl.col("ending") == "switch") & (pl.col("day") > pl.col("stop_until_day"))
    return (
        records.select("person_id", "instrument_id", "day", "score")
        .join(baseline, on="person_id")
        .join(stops, on="person_id", how="left")
        .filter((pl.col("day") <= pl.col("until_day")) & ~is_after_switch.fill_null(value=False))
        .join(levels, on=["person_id", "day"], how="left")
        .with_columns(
            free_ige_ng_per_ml=pl.when(pl.col("day") < 0).then("baseline").otherwise("free_ige_ng_per_ml"),
            until_day="stop_until_day",
        )
        .select("person_id", "instrument_id", "day", "score", "free_ige_ng_per_ml", "last_dose_day", "until_day")
        .sort("instrument_id", "person_id", "day")
    )


def symptom_tables(
    build: Build, modelled: Modelled, points: pl.DataFrame, days: pl.DataFrame, rises: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """`symptom_response`, `reemergence` and `symptom_course`. points: `symptom_points`; days: `symptom_day`; rises: `withdrawal`."""
    parts: dict[str, list[pl.DataFrame]] = {"symptom_response": [], "reemergence": [], "symptom_course": []}
    for instrument in instruments(points):
        named = pl.lit(instrument.instrument_id).alias("instrument_id")
        own = points.filter(pl.col("instrument_id") == instrument.instrument_id)
        told = _responses(build, instrument, own, modelled)
        parts["symptom_response"].append(told.with_columns(named))
        parts["reemergence"].append(_returns(build, instrument, own, modelled, told, rises, days).with_columns(named))
        for response in (RESPONDER, NON_RESPONDER):
            those = own.join(told.filter(pl.col("response") == response), on="person_id", how="semi")
            course = symptom_course(those, modelled.stops, level=0.8)
            parts["symptom_course"].append(course.with_columns(named, response=pl.lit(response)))
    return {name: pl.concat(frames) for name, frames in parts.items() if frames}


def drawn_days(build: Build, records: pl.DataFrame, modelled: Modelled) -> pl.DataFrame:
    """Days to model for half-times: each day from 0 to the last score or the end of the time after the stop. `person_id`, `day`.

    Of everybody with scores, or of as many persons as the study allows, drawn by its seed. records: `pkpd.symptom_record`.
    """
    reach = modelled.people.select("person_id", reach="until_day").join(
        modelled.stops.select("person_id", "last_dose_day", stop_until_day="until_day"), on="person_id", how="left"
    )
    after_stop = pl.when(pl.col("last_dose_day") <= pl.col("last")).then("stop_until_day").fill_null(0)
    last = pl.max_horizontal("last", after_stop)
    persons = (
        records.group_by("person_id")
        .agg(last=pl.col("day").max().clip(0))
        .join(reach, on="person_id")
        .select("person_id", until_day=pl.min_horizontal(last, "reach"))
        .sort("person_id")
    )
    most = build.spec.pkpd.symptom_persons
    if persons.height > most:
        generator = np.random.default_rng(build.spec.case_control.seed)
        persons = persons[np.sort(generator.choice(persons.height, size=most, replace=False))]
    return persons.select("person_id", day=pl.int_ranges(0, pl.col("until_day") + 1)).explode("day")


def driven_records(build: Build, instrument: Instrument, points: pl.DataFrame, days: pl.DataFrame) -> Driven:
    """Records of `points` on the drive of free IgE; those of the 90 days before the first dose stand on day 0, untreated as it is.

    days: `pkpd.symptom_day`; records of persons who were not drawn are left out.
    """
    settings = build.spec.pkpd
    records = points.filter(pl.col("day") >= -BEFORE_DAYS).with_columns(pl.col("day").clip(0))
    return driven(
        days,
        records.join(days, on="person_id", how="semi").select("person_id", "day", "score"),
        ic50_ng_per_ml=settings.ic50_ng_per_ml,
        hill=settings.hill,
        higher_is_better=instrument.higher_is_better,
    )


def _responses(build: Build, instrument: Instrument, own: pl.DataFrame, modelled: Modelled) -> pl.DataFrame:
    settings = build.spec.pkpd
    treated = modelled.people.select("person_id", latest="last_dose_day").join(
        modelled.stops.select("person_id", "last_dose_day"), on="person_id", how="left"
    )
    return responses(
        own,
        treated.select("person_id", last_dose_day=pl.col("last_dose_day").fill_null(pl.col("latest"))),
        smallest_important_difference=instrument.important_difference,
        higher_is_better=instrument.higher_is_better,
        from_day=settings.response_from_day,
        until_day=settings.response_until_day,
    )


def _returns(
    build: Build,
    instrument: Instrument,
    own: pl.DataFrame,
    modelled: Modelled,
    told: pl.DataFrame,
    rises: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    """Rows of `pkpd.reemergence` of everybody who stopped and has a score on the day of the last dose or later."""
    settings = build.spec.pkpd
    scored = own.group_by("person_id").agg(last=pl.col("day").max())
    stops = (
        modelled.stops.join(scored, on="person_id", maintain_order="left")
        .filter(pl.col("last_dose_day") <= pl.col("last"))
        # Nobody is free of symptoms for want of scores.
        .select(
            "person_id",
            "last_dose_day",
            until_day=pl.min_horizontal("until_day", "last"),
            ending=pl.when(pl.col("last") < pl.col("until_day")).then(pl.lit("end_of_scores")).otherwise("ending"),
        )
    )
    seen = observed_return(
        own.filter(pl.col("day") >= -BEFORE_DAYS).select("person_id", "day", "score"),
        stops,
        share=settings.lost_share,
        treated_days=settings.treated_days,
        smallest_important_difference=instrument.important_difference or 0.0,
        higher_is_better=instrument.higher_is_better,
    )
    predicted = _predicted(build, instrument, own, modelled, stops, days)
    risen = rises.filter(pl.col("level") == FIFTY).select("person_id", free_ige_days="days_after_last_dose")
    return (
        stops.join(told.select("person_id", "response"), on="person_id", how="left", maintain_order="left")
        .join(
            seen.select(
                "person_id", observed_after_days="days_after_before", observed_days="days_after_last_dose",
                observed_status="status", reason=pl.col("reason").replace({"": None}),
            ),
            on="person_id", how="left", maintain_order="left",
        )
        .join(predicted, on="person_id", how="left", maintain_order="left")
        .join(risen, on="person_id", how="left", maintain_order="left")
        .with_columns(
            lag_lower_days=pl.col("observed_after_days") - pl.col("free_ige_days"),
            lag_upper_days=pl.col("observed_days") - pl.col("free_ige_days"),
            reason=pl.when(pl.col("observed_status") == "not_assessable").then("reason"),
        )
    )  # fmt: skip


def _predicted(
    build: Build,
    instrument: Instrument,
    own: pl.DataFrame,
    modelled: Modelled,
    stops: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    """Predicted return by the fitted half-times: `person_id`, `predicted_days`, `predicted_status`."""
    settings = build.spec.pkpd
    fitted = _half_times(build, driven_records(build, instrument, own, days)) if stops.height else None
    if fitted is None:
        return stops.select(
            "person_id", predicted_days=pl.lit(None, pl.Float64), predicted_status=pl.lit("not_assessable")
        )
    onset, offset = fitted

    def returned(held: pl.DataFrame) -> pl.DataFrame:
        effects = effect_days(
            held, ic50_ng_per_ml=settings.ic50_ng_per_ml, hill=settings.hill, onset_days=onset, offset_days=offset
        )
        here = stops.join(held, on="person_id", how="semi").select("person_id", "last_dose_day", "until_day")
        return predicted_return(effects, here, share=settings.lost_share, treated_days=settings.treated_days)

    found = [returned(days.join(stops, on="person_id", how="semi"))]
    others = stops.join(days, on="person_id", how="anti")
    if others.height:
        people = modelled.people.drop("until_day").join(others.select("person_id", "until_day"), on="person_id")
        given = modelled.doses.join(others.select("person_id", last="until_day"), on="person_id")
        pieces = courses(
            people, given.filter(pl.col("day") <= pl.col("last")), published(build), anchor=settings.anchor
        )
        found += collected(pieces, lambda piece: returned(daily(piece)))
    return pl.concat(found).select(
        "person_id", predicted_days=pl.col("days_after_last_dose").cast(pl.Float64), predicted_status="status"
    )


def _half_times(build: Build, held: Driven) -> tuple[float, float] | None:
    """Onset and offset as fitted apart; one half-time for both where only that can be told; None where nothing can."""
    confidence = build.spec.analysis.confidence_level
    apart = two_rates(held, confidence=confidence)
    if apart.onset.value is not None and apart.offset.value is not None:
        return apart.onset.value, apart.offset.value
    both = half_time(held, confidence=confidence, replicates=_FEWEST_REPLICATES, seed=build.spec.case_control.seed)
    return None if both.answer.value is None else (both.answer.value, both.answer.value)
