"""Damaged sources by the thousand: each is read whole or refused by the name of the file, or the command fails.

python -m benchmarks.fuzz_intake [--examples N] [--first SEED]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

from sql.warehouse import Warehouse
from tests.unit.pipelines.ingest.fuzz import damaged, declared, outcome


def main() -> None:
    """Runs the examples and prints what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    found: Counter[str] = Counter()
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        warehouse = Warehouse(Path(folder) / "build.duckdb", threads=1)
        warehouse.create()
        with warehouse.session():
            for seed in range(options.first, options.first + options.examples):
                begun = time.perf_counter()
                try:
                    found[outcome(warehouse, Path(folder) / "source", damaged(seed), declared(seed))] += 1
                except Exception:
                    print(f"seed {seed}")
                    raise
                seconds.append(time.perf_counter() - begun)
    print(
        f"{options.examples} damaged sources: {found['read']} read whole, {found['refused']} refused by the name of the file; "
        f"median {statistics.median(seconds):.3f} s, slowest {max(seconds):.3f} s"
    )


if __name__ == "__main__":
    main()
