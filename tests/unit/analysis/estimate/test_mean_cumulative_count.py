"""The mean cumulative count: by hand, against its formula in R, survfit and mets, and its limits in a simulation."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from analysis.estimate.mean_cumulative_count import MeanCumulativeCount, mean_count_at, mean_cumulative_count
from analysis.estimate.result import EstimationError

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "recurrent.json").read_text())
PERSON_COLUMNS = ("person_id", "start_day", "stop_day", "is_death")
COUNTS = {row["name"]: row for row in TRUTH["counts"]}


def counted(truth: dict[str, Any]) -> MeanCumulativeCount:
    persons = pl.DataFrame(truth["persons"], strict=False)
    persons = persons.rename({"id": "person_id", "start": "start_day", "stop": "stop_day", "death": "is_death"})
    events = pl.DataFrame(truth["events"], strict=False).rename({"id": "person_id"})
    return mean_cumulative_count(persons, events, confidence=0.95)


def by_hand(
    persons: list[tuple[int, int, int, int]], events: list[tuple[int, int]], *, confidence: float = 0.95
) -> MeanCumulativeCount:
    """Persons as (person, start, stop, died), events as (person, day)."""
    return mean_cumulative_count(
        pl.DataFrame(persons, schema=dict.fromkeys(PERSON_COLUMNS, pl.Int64), orient="row"),
        pl.DataFrame(events, schema={"person_id": pl.Int64, "day": pl.Int64}, orient="row"),
        confidence=confidence,
    )


@pytest.mark.parametrize("name", COUNTS)
def test_mean_counts_and_standard_errors_are_those_of_the_weighted_formula(name: str) -> None:
    truth = COUNTS[name]
    mean = counted(truth)
    answers = [mean_count_at(mean, time_days=int(day)) for day in truth["at"]]
    assert [answer.value for answer in answers] == pytest.approx(truth["values"], rel=1e-12)
    # R differentiates numerically, to some nine digits.
    assert [answer.standard_error for answer in answers] == pytest.approx(truth["standard_errors"], rel=1e-8)


def test_without_deaths_they_are_those_of_survfit() -> None:
    mean = counted(COUNTS["no_deaths"])
    for day, value, error in zip(*TRUTH["survfit"].values(), strict=True):
        answer = mean_count_at(mean, time_days=int(day))
        assert answer.method == "nelson_log"
        assert answer.value == pytest.approx(value, rel=1e-12)
        assert answer.standard_error == pytest.approx(error, rel=1e-11)


def test_with_deaths_they_are_those_of_mets() -> None:
    mean = counted(COUNTS["untied"])
    for day, value, error in zip(*TRUTH["mets"].values(), strict=True):
        answer = mean_count_at(mean, time_days=int(day))
        assert answer.method == "ghosh_lin_log"
        assert answer.value == pytest.approx(value, rel=1e-12)
        # Ghosh and Lin's variance divides by all at risk at a death, the jackknife by those who outlive it.
        assert answer.standard_error == pytest.approx(error, rel=1e-3)


def test_a_mean_count_by_hand() -> None:
    # Day 2: 1 event of 4. Day 3: person 2 dies, 3/4 are left. Day 5: 2 events, one of them of person 1 who dies that
    # day, of 3: 3/4 x 2/3. Day 7: 1 event of the 2 left, when half are alive: 1/2 x 1/2. Taking death for censoring
    # would give 1/4 + 2/3 + 1/2.
    mean = by_hand([(1, 0, 5, 1), (2, 0, 3, 1), (3, 0, 9, 0), (4, 0, 8, 0)], [(1, 2), (1, 5), (3, 5), (3, 7)])
    assert mean.curve["time_days"].to_list() == [2, 3, 5, 7]
    assert mean.curve["value"].to_list() == pytest.approx([0.25, 0.25, 0.75, 1.0])
    assert mean.curve["survival"].to_list() == pytest.approx([1.0, 0.75, 0.5, 0.5])
    assert mean.curve["at_risk_count"].to_list() == [4, 4, 3, 2]
    answer = mean_count_at(mean, time_days=6)
    assert (answer.value, answer.event_count, answer.person_count) == (pytest.approx(0.75), 3, 2)
    assert answer.person_days == 5 + 3 + 6 + 6
    assert answer.standard_error is not None
    spread = 1.959963984540054 * answer.standard_error / 0.75
    assert answer.lower == pytest.approx(0.75 * math.exp(-spread))
    assert answer.upper == pytest.approx(0.75 * math.exp(spread))


def test_events_of_one_person_hang_together() -> None:
    # Ten events of one person say less of the mean than ten of ten persons; the variances are those of a mean.
    persons = [(each, 0, 10, 0) for each in range(20)]
    one = mean_count_at(by_hand(persons, [(0, day) for day in range(1, 11)]), time_days=10)
    ten = mean_count_at(by_hand(persons, [(each, each + 1) for each in range(10)]), time_days=10)
    assert (one.value, ten.value) == (pytest.approx(0.5), pytest.approx(0.5))
    assert one.standard_error == pytest.approx(math.sqrt((9.5**2 + 19 * 0.5**2) / 20**2))
    assert ten.standard_error == pytest.approx(math.sqrt(20 * 0.5**2 / 20**2))


def test_no_events_have_an_upper_limit_only() -> None:
    answer = mean_count_at(by_hand([(1, 0, 5, 0), (2, 0, 9, 1), (3, 2, 9, 0)], []), time_days=7)
    assert (answer.status, answer.reason, answer.value, answer.lower) == (
        "limit_only",
        "no events by day 7",
        None,
        None,
    )
    assert answer.upper == pytest.approx(-math.log(0.025) / 2.0)  # two are at risk on the days 1, 2, 6 and 7


def test_a_curve_ends_with_follow_up_and_says_so() -> None:
    mean = by_hand([(1, 0, 5, 0), (2, 0, 9, 0)], [(1, 3)])
    assert mean_count_at(mean, time_days=9).status == "ok"
    assert mean_count_at(mean, time_days=10).reason == "beyond the last day of follow-up, day 9"


def test_when_all_have_died_the_mean_stays() -> None:
    mean = by_hand([(1, 0, 5, 1), (2, 0, 9, 1)], [(1, 3), (2, 7), (2, 8)])
    assert mean_count_at(mean, time_days=500).value == pytest.approx(0.5 + 0.5 * 2.0)


@pytest.mark.parametrize(
    ("persons", "day"),
    [([(1, 0, 5, 0), (2, 0, 4, 0), (3, 7, 9, 0)], 5), ([(1, 0, 5, 1), (2, 0, 5, 1), (3, 5, 9, 0)], 5)],
)
def test_a_curve_ends_where_the_risk_set_empties(persons: list[tuple[int, int, int, int]], day: int) -> None:
    mean = by_hand(persons, [(1, 3), (3, 8)])
    assert mean_count_at(mean, time_days=5).value == pytest.approx(0.5)
    answer = mean_count_at(mean, time_days=8)
    assert answer.reason == f"the risk set empties on day {day} while persons enter later"
    assert mean.curve["time_days"].max() == day if mean.is_death.any() else 3


def test_before_anybody_is_at_risk_and_for_one_person_there_is_no_answer() -> None:
    late = by_hand([(1, 5, 9, 0), (2, 6, 9, 0)], [(1, 7)])
    assert mean_count_at(late, time_days=5).reason == "nobody is at risk by day 5"
    one = mean_count_at(by_hand([(1, 0, 9, 0)], [(1, 7)]), time_days=9)
    assert one.reason == "the influences of persons cancel, as with one: no standard error"


def test_the_order_of_rows_does_not_matter() -> None:
    truth = COUNTS["bladder1"]
    turned = {part: {name: column[::-1] for name, column in truth[part].items()} for part in ("persons", "events")}
    assert mean_count_at(counted(turned), time_days=40) == mean_count_at(counted(truth), time_days=40)


@pytest.mark.parametrize(
    ("persons", "events", "message"),
    [
        ([(1, 0, 9, 0), (1, 9, 12, 0)], [], "1 rows too many"),
        ([(1, 9, 9, 0), (2, 0, 9, 2)], [], "2 without a day or with is_death not 0 or 1"),
        ([(1, 2, 9, 0)], [(1, 2), (1, 10), (2, 5)], "3 events outside"),
        ([], [], "of 0 persons"),
    ],
)
def test_frames_that_cannot_be_meant_are_refused(
    persons: list[tuple[int, int, int, int]], events: list[tuple[int, int]], message: str
) -> None:
    with pytest.raises(EstimationError, match=message):
        by_hand(persons, events)


def test_questions_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(EstimationError, match="starts at day 1"):
        mean_count_at(by_hand([(1, 0, 9, 0)], []), time_days=0)
    with pytest.raises(EstimationError, match="follow-up needs the columns is_death"):
        mean_cumulative_count(
            pl.DataFrame({"person_id": [1], "start_day": [0], "stop_day": [9]}),
            pl.DataFrame({"person_id": [1], "day": [3]}),
            confidence=0.95,
        )


def test_limits_hold_the_planted_mean_as_often_as_they_say() -> None:
    # Rates of 0.004 a day times a gamma of variance 1, deaths at 0.001 a day; by day 365 the mean is the integral of
    # 0.004 exp(-0.001 t), 1.223. Taking death for censoring aims at 1.46 instead.
    random = np.random.default_rng(20_241_124)
    planted = 0.004 * -math.expm1(-0.365) / 0.001
    rounds, held, naive_held = 400, 0, 0
    for _ in range(rounds):
        size = 150
        death, out = random.exponential(1_000.0, size), random.uniform(200.0, 700.0, size)
        stop, frailty = np.ceil(np.minimum(death, out)), random.gamma(1.0, 1.0, size)
        number = random.poisson(0.004 * frailty * np.minimum(death, out))
        person = np.repeat(np.arange(size), number)
        day = np.ceil(random.random(person.size) * np.minimum(death, out)[person])
        persons = pl.DataFrame(
            {"person_id": np.arange(size), "start_day": 0, "stop_day": stop, "is_death": (death <= out).astype(int)}
        )
        events = pl.DataFrame({"person_id": person, "day": day})
        for each in (0, 1):
            followed = persons if each else persons.with_columns(is_death=0)
            answer = mean_count_at(mean_cumulative_count(followed, events, confidence=0.95), time_days=365)
            assert answer.lower is not None
            assert answer.upper is not None
            is_held = answer.lower <= planted <= answer.upper
            held, naive_held = held + (is_held and each), naive_held + (is_held and not each)
    assert 0.92 <= held / rounds <= 0.98
    assert naive_held / rounds < 0.85
