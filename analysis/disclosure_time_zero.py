"""Disclosure control of the comparison from time zero: what of it a public report may tell.

Owns the rule: an outcome goes whole, under a rule and kind of follow-up, where one of its groups has few events or few persons.
Otherwise rates stay with their events, but no other count and no person-days: those of weighted and matched members would narrow
the groups down. How many added a drug goes where few of them have no comparator.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import polars as pl

from analysis.analyses.time_zero_groups import ANALYSIS
from analysis.suppression import is_small, whole

Row = dict[str, object]
KEY = ("exposure_rule", "population", "outcome_id")


def withhold_time_zero(
    rows: Sequence[Row], received: Mapping[str, Row], hide: Callable[[Row], None], minimum: int
) -> None:
    """Withholds what of the comparison would tell a count from 1 to minimum - 1.

    rows: `estimate.result` while rows are withheld. received: the same by estimate_id, untouched.
    """
    groups: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row["analysis"] == ANALYSIS:
            groups[tuple(row[name] for name in KEY)].append(row)
    for members in groups.values():
        own = [received[str(row["estimate_id"])] for row in members]
        rates = [row for row in own if row["estimand"] == "incidence_rate_per_100py"]
        counts = [whole(row["person_count"]) for row in own if row["estimand"] == "count"]
        has_few = any(is_small(row[name], minimum) for row in own for name in ("event_count", "person_count"))
        has_few = has_few or any(is_small(high - low, minimum) for high in counts for low in counts if high > low)
        for row in members:
            if has_few:
                hide(row)
            is_told = row["estimand"] == "count" or (row["estimand"] == "incidence_rate_per_100py" and bool(rates))
            row["person_days"] = None
            if has_few or not is_told:
                row["person_count"] = row["event_count"] = None
            elif row["estimand"] == "incidence_rate_per_100py":
                row["person_count"] = None


def thinned_diagnostics(diagnostics: pl.DataFrame, rows: Sequence[Row]) -> pl.DataFrame:
    """Without the minimal detectable ratios of outcomes of which an estimate was withheld: they are made of counts.

    diagnostics: `estimate.diagnostic`. rows: `estimate.result` after rows were withheld.
    """
    withheld = {
        f"outcome_id={row['outcome_id']}" for row in rows if row["status"] == "suppressed" and row["outcome_id"]
    }
    keep = [
        row["diagnostic"] != "minimal_detectable_ratio" or not withheld & set(str(row["item"]).split(";"))
        for row in diagnostics.iter_rows(named=True)
    ]
    return diagnostics.filter(pl.Series(keep, dtype=pl.Boolean))
