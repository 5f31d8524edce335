"""Disclosure control of subgroups: what of them a public report may tell.

Owns the rule: a subgroup goes whole where its persons, its events or its events on one or on two or more study drugs are from 1 to
minimum - 1, and with it as many others of the variable as keep the sums from telling it; then the test of the variable goes too, for it
is made of all. Where the hazard ratio of everybody was withheld all go: their subgroups add up to it. Persons by number of drugs and
days of the test are never told. Of what stays the days go where they alone would give a hidden subgroup's back.
Limits: variables are looked at one by one; a reader who compares two, or knows single persons, may narrow a count down.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence

from analysis.analyses import hazard, subgroup
from analysis.suppression import Sum, hidden_cells, is_small, whole

Row = dict[str, object]
COUNTS = ("person_count", "event_count", "person_days")
Measure = tuple[str, str, str]  # estimand, ladder level, column
TOLD: tuple[Measure, ...] = (
    ("hazard_ratio", ">=2", "event_count"),
    ("incidence_rate_per_100py", "1", "event_count"),
    ("incidence_rate_per_100py", ">=2", "event_count"),
    ("hazard_ratio", ">=2", "person_count"),
    ("incidence_rate_per_100py", "1", "person_count"),
    ("incidence_rate_per_100py", ">=2", "person_count"),
)
DAYS: tuple[Measure, ...] = tuple((estimand, level, "person_days") for estimand, level, _ in TOLD[:3])


def withhold_subgroups(
    rows: Sequence[Row], received: Mapping[str, Row], hide: Callable[[Row], None], minimum: int
) -> None:
    """Withholds what of subgroups would tell a count from 1 to minimum - 1.

    rows: `estimate.result` while rows are withheld, whole hazard ratios already. received: the same by estimate_id, untouched.
    """
    withheld = {
        (row["exposure_rule"], row["outcome_id"])
        for row in rows
        if row["analysis"] == hazard.ANALYSIS
        and row["stratum"] == subgroup.LADDER
        and row["estimand"] == "hazard_ratio"
        and row["status"] == "suppressed"
    }
    variables: dict[tuple[object, ...], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["analysis"] == subgroup.ANALYSIS and row["status"] != "not_assessable":
            variable, level = _place(row)
            variables[row["exposure_rule"], row["outcome_id"], variable][level].append(row)
    for (rule, outcome, _), members in variables.items():
        levels = {level: held for level, held in members.items() if level}
        is_whole = (rule, outcome) in withheld
        hidden = set(levels) if is_whole else _hidden(levels, received, minimum)
        for level, held in members.items():
            for row in held:
                if level in hidden or (not level and hidden):
                    hide(row)
                    row.update(dict.fromkeys(COUNTS))
                elif not level:
                    row.update(dict.fromkeys(COUNTS))
                elif row["estimand"] != "hazard_ratio":
                    row["person_count"] = None


def _place(row: Row) -> tuple[str, str]:
    """Variable and level of a row; the test of a variable has no level."""
    name, _, value = next(
        part for part in str(row["stratum"]).split(";") if part != subgroup.LADDER
    ).partition("=")  # fmt: skip
    return (value, "") if name == "by" else (name, value)


def _hidden(levels: Mapping[str, Sequence[Row]], received: Mapping[str, Row], minimum: int) -> set[str]:
    counts = {measure: _counts(levels, received, measure) for measure in (*TOLD, *DAYS)}
    hidden: set[Hashable] = {
        level for measure in TOLD for level in levels if is_small(counts[measure][level], minimum)
    }  # fmt: skip
    sums = [Sum(("all",), tuple(levels))]
    before = -1
    while before != len(hidden):
        before = len(hidden)
        for measure, own in counts.items():
            total: dict[Hashable, int] = {("all",): sum(own.values())} | own  # type: ignore[operator]
            least = minimum if measure in TOLD else 1
            hidden |= hidden_cells(total, sums, primary=hidden, minimum=least, fixed=[("all",)]) - {("all",)}
    return {str(level) for level in hidden}


def _counts(levels: Mapping[str, Sequence[Row]], received: Mapping[str, Row], measure: Measure) -> dict[str, int]:
    estimand, ladder_level, column = measure
    return {
        level: sum(
            whole(received[str(row["estimate_id"])][column])
            for row in held
            if row["estimand"] == estimand and row["level"] == ladder_level
        )
        for level, held in levels.items()
    }
