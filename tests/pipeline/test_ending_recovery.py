"""Planted endings of pairs come back as competing risks: the probability of each reason by a year, and the median duration.

The truth is the plan's: with cause-specific hazards h that are constant and H their sum, cause c has ended a pair by t with
probability h_c / H (1 - exp(-H t)). Loss to follow-up is censoring and in no sum; a stop's reason is recorded for a share of
stops, the others are `unknown`; pregnancy is patient choice where it cannot be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from analysis.simulate import Simulation, write_simulation
from analysis.simulate.design import DAYS_PER_MONTH, STOP_REASONS
from analysis.simulate.truth import REASON_LABELS
from pipelines.analyses import ANALYSES, store
from pipelines.draws import build_order, build_table
from tests.pipeline.test_recovery import primary_only, simulated
from tests.whole_run import BUILT_BY_STEPS, prepared

DAY = 365
pytestmark = pytest.mark.slow
LARGEST_Z = 3.3  # beyond it by chance: once in a thousand
WORLDS = {"demo": (None, (1, 2)), "tiny_koc": (2480, (1, 2)), "validation": (3000, (1, 2))}
_ANALYSES = ("ending_incidence", "persistence")


@dataclass(frozen=True, slots=True)
class Hazards:
    """Planted hazards per month by what the records call an ending, and the sum of them with what is not recorded."""

    by_cause: dict[str, float]
    total: float

    def incidence(self, cause: str, *, day: int = DAY) -> float:
        return self.by_cause[cause] / self.total * -math.expm1(-self.total * day / DAYS_PER_MONTH)


def planted(simulation: Simulation) -> Hazards:
    """From the profile's parameters and who could become pregnant; nothing that was estimated or counted."""
    plan = simulation.truth["parameters"]["pair"]
    hazard = dict(plan["hazard_per_month"])
    pairs = simulation.truth_person.filter(pl.col("pair").is_not_null()).join(
        simulation.tables["person"].select("person_id", "sex"), on="person_id"
    )
    able = ((pairs["sex"] == "F") & (pairs["age"] < plan["pregnancy_below_age"])).mean()
    assert isinstance(able, float)
    total = math.fsum(rate for name, rate in hazard.items() if name != "lost")
    stops = {name: hazard[name] for name in STOP_REASONS}
    stops["patient choice"] += (1 - able) * stops["pregnancy"]
    stops["pregnancy"] *= able
    share = plan["reason_recorded_share"]
    by_cause = {REASON_LABELS.get(name, name): share * rate for name, rate in stops.items()}
    by_cause |= {"unknown": (1 - share) * math.fsum(stops.values()), "death": hazard["death"]}
    assert math.fsum(by_cause.values()) == pytest.approx(total, rel=1e-12)
    return Hazards(by_cause, total)


def estimated(simulation: Simulation, folder: Path) -> pl.DataFrame:
    """`estimate.result` of the endings and durations of first pairs, all pairs together."""
    write_simulation(simulation, folder / "source")
    build = prepared(primary_only(), folder / "source", folder / "build.duckdb")
    asked = [analysis for analysis in ANALYSES if analysis.name in _ANALYSES]
    with build.warehouse.session():
        for name in build_order(*(table for analysis in asked for table in analysis.reads)):
            if name not in BUILT_BY_STEPS:
                build_table(build, name)
        for analysis in asked:
            store(build, analysis)
        found = build.warehouse.read("estimate.result")
    build.warehouse.discard()
    return found.filter(population="first_episode", regimen_id="all", exposure_rule="primary")


@dataclass(frozen=True, slots=True)
class World:
    """One simulated world: what is planted and what was estimated."""

    hazards: Hazards
    median_months: float
    result: pl.DataFrame

    def ending(self, cause: str) -> dict[str, float]:
        rows = self.result.filter(
            analysis="ending_incidence", stratum="by=reason", level=cause, time_days=DAY, status="ok"
        )
        assert rows.height == 1, f"{rows.height} estimates of {cause}"
        return rows.row(0, named=True)

    def median(self) -> dict[str, float]:
        return self.result.row(by_predicate=(pl.col("method") == "kaplan_meier_log_log")
            & (pl.col("estimand") == "median_duration_months") & (pl.col("stratum") == ""), named=True)  # fmt: skip


