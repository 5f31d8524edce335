"""All data-quality rules on ten million prescription rows, against one scan and sort of that table.

The records are read once into a build file. Each round runs, each in its own process: DuckDB sorting every column of the typed
prescriptions by person, drug and start; setting aside what the rules name; and counting and grading the rules of the first two doors with
Great Expectations. Loading Python's libraries is not counted.

    python -m benchmarks.quality [--rows N] [--rounds N] [--write PAGE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.end_to_end import make_source
from benchmarks.memory import peak_mib
from benchmarks.pages import commit, machine, replace_part

BAR_RATIO, BAR_MIB = 3.0, 2.5 * 1024
KINDS = {
    "sort": "DuckDB scans and sorts every column of the prescriptions",
    "aside": "rows set aside by the rules",
    "checks": "rules counted and graded, first two doors",
}


def _build(folder: Path) -> Any:
    from analysis.study.read import read_study
    from pipelines.paths import DEFAULT_STUDY
    from pipelines.steps import Build
    from sql.warehouse import Warehouse

    return Build(spec=read_study(DEFAULT_STUDY), source=folder / "source", warehouse=Warehouse(folder / "build.duckdb"))


def prepare(folder: Path) -> int:
    """Reads the source and builds what the two doors look at; returns the number of prescription rows."""
    from pipelines import doors, steps
    from sql.catalog import queries

    build = _build(folder)
    build.warehouse.create()
    steps.load_spec(build)
    steps.load_reference(build)
    steps.ingest(build)
    doors.set_aside(build)
    for name, query in queries().items():
        if name.startswith("staged."):
            build.warehouse.build(query)
    return int(build.warehouse.count("intake.prescription"))


def child(kind: str, folder: Path) -> dict[str, float]:
    """One measurement in this process: seconds, peak memory and how many rules."""
    from expectations.validate import great_expectations
    from pipelines import doors

    build = _build(folder)
    rules = 0
    if kind == "checks":
        great_expectations()
    began = time.perf_counter()
    if kind == "sort":
        with build.warehouse.connection() as con:
            con.execute(
                "CREATE TEMP TABLE sorted AS SELECT * FROM intake.prescription ORDER BY person_source_value, drug_source_value, start_date"
            )
    elif kind == "aside":
        doors.set_aside(build)
    else:
        rules = sum(len(doors.grade(build, layer)) for layer in ("raw", "staged"))
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "rules": rules, "peak_mib": peak_mib()}


def measure(kind: str, folder: Path) -> dict[str, float]:
    """A child process's measurement."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.quality", "--child", kind, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def page(rows: int, rounds: list[dict[str, dict[str, float]]]) -> str:
    """The table in Markdown."""

    def median(kind: str, what: str) -> float:
        return float(statistics.median(found[kind][what] for found in rounds))

    ratio = float(statistics.median(r["checks"]["seconds"] / r["sort"]["seconds"] for r in rounds))
    peak = median("checks", "peak_mib")
    lines = [
        "## Data-quality rules",
        "",
        f"{rows:,} prescription rows (simulated `demo` records) and the other tables that come with them, {len(rounds)} interleaved "
        f"round{'s' * (len(rounds) > 1)}, commit `{commit()}`, {machine()}. Medians, each measurement in its own process; loading Python's "
        "libraries is not counted.",
        "",
        "| what | seconds | times the sort | peak resident MiB |",
        "|---|--:|--:|--:|",
        *(
            f"| {name} | {median(kind, 'seconds'):.2f} | {median(kind, 'seconds') / median('sort', 'seconds'):.2f} "
            f"| {median(kind, 'peak_mib'):.0f} |"
            for kind, name in KINDS.items()
        ),
        "",
        f"{median('checks', 'rules'):.0f} rules of all tables. Asked: {BAR_RATIO:g} times the sort "
        f"({'reached' if ratio <= BAR_RATIO else '**missed**'}) and {BAR_MIB:.0f} MiB ({'reached' if peak <= BAR_MIB else '**missed**'}).",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measures and prints, or writes the page's part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--child", nargs=2)
    options = parser.parse_args()
    if options.child:
        kind, folder = options.child
        print(json.dumps(child(kind, Path(folder))), flush=True)
        os._exit(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_source(folder / "source", rows=options.rows)
        rows = prepare(folder)
        rounds = [{kind: measure(kind, folder) for kind in KINDS} for _ in range(options.rounds)]
    text = page(rows, rounds)
    if options.write:
        replace_part(options.write, "quality", text)
    print(text)


if __name__ == "__main__":
    main()
