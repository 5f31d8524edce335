"""The frames of a report as its tables and figures ask for them.

Owns how a frame is looked up and how drugs, regimens and outcomes are named. Makes no number: sums are sums of shown
rows, and a sum over a withheld row is withheld.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from analysis.study.spec import StudySpec

Row = dict[str, object]


def total(values: Iterable[object]) -> int | None:
    """Sum of whole numbers; None when any of them is absent (withheld)."""
    listed = list(values)
    return None if any(value is None for value in listed) else sum(int(value) for value in listed)  # type: ignore[call-overload]


def as_int(value: object) -> int:
    """A whole number for sorting; an absent one counts as -1."""
    return -1 if value is None else int(value)  # type: ignore[call-overload]


@dataclass(frozen=True)
class View:
    """A study and its frames, already under disclosure control."""

    spec: StudySpec
    frames: Mapping[str, pl.DataFrame]

    def rows(self, table: str, **equal: object) -> list[Row]:
        """Rows of a table whose columns equal the given values, in the order of all columns."""
        frame = self.frames[table]
        for column, value in equal.items():
            frame = frame.filter(pl.col(column) == value)
        return frame.to_dicts()

    def estimates(self, **equal: object) -> list[Row]:
        """Estimates under the primary exposure rule unless another is named."""
        return self.rows("estimate.result", **{"exposure_rule": self.rule, **equal})

    def estimate(self, **equal: object) -> Row | None:
        """The one estimate that is asked for, or None; parts of the question not given are empty."""
        asked = {"regimen_id": "", "outcome_id": "", "stratum": "", "level": "", **equal}
        return next(iter(self.estimates(**asked)), None)

    @property
    def rule(self) -> str:
        """The exposure rule of the main numbers."""
        return self.spec.primary_rule

    @cached_property
    def rules(self) -> dict[str, str]:
        """Exposure rules and their labels, in the order of the study file."""
        rows = sorted(self.rows("spec.exposure_rule"), key=lambda row: as_int(row["rule_number"]))
        return {str(row["exposure_rule"]): str(row["label"]) for row in rows}

    @cached_property
    def _drugs(self) -> dict[str, str]:
        return {str(row["drug_id"]): str(row["drug_name"]) for row in self.rows("spec.drug")}

    def regimen(self, regimen_id: object) -> str:
        """A regimen in words."""
        if regimen_id == "none":
            return "no study drug"
        if regimen_id == "all":
            return "all pairs"
        if str(regimen_id).startswith("withheld"):
            return "regimens with small counts, pooled"
        return " + ".join(self._drugs.get(drug, drug) for drug in str(regimen_id).split("+"))

    @cached_property
    def outcomes(self) -> dict[str, str]:
        """Outcomes and their names, in the order of the study file, negative controls left out."""
        return {name: label for name, label in self._labels.items() if name not in self.negative_controls}

    @cached_property
    def negative_controls(self) -> dict[str, str]:
        """Outcomes that no drug of the study causes, and their names, in the order of the study file."""
        named = {str(row["outcome_id"]) for row in self.rows("spec.outcome", is_negative_control=True)}
        return {name: label for name, label in self._labels.items() if name in named}

    @cached_property
    def _labels(self) -> dict[str, str]:
        """Names of all outcomes; what stands in brackets at the end is left out."""
        labels = {str(row["outcome_id"]): str(row["label"]) for row in self.rows("spec.outcome")}
        return {
            item.id: labels.get(item.id, item.id.replace("_", " ")).split(" (composite")[0]
            for item in self.spec.outcome
        }

    @cached_property
    def _components(self) -> dict[tuple[str, str], str]:
        rows = self.rows("spec.outcome_component")
        return {(str(row["outcome_id"]), str(row["component_id"])): str(row["label"]) for row in rows}

    def component(self, outcome_id: str, component_id: str) -> str:
        """A component of an outcome in words."""
        return self._components.get((outcome_id, component_id), component_id.replace("_", " "))

    @property
    def data_cut(self) -> str:
        """Last day of data as ISO date."""
        rows = self.rows("quality.data_cut")
        return str(rows[0]["data_cut_date"]) if rows else "unknown"

    @property
    def source(self) -> Row:
        """What kind of source was read."""
        return self.rows("meta.source")[0]

    def attrition(self, population: str | None = None) -> list[Row]:
        """Steps of the primary rule in their order, of one population or of all."""
        rows = self.rows("cohort.attrition", exposure_rule=self.rule)
        chosen = [row for row in rows if population is None or row["population"] == population]
        return sorted(chosen, key=lambda row: as_int(row["step_number"]))

    @cached_property
    def has_combinations(self) -> bool:
        """Whether anybody's combination was followed under the primary rule."""
        return bool(self.estimates(analysis="persistence", regimen_id="all"))

    @cached_property
    def outcomes_assessable(self) -> bool:
        """Whether the source has a table that could hold an outcome."""
        return bool(self.source["has_adverse_event"] or self.source["has_condition"])
