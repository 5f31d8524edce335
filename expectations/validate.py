"""Great Expectations on the DuckDB file of a run: it counts, pushed down to the database.

The only place that knows Great Expectations. It is imported here on first use because that takes seconds. Results keep
counts only: the values that it samples are persons' data and go no further.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from expectations.rule import BATCH, Rule


class ExpectationError(RuntimeError):
    """Great Expectations could not run a rule: a bug of the rule or of an upgrade, never bad data."""


class _Dialect(str):
    """A dialect name in the shape that Great Expectations compares."""

    __slots__ = ()

    @property
    def value(self) -> str:
        return str(self)


def count_failures(database: Path, rules: Sequence[Rule]) -> dict[tuple[str, str, str], int]:
    """Number of offending rows of each rule, by `Rule.key`, as Great Expectations counts them.

    No other connection to the file may be open. Raises ExpectationError naming the rule that could not be run.
    """
    if not rules:
        return {}
    by_batch: defaultdict[str, list[Rule]] = defaultdict(list)
    for rule in rules:
        by_batch[rule.batch].append(rule)
    counts: dict[tuple[str, str, str], int] = {}
    with _datasource(database) as (gx, datasource):
        for batch, members in by_batch.items():
            counts |= _count_batch(gx, datasource, batch, members)
    return counts


def _count_batch(gx: Any, datasource: Any, batch: str, rules: Sequence[Rule]) -> dict[tuple[str, str, str], int]:
    schema, table = batch.split(".")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`schema_name` is deprecated", DeprecationWarning)
        asset = datasource.add_table_asset(batch.replace(".", "_"), table_name=table, schema_name=schema)
    suite = gx.ExpectationSuite(name=batch)
    for number, rule in enumerate(rules):
        suite.add_expectation(
            gx.expectations.UnexpectedRowsExpectation(
                unexpected_rows_query=_as_template(rule.sql),
                description=rule.sentence,
                severity="critical" if rule.severity == "block" else "warning",
                meta={"number": number},
            )
        )
    validated = asset.add_batch_definition_whole_table("all").get_batch().validate(suite, result_format="BASIC")
    counts = {}
    for result in validated.results:
        rule = rules[result.expectation_config.meta["number"]]
        if "observed_value" not in result.result:
            raise ExpectationError(f"rule {rule.name} could not be run by Great Expectations")
        counts[rule.key] = int(result.result["observed_value"])
    if len(counts) != len(rules):
        raise ExpectationError(f"{len(rules) - len(counts)} rules on {batch} gave no result")
    return counts


def _as_template(sql: str) -> str:
    """The SELECT as Great Expectations fills it in by str.format: the braces of a regular expression are its own."""
    braced = {"{": "{{", "}": "}}"}
    parts = ("".join(braced.get(letter, letter) for letter in part) for part in sql.split(BATCH))
    return f"(SELECT * FROM {BATCH})".join(parts)


@contextlib.contextmanager
def _datasource(database: Path) -> Iterator[tuple[Any, Any]]:
    """Great Expectations and a datasource on the file; everything that holds the file open is closed afterwards."""
    gx = great_expectations()
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    datasource = context.data_sources.add_sql(name="warehouse", connection_string=f"duckdb:///{database.resolve()}")
    try:
        yield gx, datasource
    finally:
        datasource.get_execution_engine().close()
        datasource.get_engine().dispose()
        del context, datasource
        gc.collect()


def great_expectations() -> Any:
    """Great Expectations, quiet and with DuckDB as it needs it."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports warn; nothing of ours runs in here
        import great_expectations as gx  # noqa: PLC0415  seconds to import
        import great_expectations.execution_engine.sqlalchemy_execution_engine as engine  # noqa: PLC0415
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    # It fetches rows after it has left the connection, which drops DuckDB's pending result, unless the dialect is among
    # those whose connection it keeps. A private name: a test fails when an upgrade moves it.
    if "duckdb" not in {getattr(dialect, "value", dialect) for dialect in engine._PERSISTED_CONNECTION_DIALECTS}:
        engine._PERSISTED_CONNECTION_DIALECTS = (*engine._PERSISTED_CONNECTION_DIALECTS, _Dialect("duckdb"))
    return gx
