"""Two drugs together: the ratios of each group, their interaction, and which pairs are told."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses.joint import joint_odds_ratios
from analysis.estimate.result import Estimate

Pairs = dict[tuple[str, str], int]
# Each group against neither only: the odds ratio of a group is that of its discordant pairs.
PAIRS: Pairs = {
    ("a", "none"): 20, ("none", "a"): 10, ("b", "none"): 15, ("none", "b"): 10, ("a+b", "none"): 24, ("none", "a+b"): 4,
    ("none", "none"): 9, ("c", "none"): 3,
}  # fmt: skip


def _sets(pairs: Pairs, *, design: str = "incidence_density", outcome: str = "infection") -> pl.DataFrame:
    """Matched pairs: (drugs of the case, drugs of its control) -> number of pairs; every person serves once."""
    rows = []
    for (case, control), count in pairs.items():
        for _ in range(count):
            number = len(rows) // 2 + 1
            rows += [(number, True, 2 * number, case), (number, False, 2 * number + 1, control)]
    frame = pl.DataFrame(rows, schema=["set_number", "is_case", "person_id", "risk_regimen_id"], orient="row")
    return frame.with_columns(exposure_rule=pl.lit("primary"), outcome_id=pl.lit(outcome), design=pl.lit(design))


def _found(
    sets: pl.DataFrame, *, minimum: int = 10, is_assessable: bool = True
) -> dict[tuple[str, str, str], Estimate]:
    estimates = joint_odds_ratios(
        sets, ["infection"], rules=["primary"], minimum_persons=minimum, confidence=0.95, is_assessable=is_assessable
    )
    found = {(e.question.regimen_id, e.question.estimand, e.question.level): e for e in estimates}
    assert len(found) == len({e.estimate_id for e in estimates}) == len(estimates)
    return found


def test_each_group_is_compared_with_neither_and_both_with_what_they_would_make() -> None:
    found = _found(_sets(PAIRS))
    ratios = {level: e.answer.value for (_, estimand, level), e in found.items() if estimand == "odds_ratio"}
    assert ratios == {"a": pytest.approx(2.0), "b": pytest.approx(1.5), "a+b": pytest.approx(6.0)}
    assert found["a+b", "ratio_of_ratios", ""].answer.value == pytest.approx(6 / 3)
    assert found["a+b", "reri", ""].answer.value == pytest.approx(6 - 2 - 1.5 + 1)
    assert found["a+b", "attributable_proportion", ""].answer.value == pytest.approx(3.5 / 6)
    assert found["a+b", "synergy_index", ""].answer.value == pytest.approx(5 / 1.5)
    assert all(
        e.answer.lower is not None and e.answer.upper is not None for e in found.values() if e.answer.status == "ok"
    )
    assert {e.question.comparator_id for e in found.values()} == {"neither"}


def test_counts_are_those_of_the_group_and_of_neither() -> None:
    both = _found(_sets(PAIRS))["a+b", "odds_ratio", "a+b"].answer
    neither_cases = 10 + 10 + 4 + 9 + 3  # a drug of no pair is neither
    assert both.event_count == 24 + neither_cases
    assert both.person_count == 28 + neither_cases + (20 + 15 + 24 + 9 + 3)


def test_a_pair_needs_so_many_persons_on_both() -> None:
    assert {pair for pair, *_ in _found(_sets(PAIRS), minimum=28)} == {"a+b"}
    assert _found(_sets(PAIRS), minimum=29) == {}


def test_of_three_drugs_every_pair_counts() -> None:
    found = _found(_sets({("a+b+c", "none"): 12, ("none", "a+b+c"): 12}))
    assert {pair for pair, *_ in found} == {"a+b", "a+c", "b+c"}


def test_a_group_that_nobody_is_in_leaves_no_interaction_and_says_why() -> None:
    found = _found(_sets({("a+b", "none"): 24, ("none", "a+b"): 4, ("a", "none"): 9, ("none", "a"): 5}))
    assert found["a+b", "odds_ratio", "a+b"].answer.value == pytest.approx(6.0)
    for measure in ("reri", "ratio_of_ratios"):
        answer = found["a+b", measure, ""].answer
        assert answer.status == "not_estimable" and answer.reason


def test_only_sets_drawn_at_risk_and_this_outcome_are_read() -> None:
    assert _found(_sets(PAIRS, design="toruner_replica")) == {}
    assert _found(_sets(PAIRS, outcome="fever")) == {}


def test_without_records_that_could_hold_the_outcome_nothing_is_assessed() -> None:
    (answer,) = [e.answer for e in _found(_sets(PAIRS), is_assessable=False).values()]
    assert answer.status == "not_assessable"
