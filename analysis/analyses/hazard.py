"""Hazard ratio of an outcome with two or more study drugs against exactly one, exposure split in time.

Owns what stands beside it: the adjusted ratio, the test of proportional hazards, the ratios by period, and the naive ratio that counts
who ever combines as combined from the first day, as a warning. Pairs of drugs are in `joint_hazard.py`.
Source: Suissa 2008, Am J Epidemiol 167:492 (immortal time).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.gates import Diagnostic, item
from analysis.estimate.cox import cox, hazard_ratio
from analysis.estimate.piecewise_hazards import piecewise_hazard_ratios
from analysis.estimate.proportional_hazards import proportional_hazards_test
from analysis.estimate.result import Answer, Estimate, EstimationError, Question, not_assessable
from analysis.study.spec import Contrast

ANALYSIS = "time_varying_hazard"
POPULATION = "from_first"
METHOD = "cox_efron_robust"
ADJUSTED_METHOD = "cox_efron_adjusted_robust"
NAIVE_METHOD = "cox_efron_naive_ever_robust"
NAIVE_REASON = "immortal time: the wait for the second drug is counted as time on two; shown only as a warning"
ADJUSTED_FOR = (
    "age_years", "is_female", "calendar_year", "charlson_score", "hospital_days", "steroid_days", "has_prior_event",
)  # fmt: skip
CUTS = (90, 365)
LEAST_P = 0.05
TWO, NONE = "two_or_more", "no_study_drug"


def with_baseline(person_time: pl.DataFrame, entry: pl.DataFrame, baseline: pl.DataFrame) -> pl.DataFrame:
    """`cohort.person_time` with the covariates of `ADJUSTED_FOR`, as Float64, at cohort entry.

    entry: `cohort.entry`; baseline: `cohort.baseline_covariate`. What the source cannot tell is null for all. Raises EstimationError for a
    person without a row in both, and where a covariate is missing for some.
    """
    key = ["exposure_rule", "person_id"]
    at_entry = baseline.rename({"baseline_date": "entry_date"})
    held = entry.select(*key, "entry_date", "sex", "age_years", "calendar_year").join(
        at_entry, on=[*key, "entry_date"], how="left"
    )
    described = held.select(
        *key,
        pl.col("age_years", "calendar_year", "charlson_score", "hospital_days", "steroid_days").cast(pl.Float64),
        is_female=(pl.col("sex") == "F").cast(pl.Float64),
        has_prior_event=(pl.col("prior_event_count") > 0).cast(pl.Float64),
    )
    found = person_time.join(described, on=key, how="left")
    missing = dict(zip(ADJUSTED_FOR, found.select(ADJUSTED_FOR).null_count().row(0), strict=True))
    some = [name for name, count in missing.items() if 0 < count < found.height]
    if some or missing["age_years"]:
        raise EstimationError(f"{(some or ['age_years'])[0]} is missing for persons with time at risk")
    return found


def exposed(person_time: pl.DataFrame) -> pl.DataFrame:
    """Person-time as hazards read it: `event`, `two_or_more` and `no_study_drug`, each against days on one study drug."""
    return person_time.with_columns(
        event="event_count",
        no_study_drug=(pl.col("risk_drug_count") == 0).cast(pl.Float64),
        two_or_more=(pl.col("risk_drug_count") >= 2).cast(pl.Float64),
    )


def time_varying_hazard(
    person_time: pl.DataFrame, contrast: Contrast, *, rules: Sequence[str], confidence: float, is_assessable: bool
) -> tuple[list[Estimate], list[Diagnostic]]:
    """Hazard ratio of >= 2 against 1 study drug (covered or in tail), in days since the first study drug.

    person_time: `cohort.person_time` of population from_first with covariates. Exposure is the lagged state of each day, so that time
    before the second drug belongs to one drug. Days on no study drug have a ratio of their own (level 0). Standard errors are clustered
    by person. The test of proportional hazards and the ratios by period say whether one ratio stands for all of follow-up; the naive
    ratio takes who ever has two as exposed from the first day and is far too low. Misleads when the second drug is added because
    of the outcome's early signs, and when severity that is not recorded decides on it.
    """
    chosen = person_time.filter((pl.col("outcome_id") == contrast.outcome) & (pl.col("population") == POPULATION))
    estimates: list[Estimate] = []
    diagnostics: list[Diagnostic] = []
    for rule in rules:
        question = Question(
            analysis=ANALYSIS, estimand="hazard_ratio", exposure_rule=rule, population=POPULATION,
            comparator_id="1", outcome_id=contrast.outcome, stratum="ladder=study_drugs", level=">=2",
        )  # fmt: skip
        if not is_assessable:
            estimates.append(Estimate(question, not_assessable(METHOD, NO_RECORDS)))
            continue
        rows = exposed(chosen.filter(pl.col("exposure_rule") == rule))
        fit = cox(rows, covariates=(TWO, NONE), confidence=confidence, ties="efron")
        estimates += [
            Estimate(question, replace(hazard_ratio(fit, TWO), method=METHOD)),
            Estimate(replace(question, level="0"), replace(hazard_ratio(fit, NONE), method=METHOD)),
            Estimate(question, _adjusted(rows, confidence)),
            Estimate(question, _naive(rows, confidence)),
        ]
        test = proportional_hazards_test(rows, covariates=(TWO, NONE), transform="km", ties="efron").of(TWO)
        estimates.append(Estimate(replace(question, estimand="test"), test))
        diagnostics.append(_proportional(question, test))
        pieces = piecewise_hazard_ratios(rows, TWO, cuts=CUTS, others=(NONE,), confidence=confidence, ties="efron")
        estimates += [
            Estimate(
                replace(question, stratum=f"ladder=study_drugs;period={_period(piece.after_day, piece.until_day)}"),
                piece.answer,
            )
            for piece in pieces.periods
        ]
    return estimates, diagnostics


def _adjusted(rows: pl.DataFrame, confidence: float) -> Answer:
    absent = [name for name in ADJUSTED_FOR if rows.height and rows[name].null_count()]
    known = [name for name in ADJUSTED_FOR if name not in absent]
    fit = cox(rows, covariates=(TWO, NONE, *known), confidence=confidence, ties="efron")
    answer = hazard_ratio(fit, TWO)
    reasons = [answer.reason, *(f"not adjusted for {name.replace('_', ' ')}" for name in absent)]
    return replace(answer, method=ADJUSTED_METHOD, reason="; ".join(reason for reason in reasons if reason))


def _naive(rows: pl.DataFrame, confidence: float) -> Answer:
    """Who ever has two drugs against who never has, each from the first day to the last."""
    persons = rows.group_by("person_id").agg(
        pl.col("start_day").min(), pl.col("stop_day").max(), pl.col("event").max(), pl.col(TWO).max()
    )
    fit = cox(persons.sort("person_id"), covariates=(TWO,), confidence=confidence, ties="efron")
    answer = hazard_ratio(fit, TWO)
    return replace(answer, method=NAIVE_METHOD, reason="; ".join(r for r in (answer.reason, NAIVE_REASON) if r))


def _proportional(question: Question, test: Answer) -> Diagnostic:
    return Diagnostic(
        analysis=ANALYSIS, diagnostic="proportional_hazards",
        item=item(exposure_rule=question.exposure_rule, outcome_id=question.outcome_id), value=test.p_value,
        threshold=LEAST_P,
        status="not_assessable" if test.p_value is None else "fail" if test.p_value < LEAST_P else "pass",
    )  # fmt: skip


def _period(after: int | None, until: int | None) -> str:
    first = 1 if after is None else after + 1
    return f"days {first} on" if until is None else f"days {first} to {until}"
