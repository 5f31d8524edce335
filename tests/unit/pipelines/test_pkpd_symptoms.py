"""From records of a simulated clinic to symptoms, exacerbations and stops: what was planted comes back; what cannot be told is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from analysis.analyses import omalizumab_events as events
from analysis.analyses import omalizumab_symptoms as symptoms
from analysis.disclosure_symptoms import withhold_symptoms
from analysis.estimate.result import Answer, Estimate
from analysis.pkpd.courses import collected, courses, on_days
from analysis.pkpd.effect import driven
from analysis.pkpd.parameters import parameter_set
from analysis.simulate import Simulation, simulate_profile, write_simulation
from analysis.simulate.omalizumab_design import OmalizumabPlan, SymptomPlan
from analysis.simulate.profiles import DEMO
from analysis.study.read import StudyError
from pipelines.draws import build_order, build_table
from pipelines.omalizumab_analyses import ask_events, ask_symptoms
from pipelines.pkpd_draws import dose_decisions, in_days, people_of
from pipelines.pkpd_symptoms import Modelled, drawn_days
from pipelines.steps import Build, reference_frame
from sql.kept import kept_open
from tests.whole_run import BUILT_BY_STEPS, default_study, prepared, small_study

# Every week a score with little noise, so that the day of a return is seen; everybody is dosed as the table says.
PLAN = SymptomPlan(visit_days=7, visit_scatter_days=1, noise_sd=0.7, score_days=1_500)
EVERYBODY_BY_TABLE = (("as_table", 1.0), ("under", 0.0), ("over", 0.0), ("off_table_ige", 0.0))


@pytest.fixture(scope="module")
def world() -> Simulation:
    profile = replace(
        DEMO,
        negative_controls=(),
        omalizumab=OmalizumabPlan(
            class_shares=EVERYBODY_BY_TABLE, weight_missing_share=0.0, ige_missing_share=0.0, symptoms=PLAN
        ),
    )
    return simulate_profile(
        profile, persons=1_200, seed=11, drugs=reference_frame("drug"), outcomes=reference_frame("outcome")
    )


@pytest.fixture(scope="module")
def build(world: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder = tmp_path_factory.mktemp("symptoms")
    write_simulation(world, folder / "source")
    build = prepared(default_study(), folder / "source", folder / "build.duckdb")
    with kept_open(build.warehouse.path):
        for name in build_order("pkpd.standing", "pkpd.symptom_course"):
            if name not in BUILT_BY_STEPS:
                build_table(build, name)
    return build


@pytest.fixture(scope="module")
def scored(build: Build) -> list[Estimate]:
    return ask_symptoms(build)[0]


@pytest.fixture(scope="module")
def struck(build: Build) -> list[Estimate]:
    return ask_events(build)[0]


def _answer(found: list[Estimate], **asked: object) -> Answer:
    (answer,) = (
        estimate.answer
        for estimate in found
        if all(getattr(estimate.question, name, None) == value for name, value in asked.items())
    )
    return answer


def _holds(answer: Answer, truth: float) -> bool:
    assert answer.lower is not None
    assert answer.upper is not None
    return answer.lower <= truth <= answer.upper


def test_planted_half_times_come_back_and_are_told_apart(scored: list[Estimate]) -> None:
    asked = {"estimand": "half_time_days", "stratum": "instrument=act;response=all"}
    assert _holds(_answer(scored, level=symptoms.ONSET, **asked), PLAN.onset_days)
    assert _holds(_answer(scored, level=symptoms.OFFSET, **asked), PLAN.offset_days)
    assert not _holds(_answer(scored, level=symptoms.ONSET, **asked), PLAN.offset_days)  # negative control
    equality = _answer(scored, estimand="test", stratum="instrument=act;response=all")
    assert equality.p_value is not None
    assert equality.p_value < 0.05


def test_the_loop_closes_against_the_delayed_effect(scored: list[Estimate]) -> None:
    asked = {"estimand": "hysteresis_index", "stratum": "instrument=act;response=responder"}
    open_loop = _answer(scored, level=symptoms.AGAINST_FREE_IGE, **asked)
    closed = _answer(scored, level=symptoms.AGAINST_EFFECT, **asked)
    assert open_loop.lower is not None
    assert open_loop.lower > 0.1
    assert closed.value is not None
    assert abs(closed.value) < 0.05


def test_responders_are_found_and_predicted_and_seen_returns_are_the_planted_ones(
    build: Build, world: Simulation
) -> None:
    told = build.warehouse.query(
        """SELECT p.person_source_value AS person_id, r.response, b.last_dose_day, b.predicted_days, b.predicted_status,
             b.observed_after_days, b.observed_days, b.observed_status
           FROM pkpd.symptom_response AS r
           INNER JOIN staged.person AS p ON r.person_id = p.person_id
           LEFT JOIN pkpd.reemergence AS b ON r.person_id = b.person_id"""
    ).join(world.truth_person.select("person_id", "is_omalizumab_responder", "symptom_return_days"), on="person_id")
    known = told.filter(pl.col("response") != "not_assessable")
    right = (known["response"] == "responder") == known["is_omalizumab_responder"]
    assert right.mean() > 0.95  # type: ignore[operator]
    back = told.filter(
        pl.col("is_omalizumab_responder") & (pl.col("predicted_status") == "reached") & (pl.col("last_dose_day") > 56)
    ).drop_nulls("symptom_return_days")
    assert back.height > 40
    # The planted return of each person within four days: half-times are estimated, the course is the person's own.
    assert (back["predicted_days"] - back["symptom_return_days"]).abs().quantile(0.9) <= 4.0  # type: ignore[operator]
    seen = back.filter(pl.col("observed_status") == "reached")
    middle = (seen["observed_after_days"] + seen["observed_days"]) / 2
    assert abs((middle - seen["symptom_return_days"]).median()) <= 10.0  # type: ignore[arg-type]


def test_seen_returns_of_responders_come_after_as_many_days_as_planted(
    scored: list[Estimate], world: Simulation
) -> None:
    truth = world.truth_person.filter("is_omalizumab_responder")["symptom_return_days"].median()
    predicted = _answer(scored, estimand="median_time_days", level=symptoms.PREDICTED)
    seen = _answer(scored, estimand="median_time_days", level=symptoms.SCORES)
    assert predicted.value == pytest.approx(truth, abs=6.0)
    assert seen.value == pytest.approx(truth, abs=21.0)
    shares = [
        _answer(scored, estimand="cumulative_incidence", level=symptoms.SCORES, time_days=day).value
        for day in symptoms.RETURN_DAYS
    ]
    assert shares == sorted(shares)  # type: ignore[type-var]


def test_planted_exacerbation_rates_come_back_below_and_above_the_threshold(struck: list[Estimate]) -> None:
    # An exacerbation keeps the next away for 21 days: the rate in time is r / (1 + 21 r), r by day.
    below, above = (100 * rate / (1 + 21 * rate / 365.25) for rate in PLAN.exacerbations_per_py)
    asked = {"estimand": "incidence_rate_per_100py", "outcome_id": "exacerbation", "stratum": ""}
    assert _holds(_answer(struck, level=events.BELOW, **asked), below)
    # Free IgE of the interval's beginning stands for all of its seven days: a little of the time above is below.
    found = _answer(struck, level=events.ABOVE, **asked)
    assert found.value == pytest.approx(above, rel=0.08)


def test_where_stops_do_not_hang_on_free_ige_the_ratio_is_one() -> None:
    # Doses 28 days apart with some scatter; after each, 5 % stop, whatever their free IgE is.
    rng = np.random.default_rng(2)
    size, most = 3_000, 12
    count = np.minimum(rng.geometric(0.05, size), most)
    apart = 28 + rng.integers(-3, 4, (size, most))
    apart[:, 0] = 0
    day = np.cumsum(apart, axis=1)
    given = np.arange(most) < count[:, None]
    person, number = np.nonzero(given)
    doses = pl.DataFrame({"person_id": person, "day": day[person, number], "dose_mg": 300.0})
    last = day[np.arange(size), count - 1]
    people = pl.DataFrame(
        {
            "person_id": np.arange(size), "weight_kg": rng.uniform(60, 90, size),
            "baseline_ige_iu_per_ml": np.exp(rng.normal(5.0, 0.5, size)), "until_day": last + 60, "last_dose_day": last,
        }
    )  # fmt: skip
    stopped = people.filter(pl.Series(count < most)).select("person_id", "last_dose_day", "until_day")
    decisions = dose_decisions(Modelled(people, doses, stopped))
    parameters = parameter_set(reference_frame("omalizumab_parameter"), model="lowe")
    (levels,) = collected(
        courses(people, doses, parameters, anchor="clearance"),
        lambda piece: on_days(piece, decisions).select("person_id", "day", "free_ige_ng_per_ml"),
    )
    found = events.stop_estimates(
        decisions.join(levels, on=["person_id", "day"]), people, rule="primary", confidence=0.95
    )
    ratios = [estimate.answer for estimate in found if estimate.question.level == events.DOUBLING]
    assert [answer.status for answer in ratios] == ["ok", "ok"]
    assert all(_holds(answer, 1.0) for answer in ratios)
    below = _answer(found, estimand="proportion", level=events.BELOW)
    assert _holds(below, 0.05)
    assert decisions["is_last"].sum() == int(((count < most) & (count > 1)).sum())


def test_every_day_and_event_at_risk_is_counted_once(build: Build) -> None:
    (row,) = build.warehouse.query(
        """WITH spent AS (
             SELECT r.person_id, SUM(r.stop_day - r.start_day) AS days, MAX(r.stop_day) AS last_day, SUM(r.event_count) AS events
             FROM pkpd.risk_interval AS r GROUP BY r.person_id)
           SELECT COUNT(*) AS persons, COUNT(*) FILTER (WHERE s.days + 1 <> s.last_day) AS gaps,
             SUM(s.events) AS events,
             (SELECT COUNT(*) FROM pkpd.exacerbation AS e INNER JOIN spent AS k ON e.person_id = k.person_id
              WHERE e.day > 1 AND e.day <= k.last_day) AS recorded
           FROM spent AS s"""
    ).to_dicts()
    assert row["persons"] > 200
    assert row["gaps"] == 0
    assert row["events"] == row["recorded"] > 300


def test_nobody_is_drawn_twice_and_fewer_are_said(build: Build) -> None:
    settings = build.spec.pkpd.model_copy(update={"symptom_persons": 100})
    smaller = Build(build.spec.model_copy(update={"pkpd": settings}), build.source, build.warehouse)
    persons = build.warehouse.read("pkpd.person")
    modelled = Modelled(
        people_of(persons), in_days(persons, build.warehouse.read("pkpd.dose")), build.warehouse.read("pkpd.stop")
    )
    records = build.warehouse.read("pkpd.symptom_record")
    days = drawn_days(smaller, records, modelled)
    assert days["person_id"].n_unique() == 100
    assert days.is_unique().all()
    assert days.equals(drawn_days(smaller, records, modelled))


def test_the_public_rule_shows_a_group_whole_or_not_at_all(scored: list[Estimate], struck: list[Estimate]) -> None:
    rows = [_row(estimate) for estimate in [*scored, *struck]]
    received = {str(row["estimate_id"]): dict(row) for row in rows}
    hidden: list[str] = []
    withhold_symptoms(rows, received, lambda row: hidden.append(str(row["estimate_id"])), 1)
    assert hidden == []  # no count is below one: negative control
    withhold_symptoms(rows, received, lambda row: hidden.append(str(row["estimate_id"])), 20)
    assert hidden
    for row in rows:
        if str(row["estimate_id"]) not in hidden and row["analysis"] in (symptoms.ANALYSIS, events.ANALYSIS):
            assert not (row["person_count"] and 0 < int(str(row["person_count"])) < 20), row


def _row(estimate: Estimate) -> dict[str, object]:
    question, answer = estimate.question, estimate.answer
    return {
        "estimate_id": f"{question}{answer.method}", "analysis": question.analysis, "stratum": question.stratum,
        "outcome_id": question.outcome_id, "person_count": answer.person_count, "event_count": answer.event_count,
    }  # fmt: skip


def test_scores_of_one_person_who_never_stopped_say_what_cannot_be_told() -> None:
    points = pl.DataFrame(
        {
            "instrument_id": ["act"] * 2, "person_id": [1, 1], "day": [-1, 30], "score": [10.0, 15.0],
            "free_ige_ng_per_ml": [300.0, 20.0], "last_dose_day": [None, None], "until_day": [None, None],
        },
        schema_overrides={"last_dose_day": pl.Int64, "until_day": pl.Int64},
    )  # fmt: skip
    told = pl.DataFrame(
        {
            "person_id": [1], "before_score": [10.0], "treated_score": [None], "gain": [None], "response": ["not_assessable"],
            "reason": ["no score around week 16"],
        }
    )  # fmt: skip
    returns = pl.DataFrame(
        schema={
            "person_id": pl.Int64, "last_dose_day": pl.Int64, "until_day": pl.Int64, "ending": pl.String, "response": pl.String,
            "predicted_days": pl.Float64, "predicted_status": pl.String, "observed_days": pl.Int64,
            "observed_status": pl.String, "lag_lower_days": pl.Float64, "lag_upper_days": pl.Float64,
            "stop_reason": pl.String, "exacerbation_days": pl.Int64,
        }
    )  # fmt: skip
    days = pl.DataFrame({"person_id": [1] * 31, "day": range(31), "free_ige_ng_per_ml": [300.0] + [20.0] * 30})
    records = pl.DataFrame({"person_id": [1, 1], "day": [0, 30], "score": [10.0, 15.0]})
    held = {
        name: driven(days, rows, ic50_ng_per_ml=19.8, hill=3.0, higher_is_better=True)
        for name, rows in (
            (symptoms.EVERYBODY, records),
            ("responder", records.clear()),
            ("non_responder", records.clear()),
        )
    }
    found = symptoms.symptom_estimates(
        symptoms.Scored("act", True, points, told, returns, held),
        rule="primary",
        confidence=0.95,
        replicates=100,
        seed=1,
    )
    numbers = [estimate for estimate in found if estimate.question.estimand != "count"]
    assert numbers
    assert {estimate.answer.status for estimate in numbers} == {"not_estimable"}
    assert all(estimate.answer.reason for estimate in numbers)


def test_a_response_told_before_it_begins_is_refused() -> None:
    with pytest.raises(StudyError, match="response_from_day 200 lies after response_until_day 140"):
        small_study(pkpd={"response_from_day": 200})
