"""Disclosure control of a report's frames: what may be seen under a profile.

Owns which counts are small, what would reveal them and what is withheld with them. Runs on the frames before anything
is shown, so that page, tables, figures, estimates and manifest can only tell what is left. How sums are protected is
in `suppression.py`.

Profile `internal` changes nothing. Profile `public`, for every count of persons or events from 1 to minimum_count - 1:
* estimates: the row becomes `suppressed` with a reason; value, limits, standard error, p-value and person-days go with
  the count. Zeros stay, with their limits, unless the persons behind them are few.
* incidence: levels of a ladder and regimens sum to all; discontinuation: reasons and components sum to stops, and
  stops, deaths and ongoing to persons; exposure: days of regimens sum to all; baseline: levels sum to groups and
  groups to all. These sums are protected.
* persistence: survival and curve keep only times between which endings and censorings are none or not few; a second
  population that differs from the first by few persons is left out.
* matched sets: see `disclosure_matched.py`; components of outcomes: see `disclosure_components.py`; the comparison from time zero:
  see `disclosure_time_zero.py`; events by term and reactions: see `disclosure_events.py`; others: the module of their name.
* odds and hazard ratios go where a level they compare was withheld or has a small cell.
* attrition keeps only steps that differ by none or not few; row accounts and rules likewise.
Limits: each exposure rule and population is looked at by itself; a reader who compares rules, or knows single persons,
may narrow a count down. Sums that a person's several pairs make only roughly are not looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Literal

import polars as pl

from analysis import disclosure_tables as tables
from analysis.disclosure_care import withhold_care
from analysis.disclosure_components import withhold_components
from analysis.disclosure_endings import withhold_endings, without_endings
from analysis.disclosure_events import (
    withhold_adverse_events,
    withhold_comparisons,
    withhold_groups,
    withhold_reactions,
)
from analysis.disclosure_hazard import withhold_hazards
from analysis.disclosure_matched import withhold_matched, withhold_misclassified, withhold_rate_ratios
from analysis.disclosure_omalizumab import withhold_omalizumab
from analysis.disclosure_persistence import thinned_curve, withhold_persistence
from analysis.disclosure_subgroup import withhold_subgroups
from analysis.disclosure_symptoms import withhold_symptoms
from analysis.disclosure_time_zero import thinned_diagnostics, withhold_time_zero
from analysis.suppression import Sum, hidden_cells, is_small, whole

Profile = Literal["internal", "public"]
Row = dict[str, object]
LADDERS = ("study_drugs", "toruner", "broad")
RATIOS = {"infection_odds_ratio": "all_time", "time_varying_hazard": "from_first"}


def disclosed(frames: Mapping[str, pl.DataFrame], *, profile: Profile, minimum_count: int) -> dict[str, pl.DataFrame]:
    """The frames of a report as the profile lets them be seen.

    frames: by table name, as `analysis.report.REPORT_TABLES` lists them; frames of other names pass unchanged. Same
    rows, except curves and rare unmapped values, which lose rows. Withheld numbers are NULL, the status of a withheld
    estimate `suppressed`.
    """
    shown = dict(frames)
    if profile == "internal":
        return shown
    result = frames["estimate.result"]
    rows = result.to_dicts()
    attrition, margins = tables.attrition(frames["cohort.attrition"], minimum_count)
    hide = _Hiding(rows, minimum_count)
    _exposure(hide)
    _incidence(hide)
    endings = _discontinuation(hide, frames["summary.ending_count"])
    _small_rows(hide)
    withhold_persistence(rows, hide.row, hide.told_elsewhere, minimum_count)
    _ratios(hide)
    withhold_matched(rows, hide.received, hide.row, minimum_count)
    withhold_hazards(rows, hide.received, hide.row, minimum_count)
    withhold_subgroups(rows, hide.received, hide.row, minimum_count)
    withhold_endings(rows, hide.received, hide.row, minimum_count)
    withhold_time_zero(rows, hide.received, hide.row, minimum_count)
    withhold_rate_ratios(rows, hide.row)
    withhold_misclassified(rows, hide.row)
    withhold_omalizumab(rows, hide.row, minimum_count)
    withhold_symptoms(rows, hide.received, hide.row, minimum_count)
    withhold_care(rows, hide.received, hide.row, minimum_count)
    withhold_components(rows, hide.received, hide.row, minimum_count)
    withhold_reactions(rows, hide.received, hide.row, minimum_count)
    withhold_adverse_events(rows, hide.received, hide.row, minimum_count)
    groups = frames["reference.infection_group"].group_by("group_id").agg("component_id")
    withhold_groups(rows, hide.received, dict(groups.iter_rows()), hide.row, minimum_count)
    withhold_comparisons(rows, frames["reference.benchmark_estimate"].to_dicts(), hide.row)
    near = _near_margins(hide, margins)
    shown["estimate.result"] = pl.DataFrame(rows, schema=result.schema)
    shown["estimate.curve"] = thinned_curve(without_endings(frames["estimate.curve"]), rows, result, minimum_count)
    shown["estimate.diagnostic"] = thinned_diagnostics(frames["estimate.diagnostic"], rows)
    shown["cohort.attrition"] = attrition
    # Persons followed for so long differ by few from day to day.
    for name in ("pkpd.around_withdrawal", "pkpd.class_course", "pkpd.symptom_course"):
        shown[name] = frames[name].clear()
    shown["summary.ending_count"] = endings
    shown["summary.baseline"] = tables.baseline(frames["summary.baseline"], minimum_count)
    shown["summary.exposure_time"] = tables.exposure_time(frames["summary.exposure_time"], hide.regimens, near)
    return shown | tables.quality(frames, minimum_count)


class _Hiding:
    """The estimates while rows are being withheld; counts are read from what was received."""

    def __init__(self, rows: list[Row], minimum: int) -> None:
        self.rows = rows
        self.minimum = minimum
        self.reason = f"a count from 1 to {minimum - 1}, or one that would reveal such a count"
        self.received = {str(row["estimate_id"]): dict(row) for row in rows}
        self.regimens: dict[tuple[object, object], set[Hashable]] = {}
        self.told_elsewhere: set[tuple[object, ...]] = set()

    def row(self, row: Row, *, events: bool = True) -> None:
        """Withholds a row: its numbers, small counts, and the event count where `events` is hidden by sums."""
        for name in ("value", "lower", "upper", "standard_error", "p_value", "person_days"):
            row[name] = None
        if is_small(row["person_count"], self.minimum):
            row["person_count"] = None
        if row["event_count"] and (events or is_small(row["event_count"], self.minimum)):
            row["event_count"] = None
        row["status"], row["reason"] = "suppressed", self.reason

    def groups(self, analysis: str, *columns: str) -> Iterable[tuple[tuple[object, ...], list[Row]]]:
        """Rows of an analysis by the given columns."""
        found: dict[tuple[object, ...], list[Row]] = defaultdict(list)
        for row in self.rows:
            if row["analysis"] == analysis:
                found[tuple(row[name] for name in columns)].append(row)
        return found.items()

    def protect(
        self,
        cells: Mapping[Hashable, list[Row]],
        count: Callable[[Row], object],
        sums: list[Sum],
        *,
        days: bool = False,
    ) -> set[Hashable]:
        """Hides by sums the rows of `cells` whose `count` is small; returns the hidden cells."""
        counts = {name: whole(count(self.received[str(rows[0]["estimate_id"])])) for name, rows in cells.items()}
        primary = {
            name
            for name, rows in cells.items()
            if (rows[0]["status"] == "suppressed" if days else is_small(counts[name], self.minimum))
        }
        hidden = hidden_cells(counts, sums, primary=primary, minimum=1 if days else self.minimum)
        for name in hidden:
            for row in cells[name]:
                self.row(row, events=not days)
        return hidden


def _small_rows(hide: _Hiding) -> None:
    """Whatever has a small count of its own; the times of persistence have their own rule."""
    for row in hide.rows:
        is_time = row["analysis"] == "persistence" and row["estimand"] == "survival"
        small = is_small(row["person_count"], hide.minimum) or is_small(row["event_count"], hide.minimum)
        if small and not is_time and row["analysis"] != "persistence" and row["status"] != "suppressed":
            hide.row(row, events=False)


def _exposure(hide: _Hiding) -> None:
    for (rule, population), rows in hide.groups("exposure_time", "exposure_rule", "population"):
        cells: dict[Hashable, list[Row]] = defaultdict(list)
        for row in rows:
            if is_small(row["person_count"], hide.minimum):
                hide.row(row)
            cells[row["regimen_id"]].append(row)
        counts: dict[Hashable, int] = {
            name: whole(hide.received[str(found[0]["estimate_id"])]["person_days"]) for name, found in cells.items()
        }
        primary = {name for name, found in cells.items() if found[0]["status"] == "suppressed"}
        kinds = {name: tables.kind_of(name) for name in cells}
        sums = [Sum("in all", tuple(("kind", kind) for kind in tables.KINDS))]
        for kind in tables.KINDS:
            members = tuple(name for name in cells if kinds[name] == kind)
            counts["kind", kind] = sum(counts[name] for name in members)
            sums.append(Sum(("kind", kind), members))
        counts["in all"] = sum(counts[name] for name in cells)
        hidden = hidden_cells(counts, sums, primary=primary, minimum=1, fixed=("in all",))
        hide.regimens[rule, population] = hidden
        for name in hidden & set(cells):
            for row in cells[name]:
                if row["status"] != "suppressed":
                    hide.row(row)
                row["person_count"] = None


def _incidence(hide: _Hiding) -> None:
    for _, rows in hide.groups("incidence", "exposure_rule", "population", "outcome_id"):
        cells: dict[Hashable, list[Row]] = {}
        for row in rows:
            cells[_incidence_cell(row)] = [row]
        sums = [Sum("in all", tuple(cell for cell in cells if _is_level(cell, ladder))) for ladder in LADDERS]
        for level in ("0", "1", ">=2"):
            members = tuple(
                cell for cell in cells if isinstance(cell, str) and cell != "in all" and _drug_level(cell) == level
            )
            sums.append(Sum(("study_drugs", level), members))
        sums = [one for one in sums if one.parts]
        hide.protect(cells, lambda row: row["event_count"], sums)
        for row in rows:
            if row["status"] != "suppressed" and is_small(row["person_count"], hide.minimum):
                hide.row(row, events=False)
        hide.protect(cells, lambda row: row["person_days"], sums, days=True)


def _incidence_cell(row: Row) -> Hashable:
    """All, a regimen, or a ladder and its level."""
    if row["regimen_id"]:
        return str(row["regimen_id"])
    return (str(row["stratum"]).removeprefix("ladder="), str(row["level"])) if row["stratum"] else "in all"


def _is_level(cell: Hashable, ladder: str) -> bool:
    return isinstance(cell, tuple) and cell[0] == ladder


def _drug_level(regimen: str) -> str:
    return "0" if regimen == "none" else ">=2" if "+" in regimen else "1"


def _discontinuation(hide: _Hiding, endings: pl.DataFrame) -> pl.DataFrame:
    """Withholds estimates of discontinuation; returns the endings by kind without those that the sums give away."""
    collapsed = tables.collapsed_endings(endings).to_dicts()
    for (rule, regimen), rows in hide.groups("discontinuation", "exposure_rule", "regimen_id"):
        persons = max(whole(row["person_count"]) for row in rows)
        cells: dict[Hashable, list[Row]] = defaultdict(list)
        for row in rows:
            cells[row["stratum"], row["level"]].append(row)
        counts: dict[Hashable, int] = {name: whole(found[0]["event_count"]) for name, found in cells.items()}
        ended: tuple[Hashable, ...] = (("", ""), ("by=ending", "death"))
        counts["persons"] = persons
        counts["ongoing"] = persons - sum(counts.get(name, 0) for name in ended)
        counts["ended"] = persons - counts["ongoing"]
        sums = [Sum("persons", (*ended, "ongoing")), Sum("ended", ended), Sum("persons", ("ended", "ongoing"))]
        sums += [
            Sum(("", ""), tuple(name for name in cells if isinstance(name, tuple) and name[0] == stratum))
            for stratum in ("by=reason", "by=component")
        ]
        few = is_small(persons, hide.minimum)
        primary = {name for name, value in counts.items() if few or is_small(value, hide.minimum)}
        hidden = hidden_cells(counts, sums, primary=primary, minimum=hide.minimum, fixed=("persons",))
        for name, found in cells.items():
            if name in hidden or few:
                for row in found:
                    hide.row(row)
        if "ended" in hidden or "ongoing" in hidden:
            hide.told_elsewhere.add((rule, regimen))
        by_kind = {"stopped": ("", ""), "death": ("by=ending", "death"), "censored": "ongoing"}
        for row in collapsed:
            if (
                row["exposure_rule"] == rule
                and row["regimen_id"] == regimen
                and (few or by_kind.get(str(row["ending"])) in hidden)
            ):
                row["person_count"] = row["person_days"] = None
            elif row["exposure_rule"] == rule and row["regimen_id"] == regimen and hidden:
                row["person_days"] = None
    return pl.DataFrame(collapsed, schema=endings.schema)


def _ratios(hide: _Hiding) -> None:
    """Ratios whose levels were withheld or one of whose cells is small, which exact methods beside them tell."""
    rates = {
        (row["exposure_rule"], row["population"], row["outcome_id"], row["stratum"], row["level"]): row
        for row in hide.rows
        if row["analysis"] == "incidence" and not row["regimen_id"]
    }
    for analysis, population in RATIOS.items():
        for (rule, outcome, stratum, level, comparator), rows in hide.groups(
            analysis, "exposure_rule", "outcome_id", "stratum", "level", "comparator_id"
        ):
            compared = [rates.get((rule, population, outcome, stratum, name)) for name in (level, comparator)]
            whole = rates.get((rule, population, outcome, "", ""))
            is_hidden = any(row is not None and row["status"] == "suppressed" for row in (*compared, whole))
            has_zero = any(row is not None and row["event_count"] == 0 for row in compared)
            is_exact = any("exact" in str(row["method"]) for row in rows) and not has_zero
            for row in rows:
                if (
                    row["status"] == "suppressed"
                    or is_hidden
                    or is_exact
                    or any(is_small(other["event_count"], hide.minimum) for other in rows)
                ):
                    hide.row(row)
                    row["event_count"] = None


def _near_margins(hide: _Hiding, margins: Mapping[object, set[int]]) -> set[tuple[object, ...]]:
    """Withholds numbers of persons that differ by few from a shown step of attrition, so that the difference is small.

    Returns exposure rule, population and regimen of the exposures among them.
    """
    near: set[tuple[object, ...]] = set()
    for row in hide.rows:
        persons, analysis = row["person_count"], row["analysis"]
        if persons is None or analysis not in ("incidence", "time_varying_hazard", "exposure_time"):
            continue
        if any(is_small(margin - whole(persons), hide.minimum) for margin in margins.get(row["exposure_rule"], ())):
            if row["estimand"] == "count":
                hide.row(row)
            row["person_count"] = None
            if analysis == "exposure_time":
                near.add((row["exposure_rule"], row["population"], row["regimen_id"]))
    return near
