"""A database in memory in which a rule's SQL meets rows that break it and rows that do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from expectations.rule import Rule
from tests.cases.runner import Bench, input_columns, parse_table


@dataclass(frozen=True)
class Door:
    """Runs a rule on drawn tables."""

    bench: Bench

    def failing(self, rule: Rule, given: Mapping[str, str]) -> list[tuple[object, ...]]:
        """What the rule's SELECT returns."""
        with self.bench.transaction():
            for name, text in given.items():
                self.bench.fill(name, parse_table(text))
            return sorted(self.bench.rows(rule.query()), key=repr)

    def failing_rows(self, rule: Rule, given: Mapping[str, str]) -> list[int]:
        """Numbers of the rows of the rule's table that it returns; a row returned twice is there twice."""
        table = parse_table(given[rule.batch])
        numbered = "\n".join(
            [
                " | ".join(["source_file", "row_number", *table.columns]),
                *(
                    " | ".join(["f", str(number), *("-" if cell is None else f"'{cell}'" for cell in row)])
                    for number, row in enumerate(table.rows, start=1)
                ),
            ]
        )
        return [int(str(row[1])) for row in self.failing(rule, {**given, rule.batch: numbered})]


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    bench = Bench(input_columns(tmp_path_factory.mktemp("door") / "columns.duckdb"))
    yield Door(bench)
    bench.close()
