"""Reference tables and two simulated worlds, each drawn once."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from analysis.simulate import Simulation, simulate

_REFERENCE = Path(__file__).parents[4] / "sql" / "reference"


@pytest.fixture(scope="session")
def drugs() -> pl.DataFrame:
    return pl.read_csv(_REFERENCE / "drug.csv", infer_schema=False)


@pytest.fixture(scope="session")
def outcomes() -> pl.DataFrame:
    return pl.read_csv(_REFERENCE / "outcome.csv", infer_schema=False)


@pytest.fixture(scope="session")
def small(drugs: pl.DataFrame, outcomes: pl.DataFrame) -> Simulation:
    return simulate("demo", persons=400, seed=3, drugs=drugs, outcomes=outcomes)


@pytest.fixture(scope="session")
def large(drugs: pl.DataFrame, outcomes: pl.DataFrame) -> Simulation:
    return simulate("demo", persons=20_000, seed=20260101, drugs=drugs, outcomes=outcomes)


@pytest.fixture(scope="session")
def tiny(drugs: pl.DataFrame, outcomes: pl.DataFrame) -> Simulation:
    return simulate("tiny_koc", persons=None, seed=1, drugs=drugs, outcomes=outcomes)
