"""What a public report may tell of reactions, adverse events, groups of infections and comparisons with the literature."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses import adverse_events, reaction_latency, reactions
from analysis.analyses.opportunistic_group import opportunistic_groups
from analysis.disclosure import disclosed
from analysis.disclosure_check import small_counts
from analysis.estimate.result import Answer, Estimate, Question, result_frame
from tests.unit.analysis.report.small import small_report

MINIMUM = 5
YEAR = 36_525
Result = pl.DataFrame


def _shown(estimates: list[Estimate]) -> Result:
    report = small_report()
    ours = result_frame(estimates, study_digest="x")
    frames = dict(report.frames) | {"estimate.result": pl.concat([report.frames["estimate.result"], ours])}
    shown = disclosed(frames, profile="public", minimum_count=MINIMUM)
    assert small_counts(shown, minimum_count=MINIMUM) == {}
    internal = disclosed(frames, profile="internal", minimum_count=MINIMUM)["estimate.result"]
    assert internal.equals(frames["estimate.result"])
    names = set(ours["analysis"])
    return shown["estimate.result"].filter(pl.col("analysis").is_in(names))


def _status(result: Result, **equal: str) -> set[str]:
    found = result.filter(pl.all_horizontal(pl.col(name) == value for name, value in equal.items()))
    assert found.height, equal
    return set(found["status"])


def _reactions(by_dose: dict[str, tuple[int, int]], by_drug: dict[str, int]) -> list[Estimate]:
    """by_dose: persons and reactions by number of the dose; by_drug: reactions."""
    columns = ["outcome_id", "window_hours", "is_primary", "drug_id", "regimen_id", "dose_level", "person_count", "administration_count",
               "reaction_person_count", "reaction_count", "shared_count"]  # fmt: skip
    total = sum(by_drug.values())
    rows: list[tuple[object, ...]] = [
        ("anaphylaxis", 24, True, "all", "all", "all", 200, 900, total, total, 0),
        ("anaphylaxis", 48, False, "all", "all", "all", 200, 900, total + 1, total + 1, 0),
        *(("anaphylaxis", 24, True, drug, "all", "all", 100, 450, count, count, 0) for drug, count in by_drug.items()),
        *(("anaphylaxis", 24, True, "all", "all", level, persons, persons, count, count, 0) for level, (persons, count) in by_dose.items()),
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    times = pl.DataFrame(
        schema=["outcome_id", "drug_id", "regimen_id", "person_count", "person_days", "event_count"]
    ).cast({"outcome_id": pl.String})
    return reactions.reactions(
        frame, times, outcomes=["anaphylaxis"], undosed=[], rule="primary", confidence=0.95, assessable={"anaphylaxis"}
    )


def _kept() -> Result:
    return _shown(_reactions({"1": (200, 10), "2": (180, 10), "3": (150, 10), ">=4": (100, 10)}, {"a": 20, "b": 20}))


def test_nothing_small_is_shown_but_for_other_windows() -> None:
    result = _kept()
    assert _status(result, stratum="") == {"ok"}
    assert _status(result, stratum="drug=a") == {"ok"}
    assert _status(result, stratum="by=dose_number") == {"ok"}
    assert _status(result, stratum="window_hours=48") == {"suppressed"}


def test_one_small_number_of_a_breakdown_takes_it_whole_and_leaves_the_others() -> None:
    result = _shown(_reactions({"1": (200, 10), "2": (180, 10), "3": (150, 10), ">=4": (100, 10)}, {"a": 37, "b": 3}))
    assert _status(result, stratum="drug=a") == {"suppressed"}
    assert _status(result, stratum="drug=b") == {"suppressed"}
    assert _status(result, stratum="", level="") == {"ok"}
    assert _status(result, stratum="", level="1") == {"ok"}
    gone = result.filter(pl.col("status") == "suppressed")
    assert (
        gone.select("value", "lower", "upper", "person_count", "event_count").null_count().row(0) == (gone.height,) * 5
    )


def test_few_persons_lost_between_two_doses_take_the_numbers_of_doses() -> None:
    result = _shown(_reactions({"1": (200, 10), "2": (197, 10), "3": (150, 10), ">=4": (100, 10)}, {"a": 20, "b": 20}))
    assert _status(result, stratum="", level="1") == {"suppressed"}
    assert _status(result, stratum="by=dose_number") == {"ok"}
    assert _status(result, stratum="drug=a") == {"ok"}


def test_a_small_whole_closes_every_breakdown_and_latency() -> None:
    latencies = [
        Estimate(
            Question(
                analysis=reaction_latency.ANALYSIS, estimand="count", exposure_rule="primary", population="known_latency",
                outcome_id="anaphylaxis", level="known",
            ),
            Answer(method="count", value=20.0, event_count=20),
        )
    ]  # fmt: skip
    few = _reactions({"1": (200, 0), "2": (180, 0), "3": (150, 0), ">=4": (100, 3)}, {"a": 3, "b": 0})
    assert set(_shown([*few, *latencies])["status"]) == {"suppressed"}
    many = _reactions({"1": (200, 40)}, {"a": 40})
    assert _status(_shown([*many, *latencies]), analysis="reaction_latency") == {"ok"}


_LEVELS = ("0", "1", ">=2")


def _events(terms: dict[str, dict[str, tuple[int, int, int]]]) -> list[Estimate]:
    """terms: events by level, by class, by term; the totals are their sums."""
    rows: list[tuple[object, ...]] = []
    for name in ("any", "serious"):
        sums = [sum(classes.get(name, (0, 0, 0))[place] for classes in terms.values()) for place in range(3)]
        held = {"all": tuple(sums)} | {term: classes[name] for term, classes in terms.items() if name in classes}
        rows += [
            ("all" if term == "all" else "not given", term, name, "study_drugs", level, 500, YEAR, count, count, 500, YEAR, count)
            for term, counts in held.items()
            for level, count in zip(_LEVELS, counts, strict=True)
        ]  # fmt: skip
    frames = adverse_events.Frames(
        counts=pl.DataFrame(
            rows,
            schema=["system_organ_class", "term", "event_class", "dimension", "level", "person_count", "person_days", "event_person_count",
                    "event_count", "first_person_count", "first_person_days", "first_event_count"],
            orient="row",
        ),
        classes=pl.DataFrame(
            [("any", True, 900, 900), ("serious", True, 900, 900)],
            schema=["event_class", "is_assessable", "record_count", "known_count"], orient="row",
        ),
        onsets=pl.DataFrame(schema={"event_class": pl.String, "level": pl.String, "drug_day": pl.Int64, "event_count": pl.Int64}),
        doses=pl.DataFrame(schema={"regimen_id": pl.String, "administration_count": pl.Int64, "dosed_drug_count": pl.Int64}),
    )  # fmt: skip
    settings = adverse_events.Settings(rule="primary", confidence=0.95, pair_minimum_persons=10, screen_minimum_count=3)
    return adverse_events.adverse_events(frames, settings)


def _term(result: Result, term: str) -> set[str]:
    rows = result.filter(
        pl.col("stratum").str.contains(f"term={term}", literal=True) & (pl.col("population") == "all_events")
    )
    assert rows.height
    return set(rows["status"])


def test_a_term_goes_with_all_its_levels_and_another_with_it_so_that_the_total_does_not_tell() -> None:
    result = _shown(_events({"a": {"any": (50, 60, 3)}, "b": {"any": (50, 60, 20)}, "c": {"any": (90, 90, 90)}}))
    assert _term(result, "a") == {"suppressed"}
    assert _term(result, "b") == {"suppressed"}
    assert _term(result, "c") == {"ok"}
    assert _status(result, stratum="ladder=study_drugs", level=">=2", population="all_events") == {"ok"}


def test_several_small_terms_that_are_not_few_together_need_no_other() -> None:
    result = _shown(_events({"a": {"any": (4, 4, 4)}, "b": {"any": (4, 4, 4)}, "c": {"any": (90, 90, 90)}}))
    assert _term(result, "a") == _term(result, "b") == {"suppressed"}
    assert _term(result, "c") == {"ok"}


def test_few_events_that_are_not_serious_take_the_term() -> None:
    shown = _shown(_events({"a": {"any": (50, 60, 20), "serious": (50, 58, 20)}, "b": {"any": (50, 60, 20)}}))
    assert _term(shown, "a") == {"suppressed"}
    kept = _shown(_events({"a": {"any": (50, 60, 20), "serious": (50, 50, 10)}, "b": {"any": (50, 60, 20)}}))
    assert _term(kept, "a") == {"ok"}


def test_first_events_of_a_term_are_not_told() -> None:
    result = _shown(_events({"a": {"any": (50, 60, 20)}, "b": {"any": (50, 60, 20)}}))
    firsts = result.filter((pl.col("population") == "first_events") & pl.col("stratum").str.contains("term="))
    assert set(firsts["status"]) == {"suppressed"}


@pytest.mark.parametrize(("count", "status"), [(4, "suppressed"), (5, "ok"), (0, "ok")])
def test_a_group_of_infections_goes_where_it_is_small(count: int, status: str) -> None:
    counts = pl.DataFrame(
        [("primary", "infection", "pcp", "overall", "all", 500, YEAR, count, 1, 1)],
        schema=["exposure_rule", "outcome_id", "group_id", "dimension", "level", "person_count", "person_days", "event_count",
                "member_count", "assessable_count"],
        orient="row",
    )  # fmt: skip
    parts = [
        Estimate(
            Question(
                analysis="component_incidence", estimand="incidence_rate_per_100py", exposure_rule="primary", population="all_time",
                outcome_id="infection", stratum="component=pcp",
            ),
            Answer(method="garwood", value=float(count), event_count=count, person_count=500, person_days=YEAR),
        )
    ]  # fmt: skip
    result = _shown([*opportunistic_groups(counts, confidence=0.95, is_assessable=True), *parts])
    assert _status(result, analysis="opportunistic_group") == {status}
    assert result.filter(pl.col("analysis") == "opportunistic_group")["person_count"].to_list() == [None]


def test_a_comparison_goes_with_the_estimate_that_it_compares() -> None:
    few = _reactions({"1": (200, 3)}, {"omalizumab": 3})
    comparison = Estimate(
        Question(
            analysis="benchmark_comparison", estimand="risk_difference", exposure_rule="primary", population="administered",
            comparator_id="literature", stratum="analysis=anaphylaxis;benchmark=anaphylaxis_per_person_ojtf",
        ),
        Answer(method="mover_of_two_estimates", value=0.02, lower=0.0, upper=0.08),
    )  # fmt: skip
    assert _status(_shown([*few, comparison]), analysis="benchmark_comparison") == {"suppressed"}
    many = _reactions({"1": (200, 30)}, {"omalizumab": 30})
    assert _status(_shown([*many, comparison]), analysis="benchmark_comparison") == {"ok"}
