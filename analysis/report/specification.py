"""Specification curves: a key ratio under every exposure rule in the order of its value, and below it the settings that made each.

Owns the figures and which settings of a rule are told apart. The numbers are those of the table of key numbers (`sensitivity.py`).
Source: Simonsohn 2020, Nat Hum Behav 4:1208.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes

from analysis.analyses.hazard import ADJUSTED_METHOD, ANALYSIS, METHOD
from analysis.report import ratios, wording
from analysis.report.drawing import BLUE, INK, LINE, MUTED, ORANGE, PALE, STYLE, new_canvas, svg_text
from analysis.report.forest import log_marks
from analysis.report.view import Row, View
from analysis.study.exposure_rule import ExposureRule
from analysis.study.rules import all_rules
from analysis.study.spec import StudySpec

LEAST_RULES = 3  # fewer are read faster in the table
SHOWN_FIELDS = frozenset(
    {"id", "label", "gap_days", "gap_factor", "tail_days", "tail_half_lives", "overlap", "min_overlap_days"}
)
REFILLS = {"merge": "merged", "stockpile": "stockpiled", "stockpile_capped": "stockpiled to a cap"}


@dataclass(frozen=True, slots=True)
class Specification:
    """A rule with the estimate in whose order it stands and, where there is one, another beside it."""

    rule: str
    found: Row
    beside: Row | None = None


def settings(rule: ExposureRule, spec: StudySpec) -> dict[str, str]:
    """What of a rule the matrix tells: gap, tail, early refills, minimum overlap, and whether anything else is not as in the primary."""
    gap = _days(rule.gap_days, rule.gap_factor, "intervals")
    tail = _days(rule.tail_days, rule.tail_half_lives, "half-lives")
    overlap = spec.combination.min_overlap_days if rule.min_overlap_days is None else rule.min_overlap_days
    primary = spec.exposure_rule[0]
    is_other = any(getattr(rule, name) != getattr(primary, name) for name in _other_fields(rule, primary))
    return {
        "gap": gap, "tail": tail, "refills": REFILLS[rule.overlap], "overlap": f"{overlap} days at least",
        "other": "other settings too" if is_other else "",
    }  # fmt: skip


def _other_fields(rule: ExposureRule, primary: ExposureRule) -> list[str]:
    """Fields that the matrix does not name; what only completes another way of handling refills is told with it."""
    completing = {"stockpile_cap_days", "dose_change"} if rule.overlap != primary.overlap else set()
    return [name for name in ExposureRule.model_fields if name not in SHOWN_FIELDS | completing]


def _days(days: int | None, factor: float | None, unit: str) -> str:
    if days is not None:
        return f"{days} days"
    return "each drug's own" if factor is None else f"{factor:g} {unit}"


def hazard_curve(view: View) -> list[Specification]:
    """The first hazard ratio of the study under every rule that gives one, the adjusted beside it, in the order of the crude."""
    contrast = next((item for item in view.spec.contrast if item.estimator == "time_varying_cox"), None)
    if contrast is None:
        return []
    found = []
    for rule in view.rules:
        by_method = {
            method: view.estimate(
                analysis=ANALYSIS, estimand="hazard_ratio", outcome_id=contrast.outcome, stratum="ladder=study_drugs",
                level=">=2", method=method, exposure_rule=rule,
            )
            for method in (METHOD, ADJUSTED_METHOD)
        }  # fmt: skip
        crude, adjusted = by_method[METHOD], by_method[ADJUSTED_METHOD]
        if crude and crude["value"] is not None:
            found.append(Specification(rule, crude, adjusted if adjusted and adjusted["value"] is not None else None))
    return _ordered(found)


def odds_curve(view: View) -> list[Specification]:
    """The first stratified odds ratio of two or more against the comparator under every rule that gives one, in its order."""
    contrast = next(iter(ratios.odds_ratio_contrasts(view)), None)
    if contrast is None:
        return []
    found = []
    for rule in view.rules:
        row = ratios.level_estimates(view, contrast, ">=2", rule=rule).get("mantel_haenszel")
        if row and row["value"] is not None:
            found.append(Specification(rule, row))
    return _ordered(found)


def _ordered(found: Sequence[Specification]) -> list[Specification]:
    return sorted(found, key=lambda one: (float(one.found["value"]), one.rule))  # type: ignore[arg-type]


def matrix(view: View, curve: Sequence[Specification]) -> list[tuple[str, list[bool]]]:
    """Rows of the matrix: a setting, and for each specification of the curve whether it has it; what all share is left out."""
    rules = {rule.id: rule for rule in all_rules(view.spec)}
    held = [settings(rules[one.rule], view.spec) for one in curve]
    words = {"gap": "gap", "tail": "tail", "refills": "early refills", "overlap": "overlap", "other": "else"}
    rows = []
    for name, word in words.items():
        values = sorted({each[name] for each in held}, key=_place)
        if len(values) > 1:
            rows += [(f"{word}: {value}", [each[name] == value for each in held]) for value in values if value]
    return rows


def _place(value: str) -> tuple[int, float, str]:
    """Settings in the order of their numbers, those without one first."""
    first = value.split(" ", 1)[0]
    try:
        return 1, float(first), value
    except ValueError:
        return 0, 0.0, value


def hazard(view: View) -> tuple[str, str] | None:
    """Hazard ratios of a second study drug under every exposure rule."""
    return _drawn(
        view, hazard_curve(view), name="specification_hazard", what="hazard ratio, two or more against one study drug"
    )


def odds(view: View) -> tuple[str, str] | None:
    """Stratified odds ratios of two or more under every exposure rule."""
    return _drawn(view, odds_curve(view), name="specification_odds", what="odds ratio, two or more, stratified")


def _drawn(view: View, curve: list[Specification], *, name: str, what: str) -> tuple[str, str] | None:
    if len(curve) < LEAST_RULES:
        return None
    rows = matrix(view, curve)
    with mpl.rc_context(STYLE):
        height = 0.22 * max(len(rows), 1)
        canvas, (above, below) = new_canvas(3.0 + height, rows=2, ratios=(2.4, height))
        _values(above, curve, view.rule)
        above.set_title(f"{what} (log axis)", loc="left", size=9)
        _settings(below, rows, [one.rule == view.rule for one in curve])
    ends = [wording.number(float(curve[place].found["value"]), "ratio") for place in (0, -1)]  # type: ignore[arg-type]
    beside = " The adjusted ratio stands beside (triangles)." if any(one.beside for one in curve) else ""
    said = (
        f"{what[0].upper()}{what[1:]}, with limits under {len(curve)} exposure rules in the order of its value, from {ends[0]} to "
        f"{ends[1]}; the primary rule is a diamond.{beside} Below, the settings of each rule."
    )
    return svg_text(canvas, name, said)


def _values(axis: Axes, curve: Sequence[Specification], primary: str) -> None:
    axis.set_yscale("log")
    axis.axhline(1, color=MUTED, linewidth=0.8)
    ends = [1.0]
    for place, one in enumerate(curve):
        for row, shift, colour, marker in ((one.found, 0.0, BLUE, "o"), (one.beside, 0.25, MUTED, "^")):
            if row is None:
                continue
            told = {part: float(row[part]) for part in ("lower", "value", "upper") if row[part] is not None}  # type: ignore[arg-type]
            ends += [number for number in told.values() if number > 0]
            is_key = one.rule == primary and marker == "o"
            shown = ORANGE if is_key else colour
            if "lower" in told and "upper" in told:
                axis.plot([place + shift] * 2, [told["lower"], told["upper"]], color=shown, linewidth=1.2)
            axis.plot([place + shift], [told["value"]], marker="D" if is_key else marker, color=shown, markersize=4.5)
    low, high = max(min(ends) / 1.15, 0.05), min(max(ends) * 1.15, 100.0)
    axis.set_ylim(low, high)
    axis.set_yticks(log_marks(low, high))
    axis.minorticks_off()
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.grid(axis="y", color=LINE, linewidth=0.5)
    axis.set_axisbelow(True)
    axis.set_xlim(-0.7, len(curve) - 0.3)
    axis.set_xticks([])


def _settings(axis: Axes, rows: Sequence[tuple[str, Sequence[bool]]], is_primary: Sequence[bool]) -> None:
    for place, (_, held) in enumerate(rows):
        if place % 2 == 0:
            axis.axhspan(-place - 0.5, -place + 0.5, color=PALE, alpha=0.5, linewidth=0)
        for number, has in enumerate(held):
            if has:
                axis.plot(
                    [number], [-place], marker="s", color=ORANGE if is_primary[number] else INK, markersize=4, linestyle="none"
                )  # fmt: skip
    axis.set_xlim(-0.7, len(is_primary) - 0.3)
    axis.set_ylim(-max(len(rows), 1) + 0.4, 0.6)
    axis.set_yticks([-float(place) for place in range(len(rows))], [name for name, _ in rows], size=8.5)
    axis.set_xticks([])
    axis.tick_params(axis="y", length=0)
    axis.spines[:].set_visible(False)
