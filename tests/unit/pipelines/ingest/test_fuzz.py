"""Whatever happens to a source's bytes, the intake reads every record or refuses the file by its name; nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.ingest import native
from pipelines.ingest.files import InputError
from sql.warehouse import Warehouse
from tests.unit.pipelines.ingest.fuzz import TABLES, damaged, declared, outcome, records

EXAMPLES = int(os.environ.get("COEXPOSURE_FUZZ_EXAMPLES", "200"))
SLOWEST_MS = 10_000  # a hang, not a slow machine


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    warehouse = Warehouse(tmp_path_factory.mktemp("fuzz") / "build.duckdb", threads=1)
    warehouse.create()
    with warehouse.session():
        yield warehouse


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("source")


@settings(
    max_examples=EXAMPLES, deadline=SLOWEST_MS, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(seed=st.integers(0, 2**32))
@example(seed=0)
def test_a_damaged_source_is_read_whole_or_refused_by_name(warehouse: Warehouse, folder: Path, seed: int) -> None:
    assert outcome(warehouse, folder, damaged(seed), declared(seed)) in ("read", "refused")


def test_the_source_that_is_damaged_is_a_right_one(warehouse: Warehouse, folder: Path) -> None:
    files = {f"{name}.csv": text.encode() for name, text in TABLES.items()}
    assert outcome(warehouse, folder, files) == "read"
    assert [records(content, "utf-8") for content in files.values()] == [7, 11, 5]


def test_both_outcomes_are_common(warehouse: Warehouse, folder: Path) -> None:
    found = [outcome(warehouse, folder, damaged(seed)) for seed in range(60)]
    assert 10 < found.count("refused") < 50


@pytest.mark.parametrize("message", ["something is wrong", "person.csv: PZ-7781-1 is wrong"])
def test_a_message_without_the_file_or_with_a_cell_is_seen(
    warehouse: Warehouse, folder: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    def refuse(*_: object) -> None:
        raise InputError(message)

    monkeypatch.setattr(native, "load", refuse)
    with pytest.raises(AssertionError):
        outcome(warehouse, folder, {f"{name}.csv": text.encode() for name, text in TABLES.items()})


def test_a_row_that_is_lost_is_seen(warehouse: Warehouse, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = native.load

    def lose(*arguments: object) -> object:
        read = load(*arguments)  # type: ignore[arg-type]
        warehouse.execute("DELETE FROM raw.person WHERE row_number = 1")
        return read

    monkeypatch.setattr(native, "load", lose)
    with pytest.raises(AssertionError, match="6 rows read, 7 records written"):
        outcome(
            warehouse,
            folder,
            {
                "person.csv": TABLES["person"].encode(),
                "prescription.csv": TABLES["prescription"].encode(),
                "adverse_event.csv": TABLES["adverse_event"].encode(),
            },
        )
