"""The doors of a run: what sets records aside, what Great Expectations counts and how the counts are graded.

Owns the tables `quality.quarantine` and `quality.rule_result`. What a rule says is in `expectations/`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import polars as pl

from analysis.disclosure_check import small_counts
from analysis.study.read import StudyError
from analysis.study.spec import StudySpec
from expectations.derived import COHORT_RULES, DERIVED_RULES, REPORT_RULE
from expectations.raw import raw_rules
from expectations.rule import BATCH, Grading, Layer, Rule, RuleResult, graded, not_assessable
from expectations.staged import STAGED_RULES
from expectations.validate import ExpectationError, count_failures
from pipelines.ingest.tables import INPUT_TABLES
from pipelines.steps import Build
from sql.catalog import queries, tables
from sql.warehouse import Warehouse

RAW_QUERIES = ("quality.data_cut", "quality.drug_map", "quality.test_map")
LAYERS: tuple[Layer, ...] = ("raw", "staged", "derived", "cohort")
RESULT_TYPES = {"block_above": pl.Float64, "fail_above": pl.Float64}


def rules_of(layer: Layer) -> list[Rule]:
    """Every rule of a door, in the order in which they act."""
    if layer == "raw":
        columns = {
            name: [field.name for field in table.fields if field.kind != "text"] for name, table in INPUT_TABLES.items()
        }
        return raw_rules(columns, {name: table.key for name, table in INPUT_TABLES.items()})
    return list({"staged": STAGED_RULES, "derived": DERIVED_RULES, "cohort": COHORT_RULES}[layer])


def regraded(rules: Sequence[Rule], spec: StudySpec) -> list[Rule]:
    """The rules with the thresholds that the study sets. Which rows they set aside does not hang on them."""
    gradings = [Grading(**threshold.model_dump()) for threshold in spec.quality.threshold]
    for grading in gradings:
        rules = [grading.of(rule) for rule in rules]
    return list(rules)


def check_thresholds(spec: StudySpec) -> None:
    """Raises StudyError for a threshold of a rule, table or field that there is not: it would change nothing."""
    rules = [rule for layer in LAYERS for rule in rules_of(layer)]
    for threshold in spec.quality.threshold:
        grading = Grading(**threshold.model_dump())
        if not any(grading.is_for(rule) for rule in rules):
            named = ", ".join(str(part) for part in (threshold.rule, threshold.table, threshold.field) if part)
            raise StudyError(
                f"quality.threshold: no rule {named}. `quality.rule_result` has rule_id, table_name and field of each."
            )


def set_aside(build: Build) -> int:
    """Fills `quality.quarantine` by the rules that set records aside, persons first; returns the number of rows there.

    Raises StudyError as `check_thresholds`.
    """
    check_thresholds(build.spec)
    with build.warehouse.session():
        return _set_aside(build.warehouse)


def _set_aside(warehouse: Warehouse) -> int:
    for name in RAW_QUERIES:
        warehouse.build(queries()[name])
    warehouse.write("quality.quarantine", pl.DataFrame(schema=dict.fromkeys(_columns("quality.quarantine"), pl.String)))
    raw_of = dict(warehouse.query("SELECT table_name, raw_table FROM meta.source_table WHERE is_present").rows())
    for rule in rules_of("raw"):
        if rule.severity == "quarantine" and rule.table in raw_of:
            warehouse.execute(
                f"INSERT INTO quality.quarantine SELECT DISTINCT '{rule.table}', k.source_file, k.row_number, '{rule.id}', "
                f"CAST(TO_JSON(w) AS VARCHAR) FROM ({rule.query()}) AS k INNER JOIN raw.{raw_of[rule.table]} AS w "
                "ON k.source_file = w.source_file AND k.row_number = w.row_number WHERE NOT EXISTS (SELECT 1 "
                f"FROM quality.quarantine AS q WHERE q.table_name = '{rule.table}' AND q.source_file = k.source_file "
                f"AND q.row_number = k.row_number AND q.rule_id = '{rule.id}')"
            )
    warehouse.build(queries()["quality.row_account"])
    return warehouse.count("quality.quarantine")


def grade(build: Build, layer: Layer) -> list[RuleResult]:
    """Counts the rules of a door with Great Expectations, grades them and stores the results.

    Raises ExpectationError when its counts differ from the rows that were set aside: then one of the two is wrong.
    """
    warehouse = build.warehouse
    present = _present(warehouse)
    rules = regraded(rules_of(layer), build.spec)
    assessable = [rule for rule in rules if _assessable(rule, present)]
    with warehouse.lent() as path:
        counts = count_failures(path, assessable)
    with warehouse.session():
        return _graded(warehouse, layer, rules, counts)


def _graded(
    warehouse: Warehouse, layer: Layer, rules: Sequence[Rule], counts: dict[tuple[str, str, str], int]
) -> list[RuleResult]:
    checked = _checked(warehouse, [rule for rule in rules if rule.key in counts])
    results = [
        graded(rule, rows_checked=checked[rule.key], rows_failed=counts[rule.key])
        if rule.key in counts
        else not_assessable(rule)
        for rule in rules
    ]
    if layer == "raw":
        results = [_file_rule(warehouse, "person"), _file_rule(warehouse, "prescription"), *results]
        _compare_with_quarantine(warehouse, results)
    rows = pl.DataFrame([result.row() for result in results], schema_overrides=RESULT_TYPES)
    warehouse.replace_rows("quality.rule_result", rows, where={"layer": layer})
    return results


def _checked(warehouse: Warehouse, rules: Sequence[Rule]) -> dict[tuple[str, str, str], int]:
    """Of how many rows each rule's share is."""
    rows = {batch: warehouse.count(batch) for batch in {rule.batch for rule in rules}}
    received = int(warehouse.query("SELECT SUM(rows_in) AS n FROM meta.source_table")["n"][0])
    rows["intake.duplicate"] = received
    asked = sorted({rule.checked.replace(BATCH, rule.batch) for rule in rules if rule.checked})
    told = {text: warehouse.query(text).item() or 0 for text in asked}
    return {
        rule.key: int(told[rule.checked.replace(BATCH, rule.batch)]) if rule.checked else rows[rule.batch]
        for rule in rules
    }


