"""Antibodies to biologics: to a second by those to an earlier one, and on infliximab with and without an immunomodulator or a steroid.

Owns which questions are asked of `care.antibody_order` and `care.antibody_time`. Who was tested, and how time is cut and lagged, is in
`sql/care`.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from analysis.estimate.cox import cox, hazard_ratio
from analysis.estimate.incidence import incidence_rate_per_100py
from analysis.estimate.proportion import proportion
from analysis.estimate.result import Answer, Estimate, Question, not_assessable
from analysis.estimate.risk import risk_ratio
from analysis.estimate.two_by_two import TwoByTwo

ANALYSIS = "immunogenicity"
TESTED, ON_INFLIXIMAB = "tested_for_both", "first_infliximab"
WITH, WITHOUT, NOT_TESTED = "with", "without", "not_tested"
ANTIBODY, LOSS = "antibody", "loss_of_response"
IMMUNOMODULATOR, STEROID = "has_immunomodulator", "has_steroid"
METHOD = "cox_efron_robust"
NO_TESTS = "the source holds no result in words of a test for antibodies"
STEROID_IS_A_SIGN = "a systemic steroid begun is itself a sign of loss of response"


def immunogenicity_estimates(
    order: pl.DataFrame, time: pl.DataFrame, *, has_tests: bool, has_infliximab: bool, rule: str, confidence: float
) -> list[Estimate]:
    """Risks and risk ratio of antibodies to a second biologic, and rates and hazard ratios of antibodies and loss of response.

    order: `care.antibody_order`; time: `care.antibody_time`. `level` is what is compared: earlier antibodies, an immunomodulator or a
    steroid, against without. Hazards are in days from the first infliximab, the two drugs held equal to each other, both of 30 days
    before. Without a test everything on antibodies is not assessable; without a start of infliximab the hazards are not asked.
    Misleads: only who is tested is seen, and tests follow suspicion; some assays miss antibodies while the drug is there.
    """
    asked = {"analysis": ANALYSIS, "exposure_rule": rule}
    found = _second(order, asked, has_tests=has_tests, confidence=confidence)
    for outcome in (ANTIBODY, LOSS) if has_infliximab else ():
        found += _on_infliximab(time.filter(pl.col("outcome_id") == outcome), outcome, asked, has_tests, confidence)
    return found


def _second(order: pl.DataFrame, asked: dict[str, str], *, has_tests: bool, confidence: float) -> list[Estimate]:
    found: list[Estimate] = []
    for drug in sorted(set(order["second_drug_id"])):
        rows = order.filter(pl.col("second_drug_id") == drug)
        counts = {row["standing"]: (row["person_count"], row["event_count"]) for row in rows.iter_rows(named=True)}
        here = asked | {"population": TESTED, "regimen_id": drug, "outcome_id": ANTIBODY}
        ratio = Question(estimand="risk_ratio", comparator_id=WITHOUT, level=WITH, **here)
        if not has_tests:
            found.append(Estimate(ratio, not_assessable("koopman", NO_TESTS)))
            continue
        found += [
            Estimate(
                Question(estimand="proportion", level=level, **here),
                proportion(counts.get(level, (0, 0))[1], counts.get(level, (0, 0))[0], confidence=confidence),
            )
            for level in (WITH, WITHOUT)
        ]
        untested = counts.get(NOT_TESTED, (0, 0))[0]
        found.append(
            Estimate(
                Question(estimand="count", level=NOT_TESTED, **here),
                Answer(method="count", value=float(untested), person_count=untested),
            )
        )
        (exposed, cases), (others, other_cases) = (counts.get(level, (0, 0)) for level in (WITH, WITHOUT))
        table = TwoByTwo(cases, exposed - cases, other_cases, others - other_cases)
        answer = risk_ratio(table, method="koopman", confidence=confidence)
        found.append(Estimate(ratio, replace(answer, person_count=exposed + others)))
    return found


def _on_infliximab(
    rows: pl.DataFrame, outcome: str, asked: dict[str, str], has_tests: bool, confidence: float
) -> list[Estimate]:
    here = asked | {"population": ON_INFLIXIMAB, "regimen_id": "infliximab", "outcome_id": outcome}
    found: list[Estimate] = []
    for agent in (IMMUNOMODULATOR, STEROID):
        level = agent.removeprefix("has_")
        ratio = Question(estimand="hazard_ratio", comparator_id="without", level=level, **here)  # type: ignore[arg-type]
        if outcome == ANTIBODY and not has_tests:
            found.append(Estimate(ratio, not_assessable(METHOD, NO_TESTS)))
            continue
        if outcome == LOSS and agent == STEROID:
            found.append(Estimate(ratio, not_assessable(METHOD, STEROID_IS_A_SIGN)))
            continue
        found += [
            Estimate(
                Question(estimand="incidence_rate_per_100py", stratum=f"{level}={word}", **here),  # type: ignore[arg-type]
                _rate(rows.filter(pl.col(agent) == held), confidence),
            )
            for held, word in ((True, "with"), (False, "without"))
        ]
        agents = (IMMUNOMODULATOR, STEROID) if outcome == ANTIBODY else (IMMUNOMODULATOR,)
        frame = rows.with_columns(pl.col(*agents).cast(pl.Float64), event="event_count")
        fit = cox(frame, covariates=agents, confidence=confidence, ties="efron")
        found.append(Estimate(ratio, replace(hazard_ratio(fit, agent), method=METHOD)))
    return found


def _rate(rows: pl.DataFrame, confidence: float) -> Answer:
    days = int((rows["stop_day"] - rows["start_day"]).sum())
    return incidence_rate_per_100py(
        int(rows["event_count"].sum()), days, person_count=rows["person_id"].n_unique(), confidence=confidence
    )
