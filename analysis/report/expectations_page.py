"""The page of every data-quality rule with its counts, grade and SELECT: one file that needs no other.

Owns what is said of a rule. Frames in, text out; the counts are those that may be shown.
"""

from __future__ import annotations

from collections import Counter

import polars as pl

from analysis.report import wording
from analysis.report.quality import SEVERITIES, field_name
from analysis.report.templating import filled

GROUPS = {"fail": "Rules that rows broke", "pass": "Rules that hold", "not_assessable": "Rules with nothing to look at"}
GRADES = {"fail": "fails", "pass": "passes", "not_assessable": "not assessable"}


def render_expectations(results: pl.DataFrame, previous: pl.DataFrame, *, title: str) -> str:
    """The page.

    results: `quality.rule_result`; previous: `meta.previous_rule`, rows of rules that the last publication has. A count that is
    withheld is null and shown as such.
    """
    before = {row[:3]: row[3] for row in previous.select("rule_id", "table_name", "field", "rows_failed").rows()}
    rows = sorted(
        results.iter_rows(named=True),
        key=lambda row: (
            list(SEVERITIES).index(row["severity"]), row["rule_id"], row["table_name"], row["field"]
        ),
    )  # fmt: skip
    shown = [
        (row["status"], _shown(row, before.get((row["rule_id"], row["table_name"], row["field"])))) for row in rows
    ]
    counts = Counter(status for status, _ in shown)
    return filled(
        "expectations.html",
        title=title,
        counts={status: counts.get(status, 0) for status in GROUPS},
        groups=[(heading, [row for found, row in shown if found == status]) for status, heading in GROUPS.items()],
    )


def _shown(row: dict[str, object], previous: object) -> dict[str, str]:
    is_assessable = row["status"] != "not_assessable"
    limits = []
    if row["fail_above"]:
        limits.append(f"passes up to {100 * float(str(row['fail_above'])):g} %")
    if row["block_above"] is not None:
        above = float(str(row["block_above"]))
        limits.append(f"stops the run above {100 * above:g} %" if above else "stops the run")
    grade = "stops the run" if row["is_blocking"] else GRADES[str(row["status"])]
    return {
        "rule": str(row["rule_id"]),
        "place": ", ".join(text for text in (wording.plain(row["table_name"]), field_name(row["field"])) if text),
        "sentence": str(row["sentence"]),
        "thresholds": "; ".join(limits),
        "severity": SEVERITIES[str(row["severity"])],
        "failed": _count(row["rows_failed"]) if is_assessable else wording.NONE,
        "checked": _count(row["rows_checked"]) if is_assessable else wording.NONE,
        "previous": wording.NONE if previous is None else _count(previous),
        "grade": grade,
        "grade_class": "stops" if row["is_blocking"] else str(row["status"]),
        "sql": str(row["sql"] or ""),
    }


def _count(value: object) -> str:
    return "withheld" if value is None else wording.count(value)
