"""Log-rank test and Cox regression of a million rows with whole days, against R's survival and lifelines.

Each measurement runs in its own process; only the fit is timed, not the making or reading of the rows. R reads the same rows
from a binary file. lifelines' CoxTimeVaryingFitter has no clustered variance and gets fewer rows of the same kind, as do we for its
ratio. R and we are held to the same values to 1e-8, R's convergence tightened; lifelines to 1e-4, for it stops earlier.

    python -m benchmarks.survival [--rows N] [--rows-lifelines N] [--rounds N] [--write PAGE]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from analysis.estimate.cox import cox
from analysis.estimate.log_rank import log_rank
from benchmarks.memory import peak_mib
from benchmarks.pages import commit, machine, replace_part

COVARIATES = tuple(f"x{number}" for number in range(1, 7))
R_COLUMNS = ("person_id", "start_day", "stop_day", "event", *COVARIATES)
EFFECTS = np.array([0.5, -0.3, 0.2, 0.4, 0.0, -0.1])
DAYS = 1095
STRETCHES = 4  # rows a person of the counting process
# What is measured: its name on the page, what R calls it, and how many times faster it shall be.
KINDS = {
    "log_rank": ("log-rank test, two groups", "survdiff", 20.0),
    "cox": ("Cox, Efron, 6 covariates", "coxph", 8.0),
    "clustered": ("Cox of (start, stop] rows, Efron, 6 covariates, variance by person", "coxph(cluster = id)", 3.0),
}
LIFELINES_BAR = 100.0
WARM_UP = 2_000  # rows of a fit before the one that is timed, in either language: libraries load on first use
R_SCRIPT = """
suppressPackageStartupMessages(library(survival))
arguments <- commandArgs(TRUE)
kind <- arguments[1]
count <- as.integer(arguments[3])
numbers <- matrix(readBin(arguments[2], "double", n = count * 10), nrow = count)
colnames(numbers) <- c("person_id", "start_day", "stop_day", "event", paste0("x", 1:6))
rows <- as.data.frame(numbers)
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 50)
fitted_of <- function(rows) {
  if (kind == "log_rank") {
    survdiff(Surv(stop_day, event) ~ x1, data = rows)
  } else if (kind == "cox") {
    coxph(Surv(stop_day, event) ~ x1 + x2 + x3 + x4 + x5 + x6, data = rows, ties = "efron", control = tight)
  } else {
    coxph(Surv(start_day, stop_day, event) ~ x1 + x2 + x3 + x4 + x5 + x6, data = rows, cluster = person_id,
          ties = "efron", control = tight)
  }
}
invisible(fitted_of(rows[seq_len(WARM_UP), ]))
began <- proc.time()[["elapsed"]]
fit <- fitted_of(rows)
seconds <- proc.time()[["elapsed"]] - began
found <- if (kind == "log_rank") c(fit$chisq, fit$exp) else c(coef(fit), sqrt(diag(fit$var)))
cat(sprintf('{"seconds": %.6f, "numbers": [%s]}', seconds, paste(sprintf("%.17g", found), collapse = ", ")))
""".replace("WARM_UP", str(WARM_UP))


def made(kind: str, count: int, *, seed: int = 1) -> pl.DataFrame:
    """Rows of `start_day`, `stop_day`, `event` and covariates: one a person, or stretches of persons."""
    rng = np.random.default_rng(seed)
    is_split = kind == "clustered"
    persons = count // STRETCHES if is_split else count
    x = np.column_stack([rng.integers(0, 2, (persons, 3)), rng.normal(size=(persons, 3))]).astype(float)
    ends = rng.integers(STRETCHES, DAYS + 1, persons)
    died = np.ceil(rng.exponential(1500.0, persons) * np.exp(-x @ EFFECTS)).astype(np.int64)
    died = np.maximum(died, STRETCHES)
    stop, event = np.minimum(died, ends), (died <= ends).astype(np.int64)
    if kind == "log_rank":
        return pl.DataFrame(
            {
                "person_id": np.arange(persons), "start_day": np.zeros(persons, dtype=np.int64), "stop_day": stop,
                "event": event, "censored_count": 1 - event, "group": x[:, 0].astype(np.int64).astype(str),
                **dict(zip(COVARIATES, x.T, strict=True)),
            }
        )  # fmt: skip
    if not is_split:
        frame = {"person_id": np.arange(persons), "start_day": np.zeros(persons, dtype=np.int64), "stop_day": stop}
        return pl.DataFrame({**frame, "event": event, **dict(zip(COVARIATES, x.T, strict=True))})
    cuts = np.column_stack([stop * part // STRETCHES for part in range(STRETCHES + 1)])
    each = np.repeat(x, STRETCHES, axis=0)
    each[:, 0] = rng.integers(0, 2, each.shape[0])  # drugs come and go
    happened = np.zeros((persons, STRETCHES), dtype=np.int64)
    happened[:, -1] = event
    return pl.DataFrame(
        {
            "person_id": np.repeat(np.arange(persons), STRETCHES),
            "start_day": cuts[:, :-1].ravel(), "stop_day": cuts[:, 1:].ravel(), "event": happened.ravel(),
            **dict(zip(COVARIATES, each.T, strict=True)),
        }
    )  # fmt: skip


def child(kind: str, way: str, count: int) -> dict[str, Any]:
    """One measurement in this process: seconds, the numbers and the peak of memory."""
    rows = made(kind, count)
    _fitted(kind, way, rows.head(WARM_UP))
    began = time.perf_counter()
    numbers = _fitted(kind, way, rows)
    return {"seconds": time.perf_counter() - began, "numbers": numbers, "peak_mib": peak_mib()}


def _fitted(kind: str, way: str, rows: pl.DataFrame) -> list[float]:
    if way == "lifelines":
        return _lifelines(rows)
    if kind == "log_rank":
        test = log_rank(rows.rename({"start_day": "entry_days", "stop_day": "time_days", "event": "event_count"}))
        return [test.answer.value, *test.table["expected"]]
    fit = cox(rows, covariates=COVARIATES, confidence=0.95, ties="efron")
    return [*fit.coefficients, *(fit.robust_standard_errors if kind == "clustered" else fit.model_standard_errors)]


def _lifelines(rows: pl.DataFrame) -> list[float]:
    """The slow way. Its warnings of low variance and convergence are of its own tests, not of the numbers compared."""
    from lifelines import CoxTimeVaryingFitter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = CoxTimeVaryingFitter().fit(
            rows.to_pandas(), id_col="person_id", event_col="event", start_col="start_day", stop_col="stop_day"
        )
    return fit.params_.loc[list(COVARIATES)].to_list()


def measure(kind: str, way: str, count: int) -> dict[str, Any]:
    """A child process's measurement, of ours or lifelines."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.survival", "--child", kind, way, str(count)],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_r(kind: str, count: int) -> dict[str, Any]:
    """R's measurement of the same rows."""
    with tempfile.TemporaryDirectory() as scratch:
        numbers = Path(scratch) / "rows.bin"
        columns = made(kind, count).select(*R_COLUMNS).cast(pl.Float64).to_numpy()
        numbers.write_bytes(np.asfortranarray(columns).tobytes(order="F"))
        asked = ["Rscript", "--vanilla", "-e", R_SCRIPT, kind, str(numbers), str(columns.shape[0])]
        done = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _apart(one: list[float], other: list[float]) -> float:
    """Largest difference of numbers, relative where they are above 1."""
    return float(np.max(np.abs(np.subtract(one, other)) / np.maximum(1.0, np.abs(other))))


