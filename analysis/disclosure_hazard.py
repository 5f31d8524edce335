"""Disclosure control of hazard ratios: what of their periods and pairs a public report may tell.

Owns the rule: ratios by period keep no counts and go together where a period has from 1 to minimum - 1 events, for the periods add up
to the whole; the test keeps no counts; pairs of drugs go whole, for who takes two is few, and so do other lags, for few events move
between levels from one lag to the next. The ratio over all of follow-up is in `disclosure.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from analysis.analyses import hazard, joint_hazard
from analysis.suppression import is_small

Row = dict[str, object]
COUNTS = ("person_count", "event_count", "person_days")


def withhold_hazards(
    rows: Sequence[Row], received: Mapping[str, Row], hide: Callable[[Row], None], minimum: int
) -> None:
    """Withholds what of periods, tests and pairs would tell a count from 1 to minimum - 1.

    rows: `estimate.result` while rows are withheld, whole hazard ratios already. received: the same by estimate_id, untouched.
    """
    periods: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    withheld = set()
    for row in rows:
        key: tuple[object, ...] = (row["exposure_rule"], row["outcome_id"])
        is_lag = row["analysis"] == hazard.ANALYSIS and "lag_days=" in str(row["stratum"])
        if row["analysis"] == joint_hazard.ANALYSIS or is_lag:
            hide(row)
            row.update(dict.fromkeys(COUNTS))
        elif row["analysis"] == hazard.ANALYSIS and ("period=" in str(row["stratum"]) or row["estimand"] == "test"):
            periods[key].append(row)
        elif row["analysis"] == hazard.ANALYSIS and row["status"] == "suppressed":
            withheld.add(key)
    for key, members in periods.items():
        has_few = key in withheld or any(
            is_small(received[str(row["estimate_id"])]["event_count"], minimum) for row in members
        )
        for row in members:
            if has_few:
                hide(row)
            row.update(dict.fromkeys(COUNTS))
