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
    """What became of every received row."""
    present = {row["table_name"]: bool(row["is_present"]) for row in view.rows("meta.source_table")}
    rows: list[Row] = []
    for row in view.rows("quality.row_account"):
        counts = {name: row[name] for name in ("rows_in", "rows_kept", "rows_quarantined", "rows_duplicate")}
        if not present.get(row["table_name"], True):
            rows.append({"name": wording.plain(row["table_name"]), "remark": "not in the source"})
        else:
            remark = "small counts withheld" if None in counts.values() else ""
            rows.append({"name": wording.plain(row["table_name"]), "remark": remark, **counts, "is_withheld": True})
    return sorted(rows, key=lambda row: (row["remark"] == "not in the source",))


def failed_rules(view: View) -> list[Row]:
    """Rules that rows broke, the gravest first."""
    return _rules(view, "fail")


def _rules(view: View, status: str) -> list[Row]:
    rows = view.rows("quality.rule_result", status=status)
    order = list(SEVERITIES)
    rows.sort(key=lambda row: (order.index(str(row["severity"])), -as_int(row["rows_failed"]), str(row["rule_id"]), str(row["table_name"])))
    return [
        {
            "rule": row["rule_id"], "name": wording.plain(row["table_name"]), "field": field_name(row["field"]),
            "sentence": row["sentence"], "severity": SEVERITIES[str(row["severity"])], "checked": row["rows_checked"],
            "failed": row["rows_failed"], "share": share_failed(row), "is_withheld": row["rows_failed"] is None or row["rows_checked"] is None,
        }
        for row in rows
    ]  # fmt: skip


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
            "rule": rule, "sentence": sentence, "severity": SEVERITIES[str(severity)],
            "name": _listed(wording.plain(row["table_name"]) for row in rows),
            "field": _listed(field_name(row["field"]) for row in rows),
        }
        for (rule, sentence, severity), rows in sorted(groups.items(), key=lambda item: tuple(map(str, item[0])))
    ]  # fmt: skip


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
    """The most frequent drug names and codes without meaning; rare ones stay unnamed, for a rare text may name a person."""
    rows = [row for row in view.rows("quality.unmapped", table_name="prescription") if _is_frequent(row, view)]
    rows.sort(key=lambda row: (-as_int(row["row_count"]), str(row["source_value"])))
    return [
        {"value": row["source_value"], "system": row["code_system"] or "none given", "row_count": row["row_count"]}
        for row in rows[:SHOWN_VALUES]
    ]


def _is_frequent(row: Row, view: View) -> bool:
    return as_int(row["row_count"]) >= view.spec.disclosure.minimum_count


