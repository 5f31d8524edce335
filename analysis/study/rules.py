"""Exposure rules as rows: every rule of the study file and of its grid, and what each means for each drug.

Owns which setting wins (single drug, class, rule, drug) and how a factor becomes days. Background drugs follow one rule
only: `background_gap_days` and their own tail, so that ladders mean the same under every rule. Reads no records.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import polars as pl

from analysis.study.exposure_rule import ExposureRule, Policy
from analysis.study.read import StudyError, nearest
from analysis.study.spec import StudySpec

NO_CAP_DAYS = 36_500
ORAL_CAP_DAYS = 30  # most days of an oral refill carried over, where the rule names no cap; injectables: one interval

RULE_SCHEMA = {
    "exposure_rule": pl.String, "rule_number": pl.Int64, "label": pl.String, "is_primary": pl.Boolean,
    "min_episode_days": pl.Int64, "max_episode_days": pl.Int64, "min_overlap_days": pl.Int64,
    "after_stop_days": pl.Int64, "restart_after_days": pl.Int64, "switch_within_days": pl.Int64,
}  # fmt: skip
POLICY_SCHEMA = {
    "exposure_rule": pl.String, "drug_id": pl.String, "gap_days": pl.Int64, "gap_source": pl.String,
    "tail_days": pl.Int64, "tail_source": pl.String, "washout_days": pl.Int64, "washout_source": pl.String,
    "overlap_handling": pl.String, "stockpile_cap_days": pl.Int64,
    "dose_change": pl.String, "bridges_hospital_stays": pl.Boolean,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugPolicy:
    """What a rule may need to know of a drug."""

    drug_id: str
    role: str
    drug_class: str
    gap_days: int | None
    tail_days: int | None
    interval_days: int | None
    half_life_days: float | None
    washout_days: int | None
    is_injectable: bool


def all_rules(spec: StudySpec) -> list[ExposureRule]:
    """The rules of the study file, then one for every combination of the grid's values.

    Raises StudyError when a rule of the grid has the name of another.
    """
    grid = spec.exposure_grid
    axes = [
        [(field, value) for value in values]
        for field in ("gap_days", "gap_factor", "tail_days", "tail_half_lives", "min_overlap_days", "overlap")
        if (values := getattr(grid, field))
    ]
    rules = list(spec.exposure_rule)
    if axes:
        rules += [_grid_rule(spec.exposure_rule[0], dict(point)) for point in product(*axes)]
    ids = [rule.id for rule in rules]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise StudyError(f"exposure_grid makes rule {twice[0]!r}, which is there already: leave that value out")
    return rules


def _grid_rule(primary: ExposureRule, point: dict[str, object]) -> ExposureRule:
    """The primary rule with the grid's values; a value replaces the other way of giving the same setting."""
    words = {
        "gap_days": "gap",
        "gap_factor": "gapx",
        "tail_days": "tail",
        "tail_half_lives": "tailx",
        "min_overlap_days": "min",
    }
    name = "_".join(str(value) if field == "overlap" else f"{words[field]}{value}" for field, value in point.items())
    replaced = dict(point)
    for one, other in (("gap_days", "gap_factor"), ("tail_days", "tail_half_lives")):
        if one in point:
            replaced[other] = None
        elif other in point:
            replaced[one] = None
    overlap = point.get("overlap", primary.overlap)
    if overlap != "stockpile_capped":
        replaced["stockpile_cap_days"] = None
    if overlap == "merge":
        replaced["dose_change"] = "carry"
    label = ", ".join(f"{field.replace('_', ' ')} {value}" for field, value in point.items())
    return primary.model_copy(update={"id": f"grid_{name}".replace(".", "p"), "label": label, **replaced})


def rule_rows(spec: StudySpec) -> pl.DataFrame:
    """Rows of `spec.exposure_rule`."""
    return pl.DataFrame(
        [
            {
                "exposure_rule": rule.id, "rule_number": number, "label": rule.label or rule.id, "is_primary": number == 1,
                "min_episode_days": rule.min_episode_days, "max_episode_days": rule.max_episode_days,
                "min_overlap_days": _given(rule.min_overlap_days, spec.combination.min_overlap_days),
                "after_stop_days": after_stop, "restart_after_days": rule.restart_after_days,
                "switch_within_days": _given(rule.switch_within_days, after_stop),
            }
            for number, rule in enumerate(all_rules(spec), start=1)
            for after_stop in (_given(rule.after_stop_days, spec.analysis.after_stop_days),)
        ],
        schema=RULE_SCHEMA,
    )  # fmt: skip


