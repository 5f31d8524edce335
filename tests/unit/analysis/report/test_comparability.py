"""Tables on comparability in the report: methods in their order, the worst of each gate, negative controls by name."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.analyses.gates import diagnostic_frame
from analysis.analyses.time_zero import METHODS, time_zero_comparison
from analysis.analyses.time_zero_groups import ANALYSIS
from analysis.estimate.result import result_frame
from analysis.report import comparability, text
from analysis.report.love import love
from analysis.report.page import render_page
from analysis.report.table import show
from analysis.report.tables import shown_tables
from analysis.report.view import View
from tests.unit.analysis.analyses.test_time_zero import _world
from tests.unit.analysis.report.described import RULE
from tests.unit.analysis.report.small import SETTINGS, small_report

CONTRASTS = [*SETTINGS["contrast"], {"id": "added", "estimator": ANALYSIS, "outcome": "infection"}]
OUTCOMES = [
    *SETTINGS["outcome"],
    *({"id": f"nc{n}", "label": f"Harmless {n}", "terms": [f"t{n}"], "negative_control": True} for n in (1, 2, 3)),
]
TABLES = {table.id: table for table in comparability.TABLES}


def _view(*, confounding: float, hidden: bool = False) -> View:
    received = small_report(settings={"contrast": CONTRASTS, "outcome": OUTCOMES})
    members, time = _world(confounding=confounding, ratio=1.5, hidden=hidden, outcomes=4)
    named = [frame.with_columns(exposure_rule=pl.lit(RULE)) for frame in (members, time)]
    estimates, diagnostics = time_zero_comparison(
        named[0],
        named[1],
        received.spec,
        rules=[RULE],
        negative_controls=["nc1", "nc2", "nc3"],
        assessable=["infection"],
    )
    frames = received.frames | {
        "estimate.result": pl.concat([received.frames["estimate.result"], result_frame(estimates, study_digest="d")]),
        "estimate.diagnostic": diagnostic_frame(diagnostics),
    }
    return View(received.spec, frames)


@pytest.fixture(scope="module")
def view() -> View:
    """A comparison whose only confounder is recorded."""
    return _view(confounding=0.7)


def test_each_method_has_a_row_crude_first_and_the_heading_gives_both_rates(view: View) -> None:
    rows = [row for row in comparability.time_zero(view) if "as treated" in str(row["group"])]
    assert [row["ratio"]["method"] for row in rows] == list(METHODS.values())  # type: ignore[index]
    assert "rate with the drug added" in str(rows[0]["group"]) and "with one drug" in str(rows[0]["group"])
    assert rows[0]["ratio"]["status"] == "gate_failed" and rows[1]["ratio"]["status"] == "ok"  # type: ignore[index]
    assert [bool(row["e_value"]) for row in rows] == [False, True, False]
    cells = show(TABLES["time_zero_comparison"], view).body[1][2]
    assert cells[3].note.startswith("set aside by a check: standardised difference")


def test_balance_is_ordered_by_what_was_crude_and_named_in_words(view: View) -> None:
    rows = comparability.balance(view)
    assert rows[0]["name"] == "days on systemic corticosteroids"
    assert float(rows[0]["crude"]) > 0.3  # type: ignore[arg-type]
    assert abs(float(rows[0]["overlap"])) < 0.01  # type: ignore[arg-type]
    assert "indication: asthma" in [row["name"] for row in rows]
    assert love(view) is not None


def test_a_gate_tells_its_worst_value_and_verdict(view: View) -> None:
    found = {(row["name"], row["of"]): row for row in comparability.gates(view)}
    crude = found["Largest standardised difference", "Crude"]
    assert crude["status"] == "failed" and float(crude["value"]) > 0.3  # type: ignore[arg-type]
    assert found["Largest standardised difference", "Overlap weights"]["status"] == "passed"
    equal = found["Least share in equipoise", ""]
    shares = [row["value"] for row in view.rows("estimate.diagnostic", diagnostic="equipoise")]
    assert len(shares) == 2 and equal["value"] == min(float(share) for share in shares)  # type: ignore[arg-type]


def test_negative_controls_have_a_table_and_stand_nowhere_among_the_outcomes(view: View) -> None:
    rows = comparability.controls(view)
    assert [row["name"] for row in rows] == ["Harmless 1", "Harmless 2", "Harmless 3"]
    assert all(row["as_treated"]["method"] == METHODS["overlap"] for row in rows)  # type: ignore[index]
    assert list(view.outcomes) == ["infection"]
    tables = shown_tables(view)
    for name, shown in tables.items():
        said = str(shown.data.to_dicts())
        assert ("Harmless" in said) == (name == "negative_controls"), name


def test_the_cover_counts_comparative_estimates_that_fail_and_not_crude_ones(view: View) -> None:
    assert "check of comparability" not in text.gate(view).sentence
    biased = text.gate(_view(confounding=1.2, hidden=True))
    assert biased.grade == "red" and "check of comparability" in biased.sentence


def test_the_section_says_how_many_have_a_comparator(view: View) -> None:
    page = render_page(view, shown_tables(view), {}, fingerprint="f")
    assert 'id="comparability"' in page
    assert (
        "600 persons added a second study drug to one that they were on alone; 600 of them have a comparator"
        in page.replace("\N{NARROW NO-BREAK SPACE}", "")
    )
