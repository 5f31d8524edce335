"""Tables on whom and how much was seen: attrition, baseline and exposure."""

from __future__ import annotations

import math
from collections.abc import Iterable

from analysis.report import wording
from analysis.report.table import Column, Table
from analysis.report.view import Row, View, as_int, total

SHOWN_REGIMENS = 10
SHOWN_LEVELS = 12
GROUPS = ("all", "combination", "one_at_a_time")
RISK_STEP = "at risk of "
NO_COMBINATION = (
    "Nobody was seen on two study drugs at the same time under this exposure rule, so there is nothing to describe."
)
VARIABLES = {
    "sex": "Sex",
    "age_band": "Age at entry",
    "entry_year": "Year of entry",
    "new_user": "New user of a study drug",
    "entry_regimen": "Study drugs on the day of entry",
}


def attrition(view: View) -> list[Row]:
    """Persons after each restriction, how many it left out, and the share of those received."""
    chain = view.attrition()
    main = [row for row in chain if not is_risk_step(row)]
    received = main[0]["person_count"] if main else None
    rows: list[Row] = []
    for number, row in enumerate(main):
        left, before = row["person_count"], _person_count(_restricted(main, number))
        rows.append(
            {
                "group": "Persons",
                "step": str(row["step"])[:1].upper() + str(row["step"])[1:],
                "left": left,
                "excluded": None if before is None or left is None else before - int(left),  # type: ignore[call-overload]
                "share": _share(left, as_int(received)),
                "is_withheld": left is None,
            }
        )
    for row in chain:
        if is_risk_step(row):
            outcome = str(row["step"]).removeprefix(RISK_STEP)
            rows.append(
                {
                    "group": f"At risk of an outcome: {wording.named(wording.POPULATIONS, row['population'])}",
                    "step": view.outcomes.get(outcome, outcome),
                    "left": row["person_count"],
                    "share": _share(row["person_count"], as_int(received)),
                    "is_withheld": row["person_count"] is None,
                }
            )
    return rows


def is_risk_step(row: Row) -> bool:
    """Whether a step of attrition counts persons at risk of one outcome."""
    return str(row["step"]).startswith(RISK_STEP)


def _restricted(main: list[Row], number: int) -> Row | None:
    """The step that a step restricts: the one before, but new users and combinations branch off."""
    row = main[number]
    if number == 0:
        return None
    if row["population"] == "first_episode" and main[number - 1]["population"] != "first_episode":
        return next((item for item in reversed(main[:number]) if not item["population"]), None)
    return main[number - 1]


def _person_count(row: Row | None) -> int | None:
    return None if row is None or row["person_count"] is None else as_int(row["person_count"])


def standardised_difference(share: float, other: float) -> float | None:
    """Difference of two shares over their pooled standard deviation; None where neither varies.

    Source: Austin 2009, Commun Stat Simul Comput 38:1228.
    """
    spread = math.sqrt((share * (1 - share) + other * (1 - other)) / 2)
    return (share - other) / spread if spread else None


def baseline(view: View) -> list[Row]:
    """Persons ever in combination beside those on one drug at a time, by what is known of them at entry."""
    counts: dict[str, dict[str, dict[str, int | None]]] = {}
    for row in view.rows("summary.baseline", exposure_rule=view.rule):
        groups = counts.setdefault(str(row["variable"]), {}).setdefault(str(row["level"]), {})
        groups[str(row["person_group"])] = row["person_count"]  # type: ignore[assignment]
    whole_of = {group: _group_total(counts, group) for group in GROUPS}
    rows: list[Row] = []
    for variable in sorted(counts, key=lambda name: (list(VARIABLES).index(name) if name in VARIABLES else 99, name)):
        levels = counts[variable]
        for label, level in _few_levels(view, variable, levels):
            shares = {group: _share(level[group], whole_of[group]) for group in GROUPS}
            left, right = shares["combination"], shares["one_at_a_time"]
            rows.append(
                {
                    "group": VARIABLES.get(variable, wording.plain(variable)),
                    "level": label,
                    **{f"{group}_count": value for group, value in level.items()},
                    **{f"{group}_share": value for group, value in shares.items()},
                    "difference": standardised_difference(left, right)
                    if left is not None and right is not None
                    else None,
                    "is_withheld": None in level.values() or None in whole_of.values(),
                }
            )
    return rows


def _group_total(counts: dict[str, dict[str, dict[str, int | None]]], group: str) -> int | None:
    """Persons of a group: the sum over the levels of any variable none of whose counts is withheld."""
    sums = [total(level.get(group, 0) for level in levels.values()) for levels in counts.values()]
    return next((whole for whole in sums if whole is not None), None)


