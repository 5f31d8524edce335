"""Which questions the analyses ask of the summaries, on frames that a reader can check with a finger."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses.discontinuation import ReasonRecords, discontinuation
from analysis.analyses.exposure_time import exposure_time
from analysis.analyses.incidence import incidence
from analysis.analyses.odds_ratio import pooled_period_odds_ratios
from analysis.analyses.persistence import component_persistence, persistence
from analysis.estimate.result import Answer, Estimate, EstimationError, Question, result_frame
from analysis.study.spec import Contrast

EVERY_RECORD = ReasonRecords(names_reasons=True, has_adverse_events=True)
ENDINGS = pl.DataFrame(
    [
        ("primary", "all", "stopped", "first_started", "efficacy", 2, 200),
        ("primary", "all", "stopped", "both", "unknown", 1, 50),
        ("primary", "all", "death", "", "death", 1, 30),
        ("primary", "all", "censored", "", "", 6, 1000),
    ],
    schema=["exposure_rule", "regimen_id", "ending", "component", "reason", "person_count", "person_days"],
    orient="row",
)


def _find(estimates: list[Estimate], **asked: object) -> Answer:
    found = [e.answer for e in estimates if all(getattr(e.question, name) == value for name, value in asked.items())]
    assert len(found) == 1, f"{len(found)} estimates for {asked}"
    return found[0]


def test_stops_are_shares_of_all_first_episodes_and_rates_over_all_their_days() -> None:
    found = discontinuation(ENDINGS, confidence=0.95, reason_records=EVERY_RECORD)
    share = _find(found, estimand="proportion", stratum="", level="")
    assert (share.value, share.event_count, share.person_count) == (0.3, 3, 10)
    rate = _find(found, estimand="incidence_rate_per_100py", stratum="", level="")
    assert rate.value == pytest.approx(3 / 1280 * 36525)
    assert _find(found, estimand="proportion", stratum="by=ending", level="death").value == 0.1


def test_a_reason_nobody_gave_is_zero_with_its_upper_limit() -> None:
    answer = _find(
        discontinuation(ENDINGS, confidence=0.95, reason_records=EVERY_RECORD),
        estimand="proportion", stratum="by=reason", level="adverse_event",
    )  # fmt: skip
    assert (answer.status, answer.value) == ("ok", 0.0)
    assert answer.upper == pytest.approx(1 - 0.025 ** (1 / 10))


def test_a_reason_that_no_record_could_name_is_not_assessable() -> None:
    nothing = ReasonRecords(names_reasons=False, has_adverse_events=False)
    found = discontinuation(ENDINGS, confidence=0.95, reason_records=nothing)
    for level in ("adverse_event", "remission"):
        answer = _find(found, estimand="proportion", stratum="by=reason", level=level)
        assert (answer.status, answer.value, answer.upper) == ("not_assessable", None, None)
    assert _find(found, estimand="proportion", stratum="by=reason", level="unknown").status == "ok"


def test_adverse_events_alone_can_tell_that_reason_and_no_other() -> None:
    events_only = ReasonRecords(names_reasons=False, has_adverse_events=True)
    found = discontinuation(ENDINGS, confidence=0.95, reason_records=events_only)
    assert _find(found, estimand="proportion", stratum="by=reason", level="adverse_event").status == "ok"
    assert _find(found, estimand="proportion", stratum="by=reason", level="remission").status == "not_assessable"


COUNTS = pl.DataFrame(
    [
        ("primary", "all_time", "infection", "overall", "all", 10, 36525, 5),
        ("primary", "all_time", "infection", "regimen", "a+b", 4, 3653, 0),
        ("primary", "all_time", "infection", "toruner", ">=2", 3, 3653, 1),
    ],
    schema=[
        "exposure_rule",
        "population",
        "outcome_id",
        "dimension",
        "level",
        "person_count",
        "person_days",
        "event_count",
    ],
    orient="row",
)


def test_incidence_says_regimen_ladder_and_level_in_their_own_columns() -> None:
    found = incidence(COUNTS, confidence=0.95, is_assessable=True)
    assert _find(found, regimen_id="", stratum="", level="").value == pytest.approx(5.0)
    assert _find(found, regimen_id="a+b", stratum="", level="").value == 0.0
    assert _find(found, stratum="ladder=toruner", level=">=2").event_count == 1


def test_without_tables_that_hold_outcomes_incidence_is_not_assessable() -> None:
    found = incidence(COUNTS, confidence=0.95, is_assessable=False)
    assert {e.answer.status for e in found} == {"not_assessable"}
    assert {e.answer.value for e in found} == {None}


def _periods(rows: list[tuple[str, str, int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            ("primary", "infection", "toruner", level, band, "F", 2020, periods, cases)
            for level, band, periods, cases in rows
        ],
        schema=[
            "exposure_rule",
            "outcome_id",
            "ladder",
            "level",
            "age_band",
            "sex",
            "calendar_year",
            "period_count",
            "case_count",
        ],
        orient="row",
    )


CONTRAST = Contrast(id="ladder", estimator="pooled_period_odds_ratio", outcome="infection", ladder="toruner")


def test_crude_and_stratified_odds_ratios_count_periods_and_cases() -> None:
    # Young: 10/990 against 10/1990, odds ratio 2.010; old: 40/460 against 20/480, odds ratio 2.087.
    counts = _periods(
        [("0", "00-49", 2000, 10), ("1", "00-49", 1000, 10), ("0", "50+", 500, 20), ("1", "50+", 500, 40)]
    )
    found = pooled_period_odds_ratios(counts, CONTRAST, confidence=0.95, small_cell=5, is_assessable=True)
    methods = {e.answer.method: e.answer for e in found if e.question.level == "1"}
    assert methods.keys() == {"pooled_periods_woolf", "pooled_periods_mantel_haenszel"}
    assert methods["pooled_periods_woolf"].value == pytest.approx(50 * 2470 / (30 * 1450))
    r = 10 * 1990 / 3000 + 40 * 480 / 1000
    s = 10 * 990 / 3000 + 20 * 460 / 1000
    assert methods["pooled_periods_mantel_haenszel"].value == pytest.approx(r / s)


def test_small_cells_add_the_exact_estimates() -> None:
    counts = _periods([("0", "00-49", 200, 3), (">=2", "00-49", 100, 4)])
    found = pooled_period_odds_ratios(counts, CONTRAST, confidence=0.95, small_cell=5, is_assessable=True)
    methods = {e.answer.method for e in found if e.question.level == ">=2"}
    assert {"pooled_periods_exact_conditional", "pooled_periods_exact_conditional_stratified"} <= methods


def test_a_level_nobody_was_on_is_not_estimable_with_a_reason() -> None:
    found = pooled_period_odds_ratios(
        _periods([("0", "00-49", 200, 3)]), CONTRAST, confidence=0.95, small_cell=5, is_assessable=True
    )
    assert {e.answer.status for e in found} == {"not_estimable"}
    assert all(e.answer.reason for e in found)


def test_persistence_gives_both_medians_and_the_curve() -> None:
    durations = pl.DataFrame(
        [("primary", "first_episode", "all", 0, days, 1, 0) for days in (10, 20, 30, 40)],
        schema=["exposure_rule", "population", "regimen_id", "entry_days", "time_days", "event_count", "censored_count"], orient="row",
    )  # fmt: skip
    found, curve = persistence(durations, confidence=0.95, days=(15, 100))
    medians = {e.answer.method: e.answer.value for e in found if e.question.estimand == "median_duration_months"}
    assert medians["kaplan_meier_log_log"] == pytest.approx(20 / 30.4375)
    assert _find(found, estimand="survival", time_days=15).value == pytest.approx(0.75)
    assert curve["value"].to_list() == pytest.approx([1.0, 0.75, 0.5, 0.25, 0.0])
    assert _find(found, estimand="rmst_days", time_days=15).value == pytest.approx(10 + 5 * 0.75)
    assert _find(found, estimand="rmst_days", time_days=100).status == "not_estimable"


def test_each_component_has_its_own_median_and_persistence() -> None:
    counts = pl.DataFrame(
        [
            ("primary", "all", name, days + shift, 1, 0)
            for name, shift in (("first_started", 0), ("second_started", 5))
            for days in (10, 20, 30)
        ],
        schema=["exposure_rule", "regimen_id", "component", "time_days", "event_count", "censored_count"], orient="row",
    )  # fmt: skip
    found = component_persistence(counts, confidence=0.95, days=(12,))
    shares = {e.question.stratum: e.answer.value for e in found if e.question.estimand == "survival"}
    assert shares == {"component=first_started": pytest.approx(2 / 3), "component=second_started": 1.0}
    medians = {e.question.stratum: e.answer.value for e in found if e.question.estimand == "median_duration_months"}
    assert medians["component=second_started"] == pytest.approx(25 / 30.4375)


def test_person_days_of_a_regimen_are_told_with_its_persons() -> None:
    times = pl.DataFrame(
        [("primary", "observed", "none", 3, 5, 900)],
        schema=["exposure_rule", "population", "regimen_id", "person_count", "interval_count", "person_days"], orient="row",
    )  # fmt: skip
    values = {e.question.estimand: e.answer.value for e in exposure_time(times)}
    assert values == {"count": 3, "person_days": 900}


def test_an_estimate_made_twice_is_an_error() -> None:
    question = Question(analysis="a", estimand="count", exposure_rule="primary", population="observed")
    twice = [Estimate(question, Answer(method="count", value=1.0))] * 2
    with pytest.raises(EstimationError, match="made twice"):
        result_frame(twice, study_digest="x")


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": float("nan")}, {"value": float("inf")}, {}, {"value": 1.0, "lower": 2.0}, {"value": 1.0, "status": "not_estimable"},
        {"status": "limit_only", "reason": "x"}, {"status": "limit_only", "lower": 1.0, "upper": 2.0, "reason": "x"},
    ],
)  # fmt: skip
def test_an_answer_that_would_mislead_cannot_be_made(wrong: dict[str, object]) -> None:
    with pytest.raises(EstimationError):
        Answer(method="m", **wrong)  # type: ignore[arg-type]