@pytest.fixture(scope="module", params=list(WORLDS))
def worlds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[World]:
    """Worlds of one profile, by seed."""
    persons, seeds = WORLDS[request.param]
    found = []
    for seed in seeds:
        simulation = simulated(request.param, seed, persons=persons)
        result = estimated(simulation, tmp_path_factory.mktemp("endings"))
        median = next(p["value"] for p in simulation.truth["planted"] if p["name"] == "pair_median")
        found.append(World(planted(simulation), median, result))
    return found


def _causes(worlds: list[World]) -> list[str]:
    return [cause for cause, rate in worlds[0].hazards.by_cause.items() if rate > 0]


def _z(worlds: list[World], cause: str, truths: list[float]) -> float:
    """Mean deviation from the truths over its standard error, all worlds together."""
    answers = [world.ending(cause) for world in worlds]
    errors = math.sqrt(math.fsum(answer["standard_error"] ** 2 for answer in answers))
    return math.fsum(answer["value"] - truth for answer, truth in zip(answers, truths, strict=True)) / errors


def test_the_probability_of_each_reason_by_a_year_comes_back(worlds: list[World]) -> None:
    z = {cause: _z(worlds, cause, [w.hazards.incidence(cause) for w in worlds]) for cause in _causes(worlds)}
    assert {cause: value for cause, value in z.items() if abs(value) > LARGEST_Z} == {}


def test_its_limits_hold_it(worlds: list[World]) -> None:
    asked = [(world, cause) for world in worlds for cause in _causes(worlds)]
    missed = [c for w, c in asked if not w.ending(c)["lower"] <= w.hazards.incidence(c) <= w.ending(c)["upper"]]
    # At a nominal 95 % and 14 or more intervals, so many or more are missed once in a hundred times.
    assert len(missed) < max(4, round(0.2 * len(asked))), missed


def test_a_truth_twice_as_large_is_missed(worlds: list[World]) -> None:
    """The negative control."""
    common = [cause for cause in _causes(worlds) if worlds[0].hazards.incidence(cause) > 0.02]
    assert len(common) >= 5
    for cause in common:
        assert abs(_z(worlds, cause, [2 * w.hazards.incidence(cause) for w in worlds])) > LARGEST_Z, cause


def test_what_forgets_the_share_recorded_or_the_other_reasons_is_missed(worlds: list[World]) -> None:
    """Negative controls: the probability if every reason were recorded, and one minus Kaplan-Meier of the reason alone."""
    share = 0.85
    every = [w.hazards.incidence("efficacy") / share for w in worlds]
    alone = [-math.expm1(-w.hazards.by_cause["efficacy"] * DAY / DAYS_PER_MONTH) for w in worlds]
    assert _z(worlds, "efficacy", every) < -LARGEST_Z
    assert _z(worlds, "efficacy", alone) < -LARGEST_Z


def test_the_median_duration_comes_back(worlds: list[World]) -> None:
    """All worlds together, errors from the limits; a truth twice as large does not."""
    found = [(world.median(), world.median_months, world.hazards.total) for world in worlds]
    errors = math.sqrt(math.fsum(((m["upper"] - m["lower"]) / (2 * 1.96)) ** 2 for m, _, _ in found))
    for times, comes_back in ((1, True), (2, False)):
        z = math.fsum(median["value"] - times * truth for median, truth, _ in found) / errors
        assert (abs(z) < LARGEST_Z) is comes_back, z
    for _, truth, total in found:
        assert truth == pytest.approx(math.log(2) / total)


def test_a_reason_that_nobody_has_is_zero_with_an_upper_limit(worlds: list[World]) -> None:
    """`tiny_koc` has no stop for an adverse event; its median is 8.0 months."""
    for world in worlds:
        answer = world.ending("adverse_event")
        if world.hazards.by_cause["adverse_event"] > 0:
            assert answer["lower"] > 0.0
            continue
        assert world.median_months == pytest.approx(8.0)
        assert (answer["value"], answer["lower"], answer["event_count"]) == (0.0, 0.0, 0)
        # Exact, of the fewest at risk so far: those of the day itself.
        assert answer["upper"] == pytest.approx(-math.expm1(math.log(0.025) / answer["person_count"]), rel=1e-12)
