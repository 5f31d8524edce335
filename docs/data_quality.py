"""Writes docs/data-quality.md's list of rules from the rules themselves.

python -m docs.data_quality
"""

from __future__ import annotations

import argparse
from pathlib import Path

import sqlglot

from benchmarks.pages import replace_part
from expectations.derived import REPORT_RULE
from expectations.rule import Rule
from pipelines.doors import LAYERS, rules_of
from pipelines.steps import reference_frame

PAGE = Path(__file__).parent / "data-quality.md"
DOORS = {
    "raw": "records as received", "staged": "kept records together", "derived": "derived exposure", "cohort": "what the sampler drew",
    "report": "the report before it is written",
}  # fmt: skip
SHOWN_TARGETS = 12


def page_part() -> str:
    """The Markdown of all rules: what fails, where, how it is graded, and the SELECT of one of each kind."""
    held: dict[str, list[Rule]] = {}
    for rule in [*(rule for layer in LAYERS for rule in rules_of(layer)), REPORT_RULE]:
        held.setdefault(rule.id, []).append(rule)
    lines = []
    for row in reference_frame("quality_rule").iter_rows(named=True):
        lines += [f"### {row['rule_id']}", f"{_sentence(row['condition_that_fails'])} {_action(row)}".strip(), ""]
        if row["rule_id"] == "DQ001":
            lines += [
                "Before any rule: the run ends with exit code 2. A required table without rows is a rule and ends it with 3.",
                "",
            ]
        kinds: dict[tuple[str, str, str], list[Rule]] = {}
        for rule in held.get(row["rule_id"], []):
            kinds.setdefault((rule.sentence, rule.severity, rule.layer), []).append(rule)
        for (sentence, severity, layer), rules in kinds.items():
            lines += _kind(sentence, severity, layer, rules)
    return "\n".join(lines)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _action(row: dict[str, str | None]) -> str:
    return f"Severity by the project's rules: {row['severity']}" + (f"; {row['action']}." if row["action"] else ".")


def _kind(sentence: str, severity: str, layer: str, rules: list[Rule]) -> list[str]:
    targets = [f"`{rule.table}.{rule.field}`" if rule.field else f"`{rule.table}`" for rule in rules]
    more = len(targets) - SHOWN_TARGETS
    told = ", ".join(targets[:SHOWN_TARGETS]) + (f" and {more} more" if more > 0 else "")
    first = rules[0]
    grades = [f"passes up to {100 * first.fail_above:g} %"] * bool(first.fail_above)
    if first.block_above is not None:
        grades.append(
            "stops the run" if first.block_above == 0 else f"stops the run above {100 * first.block_above:g} %"
        )
    if first.needs:
        needed = {name for rule in rules for name in rule.needs if name != rule.table}
        grades += [f"needs {', '.join(sorted(needed))}"] * bool(needed)
    grade = f" ({'; '.join(grades)})" if grades else ""
    lines = [f"* **{severity}**, {DOORS[layer]}: {sentence}{grade}. {told}.", ""]
    if first.sql:
        select = sqlglot.parse_one(first.query(), dialect="duckdb").sql(dialect="duckdb", pretty=True)
        lines += ["  ```sql", *(f"  {line}" for line in select.splitlines()), "  ```", ""]
    return lines


def main() -> None:
    """Writes the page's part."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    replace_part(PAGE, "rules", page_part())


if __name__ == "__main__":
    main()
