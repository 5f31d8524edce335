"""Time from an administered dose to a reaction: bins, the share later than an hour, and what each policy of observation would have seen.

Owns the questions asked of `summary.reaction_latency` and `summary.reaction_policy`. How many reactions there are is in `reactions`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.reactions import NO_DOSES, stratum
from analysis.estimate.proportion import proportion
from analysis.estimate.result import Answer, Estimate, Question, not_assessable, not_estimable

ANALYSIS = "reaction_latency"
POPULATION = "known_latency"
LATE = "later than 60 min"
LATE_MINUTES = 60
KNOWN, NOT_KNOWN = "known", "not known"
CAPTURED, SUPERVISED = "seen", "supervised"
NO_TIMES = "the source has no times of day for doses, for onsets of adverse events, or for both"
NO_REACTION = "no reaction with known times of dose and onset"
NO_REACTION_NUMBERED = "no reaction with known times of dose and onset and a known number of the dose"
NO_MINUTES = "the policy names no number of minutes"
_METHOD = "clopper_pearson"


def reaction_latency(
    bins: pl.DataFrame,
    policies: pl.DataFrame,
    *,
    outcomes: Iterable[str],
    rule: str,
    confidence: float,
    assessable: Collection[str],
    has_times: bool,
) -> list[Estimate]:
    """Shares of reactions by bin of latency, share later than an hour, numbers known and not, shares seen by policies.

    bins, policies: `summary.reaction_latency` and `summary.reaction_policy`. The denominator of every share are reactions of the main
    window whose latency is known (of policies also the number of the dose). What lies past the main window is a count of the
    widest one. `event_count` counts reactions, so that a person with two counts twice. Misleads where only reactions in the clinic get a
    time: late ones then have a date only, and the share later than an hour is too small.
    """
    found: list[Estimate] = []
    for outcome in outcomes:
        asked = {"analysis": ANALYSIS, "exposure_rule": rule, "population": POPULATION, "outcome_id": outcome}
        why = _why_not(outcome in assessable, not bins.is_empty(), has_times)
        if why:
            question = Question(estimand="proportion", level=LATE, **asked)  # type: ignore[arg-type]
            found.append(Estimate(question, not_assessable(_METHOD, why)))
            continue
        mine = bins.filter(pl.col("outcome_id") == outcome)
        for (drug,), rows in mine.group_by(["drug_id"], maintain_order=True):
            found += _bins(rows, asked, stratum(drug=str(drug)), confidence)
        for row in policies.filter(pl.col("outcome_id") == outcome).iter_rows(named=True):
            found += _policy(row, asked, confidence)
    return found


def _why_not(is_assessable: bool, has_doses: bool, has_times: bool) -> str:
    if not is_assessable:
        return NO_RECORDS
    if not has_doses:
        return NO_DOSES
    return "" if has_times else NO_TIMES


def _share(events: int, total: int, confidence: float, why: str = NO_REACTION) -> Answer:
    if not total:
        return not_estimable(_METHOD, why, event_count=0)
    return replace(proportion(events, total, confidence=confidence), person_count=None)


def _bins(rows: pl.DataFrame, asked: Mapping[str, str], where: str, confidence: float) -> list[Estimate]:
    main = rows.filter("is_primary").sort("over_minutes", nulls_last=True)
    hours = int(main["window_hours"][0])
    known = main.filter(pl.col("over_minutes").is_not_null())
    total = int(known["reaction_count"].sum())
    inside = known.filter(pl.col("over_minutes") < 60 * hours)
    found = [
        (row["latency_bin"], _share(row["reaction_count"], total, confidence)) for row in inside.iter_rows(named=True)
    ]
    late = int(known.filter(pl.col("over_minutes") >= LATE_MINUTES)["reaction_count"].sum())
    found.append((LATE, _share(late, total, confidence)))
    estimates = [
        Estimate(Question(estimand="proportion", stratum=where, level=level, **asked), answer)  # type: ignore[arg-type]
        for level, answer in found
    ]
    counts = {KNOWN: total, NOT_KNOWN: int(main["reaction_count"].sum()) - total}
    widest = rows.filter(pl.col("window_hours") == pl.col("window_hours").max())
    for row in widest.filter(pl.col("over_minutes") >= 60 * hours).iter_rows(named=True):
        counts[row["latency_bin"]] = row["reaction_count"]
    return estimates + [
        Estimate(
            Question(estimand="count", stratum=where, level=level, **asked),  # type: ignore[arg-type]
            Answer(method="count", value=float(number), event_count=number),
        )
        for level, number in counts.items()
    ]


def _policy(row: Mapping[str, object], asked: Mapping[str, str], confidence: float) -> list[Estimate]:
    where = stratum(drug=str(row["drug_id"]), policy=str(row["policy_id"]))
    total, seen, supervised = (row[name] for name in ("reaction_count", "captured_count", "supervised_count"))
    captured = (
        not_assessable(_METHOD, NO_MINUTES)
        if seen is None
        else _share(int(str(seen)), int(str(total)), confidence, NO_REACTION_NUMBERED)
    )
    in_clinic = _share(int(str(supervised)), int(str(total)), confidence, NO_REACTION_NUMBERED)
    return [
        Estimate(Question(estimand="proportion", stratum=where, level=level, **asked), answer)  # type: ignore[arg-type]
        for level, answer in ((CAPTURED, captured), (SUPERVISED, in_clinic))
    ]
