"""Views of the published database for whoever looks for bad records.

Owns `quality.failed_rule`, `quality.bad_record` and `quality.account_trend`: SELECTs over tables that the run has written, kept as views
so that they say nothing that those tables do not.
"""

from __future__ import annotations

from collections.abc import Mapping

from sql.catalog import tables
from sql.warehouse import Warehouse, quoted

_OF = ("quality.rule_result", "quality.quarantine", "quality.row_account")

VIEWS: Mapping[str, tuple[str, str]] = {  # view -> what it is, its SELECT
    "quality.failed_rule": (
        "Rules that rows broke, gravest first, with the rows that broke them in the last publication.",
        "SELECT r.rule_id, r.table_name, r.field, r.severity, r.is_blocking, r.rows_failed, r.rows_checked, "
        "p.rows_failed AS previous_rows_failed, r.sentence FROM quality.rule_result AS r LEFT JOIN meta.previous_rule AS p "
        "ON r.rule_id = p.rule_id AND r.table_name = p.table_name AND r.field = p.field WHERE r.status = 'fail' "
        "ORDER BY CASE r.severity WHEN 'block' THEN 0 WHEN 'quarantine' THEN 1 ELSE 2 END, r.rows_failed DESC, r.rule_id, r.table_name, "
        "r.field",
    ),
    "quality.bad_record": (
        "Each record that was set aside, once, with every rule that it broke, its file, its row and itself as received.",
        "SELECT q.table_name, q.source_file, q.row_number, STRING_AGG(q.rule_id, ', ' ORDER BY q.rule_id) AS rule_ids, "
        "MIN(q.record) AS record FROM quality.quarantine AS q GROUP BY q.table_name, q.source_file, q.row_number "
        "ORDER BY q.table_name, q.source_file, q.row_number",
    ),
    "quality.account_trend": (
        "What became of the rows of each table, beside the last publication.",
        "SELECT a.table_name, a.rows_in, p.rows_in AS previous_rows_in, a.rows_kept, p.rows_kept AS previous_rows_kept, "
        "a.rows_quarantined, p.rows_quarantined AS previous_rows_quarantined, a.rows_duplicate, "
        "p.rows_duplicate AS previous_rows_duplicate FROM quality.row_account AS a LEFT JOIN meta.previous_table AS p "
        "ON a.table_name = p.table_name ORDER BY a.table_name",
    ),
}


def create_views(warehouse: Warehouse) -> None:
    """Makes the views, each with its comment and those of its columns."""
    for name, (about, select) in VIEWS.items():
        warehouse.execute(f"CREATE OR REPLACE VIEW {name} AS {select}", f"COMMENT ON VIEW {name} IS {quoted(about)}")
        warehouse.execute(
            *(
                f"COMMENT ON COLUMN {name}.{column} IS {quoted(_comment(column))}"
                for column, _ in warehouse.columns_of(name)
            )
        )


def _comment(column: str) -> str:
    """What the contract says of a column; of one of the last publication, with these words."""
    if column == "rule_ids":
        return "Every rule that the record broke, joined by commas"
    own = column.removeprefix("previous_")
    found = next(c.comment for table in _OF for c in tables()[table].columns if c.name == own)
    return found if own == column else f"{found}; in the last publication"
