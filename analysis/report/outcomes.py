"""Tables on outcomes: incidence, ladders of odds ratios with the literature beside them, hazard ratio, sensitivity."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.report import wording
from analysis.report.endings import MEDIAN_METHODS
from analysis.report.table import Column, Table
from analysis.report.view import Row, View, as_int, total
from analysis.study.spec import Contrast

SHOWN_REGIMENS = 10
LEVELS = ("0", "1", ">=2")
LADDERS = ("study_drugs", "toruner", "broad")
POPULATION = "all_time"
NO_OUTCOME_TABLE = (
    "The source has neither adverse events nor diagnoses, so that no outcome can be assessed. This is not a zero: nothing is known."
)
NO_CONTRAST = "The study file asks for no comparison of this kind."
SPEARHEAD = ("mantel_haenszel", "exact_conditional_stratified", "exact_conditional", "woolf")


def incidence_by_level(view: View) -> list[Row]:
    """First outcomes, time at risk and rate by number of study drugs and ladder level."""
    rows: list[Row] = []
    for outcome, label in view.outcomes.items():
        asked = {"analysis": "incidence", "outcome_id": outcome, "population": POPULATION, "regimen_id": ""}
        if whole := view.estimate(**{**asked, "stratum": ""}):
            rows.append(_rate_row(whole, label, "everybody at risk") | {"is_total": True})
        for ladder in LADDERS:
            for level in LEVELS:
                found = view.estimate(**{**asked, "stratum": f"ladder={ladder}", "level": level})
                group = f"{label}: by {wording.LADDERS[ladder]}"
                if found:
                    rows.append(_rate_row(found, group, wording.level_name(ladder, level)))
    return rows


def _rate_row(found: Row, group: str, name: str) -> Row:
    return {
        "group": group, "name": name, "persons": found["person_count"], "time": found["person_days"],
        "events": found["event_count"], "rate": found, "is_withheld": True,
    }  # fmt: skip


def incidence_by_regimen(view: View) -> list[Row]:
    """First outcomes, time at risk and rate by regimen at risk, the rarer regimens counted together."""
    rows: list[Row] = []
    for outcome, label in view.outcomes.items():
        found = view.estimates(analysis="incidence", outcome_id=outcome, population=POPULATION, stratum="")
        found = [row for row in found if row["regimen_id"]]
        for kind, members in _kinds(found):
            order = sorted(members, key=lambda row: (-as_int(row["person_days"]), str(row["regimen_id"])))
            cut = len(order) if len(order) <= SHOWN_REGIMENS + 1 else SHOWN_REGIMENS
            rows += [_rate_row(row, f"{label}: {kind}", view.regimen(row["regimen_id"])) for row in order[:cut]]
            if rest := order[cut:]:
                events, days = total(row["event_count"] for row in rest), total(row["person_days"] for row in rest)
                rows.append(
                    {
                        "group": f"{label}: {kind}", "name": f"other ({len(rest)} regimens; rates in estimates.csv)",
                        "time": days, "events": events, "is_withheld": events is None or days is None,
                    }
                )  # fmt: skip
    return rows


def _kinds(found: list[Row]) -> Iterator[tuple[str, list[Row]]]:
    yield "no study drug at risk", [row for row in found if row["regimen_id"] == "none"]
    yield "one study drug at risk", [row for row in found if row["regimen_id"] != "none" and "+" not in str(row["regimen_id"])]
    yield "two or more study drugs at risk", [row for row in found if "+" in str(row["regimen_id"])]


def has_several_datings(view: View) -> bool:
    """Whether outcomes of the study are dated by different rules."""
    return len({outcome.date_rule for outcome in view.spec.outcome}) > 1


def dating(view: View) -> list[Row]:
    """Rates by number of study drugs, the outcomes of each dating side by side."""
    if not has_several_datings(view):
        return []
    rows: list[Row] = []
    rules = {outcome.id: outcome.date_rule for outcome in view.spec.outcome}
    for level in LEVELS:
        for outcome, label in view.outcomes.items():
            found = view.estimate(
                analysis="incidence", outcome_id=outcome, population=POPULATION, stratum="ladder=study_drugs", level=level
            )
            if found:
                group = wording.level_name("study_drugs", level)
                rows.append(_rate_row(found, group, label) | {"dated": wording.plain(rules[outcome])})
    return rows


def odds_ratio_contrasts(view: View) -> list[Contrast]:
    """The comparisons by pooled-period odds ratio, in the order of the study file."""
    return [item for item in view.spec.contrast if item.estimator == "pooled_period_odds_ratio"]


def ladder(view: View) -> list[Row]:
    """Odds ratios of each ladder level: crude and stratified, asymptotic and exact, and the literature beside them."""
    rows: list[Row] = []
    for contrast in odds_ratio_contrasts(view):
        compared = wording.level_name(contrast.ladder, contrast.comparator_level)
        for level in LEVELS:
            found = level_estimates(view, contrast, level)
            if not found:
                continue
            literature = benchmark(view, contrast, level)
            rows.append(
                {
                    "group": f"{view.outcomes[contrast.outcome]}: {wording.LADDERS[contrast.ladder]}, against {compared}",
                    "name": wording.level_name(contrast.ladder, level),
                    "cases": next((row["event_count"] for row in found.values()), None),
                    **found,
                    "literature": literature and literature_text(literature),
                    "source": literature and f"{literature['source']}; {literature['directness']}; {literature['review_status']}",
                    "is_withheld": any(row["status"] == "suppressed" for row in found.values()),
                }
            )  # fmt: skip
    return rows


def level_estimates(view: View, contrast: Contrast, level: str, *, rule: str | None = None) -> dict[str, Row]:
    """The estimates of one ladder level by method, without the prefix that says how periods were pooled."""
    if level == contrast.comparator_level:
        return {}
    found = view.estimates(
        analysis="infection_odds_ratio", outcome_id=contrast.outcome, stratum=f"ladder={contrast.ladder}", level=level,
        comparator_id=contrast.comparator_level, exposure_rule=rule or view.rule,
    )  # fmt: skip
    return {str(row["method"]).removeprefix("pooled_periods_"): row for row in found}


def spearhead(found: dict[str, Row]) -> Row | None:
    """The estimate that stands for a level: stratified before crude, the first that has a value or a limit."""
    known = [found[method] for method in SPEARHEAD if method in found]
    return next((row for row in known if row["value"] is not None or row["status"] == "limit_only"), known[-1] if known else None)


def benchmark(view: View, contrast: Contrast, level: str) -> Row | None:
    """The literature value for an outcome, ladder and level, when the study wants literature and there is one with a value."""
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
    """Hazard ratios of the study's time-varying comparisons."""
    rows: list[Row] = []
    for contrast in view.spec.contrast:
        if contrast.estimator == "time_varying_cox":
            for found in view.estimates(
                analysis="time_varying_hazard", outcome_id=contrast.outcome, stratum=f"ladder={contrast.ladder}"
            ):
                rows.append(
                    {
                        "name": view.outcomes[contrast.outcome],
                        "compared": f"{wording.level_name(contrast.ladder, str(found['level']))} against "
                        f"{wording.level_name(contrast.ladder, str(found['comparator_id']))}",
                        "persons": found["person_count"], "events": found["event_count"], "time": found["person_days"],
                        "hazard_ratio": found, "is_withheld": found["status"] == "suppressed",
                    }
                )  # fmt: skip
    return rows


