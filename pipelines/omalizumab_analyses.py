"""What is asked of symptoms and events under omalizumab, and what each question reads from the build file."""

from __future__ import annotations

import polars as pl

from analysis.analyses import omalizumab_events, omalizumab_symptoms
from analysis.analyses.omalizumab_symptoms import EVERYBODY, Scored
from analysis.estimate.result import Estimate
from analysis.pkpd.response import NON_RESPONDER, RESPONDER
from pipelines.pkpd_symptoms import Instrument, driven_records, instruments
from pipelines.steps import Build

SYMPTOM_READS = (
    "pkpd.symptom_point", "pkpd.symptom_day", "pkpd.symptom_response", "pkpd.reemergence", "pkpd.stop", "pkpd.exacerbation",
)  # fmt: skip
EVENT_READS = (
    "pkpd.risk_interval", "pkpd.dose_decision", "pkpd.person", "pkpd.stop", "pkpd.dose_check", "pkpd.threshold_interval",
    "staged.condition", "staged.visit", "staged.adverse_event",
)  # fmt: skip


def ask_symptoms(build: Build) -> tuple[list[Estimate], None]:
    """Symptoms against modelled free IgE, instrument by instrument; nothing where nobody has scores."""
    points = build.warehouse.read("pkpd.symptom_point")
    settings = build.spec
    return [
        estimate
        for instrument in instruments(points)
        for estimate in omalizumab_symptoms.symptom_estimates(
            _scored(build, instrument, points),
            rule=settings.primary_rule,
            confidence=settings.analysis.confidence_level,
            replicates=settings.pkpd.replicates,
            seed=settings.case_control.seed,
        )
    ], None


def ask_events(build: Build) -> tuple[list[Estimate], None]:
    """Exacerbations and stops against modelled free IgE and by class of dose; nothing where nobody can be modelled."""
    read = build.warehouse.read
    intervals, decisions = read("pkpd.risk_interval"), read("pkpd.dose_decision")
    if intervals.is_empty() and decisions.is_empty():
        return [], None
    people = read("pkpd.person")
    last = people.select("person_id", latest=(pl.col("last_date") - pl.col("first_date")).dt.total_days()).join(
        read("pkpd.stop").select("person_id", "last_dose_day"), on="person_id", how="left"
    )
    rule, confidence = build.spec.primary_rule, build.spec.analysis.confidence_level
    tells = _tells_severe(build)
    found = omalizumab_events.exacerbation_estimates(
        intervals, people, rule=rule, confidence=confidence, is_assessable=tells
    )
    found += omalizumab_events.stop_estimates(decisions, people, rule=rule, confidence=confidence)
    return found + omalizumab_events.dose_class_estimates(
        intervals,
        read("pkpd.dose_check"),
        read("pkpd.threshold_interval"),
        last.select("person_id", last_dose_day=pl.col("last_dose_day").fill_null(pl.col("latest"))),
        rule=rule,
        confidence=confidence,
        is_assessable=tells,
    ), None


def _scored(build: Build, instrument: Instrument, points: pl.DataFrame) -> Scored:
    read = build.warehouse.read
    own, responses, returns = (
        frame.filter(pl.col("instrument_id") == instrument.instrument_id)
        for frame in (points, read("pkpd.symptom_response"), read("pkpd.reemergence"))
    )
    days, stops = read("pkpd.symptom_day"), read("pkpd.stop").select("person_id", stop_reason="reason")
    struck = (
        read("pkpd.exacerbation")
        .join(returns.select("person_id", "last_dose_day", "until_day"), on="person_id")
        .filter((pl.col("day") > pl.col("last_dose_day")) & (pl.col("day") <= pl.col("until_day")))
        .group_by("person_id")
        .agg(exacerbation_days=(pl.col("day") - pl.col("last_dose_day")).min())
    )
    whose = {
        EVERYBODY: own,
        **{
            name: own.join(responses.filter(pl.col("response") == name), on="person_id", how="semi")
            for name in (RESPONDER, NON_RESPONDER)
        },
    }
    return Scored(
        instrument_id=instrument.instrument_id,
        higher_is_better=instrument.higher_is_better,
        points=own,
        responses=responses,
        returns=returns.join(stops, on="person_id", how="left", maintain_order="left").join(
            struck, on="person_id", how="left", maintain_order="left"
        ),
        held={name: driven_records(build, instrument, frame, days) for name, frame in whose.items()},
    )


def _tells_severe(build: Build) -> bool:
    """Whether some diagnosis is of a hospital or emergency department, or some adverse event says how serious it is."""
    found = build.warehouse.query(
        """SELECT
          (SELECT COUNT(*) FROM staged.condition AS c WHERE c.setting IN ('inpatient', 'emergency'))
          + (SELECT COUNT(*) FROM staged.visit AS v WHERE v.visit_type IN ('inpatient', 'emergency'))
          + (SELECT COUNT(*) FROM staged.adverse_event AS a WHERE a.is_serious IS NOT NULL) AS row_count"""
    )
    return bool(found["row_count"][0])
