"""Omalizumab-IgE courses of many persons in arrays, against scipy's solve_ivp one person at a time.

Each measurement runs in its own process; CPU seconds of the process are counted. The ratio is of one task, from frames of persons and
doses to free IgE of each day of each person: solve_ivp (LSODA) on plain Python numbers, restarted at each dose, and arrays. Both are held
to the same free IgE. What the arrays take up to days below each threshold and the rise after each last dose is measured apart.

    python -m benchmarks.pkpd [--persons N] [--persons-solver N] [--rounds N] [--write PAGE]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.integrate import solve_ivp

from analysis.pkpd.courses import Piece, collected, courses, daily
from analysis.pkpd.dosing_table import dosing_table, expected_dose
from analysis.pkpd.parameters import Individuals, individuals, parameter_set
from analysis.pkpd.quantities import NG_PER_IU
from analysis.pkpd.thresholds import days_below, last_doses, threshold_stretches, withdrawal
from benchmarks.memory import peak_mib
from benchmarks.pages import commit, machine, replace_part

REFERENCE = Path(__file__).parents[1] / "sql" / "reference"
WEEKS, WEEKS_TREATED = 44, 28
CPU_BAR, RATIO_BAR = 60.0, 100.0  # seconds for all persons; times solve_ivp's for one
TOLERANCE = 1e-6  # relative, of solve_ivp
APART = 1e-4  # of free IgE, relative
DELAY_DAYS = 5  # a dose is given up to this much late


def made(count: int, *, seed: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Persons whom the US table doses, each dose up to 5 days late, 28 weeks of 44."""
    rng = np.random.default_rng(seed)
    drawn = 2 * count
    persons = pl.DataFrame(
        {
            "person_id": np.arange(drawn),
            "weight_kg": rng.uniform(45.0, 110.0, drawn),
            "baseline_ige_iu_per_ml": np.exp(rng.uniform(math.log(31.0), math.log(700.0), drawn)),
            "until_day": 7 * WEEKS,
        }
    )
    table = pl.read_csv(REFERENCE / "omalizumab_dosing_us_12plus.csv")
    dose = expected_dose(persons, dosing_table(table, name="us", version="")).filter(pl.col("status") == "dosed")
    persons = persons.join(dose, on="person_id", maintain_order="left").head(count)
    days = pl.DataFrame({"planned": np.arange(0, 7 * WEEKS_TREATED, 14)})
    doses = persons.join(days, how="cross").filter(pl.col("planned") % pl.col("expected_interval_days") == 0)
    late = np.where(doses["planned"].to_numpy() > 0, rng.integers(0, DELAY_DAYS + 1, doses.height), 0)
    doses = doses.select("person_id", day=pl.col("planned") + late, dose_mg="expected_dose_mg")
    return persons.select("person_id", "weight_kg", "baseline_ige_iu_per_ml", "until_day"), doses


def ours(count: int, *, is_summary: bool) -> dict[str, Any]:
    """CPU and wall seconds of all persons, and the peak of memory."""
    published = parameter_set(pl.read_csv(REFERENCE / "omalizumab_parameter.csv"), model="lowe")
    task = _summarised if is_summary else _daily_minimum
    task(*made(100), published)
    persons, doses = made(count)
    began, began_wall = time.process_time(), time.perf_counter()
    frames = task(persons, doses, published)
    seconds, wall = time.process_time() - began, time.perf_counter() - began_wall
    rows = sum(frame.height for frame in frames)
    return {"seconds": seconds, "wall": wall, "peak_mib": peak_mib(), "rows": rows}


def _daily_minimum(persons: pl.DataFrame, doses: pl.DataFrame, published: Any) -> list[pl.DataFrame]:
    """Free IgE of each day as an array, of which only the least is kept."""

    def least(piece: Piece) -> pl.DataFrame:
        days = piece.free_ige[:: piece.course.steps_per_day]
        return pl.DataFrame({"person_id": piece.given.person_id, "least": days.min(axis=0)})

    return collected(courses(persons, doses, published, anchor="clearance"), least)


def _summarised(persons: pl.DataFrame, doses: pl.DataFrame, published: Any) -> list[pl.DataFrame]:
    stops = last_doses(persons, doses)
    windows = stops.select("person_id", start_day=pl.lit(0), stop_day=pl.col("last_dose_day") + 28)
    return collected(
        courses(persons, doses, published, anchor="clearance"),
        lambda piece: days_below(threshold_stretches(piece), windows=windows),
        lambda piece: withdrawal(piece, stops=stops),
    )


def solver(count: int) -> dict[str, Any]:
    """CPU seconds a person of solve_ivp, and how far free IgE of any day is from ours."""
    published = parameter_set(pl.read_csv(REFERENCE / "omalizumab_parameter.csv"), model="lowe")
    persons, doses = made(count)
    people = individuals(
        published,
        weight_kg=persons["weight_kg"].to_numpy(),
        baseline_ige_ng_per_ml=NG_PER_IU * persons["baseline_ige_iu_per_ml"].to_numpy(),
        anchor="clearance",
    )
    given = [
        dict(doses.filter(pl.col("person_id") == who).select("day", "dose_mg").rows()) for who in persons["person_id"]
    ]
    _solved(people, 0, given[0])
    began = time.process_time()
    found = [_solved(people, person, each) for person, each in enumerate(given)]
    seconds = (time.process_time() - began) / count
    (days,) = collected(courses(persons, doses, published, anchor="clearance"), daily)
    expected = days.sort("person_id", "day")["free_ige_ng_per_ml"].to_numpy().reshape(count, -1)
    return {"seconds": seconds, "apart": float(np.abs(np.array(found) / expected - 1.0).max())}


