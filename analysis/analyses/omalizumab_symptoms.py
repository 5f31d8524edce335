"""Symptoms under omalizumab and after it: how they follow modelled free IgE, who gained, and when what was gained is lost again.

Owns which questions are asked of scores. The model of the delay is in `analysis/pkpd/`, exacerbations are in `omalizumab_events`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from analysis.analyses.omalizumab import DRUG
from analysis.estimate.cumulative_incidence import cumulative_incidence, cumulative_incidence_at
from analysis.estimate.mean import mean
from analysis.estimate.persistence import kaplan_meier
from analysis.estimate.result import Answer, Estimate, Question
from analysis.pkpd.association import within_person
from analysis.pkpd.effect import Driven
from analysis.pkpd.effect_fit import half_time
from analysis.pkpd.effect_rates import two_rates
from analysis.pkpd.hysteresis import delayed_points, hysteresis_index
from analysis.pkpd.response import NON_RESPONDER, NOT_ASSESSABLE, RESPONDER

ANALYSIS = "omalizumab_symptoms"
POPULATION, STOPPED = "scored", "responders_who_stopped"
EVERYBODY = "all"
RESPONSES = (EVERYBODY, RESPONDER, NON_RESPONDER)
FITTED, FOLLOWED = "in the half-times", "followed for a return"
ONSET, OFFSET, BOTH = "onset", "offset", "onset and offset"
AGAINST_FREE_IGE, AGAINST_EFFECT = "against free IgE", "against the delayed effect"
PER_DOUBLING = "points for each doubling of free IgE"
ON_TREATMENT, AFTER_STOP = "change on treatment", "change after the last dose"
SCORES, SCORES_OR_EXACERBATION, PREDICTED = "scores", "scores or an exacerbation", "predicted from free IgE"
LAG_AT_LEAST, LAG_AT_MOST = "days from 50 ng/mL to the return, at least", "days from 50 ng/mL to the return, at most"
RETURN_DAYS = (56, 84, 112)  # weeks 8, 12 and 16
TREATED_DAYS_BEFORE_STOP = 84
_BIN_DAYS, _ON_TREATMENT_DAYS, _AFTER_STOP_DAYS = 28, 196, 112  # as followed in Slavin 2009
_COMPETING = ("switch", "death")


@dataclass(frozen=True, slots=True)
class Scored:
    """What is known of the scores of one instrument.

    points: `pkpd.symptom_point`; responses: `pkpd.symptom_response`; returns: `pkpd.reemergence` with `stop_reason` and
    `exacerbation_days` (days from the last dose to the first exacerbation after it, null without); held: records on the drive of free
    IgE, of everybody drawn and by response.
    """

    instrument_id: str
    higher_is_better: bool
    points: pl.DataFrame
    responses: pl.DataFrame
    returns: pl.DataFrame
    held: Mapping[str, Driven]


def symptom_estimates(scored: Scored, *, rule: str, confidence: float, replicates: int, seed: int) -> list[Estimate]:
    """Counts, half-times with their test, loops, association, change by four weeks, and the return after a stop.

    `stratum`: instrument and response. Half-times, loops and associations are of records on modelled free IgE of typical persons: read
    them with what the model cannot know. Change on treatment is no effect of the drug, for there is nobody without it.
    """
    base = {"analysis": ANALYSIS, "exposure_rule": rule, "regimen_id": DRUG}
    found = _counts(scored, base)
    bad = _bad_direction(scored)
    for response in RESPONSES:
        asked = base | {
            "population": POPULATION, "stratum": f"instrument={scored.instrument_id};response={response}",
        }  # fmt: skip
        persons = _persons(scored, response)
        found += _delay(scored.held[response], asked, confidence, replicates, seed)
        own = bad.join(persons, on="person_id", how="semi")
        loop = own.select("person_id", "day", "score", x=pl.col("free_ige_ng_per_ml").log())
        found.append(
            _estimate(asked, "hysteresis_index", AGAINST_FREE_IGE, hysteresis_index(loop, confidence=confidence))
        )
        association = within_person(own, confidence=confidence)
        found.append(_estimate(asked, "correlation", "", association.correlation))
        found.append(_estimate(asked, "mean", PER_DOUBLING, association.slope))
        found += _changes(scored.points.join(persons, on="person_id", how="semi"), scored.responses, asked, confidence)
    return found + _returns(scored, base, confidence)


def _estimate(
    asked: dict[str, str], estimand: str, level: str, answer: Answer, time_days: int | None = None
) -> Estimate:
    return Estimate(Question(estimand=estimand, level=level, time_days=time_days, **asked), answer)  # type: ignore[arg-type]


def _persons(scored: Scored, response: str) -> pl.DataFrame:
    if response == EVERYBODY:
        return scored.points.select(pl.col("person_id").unique())
    return scored.responses.filter(pl.col("response") == response).select("person_id")


def _bad_direction(scored: Scored) -> pl.DataFrame:
    """Points with scores of which the higher is the worse."""
    sign = -1.0 if scored.higher_is_better else 1.0
    return scored.points.with_columns(score=sign * pl.col("score"))


def _counts(scored: Scored, base: dict[str, str]) -> list[Estimate]:
    asked = base | {"population": POPULATION, "stratum": f"instrument={scored.instrument_id}"}
    counts: list[tuple[str, int]] = [("with scores", scored.points["person_id"].n_unique())]
    counts.append((FITTED, len(scored.held[EVERYBODY].person_id)))
    counts += [
        (name, scored.responses.filter(pl.col("response") == name).height) for name in (RESPONDER, NON_RESPONDER)
    ]
    missing = scored.responses.filter(pl.col("response") == NOT_ASSESSABLE).group_by("reason").len().sort("reason")
    counts += [(str(reason), int(number)) for reason, number in missing.rows()]
    return [
        _estimate(asked, "count", level, Answer(method="count", value=float(number), person_count=number))
        for level, number in counts
    ]


def _delay(held: Driven, asked: dict[str, str], confidence: float, replicates: int, seed: int) -> list[Estimate]:
    both = half_time(held, confidence=confidence, replicates=replicates, seed=seed)
    apart = two_rates(held, confidence=confidence)
    found = [
        _estimate(asked, "half_time_days", BOTH, both.answer),
        _estimate(asked, "half_time_days", ONSET, apart.onset),
        _estimate(asked, "half_time_days", OFFSET, apart.offset),
        _estimate(asked, "test", "onset over offset", apart.equality),
    ]
    if both.answer.value is not None:
        delayed = delayed_points(held, half_time_days=both.answer.value)
        found.append(
            _estimate(asked, "hysteresis_index", AGAINST_EFFECT, hysteresis_index(delayed, confidence=confidence))
        )
    return found


def _changes(points: pl.DataFrame, responses: pl.DataFrame, asked: dict[str, str], confidence: float) -> list[Estimate]:
    """Mean change from before treatment by four weeks: to week 28 from the first dose, to week 16 after the last before a stop."""
    known = points.join(responses.select("person_id", "before_score"), on="person_id").filter(
        pl.col("before_score").is_not_null()
    )
    day, last = pl.col("day"), pl.col("last_dose_day")
    parts = {
        ON_TREATMENT: (known.filter((day > 0) & (last.is_null() | (day <= last + _BIN_DAYS))), day, _ON_TREATMENT_DAYS),
        AFTER_STOP: (known.filter((day > last) & (day <= pl.col("until_day"))), day - last, _AFTER_STOP_DAYS),
    }
    found = []
    for level, (rows, moved, most) in parts.items():
        # A bin ends on day 28, 56, ...: a score on that day belongs to it.
        binned = (
            rows.sort("person_id", "day")
            .with_columns(bin=((moved - 1) // _BIN_DAYS + 1) * _BIN_DAYS)
            .group_by("person_id", "bin", maintain_order=True)
            .agg(change=(pl.col("score") - pl.col("before_score")).mean())
        )
        ends = range(_BIN_DAYS, most + 1, _BIN_DAYS)
        by_end = {end: binned.filter(pl.col("bin") == end).sort("person_id")["change"] for end in ends}
        found += [
            _estimate(asked, "mean", level, mean(changes, confidence=confidence), end)
            for end, changes in by_end.items()
        ]
    return found


def _returns(scored: Scored, base: dict[str, str], confidence: float) -> list[Estimate]:
    """The return of symptoms of responders who stopped after 84 days or more, and not because the drug had failed."""
    asked = base | {"population": STOPPED, "stratum": f"instrument={scored.instrument_id}"}
    responders = scored.returns.filter(pl.col("response") == RESPONDER)
    failed = (pl.col("stop_reason") == "efficacy").fill_null(value=False)
    early = pl.col("last_dose_day") < TREATED_DAYS_BEFORE_STOP
    unseen = pl.col("observed_status") == "not_assessable"
    eligible = responders.filter(~failed & ~early & ~unseen)
    counts = {
        "responders who stopped": responders.height,
        "stopped because the drug had failed": responders.filter(failed).height,
        "stopped within 84 days": responders.filter(~failed & early).height,
        "without scores that could tell": responders.filter(~failed & ~early & unseen).height,
        FOLLOWED: eligible.height,
    }
    found = [
        _estimate(asked, "count", level, Answer(method="count", value=float(number), person_count=number))
        for level, number in counts.items()
    ]
    follow_up = (pl.col("until_day") - pl.col("last_dose_day")).cast(pl.Int64)
    struck = pl.min_horizontal("observed_days", "exacerbation_days").cast(pl.Int64)
    for level, days in ((SCORES, pl.col("observed_days").cast(pl.Int64)), (SCORES_OR_EXACERBATION, struck)):
        rows = eligible.select("ending", time=days, follow_up=follow_up)
        endings = _endings(rows)
        fit = cumulative_incidence(endings, causes=("return", *_COMPETING), confidence=confidence)
        risks = {day: cumulative_incidence_at(fit, cause="return", time_days=day) for day in RETURN_DAYS}
        found += [_estimate(asked, "cumulative_incidence", level, risk, day) for day, risk in risks.items()]
        found.append(_estimate(asked, "median_time_days", level, _median(rows, confidence)))
    predicted = eligible.filter(pl.col("predicted_status") != "not_assessable").select(
        "ending", time=pl.col("predicted_days").ceil().cast(pl.Int64), follow_up=follow_up
    )
    found.append(_estimate(asked, "median_time_days", PREDICTED, _median(predicted, confidence)))
    for level, column in ((LAG_AT_LEAST, "lag_lower_days"), (LAG_AT_MOST, "lag_upper_days")):
        found.append(_estimate(asked, "mean", level, mean(eligible[column].drop_nulls(), confidence=confidence)))
    return found


def _endings(rows: pl.DataFrame) -> pl.DataFrame:
    """rows: `ending`, `time` (null: no return), `follow_up`. A restart and the end of what is observed censor."""
    is_return = pl.col("time").is_not_null()
    other = pl.when(pl.col("ending").is_in(_COMPETING)).then("ending").otherwise(pl.lit("censored"))
    return (
        rows.select(
            time_days=pl.when(is_return).then("time").otherwise("follow_up").clip(1),
            cause=pl.when(is_return).then(pl.lit("return")).otherwise(other),
        )
        .group_by("time_days", "cause")
        .agg(count=pl.len().cast(pl.Int64))
        .with_columns(entry_days=pl.lit(0, pl.Int64))
        .sort("time_days", "cause")
    )


def _median(rows: pl.DataFrame, confidence: float) -> Answer:
    """Kaplan-Meier's median: whatever else ends the time censors it, a switch and death among it."""
    is_return = pl.col("time").is_not_null()
    durations = (
        rows.with_columns(time_days=pl.when(is_return).then("time").otherwise("follow_up").clip(1))
        .group_by("time_days")
        .agg(event_count=is_return.sum().cast(pl.Int64), censored_count=(~is_return).sum().cast(pl.Int64))
        .with_columns(entry_days=pl.lit(0, pl.Int64))
        .sort("time_days")
    )
    return kaplan_meier(durations, confidence=confidence).median
