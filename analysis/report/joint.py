"""Table on pairs of study drugs: each alone and both together against neither, and how the two combine."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.report.matched import matched_contrasts
from analysis.report.table import Column, Table
from analysis.report.view import Row, View

NO_PAIR = "In no pair of study drugs did enough persons of the matched sets take both on an index date."


def joint(view: View) -> list[Row]:
    """Joint odds ratios of each pair under the primary rule, by outcome."""
    return _pairs(view, "joint_odds_ratio", "odds_ratio", [contrast.outcome for contrast in matched_contrasts(view)])


def joint_hazard(view: View) -> list[Row]:
    """Joint hazard ratios of each pair under the primary rule, by outcome."""
    asked = [contrast.outcome for contrast in view.spec.contrast if contrast.estimator == "time_varying_cox"]
    return _pairs(view, "joint_hazard", "hazard_ratio", asked)


def _pairs(view: View, analysis: str, estimand: str, outcomes: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for outcome in dict.fromkeys(outcomes):
        held = view.estimates(analysis=analysis, outcome_id=outcome)
        for pair in dict.fromkeys(str(row["regimen_id"]) for row in held if row["regimen_id"]):
            found = {(row["estimand"], row["level"]): row for row in held if row["regimen_id"] == pair}
            first, second = pair.split("+")
            rows.append(
                {
                    "group": view.outcomes[outcome],
                    "name": view.regimen(pair),
                    "first": found.get((estimand, first)),
                    "second": found.get((estimand, second)),
                    "both": found.get((estimand, pair)),
                    "ratio_of_ratios": found.get(("ratio_of_ratios", "")),
                    "reri": found.get(("reri", "")),
                    "is_withheld": any(row["status"] == "suppressed" for row in found.values()),
                }
            )
    return rows


_COLUMNS = (
    Column("name", "Pair"),
    Column("first", "First alone", "ratio"),
    Column("second", "Second alone", "ratio"),
    Column("both", "Both", "ratio"),
    Column("ratio_of_ratios", "Ratio of ratios", "ratio"),
    Column("reri", "RERI", "excess"),
)
TABLES = (
    Table(
        "joint_odds_ratio",
        "outcomes",
        "Pairs of study drugs: alone and together, from matched sets",
        _COLUMNS,
        joint,
        "Odds ratios against neither drug of the pair, from the matched sets; persons on other study drugs are among those on neither. "
        "A ratio of ratios of 1: the two multiply. RERI, the excess of both over the sum of the two excesses, of 0: they add. With few "
        "events neither is told apart from the other. Nothing but the matching is held equal. "
        "Limits are not adjusted for the number of pairs: among many, some are far from 1 by chance.",
        NO_PAIR,
    ),
    Table(
        "joint_hazard",
        "outcomes",
        "Pairs of study drugs: hazards alone and together, exposure split in time",
        _COLUMNS,
        joint_hazard,
        "Hazard ratios against neither drug of the pair, in days since the first study drug; persons on other study drugs are among those "
        "on neither. Read as the table of odds ratios; here not even sex and indication are held equal.",
        NO_PAIR,
        is_long=True,
    ),
)
