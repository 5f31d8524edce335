"""The SELECT statements of the house: read, parsed, checked against the portable subset and put in order.

Owns the rule path = table, the dependencies that are parsed from the text and never declared twice, the columns that
the contracts promise, and the translation for Spark. Opens no database.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import sqlglot
from sqlglot import exp

ROOT = Path(__file__).parent
BUILT_SCHEMAS = ("quality", "staged", "exposure", "cohort", "summary")
_FORBIDDEN_FUNCTIONS = {
    "HASH",
    "QUANTILE_CONT",
    "QUANTILE_DISC",
    "REGEXP_MATCHES",
    "REGEXP_EXTRACT",
    "REGEXP_FULL_MATCH",
}


class CatalogError(ValueError):
    """A SQL file or a contract of the project breaks the house's rules; a bug, never bad data."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its DuckDB type, its meaning, its unit and whether it counts persons or events."""

    name: str
    type: str
    about: str
    unit: str = ""
    small_cell: bool = False

    @property
    def comment(self) -> str:
        """The text that COMMENT ON COLUMN carries."""
        return f"{self.about} [{self.unit}]" if self.unit else self.about


@dataclass(frozen=True, slots=True)
class Table:
    """One promised table: what it is, what identifies a row, and its columns in order."""

    name: str
    about: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """One SELECT: `name` is schema.table, `reads` the tables of the project that its text names."""

    name: str
    text: str
    reads: tuple[str, ...]

    @property
    def schema(self) -> str:
        """Schema of the table."""
        return self.name.split(".")[0]

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def about(self) -> str:
        """First sentence of the header comment."""
        return self.text.split("\n", 1)[0].removeprefix("--").strip()


@cache
def queries() -> dict[str, Query]:
    """Every SELECT of the house by table name, each after the tables it reads."""
    found = {
        query.name: query for schema in BUILT_SCHEMAS for query in map(_read, sorted((ROOT / schema).glob("*.sql")))
    }
    order = TopologicalSorter({name: [r for r in query.reads if r in found] for name, query in found.items()})
    return {name: found[name] for name in order.static_order()}


@cache
def tables() -> dict[str, Table]:
    """Every promised table by name, from the contracts and the shared dictionary of columns."""
    shared = tomllib.loads((ROOT / "columns.toml").read_text(encoding="utf-8"))
    promised = {}
    for path in sorted(ROOT.glob("*/contract.toml")):
        for table, entry in tomllib.loads(path.read_text(encoding="utf-8")).items():
            own = entry.get("own", {})
            columns = tuple(_column(name, own.get(name) or shared.get(name), path) for name in entry["columns"])
            name = f"{path.parent.name}.{table}"
            missing = set(entry["key"]) - {column.name for column in columns}
            if missing:
                raise CatalogError(f"{name}: key column {sorted(missing)[0]!r} is not a column")
            promised[name] = Table(name, entry["about"], tuple(entry["key"]), columns)
    return promised


def parse(text: str) -> exp.Select:
    """The parsed SELECT. Raises CatalogError when the text is not exactly one SELECT."""
    statements = [statement for statement in sqlglot.parse(text, dialect="duckdb") if statement is not None]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise CatalogError("a SQL file holds exactly one SELECT")
    return statements[0]  # type: ignore[return-value]


def breaches(text: str) -> list[str]:
    """What in this SELECT would break or silently differ on Spark, or makes its result depend on chance."""
    tree = parse(text)
    checks = (_hidden_columns, _unordered_windows, _positions, _foreign_functions, _wide_integers)
    found = [breach for check in checks for breach in check(tree)]
    if "//" in re.sub(r"--[^\n]*|'[^']*'", "", text):
        found.append("integer division //")
    return found


def _hidden_columns(tree: exp.Expression) -> Iterator[str]:
    if any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star)):
        yield "SELECT * hides the columns"


def _unordered_windows(tree: exp.Expression) -> Iterator[str]:
    for window in tree.find_all(exp.Window):
        ranked = isinstance(window.this, exp.RowNumber | exp.Lag | exp.Lead)
        if not window.args.get("order") and (ranked or window.args.get("spec")):
            yield f"window without ORDER BY: {window.sql('duckdb')[:60]}"


def _positions(tree: exp.Expression) -> Iterator[str]:
    for group in tree.find_all(exp.Group):
        if group.args.get("all") or any(isinstance(item, exp.Literal) for item in group.expressions):
            yield "GROUP BY ALL or by position"
    for order in tree.find_all(exp.Ordered):
        if isinstance(order.this, exp.Literal):
            yield "ORDER BY position"
    for join in tree.find_all(exp.Join):
        if join.args.get("method") == "ASOF":
            yield "ASOF join"


def _foreign_functions(tree: exp.Expression) -> Iterator[str]:
    for function in tree.find_all(exp.Func):
        name = str(function.this) if isinstance(function, exp.Anonymous) else function.sql_name()
        if name.upper() in _FORBIDDEN_FUNCTIONS:
            yield f"function {name.upper()} differs between engines"


def _wide_integers(tree: exp.Expression) -> Iterator[str]:
    for cast in tree.find_all(exp.Cast):
        if getattr(cast.to.this, "name", "") in ("INT128", "UINT128"):
            yield "HUGEINT is unknown to Spark"


def transpiled(text: str, *, dialect: str) -> str:
    """The same SELECT for another engine, formatted. Raises CatalogError when it cannot be expressed."""
    try:
        return parse(text).sql(dialect=dialect, pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except sqlglot.errors.SqlglotError as error:
        raise CatalogError(f"cannot be expressed for {dialect}: {error}") from error


def _read(path: Path) -> Query:
    text = path.read_text(encoding="utf-8")
    tree = parse(text)
    defined = {cte.alias for cte in tree.find_all(exp.CTE)}
    reads = {f"{table.db}.{table.name}" for table in tree.find_all(exp.Table) if table.db}
    loose = {table.name for table in tree.find_all(exp.Table) if not table.db} - defined
    if loose:
        raise CatalogError(f"{path.name}: table {sorted(loose)[0]!r} has no schema")
    return Query(f"{path.parent.name}.{path.stem}", text, tuple(sorted(reads)))


def _column(name: str, entry: dict[str, str | bool] | None, path: Path) -> Column:
    if entry is None:
        raise CatalogError(f"{path.parent.name}: column {name!r} is described nowhere")
    return Column(
        name=name,
        type=str(entry["type"]),
        about=str(entry["about"]),
        unit=str(entry.get("unit", "")),
        small_cell=bool(entry.get("small_cell", False)),
    )
