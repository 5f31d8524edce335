"""A data-quality rule as data, and how its count is graded.

Owns the shape of a rule and the grade. A rule is SQL that returns the keys of the offending rows: the expectation counts
them, the quarantine takes them. Does not run anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["block", "quarantine", "warn"]
Layer = Literal["raw", "staged", "derived", "cohort", "report"]
Grade = Literal["pass", "fail", "not_assessable"]

BATCH = "{batch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule on one table.

    table: input table that it is reported under. batch: table that its SQL reads as `{batch}`. sql: SELECT of the keys of
    the rows that break it. fail_above: share of failed rows up to which the rule passes. block_above: share above which the
    run stops; None where it never does. checked: SELECT of one number, of what the share is; the rows of the batch by default.
    needs: what the source must have or the rule is not assessable: input tables (`death`) and columns (`visit.visit_type`).
    """

    id: str
    table: str
    batch: str
    severity: Severity
    layer: Layer
    sentence: str
    sql: str
    field: str = ""
    fail_above: float = 0.0
    block_above: float | None = None
    checked: str = ""
    needs: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies the rule's result."""
        return self.id, self.table, self.field

    @property
    def name(self) -> str:
        """Name of the check: letters, digits and underscores."""
        return "_".join(part for part in self.key if part)

    def query(self) -> str:
        """The SELECT on the table itself."""
        return self.sql.replace(BATCH, self.batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What became of a rule: the counts of Great Expectations and our grade."""

    rule: Rule
    rows_checked: int
    rows_failed: int
    status: Grade

    @property
    def is_blocking(self) -> bool:
        """Whether this result stops the run."""
        limit = self.rule.block_above
        return self.status == "fail" and limit is not None and self.rows_failed > limit * max(self.rows_checked, 1)

    @property
    def message(self) -> str:
        """One sentence for people: rule, table, counts; no record."""
        share = f" ({100 * self.rows_failed / self.rows_checked:.1f} %)" if self.rows_checked else ""
        place = f"{self.rule.table}.{self.rule.field}" if self.rule.field else self.rule.table
        return (
            f"{self.rule.id} {place}: {self.rule.sentence}. {self.rows_failed:,} of {self.rows_checked:,} rows{share}"
        )

    def row(self) -> dict[str, object]:
        """The row of `quality.rule_result`."""
        return {
            "rule_id": self.rule.id, "table_name": self.rule.table, "field": self.rule.field, "layer": self.rule.layer,
            "severity": self.rule.severity, "rows_checked": self.rows_checked, "rows_failed": self.rows_failed,
            "fail_above": self.rule.fail_above, "block_above": self.rule.block_above, "status": self.status,
            "is_blocking": self.is_blocking, "sentence": self.rule.sentence, "sql": self.rule.query(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Grading:
    """Thresholds that a study sets for a rule, of one table and field or of all; None leaves the default."""

    rule: str
    table: str | None = None
    field: str | None = None
    fail_above: float | None = None
    block_above: float | None = None
    never_block: bool = False

    def is_for(self, rule: Rule) -> bool:
        """Whether these thresholds are for the rule."""
        return self.rule == rule.id and self.table in (None, rule.table) and self.field in (None, rule.field)

    def of(self, rule: Rule) -> Rule:
        """The rule with these thresholds, or as it is where they are not for it."""
        if not self.is_for(rule):
            return rule
        block_above = rule.block_above if self.block_above is None else self.block_above
        return replace(
            rule,
            fail_above=rule.fail_above if self.fail_above is None else self.fail_above,
            block_above=None if self.never_block else block_above,
        )


def graded(rule: Rule, *, rows_checked: int, rows_failed: int) -> RuleResult:
    """The result of a rule that could be counted; nothing to look at is nothing wrong."""
    has_failed = rows_failed > rule.fail_above * rows_checked
    return RuleResult(
        rule=rule, rows_checked=rows_checked, rows_failed=rows_failed, status="fail" if has_failed else "pass"
    )


def not_assessable(rule: Rule) -> RuleResult:
    """The result of a rule whose table the source lacks."""
    return RuleResult(rule=rule, rows_checked=0, rows_failed=0, status="not_assessable")
