"""Writes docs/care.md's lists of care items, evidence and warnings from the reference tables.

python -m docs.care
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.pages import replace_part
from pipelines.steps import reference_frame

PAGE = Path(__file__).parent / "care.md"
Row = dict[str, str | None]
SHOWN_PARTS = 8


def _rows(table: str, **equal: str | None) -> list[Row]:
    rows = reference_frame(table).iter_rows(named=True)
    return [row for row in rows if all(row[name] == value for name, value in equal.items())]


def items_part() -> str:
    """The Markdown of all care items: what each policy asks, of whom, in which window, and its source."""
    lines: list[str] = []
    title = ""
    for item in _rows("care_item"):
        if item["care_item_id"] != title:
            title = str(item["care_item_id"])
            lines += [f"### {title}", ""]
        lines += _item(item)
    return "\n".join(lines)


def _item(item: Row) -> list[str]:
    asked = {"care_item_id": item["care_item_id"], "policy": item["policy"]}
    year = f", {item['year']}" if item["year"] else ""
    lines = [
        f"**`{item['policy']}`: {item['title']}.** {item['statement']}",
        "",
        f"* At: {_moment(item)}.",
        *(f"* Asks {_requirement(row)}" for row in _rows("care_requirement", **asked)),
    ]
    parts = [str(row["part_item_id"]) for row in _rows("care_part", **asked)]
    lines += [f"* Made of {', '.join(parts)} under the same policy."] if parts else []
    lines += [f"* {item['note']}"] if item["note"] else []
    return [*lines, f"* Source: {item['source']}{year}; {item['certainty']}.", ""]


def _moment(item: Row) -> str:
    said = f"`{item['trigger_kind']}` of {item['drug_id'] or 'every biologic'}"
    if item["given_kind"]:
        start = item["given_start_days"]
        window = f"{'any time' if start is None else f'day {start}'} to day {item['given_stop_days']}"
        said += f", with `{item['given_kind']}` on record ({window})"
    if item["excluded_kind"]:
        said += f", without `{item['excluded_kind']}` to that day"
    if item["history_days"] not in (None, "0"):
        said += f", {item['history_days']} days before observed"
    if item["on_drug_days"]:
        said += f", in use for {item['on_drug_days']} days"
    return said


def _requirement(row: Row) -> str:
    verb = {"recorded": "for", "positive": "for a positive", "absent": "for no"}[str(row["expectation"])]
    start = "any time before" if row["start_days"] is None else f"day {row['start_days']}"
    said = f"{row['requirement_number']}.{row['alternative_number']} {verb} `{row['evidence_kind']}`, {start} to day {row['stop_days']}"
    limits = [
        f"{word} {row[name]}" for word, name in (("at least", "least_value"), ("at most", "most_value")) if row[name]
    ]
    said += f", {' and '.join(limits)}" if limits else ""
    doses = [f"{word} dose {row[name]}" for word, name in (("from", "first_dose"), ("to", "last_dose")) if row[name]]
    said += f", {' '.join(doses)}" if doses else ""
    late = [f"day {row['late_until_days']}"] if row["late_until_days"] else []
    late += [f"the value {row['late_most_value']}"] if row["late_most_value"] else []
    said += f"; late to {' or '.join(late)}" if late else ""
    absent = {"not_met": "not met", "not_assessable": "not assessable"}[str(row["absent_means"])]
    return f"{said}." if row["expectation"] == "absent" else f"{said}; without a record: {absent}."


def evidence_part() -> str:
    """The Markdown of all kinds of evidence: of what they are made and when the source could hold them."""
    held: dict[str, list[Row]] = {}
    for row in _rows("care_evidence"):
        held.setdefault(str(row["evidence_kind"]), []).append(row)
    lines = ["| kind | made of | assessable where |", "|---|---|---|"]
    for kind, rows in held.items():
        made = list(dict.fromkeys(_made_of(row) for row in rows))
        more = len(made) - SHOWN_PARTS
        told = "; ".join(made[:SHOWN_PARTS]) + (f"; and {more} more" if more > 0 else "")
        ways = {
            "table": "the source has the table", "seen": "somebody has one on record", "computed": "always, from the doses or scores",
            "never": "never",
        }  # fmt: skip
        lines.append(
            f"| `{kind}` | {told} | {' or '.join(ways[way] for way in dict.fromkeys(str(row['assessable_by']) for row in rows))} |"
        )
    return "\n".join(lines)


def _made_of(row: Row) -> str:
    name = str(row["record_table"])
    if row["code_prefix"]:
        name += f" {row['code_system']} {row['code_prefix']}"
    for part in ("test_id", "drug_id", "name_pattern"):
        name += f" {row[part]}" if row[part] else ""
    name += f" at least {row['least_positive']}" if row["least_positive"] else ""
    return name + (f" (of {row['about_drug_id']})" if row["about_drug_id"] else "")


def warnings_part() -> str:
    """The Markdown of all warnings and their members."""
    lines = []
    for row in _rows("combination_warning"):
        year = f", {row['year']}" if row["year"] else ""
        note = f" {row['note']}" if row["note"] else ""
        sides = [
            " or ".join(
                f"{m['matched_by']} {m['matched_value']}"
                for m in _rows("combination_warning_member", warning_id=row["warning_id"], side=side)
            )
            for side in ("1", "2")
        ]
        same = ", of one class" if row["is_same_class"] == "1" else ""
        lines.append(
            f"* **{row['label']}** (`{row['warning_id']}`). {row['statement']}{note} {sides[0]}, with {sides[1]}{same}. "
            f"Source: {row['source']}{year}; {row['certainty']}."
        )
    return "\n".join(lines)


PARTS = {"items": items_part, "evidence": evidence_part, "warnings": warnings_part}


def main() -> None:
    """Writes the page's parts."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for name, part in PARTS.items():
        replace_part(PAGE, name, part())


if __name__ == "__main__":
    main()
