"""Table on matched sets: odds ratios by level of exposure with cases and controls of the same sex, age, indication and time."""

from __future__ import annotations

from analysis.analyses.ladder import comparisons
from analysis.matching.control_sample import DESIGNS, REPLICA_CONTROLS
from analysis.report import ratios, wording
from analysis.report.table import Column, Table
from analysis.report.view import Row, View
from analysis.study.spec import Contrast

LEVELS = ("0", "1", ">=2", "2", ">=3", "per level")
NO_CONTRAST = "The study file asks for no comparison of this kind."


def matched_contrasts(view: View) -> list[Contrast]:
    """The comparisons by matched sets, in the order of the study file."""
    return [item for item in view.spec.contrast if item.estimator in DESIGNS]


def matched_ladder(view: View) -> list[Row]:
    """Odds ratios of each ladder level from matched sets: conditional, penalised and crude, and the literature beside them."""
    rows: list[Row] = []
    for step in comparisons(view.spec.contrast, tuple(DESIGNS)):
        contrast = step.contrast
        design = DESIGNS[contrast.estimator]
        is_replica = design == "toruner_replica"
        controls = REPLICA_CONTROLS if is_replica else view.spec.case_control.controls_per_case
        group = (
            f"{view.outcomes[contrast.outcome]}: {wording.LADDERS[contrast.ladder]}, against "
            f"{wording.level_name(contrast.ladder, contrast.comparator_level)}, up to {controls} controls a case"
            f"{', exposure on the day itself' if is_replica else ''}{_alone(view, contrast, design) if step.is_whole else ''}"
        )
        asked = {"outcome_id": contrast.outcome, "stratum": f"ladder={contrast.ladder}", "population": design}
        for level in LEVELS if step.is_whole else step.levels:
            estimates = view.estimates(
                analysis="matched_odds_ratio",
                estimand="odds_ratio",
                level=level,
                comparator_id="" if level == "per level" else contrast.comparator_level,
                **asked,
            )
            found = {str(row["method"]): row for row in estimates}
            e_value = next(
                iter(
                    view.estimates(
                        analysis="matched_odds_ratio",
                        estimand="e_value",
                        level=level,
                        comparator_id=contrast.comparator_level,
                        **asked,
                    )
                ),
                None,
            )
            if not found:
                continue
            literature = ratios.benchmark(view, contrast, level)
            rows.append(
                {
                    "group": group,
                    "name": wording.level_name(contrast.ladder, level),
                    "cases": next(row["event_count"] for row in found.values()),
                    "conditional": found.get("conditional_logistic_profile"),
                    "adjusted": found.get("conditional_logistic_adjusted_profile"),
                    "firth": found.get("firth_conditional_logistic_profile"),
                    "crude": found.get("crude_woolf"),
                    "e_value": e_value and strength(e_value),
                    "literature": literature and ratios.literature_text(literature),
                    "is_withheld": any(row["status"] == "suppressed" for row in found.values()),
                }
            )
    return rows


def strength(row: Row) -> str | None:
    """An E-value and that of the limit nearer to 1; None where either is withheld or does not exist."""
    if row["value"] is None or row["lower"] is None:
        return None
    value, limit = (wording.number(float(row[part]), "ratio") for part in ("value", "lower"))  # type: ignore[arg-type]
    return f"{value} ({limit})"


def _alone(view: View, contrast: Contrast, design: str) -> str:
    """How many cases have no control and so say nothing of the matched odds ratio."""
    asked = {"outcome_id": contrast.outcome, "stratum": f"ladder={contrast.ladder}", "population": design}
    rows = view.estimates(analysis="matched_odds_ratio", estimand="count", **asked)
    counts = {row["level"]: row["person_count"] for row in rows}
    if counts.get("cases") is None or counts.get("cases without a control") is None:
        return ""
    return f"; {wording.count(counts['cases without a control'])} of {wording.count(counts['cases'])} cases have no control"


TABLES = (
    Table(
        "matched_odds_ratio",
        "outcomes",
        "Odds ratios from matched sets",
        (
            Column("name", "Level"),
            Column("cases", "Cases at both levels", "count"),
            Column("conditional", "Matched (conditional logistic)", "ratio"),
            Column("adjusted", "Matched and adjusted", "ratio"),
            Column("firth", "Matched, penalised (Firth)", "ratio", is_optional=True),
            Column("crude", "Ignoring the sets (Woolf)", "ratio"),
            Column("e_value", "E-value (of the limit)", "literature", is_optional=True),
            Column("literature", "Literature (limits)", "literature", is_optional=True),
        ),
        matched_ladder,
        "Controls are drawn from those at risk on the day of the case's event: of the same sex and indication, near in age, calendar "
        "time and time since entry. The matched odds ratio is the rate ratio among such persons; what is not matched on, severity "
        "above all, can still confound it. Adjusted: for age, Charlson's score without the indication, days in hospital and earlier "
        "outcomes before entry; its E-value is the least risk ratio that an unmeasured cause would need with exposure and with "
        "outcome to explain it away. Penalised values are made where a level has few cases or controls. The column that ignores "
        "the sets is no estimate of the same quantity: it shows what matching changes.",
        NO_CONTRAST,
        is_long=True,
    ),
)
