"""Episodes and combination intervals on arrays: numpy and polars beside the project's SQL, for `benchmarks.exposure`.

Owns what a second engine could look like, for one rule whose refills are merged; the product does not use it. Measures nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.exposure_methods import GAP_DAYS, TAIL_DAYS

DRUG_BITS, DAY_BITS, SUPPLY_BITS = 5, 16, 9  # 33 bits are left for the person


def episode_numpy(folder: Path) -> None:
    """Episodes in numpy: person, drug, start and days in one number, one sort, one running maximum over all of them.

    A key's stop days are lifted above those of the key before it, so the maximum needs no grouping. No observed time is
    read: nothing says how an episode ended.
    """
    table = pq.read_table(folder / "source" / "prescription.parquet")
    person, drug, days = (table[name].to_numpy().astype(np.int64) for name in ("person_id", "drug", "days"))
    start = table["start_date"].cast(pa.int32()).to_numpy().astype(np.int64)
    packed = ((person << DRUG_BITS | drug) << DAY_BITS | start) << SUPPLY_BITS | days
    del person, drug, days, start, table
    packed.sort()
    key = packed >> (DAY_BITS + SUPPLY_BITS)
    lifted = packed >> SUPPLY_BITS  # key and start
    stop = np.maximum.accumulate(lifted + (packed & ((1 << SUPPLY_BITS) - 1)))
    first = np.ones(key.size, dtype=bool)
    first[1:] = (key[1:] != key[:-1]) | (lifted[1:] > stop[:-1] + GAP_DAYS)
    at = np.flatnonzero(first)
    last = np.append(at[1:], key.size) - 1
    day = (1 << DAY_BITS) - 1
    pq.write_table(
        pa.table(
            {
                "person_id": key[at] >> DRUG_BITS,
                "drug": (key[at] & ((1 << DRUG_BITS) - 1)).astype(np.int32),
                "start_date": pa.array((lifted[at] & day).astype(np.int32)).cast(pa.date32()),
                "stop_date": pa.array((stop[last] & day).astype(np.int32)).cast(pa.date32()),
                "prescription_count": last - at + 1,
            }
        ),
        folder / "result.parquet",
        compression="lz4",
    )


def interval_polars(folder: Path) -> None:
    """Combination intervals in polars: events, one running sum over all persons, states spelt out once, merged.

    Each person's changes cancel, so the sum needs no grouping: a freedom that DuckDB's parallel windows lack.
    """
    drugs = pl.read_parquet(folder / "drug.parquet").with_row_index("place", offset=0)
    drugs = drugs.with_columns(
        weight=pl.lit(4, dtype=pl.Int64).pow(pl.col("place")), is_study=pl.col("role") == "study"
    )
    windows = _risk_windows(folder, drugs)
    period = pl.scan_parquet(folder / "source" / "observation_period.parquet")
    on, off = pl.lit(1, dtype=pl.Int8), pl.lit(-1, dtype=pl.Int8)
    none, weight = pl.lit(0, dtype=pl.Int64), pl.col("weight")
    event = pl.concat(
        [
            _events(windows, "start_date", pl.when("is_study").then(weight * 2).otherwise(weight), on * 0),
            _events(windows.filter("is_study"), "stop_date", -weight, on * 0),
            _events(windows, "risk_until", -weight, on * 0),
            _events(period, "start_date", none, on),
            _events(period, "stop_date", none, off),
        ]
    )
    day = ("person_id", "date")
    same_day = pl.all_horizontal(pl.col(c) == pl.col(c).shift(-1) for c in day).fill_null(False)
    segment = (
        event.sort(day)
        .with_columns(pl.col("state").cum_sum(), pl.col("observed").cast(pl.Int64).cum_sum())
        .filter(~same_day)
        .select(*day, state=pl.when(pl.col("observed") > 0).then("state").otherwise(-1))
        .collect(engine="streaming")
    )
    kind = _kinds(segment.select("state").unique().filter(pl.col("state") >= 0), drugs)
    changed = (pl.col("kind") != pl.col("kind").shift(1)) | (pl.col("person_id") != pl.col("person_id").shift(1))
    spell = (
        segment.lazy()
        .join(kind.lazy().select("state", "kind"), on="state", how="left", maintain_order="left")
        .with_columns(pl.col("kind").fill_null(0))
        .filter(changed.fill_null(True))
        .with_columns(stop_date=pl.col("date").shift(-1))
        .filter(pl.col("kind") > 0)
    )
    labels = kind.lazy().drop("state").unique("kind")
    (
        spell.join(labels, on="kind", how="left")
        .select(
            pl.lit("primary").alias("exposure_rule"),
            "person_id",
            pl.col("date").alias("start_date"),
            "stop_date",
            *LABELS,
        )
        .sink_parquet(folder / "result.parquet", compression="lz4")
    )


LABELS = ("regimen_id", "risk_regimen_id", "drug_count", "risk_drug_count", "toruner_count", "broad_count")


def _risk_windows(folder: Path, drugs: pl.DataFrame) -> pl.LazyFrame:
    same = pl.all_horizontal(pl.col(c) == pl.col(c).shift(-1) for c in ("person_id", "place"))
    tail_end = pl.col("stop_date") + pl.duration(days=max(GAP_DAYS, TAIL_DAYS))
    return (
        pl.scan_parquet(folder / "episode.parquet")
        .select("person_id", "drug_id", "start_date", "stop_date")
        .join(drugs.lazy().select("drug_id", "place", "weight", "is_study"), on="drug_id")
        .sort("person_id", "place", "start_date")
        .with_columns(risk_until=pl.min_horizontal(tail_end, pl.when(same).then(pl.col("start_date").shift(-1))))
        .collect(engine="streaming")
        .lazy()
    )


def _events(rows: pl.LazyFrame, date: str, state: pl.Expr, observed: pl.Expr) -> pl.LazyFrame:
    return rows.select("person_id", date=pl.col(date), state=state, observed=observed)


def _kinds(states: pl.DataFrame, drugs: pl.DataFrame) -> pl.DataFrame:
    covered = pl.col("is_study") & (pl.col("digit") == 2)
    spelt = (
        states.lazy()
        .join(drugs.lazy(), how="cross")
        .with_columns(digit=(pl.col("state") // pl.col("weight")) % 4)
        .filter(pl.col("digit") > 0)
        .sort("state", "drug_id")
        .group_by("state")
        .agg(
            regimen_id=pl.col("drug_id").filter(covered).str.join("+"),
            risk_regimen_id=pl.col("drug_id").filter(pl.col("is_study")).str.join("+"),
            drug_count=covered.sum().cast(pl.Int64),
            risk_drug_count=pl.col("is_study").sum().cast(pl.Int64),
            toruner_count=pl.col("drug_class").filter(pl.col("counts_toruner")).n_unique().cast(pl.Int64),
            broad_count=pl.col("drug_class").filter(pl.col("counts_broad")).n_unique().cast(pl.Int64),
        )
    )
    named = (
        states.lazy()
        .join(spelt, on="state", how="left")
        .with_columns(
            pl.col("regimen_id", "risk_regimen_id").fill_null("").replace("", "none"), pl.col(LABELS[2:]).fill_null(0)
        )
    )
    alike = pl.struct("regimen_id", "risk_regimen_id", "toruner_count", "broad_count")
    return named.with_columns(kind=alike.rank("dense").cast(pl.Int64)).collect()
