"""What a report table is, and how it becomes cells for the page and a CSV for machines.

Owns the record of a table (id, section, title, columns, where its rows come from) and the formats of its columns.
Which tables there are is in `tables.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl

from analysis.report import wording
from analysis.report.view import Row, View
from analysis.report.wording import Cell, Style

Kind = Literal[
    "text",
    "id",
    "sentence",
    "literature",
    "count",
    "person_years",
    "share",
    "difference",
    "digest",
    "estimate",
    "percent",
    "rate",
    "ratio",
    "months",
    "days",
    "excess",
    "dose_rate",
    "points",
    "rare_percent",
]
WORDS = ("text", "id", "sentence", "literature", "digest")
ESTIMATE_KINDS = ("estimate", *get_args(Style))
ESTIMATE_PARTS = ("value", "lower", "upper", "status", "reason")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `key` of the row, heading, and kind; `estimate` and the kinds after it hold a whole estimate.

    `estimate`: its style is the row's `style`. `is_optional`: left out where no row has it.
    """

    key: str
    label: str
    kind: Kind = "text"
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One report table. A row's `group` makes a heading row where it changes; `is_total` sets the row apart."""

    id: str
    section: str
    title: str
    columns: tuple[Column, ...]
    rows: Callable[[View], list[Row]]
    note: str = ""
    empty: str = "Nothing to show."
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table with its rows as cells: each body entry is a heading (text) or a row of cells."""

    table: Table
    columns: tuple[Column, ...]
    body: tuple[tuple[str, bool, tuple[Cell, ...]], ...]
    data: pl.DataFrame


def show(table: Table, view: View) -> ShownTable:
    """The table's rows, as cells and as data."""
    rows = table.rows(view)
    columns = tuple(
        column for column in table.columns if not column.is_optional or any(row.get(column.key) for row in rows)
    )
    body: list[tuple[str, bool, tuple[Cell, ...]]] = []
    group = ""
    for row in rows:
        if row.get("group") and row["group"] != group:
            group = str(row["group"])
            body.append((group[:1].upper() + group[1:], False, ()))
        cells = tuple(_cell(row.get(column.key), column.kind, row) for column in columns)
        body.append(("", bool(row.get("is_total")), cells))
    return ShownTable(table, columns, tuple(body), _data(table, rows))


def _cell(value: object, kind: Kind, row: Row) -> Cell:  # noqa: PLR0911 (one return a kind)
    if kind in ESTIMATE_KINDS:
        return wording.estimate_cell(value, row["style"] if kind == "estimate" else kind)  # type: ignore[arg-type]
    if kind in WORDS:
        return Cell(wording.NONE if value is None else str(value))
    if value is None:
        absent = row.get("is_withheld") or row.get("status") == "suppressed"
        return Cell(wording.WITHHELD if absent else wording.NONE, is_number=not absent)
    if kind == "count":
        return Cell(wording.count(value), is_number=True)
    if kind == "person_years":
        return Cell(wording.years(value), is_number=True)
    if kind == "share":
        return Cell(f"{100 * float(value):.1f}", is_number=True)  # type: ignore[arg-type]
    return Cell(wording.signed(float(value)), is_number=True)  # type: ignore[arg-type]


def _data(table: Table, rows: list[Row]) -> pl.DataFrame:
    """The rows with plain numbers; an estimate becomes its value, limits, status and reason."""
    columns: dict[str, list[object]] = {}
    if any(row.get("group") for row in rows):
        columns["group"] = [row.get("group") for row in rows]
    for column in table.columns:
        values = [row.get(column.key) for row in rows]
        if column.kind in ESTIMATE_KINDS:
            for part in ESTIMATE_PARTS:
                name = column.key if part == "value" else f"{column.key}_{part}"
                columns[name] = [value.get(part) if isinstance(value, dict) else None for value in values]
        elif column.kind == "person_years":
            columns[f"{column.key}_days"] = values
        else:
            columns[column.key] = values
    return pl.DataFrame(columns, strict=False) if rows else pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
