"""What the last publication counted, so that this run can be shown against it.

Owns which publication that is: the published one of the same study, or that one's own predecessor where this run is equal to it, so that
the same input gives the same report however often it runs. Simulated records have no history, and stand beside none.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from pipelines.ingest.files import InputError
from sql.catalog import tables
from sql.warehouse import Warehouse, WarehouseError

_READ = {"meta.previous_table": "quality.row_account", "meta.previous_rule": "quality.rule_result"}


def write_previous(warehouse: Warehouse, published: Path | None, *, study_id: str, fingerprint: str) -> None:
    """Writes `meta.previous_table` and `meta.previous_rule`, empty where nothing was published before.

    published: the database that stands now. study_id, fingerprint: of this run, whose `meta.source` is written. Raises InputError
    where a publication stands that cannot be read: without it a table that is gone would pass unseen.
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
        if not _holds(old, "meta.run", ["study_id", "fingerprint"]):
            return nothing
        run = old.query("SELECT study_id, fingerprint FROM meta.run").row(0)
        wanted = name if run[1] == fingerprint else source
        # Published before these tables were: there is nothing to show this run against.
        if run[0] != study_id or not _holds(old, wanted, columns):
            return nothing
        return old.query(f"SELECT {', '.join(columns)} FROM {wanted}")
    except WarehouseError as error:
        raise InputError(
            f"the last publication {old.path.name} cannot be read, so that this run could not be shown against it: {error}. "
            "Close what writes to it, or move it away if it is damaged"
        ) from None


def _holds(old: Warehouse, name: str, columns: list[str]) -> bool:
    """Whether a publication has that table with those columns."""
    return old.has(name) and set(columns) <= {column for column, _ in old.columns_of(name)}
