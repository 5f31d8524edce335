"""Cumulative incidence of many persons: the project's estimate with its variance, from one row a person.

Each measurement runs in its own process; only the estimate is timed, not the making of the persons. R's survfit, where R is
installed, gets fewer persons of the same kind in the same rounds (its variance keeps a number for each person and day), and both are
held to the same values.

    python -m benchmarks.competing_risks [--persons N] [--persons-r N] [--rounds N] [--write PAGE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from analysis.estimate.cumulative_incidence import cumulative_incidence, cumulative_incidence_at
from benchmarks.pages import commit, machine, replace_part

CAUSES = ("adverse_event", "ineffective", "death")
DAY = 730
SURVFIT = """
suppressPackageStartupMessages(library(survival))
rows <- read.csv(commandArgs(TRUE)[1])
began <- proc.time()[["elapsed"]]
fit <- survfit(Surv(time_days, factor(cause, c("censored", "adverse_event", "ineffective", "death"))) ~ 1, data = rows)
seconds <- proc.time()[["elapsed"]] - began
at <- max(which(fit$time <= 730))
cat(sprintf("[%.6f, %.15g, %.15g]", seconds, fit$pstate[at, 2], fit$std.err[at, 2]))
"""


def persons(count: int, *, seed: int = 1) -> pl.DataFrame:
    """Persons followed for up to three years, one row each, days whole."""
    rng = np.random.default_rng(seed)
    ends = rng.integers(1, 1096, count)
    stops = np.ceil(rng.exponential(900.0, count)).astype(np.int64)
    named = np.array(CAUSES)[rng.choice(3, count, p=[0.3, 0.6, 0.1])]
    return pl.DataFrame(
        {
            "entry_days": np.zeros(count, dtype=np.int64),
            "time_days": np.minimum(stops, ends),
            "cause": np.where(stops <= ends, named, "censored"),
            "count": np.ones(count, dtype=np.int64),
        }
    )


def child(count: int) -> dict[str, float]:
    """One measurement in this process."""
    rows = persons(count)
    began = time.perf_counter()
    fit = cumulative_incidence(rows, causes=CAUSES, confidence=0.95)
    answer = cumulative_incidence_at(fit, cause=CAUSES[0], time_days=DAY)
    seconds = time.perf_counter() - began
    assert answer.value is not None
    assert answer.standard_error is not None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mib": peak, "value": answer.value, "error": answer.standard_error}


def measure(count: int) -> dict[str, float]:
    """A child process's measurement."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.competing_risks", "--child", str(count)],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def survfit(count: int) -> dict[str, float]:
    """R's measurement of the same persons."""
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "persons.csv"
        persons(count).write_csv(page)
        done = subprocess.run(
            ["Rscript", "--vanilla", "-e", SURVFIT, str(page)], stdout=subprocess.PIPE, text=True, check=True
        )
    seconds, value, error = json.loads(done.stdout)
    return {"seconds": seconds, "value": value, "error": error}


def main() -> None:
    """Measures and prints, or writes the page's part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--persons-r", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--child", type=int)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child)), flush=True)
        os._exit(0)
    has_r = shutil.which("Rscript") is not None
    found: list[dict[str, Any]] = []
    for _ in range(options.rounds):
        found.append({"many": measure(options.persons)})
        if has_r:
            found[-1] |= {"ours": measure(options.persons_r), "r": survfit(options.persons_r)}
            for number in ("value", "error"):
                if abs(found[-1]["ours"][number] - found[-1]["r"][number]) > 1e-10:
                    raise SystemExit(f"R says something else: {found[-1]}")

    def row(way: str, count: int, name: str) -> str:
        seconds = statistics.median(each[way]["seconds"] for each in found)
        peak = f"{statistics.median(each[way]['peak_mib'] for each in found):.0f}" if way != "r" else ""
        return f"| {count:,} | {name} | {seconds:.3f} | {peak} |"

    lines = [
        "## Cumulative incidence",
        "",
        f"Three causes, up to 1,095 days, one row a person; values, standard errors and limits of every day. Commit `{commit()}`, "
        f"{machine()}. Medians of {options.rounds} interleaved rounds, each measurement in its own process; the making of the persons "
        "is not counted. Where both measure the same persons, value and standard error agree to 1e-10, or the benchmark fails.",
        "",
        "| persons | way | seconds | peak resident MiB |",
        "|--:|---|--:|--:|",
        row("many", options.persons, "`cumulative_incidence`"),
    ]
    if has_r:
        lines += [
            row("ours", options.persons_r, "`cumulative_incidence`"),
            row("r", options.persons_r, "R's `survfit`"),
        ]
        ratio = statistics.median(each["r"]["seconds"] / each["ours"]["seconds"] for each in found)
        lines += ["", f"R takes {ratio:.0f} times as long for {options.persons_r:,} persons (median of the rounds)."]
    text = "\n".join([*lines, ""])
    if options.write:
        replace_part(options.write, "competing_risks", text)
    print(text)


if __name__ == "__main__":
    main()
