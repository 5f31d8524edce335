"""The SELECT statements of the house: read, parsed, checked against the portable subset and put in order.

Owns the rule path = table, the dependencies that are parsed from the text and never declared twice, the columns that
the contracts promise, and the translation for Spark. Opens no database.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import sqlglot
from sqlglot import exp

ROOT = Path(__file__).parent
BUILT_SCHEMAS = ("quality", "staged", "exposure", "cohort", "summary", "pkpd", "care")
# Engines differ in these, or their result hangs on chance or the clock. Names are those that the parser does not know.
_FORBIDDEN: tuple[type[exp.Expression], ...] = (
    exp.RegexpLike, exp.RegexpILike, exp.RegexpFullMatch, exp.RegexpExtract, exp.RegexpExtractAll, exp.RegexpReplace,
    exp.RegexpSplit, exp.Median, exp.Quantile, exp.ApproxQuantile, exp.PercentileCont, exp.PercentileDisc, exp.IntDiv,
    exp.AnyValue, exp.First, exp.Last, exp.Rand, exp.Uuid, exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp,
    exp.TableSample, exp.Limit,
)  # fmt: skip
_FORBIDDEN_NAMES = {"HASH", "NOW", "ARBITRARY", "GET_CURRENT_TIMESTAMP", "QUANTILE_CONT", "QUANTILE_DISC", "SETSEED"}
_RANKING = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile)
_NEEDS_ORDER = (*_RANKING, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue, exp.NthValue)
_INTEGERS = (exp.DataType.Type.INT, exp.DataType.Type.SMALLINT, exp.DataType.Type.TINYINT)
_HUGE = (exp.DataType.Type.INT128, exp.DataType.Type.UINT128)


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
    return [*_hidden_columns(tree), *_loose_order(tree), *_date_arithmetic(tree), *_engine_functions(tree)]


def _hidden_columns(tree: exp.Expression) -> Iterator[str]:
    if any(not isinstance(star.parent, exp.Count) for star in tree.find_all(exp.Star)):
        yield "SELECT * hides the columns"
    for group in tree.find_all(exp.Group):
        if group.args.get("all") or any(isinstance(e, exp.Literal) for e in group.expressions):
            yield "GROUP BY ALL or by position"
    for ordered in tree.find_all(exp.Ordered):
        if isinstance(ordered.this, exp.Literal | exp.Var):
            yield "ORDER BY ALL or by position"
    if any(tree.find_all(exp.PositionalColumn)):
        yield "column by position"
    for join in tree.find_all(exp.Join):
        if join.args.get("method"):
            yield f"{join.args['method']} join"


def _loose_order(tree: exp.Expression) -> Iterator[str]:
    for window in tree.find_all(exp.Window):
        function = window.this.this if isinstance(window.this, exp.IgnoreNulls | exp.RespectNulls) else window.this
        if not window.args.get("order") and (window.args.get("spec") or isinstance(function, _NEEDS_ORDER)):
            yield f"window without ORDER BY: {window.sql('duckdb')[:60]}"
        if window.args.get("spec") and isinstance(function, _RANKING):
            yield f"ranking function with a frame: {window.sql('duckdb')[:60]}"
    for gathered in tree.find_all(exp.GroupConcat, exp.ArrayAgg):
        if not isinstance(gathered.this, exp.Order):
            yield f"values gathered without ORDER BY: {gathered.sql('duckdb')[:60]}"


def _date_arithmetic(tree: exp.Expression) -> Iterator[str]:
    for operation in tree.find_all(exp.Add, exp.Sub):
        if _is_date(operation.this):
            if _is_date(operation.expression):
                yield f"date minus date: {operation.sql('duckdb')[:60]}"
            elif not _is_integer(operation.expression):
                yield f"days added to a date without CAST(... AS INTEGER): {operation.sql('duckdb')[:60]}"


def _is_date(e: exp.Expression | None) -> bool:
    """Whether this reads as a DATE by our names: a column named *_date, a cast to DATE, or made of such."""
    if isinstance(e, exp.Column):
        return e.name == "date" or e.name.endswith("_date")
    if isinstance(e, exp.Cast):
        return bool(e.to.this == exp.DataType.Type.DATE)
    if isinstance(e, exp.Paren | exp.Coalesce | exp.Greatest | exp.Least | exp.Min | exp.Max):
        return _is_date(e.this)
    if isinstance(e, exp.Add | exp.Sub):
        return _is_date(e.this) and not _is_date(e.expression)
    return isinstance(e, exp.DateFromParts)


def _is_integer(e: exp.Expression) -> bool:
    return (isinstance(e, exp.Literal) and e.is_int) or (isinstance(e, exp.Cast) and e.to.this in _INTEGERS)


def _engine_functions(tree: exp.Expression) -> Iterator[str]:
    for found in tree.find_all(*_FORBIDDEN):
        yield f"{found.key.upper()} differs between engines or hangs on chance"
    for function in tree.find_all(exp.Anonymous):
        if str(function.this).upper() in _FORBIDDEN_NAMES:
            yield f"function {str(function.this).upper()} differs between engines"
    if any(cast.to.this in _HUGE for cast in tree.find_all(exp.Cast)):
        yield "HUGEINT"


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
