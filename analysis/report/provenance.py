"""Tables on how the numbers were made: open questions, settings of drugs and outcomes, files and versions."""

from __future__ import annotations

from analysis.analyses import care_item
from analysis.report import names, wording
from analysis.report.table import Column, Table
from analysis.report.view import Row, View

HASH = Column("sha256", "SHA-256", "digest")


def unanswered(view: View) -> list[Row]:
    """Every estimate whose status is not ok; estimates that differ only in rule, regimen, day or level are on one line.

    Negative controls are left out: they have a table of their own. So are strata of care items: the items themselves are here.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in view.rows("estimate.result"):
        if row["status"] != "ok" and row["outcome_id"] not in view.negative_controls and not _is_care_stratum(row):
            key = (
                str(row["analysis"]),
                str(row["estimand"]),
                str(row["outcome_id"]),
                str(row["stratum"]),
                str(row["method"]),
                str(row["status"]),
                str(row["reason"]),
            )
            groups.setdefault(key, []).append(row)
    return [
        {
            "group": wording.named(names.ANALYSES, analysis),
            "what": _question(view, estimand, outcome, stratum, method),
            "status": wording.named(wording.STATUS_WORDS, status),
            "reason": reason,
            "number": len(rows),
            "regimens": _few([view.regimen(row["regimen_id"]) for row in rows if row["regimen_id"]]),
            "levels": _few(
                [str(row["level"]) for row in rows if row["level"]]
                + [f"day {row['time_days']}" for row in rows if row["time_days"] is not None]
            ),
            "rules": _few([str(row["exposure_rule"]) for row in rows]),
        }
        for (analysis, estimand, outcome, stratum, method, status, reason), rows in sorted(groups.items())
    ]


def _is_care_stratum(row: Row) -> bool:
    is_overall = not row["regimen_id"] and str(row["stratum"]).count("=") == 2  # item and policy
    return row["analysis"] == care_item.ANALYSIS and not is_overall


def _question(view: View, estimand: str, outcome: str, stratum: str, method: str) -> str:
    parts = [wording.named(names.ESTIMANDS, estimand)]
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
        drug
        for row in view.rows("summary.exposure_time")
        for drug in str(row["regimen_id"]).split("+")
        if row["regimen_id"] != "none"
    }
    policies = {row["drug_id"]: row for row in view.rows("spec.drug_policy", exposure_rule=view.rule)}
    return [
        {
            "name": row["drug_name"],
            "drug_class": row["drug_class"],
            "interval": row["interval_days"],
            "gap": policies.get(row["drug_id"], {}).get("gap_days"),
            "tail": policies.get(row["drug_id"], {}).get("tail_days"),
            "counts": ", ".join(
                name for name, flag in (("Toruner", row["counts_toruner"]), ("broad", row["counts_broad"])) if flag
            )
            or "neither",
        }
        for row in sorted(view.rows("spec.drug"), key=lambda row: str(row["drug_name"]))
        if row["drug_id"] in seen
    ]


def outcome_settings(view: View) -> list[Row]:
    """How each outcome is found and dated."""
    rows: list[Row] = []
    held = {str(row["outcome_id"]): row for row in view.rows("spec.outcome")}
    for outcome in view.spec.outcome:
        if outcome.id in view.negative_controls:
            continue
        row = held[outcome.id]
        own = [f"{name} {', '.join(values)}" for name, values in sorted(outcome.codes.items())]
        severity = f" ({' or '.join(outcome.severity)})" if outcome.severity else ""
        codes = "; ".join([*own, *[f"every adverse event{severity}"] * outcome.any_term])
        codes = codes or f"code lists of the reference ({outcome.based_on or outcome.id}){severity}"
        rows.append(
            {
                "name": row["label"],
                "dated": wording.plain(row["date_rule"]),
                "setting": row["setting"],
                "position": row["position"],
                "serious": "yes" if row["serious_only"] else "no",
                "gap": row["episode_gap_days"],
                "lag": row["lag_days"],
                "codes": "the table of deaths" if row["is_death"] else codes,
            }
        )
    return rows


def inputs(view: View) -> list[Row]:
    """Every file that was read."""
    rows = sorted(view.rows("meta.input_file"), key=lambda row: (str(row["table_name"]), str(row["source_file"])))
    return [
        {
            "name": row["source_file"],
            "rows": row["row_count"],
            "encoding": wording.NONE if row["encoding"] is None else str(row["encoding"]).upper(),
            "sha256": row["sha256"],
            "is_withheld": row["row_count"] is None,
        }
        for row in rows
    ]


def versions(view: View) -> list[Row]:
    """Packages and their versions."""
    return [
        {"name": row["package"], "version": row["version"]}
        for row in sorted(view.rows("meta.package_version"), key=lambda row: str(row["package"]))
    ]


def sql_digests(view: View) -> list[Row]:
    """The digest of the SELECT behind each table."""
    return [
        {"name": row["table_name"], "sha256": row["sha256"]}
        for row in sorted(view.rows("meta.sql_digest"), key=lambda row: str(row["table_name"]))
    ]


TABLES = (
    Table(
        "unanswered",
        "unanswered",
        "Estimates without a value",
        (
            Column("what", "Question", "sentence"),
            Column("status", "Status"),
            Column("reason", "Reason", "sentence"),
            Column("number", "Estimates", "count"),
            Column("levels", "Levels, days"),
            Column("regimens", "Regimens"),
            Column("rules", "Exposure rules"),
        ),
        unanswered,
        "Over all exposure rules, regimens and methods; every single one is a row of estimates.csv.",
        "Every question has an answer.",
        is_long=True,
    ),
    Table(
        "drugs",
        "methods",
        "Study drugs that occur in the data",
        (
            Column("name", "Drug"),
            Column("drug_class", "Class"),
            Column("interval", "Dose interval, days", "count"),
            Column("gap", "Gap, days", "count"),
            Column("tail", "Tail, days", "count"),
            Column("counts", "Class counts in ladder"),
        ),
        drugs,
        "Under the primary exposure rule.",
        "No study drug occurs.",
        is_long=True,
    ),
    Table(
        "outcome_settings",
        "methods",
        "Outcomes",
        (
            Column("name", "Outcome"),
            Column("codes", "Codes"),
            Column("dated", "Dated by"),
            Column("setting", "Setting of diagnosis"),
            Column("position", "Position of diagnosis"),
            Column("serious", "Serious events only"),
            Column("gap", "Same event within, days", "count"),
            Column("lag", "Exposure lag, days", "count"),
        ),
        outcome_settings,
    ),
    Table(
        "inputs",
        "provenance",
        "Files read",
        (Column("name", "File"), Column("rows", "Rows", "count"), Column("encoding", "Text in"), HASH),
        inputs,
        "",
        "No file is recorded.",
    ),
    Table(
        "versions",
        "provenance",
        "Versions",
        (Column("name", "Package"), Column("version", "Version")),
        versions,
        "",
        "No version is recorded.",
        is_long=True,
    ),
    Table(
        "sql_digests",
        "provenance",
        "SELECT behind each table",
        (Column("name", "Table"), HASH),
        sql_digests,
        "",
        "No digest is recorded.",
        is_long=True,
    ),
)
