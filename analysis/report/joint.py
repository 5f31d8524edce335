"""Table on pairs of study drugs: each alone and both together against neither, and how the two combine."""

from __future__ import annotations

from analysis.report.matched import matched_contrasts
from analysis.report.table import Column, Table
from analysis.report.view import Row, View

NO_PAIR = "In no pair of study drugs did enough persons of the matched sets take both on an index date."


def joint(view: View) -> list[Row]:
    """Joint odds ratios of each pair under the primary rule, by outcome."""
    rows: list[Row] = []
    for outcome in dict.fromkeys(contrast.outcome for contrast in matched_contrasts(view)):
        held = view.estimates(analysis="joint_odds_ratio", outcome_id=outcome)
        for pair in dict.fromkeys(str(row["regimen_id"]) for row in held if row["regimen_id"]):
            found = {(row["estimand"], row["level"]): row for row in held if row["regimen_id"] == pair}
            first, second = pair.split("+")
            rows.append(
                {
                    "group": view.outcomes[outcome],
                    "name": view.regimen(pair),
                    "first": found.get(("odds_ratio", first)),
                    "second": found.get(("odds_ratio", second)),
                    "both": found.get(("odds_ratio", pair)),
                    "ratio_of_ratios": found.get(("ratio_of_ratios", "")),
                    "reri": found.get(("reri", "")),
                    "is_withheld": any(row["status"] == "suppressed" for row in found.values()),
                }
            )
    return rows


TABLES = (
    Table(
        "joint_odds_ratio",
        "outcomes",
        "Pairs of study drugs: alone and together, from matched sets",
        (
            Column("name", "Pair"),
            Column("first", "First alone", "ratio"),
            Column("second", "Second alone", "ratio"),
            Column("both", "Both", "ratio"),
            Column("ratio_of_ratios", "Ratio of ratios", "ratio"),
            Column("reri", "RERI", "excess"),
        ),
        joint,
        "Odds ratios against neither drug of the pair, from the matched sets; persons on other study drugs are among those on neither. "
        "A ratio of ratios of 1: the two multiply. RERI, the excess of both over the sum of the two excesses, of 0: they add. With few "
        "events neither is told apart from the other. Nothing but the matching is held equal. "
        "Limits are not adjusted for the number of pairs: among many, some are far from 1 by chance.",
        NO_PAIR,
    ),
)
