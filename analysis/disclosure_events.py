"""Disclosure control of reactions after doses, adverse events by term, groups of infections and comparisons with the literature.

Owns the rule that a breakdown is shown all or not at all: where one part of it is small, the parts that are not would tell it by their
sum.
* reactions: by drug, by number of the dose (where few persons stop between two of them it goes), by study drugs together, each for
  itself; other windows and what policies would have seen differ from the main number by few and are never told; latencies go
  together. Nothing is broken down where the whole is withheld.
* adverse events: a term goes with all its classes and levels where one is small, or where events that are not of a class are few;
  terms that are withheld are never so few that the total tells them. First events of a term differ from all by few and are not told. By
  which drugs a term occurred goes by itself.
* groups of infections: go with any of their components, and where they differ from the sum of components by few.
* literature: a comparison goes with the estimate that it compares.
Limits: persons of parts that overlap, such as doses of two drugs, are not added up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from analysis.analyses import (
    adverse_events,
    benchmark_comparison,
    components,
    opportunistic_group,
    reaction_latency,
    reactions,
)
from analysis.suppression import is_small, whole

Row = dict[str, object]
Hide = Callable[[Row], None]


def _pairs(row: Mapping[str, object]) -> dict[str, str]:
    return dict(part.split("=", 1) for part in str(row["stratum"]).split(";") if part)


def _withhold(rows: Iterable[Row], hide: Hide) -> None:
    for row in rows:
        if row["status"] not in ("not_assessable", "suppressed"):
            hide(row)
        row["person_count"] = row["event_count"] = None


def _is_few(found: Row, received: Mapping[str, Row], minimum: int) -> bool:
    """Whether a count of the estimate, as it was before anything was withheld, is small."""
    row = received[str(found["estimate_id"])]
    counts = [row["person_count"], row["event_count"]]
    if row["estimand"] == "count" and "benchmark" not in _pairs(row):
        counts.append(None if row["value"] is None else whole(row["value"]))
    return any(is_small(count, minimum) for count in counts)


def withhold_reactions(rows: Sequence[Row], received: Mapping[str, Row], hide: Hide, minimum: int) -> None:
    """Withholds reactions in place. received: the estimates by id as they were before anything was withheld."""
    every = {
        row["outcome_id"]: row["event_count"]
        for row in received.values()
        if row["analysis"] == "incidence" and row["population"] == "all_time" and not row["stratum"] and not row["regimen_id"]
    }  # fmt: skip
    cuts: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    latencies: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        if row["analysis"] == reactions.ANALYSIS and row["level"] != "persons needed":
            names = frozenset(_pairs(row)) - {"of", "benchmark"}
            cuts[
                row["outcome_id"], names, bool(row["regimen_id"]), bool(row["level"]) and "benchmark" not in _pairs(row)
            ].append(row)
        elif row["analysis"] == reaction_latency.ANALYSIS:
            latencies[row["outcome_id"]].append(row)
    closed: set[object] = set()
    for cut, found in sorted(cuts.items(), key=lambda item: (_size(item[0]), str(item[0]))):
        outcome, is_whole = cut[0], _size(cut) == (0, 0, 0)
        counts = [received[str(row["estimate_id"])]["event_count"] for row in found]
        near = is_whole and any(
            is_small(abs(whole(count) - whole(every[outcome])), minimum)
            for count in counts
            if count is not None and every.get(outcome) is not None
        )
        is_other_window = any("window_hours" in _pairs(row) for row in found)
        few = any(_is_few(row, received, minimum) for row in found) or _loses_few(found, received, minimum)
        if near or is_other_window or outcome in closed or few:
            _withhold(found, hide)
            if is_whole:
                closed.add(outcome)
    for outcome, found in latencies.items():
        if outcome in closed or any(_is_few(row, received, minimum) for row in found):
            _withhold(found, hide)
        _withhold([row for row in found if "policy" in _pairs(row)], hide)


def _loses_few(found: Sequence[Row], received: Mapping[str, Row], minimum: int) -> bool:
    """Whether from one number of the dose to another few persons are lost."""
    persons: dict[object, set[int]] = defaultdict(set)
    for row in found:
        count = received[str(row["estimate_id"])]["person_count"]
        if row["level"] in reactions.DOSE_LEVELS and count is not None:
            persons[row["stratum"]].add(whole(count))
    return any(is_small(abs(one - other), minimum) for counts in persons.values() for one in counts for other in counts)


def _size(cut: tuple[object, ...]) -> tuple[int, int, int]:
    """The whole first, then what is broken down once, then more."""
    _, names, by_regimen, by_level = cut
    return len(names), int(bool(by_regimen)), int(bool(by_level))  # type: ignore[arg-type]


def withhold_adverse_events(rows: Sequence[Row], received: Mapping[str, Row], hide: Hide, minimum: int) -> None:
    """Withholds adverse events in place."""
    ours = [row for row in rows if row["analysis"] == adverse_events.ANALYSIS]
    terms: dict[tuple[str, str], list[Row]] = defaultdict(list)
    whole_of: list[Row] = []
    onsets: dict[object, list[Row]] = defaultdict(list)
    for row in ours:
        pairs = _pairs(row)
        if "drugs" in pairs:
            onsets[row["stratum"]].append(row)
        elif "term" in pairs or "organ_class" in pairs:
            terms[pairs.get("organ_class", ""), pairs.get("term", "")].append(row)
        else:
            whole_of.append(row)
    for found in onsets.values():
        if any(_is_few(row, received, minimum) for row in found):
            _withhold(found, hide)
    _withhold_family(whole_of, received, hide, minimum)
    hidden = {key for key, found in terms.items() if _is_told_by(found, received, minimum)}
    _complete(hidden, terms, received, minimum)
    for key, found in terms.items():
        # A class of organs is a sum of its terms; of which the report could not say that none is withheld.
        if key in hidden or (not key[1] and any(other in hidden for other in terms if other[0] == key[0])):
            _withhold(found, hide)
            continue
        _withhold([row for row in found if row["population"] == adverse_events.FIRST_EVENTS], hide)
        _withhold_regimens(found, received, hide, minimum)


def _withhold_family(found: Sequence[Row], received: Mapping[str, Row], hide: Hide, minimum: int) -> None:
    if _is_told_by(found, received, minimum):
        _withhold(found, hide)
        return
    for row in found:
        every = next((other for other in found if _is_twin(row, other)), None)
        counts = [received[str(one["estimate_id"])]["event_count"] for one in (row, every) if one is not None]
        if every is not None and is_small(abs(whole(counts[1]) - whole(counts[0])), minimum):
            _withhold([row], hide)
    _withhold_regimens(found, received, hide, minimum)


def _is_twin(row: Row, other: Row) -> bool:
    """Whether `other` counts all events where `row` counts first ones, or all records where `row` counts those that say something."""
    if row["level"] == adverse_events.SAYING:
        return other["level"] == adverse_events.RECORDS
    same = ("estimand", "regimen_id", "comparator_id", "stratum", "level")
    return (
        row["population"] == adverse_events.FIRST_EVENTS
        and other["population"] == adverse_events.ALL_EVENTS
        and all(row[name] == other[name] for name in same)
    )


def _withhold_regimens(found: Sequence[Row], received: Mapping[str, Row], hide: Hide, minimum: int) -> None:
    by_drugs = [row for row in found if row["regimen_id"]]
    if any(_is_few(row, received, minimum) for row in by_drugs):
        _withhold(by_drugs, hide)


def _levels(found: Iterable[Row], received: Mapping[str, Row]) -> dict[tuple[str, str], int]:
    """All events by class and number of study drugs."""
    return {
        (_pairs(row).get("class", adverse_events.ANY), str(row["level"])): whole(
            received[str(row["estimate_id"])]["event_count"]
        )
        for row in found
        if row["population"] == adverse_events.ALL_EVENTS
        and row["estimand"] == "incidence_rate_per_100py"
        and "ladder" in _pairs(row)
        and row["status"] != "not_assessable"
    }


def _is_told_by(found: Sequence[Row], received: Mapping[str, Row], minimum: int) -> bool:
    """Whether a level is small, or those that are not of a class are."""
    by_level = _levels(found, received)
    few = any(_is_few(row, received, minimum) for row in found if not row["regimen_id"])
    return few or any(
        is_small(by_level.get((adverse_events.ANY, level), 0) - count, minimum)
        for (name, level), count in by_level.items()
        if name != adverse_events.ANY
    )


def _complete(
    hidden: set[tuple[str, str]],
    terms: Mapping[tuple[str, str], list[Row]],
    received: Mapping[str, Row],
    minimum: int,
) -> None:
    """Adds terms to those withheld until no class and level of them together is told by the total, or no term is left."""
    single = {key: _levels(found, received) for key, found in terms.items() if key[1]}
    while True:
        sums: dict[tuple[str, str], list[int]] = defaultdict(list)
        for key in hidden & set(single):
            for place, count in single[key].items():
                if count:
                    sums[place].append(count)
        told = any(len(counts) == 1 or sum(counts) < minimum for counts in sums.values())
        left = sorted(set(single) - hidden, key=lambda key: (sum(single[key].values()), key))
        if not told or not left:
            return
        hidden.add(left[0])


def withhold_groups(
    rows: Sequence[Row], received: Mapping[str, Row], members: Mapping[str, Sequence[str]], hide: Hide, minimum: int
) -> None:
    """Withholds groups of infections in place. members: components by group; components are withheld already."""
    single = {
        (row["outcome_id"], _pairs(row)["component"], _pairs(row).get("ladder", ""), row["level"]): row
        for row in rows
        if row["analysis"] == components.INCIDENCE
    }
    families: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row["analysis"] == opportunistic_group.ANALYSIS:
            families[row["outcome_id"], _pairs(row)["group"]].append(row)
    for (outcome, group), found in families.items():
        is_hidden = False
        for row in found:
            place = (_pairs(row).get("ladder", ""), row["level"])
            parts = [
                single[outcome, name, *place]
                for name in members.get(str(group), ())
                if (outcome, name, *place) in single
            ]
            is_hidden |= any(part["status"] == "suppressed" for part in parts) or _is_few(row, received, minimum)
            own, *others = (received[str(one["estimate_id"])]["event_count"] for one in (row, *parts))
            if own is not None:
                is_hidden |= is_small(abs(sum(whole(count) for count in others) - whole(own)), minimum)
        if is_hidden:
            _withhold(found, hide)
        for row in found:
            row["person_count"] = None  # differs from the cohort by those who had it before, who are few


def withhold_comparisons(rows: Sequence[Row], mapping: Iterable[Row], hide: Hide) -> None:
    """Withholds comparisons with the literature whose own side is withheld."""
    by_rule: dict[str, dict[tuple[str, ...], Mapping[str, object]]] = {}
    asked = {
        (benchmark_comparison.stratum(item["benchmark_id"], item), str(item["population"])): item for item in mapping
    }
    for row in rows:
        item = asked.get((str(row["stratum"]), str(row["population"])))
        if row["analysis"] == benchmark_comparison.ANALYSIS and item is not None:
            rule = str(row["exposure_rule"])
            if rule not in by_rule:
                by_rule[rule] = benchmark_comparison.by_question(rows, rule)
            ours = benchmark_comparison.own_estimate(item, by_rule[rule])
            if ours is not None and ours["status"] == "suppressed":
                hide(row)
