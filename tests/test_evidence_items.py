"""Every statement of both source documents is an estimate, a care item, or has a stated reason why not.

Owns the table of statement -> what stands for it. What an item asks is in `reference.care_item`, what an analysis estimates in its
own module.
"""

from __future__ import annotations

import polars as pl
import pytest

from pipelines.analyses import ANALYSES
from pipelines.steps import reference_frame

STATEMENTS = (*(f"A{number:02}" for number in range(1, 39)), *(f"B{number:02}" for number in range(1, 13)))
ESTIMATES = {
    "A01": ("persistence",),
    "A02": ("persistence",),
    "A03": ("discontinuation", "ending_incidence"),
    "A04": ("adverse_event_rate",),
    "A06": ("warned_combination",),
    "A07": ("anaphylaxis",),
    "A08": ("reaction_latency",),
    "A13": ("matched_odds_ratio", "infection_odds_ratio"),
    "A14": ("matched_odds_ratio", "infection_odds_ratio", "rate_ratio"),
    "A15": ("opportunistic_group",),
    "A29": ("immunogenicity",),
    "A30": ("immunogenicity",),
    "A31": ("immunogenicity",),
    "B01": ("omalizumab_ige",),
    "B02": ("omalizumab_ige",),
    "B03": ("omalizumab_symptoms",),
    "B04": ("omalizumab_ige",),
    "B05": ("omalizumab_symptoms",),
    "B06": ("omalizumab_symptoms",),
    "B07": ("omalizumab_symptoms",),
    "B08": ("omalizumab_symptoms",),
    "B09": ("omalizumab_ige", "omalizumab_events"),
    "B11": ("omalizumab_symptoms",),
}
CARE = {
    **{
        name: (name,)
        for name in ("A05", "A09", "A11", "A16", "A17", "A18", "A19", "A20", "A21", "A22", "A23", "A24", "A25")
    },
    **{name: (name,) for name in ("A26", "A32", "A33", "A34", "A35", "A37")},
    "A12": ("A12", "A12b"),
    "A27": ("A27", "A27b", "A27c"),
    "A36": ("A36", "A36b"),
    "B09": ("A32",),
}
REASONS = {
    "A10": "no input table says what a care site is equipped for; care item A10 counts its doses as not assessable",
    "A28": "about molecules, not persons: no record can show it",
    "A38": "a statement on the source itself: each row of reference.benchmark and care_item carries source, certainty or review status",
    "B10": "a window, not a number: omalizumab_symptoms tells the change to week 28 on treatment and to week 16 after it",
    "B12": "a rule of dosing: pkpd.person counts IgE measured on treatment and never uses it",
}


def unanswered(
    estimates: dict[str, tuple[str, ...]], care: dict[str, tuple[str, ...]], reasons: dict[str, str]
) -> list[str]:
    """Statements without an estimate, a care item or a reason."""
    return [name for name in STATEMENTS if not (estimates.get(name) or care.get(name) or reasons.get(name))]


def test_no_statement_is_without_an_answer() -> None:
    assert len(STATEMENTS) == 50
    assert unanswered(ESTIMATES, CARE, REASONS) == []


def test_a_statement_that_is_left_out_is_seen() -> None:
    for name in ("A05", "A20", "A27"):
        assert unanswered(ESTIMATES, {key: value for key, value in CARE.items() if key != name}, REASONS) == [name]


def test_no_other_statement_is_named_and_a_reason_stands_only_where_nothing_is_computed() -> None:
    assert {*ESTIMATES, *CARE, *REASONS} <= set(STATEMENTS)
    assert set(REASONS) & {*ESTIMATES, *CARE} == set()


def test_every_analysis_that_is_named_exists() -> None:
    named = {name for names in ESTIMATES.values() for name in names}
    assert named <= {analysis.name for analysis in ANALYSES}


def test_every_care_item_that_is_named_exists_and_every_item_is_named() -> None:
    held = set(reference_frame("care_item")["care_item_id"])
    assert {item for items in CARE.values() for item in items} | {"A10"} == held


def test_every_instrument_of_the_reference_is_an_assessment() -> None:
    evidence = reference_frame("care_evidence").filter(pl.col("evidence_kind") == "assessment")
    assert set(reference_frame("instrument")["instrument_id"]) <= set(evidence["test_id"])


@pytest.mark.parametrize("name", ["A05", "A20", "A27"])
def test_statements_that_are_easily_forgotten_are_care_items(name: str) -> None:
    assert name in CARE
