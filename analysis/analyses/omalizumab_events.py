"""Exacerbations and stops against modelled free IgE, and exacerbations by how the dose compares with the table.

Owns the questions. Intervals at risk and doses, with free IgE from doses before them, are `pkpd.risk_interval` and `dose_decision`.
"""

from __future__ import annotations

import math
from dataclasses import replace

import polars as pl

from analysis.analyses.omalizumab import DRUG
from analysis.estimate.cox import cox, hazard_ratio
from analysis.estimate.incidence import incidence_rate_per_100py
from analysis.estimate.mean import mean_share
from analysis.estimate.proportion import proportion
from analysis.estimate.rates import TwoRates, rate_ratio
from analysis.estimate.result import Answer, Estimate, Question, not_assessable, not_estimable
from analysis.pkpd.thresholds import days_below

ANALYSIS, POPULATION = "omalizumab_events", "modelled"
EXACERBATION, DISCONTINUATION = "exacerbation", "discontinuation"
BELOW, ABOVE, DOUBLING = "below 50 ng/mL", "50 ng/mL or more", "for each doubling of free IgE"
CRUDE, ADJUSTED = "cox_robust", "cox_adjusted_robust"
AS_TABLE, COMPARED = "as_table", ("as_table", "equal_four_week_dose", "under", "over")
THRESHOLD = 50.0
_FEWEST_EVENTS = 10
_SIDES = (
    (BELOW, pl.col("free_ige_ng_per_ml") < THRESHOLD),
    (ABOVE, pl.col("free_ige_ng_per_ml") >= THRESHOLD),
)
NO_SETTING = "the source does not tell which diagnoses were made in hospital or an emergency department"


def exacerbation_estimates(
    intervals: pl.DataFrame, people: pl.DataFrame, *, rule: str, confidence: float, is_assessable: bool
) -> list[Estimate]:
    """Rates of exacerbations below 50 ng/mL of modelled free IgE and from there on, and hazard ratios.

    intervals: `pkpd.risk_interval`; people: `person_id`, `weight_kg`, `baseline_ige_iu_per_ml`. Exacerbations recur (Andersen-Gill); time
    runs from the first dose. `method` says what is held equal: nothing, or IgE before treatment (its logarithm) and weight. Limits of
    ratios are robust to several events of a person; those of rates take events as independent, and are too narrow where a few persons
    have most. Not assessable where the source cannot tell a severe exacerbation.
    Misleads as an effect of free IgE: it is high where somebody stopped, and people stop for reasons.
    """
    asked = _asked(rule) | {"outcome_id": EXACERBATION}
    if not is_assessable:
        nothing = not_assessable(CRUDE, NO_SETTING)
        return [_estimate(asked | {"comparator_id": BELOW}, "hazard_ratio", ABOVE, nothing)]
    known = intervals.filter(pl.col("free_ige_ng_per_ml").is_not_null())
    found = []
    for level, is_here in _SIDES:
        own = known.filter(is_here)
        answer = incidence_rate_per_100py(
            int(own["event_count"].sum()), int((own["stop_day"] - own["start_day"]).sum()),
            person_count=own["person_id"].n_unique(), confidence=confidence,
        )  # fmt: skip
        found.append(_estimate(asked, "incidence_rate_per_100py", level, answer))
    return found + _ratios(known.rename({"event_count": "event"}), people, asked, confidence)


def stop_estimates(decisions: pl.DataFrame, people: pl.DataFrame, *, rule: str, confidence: float) -> list[Estimate]:
    """Stops after doses that were given below 50 ng/mL of modelled free IgE and from there on, and hazard ratios.

    decisions: `pkpd.dose_decision`. Time is counted in doses, the second the first: at each, those who stop after it are compared with
    those who go on, by free IgE just before it. A share is of doses, at most one of a person the last. Ratios as in
    `exacerbation_estimates`. Misleads as an effect: free IgE before a dose is high where the dose came late, and whoever comes late
    may be about to stop.
    """
    asked = _asked(rule) | {"outcome_id": DISCONTINUATION}
    found = []
    for level, is_here in _SIDES:
        own = decisions.filter(is_here)
        answer = proportion(int(own["is_last"].sum()), own.height, confidence=confidence)
        found.append(_estimate(asked, "proportion", level, answer))
    rows = decisions.with_columns(
        start_day=pl.col("dose_number") - 1, stop_day="dose_number", event=pl.col("is_last").cast(pl.Int64)
    )
    return found + _ratios(rows, people, asked, confidence)


