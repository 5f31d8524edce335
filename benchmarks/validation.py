"""Validation: whether matched odds ratios give back what was planted, over many simulated worlds.

    python -m benchmarks.validation --folder FOLDER [--write PAGE] [--ladder N] [--null N] [--interaction N] [--demo N] ...

Every replicate is appended to FOLDER/replicates.csv as it is done, and not done again while the worlds and the folder stay the same:
a run that was stopped goes on where it was. `--write` puts the table between its markers in the page.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import polars as pl

from benchmarks.pages import commit, replace_part
from benchmarks.replicates import CONFIDENCE, ROW_SCHEMA, is_outside, replicate
from benchmarks.worlds import WORLDS

PREFIX = {"world": pl.String, "digest": pl.String, "seed": pl.Int64}
SCHEMA = PREFIX | ROW_SCHEMA
LARGEST_BIAS = 0.03
LARGEST_SPREAD = 2.6  # Monte-Carlo standard errors of the coverage below its nominal value


def digest(world: str) -> str:
    """What a world is, in eight letters: another one makes other replicates."""
    return hashlib.sha256(repr(WORLDS[world]).encode()).hexdigest()[:8]


def done(path: Path) -> pl.DataFrame:
    """The replicates that a folder holds of the worlds as they are."""
    if not path.is_file():
        return pl.DataFrame(schema=SCHEMA)
    rows = pl.read_csv(path, schema=SCHEMA)
    return rows.filter(pl.struct("world", "digest").is_in([{"world": w, "digest": digest(w)} for w in WORLDS]))


def missing(rows: pl.DataFrame, wanted: dict[str, int]) -> Iterator[tuple[str, int]]:
    """World and seed of every replicate that is wanted and not there, the worlds by turns."""
    there = set(rows.select("world", "seed").iter_rows())
    for seed in range(1, max(wanted.values(), default=0) + 1):
        yield from ((world, seed) for world, count in wanted.items() if seed <= count and (world, seed) not in there)


def _one(task: tuple[str, int]) -> pl.DataFrame:
    world, seed = task
    named = [pl.lit(world).alias("world"), pl.lit(digest(world)).alias("digest"), pl.lit(seed, pl.Int64).alias("seed")]
    return replicate(world, seed).select(*named, *ROW_SCHEMA)


def run(folder: Path, wanted: dict[str, int], *, processes: int) -> pl.DataFrame:
    """Does what is missing and gives everything."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "replicates.csv"
    tasks = list(missing(done(path), wanted))
    os.environ["POLARS_MAX_THREADS"] = "1"
    with get_context("spawn").Pool(processes) as pool:
        for rows in pool.imap_unordered(_one, tasks):
            with path.open("ab") as file:
                rows.write_csv(file, include_header=file.tell() == 0)
    rows = done(path)
    return rows.filter(pl.any_horizontal((pl.col("world") == w) & (pl.col("seed") <= n) for w, n in wanted.items()))


def summary(rows: pl.DataFrame) -> pl.DataFrame:
    """Of each analysis and level: replicates, mean bias of the log with its Monte-Carlo error, coverage with its own.

    rows: one estimate a row. RERI, which is no ratio, has its bias on its own scale. Estimates without a value are counted in
    `without_value`, and left out of the bias alone. Coverage is the share of intervals that hold the truth.
    """
    is_ratio = pl.col("analysis") != "joint, reri"
    biased = (
        pl.when(is_ratio).then((pl.col("value") / pl.col("truth")).log()).otherwise(pl.col("value") - pl.col("truth"))
    )
    outside = [is_outside(*limits) for limits in rows.select("truth", "lower", "upper").iter_rows()]
    return (
        rows.with_columns(bias=biased, held=~pl.Series("outside", outside, dtype=pl.Boolean))
        .group_by("world", "analysis", "level", "truth")
        .agg(
            replicates=pl.len(),
            without_value=pl.col("value").is_null().sum(),
            cases=pl.col("cases").mean(),
            bias=pl.col("bias").mean(),
            bias_error=pl.col("bias").std() / pl.col("bias").count().sqrt(),
            spread=pl.col("bias").std(),
            coverage=pl.col("held").mean(),
        )
        .with_columns(
            coverage_error=(pl.lit(CONFIDENCE * (1 - CONFIDENCE)) / pl.col("replicates")).sqrt(),
            estimate=pl.when(is_ratio).then(pl.col("truth") * pl.col("bias").exp()).otherwise(pl.col("truth") + pl.col("bias")),
        )
        .sort("world", "analysis", "level")
    )  # fmt: skip


