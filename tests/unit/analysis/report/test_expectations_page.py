"""The page of rules: every rule once, its grade, its counts and its SELECT, escaped, and nothing of another file."""

from __future__ import annotations

import re

import polars as pl

from analysis.report.expectations_page import render_expectations
from expectations.rule import Rule, RuleResult, graded, not_assessable

PREVIOUS = pl.DataFrame(
    [("DQ001", "person", "a", 1_234), ("DQ009", "visit", "x", 5)],
    schema=["rule_id", "table_name", "field", "rows_failed"],
    orient="row",
)


def _rule(rule_id: str, field: str, **more: object) -> Rule:
    return Rule(
        id=rule_id, table="person", batch="intake.person", severity="warn", layer="raw", field=field,
        sentence=f"what <{rule_id}> says", sql="SELECT 1 FROM {batch} WHERE a < 2", **more,  # type: ignore[arg-type]
    )  # fmt: skip


def _page(*results: RuleResult, withheld: bool = False) -> str:
    frame = pl.DataFrame([result.row() for result in results], schema_overrides={"block_above": pl.Float64})
    if withheld:
        frame = frame.with_columns(rows_failed=pl.lit(None, pl.Int64))
    return render_expectations(frame, PREVIOUS, title="A <study>")


def test_each_rule_stands_once_in_the_part_of_its_grade() -> None:
    page = _page(
        graded(_rule("DQ001", "a", block_above=0.1), rows_checked=10_000, rows_failed=2_000),
        graded(_rule("DQ002", "b", fail_above=0.5), rows_checked=10, rows_failed=5),
        not_assessable(_rule("DQ003", "c")),
    )
    parts = re.split("<h2>", page)[1:]
    for part, rule_id, words in zip(
        parts, ("DQ001", "DQ002", "DQ003"), ("stops the run", "passes", "not assessable"), strict=True
    ):
        assert re.findall(r'scope="row">(DQ\d+)', part) == [rule_id]
        assert words in part
    assert "2\u202f000" in parts[0] or "2\u2009000" in parts[0] or "2 000" in parts[0]
    assert "1 fail, 1 pass, 1 are not assessable" in page
    assert "passes up to 50 %" in parts[1]


def test_the_last_publication_stands_beside_and_what_is_withheld_is_no_zero() -> None:
    page = _page(graded(_rule("DQ001", "a"), rows_checked=10, rows_failed=3), withheld=True)
    assert re.search(r">1.234<", page)
    assert ">withheld<" in page


def test_text_is_escaped_and_the_page_needs_no_other_file() -> None:
    page = _page(graded(_rule("DQ001", "a"), rows_checked=10, rows_failed=3))
    assert "A &lt;study&gt;" in page
    assert "what &lt;DQ001&gt; says" in page
    assert "a &lt; 2" in page
    assert not re.findall(r'(?:src|href)="', page)
