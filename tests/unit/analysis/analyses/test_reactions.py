"""What is asked of reactions after doses, on counts small enough to check with a finger."""

from __future__ import annotations

import polars as pl
import pytest
from scipy.stats import beta, chi2

from analysis.analyses.reaction_latency import reaction_latency
from analysis.analyses.reactions import power, reactions
from analysis.estimate.result import Estimate

COUNTS = pl.DataFrame(
    [
        ("anaphylaxis", 24, True, "all", "all", "all", 100, 1000, 3, 4, 1),
        ("anaphylaxis", 24, True, "omalizumab", "all", "all", 60, 500, 3, 4, 0),
        ("anaphylaxis", 24, True, "omalizumab", "infliximab+omalizumab", "all", 10, 50, 0, 0, 0),
        ("anaphylaxis", 24, True, "omalizumab", "all", "1", 60, 60, 2, 2, 0),
        ("anaphylaxis", 24, True, "omalizumab", "all", ">=4", 40, 380, 1, 1, 0),
        ("anaphylaxis", 24, True, "omalizumab", "all", "not known", 5, 60, 1, 1, 0),
        ("anaphylaxis", 48, False, "omalizumab", "all", "all", 60, 500, 4, 5, 0),
        ("anaphylaxis", 48, False, "omalizumab", "all", "1", 60, 60, 3, 3, 0),
    ],
    schema=["outcome_id", "window_hours", "is_primary", "drug_id", "regimen_id", "dose_level", "person_count", "administration_count",
            "reaction_person_count", "reaction_count", "shared_count"],
    orient="row",
)  # fmt: skip
TIMES = pl.DataFrame(
    [("anaphylaxis", "omalizumab", "all", 60, 36_525, 3), ("anaphylaxis", "omalizumab", "omalizumab", 50, 3_000, 0)],
    schema=["outcome_id", "drug_id", "regimen_id", "person_count", "person_days", "event_count"],
    orient="row",
)
ASKED = {"outcomes": ["anaphylaxis"], "rule": "primary", "confidence": 0.95, "assessable": {"anaphylaxis"}}
Key = tuple[str, str, str, str]


def _by(found: list[Estimate]) -> dict[Key, Estimate]:
    asked = [estimate.question for estimate in found]
    keys = [(q.estimand, q.regimen_id, q.stratum, q.level) for q in asked]
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, found, strict=True))


@pytest.fixture(scope="module")
def found() -> dict[Key, Estimate]:
    return _by(reactions(COUNTS, TIMES, undosed=["dupilumab"], **ASKED))  # type: ignore[arg-type]


def test_share_of_persons_with_exact_limits(found: dict[Key, Estimate]) -> None:
    answer = found["proportion", "", "drug=omalizumab", ""].answer
    assert (answer.event_count, answer.person_count, answer.value) == (3, 60, 0.05)
    assert (answer.lower, answer.upper) == pytest.approx((beta.ppf(0.025, 3, 58), beta.ppf(0.975, 4, 57)))


def test_rate_by_doses_counts_every_reaction(found: dict[Key, Estimate]) -> None:
    answer = found["rate_per_10000_administrations", "", "drug=omalizumab", ""].answer
    assert (answer.event_count, answer.person_count, answer.value) == (4, 60, 80.0)
    assert answer.upper == pytest.approx(chi2.ppf(0.975, 10) / 2 * 20)
    assert found["count", "", "drug=omalizumab;of=doses", ""].answer.value == 500.0
    assert found["count", "", "of=shared", ""].answer.event_count == 1


def test_nobody_under_the_pair_is_zero_with_its_upper_limit(found: dict[Key, Estimate]) -> None:
    for estimand in ("proportion", "rate_per_10000_administrations"):
        answer = found[estimand, "infliximab+omalizumab", "drug=omalizumab", ""].answer
        assert (answer.status, answer.value, answer.lower) == ("ok", 0.0, 0.0)
        assert answer.upper is not None
        assert answer.upper > 0.0


