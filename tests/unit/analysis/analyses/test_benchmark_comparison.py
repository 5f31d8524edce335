"""Literature beside ours: by hand, at the edge, and every reason why there is no comparison."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest

from analysis.analyses.benchmark_comparison import ASKED, benchmark_comparison, is_compatible
from analysis.estimate.against_published import Known, difference, ratio
from analysis.estimate.proportion import proportion
from analysis.estimate.result import EstimationError

REFERENCE = Path(__file__).parents[4] / "sql" / "reference"
NUMBERS = {"numerator": pl.Int64, "denominator": pl.Int64, "person_count": pl.Int64} | dict.fromkeys(
    ("value", "lower", "upper", "confidence_level"), pl.Float64
)
BENCHMARKS = pl.read_csv(REFERENCE / "benchmark.csv", infer_schema=False).cast(NUMBERS)  # type: ignore[arg-type]
MAPPING = pl.read_csv(REFERENCE / "benchmark_estimate.csv", infer_schema=False)
OURS = {"exposure_rule": "primary", "status": "ok", "reason": "", "confidence_level": 0.95}


def _ours(benchmark: str, **numbers: object) -> dict[str, object]:
    asked = MAPPING.filter(pl.col("benchmark_id") == benchmark).row(0, named=True)
    return {name: asked[name] or "" for name in ASKED} | OURS | {"value": 0.1, "lower": 0.0, "upper": 0.5} | numbers


def _compared(*rows: dict[str, object]) -> dict[str, dict[str, object]]:
    found = benchmark_comparison(
        BENCHMARKS, MAPPING, pl.DataFrame(list(rows), strict=False), rule="primary", confidence=0.95
    )
    strata = [estimate.question.stratum + estimate.question.population for estimate in found]
    assert len(set(strata)) == len(strata)
    return {
        estimate.question.stratum.rpartition("benchmark=")[2] + "/" + estimate.question.population: {
            "estimand": estimate.question.estimand, "value": estimate.answer.value, "lower": estimate.answer.lower,
            "upper": estimate.answer.upper, "status": estimate.answer.status, "reason": estimate.answer.reason,
        }
        for estimate in found
    }  # fmt: skip


def test_ratio_of_two_ratios_by_hand() -> None:
    ours, theirs = Known(5.8, 2.9, 11.6, 0.95), Known(2.9, 1.45, 5.8, 0.95)
    answer = ratio(ours, theirs, confidence=0.95)
    spread = math.log(2) * math.sqrt(2)
    assert answer.value == pytest.approx(2.0)
    assert (answer.lower, answer.upper) == pytest.approx((2 / math.exp(spread), 2 * math.exp(spread)))


def test_difference_of_two_shares_by_hand_and_at_zero() -> None:
    answer = difference(Known(0.5, 0.4, 0.7, 0.95), Known(0.2, 0.1, 0.3, 0.95))
    assert answer.value == pytest.approx(0.3)
    assert (answer.lower, answer.upper) == pytest.approx((0.3 - math.hypot(0.1, 0.1), 0.3 + math.hypot(0.2, 0.1)))
    both = difference(Known(0.0, 0.0, 0.1, 0.95), Known(0.0, 0.0, 0.1, 0.95))
    assert (both.value, both.lower, both.upper) == (0.0, -0.1, 0.1)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(EstimationError, match="above 0"):
        ratio(Known(1.0, 0.0, 2.0, 0.95), Known(1.0, 0.5, 2.0, 0.95), confidence=0.95)
    with pytest.raises(EstimationError, match="different confidence"):
        difference(Known(1.0, 0.0, 2.0, 0.9), Known(1.0, 0.5, 2.0, 0.95))
    with pytest.raises(EstimationError, match="inside its limits"):
        Known(3.0, 0.0, 2.0, 0.95)


def test_no_stop_of_31_against_ours() -> None:
    same = proportion(0, 31, confidence=0.95)
    numbers = {"value": same.value, "lower": same.lower, "upper": same.upper}
    key = "combination_stopped_for_adverse_event/first_episode"
    row = _compared(_ours("combination_stopped_for_adverse_event", **numbers))[key]
    assert (row["estimand"], row["value"], row["status"]) == ("risk_difference", 0.0, "ok")
    assert is_compatible(row) is True
    many = _compared(_ours("combination_stopped_for_adverse_event", value=0.30, lower=0.25, upper=0.35))[key]
    assert is_compatible(many) is False


def test_the_odds_ratio_of_the_source_against_ours() -> None:
    key = "opportunistic_two_agents/toruner_replica"
    row = _compared(_ours("opportunistic_two_agents", value=14.5, lower=4.9, upper=43.0))[key]
    assert row["value"] == pytest.approx(1.0)
    assert is_compatible(row) is True
    low = _compared(_ours("opportunistic_two_agents", value=1.0, lower=0.8, upper=1.25))[key]
    assert is_compatible(low) is False


def test_compatible_ends_where_the_limit_passes_no_difference() -> None:
    row = {"status": "ok", "estimand": "ratio_of_ratios", "upper": 3.0}
    assert is_compatible(row | {"lower": 1.0}) is True
    assert is_compatible(row | {"lower": 1.0001}) is False
    assert is_compatible(row | {"lower": None}) is None
    assert is_compatible({"status": "not_estimable", "lower": None, "upper": None, "estimand": "mean"}) is None


@pytest.mark.parametrize(
    ("benchmark", "numbers", "population", "said"),
    [
        ("combination_median_duration", {"value": 9.0, "lower": 7.9, "upper": 10.0}, "first_episode", "no interval; it lies inside ours"),
        ("combination_median_duration", {"value": 9.0, "lower": 8.1, "upper": 10.0}, "first_episode", "no interval; it lies outside ours"),
        ("anaphylaxis_late", {"value": 0.4, "lower": 0.3, "upper": 0.5}, "known_latency", "no interval; it lies inside ours"),
        ("anaphylaxis_per_person_ojtf", {"status": "not_assessable", "value": None, "lower": None, "upper": None, "reason": "no doses"},
         "administered", "ours has no value with two limits: no doses"),
        ("opportunistic_steroid", {"value": 1.0, "lower": 0.0, "upper": 5.0}, "incidence_density", "a limit is 0"),
        ("anaphylaxis_per_person_ojtf", {"confidence_level": 0.9}, "administered", "different confidence"),
    ],
)  # fmt: skip
def test_why_there_is_no_comparison(benchmark: str, numbers: dict[str, object], population: str, said: str) -> None:
    row = _compared(_ours(benchmark, **numbers))[f"{benchmark}/{population}"]
    assert (row["status"], row["value"]) == ("not_estimable", None)
    assert said in str(row["reason"])


def test_every_literature_value_has_a_row_and_a_reason_where_it_is_not_compared() -> None:
    found = _compared(_ours("opportunistic_two_agents", value=14.5, lower=4.9, upper=43.0))
    assert {key.partition("/")[0] for key in found} == set(BENCHMARKS["benchmark_id"])
    assert all(row["reason"] for row in found.values() if row["status"] != "ok")
    assert found["free_ige_target/literature"]["reason"] == "none of our estimates asks the same question"
    assert found["dual_biologic_ibd/literature"]["reason"] == "the value was not taken from its source"
    assert found["opportunistic_one_agent/all_time"]["reason"] == "the study does not ask for it"


def test_the_mapping_names_only_values_of_the_reference_and_their_estimand() -> None:
    estimands = dict(BENCHMARKS.select("benchmark_id", "estimand").iter_rows())
    for row in MAPPING.iter_rows(named=True):
        assert estimands[row["benchmark_id"]] == row["estimand"]
