"""docs/data-quality.md lists the rules that there are, from the rules themselves."""

from __future__ import annotations

import re

from docs.data_quality import PAGE, page_part
from expectations.derived import REPORT_RULE
from pipelines.doors import LAYERS, rules_of
from pipelines.steps import reference_frame

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_list_is_the_one_that_the_rules_give() -> None:
    assert page_part().strip() in TEXT, "run: python -m docs.data_quality"


def test_every_rule_of_the_reference_stands_once_and_no_other() -> None:
    assert (
        re.findall(r"^### (DQ\d{3})$", TEXT, flags=re.MULTILINE) == reference_frame("quality_rule")["rule_id"].to_list()
    )


def test_every_rule_of_the_reference_is_there_and_every_rule_is_of_the_reference() -> None:
    held = {rule.id for layer in LAYERS for rule in rules_of(layer)} | {REPORT_RULE.id, "DQ001"}
    assert held == set(reference_frame("quality_rule")["rule_id"])


def test_a_rule_is_as_grave_as_the_reference_says() -> None:
    """Where the reference says block, a share or an absent file stops the run; where it says warn, nothing is set aside."""
    rules = reference_frame("quality_rule").fill_null("")
    severities = {row["rule_id"]: f"{row['severity']}; {row['action']}" for row in rules.iter_rows(named=True)}
    for layer in LAYERS:
        for rule in rules_of(layer):
            said = severities[rule.id]
            if rule.severity == "quarantine":
                assert "quarantine" in said, rule.name
            elif rule.severity == "block":
                assert said.startswith("block"), rule.name
