"""Exposure: episodes and combination intervals from generated prescriptions, beside other ways to the same rows.

Owns the generator and the measurement; the ways are in `benchmarks.exposure_methods`. Each way runs in its own process, in
interleaved rounds, from its input to a Parquet file of rows. DuckDB's sort and the OMOP drug_era algorithm read Parquet with
numbers; the project's SQL reads tables of the contract's types and so sorts more bytes.

The measurement fails when two ways give different rows. The drug_era algorithm joins when the next start is at most 30 days
after the end; its end is start + days supplied, which is our exclusive stop date, so with supplies the rows must be the same. Only where a
record gives an end date of its own, inclusive, do the two differ, by one day of gap; generated records have none.

    python -m benchmarks.exposure [--rows N ...] [--rounds N] [--memory-limit 2GB] [--ways NAME ...] [--write PAGE [--part NAME]]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.exposure_arrays import episode_numpy, interval_polars
from benchmarks.exposure_methods import add_episodes, prepare, sql_step
from benchmarks.pages import commit, machine, replace_part
from sql.catalog import queries

DRUG_COUNT = 30
ROWS_PER_PERSON = 20
CHUNK_PERSONS = 100_000
DAY_0 = 16_436  # 2015-01-01 in days since 1970


def prescription_chunks(rows: int, *, seed: int) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Prescriptions (person_id, drug, start_date, days) and observed time (person_id, start_date, stop_date) in parts.

    About `rows` prescriptions of rows / 20 persons. A person has one to five drugs; a record follows the one before by its
    days covered, up to six days early in 30 % and after 31 to 200 days more in 8 %; 1 % are repeated on the same day.
    A person's records are together in one part, in random order; the persons of a part are spread over all numbers.
    """
    persons = max(rows // ROWS_PER_PERSON, 1)
    parts = -(-persons // CHUNK_PERSONS)
    for part in range(parts):
        rng = np.random.default_rng([seed, part])
        person = np.arange(part, persons, parts, dtype=np.int64)
        yield _prescriptions(person, rng), _observation(person, rng)


def _prescriptions(person: np.ndarray, rng: np.random.Generator) -> pa.Table:
    courses = rng.integers(1, 6, size=person.size)
    drug = np.argsort(rng.random((person.size, DRUG_COUNT), dtype=np.float32), axis=1)[:, :5]
    course_person = np.repeat(person, courses)
    course_drug = drug[np.arange(5) < courses[:, None]].astype(np.int32)
    length = 1 + rng.poisson(ROWS_PER_PERSON / 3 / 1.01 - 1, size=course_person.size)
    first = np.cumsum(length) - length
    total = int(length.sum())
    days = rng.choice(np.array([14, 28, 30, 56, 90], dtype=np.int32), p=[0.1, 0.3, 0.3, 0.2, 0.1], size=total)
    step = days + rng.integers(0, 15, size=total)
    early = rng.random(total) < 0.3
    step[early] = days[early] - rng.integers(0, 7, size=int(early.sum()))
    late = rng.random(total) < 0.08
    step[late] += rng.integers(31, 201, size=int(late.sum()))
    passed = np.cumsum(step) - step
    begin = rng.integers(0, 1500, size=course_person.size)
    start = DAY_0 + passed + np.repeat(begin - passed[first], length)
    again = np.flatnonzero(rng.random(total) < 0.01)
    pick = rng.permutation(np.concatenate([np.arange(total), again]))
    return pa.table(
        {
            "person_id": np.repeat(course_person, length)[pick],
            "drug": np.repeat(course_drug, length)[pick],
            "start_date": pa.array(start[pick].astype(np.int32)).cast(pa.date32()),
            "days": days[pick],
        }
    )


def _observation(person: np.ndarray, rng: np.random.Generator) -> pa.Table:
    start = DAY_0 - rng.integers(0, 400, size=person.size)
    stop = DAY_0 + rng.integers(900, 2400, size=person.size)
    split = np.flatnonzero(rng.random(person.size) < 0.05)
    hole = DAY_0 + rng.integers(300, 600, size=split.size)
    first_stop = stop.copy()
    first_stop[split] = hole
    return pa.table(
        {
            "person_id": np.concatenate([person, person[split]]),
            "period_number": np.concatenate([np.ones(person.size, np.int64), np.full(split.size, 2, np.int64)]),
            "start_date": _dates(np.concatenate([start, hole + 90])),
            "stop_date": _dates(np.concatenate([first_stop, stop[split]])),
        }
    )


def _dates(days: np.ndarray) -> pa.Array:
    return pa.array(days.astype(np.int32)).cast(pa.date32())


def write_source(folder: Path, *, rows: int, seed: int = 1) -> int:
    """Writes both tables as Parquet, part by part; returns the number of prescriptions."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    writers: list[pq.ParquetWriter] = []
    for tables in prescription_chunks(rows, seed=seed):
        if not writers:
            names = ("prescription", "observation_period")
            writers = [pq.ParquetWriter(folder / f"{n}.parquet", t.schema) for n, t in zip(names, tables, strict=True)]
        for writer, table in zip(writers, tables, strict=True):
            writer.write_table(table)
        count += tables[0].num_rows
    for writer in writers:
        writer.close()
    return count


METHODS: dict[str, Callable[[Path, str | None], None]] = {
    **{
        name: lambda folder, limit, name=name: sql_step(folder, name, memory_limit=limit)
        for name in ("sort", "drug_era", "episode_sql", "interval_sql", "class_sql")
    },
    "episode_numpy": lambda folder, _: episode_numpy(folder),
    "interval_polars": lambda folder, _: interval_polars(folder),
}
SAME_ROWS = (("drug_era", "episode_sql", "episode_numpy"), ("interval_sql", "interval_polars"))
NAMES = {
    "sort": "DuckDB sorts person, drug, start, days",
    "drug_era": "OMOP drug_era algorithm",
    "episode_sql": "`exposure/coverage.sql` and `episode.sql`, with endings",
    "episode_numpy": "one sort in numpy, without endings",
    "interval_sql": "`exposure/combination_interval.sql`",
    "class_sql": "`exposure/class_interval.sql`",
    "interval_polars": "the same sweep in polars",
}
Measured = dict[str, dict[str, float]]


def child(way: str, folder: Path, *, memory_limit: str | None) -> dict[str, float]:
    """One measurement in this process: seconds, peak resident memory, rows, days and an order-free checksum."""
    queries()  # read and parsed once, outside the measurement
    began = time.perf_counter()
    METHODS[way](folder, memory_limit)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mib": peak, **_fingerprint(way, folder / "result.parquet")}


def _fingerprint(way: str, result: Path) -> dict[str, float]:
    if way == "sort":
        return {}
    columns = {
        "drug_era": "person_id, drug, start_date, stop_date, prescription_count",
        "episode_numpy": "person_id, drug, start_date, stop_date, prescription_count",
        "episode_sql": "person_id, CAST(RIGHT(drug_id, 2) AS INTEGER) AS drug, start_date, stop_date, prescription_count",
    }.get(way, "COLUMNS(*)")
    with duckdb.connect() as con:
        row = con.execute(
            f"SELECT COUNT(*), SUM(stop_date - start_date), BIT_XOR(HASH(r)) FROM (SELECT {columns} FROM '{result}') AS r"
        ).fetchone()
    assert row is not None
    return dict(zip(("rows", "days", "checksum"), row, strict=True))


def measure(way: str, folder: Path, *, memory_limit: str | None) -> dict[str, float]:
    """A child process's measurement."""
    found: dict[str, float] = _in_child("--child", way, str(folder), memory_limit=memory_limit)
    (folder / "result.parquet").unlink(missing_ok=True)
    return found


def _in_child(*arguments: str, memory_limit: str | None) -> Any:
    limit = ["--memory-limit", memory_limit] if memory_limit else []
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.exposure", *arguments, *limit],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def require_same_rows(measured: Measured) -> None:
    """Fails when two ways to the same table differ in number of rows, days or checksum."""
    for ways in SAME_ROWS:
        found = {way: [measured[way][k] for k in ("rows", "days", "checksum")] for way in ways if way in measured}
        if len({tuple(values) for values in found.values()}) > 1:
            raise SystemExit(f"the rows differ: {found}")


def make_input(folder: Path, *, rows: int, memory_limit: str | None) -> int:
    """Records, databases and episodes that the ways read; returns the number of prescriptions."""
    count = write_source(folder / "source", rows=rows)
    prepare(folder, memory_limit=memory_limit)
    add_episodes(folder, memory_limit=memory_limit)
    return count


def run(rows: int, ways: Sequence[str], *, rounds: int, memory_limit: str | None) -> tuple[int, list[Measured]]:
    """Interleaved rounds on generated records; also their number.

    The input too is made in a child, for a child's peak memory begins at that of its parent.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        count = _in_child("--make-input", str(rows), str(folder), memory_limit=memory_limit)
        measured = []
        for _ in range(rounds):
            measured.append({way: measure(way, folder, memory_limit=memory_limit) for way in ways})
            require_same_rows(measured[-1])
    return count, measured


def page(found: dict[int, list[Measured]], *, memory_limit: str | None) -> str:
    """The tables in Markdown."""
    limit = f"memory limit {memory_limit}" if memory_limit else "no memory limit"
    lines = [
        "## Episodes and combination intervals",
        "",
        f"Generated prescriptions, {limit}, commit `{commit()}`, {machine()}. Medians of interleaved rounds, each way in its own "
        "process, from its input to Parquet; ratios are of the same round. Ways to one table gave the same rows.",
    ]
    for rows, rounds in found.items():
        lines += ["", f"{rows:,} prescriptions, {len(rounds)} round{'s' if len(rounds) > 1 else ''}:", ""]
        lines += ["| what | rows | seconds | times the sort | peak resident MiB |", "|---|--:|--:|--:|--:|"]
        for way in rounds[0]:
            ratio = f"{_ratio(rounds, way, 'sort'):.2f}" if "sort" in rounds[0] else ""
            lines.append(
                f"| {NAMES[way]} | {rounds[0][way].get('rows', rows):,} | {_median(rounds, way, 'seconds'):.2f} | {ratio} "
                f"| {_median(rounds, way, 'peak_mib'):.0f} |"
            )
        for over, under in (
            ("drug_era", "episode_sql"),
            ("drug_era", "episode_numpy"),
            ("interval_sql", "interval_polars"),
        ):
            if {over, under} <= set(rounds[0]):
                lines += ["", f"{NAMES[over]} / {NAMES[under]}: {_ratio(rounds, over, under):.2f}"]
    if len(found) > 1:
        (few, first), *_, (many, last) = found.items()
        lines += ["", f"| growth exponent, {few:,} to {many:,} | |", "|---|--:|"]
        for way in last[0]:
            grown = _median(last, way, "seconds") / _median(first, way, "seconds")
            lines.append(f"| {NAMES[way]} | {math.log(grown) / math.log(many / few):.2f} |")
    return "\n".join([*lines, ""])


def _median(rounds: list[Measured], way: str, what: str) -> float:
    return statistics.median(r[way][what] for r in rounds)


def _ratio(rounds: list[Measured], over: str, under: str) -> float:
    return statistics.median(r[over]["seconds"] / r[under]["seconds"] for r in rounds)


def main() -> None:
    """Measures and prints, or writes the page's part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-limit")
    parser.add_argument("--ways", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--write", type=Path)
    parser.add_argument("--part", default="exposure", help="part of the page that is replaced")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "FOLDER"))
    parser.add_argument("--make-input", nargs=2, metavar=("ROWS", "FOLDER"))
    options = parser.parse_args()
    if options.make_input:
        rows, folder = options.make_input
        print(json.dumps(make_input(Path(folder), rows=int(rows), memory_limit=options.memory_limit)), flush=True)
        os._exit(0)
    if options.child:
        way, folder = options.child
        print(json.dumps(child(way, Path(folder), memory_limit=options.memory_limit)), flush=True)
        os._exit(0)
    found = {}
    for rows in options.rows:
        count, rounds = run(rows, options.ways, rounds=options.rounds, memory_limit=options.memory_limit)
        found[count] = rounds
    text = page(found, memory_limit=options.memory_limit)
    if options.write:
        replace_part(options.write, options.part, text)
    print(text)


if __name__ == "__main__":
    main()
