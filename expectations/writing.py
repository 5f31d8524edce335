"""How rules are written: the same words for the same thing, so that a rule is one readable entry.

Owns the shapes of a rule's SELECT that several modules use. What the rules say is in `raw`, `raw_tables`, `staged`, `derived`.
"""

from __future__ import annotations

from typing import Any

from expectations.rule import Layer, Rule, Severity

YES = "('Y', 'YES', '1', 'TRUE')"
NO = "('N', 'NO', '0', 'FALSE')"
FATAL = "('fatal', 'death', 'died', '5')"  # 5: outcome of E2B
WITHDRAWN = "('drug withdrawn', 'withdrawn', '1')"  # 1: action of E2B; as exposure.discontinuation reads it
# Names of anaphylaxis, from the reference.
ANAPHYLAXIS = (
    "(SELECT TRIM(n.name) FROM (SELECT UNNEST(STRING_SPLIT(LOWER(o.meddra_pt_names), ';')) AS name FROM reference.outcome AS o "
    "WHERE o.outcome_id = 'anaphylaxis') AS n)"
)


def where(condition: str) -> str:
    """Received rows of the batch that meet a condition."""
    return f"SELECT r.source_file, r.row_number FROM {{batch}} AS r WHERE {condition}"


def raw_rule(rule_id: str, table: str, severity: Severity, sentence: str, sql: str, **more: Any) -> Rule:
    """A rule on received records of a table."""
    return Rule(
        id=rule_id, table=table, batch=f"intake.{table}", severity=severity, layer="raw", sentence=sentence, sql=sql, **more
    )  # fmt: skip


def warning(rule_id: str, table: str, sentence: str, sql: str, *, batch: str = "", **more: Any) -> Rule:
    """A rule on kept records of a table: they stay, and it is said."""
    layer: Layer = "staged"
    return Rule(
        id=rule_id, table=table, batch=batch or f"staged.{table}", severity="warn", layer=layer, sentence=sentence, sql=sql, **more
    )  # fmt: skip
