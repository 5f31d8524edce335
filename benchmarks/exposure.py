"""Exposure: episodes and combination intervals from generated prescriptions, beside other ways to the same rows.

Owns the generator and the measurement. The other ways are in `benchmarks.exposure_methods`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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