def _present(warehouse: Warehouse) -> set[str]:
    """What the source has: tables, their columns, a dictionary of terms, and a publication before this one."""
    present = set(warehouse.query("SELECT table_name FROM meta.source_table WHERE is_present")["table_name"])
    columns = warehouse.query("SELECT CONCAT(table_name, '.', column_name) AS name FROM meta.source_column")
    extra = {"dictionary": "intake.dictionary", "previous": "meta.previous_table"}
    return present | set(columns["name"]) | {name for name, table in extra.items() if warehouse.count(table)}


def blocked_message(warehouse: Warehouse, results: Sequence[RuleResult]) -> str:
    """One message for everything that stops a run, with rows to look at; empty where nothing does."""
    blocking = [result for result in results if result.is_blocking]
    if not blocking:
        return ""
    examples = _example_rows(warehouse, [result.rule for result in blocking])
    found = [
        result.message + (f", for example {examples[result.rule.key]}" if examples.get(result.rule.key) else "")
        for result in blocking
    ]
    more = f"; and {len(found) - 5} more rules" if len(found) > 5 else ""
    return "the data are blocked. " + "; ".join(found[:5]) + more + ". Mend the source and run again."


def _example_rows(warehouse: Warehouse, rules: Sequence[Rule]) -> dict[tuple[str, str, str], str]:
    """The first three rows, by file and number alone, that broke each rule on received records."""
    found = {}
    for rule in rules:
        if rule.layer == "raw" and "r.row_number" in rule.sql:
            rows = warehouse.query(
                f"SELECT DISTINCT k.source_file, k.row_number FROM ({rule.query()}) AS k ORDER BY k.source_file, k.row_number LIMIT 3"
            ).rows()
            found[rule.key] = ", ".join(f"{name} row {number}" for name, number in rows)
    return found


def failed_before(build: Build) -> dict[tuple[str, str, str], int]:
    """Rows that broke each rule in the last publication, by `Rule.key`; empty for the first."""
    rows = build.warehouse.read("meta.previous_rule").select("rule_id", "table_name", "field", "rows_failed").rows()
    return {(rule, table, field): failed for rule, table, field, failed in rows}


def grade_report(spec: StudySpec, shown: Mapping[str, pl.DataFrame]) -> RuleResult:
    """DQ079 on the frames of a report as they are about to be written; an internal report withholds nothing."""
    if spec.disclosure.profile != "public":
        return not_assessable(REPORT_RULE)
    found = small_counts(shown, minimum_count=spec.disclosure.minimum_count)
    return graded(
        REPORT_RULE, rows_checked=sum(frame.height for frame in shown.values()), rows_failed=sum(found.values())
    )


def _assessable(rule: Rule, present: Collection[str]) -> bool:
    # Whether a table came at all is asked of the list of tables, which is always there.
    looks_at = {rule.table} if rule.table in INPUT_TABLES and rule.batch != "meta.source_table" else set()
    return {*rule.needs, *looks_at} <= set(present)


def _file_rule(warehouse: Warehouse, table: str) -> RuleResult:
    rule = Rule(
        id="DQ001", table=table, batch=f"intake.{table}", severity="block", layer="raw", block_above=0, field="file",
        sentence="the table is required and has no rows", sql="",
    )  # fmt: skip
    return graded(rule, rows_checked=1, rows_failed=0 if warehouse.count(f"intake.{table}") else 1)


def _compare_with_quarantine(warehouse: Warehouse, results: Sequence[RuleResult]) -> None:
    """A guard: what Great Expectations counts and what was set aside come from the same SQL and must agree."""
    counted: dict[tuple[str, str], int] = {}
    for result in results:
        if result.rule.severity == "quarantine" and result.rule.id != "DQ002":
            key = (result.rule.id, result.rule.table)
            counted[key] = counted.get(key, 0) + result.rows_failed
    kept = warehouse.query(
        "SELECT rule_id, table_name, COUNT(*) AS n FROM quality.quarantine GROUP BY rule_id, table_name"
    )
    held = {(rule, table): n for rule, table, n in kept.rows()}
    differing = sorted(key for key, n in counted.items() if held.get(key, 0) != n)
    if differing:
        raise ExpectationError(f"{differing[0][0]} on {differing[0][1]}: counted rows differ from the rows set aside")


def _columns(name: str) -> list[str]:
    return [column.name for column in tables()[name].columns]