def test_rate_by_time_at_risk(found: dict[Key, Estimate]) -> None:
    assert found["incidence_rate_per_100py", "", "drug=omalizumab", ""].answer.value == pytest.approx(3.0)
    assert found["incidence_rate_per_100py", "omalizumab", "drug=omalizumab", ""].answer.value == 0.0


def test_shares_by_number_of_the_dose_leave_out_the_unknown(found: dict[Key, Estimate]) -> None:
    by_level = {
        level: found["proportion", "", "by=dose_number;drug=omalizumab", level].answer
        for level in ("1", "2", "3", ">=4")
    }
    assert {level: (answer.value, answer.event_count) for level, answer in by_level.items()} == {
        "1": (pytest.approx(2 / 3), 2), "2": (0.0, 0), "3": (0.0, 0), ">=4": (pytest.approx(1 / 3), 1),
    }  # fmt: skip
    assert {answer.person_count for answer in by_level.values()} == {None}
    assert found["proportion", "", "drug=omalizumab", "not known"].answer.event_count == 1


def test_other_windows_are_given_in_all_only(found: dict[Key, Estimate]) -> None:
    assert found["proportion", "", "drug=omalizumab;window_hours=48", ""].answer.event_count == 4
    assert ("proportion", "", "drug=omalizumab;window_hours=48", "1") not in found


def test_a_drug_that_was_only_dispensed_is_not_assessable_and_no_zero(found: dict[Key, Estimate]) -> None:
    for estimand in ("proportion", "rate_per_10000_administrations", "incidence_rate_per_100py"):
        answer = found[estimand, "", "drug=dupilumab", ""].answer
        assert (answer.status, answer.value, answer.upper) == ("not_assessable", None, None)


@pytest.mark.parametrize("what", ["no doses", "no records"])
def test_a_source_without_doses_or_without_the_outcome_is_not_assessable(what: str) -> None:
    asked = ASKED | ({"assessable": set()} if what == "no records" else {})
    counts = COUNTS if what == "no records" else COUNTS.clear()
    answers = [estimate.answer for estimate in reactions(counts, TIMES.clear(), undosed=[], **asked)]  # type: ignore[arg-type]
    assert len(answers) == 3
    assert {(answer.status, answer.value, answer.upper) for answer in answers} == {("not_assessable", None, None)}


BENCHMARKS = pl.DataFrame(
    [
        ("anaphylaxis_per_person_one", 0.000886, 0.00062, 0.00123, 0.95), ("anaphylaxis_per_person_two", 0.001, None, None, None),
        ("anaphylaxis_dose_1", 0.39, None, None, None),
    ],
    schema=["benchmark_id", "value", "lower", "upper", "confidence_level"],
    orient="row",
)  # fmt: skip


def test_published_risks_give_what_the_persons_here_could_have_shown() -> None:
    found = _by(power(BENCHMARKS, COUNTS, outcome="anaphylaxis", rule="primary", is_assessable=True))
    one, two = (f"benchmark=anaphylaxis_per_person_{name};drug=omalizumab" for name in ("one", "two"))
    assert {key[2] for key in found} == {one, two}
    assert found["count", "", two, "persons needed"].answer.value == 2995.0
    needed = found["count", "", one, "persons needed"].answer
    assert (needed.value, needed.lower, needed.upper, needed.confidence_level) == (3380.0, 2435.0, 4831.0, 0.95)
    assert found["count", "", two, "expected"].answer.value == pytest.approx(0.06)
    assert found["count", "infliximab+omalizumab", two, "expected"].answer.value == pytest.approx(0.01)
    assert found["risk", "", two, "at least one"].answer.value == pytest.approx(1 - 0.999**60)


def test_without_the_outcome_only_the_number_needed_is_left() -> None:
    found = power(BENCHMARKS, COUNTS, outcome="anaphylaxis", rule="primary", is_assessable=False)
    assert {estimate.question.level for estimate in found} == {"persons needed"}


