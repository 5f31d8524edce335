"""Risk-set sampling: every control may be one, every place that can be filled is, and the draw is fair and repeats."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.matching import risk_set
from analysis.matching.risk_set import MatchingError, MatchingRule, sample_risk_sets
from tests.reference.risk_set import Member, chi_square, eligible
from tests.worlds import SAME_EVERY_TIME

DAY_0 = dt.date(2020, 1, 1)
Frames = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]


def _date(day: int) -> dt.date:
    return DAY_0 + dt.timedelta(days=day)


def _frames(cohort: Mapping[int, Member]) -> Frames:
    persons = pl.DataFrame(
        [(i, m.group, _date(m.birth), _date(m.entry)) for i, m in cohort.items()],
        schema={"person_id": pl.Int64, "group": pl.String, "birth_date": pl.Date, "entry_date": pl.Date},
        orient="row",
    )
    spells = pl.DataFrame(
        [(i, _date(a), _date(b)) for i, m in cohort.items() for a, b in m.spells],
        schema={"person_id": pl.Int64, "start_date": pl.Date, "stop_date": pl.Date},
        orient="row",
    )
    cases = pl.DataFrame(
        [(i, _date(m.event)) for i, m in cohort.items() if m.event is not None],
        schema={"person_id": pl.Int64, "event_date": pl.Date},
        orient="row",
    )
    return persons, spells, cases


def _sets(frame: pl.DataFrame) -> dict[int, list[int]]:
    """Controls of each case, in their order."""
    found: dict[int, list[int]] = {}
    for (_,), rows in frame.group_by("set_number", maintain_order=True):
        case, *controls = rows.sort("control_number").iter_rows(named=True)
        assert case["is_case"] and not any(row["is_case"] for row in controls)
        assert {row["index_date"] for row in controls} <= {case["index_date"]}
        found[case["person_id"]] = [row["person_id"] for row in controls]
    return found


@st.composite
def cohorts(draw: st.DrawFn) -> dict[int, Member]:
    """Persons close together in every respect, so that each edge is common."""
    persons = draw(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=25, unique=True))
    cohort = {}
    for person in persons:
        entry = draw(st.sampled_from((0, 0, 3, 10, 11, 40)))
        stop = entry + draw(st.integers(1, 60))
        hole = draw(st.none() | st.integers(entry + 1, stop))
        spells = ((entry, stop),) if hole is None else ((entry, hole), (hole + 3, max(stop, hole + 4)))
        days = [day for a, b in spells for day in range(a, b)]
        event = draw(st.none() | st.sampled_from(days))
        if event is not None:
            spells = tuple((a, min(b, event + 1)) for a, b in spells if a <= event)
        birth = draw(st.sampled_from((-9000, -9000, -8635, -8636, -8270, -8269, -7904, -7903, -7000)))
        cohort[person] = Member(draw(st.sampled_from("FFM")), birth, entry, spells, event)
    return cohort


@given(cohorts(), st.integers(1, 4), st.integers(0, 3))
@SAME_EVERY_TIME
def test_every_control_may_be_one_and_every_place_that_can_be_filled_is(
    cohort: dict[int, Member], controls: int, seed: int
) -> None:
    rule = MatchingRule(
        controls_per_case=controls, age_caliper_years=1, wider_age_caliper_years=2, entry_caliper_days=10, seed=seed
    )
    frame = sample_risk_sets(*_frames(cohort), rule)
    found = _sets(frame)
    assert set(found) == {person for person, member in cohort.items() if member.event is not None}
    years = dict(frame.filter("is_case").select("person_id", "age_caliper_years").rows())
    for case, drawn in found.items():
        near = eligible(cohort, case, age_years=1, entry_days=10)
        wide = eligible(cohort, case, age_years=2, entry_days=10)
        assert len(set(drawn)) == len(drawn) == min(controls, len(wide))
        assert set(drawn) <= wide
        assert len(near & set(drawn)) == min(controls, len(near)), "the nearer in age come first"
        assert years[case] == (2 if set(drawn) - near else 1)


def _even(cohort: Mapping[int, Member], *, draws: int, controls: int) -> float:
    """Chi-square of how often each eligible person is drawn for the first case, over as many seeds."""
    frames = _frames(cohort)
    counts: Counter[int] = Counter()
    for seed in range(draws):
        counts.update(_sets(sample_risk_sets(*frames, MatchingRule(controls_per_case=controls, seed=seed)))[1])
    may_be = eligible(cohort, 1, age_years=2, entry_days=90)
    assert set(counts) <= may_be
    return chi_square((counts[person] for person in may_be), draws * controls / len(may_be))


CROWD = {
    1: Member("F", 0, 0, ((0, 51),), 50),
    **{i: Member("F", 100 * (i % 9) - 700, i % 40, ((i % 40, 60 + i),)) for i in range(2, 14)},  # may be controls
    **{i: Member("F", 0, 0, ((0, 20),)) for i in range(14, 60)},  # no longer at risk: most draws fail
    **{i: Member("M", 0, 0, ((0, 90),)) for i in range(60, 90)},
}


@pytest.mark.parametrize("controls", [1, 3])
@pytest.mark.parametrize("maximum_draws", [64, 0, 3])
def test_the_draw_is_uniform_over_who_may_be_a_control(
    monkeypatch: pytest.MonkeyPatch, controls: int, maximum_draws: int
) -> None:
    monkeypatch.setattr(risk_set, "MAXIMUM_DRAWS", maximum_draws)
    assert len(eligible(CROWD, 1, age_years=2, entry_days=90)) == 12
    assert _even(CROWD, draws=1200, controls=controls) < 31.3  # 99.9 % of chi-square with 11 degrees of freedom


def test_a_draw_that_is_not_uniform_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(risk_set, "_mixed", lambda numbers: numbers)
    assert _even(CROWD, draws=1200, controls=1) > 31.3


def test_the_order_of_rows_changes_nothing_and_the_seed_does() -> None:
    cohort = {i: Member("FM"[i % 2], 37 * i % 900, i % 50, ((i % 50, 300),)) for i in range(1, 400)}
    cohort |= {
        i: Member(m.group, m.birth, m.entry, ((m.entry, 200 + i % 40 + 1),), 200 + i % 40)
        for i, m in cohort.items()
        if i % 7 == 0
    }
    frames = _frames(cohort)
    first = sample_risk_sets(*frames, MatchingRule(seed=5))
    shuffled = tuple(frame.sample(fraction=1, shuffle=True, seed=3) for frame in frames)
    assert sample_risk_sets(*shuffled, MatchingRule(seed=5)).equals(first)
    assert not sample_risk_sets(*frames, MatchingRule(seed=6)).equals(first)
    assert first.filter(~pl.col("is_case"))["person_id"].is_in(frames[2]["person_id"].implode()).any(), (
        "a case is a control before its event"
    )


def test_a_case_without_any_control_is_a_set_of_its_own() -> None:
    cohort = {1: Member("F", 0, 0, ((0, 11),), 10), 2: Member("M", 0, 0, ((0, 99),))}
    frame = sample_risk_sets(*_frames(cohort), MatchingRule())
    assert frame.select("person_id", "is_case", "control_number").rows() == [(1, True, 0)]


def test_without_cases_there_are_no_sets() -> None:
    assert sample_risk_sets(*_frames({2: Member("M", 0, 0, ((0, 99),))}), MatchingRule()).is_empty()


def test_two_events_of_one_day_are_not_controls_of_each_other() -> None:
    cohort = {i: Member("F", 0, 0, ((0, 11),), 10) for i in (1, 2)} | {3: Member("F", 0, 0, ((0, 11),))}
    assert _sets(sample_risk_sets(*_frames(cohort), MatchingRule())) == {1: [3], 2: [3]}


@pytest.mark.parametrize(
    ("member", "told"),
    [(Member("F", 0, 0, ((0, 9),), 10), "not at risk"), (Member("F", 0, 0, (), 10), "not at risk")],
)
def test_a_case_that_is_not_at_risk_is_refused(member: Member, told: str) -> None:
    with pytest.raises(MatchingError, match=told):
        sample_risk_sets(*_frames({1: member}), MatchingRule())


def test_a_case_who_is_nobody_and_a_person_given_twice_are_refused() -> None:
    persons, spells, cases = _frames({1: Member("F", 0, 0, ((0, 11),), 10)})
    with pytest.raises(MatchingError, match="not among the persons"):
        sample_risk_sets(persons, spells, cases.with_columns(person_id=pl.lit(7, pl.Int64)), MatchingRule())
    with pytest.raises(MatchingError, match="once"):
        sample_risk_sets(pl.concat([persons, persons]), spells, cases, MatchingRule())


@pytest.mark.parametrize(
    "setting", [{"controls_per_case": 0}, {"entry_caliper_days": -1}, {"seed": -1}, {"age_caliper_years": 6}]
)
def test_a_rule_that_cannot_be_followed_is_refused(setting: dict[str, int]) -> None:
    with pytest.raises(MatchingError):
        MatchingRule(**setting)
