"""What the last publication counted, so that this run can be shown against it.

Owns which publication that is: the published one of the same study, or that one's own predecessor where this run is equal to it, so that
the same input gives the same report however often it runs. Simulated records have no history, and stand beside none.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from sql.catalog import tables
from sql.warehouse import Warehouse, WarehouseError

_READ = {"meta.previous_table": "quality.row_account", "meta.previous_rule": "quality.rule_result"}


def write_previous(warehouse: Warehouse, published: Path | None, *, study_id: str, fingerprint: str) -> None:
    """Writes `meta.previous_table` and `meta.previous_rule`, empty where nothing was published before.

    published: the database that stands now. study_id, fingerprint: of this run, whose `meta.source` is written.
    """
    is_simulated = warehouse.read("meta.source")["is_simulated"][0]
    for name, source in _READ.items():
        columns = [column.name for column in tables()[name].columns]
        frame = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
        if published is not None and published.is_file() and not is_simulated:
            frame = _counted(Warehouse(published), name, source, columns, study_id=study_id, fingerprint=fingerprint)
        warehouse.write(name, frame)


def _counted(
    old: Warehouse, name: str, source: str, columns: list[str], *, study_id: str, fingerprint: str
) -> pl.DataFrame:
    nothing = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    try:
        run = old.query("SELECT study_id, fingerprint FROM meta.run").row(0)
        if run[0] != study_id:
            return nothing
        is_same = run[1] == fingerprint
        return old.query(f"SELECT {', '.join(columns)} FROM {name if is_same else source}")
    except WarehouseError:  # published before these tables were: nothing to show this run against
        return nothing