_BINS = [("to 30 min", -1, 30), ("30 to 60 min", 30, 60), ("60 to 90 min", 60, 90), ("12 to 24 h", 720, 1440),
         ("later than 24 h", 1440, None), ("not known", None, None)]  # fmt: skip


def _bins(main: list[int], wide: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            ("anaphylaxis", hours, hours == 24, "omalizumab", *named, count)
            for hours, counts in ((24, main), (48, wide))
            for named, count in zip(_BINS, counts, strict=True)
        ],
        schema={"outcome_id": pl.String, "window_hours": pl.Int64, "is_primary": pl.Boolean, "drug_id": pl.String,
                "latency_bin": pl.String, "over_minutes": pl.Int64, "up_to_minutes": pl.Int64, "reaction_count": pl.Int64},
        orient="row",
    )  # fmt: skip


POLICIES = pl.DataFrame(
    [("anaphylaxis", "omalizumab", "ojtf", 8, 6, 8), ("anaphylaxis", "omalizumab", "us_label", 8, None, 5)],
    schema=["outcome_id", "drug_id", "policy_id", "reaction_count", "captured_count", "supervised_count"],
    orient="row",
)


def test_shares_of_latency_have_the_known_ones_below_them() -> None:
    bins = _bins([4, 2, 1, 3, 0, 5], [4, 2, 1, 3, 2, 6])
    found = _by(reaction_latency(bins, POLICIES, has_times=True, **ASKED))  # type: ignore[arg-type]
    late = found["proportion", "", "drug=omalizumab", "later than 60 min"].answer
    assert (late.event_count, late.value, late.person_count) == (4, 0.4, None)
    assert (late.lower, late.upper) == pytest.approx((beta.ppf(0.025, 4, 7), beta.ppf(0.975, 5, 6)))
    assert found["proportion", "", "drug=omalizumab", "30 to 60 min"].answer.value == 0.2
    assert found["count", "", "drug=omalizumab", "known"].answer.value == 10.0
    assert found["count", "", "drug=omalizumab", "not known"].answer.value == 5.0
    assert found["count", "", "drug=omalizumab", "later than 24 h"].answer.value == 2.0
    assert ("proportion", "", "drug=omalizumab", "later than 24 h") not in found


def test_a_policy_without_minutes_is_not_assessable_but_says_who_was_in_the_clinic() -> None:
    found = _by(reaction_latency(_bins([1] * 6, [1] * 6), POLICIES, has_times=True, **ASKED))  # type: ignore[arg-type]
    assert found["proportion", "", "drug=omalizumab;policy=ojtf", "seen"].answer.value == 0.75
    assert found["proportion", "", "drug=omalizumab;policy=us_label", "seen"].answer.status == "not_assessable"
    assert found["proportion", "", "drug=omalizumab;policy=us_label", "supervised"].answer.value == 0.625


def test_no_reaction_with_a_time_is_not_estimable_and_no_zero() -> None:
    found = _by(reaction_latency(_bins([0, 0, 0, 0, 0, 3], [0] * 6), POLICIES.clear(), has_times=True, **ASKED))  # type: ignore[arg-type]
    late = found["proportion", "", "drug=omalizumab", "later than 60 min"].answer
    assert (late.status, late.value, late.upper) == ("not_estimable", None, None)


@pytest.mark.parametrize("what", ["no times", "no doses", "no records"])
def test_a_source_that_cannot_tell_is_not_assessable(what: str) -> None:
    bins = _bins([1] * 6, [1] * 6)
    (only,) = reaction_latency(
        bins.clear() if what == "no doses" else bins, POLICIES, has_times=what != "no times",
        **(ASKED | ({"assessable": set()} if what == "no records" else {})),  # type: ignore[arg-type]
    )  # fmt: skip
    assert (only.answer.status, only.answer.value) == ("not_assessable", None)