def _solved(people: Individuals, person: int, doses: dict[int, float]) -> list[float]:
    """Free IgE of each day of one person, by LSODA from dose to dose."""
    absorption, volume = float(people.absorption_rate[person]), float(people.volume[person])
    drug_rate, ige_rate = float(people.drug_clearance[person]) / volume, float(people.ige_clearance[person]) / volume
    bound_rate = float(people.complex_clearance[person]) / float(people.complex_volume[person])
    production, scale = float(people.ige_production[person]), float(people.binding_scale[person])
    exponent = people.dissociation_exponent

    def free(drug: float, ige: float) -> tuple[float, float]:
        constant = scale * (drug / ige) ** exponent if drug > 0.0 else 0.0
        excess = drug - ige + constant
        half = 0.5 * (abs(excess) + math.sqrt(excess * excess + 4.0 * constant * ige))
        unbound = constant * ige / half if excess > 0.0 else half
        return unbound, drug * unbound / (constant + unbound)

    def change(_: float, state: Any) -> tuple[float, float, float]:
        depot, drug, ige = float(state[0]), float(state[1]), float(state[2])
        unbound, bound = free(drug, ige)
        absorbed, cleared = absorption * depot, bound_rate * bound
        return -absorbed, absorbed - drug_rate * (drug - bound) - cleared, production - ige_rate * unbound - cleared

    state = np.array([0.0, 0.0, float(people.baseline_ige[person])])
    levels = [190.0 * free(0.0, state[2])[0] / volume]
    starts = sorted(doses)
    for start, stop in zip(starts, [*starts[1:], 7 * WEEKS], strict=True):
        state[0] += doses[start] * 1e3 / 150.0
        solution = solve_ivp(
            change, (start, stop), state, method="LSODA", rtol=TOLERANCE, atol=1e-9, t_eval=np.arange(start + 1, stop + 1)
        )  # fmt: skip
        levels += [190.0 * free(drug, ige)[0] / volume for _, drug, ige in solution.y.T.tolist()]
        state = solution.y[:, -1].copy()
    return levels


WAYS: dict[str, Callable[[int], dict[str, Any]]] = {
    "daily": partial(ours, is_summary=False),
    "summary": partial(ours, is_summary=True),
    "solver": solver,
}


def measure(way: str, count: int) -> dict[str, Any]:
    """A child process's measurement."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.pkpd", "--child", way, str(count)], stdout=subprocess.PIPE, text=True, check=True
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measures and prints, or writes the page's part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=100_000)
    parser.add_argument("--persons-solver", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--child", nargs=2)
    options = parser.parse_args()
    if options.child:
        way, count = options.child
        print(json.dumps(WAYS[way](int(count))), flush=True)
        os._exit(0)
    found = []
    for _ in range(options.rounds):
        here = {
            "daily": measure("daily", options.persons),
            "solver": measure("solver", options.persons_solver),
            "quarter": measure("summary", options.persons // 4),
            "summary": measure("summary", options.persons),
        }
        if not here["solver"]["apart"] <= APART:
            raise SystemExit(f"solve_ivp's free IgE is another, by {here['solver']['apart']:g}")
        found.append(here)
    text = _page(found, options)
    if options.write:
        replace_part(options.write, "pkpd", text)
    print(text)


def _page(found: list[dict[str, dict[str, Any]]], options: argparse.Namespace) -> str:
    def median(way: str, number: str) -> float:
        return float(statistics.median(here[way][number] for here in found))

    ratio = statistics.median(
        here["solver"]["seconds"] / (here["daily"]["seconds"] / options.persons) for here in found
    )
    verdicts = [
        "reached" if held else "**missed**" for held in (median("summary", "seconds") <= CPU_BAR, ratio >= RATIO_BAR)
    ]
    apart = max(here["solver"]["apart"] for here in found)
    lines = [
        "## Omalizumab and IgE",
        "",
        f"{WEEKS} weeks of each person, dosed by the US table for {WEEKS_TREATED} weeks, doses up to {DELAY_DAYS} days late, commit "
        f"`{commit()}`, {machine()}. Medians of {options.rounds} interleaved rounds, each measurement in its own process.",
        "",
        "| what | persons | CPU seconds | CPU ms a person | wall seconds | peak resident MiB |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    tasks = (
        ("free IgE of each day, in arrays", "daily", options.persons),
        ("days below 50, 25 and 14 ng/mL, rise after the last dose", "quarter", options.persons // 4),
        ("the same", "summary", options.persons),
    )
    for what, way, count in tasks:
        spent, wall, peak = (median(way, number) for number in ("seconds", "wall", "peak_mib"))
        lines.append(f"| {what} | {count:,} | {spent:.1f} | {1e3 * spent / count:.3f} | {wall:.1f} | {peak:.0f} |")
    one, some = median("solver", "seconds"), options.persons_solver
    lines += [
        f"| free IgE of each day, scipy's `solve_ivp` | {some:,} | {one * some:.1f} | {1e3 * one:.1f} |  |  |",
        "",
        f"{options.persons:,} persons in at most {CPU_BAR:.0f} s of CPU: {verdicts[0]}. `solve_ivp` (LSODA, relative tolerance "
        f"{TOLERANCE:.0e}) takes {ratio:.0f} times as long a person (asked: {RATIO_BAR:.0f}, {verdicts[1]}); its free IgE of every day is "
        f"ours to {apart:.0e}.",
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
