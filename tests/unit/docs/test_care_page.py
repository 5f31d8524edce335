"""docs/care.md lists the care items that there are, from the reference itself."""

from __future__ import annotations

import re

import pytest

from docs.care import PAGE, PARTS
from pipelines.steps import reference_frame
from sql.catalog import tables

TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("part", list(PARTS))
def test_the_lists_are_those_that_the_reference_gives(part: str) -> None:
    assert PARTS[part]().strip() in TEXT, "run: python -m docs.care"


def test_every_item_has_a_heading_and_every_policy_its_rule() -> None:
    items = reference_frame("care_item")
    assert (
        re.findall(r"^### (A\d+[a-z]?)$", TEXT, flags=re.MULTILINE)
        == items["care_item_id"].unique(maintain_order=True).to_list()
    )
    assert len(re.findall(r"^\*\*`\w+`: ", TEXT, flags=re.MULTILINE)) == items.height


def test_every_table_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(care\.\w+)`", TEXT)) | set(re.findall(r"FROM (care\.\w+)", TEXT))
    assert named
    assert named <= set(tables())


def test_a_rule_that_changed_is_seen() -> None:
    assert PARTS["items"]().replace("120 minutes", "121 minutes") not in TEXT
