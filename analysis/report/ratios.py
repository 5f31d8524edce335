"""Tables on comparisons: ladders of odds ratios with the literature beside them, and hazard ratios."""

from __future__ import annotations

from analysis.analyses.hazard import NAIVE_METHOD
from analysis.analyses.ladder import comparisons
from analysis.report import wording
from analysis.report.table import Column, Table
from analysis.report.view import Row, View
from analysis.study.spec import Contrast

NO_CONTRAST = "The study file asks for no comparison of this kind."


SPEARHEAD = ("mantel_haenszel", "exact_conditional_stratified", "exact_conditional", "woolf")


def odds_ratio_contrasts(view: View) -> list[Contrast]:
    """The comparisons by pooled-period odds ratio, in the order of the study file."""
    return [item for item in view.spec.contrast if item.estimator == "pooled_period_odds_ratio"]


def ladder(view: View) -> list[Row]:
    """Odds ratios of each ladder level: crude and stratified, asymptotic and exact, and the literature beside them."""
    rows: list[Row] = []
    for asked in comparisons(view.spec.contrast, ("pooled_period_odds_ratio",)):
        contrast = asked.contrast
        compared = wording.level_name(contrast.ladder, contrast.comparator_level)
        for level in asked.levels:
            found = level_estimates(view, contrast, level)
            if not found:
                continue
            literature = benchmark(view, contrast, level)
            rows.append(
                {
                    "group": f"{view.outcomes[contrast.outcome]}: {wording.LADDERS[contrast.ladder]}, against "
                    f"{compared}",
                    "name": wording.level_name(contrast.ladder, level),
                    "cases": next((row["event_count"] for row in found.values()), None),
                    **found,
                    "literature": literature and literature_text(literature),
                    "source": literature
                    and f"{literature['source']}; {literature['directness']}; {literature['review_status']}",
                    "is_withheld": any(row["status"] == "suppressed" for row in found.values()),
                }
            )
    return rows


def level_estimates(view: View, contrast: Contrast, level: str, *, rule: str | None = None) -> dict[str, Row]:
    """The estimates of one ladder level by method, without the prefix that says how periods were pooled."""
    if level == contrast.comparator_level:
        return {}
    found = view.estimates(
        analysis="infection_odds_ratio",
        outcome_id=contrast.outcome,
        stratum=f"ladder={contrast.ladder}",
        level=level,
        comparator_id=contrast.comparator_level,
        exposure_rule=rule or view.rule,
    )
    return {str(row["method"]).removeprefix("pooled_periods_"): row for row in found}


def spearhead(found: dict[str, Row]) -> Row | None:
    """The estimate that stands for a level: stratified before crude, the first that has a value or a limit."""
    known = [found[method] for method in SPEARHEAD if method in found]
    return next(
        (row for row in known if row["value"] is not None or row["status"] == "limit_only"),
        known[-1] if known else None,
    )


def benchmark(view: View, contrast: Contrast, level: str) -> Row | None:
    """The literature value for an outcome, ladder and level, where the study wants literature and a value is known."""
    if not view.spec.report.benchmarks or contrast.comparator_level != "0":
        return None
    found = view.rows(
        "reference.benchmark", estimand="odds_ratio", outcome_id=contrast.outcome, ladder=contrast.ladder, level=level
    )
    return next((row for row in found if row["value"] is not None), None)


def literature_text(row: Row) -> str:
    """A literature value with its limits."""
    ends = ""
    if row["lower"] is not None and row["upper"] is not None:
        low, high = (wording.number(float(row[end]), "ratio") for end in ("lower", "upper"))  # type: ignore[arg-type]
        ends = f" ({low}{wording.DASH}{high})"
    return f"{wording.number(float(row['value']), 'ratio')}{ends}"  # type: ignore[arg-type]


def hazard(view: View) -> list[Row]:
    """Hazard ratios of the study's time-varying comparisons: over all of follow-up, by period, and the naive one last."""
    rows: list[Row] = []
    for contrast in view.spec.contrast:
        if contrast.estimator != "time_varying_cox":
            continue
        held = view.estimates(analysis="time_varying_hazard", outcome_id=contrast.outcome)
        test = next((row for row in held if row["estimand"] == "test"), None)
        told = (
            f"; test of proportional hazards: P {p_value(test['p_value'])}"
            if test and test["p_value"] is not None
            else ""
        )
        levels = [wording.level_name(contrast.ladder, level) for level in (">=2", "1")]
        ratios = [row for row in held if row["estimand"] == "hazard_ratio"]
        rows += [
            {
                "group": f"{view.outcomes[contrast.outcome]}: {levels[0]} against {levels[1]}{told}",
                "name": _hazard_name(found),
                "persons": found["person_count"],
                "events": found["event_count"],
                "time": found["person_days"],
                "hazard_ratio": found,
                "is_withheld": True,
            }
            for found in sorted(ratios, key=lambda row: (row["method"] == NAIVE_METHOD, row["level"] == "0"))
        ]
    return rows


def _hazard_name(found: Row) -> str:
    part, _, value = str(found["stratum"]).removeprefix("ladder=study_drugs").strip(";").partition("=")
    if part == "lag_days":
        return f"exposure {value} days before" if value != "0" else "exposure on the day itself"
    name = value or wording.method_name(found["method"])
    return f"no study drug against one: {name}" if found["level"] == "0" else name


def p_value(value: object) -> str:
    """A P with two significant digits, or what it is below."""
    number = float(value)  # type: ignore[arg-type]
    return "below 0.0001" if number < 0.0001 else f"{number:.2g}"


TABLES = (
    Table(
        "odds_ratio_ladder",
        "outcomes",
        "Odds ratios by level of exposure",
        (
            Column("name", "Level"),
            Column("cases", "Cases at both levels", "count"),
            Column("woolf", "Crude (Woolf)", "ratio"),
            Column("mantel_haenszel", "Stratified (Mantel-Haenszel)", "ratio"),
            Column("exact_conditional", "Crude, exact", "ratio", is_optional=True),
            Column("exact_conditional_stratified", "Stratified, exact", "ratio", is_optional=True),
            Column("literature", "Literature (limits)", "literature", is_optional=True),
            Column("source", "Source; directness; review", "sentence", is_optional=True),
        ),
        ladder,
        "From pooled periods; exposure is the lagged state on the first day of a period. Strata: age band, sex and "
        "calendar year. Exact values are made where a cell is small. The literature is of other people, drugs and "
        "definitions: it is no reference value.",
        NO_CONTRAST,
        is_long=True,
    ),
    Table(
        "hazard_ratio",
        "outcomes",
        "Hazard ratios, exposure split in time",
        (
            Column("name", "Way or period"),
            Column("persons", "Persons", "count"),
            Column("events", "First events", "count"),
            Column("time", "Person-years", "person_years"),
            Column("hazard_ratio", "Hazard ratio (limits)", "ratio"),
        ),
        hazard,
        "New users; time since the first study drug; time before the second drug belongs to one drug; limits robust "
        "to clustering by person. Adjusted: for age, sex, year, comorbidity, days in hospital, steroids and earlier outcomes at "
        "entry. Exposure so many days before: another lag than the outcome's own, all else the same. Where the test fails no single "
        "ratio stands for all of follow-up: read the periods. The naive ratio counts who ever "
        "combines as combined from the first day: it is wrong, and stands here to show how much.",
        NO_CONTRAST,
    ),
)
