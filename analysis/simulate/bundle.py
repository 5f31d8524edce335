"""Writes a simulation into a folder: the only module of the simulator that touches files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.simulate import Simulation


def write_simulation(simulation: Simulation, folder: Path) -> list[Path]:
    """Files of a simulation: one CSV a table, `truth.json`, `truth_person.parquet` and, where records were made bad, `ledger.csv`.

    The folder is made where it is missing; files of these names are replaced. The same simulation gives the same bytes
    on any number of threads.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in sorted(simulation.tables):
        written.append(folder / f"{name}.csv")
        simulation.tables[name].write_csv(written[-1])
    written.append(folder / "truth.json")
    written[-1].write_text(json.dumps(simulation.truth, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    written.append(folder / "truth_person.parquet")
    # Row groups of a fixed size: the default follows the number of chunks in memory.
    simulation.truth_person.rechunk().write_parquet(written[-1], row_group_size=100_000, compression="zstd")
    if simulation.ledger is not None:
        written.append(folder / "ledger.csv")
        simulation.ledger.write_csv(written[-1])
    return written