def _few_levels(
    view: View, variable: str, levels: dict[str, dict[str, int | None]]
) -> list[tuple[str, dict[str, int | None]]]:
    """Levels in reading order; years are banded and rare regimens pooled where there are too many to read."""
    full = {name: {group: level.get(group, 0) for group in GROUPS} for name, level in levels.items()}
    if variable == "entry_year" and len(full) > SHOWN_LEVELS:
        numbers = sorted(int(name) for name in full)
        width = next((w for w in (2, 5, 10, 20, 50) if numbers[-1] // w - numbers[0] // w < SHOWN_LEVELS), 100)
        bands: dict[int, list[str]] = {}
        for year in numbers:
            bands.setdefault(year // width * width, []).append(str(year))
        return [(f"{low}{wording.DASH}{low + width - 1}", _pooled(full, names)) for low, names in bands.items()]
    if variable == "entry_regimen":
        order = sorted(full, key=lambda name: (-as_int(full[name]["all"]), name))
        shown = order if len(order) <= SHOWN_LEVELS else order[:SHOWN_REGIMENS]
        rest = order[len(shown) :]
        pooled = [(f"other ({len(rest)} regimens)", _pooled(full, rest))] if rest else []
        return [(view.regimen(name), full[name]) for name in shown] + pooled
    words = {"F": "female", "M": "male", "U": "not recorded"} if variable == "sex" else {}
    return [(words.get(name, name), full[name]) for name in sorted(full)]


def _pooled(levels: dict[str, dict[str, int | None]], names: Iterable[str]) -> dict[str, int | None]:
    chosen = [levels[name] for name in names]
    return {group: total(level[group] for level in chosen) for group in GROUPS}


def exposure(view: View) -> list[Row]:
    """Observed time by regimen: none, single drugs and combinations, the rarer ones pooled, and the sum."""
    rows = view.rows("summary.exposure_time", exposure_rule=view.rule, population="observed")
    days = total(row["person_days"] for row in rows)
    kinds = {
        "No study drug": [row for row in rows if row["regimen_id"] == "none"],
        "One study drug": [row for row in rows if row["regimen_id"] != "none" and "+" not in str(row["regimen_id"])],
        "Two or more study drugs together": [row for row in rows if "+" in str(row["regimen_id"])],
    }
    shown: list[Row] = []
    for group, members in kinds.items():
        order = sorted(members, key=lambda row: (-as_int(row["person_days"]), str(row["regimen_id"])))
        cut = len(order) if len(order) <= SHOWN_REGIMENS + 1 else SHOWN_REGIMENS
        shown += [
            {
                "group": group,
                "regimen": view.regimen(row["regimen_id"]),
                "persons": row["person_count"],
                "intervals": row["interval_count"],
                "time": row["person_days"],
                "share": _share(row["person_days"], days),
                "is_withheld": row["person_count"] is None,
            }
            for row in order[:cut]
        ]
        if rest := order[cut:]:
            shown.append(_sum_row(rest, group=group, name=f"other ({len(rest)} regimens, pooled)", days=days))
    if rows:
        whole = _sum_row(rows, group="All observed time", name="total", days=days)
        observed = [row for row in view.attrition() if row["step_number"] == 3]
        shown.append(whole | {"persons": observed[0]["person_count"] if observed else None, "is_total": True})
    return shown


def _sum_row(rows: list[Row], *, group: str, name: str, days: int | None) -> Row:
    time = total(row["person_days"] for row in rows)
    return {
        "group": group,
        "regimen": name,
        "persons": None,
        "intervals": total(row["interval_count"] for row in rows),
        "time": time,
        "share": _share(time, days),
        "is_withheld": time is None,
    }


def _share(part: object, whole: int | None) -> float | None:
    return int(part) / whole if part is not None and whole else None  # type: ignore[call-overload]


TABLES = (
    Table(
        "attrition",
        "attrition",
        "Persons left after each restriction",
        (
            Column("step", "Restriction"),
            Column("left", "Persons left", "count"),
            Column("excluded", "Left out here", "count"),
            Column("share", "% of received", "share"),
        ),
        attrition,
        "Each line restricts the one above; people ever on two drugs together are counted among all who were treated. "
        "Persons not at risk of an outcome had it shortly before entry or have no time after it.",
    ),
    Table(
        "baseline",
        "baseline",
        "What is known of the cohort at entry",
        (
            Column("level", "Characteristic"),
            Column("combination_count", "Combination, n", "count"),
            Column("combination_share", "%", "share"),
            Column("one_at_a_time_count", "One at a time, n", "count"),
            Column("one_at_a_time_share", "%", "share"),
            Column("all_count", "All, n", "count"),
            Column("all_share", "%", "share"),
            Column("difference", "Standardised difference", "difference"),
        ),
        baseline,
        "Combination: a first combination was followed after entry; the groups are formed by what happened later and "
        "are not a comparison of risks. Standardised difference: combination minus one at a time, over the pooled "
        "standard deviation; beyond 0.10 in either direction the groups are commonly called unlike.",
        "No person entered the cohort, so there is no baseline.",
    ),
    Table(
        "exposure",
        "exposure",
        "Persons and observed time by regimen",
        (
            Column("regimen", "Regimen"),
            Column("persons", "Persons", "count"),
            Column("intervals", "Intervals", "count"),
            Column("time", "Person-years", "person_years"),
            Column("share", "% of time", "share"),
        ),
        exposure,
        "Days covered by prescriptions, without risk tail. A person may be on several regimens in turn, so persons do "
        "not add up and are not given for pooled rows; person-years do.",
        "Nobody has observed time.",
    ),
)