def sensitivity(view: View) -> list[Row]:
    """The key numbers under each exposure rule, the primary one first."""
    rows: list[Row] = []
    for rule, label in view.rules.items():
        name = f"{label} (primary)" if rule == view.rule else label
        asked = {"exposure_rule": rule, "regimen_id": "all"}
        median = view.estimate(
            analysis="persistence", estimand="median_duration_months", population="first_episode", method=MEDIAN_METHODS[0], **asked
        )
        rows.append(_key("Median duration of first combinations, months (Kaplan-Meier)", name, median, "months"))
        share = view.estimate(
            analysis="discontinuation", estimand="proportion", stratum="by=reason", level="adverse_event", **asked
        )
        rows.append(_key("First combinations stopped for an adverse event, %", name, share, "percent"))
        for outcome, outcome_label in view.outcomes.items():
            found = view.estimate(
                analysis="incidence", outcome_id=outcome, population=POPULATION, stratum="ladder=study_drugs", level=">=2",
                exposure_rule=rule,
            )  # fmt: skip
            rows.append(_key(f"{outcome_label}: rate per 100 person-years with two or more study drugs at risk", name, found, "rate"))
        for contrast in odds_ratio_contrasts(view):
            by_method = level_estimates(view, contrast, ">=2", rule=rule)
            group = (
                f"{view.outcomes[contrast.outcome]}: odds ratio, {wording.LADDERS[contrast.ladder]}, two or more against "
                f"{wording.level_name(contrast.ladder, contrast.comparator_level)}"
            )
            rows.append(_key(group, name, spearhead(by_method), "ratio"))
        for contrast in view.spec.contrast:
            if contrast.estimator == "time_varying_cox":
                found = next(
                    iter(view.estimates(analysis="time_varying_hazard", outcome_id=contrast.outcome, exposure_rule=rule)), None
                )
                rows.append(
                    _key(f"{view.outcomes[contrast.outcome]}: hazard ratio, two or more against one study drug", name, found, "ratio")
                )
    order = list(dict.fromkeys(str(row["group"]) for row in rows if row["is_asked"]))
    return sorted((row for row in rows if row["group"] in order), key=lambda row: order.index(str(row["group"])))