def dose_class_estimates(
    intervals: pl.DataFrame,
    checks: pl.DataFrame,
    stretches: pl.DataFrame,
    stops: pl.DataFrame,
    *,
    rule: str,
    confidence: float,
    is_assessable: bool,
) -> list[Estimate]:
    """By class of the usual dose under each table: share of treatment with free IgE from 50 ng/mL on, and exacerbations on treatment.

    checks: `pkpd.dose_check`; stretches: `pkpd.threshold_interval`; stops: `person_id`, `last_dose_day`. Ratios are against those dosed
    as the table says, exact given all events, unadjusted. Misleads: who is iller may be dosed otherwise.
    """
    windows = stops.select("person_id", start_day=pl.lit(0.0), stop_day=pl.col("last_dose_day").cast(pl.Float64) + 28)
    spent = days_below(stretches.filter(pl.col("threshold_ng_per_ml") == THRESHOLD), windows=windows).with_columns(
        share=pl.col("days_above") / (pl.col("days_below") + pl.col("days_above"))
    )
    treated = intervals.filter("is_on_treatment")
    found = []
    for (table,), checked in checks.filter(pl.col("dose_class").is_in(COMPARED)).group_by(
        ["table_name"], maintain_order=True
    ):
        asked = _asked(rule) | {"stratum": f"table={table}"}
        classed = checked.select("person_id", "dose_class")
        shares, events = spent.join(classed, on="person_id"), _sums(treated.join(classed, on="person_id"))
        for name in COMPARED:
            own = shares.filter((pl.col("dose_class") == name) & pl.col("share").is_finite()).sort("person_id")["share"]
            found.append(_estimate(asked, "mean", f"{name}: {ABOVE}", mean_share(own, confidence=confidence)))
            if not is_assessable:
                continue
            count, days, persons = events.get(name, (0, 0, 0))
            rate = incidence_rate_per_100py(count, days, person_count=persons, confidence=confidence)
            found.append(_estimate(asked | {"outcome_id": EXACERBATION}, "incidence_rate_per_100py", name, rate))
            if name != AS_TABLE:
                other_count, other_days, other_persons = events.get(AS_TABLE, (0, 0, 0))
                both = TwoRates(
                    exposed_events=count, exposed_person_days=days, comparator_events=other_count,
                    comparator_person_days=other_days,
                )  # fmt: skip
                ratio = replace(
                    rate_ratio(both, method="exact_conditional", confidence=confidence),
                    person_count=persons + other_persons,
                )
                compared = asked | {"outcome_id": EXACERBATION, "comparator_id": AS_TABLE}
                found.append(_estimate(compared, "incidence_rate_ratio", name, ratio))
    return found


def _asked(rule: str) -> dict[str, str]:
    return {"analysis": ANALYSIS, "exposure_rule": rule, "population": POPULATION, "regimen_id": DRUG}


def _estimate(asked: dict[str, str], estimand: str, level: str, answer: Answer) -> Estimate:
    return Estimate(Question(estimand=estimand, level=level, **asked), answer)  # type: ignore[arg-type]


def _sums(rows: pl.DataFrame) -> dict[str, tuple[int, int, int]]:
    """Events, person-days and persons by class."""
    summed = rows.group_by("dose_class").agg(
        pl.col("event_count").sum(), (pl.col("stop_day") - pl.col("start_day")).sum().alias("days"),
        pl.col("person_id").n_unique().alias("persons"),
    )  # fmt: skip
    return {str(name): (int(count), int(days), int(persons)) for name, count, days, persons in summed.iter_rows()}


def _ratios(rows: pl.DataFrame, people: pl.DataFrame, asked: dict[str, str], confidence: float) -> list[Estimate]:
    frame = (
        rows.join(people.select("person_id", "weight_kg", "baseline_ige_iu_per_ml"), on="person_id")
        .select(
            "person_id",
            "start_day",
            "stop_day",
            "event",
            is_above=(pl.col("free_ige_ng_per_ml") >= THRESHOLD).cast(pl.Float64),
            doublings=pl.col("free_ige_ng_per_ml").log(2.0),
            baseline_doublings=pl.col("baseline_ige_iu_per_ml").log(2.0) - math.log2(150.0),
            weight=(pl.col("weight_kg") - 75.0) / 10.0,
        )
        .sort("person_id", "start_day")
    )
    found = []
    held = ("baseline_doublings", "weight")
    for level, covariate, comparator in ((ABOVE, "is_above", BELOW), (DOUBLING, "doublings", "")):
        for method, others in ((CRUDE, ()), (ADJUSTED, held)):
            if int(rows["event"].sum()) < _FEWEST_EVENTS:
                answer = not_estimable(method, f"fewer than {_FEWEST_EVENTS} events")
            else:
                fit = cox(frame, covariates=(covariate, *others), confidence=confidence, ties="efron")
                answer = _named(hazard_ratio(fit, covariate), method)
            found.append(_estimate(asked | {"comparator_id": comparator}, "hazard_ratio", level, answer))
    return found


def _named(answer: Answer, method: str) -> Answer:
    return replace(answer, method=method)
