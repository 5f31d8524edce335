"""The validation on small worlds: what was planted comes back, what confounds it shows, and a truth that was not planted is missed.

The whole of it, 200 replicates and more, is `benchmarks/validation.py`; its table stands in the documentation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analysis.simulate import Simulation
from benchmarks.replicates import (
    ROW_SCHEMA,
    built_sets,
    interaction_rows,
    is_outside,
    ladder_rows,
    null_rows,
    simulated,
)
from benchmarks.validation import SCHEMA, digest, done, false_positives, missing, summary
from benchmarks.worlds import INTERACTION_WORLD, LADDER_WORLD, NULL_WORLD
from pipelines.steps import Build

_LADDER = replace(LADDER_WORLD, persons=6_000)
_SEED = 3


@pytest.fixture(scope="module")
def ladder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Build, Simulation]]:
    simulation = simulated(_LADDER, _SEED)
    build = built_sets(_LADDER, simulation, tmp_path_factory.mktemp("ladder"), threads=2)
    yield build, simulation
    build.warehouse.discard()


@pytest.fixture(scope="module")
def told(ladder: tuple[Build, Simulation]) -> dict[tuple[str, str], dict[str, float]]:
    rows = ladder_rows(*ladder)
    assert rows["status"].unique().to_list() == ["ok"]
    return {(row["analysis"], row["level"]): row for row in rows.iter_rows(named=True)}


def _is_near(row: dict[str, Any]) -> bool:
    """Whether the truth lies within the 99.9 % limits, 1.68 times as far away as those of 95 %; ratios on the log scale."""
    scale = (lambda number: number) if row["analysis"] == "joint, reri" else math.log
    value, truth, lower, upper = (scale(row[name]) for name in ("value", "truth", "lower", "upper"))
    return bool(1.68 * (lower - value) <= truth - value <= 1.68 * (upper - value))


def test_the_product_sees_the_very_days_and_events_on_which_hazards_were_planted(
    ladder: tuple[Build, Simulation],
) -> None:
    build, simulation = ladder
    found = build.warehouse.query(
        """SELECT CASE WHEN t.toruner_count >= 2 THEN '>=2' ELSE CAST(t.toruner_count AS VARCHAR) END AS level,
        CAST(SUM(t.stop_day - t.start_day) AS BIGINT) AS person_days, CAST(SUM(t.event_count) AS BIGINT) AS event_count
        FROM cohort.person_time AS t WHERE t.population = 'all_time' GROUP BY level"""
    )
    seen = {row["level"]: (row["person_days"], row["event_count"]) for row in found.iter_rows(named=True)}
    planted = {
        row["level"]: (row["person_days"], row["event_count"]) for row in simulation.truth["realised"]["toruner"]
    }
    assert seen == planted


@pytest.mark.parametrize("level", ["1", ">=2"])
def test_adjusted_for_the_latent_severity_the_planted_ratio_comes_back(
    told: dict[tuple[str, str], dict[str, float]], level: str
) -> None:
    row = told["latent severity", level]
    assert _is_near(row)
    assert is_outside(2 * row["truth"], row["lower"], row["upper"]), "negative control: a doubled truth must be missed"


def test_what_is_not_adjusted_for_raises_the_ratio_and_proxies_take_most_of_it(
    told: dict[tuple[str, str], dict[str, float]],
) -> None:
    latent, proxies, nothing = (
        math.log(told[analysis, ">=2"]["value"]) for analysis in ("latent severity", "proxies", "unadjusted")
    )
    assert latent < proxies < nothing
    assert nothing - latent > 0.1
    assert nothing - proxies > proxies - latent


def test_the_level_ever_reached_is_far_below_the_truth(told: dict[tuple[str, str], dict[str, float]]) -> None:
    row = told["level ever reached", ">=2"]
    assert row["upper"] < row["truth"]
    assert row["value"] < row["truth"] / 1.5


def test_a_planted_interaction_comes_back_on_both_scales(tmp_path: Path) -> None:
    simulation = simulated(INTERACTION_WORLD, 1)
    build = built_sets(INTERACTION_WORLD, simulation, tmp_path, threads=2)
    rows = {(row["analysis"], row["level"]): row for row in interaction_rows(build, simulation).iter_rows(named=True)}
    build.warehouse.discard()
    assert len(rows) == 5
    both = rows["joint, odds_ratio", "infliximab+omalizumab"]
    assert both["truth"] == 7.5
    for row in rows.values():
        assert _is_near(row), row
    # Negative control: neither multiplying only (1) nor adding only (0) is held.
    assert is_outside(1.0, *(rows["joint, ratio_of_ratios", ""][limit] for limit in ("lower", "upper")))
    assert is_outside(0.0, *(rows["joint, reri", ""][limit] for limit in ("lower", "upper")))


def test_where_nothing_acts_few_intervals_leave_1_out(tmp_path: Path) -> None:
    """22 outcomes of one world: seven or more at 5 % have a chance of 1 in 10,000."""
    world = replace(NULL_WORLD, persons=2_500)
    simulation = simulated(world, 1)
    build = built_sets(world, simulation, tmp_path, threads=2)
    rows = null_rows(build, simulation)
    build.warehouse.discard()
    rows = rows.select(pl.lit("null").alias("world"), *ROW_SCHEMA)
    counts = false_positives(rows)
    assert counts["tests"].to_list() == [22, 22, 22]
    assert counts["found"].max() < 7  # type: ignore[operator]
    shifted = rows.with_columns(truth=pl.lit(3.0))
    assert false_positives(shifted)["share"].min() > 0.5  # type: ignore[operator]


def test_the_summary_counts_intervals_and_averages_logarithms() -> None:
    values = [
        ("latent severity", 2.0, 1.0, 4.0),
        ("latent severity", 8.0, 5.0, 9.0),
        ("latent severity", None, 3.0, None),
    ]
    rows = pl.DataFrame(
        [
            ("ladder", "d", seed, analysis, "o", "1", 4.0, "ok", value, lower, upper, 10)
            for seed, (analysis, value, lower, upper) in enumerate(values)
        ],
        schema=SCHEMA,
        orient="row",
    )
    told = summary(rows).row(0, named=True)
    assert (told["replicates"], told["without_value"]) == (3, 1)
    assert told["bias"] == pytest.approx(0.0, abs=1e-12)  # ln 1/2 and ln 2
    assert told["bias_error"] == pytest.approx(math.log(2.0))  # their deviation ln 2 x sqrt 2, over sqrt 2
    assert told["coverage"] == pytest.approx(2 / 3)


def test_a_stopped_run_goes_on_and_another_world_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "replicates.csv"
    wanted = {"ladder": 2, "null": 1}
    assert list(missing(done(path), wanted)) == [("ladder", 1), ("null", 1), ("ladder", 2)]
    row = ("latent severity", "o", "1", 4.0, "ok", 2.0, 1.0, 4.0, 10)
    kept, stale = ("ladder", digest("ladder"), 1, *row), ("null", "00000000", 1, *row)
    pl.DataFrame([kept, stale], schema=SCHEMA, orient="row").write_csv(path)
    assert list(missing(done(path), wanted)) == [("null", 1), ("ladder", 2)]