def policy_rows(spec: StudySpec, drugs: Sequence[DrugPolicy]) -> pl.DataFrame:
    """Rows of `spec.drug_policy`: gap, tail, washout and overlap handling of each study and background drug by rule.

    Raises StudyError for a rule that names an unknown drug or class, and for a factor of an interval that is not known.
    """
    rows = []
    for rule in all_rules(spec):
        _check_names(rule, drugs)
        for drug in drugs:
            if drug.role in ("study", "background"):
                gap, gap_source = _gap(rule, drug)
                tail, tail_source = _tail(rule, drug)
                washout, washout_source = _washout(rule, drug, spec.population.look_back_days)
                handling = rule.overlap if drug.role == "study" else "merge"
                dose_change = rule.dose_change if drug.role == "study" else "carry"
                bridges = rule.bridge_hospital_stays and drug.role == "study"
                settings = (gap, gap_source, tail, tail_source, washout, washout_source)
                supply = (handling, _cap(rule, drug, handling), dose_change, bridges)
                rows.append((rule.id, drug.drug_id, *settings, *supply))
    return pl.DataFrame(rows, schema=POLICY_SCHEMA, orient="row")


def _check_names(rule: ExposureRule, drugs: Sequence[DrugPolicy]) -> None:
    known = {"drug": sorted(drug.drug_id for drug in drugs), "drug_class": sorted({drug.drug_class for drug in drugs})}
    for field, names in known.items():
        for name in getattr(rule, field):
            if name not in names:
                kind = field.replace("drug_class", "class")
                raise StudyError(f"exposure_rule {rule.id!r}: unknown {kind} {name!r}{nearest(name, names)}")


def _gap(rule: ExposureRule, drug: DrugPolicy) -> tuple[int | None, str]:
    for source, policy in _narrow(rule, drug):
        if policy.gap_days is not None:
            return policy.gap_days, source
    if drug.role == "background":
        return rule.background_gap_days, "background"
    if rule.gap_factor is not None:
        if drug.interval_days is None:
            raise StudyError(
                f"exposure_rule {rule.id!r}: gap_factor needs interval_days of {drug.drug_id!r}; give it in its [[drug]]"
            )
        return math.ceil(rule.gap_factor * drug.interval_days), "interval"
    return (rule.gap_days, "rule") if rule.gap_days is not None else (drug.gap_days, "drug")


def _tail(rule: ExposureRule, drug: DrugPolicy) -> tuple[int | None, str]:
    for source, policy in _narrow(rule, drug):
        if policy.tail_days is not None:
            return policy.tail_days, source
    if drug.role == "study" and rule.tail_days is not None:
        return rule.tail_days, "rule"
    if drug.role == "study" and rule.tail_half_lives is not None and drug.half_life_days is not None:
        return math.ceil(rule.tail_half_lives * drug.half_life_days), "half_life"
    return drug.tail_days, "drug"


def _washout(rule: ExposureRule, drug: DrugPolicy, look_back_days: int) -> tuple[int, str]:
    """Washout of one drug; a drug without its own has the look-back of the study."""
    for source, policy in _narrow(rule, drug):
        if policy.washout_days is not None:
            return policy.washout_days, source
    if drug.role == "study" and rule.washout_days is not None:
        return rule.washout_days, "rule"
    return (look_back_days, "look_back") if drug.washout_days is None else (drug.washout_days, "drug")


def _narrow(rule: ExposureRule, drug: DrugPolicy) -> list[tuple[str, Policy]]:
    """Settings of the single drug, then of its class."""
    found = (("single_drug", rule.drug.get(drug.drug_id)), ("class", rule.drug_class.get(drug.drug_class)))
    return [(source, policy) for source, policy in found if policy is not None]


def _cap(rule: ExposureRule, drug: DrugPolicy, handling: str) -> int:
    if handling != "stockpile_capped":
        return 0 if handling == "merge" else NO_CAP_DAYS
    own = drug.interval_days if drug.is_injectable and drug.interval_days else ORAL_CAP_DAYS
    return _given(rule.stockpile_cap_days, own)


def _given(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
