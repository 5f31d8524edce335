"""A demonstration of 5,000 persons is drawn and written in seconds, with events on every level of both ladders."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl

from analysis.simulate import simulate, write_simulation

# Measured: some 4 s of CPU, most of it free IgE under omalizumab. The limit only catches a loop over persons.
_LIMIT_SECONDS = 20.0


def test_demo_of_5000_persons_takes_seconds_and_has_events_on_every_level(
    drugs: pl.DataFrame, outcomes: pl.DataFrame, tmp_path: Path
) -> None:
    start = time.process_time()
    demo = simulate("demo", persons=None, seed=1, drugs=drugs, outcomes=outcomes)
    write_simulation(demo, tmp_path)
    assert time.process_time() - start < _LIMIT_SECONDS
    assert demo.tables["person"].height == 5_000
    for items in demo.truth["realised"].values():
        assert all(item["event_count"] >= 30 for item in items)
