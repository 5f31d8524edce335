"""Planted bad records at the size of a register: each ends where the ledger says, and no clean record is touched.

python -m benchmarks.ledger [--persons N] [--write PAGE]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import polars as pl

from analysis.simulate import simulate, write_simulation
from analysis.study.read import read_study
from benchmarks.pages import commit, machine, replace_part
from pipelines import doors, steps
from pipelines.paths import DEFAULT_STUDY
from sql.warehouse import Warehouse

KEY = ["table_name", "row_number", "rule_id"]


def compare(persons: int, folder: Path) -> str:
    """The page's part. Ends the program where a record is elsewhere than the ledger says."""
    world = simulate(
        "dirty", persons=persons, seed=1, drugs=steps.reference_frame("drug"), outcomes=steps.reference_frame("outcome")
    )
    if world.ledger is None:
        raise SystemExit("the profile planted nothing")
    write_simulation(world, folder / "source")
    received = sum(frame.height for frame in world.tables.values())
    planted = world.ledger.filter(pl.col("fate") == "quarantine").select(KEY)
    twice = world.ledger.filter(pl.col("fate") == "duplicate")
    build = steps.Build(
        spec=read_study(DEFAULT_STUDY), source=folder / "source", warehouse=Warehouse(folder / "build.duckdb")
    )
    build.warehouse.create()
    steps.load_spec(build)
    steps.load_reference(build)
    began = time.perf_counter()
    steps.ingest(build)
    doors.set_aside(build)
    seconds = time.perf_counter() - began
    results = doors.grade(build, "raw")
    held = build.warehouse.query("SELECT table_name, row_number, rule_id FROM quality.quarantine")
    if set(held.rows()) != set(planted.rows()):
        raise SystemExit("what was set aside is not what was planted")
    if build.warehouse.count("intake.duplicate") != twice.height or any(result.is_blocking for result in results):
        raise SystemExit("duplicates differ from the ledger, or a rule stops the run")
    return (
        f"## Planted bad records\n\n{persons:,} persons of profile `dirty`, {received:,} rows in {len(world.tables)} CSV files, commit "
        f"`{commit()}`, {machine()}: {planted.select('table_name', 'row_number').n_unique():,} records planted under "
        f"{planted['rule_id'].n_unique()} rules were set aside under exactly those ({planted.height:,} pairs of record and rule), "
        f"{twice.height} duplicates told, no other record touched. Reading and setting aside: {seconds:.0f} s.\n"
    )


def main() -> None:
    """Measures and prints, or writes the page's part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=200_000)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = compare(options.persons, Path(folder))
    if options.write:
        replace_part(options.write, "ledger", text)
    print(text)


if __name__ == "__main__":
    main()
