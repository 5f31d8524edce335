"""docs/survival.md: its parts, figures and functions exist, and its rows say what an estimate says."""

from __future__ import annotations

import importlib
import re

import polars as pl

from docs.survival_walk import FIGURES, PAGE, QUESTIONS, table

TEXT = PAGE.read_text(encoding="utf-8")


def test_every_question_has_its_part_with_rows_and_every_figure_is_there() -> None:
    for name in QUESTIONS:
        part = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- end of {name} -->", TEXT, flags=re.DOTALL)
        assert part is not None and part[1].count("\n") >= 2, name
    for file in FIGURES.values():
        assert f"figures/{file}" in TEXT
        assert (PAGE.parent / "figures" / file).read_text(encoding="utf-8").lstrip().startswith(("<svg", "<?xml"))


def test_every_function_that_the_page_names_exists() -> None:
    named = re.findall(r"`(\w+)\.(\w+)`", TEXT.partition("## In a notebook")[2])
    assert len(named) >= 12
    for module, function in named:
        assert hasattr(importlib.import_module(f"analysis.estimate.{module}"), function), (module, function)


def test_a_row_has_the_period_the_method_the_limits_and_the_reason() -> None:
    question = {"analysis": "time_varying_hazard", "estimand": "hazard_ratio", "outcome_id": "o"}
    base = question | {
        "exposure_rule": "primary", "level": ">=2", "status": "ok", "value": 1.5, "lower": 1.0, "upper": 2.0, "person_count": 9,
    }  # fmt: skip
    estimates = pl.DataFrame(
        [
            base | {"stratum": "ladder=study_drugs", "method": "cox_efron_robust", "reason": ""},
            base | {"stratum": "ladder=study_drugs;period=days 1 to 90", "method": "x", "reason": "why"},
            base | {"stratum": "", "method": "other_rule", "reason": "", "exposure_rule": "gap_90"},
        ]
    )
    assert table(estimates, question).splitlines()[2:] == [
        "| >=2 | Cox, exposure split in time | 1.50 (1.00\N{EN DASH}2.00) |  |",
        "| days 1 to 90 | x | 1.50 (1.00\N{EN DASH}2.00) | why |",
    ]