def false_positives(rows: pl.DataFrame) -> pl.DataFrame:
    """Of each method in the world where nothing acts: tests, and the share whose interval leaves 1 out."""
    null = rows.filter(pl.col("world") == "null")
    outside = [is_outside(*limits) for limits in null.select("truth", "lower", "upper").iter_rows()]
    return (
        null.with_columns(found=pl.Series("found", outside, dtype=pl.Boolean))
        .group_by("analysis")
        .agg(tests=pl.len(), found=pl.col("found").sum(), share=pl.col("found").mean())
        .sort("analysis")
    )


def page(rows: pl.DataFrame) -> str:
    """The tables in Markdown."""
    told = summary(rows)
    lines = [
        "## Planted ratios, adjusted and not",
        "",
        f"Commit `{commit()}`; `python -m benchmarks.validation`. Each replicate is a simulated world, read as files, through the "
        "SELECTs of the product to its matched sets (1:4). Truth and estimate are geometric means (RERI: means), the bias is that of "
        "the logarithm (RERI: its own), each with its Monte-Carlo error.",
        "",
        "| world | analysis | level | replicates | cases | truth | estimate | bias | error | 95 % intervals that hold the truth |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {each['world']} | {each['analysis']} | {each['level']} | {each['replicates']} | {each['cases']:.0f} | "
        f"{each['truth']:.3g} | {each['estimate']:.3g} | {each['bias']:+.3f} | {_number(each['bias_error'])} | "
        f"{100 * each['coverage']:.1f} % |"
        for each in told.filter(pl.col("world") != "null").iter_rows(named=True)
    ]
    lines += [
        "", "Where nothing acts (profile `null`), any class of the broad ladder against none:", "",
        "| method | tests | 1 outside the 95 % interval | Monte-Carlo error |", "|---|--:|--:|--:|",
    ]  # fmt: skip
    for each in false_positives(rows).iter_rows(named=True):
        error = math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / each["tests"])
        lines.append(f"| {each['analysis']} | {each['tests']} | {100 * each['share']:.1f} % | {100 * error:.1f} % |")
    return "\n".join([*lines, ""])


def _number(value: float | None) -> str:
    """A Monte-Carlo error, which one replicate has not."""
    return "" if value is None else f"{value:.3f}"


def verdicts(rows: pl.DataFrame) -> dict[str, bool]:
    """What must hold, and whether it does."""
    asked = rows.filter(pl.col("world").is_in(["ladder", "interaction"]))
    told = {(e["analysis"], e["level"]): e for e in summary(asked).iter_rows(named=True)}
    latent = [told["latent severity", level] for level in ("1", ">=2")]
    null = {each["analysis"]: each["share"] for each in false_positives(rows).iter_rows(named=True)}
    joint = [each for (analysis, _), each in told.items() if analysis.startswith("joint")]
    return {
        "bias, adjusted for the latent severity": all(abs(e["bias"]) < LARGEST_BIAS for e in latent),
        "coverage, adjusted for the latent severity": all(
            e["coverage"] >= CONFIDENCE - LARGEST_SPREAD * e["coverage_error"] for e in latent
        ),
        "unadjusted above the truth": all(told["unadjusted", level]["bias"] > 0 for level in ("1", ">=2")),
        "proxies between the two": all(
            told["latent severity", level]["bias"] < told["proxies", level]["bias"] < told["unadjusted", level]["bias"]
            for level in ("1", ">=2")
        ),
        "level ever reached below 0.6 of the truth": told["level ever reached", ">=2"]["bias"] < math.log(0.6),
        "false positives": 0.035 <= null["conditional logistic, profile"] <= 0.065,
        "false positives of exact methods": null["exact conditional"] <= 0.057,
        "interaction, on both scales": all(
            abs(told[measure, ""]["bias"]) < 3.3 * told[measure, ""]["bias_error"]
            for measure in ("joint, ratio_of_ratios", "joint, reri")
        ),
        "coverage of joint ratios and their interaction": all(
            e["coverage"] >= CONFIDENCE - LARGEST_SPREAD * e["coverage_error"] for e in joint
        ),
    }


def main() -> None:
    """Measures, prints, and writes the page's part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--ladder", type=int, default=200)
    parser.add_argument("--null", type=int, default=50)
    parser.add_argument("--interaction", type=int, default=80)
    parser.add_argument("--demo", type=int, default=0)
    parser.add_argument("--validation", type=int, default=1, help="worlds of the named size, 200,000 persons")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    wanted = {world: getattr(options, world) for world in WORLDS}
    rows = run(options.folder, wanted, processes=options.processes)
    text = page(rows)
    if options.write:
        replace_part(options.write, "validation", text)
    print(text)
    print("\n".join(f"{'holds' if holds else 'FAILS'}: {name}" for name, holds in verdicts(rows).items()))


if __name__ == "__main__":
    main()
