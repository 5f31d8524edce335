"""Tables on the components of composite outcomes: those that occurred, by level with odds ratios, and those that nobody had."""

from __future__ import annotations

from analysis.analyses.components import INCIDENCE, ODDS_RATIO, component_stratum
from analysis.analyses.ladder import LEVELS
from analysis.report import wording
from analysis.report.matched import matched_contrasts
from analysis.report.table import Column, Table
from analysis.report.view import Row, View, as_int

NO_COMPOSITE = "No outcome of the study is made of components."
EXACT, CONDITIONAL = "matched_exact_conditional_stratified", "conditional_logistic_profile"


def components_that_occurred(view: View) -> list[Row]:
    """A row for each component with an event: counts, rates by level and odds ratios, for each ladder of matched comparisons."""
    rows: list[Row] = []
    for outcome, ladder in _ladders(view):
        found = [
            row for row in _overall(view, outcome) if row["event_count"] != 0 and row["status"] != "not_assessable"
        ]
        for row in sorted(found, key=lambda row: (-as_int(row["event_count"]), str(row["stratum"]))):
            component = _component(row)
            rates = {
                f"rate_{level}": view.estimate(
                    analysis=INCIDENCE, outcome_id=outcome, stratum=component_stratum(component, ladder), level=level
                )
                for level in LEVELS
            }
            ratios = {f"ratio_{level}": _ratio(view, outcome, component, ladder, level) for level in LEVELS[1:]}
            rows.append(
                {
                    "group": f"{view.outcomes[outcome]}: {wording.LADDERS[ladder]}",
                    "name": view.component(outcome, component),
                    "events": row["event_count"],
                    "rate": row,
                    **rates,
                    **ratios,
                    "is_withheld": row["status"] == "suppressed",
                }
            )
    return rows


def components_that_nobody_had(view: View) -> list[Row]:
    """A row for each component without an event, or that the source could not hold, with the upper limit of its rate."""
    rows: list[Row] = []
    ladders: dict[str, str] = {}
    for outcome, ladder in _ladders(view):
        ladders.setdefault(outcome, ladder)
    for outcome in view.outcomes:
        found = [row for row in _overall(view, outcome) if row["event_count"] == 0 or row["status"] == "not_assessable"]
        for row in found:
            component = _component(row)
            ladder = ladders.get(outcome, "")
            top = view.estimate(
                analysis=INCIDENCE, outcome_id=outcome, stratum=component_stratum(component, ladder), level=">=2"
            )
            rows.append(
                {
                    "group": view.outcomes[outcome],
                    "name": view.component(outcome, component),
                    "time": row["person_days"],
                    "rate": row,
                    "top": top if ladder else None,
                    "is_withheld": row["status"] == "suppressed",
                }
            )
    return rows


def has_components(view: View) -> bool:
    """Whether an outcome of the study is made of components."""
    return bool(view.estimates(analysis=INCIDENCE))


def _ladders(view: View) -> list[tuple[str, str]]:
    """Outcome and ladder of each matched comparison; the number of study drugs for an outcome that has none."""
    asked = [(item.outcome, item.ladder) for item in matched_contrasts(view) if item.estimator == "matched_odds_ratio"]
    others = [(outcome, "study_drugs") for outcome in view.outcomes if outcome not in {name for name, _ in asked}]
    return list(dict.fromkeys([*asked, *others]))


def _overall(view: View, outcome: str) -> list[Row]:
    return view.estimates(analysis=INCIDENCE, outcome_id=outcome, level="")


def _component(row: Row) -> str:
    return str(row["stratum"]).removeprefix("component=")


def _ratio(view: View, outcome: str, component: str, ladder: str, level: str) -> Row | None:
    """The exact odds ratio where cells are small, else the conditional one."""
    rows = view.estimates(
        analysis=ODDS_RATIO,
        outcome_id=outcome,
        stratum=component_stratum(component, ladder),
        level=level,
        comparator_id="0",
    )
    found = {str(row["method"]): row for row in rows}
    return found.get(EXACT, found.get(CONDITIONAL))


TABLES = (
    Table(
        "component_ladder",
        "outcomes",
        "Components that occurred",
        (
            Column("name", "Component"),
            Column("events", "First events", "count"),
            Column("rate", "Per 100 person-years (exact limits)", "rate"),
            Column("rate_0", "with none", "rate", is_optional=True),
            Column("rate_1", "with one", "rate", is_optional=True),
            Column("rate_>=2", "with two or more", "rate", is_optional=True),
            Column("ratio_1", "Matched odds ratio, one against none", "ratio", is_optional=True),
            Column("ratio_>=2", "two or more against none", "ratio", is_optional=True),
        ),
        components_that_occurred,
        "A component is followed to its own first record, so that a person may have several and the events do not add up to those "
        "of the composite. Rates are crude. Odds ratios are from the matched sets whose case has the component on its index date; "
        "exact where a level has few cases or controls. Among many components some differ between levels by chance.",
        NO_COMPOSITE,
        is_long=True,
    ),
    Table(
        "component_zero",
        "outcomes",
        "Components that nobody had",
        (
            Column("name", "Component"),
            Column("time", "Person-years", "person_years"),
            Column("rate", "Per 100 person-years (exact limits)", "rate"),
            Column("top", "with two or more", "rate", is_optional=True),
        ),
        components_that_nobody_had,
        "No event was seen; the upper limit is what the observed time does not exclude. A component that no table and no "
        "vocabulary of the source could hold is not assessable, which is no zero.",
        "Every component occurred, or no outcome of the study is made of components.",
        is_long=True,
    ),
)