def _key(group: str, rule: str, found: Row | None, style: str) -> Row:
    return {
        "group": group, "rule": rule, "value": found, "style": style, "is_asked": found is not None,
        "method": found and wording.method_name(found["method"]), "persons": found and found["person_count"],
        "events": found and found["event_count"], "is_withheld": found is not None and found["status"] == "suppressed",
    }  # fmt: skip


RATE_COLUMNS = (
    Column("persons", "Persons", "count"), Column("time", "Person-years", "person_years"), Column("events", "First events", "count"),
    Column("rate", "Per 100 person-years (exact limits)", "rate"),
)  # fmt: skip

TABLES = (
    Table(
        "incidence_by_level", "outcomes", "Incidence by level of exposure", (Column("name", "At risk"), *RATE_COLUMNS),
        incidence_by_level,
        "Cohort from entry to the first outcome; a day belongs to the drugs covered or in their risk tail on it, lagged as the methods "
        "say. A level on which nobody spent time has no line. Rates are crude.",
        NO_OUTCOME_TABLE,
    ),
    Table(
        "outcome_dating", "outcomes", "The same outcome under each dating",
        (Column("name", "Outcome"), Column("dated", "Dated by"), *RATE_COLUMNS), dating,
        "The same diagnoses under different dates. Where the lines of a group differ much, the date decides the result.",
        "All outcomes of the study are dated by one rule.",
    ),
    Table(
        "incidence_by_regimen", "outcomes", "Incidence by regimen at risk", (Column("name", "Regimen"), *RATE_COLUMNS),
        incidence_by_regimen,
        "Crude rates; the people on different regimens differ in illness, age and other treatment.",
        NO_OUTCOME_TABLE,
    ),
    Table(
        "odds_ratio_ladder", "outcomes", "Odds ratios by level of exposure",
        (Column("name", "Level"), Column("cases", "Cases at both levels", "count"), Column("woolf", "Crude (Woolf)", "ratio"),
         Column("mantel_haenszel", "Stratified (Mantel-Haenszel)", "ratio"), 
         Column("exact_conditional", "Crude, exact", "ratio", is_optional=True),
         Column("exact_conditional_stratified", "Stratified, exact", "ratio", is_optional=True),
         Column("literature", "Literature (limits)", "literature", is_optional=True),
         Column("source", "Source; directness; review", "sentence", is_optional=True)),
        ladder,
        "From pooled periods; exposure is the lagged state on the first day of a period. Strata: age band, sex and calendar year. Exact "
        "values are made where a cell is small. The literature is of other people, drugs and definitions: it is no reference value.",
        NO_CONTRAST,
    ),
    Table(
        "hazard_ratio", "outcomes", "Hazard ratios, exposure split in time",
        (Column("name", "Outcome"), Column("compared", "Comparison"), Column("persons", "Persons", "count"),
         Column("events", "First events", "count"), Column("time", "Person-years", "person_years"),
         Column("hazard_ratio", "Hazard ratio (limits)", "ratio")),
        hazard,
        "New users; time since the first study drug; time before the second drug belongs to one drug; limits robust to clustering by person. "
        "Not adjusted for age, sex or illness.",
        NO_CONTRAST,
    ),
    Table(
        "sensitivity", "sensitivity", "Key numbers under each exposure rule",
        (Column("rule", "Exposure rule"), Column("method", "Method"), Column("persons", "Persons", "count"),
         Column("events", "Events", "count"), Column("value", "Value (limits)", "estimate")),
        sensitivity,
        "The rules differ in one setting each, as their label says; numbers that hold under all of them do not hang on that setting.",
        "No key number was estimated.",
    ),
)  # fmt: skip
