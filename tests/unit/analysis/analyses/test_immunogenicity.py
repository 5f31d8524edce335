"""Antibodies: risks by those to an earlier drug, hazards by what is taken beside, and what is said where nobody was tested."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses.immunogenicity import immunogenicity_estimates
from analysis.estimate.result import Answer, Estimate, result_frame

ORDER = pl.DataFrame(
    [("all", "with", 10, 6), ("all", "without", 40, 12), ("all", "not_tested", 50, 0)],
    schema=["second_drug_id", "standing", "person_count", "event_count"],
    orient="row",
)
# Two groups of ten persons, followed for 100 days; events with an immunomodulator on days 50 and 80, without on 10, 20, ... 60.
TIME = pl.DataFrame(
    [
        (outcome, person, 0, stop, person < 10, False, event)
        for outcome in ("antibody", "loss_of_response")
        for person, (stop, event) in enumerate(
            [(50, 1), (80, 1), *[(100, 0)] * 8, *[(day, 1) for day in range(10, 70, 10)], *[(100, 0)] * 4]
        )
    ],
    schema=["outcome_id", "person_id", "start_day", "stop_day", "has_immunomodulator", "has_steroid", "event_count"],
    orient="row",
)


def asked(*, order: pl.DataFrame = ORDER, tests: bool = True, infliximab: bool = True) -> list[Estimate]:
    return immunogenicity_estimates(
        order, TIME, has_tests=tests, has_infliximab=infliximab, rule="primary", confidence=0.95
    )


def of(found: list[Estimate], estimand: str, outcome: str = "antibody", **more: str) -> Answer:
    (one,) = [
        e.answer
        for e in found
        if e.question.estimand == estimand
        and e.question.outcome_id == outcome
        and all(getattr(e.question, name) == value for name, value in more.items())
    ]
    return one


def test_risks_by_earlier_antibodies_their_ratio_and_who_was_not_tested() -> None:
    found = asked()
    assert of(found, "proportion", level="with").value == 0.6
    assert of(found, "proportion", level="without").value == 0.3
    ratio = of(found, "risk_ratio")
    assert ratio.value == pytest.approx(2.0)
    assert ratio.lower is not None and ratio.upper is not None and 0.9 < ratio.lower < 1.1 and 3.3 < ratio.upper < 3.8
    assert (ratio.person_count, of(found, "count").value) == (50, 50)


def test_rates_and_hazard_ratio_with_and_without_an_immunomodulator() -> None:
    found = asked()
    rate = of(found, "incidence_rate_per_100py", stratum="immunomodulator=with")
    assert (rate.event_count, rate.person_days, rate.person_count) == (2, 930, 10)
    ratio = of(found, "hazard_ratio", level="immunomodulator")
    assert (
        ratio.value is not None and ratio.value < 0.4
    )  # by hand the crude ratio of rates is (2 / 930) / (6 / 610) = 0.22
    assert ratio.lower is not None and ratio.lower > 0.02
    assert result_frame(found, study_digest="d").height == len(found)


def test_a_steroid_that_nobody_has_gives_no_ratio_and_is_a_sign_of_loss_of_response_itself() -> None:
    found = asked()
    assert of(found, "hazard_ratio", level="steroid").status == "not_estimable"
    sign = of(found, "hazard_ratio", "loss_of_response", level="steroid")
    assert (sign.status, "sign" in sign.reason) == ("not_assessable", True)


def test_without_tests_antibodies_are_not_assessable_and_loss_of_response_stands() -> None:
    found = asked(tests=False)
    assert {e.answer.status for e in found if e.question.outcome_id == "antibody"} == {"not_assessable"}
    assert of(found, "hazard_ratio", "loss_of_response", level="immunomodulator").status == "ok"


def test_without_infliximab_and_a_second_biologic_nothing_is_asked() -> None:
    assert asked(order=ORDER.clear(), infliximab=False) == []


def test_nobody_tested_for_both_has_no_risk() -> None:
    found = asked(order=ORDER.filter(pl.col("standing") == "not_tested"), infliximab=False)
    assert of(found, "proportion", level="with").status == "not_estimable"
    assert of(found, "risk_ratio").status == "not_estimable"