def unanswered(view: View) -> list[Row]:
    """Every estimate whose status is not ok, estimates that differ only in rule, regimen, day or level on one line."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in view.rows("estimate.result"):
        if row["status"] != "ok":
            key = (str(row["analysis"]), str(row["estimand"]), str(row["outcome_id"]), str(row["stratum"]), str(row["method"]),
                   str(row["status"]), str(row["reason"]))  # fmt: skip
            groups.setdefault(key, []).append(row)
    return [
        {
            "group": wording.named(wording.ANALYSES, analysis),
            "what": _question(view, estimand, outcome, stratum, method), "status": wording.named(wording.STATUS_WORDS, status),
            "reason": reason, "number": len(rows),
            "regimens": _few([view.regimen(row["regimen_id"]) for row in rows if row["regimen_id"]]),
            "levels": _few(
                [str(row["level"]) for row in rows if row["level"]]
                + [f"day {row['time_days']}" for row in rows if row["time_days"] is not None]
            ),
            "rules": _few([str(row["exposure_rule"]) for row in rows]),
        }
        for (analysis, estimand, outcome, stratum, method, status, reason), rows in sorted(groups.items())
    ]  # fmt: skip


def _question(view: View, estimand: str, outcome: str, stratum: str, method: str) -> str:
    parts = [wording.named(wording.ESTIMANDS, estimand)]
    if outcome:
        parts.append(view.outcomes.get(outcome, wording.plain(outcome)))
    name, _, value = stratum.partition("=")
    if name == "ladder":
        parts.append(wording.LADDERS.get(value, value))
    elif name == "by":
        parts.append(f"by {value}")
    return f"{', '.join(parts)}; {wording.method_name(method)}"


def _few(names: list[str], limit: int = 6) -> str:
    listed = list(dict.fromkeys(names))
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def drugs(view: View) -> list[Row]:
    """Role, gap and tail of the drugs that occur in the data."""
    seen = {
        drug for row in view.rows("summary.exposure_time") for drug in str(row["regimen_id"]).split("+") if row["regimen_id"] != "none"
    }
    policies = {row["drug_id"]: row for row in view.rows("spec.drug_policy", exposure_rule=view.rule)}
    return [
        {
            "name": row["drug_name"], "drug_class": row["drug_class"], "interval": row["interval_days"],
            "gap": policies.get(row["drug_id"], {}).get("gap_days"), "tail": policies.get(row["drug_id"], {}).get("tail_days"),
            "counts": ", ".join(name for name, flag in (("Toruner", row["counts_toruner"]), ("broad", row["counts_broad"])) if flag) or "neither",
        }
        for row in sorted(view.rows("spec.drug"), key=lambda row: str(row["drug_name"]))
        if row["drug_id"] in seen
    ]  # fmt: skip


def outcome_settings(view: View) -> list[Row]:
    """How each outcome is found and dated."""
    rows: list[Row] = []
    held = {str(row["outcome_id"]): row for row in view.rows("spec.outcome")}
    for outcome in view.spec.outcome:
        row = held[outcome.id]
        codes = "; ".join(f"{name} {', '.join(values)}" for name, values in sorted(outcome.codes.items()))
        rows.append(
            {
                "name": row["label"], "dated": wording.plain(row["date_rule"]), "setting": row["setting"], "position": row["position"],
                "serious": "yes" if row["serious_only"] else "no", "gap": row["episode_gap_days"], "lag": row["lag_days"],
                "codes": codes or f"code lists of the reference ({outcome.based_on or outcome.id})",
            }
        )  # fmt: skip
    return rows


def inputs(view: View) -> list[Row]:
    """Every file that was read."""
    rows = sorted(view.rows("meta.input_file"), key=lambda row: (str(row["table_name"]), str(row["source_file"])))
    return [
        {"name": row["source_file"], "rows": row["row_count"], "sha256": row["sha256"], "is_withheld": row["row_count"] is None}
        for row in rows
    ]


def versions(view: View) -> list[Row]:
    """Packages and their versions."""
    return [{"name": row["package"], "version": row["version"]} for row in sorted(view.rows("meta.package_version"), key=lambda row: str(row["package"]))]


def sql_digests(view: View) -> list[Row]:
    """The digest of the SELECT behind each table."""
    return [{"name": row["table_name"], "sha256": row["sha256"]} for row in sorted(view.rows("meta.sql_digest"), key=lambda row: str(row["table_name"]))]


RULE = (Column("rule", "Rule", "id"), Column("name", "Table"), Column("field", "Column"), Column("sentence", "What the rule says", "sentence"),
        Column("severity", "A failure"))  # fmt: skip
HASH = Column("sha256", "SHA-256", "digest")

TABLES = (
    Table(
        "row_account", "quality", "What became of every received row",
        (Column("name", "Table"), Column("rows_in", "Received", "count"), Column("rows_kept", "Kept", "count"),
         Column("rows_quarantined", "Set aside", "count"), Column("rows_duplicate", "Exact duplicates", "count"), Column("remark", "Remark")),
        row_account, "Received = kept + set aside + exact duplicates. A table that the source lacks is not a table without rows.",
    ),
    Table(
        "failed_rules", "quality", "Rules that rows broke",
        (*RULE, Column("checked", "Checked", "count"), Column("failed", "Failed", "count"), Column("share", "%", "share")),
        failed_rules, "Rows that a setting-aside rule names are not in any number of this report; rows under a warning are.",
        "No row broke any rule.",
    ),
    Table("not_assessable_rules", "quality", "Rules with nothing to look at", RULE, not_assessable_rules,
          "The table or column that the rule looks at is absent.", "Every rule had something to look at.", is_long=True),
    Table(
        "unmapped", "quality", "Values that mean nothing to the study",
        (Column("name", "Table"), Column("values", "Different values", "count"), Column("row_count", "Rows", "count")), unmapped,
        "Kept and counted, used nowhere. Most are drugs and diagnoses that the study does not ask for.", "Every value has a meaning.",
    ),
    Table(
        "unmapped_drugs", "quality", "Most frequent drug names and codes among them",
        (Column("value", "Name or code"), Column("system", "Code system"), Column("row_count", "Rows", "count")), unmapped_drugs,
        "Look for a study drug among them: it would be missing from every number.", "No drug name or code without meaning is frequent enough to be shown.",
        is_long=True,
    ),
    Table(
        "unanswered", "unanswered", "Estimates without a value",
        (Column("what", "Question", "sentence"), Column("status", "Status"), Column("reason", "Reason", "sentence"), Column("number", "Estimates", "count"),
         Column("levels", "Levels, days"), Column("regimens", "Regimens"), Column("rules", "Exposure rules")), unanswered,
        "Over all exposure rules, regimens and methods; every single one is a row of estimates.csv.", "Every question has an answer.", is_long=True,
    ),
    Table(
        "drugs", "methods", "Study drugs that occur in the data",
        (Column("name", "Drug"), Column("drug_class", "Class"), Column("interval", "Dose interval, days", "count"),
         Column("gap", "Gap, days", "count"), Column("tail", "Tail, days", "count"), Column("counts", "Class counts in ladder")), drugs,
        "Under the primary exposure rule.", "No study drug occurs.", is_long=True,
    ),
    Table(
        "outcome_settings", "methods", "Outcomes",
        (Column("name", "Outcome"), Column("codes", "Codes"), Column("dated", "Dated by"), Column("setting", "Setting of diagnosis"),
         Column("position", "Position of diagnosis"), Column("serious", "Serious events only"), Column("gap", "Same event within, days", "count"),
         Column("lag", "Exposure lag, days", "count")), outcome_settings,
    ),
    Table("inputs", "provenance", "Files read", (Column("name", "File"), Column("rows", "Rows", "count"), HASH), inputs, "", "No file is recorded."),
    Table("versions", "provenance", "Versions", (Column("name", "Package"), Column("version", "Version")), versions, "",
          "No version is recorded.", is_long=True),
    Table("sql_digests", "provenance", "SELECT behind each table", (Column("name", "Table"), HASH), sql_digests, "",
          "No digest is recorded.", is_long=True),
)  # fmt: skip
