"""What must not matter does not: order, parts and repetition of rows, threads, records of a later day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from analysis.simulate import simulate, write_simulation
from pipelines.steps import Build, reference_frame
from sql.catalog import queries, tables
from tests.cases.runner import Bench, input_columns
from tests.reference.supply import Window
from tests.whole_run import built, default_study
from tests.worlds import LAST_DAY, SAME_EVERY_TIME, World, load, worlds

ACCOUNTS = ("quality.row_account",)
PLACES = {"source_file", "row_number"}  # where a record lay, which a shuffle changes


def _simulated(folder: Path, *, persons: int) -> Path:
    world = simulate(
        "demo", persons=persons, seed=3, drugs=reference_frame("drug"), outcomes=reference_frame("outcome")
    )
    write_simulation(world, folder)
    return folder


def _tables(build: Build, *, but: tuple[str, ...] = ()) -> dict[str, pl.DataFrame]:
    found = {}
    for name in queries():
        if name not in but:
            columns = [column.name for column in tables()[name].columns if column.name not in PLACES]
            found[name] = build.warehouse.read(name).select(columns).sort(columns)
    return found


def _assert_same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> None:
    assert one.keys() == other.keys()
    for name, frame in one.items():
        _same(name, frame, other[name])


def _same(name: str, one: pl.DataFrame, other: pl.DataFrame) -> None:
    try:
        assert_frame_equal(one, other)
    except AssertionError as error:
        raise AssertionError(f"{name}: {error}") from None


@pytest.mark.slow
def test_one_thread_and_two_give_the_same_rows(tmp_path: Path) -> None:
    source = _simulated(tmp_path / "source", persons=2_000)
    runs = [_tables(built(default_study(), source, tmp_path / f"{n}.duckdb", threads=n)) for n in (1, 2)]
    assert runs[0]["exposure.combination_interval"].height > 2_000
    _assert_same(*runs)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Build]:
    folder = tmp_path_factory.mktemp("invariance")
    source = _simulated(folder / "source", persons=150)
    return source, built(default_study(), source, folder / "build.duckdb")


def _shuffled_in_parts(frame: pl.DataFrame, folder: Path, name: str) -> None:
    shuffled = frame.sample(fraction=1, shuffle=True, seed=7)
    (folder / name).mkdir()
    for number, part in enumerate((shuffled.slice(frame.height // 3), shuffled.head(frame.height // 3))):
        part.write_parquet(folder / name / f"{number}.parquet")


def _repeated(frame: pl.DataFrame, folder: Path, name: str) -> None:
    pl.concat([frame, frame.sample(fraction=0.5, seed=7), frame.head(1)]).write_csv(folder / f"{name}.csv")


@pytest.mark.parametrize("write", [_shuffled_in_parts, _repeated], ids=["shuffled in parts", "repeated"])
def test_order_parts_and_repetition_of_rows_change_nothing(
    world: tuple[Path, Build], tmp_path: Path, write: Callable[[pl.DataFrame, Path, str], None]
) -> None:
    source, build = world
    changed = tmp_path / "source"
    changed.mkdir()
    for file in source.glob("*.csv"):
        write(pl.read_csv(file, infer_schema=False), changed, file.stem)
    other = built(default_study(), changed, tmp_path / "build.duckdb")
    _assert_same(_tables(build, but=ACCOUNTS), _tables(other, but=ACCOUNTS))
    accounts = build.warehouse.read("quality.row_account").join(
        other.warehouse.read("quality.row_account"), on="table_name", suffix="_changed"
    )
    assert accounts.filter(pl.col("rows_kept") != pl.col("rows_kept_changed")).is_empty()
    added = pl.col("rows_in_changed") - pl.col("rows_in")
    assert accounts.filter(pl.col("rows_duplicate_changed") - pl.col("rows_duplicate") != added).is_empty()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(input_columns(tmp_path_factory.mktemp("future") / "columns.duckdb"))
    yield made
    made.close()


def _states(bench: Bench, world: World, *, day: int, columns: str) -> list[tuple[object, ...]]:
    with bench.transaction():
        load(bench, world)
        return sorted(
            bench.rows(
                f"SELECT i.exposure_rule, i.person_id, d.day, {columns} FROM exposure.combination_interval AS i "
                f"INNER JOIN (SELECT DATE '2020-01-01' + CAST(r AS INTEGER) AS day FROM RANGE({day}) AS r (r)) AS d "
                "ON i.start_date <= d.day AND d.day < i.stop_date"
            )
        )


def _with_later_record(world: World, drug: str, day: int) -> World:
    added = Window(drug, day, day + 14)
    return replace(world, persons=tuple(replace(p, windows=(*p.windows, added)) for p in world.persons))


@settings(SAME_EVERY_TIME, max_examples=15)
@given(world=worlds(), drug=st.sampled_from("abcpq"))
def test_a_record_far_in_the_future_leaves_every_earlier_day_as_it_was(bench: Bench, world: World, drug: str) -> None:
    columns = "i.regimen_id, i.risk_regimen_id, i.drug_count, i.risk_drug_count, i.toruner_count, i.broad_count"
    later = _with_later_record(world, drug, LAST_DAY + 50)
    assert _states(bench, world, day=LAST_DAY, columns=columns) == _states(bench, later, day=LAST_DAY, columns=columns)


@settings(SAME_EVERY_TIME, max_examples=30)
@given(world=worlds(), drug=st.sampled_from("abcpq"), day=st.integers(1, LAST_DAY))
def test_no_risk_state_knows_the_next_record_however_near_it_is(
    bench: Bench, world: World, drug: str, day: int
) -> None:
    columns = "i.risk_regimen_id, i.risk_drug_count, i.toruner_count, i.broad_count"
    later = _with_later_record(world, drug, day)
    assert _states(bench, world, day=day, columns=columns) == _states(bench, later, day=day, columns=columns)