def _require(what: str, one: list[float], other: list[float], *, within: float) -> float:
    apart = _apart(one, other)
    if not apart <= within:
        raise SystemExit(f"{what} says something else, by {apart:g}: {one} against {other}")
    return apart


def main() -> None:
    """Measures and prints, or writes the page's part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rows-lifelines", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--child", nargs=3)
    options = parser.parse_args()
    if options.child:
        kind, way, count = options.child
        print(json.dumps(child(kind, way, int(count))), flush=True)
        os._exit(0)
    has_r = shutil.which("Rscript") is not None
    found: list[dict[tuple[str, str], dict[str, Any]]] = []
    apart = 0.0
    for _ in range(options.rounds):
        here: dict[tuple[str, str], dict[str, Any]] = {}
        for kind in KINDS:
            here[kind, "ours"] = measure(kind, "ours", options.rows)
            here[kind, "quarter"] = measure(kind, "ours", options.rows // 4)
            if has_r:
                here[kind, "r"] = measure_r(kind, options.rows)
                numbers = here[kind, "ours"]["numbers"], here[kind, "r"]["numbers"]
                apart = max(apart, _require(f"R's {kind}", *numbers, within=1e-8))
        here["clustered", "fewer"] = measure("clustered", "ours", options.rows_lifelines)
        here["clustered", "lifelines"] = measure("clustered", "lifelines", options.rows_lifelines)
        numbers = here["clustered", "fewer"]["numbers"][: len(COVARIATES)], here["clustered", "lifelines"]["numbers"]
        _require("lifelines", *numbers, within=1e-4)
        found.append(here)
    text = _page(found, options, apart if has_r else None)
    if options.write:
        replace_part(options.write, "survival", text)
    print(text)


def _page(found: list[dict[tuple[str, str], dict[str, Any]]], options: argparse.Namespace, apart: float | None) -> str:
    def median(kind: str, way: str, number: str = "seconds") -> float:
        return float(statistics.median(here[kind, way][number] for here in found))

    def against(what: str, kind: str, *, ours: str, other: str, bar: float, rows: int) -> str:
        ratio = statistics.median(here[kind, other]["seconds"] / here[kind, ours]["seconds"] for here in found)
        verdict = "reached" if ratio >= bar else "**missed**"
        own, their = median(kind, ours), median(kind, other)
        return (
            f"| {KINDS[kind][0]} | {rows:,} | {own:.3f} | {what} | {their:.2f} | {ratio:.1f} | {bar:.0f}: {verdict} |"
        )

    lines = [
        "## Survival",
        "",
        f"Whole days up to {DAYS:,}, commit `{commit()}`, {machine()}. Medians of {options.rounds} interleaved rounds, each measurement in "
        f"its own process; only the fit is timed, after one of {WARM_UP:,} rows that loads the libraries. The ratio is the median of "
        "those of the rounds.",
        "",
        "| what | rows | seconds | against | seconds | times as long | asked |",
        "|---|--:|--:|---|--:|--:|---|",
    ]
    if apart is not None:
        lines += [
            against(f"R's `{named}`", kind, ours="ours", other="r", bar=bar, rows=options.rows)
            for kind, (_, named, bar) in KINDS.items()
        ]
    lines += [
        against(
            "lifelines' `CoxTimeVaryingFitter`", "clustered", ours="fewer", other="lifelines", bar=LIFELINES_BAR,
            rows=options.rows_lifelines,
        ),
        "",
        "lifelines gets fewer rows, for its time grows with rows times event days, and has no variance by person: it does less.",
    ]  # fmt: skip
    if apart is not None:
        lines.append(
            f"Values and standard errors are R's to {apart:.0e} (coefficients absolute, what is above 1 relative), or the benchmark fails; "
            "R's convergence is tightened to 1e-12."
        )
    lines += ["", "| what | rows | peak resident MiB |", "|---|--:|--:|"]
    for kind, (named, _, _) in KINDS.items():
        for way, count in (("quarter", options.rows // 4), ("ours", options.rows)):
            lines.append(f"| {named} | {count:,} | {median(kind, way, 'peak_mib'):.0f} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
