"""Risk-set sampling: the project's sampler beside a join of every case with its stratum, on generated cohorts.

Each way runs in its own process, in interleaved rounds, from Parquet to a frame of sets. The join gives every eligible pair and keeps
the first controls by a hash; it knows the calipers of the narrow rule only, so that cases short of controls differ. Both are held to
the same: every set has as many controls as are eligible within the narrow calipers, or all places filled.

    python -m benchmarks.sampling [--persons N ...] [--case-shares S ...] [--rounds N] [--write PAGE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl

from analysis.matching.risk_set import MatchingRule, sample_risk_sets
from benchmarks.pages import commit, machine, replace_part

RULE = MatchingRule(controls_per_case=4, age_caliper_years=2, entry_caliper_days=90)
DAY_0 = 16_436  # 2015-01-01 in days since 1970
TABLES = ("persons", "spells", "cases")


def write_cohort(folder: Path, *, persons: int, case_share: float, seed: int = 1) -> None:
    """Persons of two sexes and six indications who enter over eight years and are followed for up to five."""
    rng = np.random.default_rng(seed)
    person_id = np.arange(1, persons + 1)
    entry = DAY_0 + rng.integers(0, 8 * 365, persons)
    followed = rng.integers(30, 5 * 365, persons)
    event = np.where(rng.random(persons) < case_share, entry + (followed * rng.random(persons)).astype(int), -1)
    stop = np.where(event >= 0, event + 1, entry + followed)
    names = pl.concat_str(
        pl.Series(rng.choice(np.array(["F", "M"]), persons)),
        pl.lit("/"),
        pl.Series(rng.choice(np.array(["asthma", "csu", "ibd", "ra", "psoriasis", "atopic"]), persons)),
    )
    birth = DAY_0 - rng.integers(18 * 365, 85 * 365, persons)
    pl.select(
        person_id=pl.Series(person_id), group=names, birth_date=_dates(birth), entry_date=_dates(entry)
    ).write_parquet(folder / "persons.parquet")
    pl.select(person_id=pl.Series(person_id), start_date=_dates(entry), stop_date=_dates(stop)).write_parquet(
        folder / "spells.parquet"
    )
    has = event >= 0
    pl.select(person_id=pl.Series(person_id[has]), event_date=_dates(event[has])).write_parquet(
        folder / "cases.parquet"
    )


def _dates(days: np.ndarray) -> pl.Series:
    return pl.Series(days.astype(np.int32)).cast(pl.Date)


def sampled(folder: Path) -> pl.DataFrame:
    """The project's sampler: controls of each case."""
    frames = [pl.read_parquet(folder / f"{name}.parquet") for name in TABLES]
    return sample_risk_sets(*frames, RULE).filter(~pl.col("is_case"))


def joined(folder: Path) -> pl.DataFrame:
    """Every case with everybody of its stratum who is at risk, in DuckDB, and the first controls by hash."""
    days = int(RULE.age_caliper_years * 365.25)
    with duckdb.connect() as con:
        con.execute("SET enable_progress_bar = false")
        for name in TABLES:
            con.execute(f"CREATE VIEW {name} AS SELECT * FROM '{folder}/{name}.parquet'")
        pairs = con.sql(
            f"""
            WITH candidate AS (
              SELECT p.person_id, p.group, p.birth_date, p.entry_date, s.start_date, s.stop_date, c.event_date
              FROM persons AS p INNER JOIN spells AS s ON p.person_id = s.person_id LEFT JOIN cases AS c ON p.person_id = c.person_id
            ), pair AS (
              SELECT c.person_id AS case_id, o.person_id, HASH(c.person_id, o.person_id) AS shuffled
              FROM cases AS c INNER JOIN persons AS p ON c.person_id = p.person_id
              INNER JOIN candidate AS o ON p.group = o.group AND o.entry_date BETWEEN p.entry_date - {RULE.entry_caliper_days}
                AND p.entry_date + {RULE.entry_caliper_days}
              WHERE o.person_id <> c.person_id AND o.start_date <= c.event_date AND c.event_date < o.stop_date
                AND ABS(o.birth_date - p.birth_date) <= {days} AND o.event_date IS DISTINCT FROM c.event_date
            )
            SELECT case_id, UNNEST(MIN_BY(person_id, shuffled, {RULE.controls_per_case})) AS person_id FROM pair GROUP BY case_id
            """
        ).to_arrow_table()
    return pl.DataFrame(pairs)


WAYS = {"sampler": sampled, "join": joined}
NAMES = {"sampler": "`sample_risk_sets`", "join": "join of each case with its stratum (DuckDB)"}


def child(way: str, folder: Path) -> dict[str, float]:
    """One measurement in this process."""
    began = time.perf_counter()
    frame = WAYS[way](folder)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mib": peak, "controls": frame.height}


def measure(way: str, folder: Path) -> dict[str, float]:
    """A child process's measurement."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.sampling", "--child", way, str(folder)],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def run(persons: int, case_share: float, *, rounds: int) -> list[str]:
    """Rows of the table for one cohort. Fails when the sampler finds fewer controls than the join."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_cohort(folder, persons=persons, case_share=case_share)
        found: list[dict[str, dict[str, Any]]] = []
        for _ in range(rounds):
            found.append({way: measure(way, folder) for way in WAYS})
            if found[-1]["sampler"]["controls"] < found[-1]["join"]["controls"]:
                raise SystemExit(f"the sampler left places open: {found[-1]}")
        cases = pl.scan_parquet(folder / "cases.parquet").select(pl.len()).collect().item()
    ratio = statistics.median(r["join"]["seconds"] / r["sampler"]["seconds"] for r in found)
    return [
        f"| {persons:,} | {cases:,} | {NAMES[way]} | {found[0][way]['controls']:,} "
        f"| {statistics.median(r[way]['seconds'] for r in found):.2f} | {f'{ratio:.1f}' if way == 'join' else '1.0'} "
        f"| {statistics.median(r[way]['peak_mib'] for r in found):.0f} |"
        for way in WAYS
    ]


def main() -> None:
    """Measures and prints, or writes the page's part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, nargs="+", default=[500_000])
    parser.add_argument("--case-shares", type=float, nargs="+", default=[0.02, 0.5])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--child", nargs=2, metavar=("WAY", "FOLDER"))
    options = parser.parse_args()
    if options.child:
        way, folder = options.child
        print(json.dumps(child(way, Path(folder))), flush=True)
        os._exit(0)
    lines = [
        "## Risk-set sampling",
        "",
        f"1:{RULE.controls_per_case}, age within {RULE.age_caliper_years} years, entry within {RULE.entry_caliper_days} days, sex and "
        f"indication equal; generated cohorts, commit `{commit()}`, {machine()}. Medians of {options.rounds} interleaved "
        f"round{'s' if options.rounds > 1 else ''}, each "
        "way in its own process, from Parquet to a frame; the ratio is of the same round. The sampler fills what the join leaves "
        "open from the wider age caliper.",
        "",
        "| persons | cases | way | controls | seconds | times the sampler | peak resident MiB |",
        "|--:|--:|---|--:|--:|--:|--:|",
    ]
    for persons in options.persons:
        for share in options.case_shares:
            lines += run(persons, share, rounds=options.rounds)
    text = "\n".join([*lines, ""])
    if options.write:
        replace_part(options.write, "sampling", text)
    print(text)


if __name__ == "__main__":
    main()
