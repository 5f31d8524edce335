"""The registry of report tables, in the order of the page.

A new table is one more `Table` in the module of its subject. Which section it stands in is part of it.
"""

from __future__ import annotations

from analysis.report import (
    adverse_events,
    after_adding,
    care,
    comparability,
    components,
    drug_class,
    endings,
    infection_groups,
    joint,
    ladder,
    literature,
    matched,
    omalizumab,
    omalizumab_symptoms,
    outcomes,
    people,
    provenance,
    quality,
    rate_ratio,
    ratios,
    reaction_latency,
    reactions,
    sensitivity,
    subgroup,
)
from analysis.report.table import ShownTable, Table, show
from analysis.report.view import View

TABLES: tuple[Table, ...] = (
    *people.TABLES,
    *endings.TABLES,
    *outcomes.TABLES,
    *ladder.TABLES,
    *rate_ratio.TABLES,
    *ratios.TABLES,
    *matched.TABLES,
    *drug_class.TABLES,
    *subgroup.TABLES,
    *joint.TABLES,
    comparability.TABLES[0],
    *after_adding.TABLES,
    *comparability.TABLES[1:],
    *components.TABLES,
    *omalizumab.TABLES,
    *omalizumab_symptoms.TABLES,
    *reactions.TABLES,
    *reaction_latency.TABLES,
    *adverse_events.TABLES,
    *infection_groups.TABLES,
    *literature.TABLES,
    *care.TABLES,
    *sensitivity.TABLES,
    *quality.TABLES,
    *provenance.TABLES,
)


def shown_tables(view: View) -> dict[str, ShownTable]:
    """Every table of the registry, by id."""
    return {table.id: show(table, view) for table in TABLES}
