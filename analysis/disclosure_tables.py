"""Disclosure control of the tables that are no estimates: attrition, baseline, exposure, endings and row accounts.

Owns what is withheld in each. Which estimates go is in `disclosure.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping

import polars as pl

from analysis.suppression import Sum, hidden_cells, is_small

Row = dict[str, object]
RISK_STEP = "at risk of "
KINDS = ("single", "together")
POOLED = {"single": "withheld", "together": "withheld+withheld"}
GROUPS = ("all", "combination", "one_at_a_time")


def attrition(frame: pl.DataFrame, minimum: int) -> tuple[pl.DataFrame, dict[object, set[int]]]:
    """Attrition without steps that are few or differ by few from a kept one, and the counts kept under each rule.

    Cohort entry and the combinations followed are kept first, for they stand elsewhere too; then the steps before
    them, the last first.
    """
    rows = frame.to_dicts()
    kept: dict[object, set[int]] = defaultdict(set)
    for row in sorted(rows, key=lambda row: _priority(row, rows)):
        count = row["person_count"]
        if count is not None:
            shown = kept[row["exposure_rule"]]
            if is_small(count, minimum) or any(is_small(abs(count - other), minimum) for other in shown):
                row["person_count"] = None
            else:
                shown.add(count)
    return pl.DataFrame(rows, schema=frame.schema), dict(kept)


def _priority(row: Row, rows: list[Row]) -> tuple[int, int]:
    number, population = int(str(row["step_number"])), row["population"]
    if str(row["step"]).startswith(RISK_STEP):
        return 5, number
    if population == "all_time":
        return 0, number
    if population == "first_episode":
        later = [
            other
            for other in rows
            if other["population"] == population
            and other["exposure_rule"] == row["exposure_rule"]
            and not str(other["step"]).startswith(RISK_STEP)
            and int(str(other["step_number"])) > number
        ]
        return (3, -number) if later else (1, number)
    return (2, -number) if not population else (4, number)


def baseline(frame: pl.DataFrame, minimum: int) -> pl.DataFrame:
    """Baseline with small counts withheld: levels sum to their group, and the two groups to all."""
    rows = frame.to_dicts()
    rules = sorted({row["exposure_rule"] for row in rows})
    for rule in rules:
        chosen = {
            (row["variable"], row["level"], row["person_group"]): row for row in rows if row["exposure_rule"] == rule
        }
        counts: dict[Hashable, int] = {name: int(row["person_count"]) for name, row in chosen.items()}
        sums: list[Sum] = []
        levels = sorted({name[:2] for name in chosen})
        for variable, level in levels:
            sums.append(Sum((variable, level, "all"), tuple((variable, level, group) for group in GROUPS[1:])))
        for variable in sorted({name for name, _ in levels}):
            for group in GROUPS:
                parts = tuple((name, level, group) for name, level in levels if name == variable)
                counts.setdefault(("in all", group), sum(counts.get(part, 0) for part in parts))
                sums.append(Sum(("in all", group), parts))
        sums.append(Sum(("in all", "all"), tuple(("in all", group) for group in GROUPS[1:])))
        primary = {name for name, value in counts.items() if is_small(value, minimum)}
        totals = tuple(("in all", group) for group in GROUPS)
        for name in hidden_cells(counts, sums, primary=primary, minimum=minimum, fixed=totals):
            if name in chosen:
                chosen[name]["person_count"] = None
    return pl.DataFrame(rows, schema=frame.schema)


def kind_of(regimen: object) -> str:
    """Whether a regimen is a combination."""
    return "together" if "+" in str(regimen) else "single"


def exposure_time(
    frame: pl.DataFrame, regimens: Mapping[tuple[object, object], set[Hashable]], near: set[tuple[object, ...]]
) -> pl.DataFrame:
    """Exposure with the withheld regimens in one row for each kind, so that person-days still add up.

    regimens: for each exposure rule and population the hidden cells, regimens and `("kind", ...)`. Where a kind's sum
    would tell a regimen, the two kinds share a row; a single hidden regimen keeps its row without numbers.
    near: exposure rule, population and regimen whose number of persons differs by few from a shown one.
    """
    rows: list[Row] = []
    pooled: dict[tuple[object, object, str], list[Row]] = defaultdict(list)
    for row in frame.to_dicts():
        hidden = regimens.get((row["exposure_rule"], row["population"]), set())
        if row["regimen_id"] in hidden:
            is_shared = any(("kind", kind) in hidden for kind in KINDS)
            pooled[
                row["exposure_rule"], row["population"], KINDS[0] if is_shared else kind_of(row["regimen_id"])
            ].append(row)
        elif (row["exposure_rule"], row["population"], row["regimen_id"]) in near:
            rows.append(row | {"person_count": None})
        else:
            rows.append(row)
    for (_, _, kind), members in pooled.items():
        numbers: dict[str, object] = dict.fromkeys(("person_count", "interval_count", "person_days"))
        if len(members) > 1:
            numbers["person_days"] = sum(int(str(row["person_days"])) for row in members)
            rows.append(members[0] | numbers | {"regimen_id": POOLED[kind]})
        else:
            rows.append(members[0] | numbers)
    return pl.DataFrame(rows, schema=frame.schema)


def collapsed_endings(frame: pl.DataFrame) -> pl.DataFrame:
    """Endings by kind only: reasons and components stand in the estimates, crossed they would be fewer than needed."""
    if not frame.height:
        return frame
    keys = ["exposure_rule", "regimen_id", "ending"]
    counted = frame.group_by(keys).agg(pl.col("person_count").sum(), pl.col("person_days").sum()).sort(keys)
    return counted.with_columns(component=pl.lit(""), reason=pl.lit("")).select(frame.columns).cast(dict(frame.schema))  # type: ignore[arg-type]


def quality(frames: Mapping[str, pl.DataFrame], minimum: int) -> dict[str, pl.DataFrame]:
    """Row accounts, rules, unmapped values, files and diagnostics without small counts and what would reveal them."""
    account = frames["quality.row_account"].to_dicts()
    blurred: set[object] = set()
    names = ("rows_kept", "rows_quarantined", "rows_duplicate")
    for row in account:
        counts: dict[Hashable, int] = {name: int(row[name]) for name in ("rows_in", *names)}
        primary = {name for name, value in counts.items() if is_small(value, minimum)}
        for name in hidden_cells(
            counts, [Sum("rows_in", names)], primary=primary, minimum=minimum, fixed=("rows_kept",)
        ):
            row[str(name)] = None
            blurred.add(row["table_name"])
    sources = frames["meta.source_table"].to_dicts()
    files = {row["raw_table"] for row in sources if row["table_name"] in blurred} | blurred
    for row in sources:
        if row["table_name"] in blurred:
            row["rows_in"] = row["rows_duplicate"] = None
    inputs = frames["meta.input_file"].to_dicts()
    for row in inputs:
        if (
            row["table_name"] in files
            or (blurred and row["table_name"] == "all")
            or is_small(row["row_count"], minimum)
        ):
            row["row_count"] = row["byte_count"] = None
    rules = frames["quality.rule_result"].to_dicts()
    for row in rules:
        if is_small(row["rows_failed"], minimum):
            row["rows_failed"] = None
        if row["rule_id"] == "DQ003":
            row["rows_failed"] = row["rows_checked"] = None
        if (
            row["table_name"] in blurred
            or is_small(row["rows_checked"], minimum)
            or (blurred and row["layer"] == "raw")
        ):
            row["rows_checked"] = None
    diagnostic = frames["estimate.diagnostic"]
    is_few = (pl.col("value") > 0) & (pl.col("value") < minimum) & (pl.col("value") == pl.col("value").floor())
    return {
        # What changed since the last publication would tell small counts that neither shows.
        "meta.previous_table": frames["meta.previous_table"].clear(),
        "meta.previous_rule": frames["meta.previous_rule"].clear(),
        "quality.row_account": pl.DataFrame(account, schema=frames["quality.row_account"].schema),
        "meta.source_table": pl.DataFrame(sources, schema=frames["meta.source_table"].schema),
        "meta.input_file": pl.DataFrame(inputs, schema=frames["meta.input_file"].schema),
        "quality.rule_result": pl.DataFrame(rules, schema=frames["quality.rule_result"].schema),
        "quality.unmapped": frames["quality.unmapped"].filter(pl.col("row_count") >= minimum),
        "estimate.diagnostic": diagnostic.with_columns(value=pl.when(is_few).then(None).otherwise(pl.col("value"))),
    }
