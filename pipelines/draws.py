"""The steps of Python among those of SQL: controls drawn for cases, comparators for those who add a drug, modelled courses.

Owns for which comparisons of a study somebody is drawn. The draws themselves are in `analysis/matching/`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from graphlib import TopologicalSorter

import polars as pl

from analysis.matching import comparison_sample, control_sample
from analysis.matching.control_sample import DESIGNS, MAIN_DESIGN
from pipelines.pkpd_draws import TABLES, model_omalizumab
from pipelines.steps import Build
from sql.catalog import queries
from sql.warehouse import Warehouse, quoted


def negative_controls(warehouse: Warehouse) -> list[str]:
    """Outcomes that no drug of the study causes, in byte order."""
    return list(warehouse.read("spec.outcome", where="is_negative_control")["outcome_id"])


def draw_controls(build: Build) -> int:
    """Draws the controls of every matched comparison and stores them; returns the number of rows.

    A design and outcome that several comparisons share is drawn once for each exposure rule.
    """
    settings = build.spec.case_control
    warehouse = build.warehouse
    wanted = {
        (contrast.outcome, DESIGNS[contrast.estimator])
        for contrast in build.spec.contrast
        if contrast.estimator in DESIGNS
    }
    if any(design == MAIN_DESIGN for _, design in wanted):
        wanted |= {(outcome, MAIN_DESIGN) for outcome in negative_controls(warehouse)}
    basis = warehouse.read("cohort.match_basis")
    drawn = [control_sample.no_controls()]
    for outcome, design in sorted(wanted):
        time = warehouse.read("cohort.person_time", where=f"population = 'all_time' AND outcome_id = {quoted(outcome)}")
        drawn.append(control_sample.control_sample(basis, time, settings, outcome_id=outcome, design=design))
    frame = pl.concat(drawn)
    warehouse.write("cohort.control_sample", frame)
    return frame.height


def draw_comparators(build: Build) -> int:
    """Draws comparators for those who add a second drug and stores them; returns the number of rows.

    Nobody is drawn where the study asks for no comparison from time zero.
    """
    frame = comparison_sample.no_comparators()
    if any(contrast.estimator == "time_zero_comparison" for contrast in build.spec.contrast):
        frame = comparison_sample.comparison_sample(
            build.warehouse.read("cohort.comparison_candidate"), build.spec.comparison
        )
    build.warehouse.write("cohort.comparison_sample", frame)
    return frame.height


@dataclass(frozen=True, slots=True)
class Draw:
    """A table that Python draws: what it reads and the step that stores it and returns its number of rows."""

    reads: tuple[str, ...]
    run: Callable[[Build], int]


def _rows(name: str, build: Build) -> int:
    return build.warehouse.count(name)


DRAWS = {
    "cohort.comparison_sample": Draw(("cohort.comparison_candidate", "spec.contrast"), draw_comparators),
    "cohort.control_sample": Draw(
        ("cohort.match_basis", "cohort.person_time", "spec.contrast", "spec.outcome"), draw_controls
    ),
    "pkpd.standing": Draw(
        ("pkpd.person", "pkpd.dose", "pkpd.stop", "pkpd.symptom_record", "pkpd.exacerbation", "spec.study"),
        model_omalizumab,
    ),
    # Written with the one before, from the same courses.
    **{
        f"pkpd.{name}": Draw(("pkpd.standing",), partial(_rows, f"pkpd.{name}"))
        for name in TABLES
        if name != "standing"
    },
}


def build_order(*wanted: str) -> list[str]:
    """Tables that a SELECT makes or that are drawn, each after what it reads: all, or those that the wanted ones are made of."""
    reads = {name: query.reads for name, query in queries().items()} | {name: d.reads for name, d in DRAWS.items()}
    order = TopologicalSorter({name: [read for read in found if read in reads] for name, found in reads.items()})
    needed, to_see = set(), list(wanted or reads)
    while to_see:
        name = to_see.pop()
        if name in reads and name not in needed:
            needed.add(name)
            to_see += reads[name]
    return [name for name in order.static_order() if name in needed]


def build_table(build: Build, name: str) -> None:
    """Makes one table of `build_order`."""
    if name in DRAWS:
        DRAWS[name].run(build)
    else:
        build.warehouse.build(queries()[name])
