"""Disclosure control of persistence: which times may be shown of a curve that steps with single persons.

Owns the rule that between two shown moments endings and censorings are none or not few. Which other estimates are
withheld is in `disclosure.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from analysis.analyses.persistence import LONGEST
from analysis.suppression import is_small

Row = dict[str, object]
KEY = ("exposure_rule", "population", "regimen_id", "stratum")
FIRST, SECOND = "first_episode", "reached_min_overlap"


@dataclass(frozen=True, slots=True)
class Moment:
    """Endings and censorings up to a day."""

    day: int
    ended: int
    censored: int

    def is_clear_of(self, later: Moment, minimum: int) -> bool:
        """Whether what happened until `later` is none or not few, endings and censorings each."""
        steps = (later.ended - self.ended, later.censored - self.censored)
        return min(steps) >= 0 and not any(is_small(step, minimum) for step in steps)


def kept_moments(moments: list[Moment], end: Moment, minimum: int, *, start: Moment | None = None) -> list[Moment]:
    """The moments that may be shown: each clear of the one before, the last of the end."""
    first = start or Moment(0, 0, 0)
    kept: list[Moment] = []
    for moment in moments:
        if (kept[-1] if kept else first).is_clear_of(moment, minimum):
            kept.append(moment)
    while kept and not kept[-1].is_clear_of(end, minimum):
        kept.pop()
    return kept


def withhold_persistence(
    rows: list[Row], hide: Callable[[Row], None], told: set[tuple[object, ...]], minimum: int
) -> None:
    """Withholds rows of persistence in place.

    told: exposure rule and regimen where the number ended is withheld elsewhere. Reasons lose the last day, which is
    one person's.
    """
    groups: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row["analysis"] == "persistence":
            groups[tuple(row[name] for name in KEY)].append(row)
    totals = {key: _total(found) for key, found in groups.items()}
    for key, found in groups.items():
        persons, ended = totals[key]
        other = totals.get((key[0], FIRST, *key[2:])) if key[1] == SECOND else None
        is_near = other is not None and (is_small(other[0] - persons, minimum) or is_small(other[1] - ended, minimum))
        if persons < minimum or is_near:
            for row in found:
                hide(row)
                row["person_count"] = row["event_count"] = None
            continue
        end = Moment(10**6, ended, persons - ended)
        few = is_small(ended, minimum) or is_small(end.censored, minimum) or (key[0], key[2]) in told
        times = sorted(
            (row for row in found if row["estimand"] == "survival" and row["status"] == "ok"),
            key=lambda row: int(str(row["time_days"])),
        )
        moments = {id(row): _moment(row, persons) for row in times if not is_small(row["person_count"], minimum)}
        kept = {moment.day for moment in kept_moments(list(moments.values()), end, minimum)}
        for row in found:
            _withhold_row(row, hide, kept, has_few=few)


def _withhold_row(row: Row, hide: Callable[[Row], None], kept: set[int], *, has_few: bool) -> None:
    """Withholds a row of a group that is shown. kept: days that may be; has_few: few ended, or few did not."""
    if row["level"] == LONGEST:  # one person's
        hide(row)
    elif row["estimand"] == "rmst_days":
        if row["status"] == "ok" and row["time_days"] not in kept:
            hide(row)
    elif row["estimand"] != "survival":
        if has_few:
            row["event_count"] = None
        return
    elif row["status"] != "ok":
        row["reason"] = str(row["reason"]).split(", day ")[0]
    elif row["time_days"] not in kept:
        hide(row)
    else:
        return
    row["event_count"] = row["person_count"] = None


def _total(found: list[Row]) -> tuple[int, int]:
    """Persons and endings of a group, from its median."""
    median = next(
        (row for row in found if row["estimand"] == "median_duration_months" and row["level"] != LONGEST), None
    )
    if median is None or median["person_count"] is None or median["event_count"] is None:
        return 0, 0
    return int(str(median["person_count"])), int(str(median["event_count"]))


def _moment(row: Row, persons: int) -> Moment:
    ended, at_risk = int(str(row["event_count"])), int(str(row["person_count"]))
    return Moment(int(str(row["time_days"])), ended, persons - ended - at_risk)


def thinned_curve(curve: pl.DataFrame, shown: list[Row], received: pl.DataFrame, minimum: int) -> pl.DataFrame:
    """The curves at the times that may be shown beside the shown survival estimates.

    Events and censorings are those since the shown time before; the number at risk is that after the time, so that all
    counts of a row are of one moment. A group that is withheld has no curve.
    """
    totals: dict[tuple[object, ...], tuple[int, int]] = {}
    anchors: dict[tuple[object, ...], list[Moment]] = defaultdict(list)
    withheld: set[tuple[object, ...]] = set()
    groups: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in received.filter(pl.col("analysis") == "persistence").to_dicts():
        groups[tuple(row[name] for name in KEY)].append(row)
    totals = {key: _total(found) for key, found in groups.items()}
    for row in shown:
        if row["analysis"] == "persistence":
            key = tuple(row[name] for name in KEY)
            if row["estimand"] == "survival" and row["status"] == "ok":
                anchors[key].append(_moment(row, totals[key][0]))
            elif (
                row["estimand"] == "median_duration_months"
                and row["level"] != LONGEST
                and row["status"] == "suppressed"
            ):
                withheld.add(key)
    rows: list[Row] = []
    for found in curve.partition_by(["analysis", *KEY], maintain_order=True) if curve.height else []:
        key = tuple(found.row(0, named=True)[name] for name in KEY)
        persons, ended = totals.get(key, (0, 0))
        if key not in withheld and persons >= minimum:
            ordered = found.sort("time_days").to_dicts()
            stops = [*sorted(anchors[key], key=lambda moment: moment.day), Moment(10**6, ended, persons - ended)]
            rows += _thinned(ordered, stops, persons, minimum)
    return pl.DataFrame(rows, schema=curve.schema)


def _thinned(ordered: list[Row], stops: list[Moment], persons: int, minimum: int) -> list[Row]:
    ended = censored = 0
    moments: dict[int, tuple[Moment, Row]] = {}
    for row in ordered:
        ended, censored = ended + int(str(row["event_count"])), censored + int(str(row["censored_count"]))
        day = int(str(row["time_days"]))
        moments[day] = (Moment(day, ended, censored), row)
    kept: list[Row] = []
    before = Moment(0, 0, 0)
    if 0 in moments:
        kept.append(moments[0][1] | {"at_risk_count": persons, "event_count": 0, "censored_count": 0})
    start, last = before, before
    for stop in stops:
        inside = [moment for moment, _ in moments.values() if start.day < moment.day <= stop.day and moment.day > 0]
        for moment in kept_moments(inside, stop, minimum, start=start):
            left = persons - moment.ended - moment.censored
            if not is_small(left, minimum):
                counts = {
                    "at_risk_count": left,
                    "event_count": moment.ended - last.ended,
                    "censored_count": moment.censored - last.censored,
                }
                kept.append(moments[moment.day][1] | counts)
                last = moment
        start = stop
    return kept
