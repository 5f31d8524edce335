"""Same profile, persons, seed and reference: the same bytes, whatever the threads and the order of reference rows."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from analysis.simulate import Simulation, SimulationError, simulate, write_simulation

_ROOT = Path(__file__).parents[4]
_IN_A_PROCESS = """
import sys
from pathlib import Path
import polars as pl
from analysis.simulate import simulate, write_simulation
drugs, outcomes = (pl.read_csv(f"sql/reference/{name}.csv", infer_schema=False) for name in ("drug", "outcome"))
assert pl.thread_pool_size() == int(sys.argv[2])
write_simulation(simulate("demo", persons=400, seed=3, drugs=drugs, outcomes=outcomes), Path(sys.argv[1]))
"""


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_two_writes_of_two_runs_are_byte_identical(
    small: Simulation, drugs: pl.DataFrame, outcomes: pl.DataFrame, tmp_path: Path
) -> None:
    again = simulate("demo", persons=400, seed=3, drugs=drugs, outcomes=outcomes)
    paths = write_simulation(small, tmp_path / "one")
    write_simulation(again, tmp_path / "two")
    assert _digests(tmp_path / "one") == _digests(tmp_path / "two")
    assert sorted(path.name for path in paths) == sorted(_digests(tmp_path / "one"))
    assert len(paths) == 11


@pytest.mark.parametrize("threads", [1, 4])
def test_the_number_of_threads_changes_no_byte(small: Simulation, tmp_path: Path, threads: int) -> None:
    environment = os.environ | {"POLARS_MAX_THREADS": str(threads), "PYTHONPATH": str(_ROOT)}
    subprocess.run(
        [sys.executable, "-c", _IN_A_PROCESS, str(tmp_path / "other"), str(threads)],
        check=True, cwd=_ROOT, env=environment,
    )  # fmt: skip
    write_simulation(small, tmp_path / "here")
    assert _digests(tmp_path / "other") == _digests(tmp_path / "here")


def test_the_order_of_reference_rows_changes_no_byte(
    small: Simulation, drugs: pl.DataFrame, outcomes: pl.DataFrame, tmp_path: Path
) -> None:
    turned = simulate("demo", persons=400, seed=3, drugs=drugs.reverse(), outcomes=outcomes.reverse())
    write_simulation(small, tmp_path / "one")
    write_simulation(turned, tmp_path / "two")
    assert _digests(tmp_path / "one") == _digests(tmp_path / "two")


def test_another_seed_gives_other_records(small: Simulation, drugs: pl.DataFrame, outcomes: pl.DataFrame) -> None:
    other = simulate("demo", persons=400, seed=4, drugs=drugs, outcomes=outcomes)
    assert not other.tables["prescription"].equals(small.tables["prescription"])


def test_files_read_back_as_they_were_written(small: Simulation, tmp_path: Path) -> None:
    write_simulation(small, tmp_path)
    person = pl.read_csv(tmp_path / "person.csv", try_parse_dates=True)
    assert person.equals(small.tables["person"])
    assert pl.read_parquet(tmp_path / "truth_person.parquet").equals(small.truth_person)
    assert json.loads((tmp_path / "truth.json").read_text(encoding="utf-8")) == small.truth


def test_profile_defaults_to_its_own_number_of_persons(tiny: Simulation) -> None:
    assert tiny.tables["person"].height == tiny.truth["persons"] == 31


@pytest.mark.parametrize(("profile", "persons", "seed"), [("nobody", 10, 1), ("demo", 0, 1), ("demo", 10, -1)])
def test_what_cannot_be_simulated_is_refused(
    profile: str, persons: int, seed: int, drugs: pl.DataFrame, outcomes: pl.DataFrame
) -> None:
    with pytest.raises(SimulationError):
        simulate(profile, persons=persons, seed=seed, drugs=drugs, outcomes=outcomes)
