"""Disclosure control of matched sets and of compared rates: what of them a public report may tell.

Owns the rule for odds ratios whose cases are also counted by level elsewhere: no count of persons, cases or controls stays, nor what a
count could be solved from (the crude ratio, which is made of four cells); a ladder goes whole where one of its levels has few cases or
controls or its incidence was withheld. Pairs of drugs and single classes go whole: who takes two, or a rare
class, is few; so do ratios without new steroids, whose difference is made of few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from analysis.suppression import is_small, whole

Row = dict[str, object]
KEY = ("exposure_rule", "population", "outcome_id", "stratum")
WHOLE = ("joint_odds_ratio", "class_odds_ratio", "steroid_window_odds_ratio")
COUNTING = ("count", "crude_woolf")


def withhold_matched(
    rows: Sequence[Row], received: Mapping[str, Row], hide: Callable[[Row], None], minimum: int
) -> None:
    """Withholds what of matched sets would tell a count from 1 to minimum - 1.

    rows: `estimate.result` while rows are withheld, incidence already. received: the same by estimate_id, untouched.
    """
    withheld = {
        tuple(row[name] for name in ("exposure_rule", "outcome_id", "stratum"))
        for row in rows
        if row["analysis"] == "incidence" and row["status"] == "suppressed" and row["stratum"]
    }
    ladders: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row["analysis"] in WHOLE:
            hide(row)
            row["person_count"] = row["event_count"] = None
        elif row["analysis"] == "matched_odds_ratio":
            ladders[tuple(row[name] for name in KEY)].append(row)
    for (rule, _, outcome, stratum), members in ladders.items():
        own = [received[str(row["estimate_id"])] for row in members]
        has_few = (
            (rule, outcome, stratum) in withheld
            or any(str(row["method"]).startswith("firth") for row in own)
            or any(is_small(count, minimum) for count in _cases(own))
        )
        for row in members:
            if has_few or row["method"] in COUNTING:
                hide(row)
            row["person_count"] = row["event_count"] = None


def withhold_misclassified(rows: Sequence[Row], hide: Callable[[Row], None]) -> None:
    """Withholds bias analyses of odds ratios that were themselves withheld: their median gives the ratio back."""
    key = (*KEY, "level", "comparator_id")
    withheld = {
        tuple(row[name] for name in key)
        for row in rows
        if row["analysis"] == "infection_odds_ratio" and row["status"] == "suppressed"
    }
    for row in rows:
        if row["analysis"] == "misclassified_odds_ratio" and tuple(row[name] for name in key) in withheld:
            hide(row)
            row["event_count"] = None


def withhold_rate_ratios(rows: Sequence[Row], hide: Callable[[Row], None]) -> None:
    """Withholds the comparisons of rates of a ladder where the incidence of one of its levels, or of all, was withheld.

    A ratio, a difference, a trend or a standardised rate would give the level back; where all levels are told they tell nothing more.
    """
    withheld = {
        (row["exposure_rule"], row["outcome_id"], row["stratum"])
        for row in rows
        if row["analysis"] == "incidence"
        and row["population"] == "all_time"
        and row["status"] == "suppressed"
        and not row["regimen_id"]
    }
    for row in rows:
        if row["analysis"] == "rate_ratio" and any(
            (row["exposure_rule"], row["outcome_id"], stratum) in withheld for stratum in (row["stratum"], "")
        ):
            hide(row)
            row["event_count"] = None


def _cases(rows: Sequence[Row]) -> list[int]:
    """Cases at each level, as they follow from the cases at two levels and from all of them.

    The second step, two or more against one, tells nothing that the whole ladder beside it does not.
    """
    ratios = [row for row in rows if row["estimand"] == "odds_ratio"]
    everybody = [whole(row["event_count"]) for row in ratios if row["level"] == "per level"]
    found = []
    for compared in sorted({str(row["comparator_id"]) for row in ratios if row["level"] != "per level"}):
        told = {row["level"]: whole(row["event_count"]) for row in ratios if row["comparator_id"] == compared}
        others = [level for level in (">=2", "1", "0") if level in told]
        if everybody and len(others) > 1:
            comparator = sum(told[level] for level in others) - everybody[0]
            found += [comparator, *(told[level] - comparator for level in told if level != "per level")]
    return found
