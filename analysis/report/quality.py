"""Tables on the data and on how the numbers were made: quality, unanswered questions, settings and provenance."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.report import wording
from analysis.report.table import Column, Table
from analysis.report.view import Row, View, as_int

SHOWN_VALUES = 15
SEVERITIES = {"block": "blocks the run", "quarantine": "sets rows aside", "warn": "warns"}
FIELDS = {"person_id": "person identifier"}


def row_account(view: View) -> list[Row]:
    """What became of every received row, beside the last publication."""
    before = {row["table_name"]: row for row in view.rows("meta.previous_table")}
    present = {row["table_name"]: bool(row["is_present"]) for row in view.rows("meta.source_table")}
    rows: list[Row] = []
    for row in view.rows("quality.row_account"):
        counts = {name: row[name] for name in ("rows_in", "rows_kept", "rows_quarantined", "rows_duplicate")}
        if not present.get(row["table_name"], True):
            rows.append({"name": wording.plain(row["table_name"]), "remark": "not in the source"})
        else:
            remark = "small counts withheld" if None in counts.values() else ""
            last = before.get(row["table_name"], {})
            previous = {"previous_in": last.get("rows_in"), "previous_quarantined": last.get("rows_quarantined")}
            rows.append(
                {"name": wording.plain(row["table_name"]), "remark": remark, **counts, **previous, "is_withheld": True}
            )
    return sorted(rows, key=lambda row: (row["remark"] == "not in the source",))


def failed_rules(view: View) -> list[Row]:
    """Rules that rows broke, the gravest first."""
    return _rules(view, "fail")


def _rules(view: View, status: str) -> list[Row]:
    rows = view.rows("quality.rule_result", status=status)
    before = {
        (row["rule_id"], row["table_name"], row["field"]): row["rows_failed"] for row in view.rows("meta.previous_rule")
    }
    order = list(SEVERITIES)
    rows.sort(
        key=lambda row: (
            order.index(str(row["severity"])),
            -as_int(row["rows_failed"]),
            str(row["rule_id"]),
            str(row["table_name"]),
        )
    )
    return [
        {
            "rule": row["rule_id"],
            "name": wording.plain(row["table_name"]),
            "field": field_name(row["field"]),
            "sentence": row["sentence"],
            "severity": SEVERITIES[str(row["severity"])],
            "checked": row["rows_checked"],
            "failed": row["rows_failed"],
            "previous": before.get((row["rule_id"], row["table_name"], row["field"])),
            "share": share_failed(row),
            "is_withheld": row["rows_failed"] is None or row["rows_checked"] is None,
        }
        for row in rows
    ]


def field_name(field: object) -> str:
    """A column as the report names it."""
    return FIELDS.get(str(field), wording.plain(field))


def share_failed(row: Row) -> float | None:
    """Failed among checked rows."""
    checked, failed = row["rows_checked"], row["rows_failed"]
    return int(failed) / int(checked) if checked and failed is not None else None  # type: ignore[call-overload]


def not_assessable_rules(view: View) -> list[Row]:
    """Rules that the source gives nothing to look at, one line a rule."""
    groups: dict[tuple[object, object, object], list[Row]] = {}
    for row in view.rows("quality.rule_result", status="not_assessable"):
        groups.setdefault((row["rule_id"], row["sentence"], row["severity"]), []).append(row)
    return [
        {
            "rule": rule,
            "sentence": sentence,
            "severity": SEVERITIES[str(severity)],
            "name": _listed(wording.plain(row["table_name"]) for row in rows),
            "field": _listed(field_name(row["field"]) for row in rows),
        }
        for (rule, sentence, severity), rows in sorted(groups.items(), key=lambda item: tuple(map(str, item[0])))
    ]


def _listed(names: Iterable[object]) -> str:
    return ", ".join(sorted({str(name) for name in names if str(name)}))


def unmapped(view: View) -> list[Row]:
    """Received values without meaning for the study: how many values and rows a table has."""
    groups: dict[str, list[Row]] = {}
    for row in view.rows("quality.unmapped"):
        groups.setdefault(str(row["table_name"]), []).append(row)
    return [
        {"name": wording.plain(name), "values": len(rows), "row_count": sum(as_int(row["row_count"]) for row in rows)}
        for name, rows in sorted(groups.items())
    ]


def unmapped_drugs(view: View) -> list[Row]:
    """The most frequent drug names and codes without meaning; rare ones stay unnamed: they may tell a person."""
    rows = [row for row in view.rows("quality.unmapped", table_name="prescription") if _is_frequent(row, view)]
    rows.sort(key=lambda row: (-as_int(row["row_count"]), str(row["source_value"])))
    return [
        {"value": row["source_value"], "system": row["code_system"] or "none given", "row_count": row["row_count"]}
        for row in rows[:SHOWN_VALUES]
    ]


def _is_frequent(row: Row, view: View) -> bool:
    return as_int(row["row_count"]) >= view.spec.disclosure.minimum_count


RULE = (
    Column("rule", "Rule", "id"),
    Column("name", "Table"),
    Column("field", "Column"),
    Column("sentence", "What the rule says", "sentence"),
    Column("severity", "A failure"),
)
HASH = Column("sha256", "SHA-256", "digest")

TABLES = (
    Table(
        "row_account",
        "quality",
        "What became of every received row",
        (
            Column("name", "Table"),
            Column("rows_in", "Received", "count"),
            Column("rows_kept", "Kept", "count"),
            Column("rows_quarantined", "Set aside", "count"),
            Column("rows_duplicate", "Exact duplicates", "count"),
            Column("previous_in", "Received last time", "count", is_optional=True),
            Column("previous_quarantined", "Set aside last time", "count", is_optional=True),
            Column("remark", "Remark"),
        ),
        row_account,
        "Received = kept + set aside + exact duplicates. A table that the source lacks is not a table without rows. Last time: the last "
        "publication on other input.",
    ),
    Table(
        "failed_rules",
        "quality",
        "Rules that rows broke",
        (
            *RULE,
            Column("checked", "Checked", "count"),
            Column("failed", "Failed", "count"),
            Column("share", "%", "share"),
            Column("previous", "Failed last time", "count", is_optional=True),
        ),
        failed_rules,
        "Every rule with its SELECT is in expectations.html. Rows that a setting-aside rule names are not in any number of this report; "
        "rows under a warning are.",
        "No row broke any rule.",
    ),
    Table(
        "not_assessable_rules",
        "quality",
        "Rules with nothing to look at",
        RULE,
        not_assessable_rules,
        "The table or column that the rule looks at is absent.",
        "Every rule had something to look at.",
        is_long=True,
    ),
    Table(
        "unmapped",
        "quality",
        "Values that mean nothing to the study",
        (Column("name", "Table"), Column("values", "Different values", "count"), Column("row_count", "Rows", "count")),
        unmapped,
        "Kept and counted, used nowhere. Most are drugs and diagnoses that the study does not ask for.",
        "Every value has a meaning.",
    ),
    Table(
        "unmapped_drugs",
        "quality",
        "Most frequent drug names and codes among them",
        (Column("value", "Name or code"), Column("system", "Code system"), Column("row_count", "Rows", "count")),
        unmapped_drugs,
        "Look for a study drug among them: it would be missing from every number.",
        "No drug name or code without meaning is frequent enough to be shown.",
        is_long=True,
    ),
)
