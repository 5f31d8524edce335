"""Table and figure on subgroups: the hazard ratio of a second study drug in each, rates beside, and whether the ratios differ."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.analyses.subgroup import ANALYSIS, LADDER, SEVERAL, VARIABLES, subgroup_stratum
from analysis.report import wording
from analysis.report.forest import forest
from analysis.report.ratios import p_value
from analysis.report.table import Column, Table
from analysis.report.view import Row, View

NO_CONTRAST = "The study file asks for no hazard ratio."
LABELS: Mapping[str, str] = {
    "indication": "indication at entry",
    "age_band": "age at entry",
    "sex": "sex",
    "steroids": "systemic steroids before entry",
    "earlier_outcome": "an outcome before entry",
    "entry_period": "year of entry",
}
SEX = {"F": "female", "M": "male", "U": "unknown"}


def subgroups(view: View) -> list[Row]:
    """Rows by outcome and variable: each subgroup with its counts, rates on one and on two or more drugs, and hazard ratio."""
    rows: list[Row] = []
    for outcome in dict.fromkeys(c.outcome for c in view.spec.contrast if c.estimator == "time_varying_cox"):
        held = view.estimates(analysis=ANALYSIS, outcome_id=outcome)
        by_stratum: dict[str, dict[tuple[str, str], Row]] = {}
        for row in held:
            own = by_stratum.setdefault(str(row["stratum"]), {})
            own[str(row["estimand"]), str(row["level"])] = row
        for variable in VARIABLES:
            test = by_stratum.get(subgroup_stratum("by", variable), {}).get(("test", ">=2"))
            if test is None:
                continue
            group = f"{view.outcomes[outcome]}, by {LABELS[variable]}: {_interaction(test)}"
            own_levels = {
                level: found
                for stratum, found in by_stratum.items()
                for name, _, level in [next(part for part in stratum.split(";") if part != LADDER).partition("=")]
                if name == variable
            }
            in_order = sorted(own_levels, key=lambda level: (not level.startswith("before "), level == SEVERAL, level))
            rows += [_row(group, _level(variable, level), own_levels[level]) for level in in_order]
            if test["status"] == "not_assessable":
                rows.append({"group": group, "name": "not known", "is_withheld": False})
    return rows


def _row(group: str, name: str, found: Mapping[tuple[str, str], Row]) -> Row:
    ratio = found["hazard_ratio", ">=2"]
    return {
        "group": group,
        "name": name,
        "persons": ratio["person_count"],
        "events": ratio["event_count"],
        "one": found["incidence_rate_per_100py", "1"],
        "two": found["incidence_rate_per_100py", ">=2"],
        "ratio": ratio,
        "is_withheld": ratio["status"] == "suppressed",
    }


def _level(variable: str, level: str) -> str:
    if variable == "sex":
        return SEX.get(level, level)
    return (
        f"{wording.plain(level)} conditions" if (variable, level) == ("indication", SEVERAL) else wording.plain(level)
    )


def _interaction(test: Row) -> str:
    if test["p_value"] is None:
        return f"test of interaction {wording.named(wording.STATUS_WORDS, test['status'])}"
    return f"test of interaction, P {p_value(test['p_value'])}"


def subgroup_forest(view: View) -> tuple[str, str] | None:
    """Hazard ratios of subgroups on a log axis."""
    rows = [row for row in subgroups(view) if row.get("ratio") and row["ratio"]["value"] is not None]  # type: ignore[index]
    if not rows:
        return None
    return forest(
        rows,
        [str(row["name"]) for row in rows],
        key="ratio",
        name="subgroups",
        axis_label="hazard ratio, two or more against one study drug, log axis",
        description="Hazard ratios with limits in subgroups of persons at entry on a logarithmic axis. The numbers are those of the "
        "table.",
        log=True,
    )


TABLES = (
    Table(
        "subgroup_hazard",
        "outcomes",
        "Hazard ratios in subgroups",
        (
            Column("name", "Subgroup at entry"),
            Column("persons", "Persons", "count"),
            Column("events", "First events", "count"),
            Column("one", "Rate, one study drug", "rate"),
            Column("two", "Rate, two or more", "rate"),
            Column("ratio", "Hazard ratio (limits)", "ratio"),
        ),
        subgroups,
        "New users; two or more study drugs against one, exposure split in time, limits robust to clustering by person; rates per 100 "
        "person-years. A subgroup with few events has rates only. The test asks whether the ratios of the subgroups are equal, and it "
        "alone speaks to whether they differ; none is corrected for their number, and nothing is held equal but time since the first drug.",
        NO_CONTRAST,
        is_long=True,
    ),
)
