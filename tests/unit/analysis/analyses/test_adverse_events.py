"""What is asked of adverse events by term, on counts small enough to check with a finger."""

from __future__ import annotations

import math

import polars as pl
import pytest
from scipy.stats import chi2, gamma

from analysis.analyses.adverse_events import Frames, Settings, adverse_events, stratum
from analysis.analyses.opportunistic_group import opportunistic_groups
from analysis.estimate.result import Estimate

YEAR = 36_525  # days of a hundred person-years
_COUNTS = [
    # organ class, term, class, dimension, level, persons, days, persons with, events, first persons, first days, first events
    ("all", "all", "any", "study_drugs", "0", 10, YEAR, 5, 10, 8, YEAR // 2, 4),
    ("all", "all", "any", "study_drugs", "1", 50, YEAR, 10, 20, 45, YEAR // 2, 8),
    ("all", "all", "any", "study_drugs", ">=2", 20, YEAR // 5, 5, 10, 15, YEAR // 10, 3),
    ("Skin", "Rash", "any", "study_drugs", "0", 10, YEAR, 0, 0, 10, YEAR, 0),
    ("Skin", "Rash", "any", "study_drugs", "1", 50, YEAR, 4, 4, 49, YEAR, 4),
    ("Skin", "Rash", "any", "study_drugs", ">=2", 20, YEAR // 5, 4, 6, 18, YEAR // 5, 4),
    ("not given", "all", "any", "study_drugs", "1", 50, YEAR, 9, 9, 45, YEAR, 9),
    ("all", "all", "serious", "study_drugs", "1", 50, YEAR, 2, 2, 50, YEAR, 2),
    ("all", "all", "serious", "study_drugs", ">=2", 20, YEAR // 5, 0, 0, 20, YEAR // 5, 0),
    ("all", "all", "severe", "study_drugs", "1", 50, YEAR, 0, 0, 50, YEAR, 0),
    ("all", "all", "any", "regimen", "none", 10, YEAR, 5, 10, 8, YEAR // 2, 4),
    ("all", "all", "any", "regimen", "a", 30, YEAR, 8, 15, 25, YEAR // 2, 6),
    ("all", "all", "any", "regimen", "b", 20, YEAR, 2, 5, 20, YEAR // 2, 2),
    ("all", "all", "any", "regimen", "a+b", 20, YEAR // 5, 5, 10, 15, YEAR // 10, 3),
    ("all", "all", "any", "regimen", "a+c", 9, YEAR // 5, 0, 0, 9, YEAR // 5, 0),
    ("Skin", "Rash", "any", "regimen", "a", 30, YEAR, 4, 4, 30, YEAR, 4),
    ("Skin", "Rash", "any", "regimen", "a+b", 20, YEAR // 5, 4, 6, 18, YEAR // 5, 4),
]
COUNTS = pl.DataFrame(
    _COUNTS,
    schema=["system_organ_class", "term", "event_class", "dimension", "level", "person_count", "person_days", "event_person_count",
            "event_count", "first_person_count", "first_person_days", "first_event_count"],
    orient="row",
)  # fmt: skip
CLASSES = pl.DataFrame(
    [("any", True, 40, 40), ("serious", True, 40, 30), ("severe", False, 40, 0)],
    schema=["event_class", "is_assessable", "record_count", "known_count"],
    orient="row",
)
ONSETS = pl.DataFrame(
    [("any", "1", 0, 3), ("any", "1", 20, 5), ("any", "1", 90, 2), ("serious", "1", 5, 1)],
    schema=["event_class", "level", "drug_day", "event_count"],
    orient="row",
)
DOSES = pl.DataFrame(
    [("a", 500, 1), ("a+b", 100, 1)], schema=["regimen_id", "administration_count", "dosed_drug_count"], orient="row"
)
SETTINGS = Settings(rule="primary", confidence=0.95, pair_minimum_persons=10, screen_minimum_count=5)
Key = tuple[str, str, str, str, str]


def _asked(frames: Frames) -> dict[Key, Estimate]:
    found = {}
    for estimate in adverse_events(frames, SETTINGS):
        q = estimate.question
        key = (q.estimand, q.population, q.regimen_id or q.level, q.comparator_id, q.stratum)
        assert key not in found
        found[key] = estimate
    return found


@pytest.fixture(scope="module")
def found() -> dict[Key, Estimate]:
    return _asked(Frames(counts=COUNTS, classes=CLASSES, onsets=ONSETS, doses=DOSES))


RATE, LESS = "incidence_rate_per_100py", "rate_difference_per_100py"
RASH = "organ_class=Skin;term=Rash"


def test_all_events_have_all_of_the_time_and_first_events_the_time_before(found: dict[Key, Estimate]) -> None:
    every = found[RATE, "all_events", ">=2", "", "ladder=study_drugs"].answer
    first = found[RATE, "first_events", ">=2", "", "ladder=study_drugs"].answer
    assert (every.event_count, every.person_count, every.value) == (10, 20, pytest.approx(50.0))
    assert (first.event_count, first.person_count) == (3, 15)
    assert first.value == pytest.approx(3 * YEAR / (YEAR // 10))
    assert every.upper == pytest.approx(chi2.ppf(0.975, 22) / 2 * 5)


def test_nothing_serious_under_several_is_zero_with_an_upper_limit(found: dict[Key, Estimate]) -> None:
    answer = found[RATE, "all_events", ">=2", "", "class=serious;ladder=study_drugs"].answer
    assert (answer.value, answer.lower, answer.upper) == (0.0, 0.0, pytest.approx(-math.log(0.025) * 5))


def test_a_class_that_no_record_tells_of_is_not_assessable_and_has_no_zero(found: dict[Key, Estimate]) -> None:
    severe = [estimate for key, estimate in found.items() if "class=severe" in key[4]]
    assert {(one.answer.status, one.answer.value) for one in severe} == {("not_assessable", None)}
    assert {one.question.level for one in severe} == {""}


def test_differences_of_several_drugs_and_of_a_pair_less_either_alone(found: dict[Key, Estimate]) -> None:
    assert found[LESS, "all_events", ">=2", "1", "ladder=study_drugs"].answer.value == pytest.approx(30.0)
    assert found[LESS, "all_events", "a+b", "a", RASH].answer.value == pytest.approx(26.0)
    alone = found[LESS, "all_events", "a+b", "b", RASH].answer
    assert alone.value == pytest.approx(30.0)
    assert alone.lower is not None
    assert 0 < alone.lower < 30.0


def test_a_pair_of_few_persons_has_no_difference(found: dict[Key, Estimate]) -> None:
    assert [key for key in found if key[0] == LESS and key[2] == "a+c"] == []
    assert found[RATE, "all_events", "a+c", "", ""].answer.value == 0.0


def test_rates_by_dose_only_where_every_drug_is_administered(found: dict[Key, Estimate]) -> None:
    by_dose = "rate_per_10000_administrations"
    assert found[by_dose, "all_events", "a", "", ""].answer.value == pytest.approx(300.0)
    assert found[by_dose, "all_events", "a", "", RASH].answer.value == pytest.approx(80.0)
    assert found[by_dose, "all_events", "a+b", "", ""].answer.status == "not_assessable"
    assert found[by_dose, "all_events", "b", "", ""].answer.status == "not_assessable"
    assert (by_dose, "all_events", "a+b", "", RASH) not in found
    assert (by_dose, "all_events", "none", "", "") not in found


def test_days_from_the_latest_dose(found: dict[Key, Estimate]) -> None:
    assert found["median_time_days", "all_events", "", "", "drugs=one"].answer.value == 20.0
    assert found["proportion", "all_events", "0 days", "", "drugs=one"].answer.value == 0.3
    assert found["proportion", "all_events", "later than 56 days", "", "drugs=one"].answer.event_count == 2
    assert found["median_time_days", "all_events", "", "", "drugs=several"].answer.status == "not_estimable"


def test_the_screen_sets_the_events_of_a_term_against_its_share_of_all(found: dict[Key, Estimate]) -> None:
    # 10 of all 40 events fall under a+b, and 10 of all are Rash: 2.5 expected, 6 seen.
    answer = found["information_component", "screen", "a+b", "", RASH].answer
    assert answer.value == pytest.approx(math.log2(6.5 / 3.0))
    assert answer.lower == pytest.approx(math.log2(gamma(6.5, scale=1 / 3.0).ppf(0.025)))
    few = found["information_component", "screen", "a", "", RASH].answer
    assert (few.status, few.value, few.event_count) == ("not_estimable", None, 4)
    assert {key[4] for key in found if key[0] == "information_component"} == {RASH}


def test_an_organ_class_that_is_not_given_does_not_repeat_all_terms(found: dict[Key, Estimate]) -> None:
    assert not [key for key in found if "not given" in key[4]]


def test_a_source_without_the_table_is_not_assessable() -> None:
    untold = CLASSES.with_columns(is_assessable=False, record_count=0, known_count=0)
    answers = _asked(Frames(counts=COUNTS, classes=untold, onsets=ONSETS, doses=DOSES)).values()
    assert {one.answer.status for one in answers} == {"not_assessable"}
    assert {one.answer.reason for one in answers} == {"the source has no table of adverse events"}


def test_a_term_with_a_semicolon_keeps_the_stratum_readable() -> None:
    assert stratum("all", "Rash; itching", "any", "ladder=x") == "ladder=x;term=Rash, itching"


def test_groups_of_infections_have_rates_and_a_group_the_source_cannot_hold_has_none() -> None:
    counts = pl.DataFrame(
        [
            ("primary", "oi", "pcp", "overall", "all", 10, YEAR, 0, 1, 1),
            ("primary", "oi", "deep_fungi", "toruner", ">=2", 10, YEAR, 2, 7, 3),
            ("primary", "oi", "bk", "overall", "all", 10, YEAR, 0, 1, 0),
        ],
        schema=["exposure_rule", "outcome_id", "group_id", "dimension", "level", "person_count", "person_days", "event_count",
                "member_count", "assessable_count"],
        orient="row",
    )  # fmt: skip
    pcp, fungi, bk = opportunistic_groups(counts, confidence=0.95, is_assessable=True)
    assert (pcp.answer.value, pcp.answer.upper) == (0.0, pytest.approx(-math.log(0.025)))
    assert (fungi.question.stratum, fungi.question.level, fungi.answer.value) == (
        "group=deep_fungi;ladder=toruner",
        ">=2",
        2.0,
    )
    assert bk.answer.status == "not_assessable"
    nowhere = opportunistic_groups(counts, confidence=0.95, is_assessable=False)
    assert {one.answer.status for one in nowhere} == {"not_assessable"}
