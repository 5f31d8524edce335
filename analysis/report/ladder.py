"""The ladder: for each outcome and ladder the ratios of every way of making them below one another, and the literature below them.

Owns which estimate stands for a way where cells are small. The ways by themselves are in `ratios`, `rate_ratio` and `matched`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analysis.analyses import steroid_window
from analysis.analyses.ladder import Comparison
from analysis.analyses.matched import ADJUSTED_METHOD, METHOD, TREND
from analysis.analyses.matched_exact import METHOD as EXACT
from analysis.analyses.misclassified import ANALYSIS as BIAS
from analysis.analyses.rate_ratio import asked_ladders
from analysis.report import ratios, wording
from analysis.report.table import Column, Table
from analysis.report.view import Row, View
from analysis.study.spec import Contrast

CRUDE, STRATIFIED, RATE = "Crude odds ratio", "Stratified odds ratio", "Stratified rate ratio"
MATCHED, ADJUSTED, LITERATURE = "Matched odds ratio", "Matched and adjusted odds ratio", "Literature, odds ratio"
NO_NEW_STEROID = "Matched, without new steroids"
MISCLASSIFIED = "Crude, if cases are as true as validation found"
WAYS = (CRUDE, STRATIFIED, RATE, MATCHED, ADJUSTED, NO_NEW_STEROID, MISCLASSIFIED, LITERATURE)
CRUDE_METHODS = ("exact_conditional", "woolf")
STRATIFIED_METHODS = ("exact_conditional_stratified", "mantel_haenszel")
MATCHED_METHODS = ("firth_conditional_logistic_profile", METHOD)
NO_CONTRAST = "The study file asks for no comparison of this kind."


def ladder(view: View) -> list[Row]:
    """A row for each way and the literature, for each outcome and ladder; a column for each pair of levels."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for asked in asked_ladders(view.spec.contrast):
        groups.setdefault((asked.contrast.outcome, asked.contrast.ladder), []).append(asked)
    rows: list[Row] = []
    for (outcome, name), members in groups.items():
        cells: dict[str, dict[str, Row]] = {way: {} for way in WAYS}
        for contrast, level in _pairs(members):
            for way, found in _ways(view, contrast, level).items():
                cells[way][_column(level, contrast.comparator_level)] = found
        rows += [
            {
                "group": f"{view.outcomes[outcome]}: {wording.LADDERS[name]}",
                "name": way,
                **found,
                "is_withheld": any(row["status"] == "suppressed" for row in found.values()),
            }
            for way, found in cells.items()
            if found
        ]
    return rows


def _pairs(members: list[Comparison]) -> Iterator[tuple[Contrast, str]]:
    for asked in members:
        for level in asked.levels:
            yield asked.contrast, level
        if asked.is_whole:
            yield asked.contrast, TREND


def _column(level: str, comparator: str) -> str:
    return level if level == TREND else f"{level} v {comparator}"


def _ways(view: View, contrast: Contrast, level: str) -> Mapping[str, Row]:
    """The estimate of each way that has one."""
    pooled = {} if level == TREND else ratios.level_estimates(view, contrast, level)
    asked = {
        "outcome_id": contrast.outcome,
        "stratum": f"ladder={contrast.ladder}",
        "level": level,
        "comparator_id": "" if level == TREND else contrast.comparator_level,
    }
    sets = {
        str(row["method"]): row
        for row in view.estimates(
            analysis="matched_odds_ratio", estimand="odds_ratio", population="incidence_density", **asked
        )
    }
    rates = view.estimates(analysis="rate_ratio", estimand="incidence_rate_ratio", method="mantel_haenszel", **asked)
    window = steroid_window.steroid_window_stratum(contrast.ladder, view.spec.case_control.steroid_window_days)
    without = {
        str(row["method"]): row
        for row in view.estimates(
            analysis=steroid_window.ANALYSIS, estimand="odds_ratio", population="incidence_density",
            **(asked | {"stratum": window}),
        )
    }  # fmt: skip
    found = {
        CRUDE: _first(pooled, CRUDE_METHODS),
        STRATIFIED: _first(pooled, STRATIFIED_METHODS),
        RATE: next(iter(rates), None),
        MATCHED: _first(sets, MATCHED_METHODS),
        ADJUSTED: sets.get(ADJUSTED_METHOD),
        MISCLASSIFIED: next(iter(view.estimates(analysis=BIAS, method="misclassification_total", **asked)), None),
        NO_NEW_STEROID: _first(without, (EXACT, METHOD)),
    }
    told = {way: row for way, row in found.items() if row is not None}
    literature = ratios.benchmark(view, contrast, level)
    return told | {LITERATURE: _printed(literature)} if told and literature else told


def _first(found: Mapping[str, Row], methods: tuple[str, ...]) -> Row | None:
    """The first of the methods that has a value or a limit, else the last that was asked."""
    asked = [found[method] for method in methods if method in found]
    told = [row for row in asked if row["value"] is not None or row["status"] == "limit_only"]
    return next(iter([*told, *asked[-1:]]), None)


def _printed(literature: Row) -> Row:
    """A literature value in the shape of an estimate: how direct it is and where it is from stand where reasons do."""
    said = f"{literature['directness']}: {literature['source']}"
    return {part: literature[part] for part in ("value", "lower", "upper")} | {"status": "ok", "reason": said}


TABLES = (
    Table(
        "ladder",
        "outcomes",
        "The ladder: every way below one another",
        (
            Column("name", "Way"),
            Column("1 v 0", "One against none", "ratio", is_optional=True),
            Column(">=2 v 0", "Two or more against none", "ratio", is_optional=True),
            Column(">=2 v 1", "Two or more against one", "ratio", is_optional=True),
            Column("0 v 1", "None against one", "ratio", is_optional=True),
            Column(TREND, "Each further one", "ratio", is_optional=True),
        ),
        ladder,
        "All estimate the ratio of rates; what differs is what was held equal. Crude: pooled periods, nothing. Stratified: age band, sex "
        "and calendar year. Matched: controls at risk on the day of the event, of the same sex, indication, age and time; adjusted for "
        "what is known before entry besides; without new steroids: courses of systemic corticosteroid begun shortly before the event, "
        "perhaps for its first symptoms, not counted. Misclassified: recorded cases of each level multiplied by a predictive value drawn "
        "from the published range, with chance. Severity of illness is held equal in none. Each further one: up to three. Where "
        "cells are small exact values stand for crude and stratified and penalised ones (Firth) for matched; the tables that follow "
        "hold every one. The literature is of other people, drugs and definitions; how direct it is stands under it.",
        NO_CONTRAST,
    ),
)
