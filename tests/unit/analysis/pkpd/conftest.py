"""The published sets, and a person of round numbers."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from analysis.pkpd.parameters import ParameterSet, parameter_set

REFERENCE = Path(__file__).parents[4] / "sql" / "reference"


def reference(table: str) -> pl.DataFrame:
    return pl.read_csv(REFERENCE / f"{table}.csv", infer_schema=False)


@pytest.fixture(scope="session")
def parameter_rows() -> pl.DataFrame:
    return reference("omalizumab_parameter")


@pytest.fixture(scope="session")
def lowe(parameter_rows: pl.DataFrame) -> ParameterSet:
    return parameter_set(parameter_rows, model="lowe")


@pytest.fixture(scope="session")
def hayashi(parameter_rows: pl.DataFrame) -> ParameterSet:
    return parameter_set(parameter_rows, model="hayashi")


@pytest.fixture(scope="session")
def golden() -> pl.DataFrame:
    return pl.read_csv(REFERENCE / "omalizumab_pkpd_golden.csv")


@pytest.fixture(scope="session")
def eu_table() -> pl.DataFrame:
    return reference("omalizumab_dosing_eu")


@pytest.fixture(scope="session")
def us_table() -> pl.DataFrame:
    return reference("omalizumab_dosing_us_12plus")
