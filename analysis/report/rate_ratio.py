"""Table on rates by ladder level: standardised, and compared as ratio and difference, crude and stratified."""

from __future__ import annotations

from analysis.analyses.rate_ratio import ANALYSIS, TREND, asked_ladders
from analysis.report import wording
from analysis.report.table import Column, Table
from analysis.report.view import Row, View

LEAST_P = 0.0001
NO_CONTRAST = "The study file asks for no comparison of this kind."


def compared_rates(view: View) -> list[Row]:
    """A row for each level of each ladder: its standardised rate, and its ratio to and difference from the comparator level."""
    rows: list[Row] = []
    for asked in asked_ladders(view.spec.contrast):
        contrast = asked.contrast
        held = view.estimates(analysis=ANALYSIS, outcome_id=contrast.outcome, stratum=f"ladder={contrast.ladder}")
        found = {(row["estimand"], row["level"], row["comparator_id"], row["method"]): row for row in held}
        if not found:
            continue
        compared = contrast.comparator_level
        group = (
            f"{view.outcomes[contrast.outcome]}: {wording.LADDERS[contrast.ladder]}, against "
            f"{wording.level_name(contrast.ladder, compared)}"
        )
        trend = found.get(("test", TREND, "", "mantel_extension"))
        if asked.is_whole and trend:
            group += f"; trend: {_test(trend)}"
        own = compared if asked.is_whole and compared == "0" else ""
        for level in ("0", "1", ">=2"):
            if level != own and level not in asked.levels:
                continue
            ratio = found.get(("incidence_rate_ratio", level, compared, "exact_conditional"))
            rate = found.get(("incidence_rate_per_100py", level, "", "direct_fay_feuer")) if asked.is_whole else None
            spread = found.get(("test", level, "", "pearson_dispersion")) if asked.is_whole else None
            rows.append(
                {
                    "group": group,
                    "name": wording.level_name(contrast.ladder, level),
                    "standardised": rate,
                    "ratio": ratio,
                    "stratified": found.get(("incidence_rate_ratio", level, compared, "mantel_haenszel")),
                    "difference": found.get(("rate_difference_per_100py", level, compared, "mover")),
                    "stratified_difference": found.get(
                        ("rate_difference_per_100py", level, compared, "mantel_haenszel")
                    ),
                    "dispersion": spread and _dispersion(spread),
                    "is_withheld": ratio is not None and ratio["status"] == "suppressed",
                }
            )
    return rows


def _test(row: Row) -> str:
    if row["value"] is None or row["p_value"] is None:
        return wording.named(wording.STATUS_WORDS, row["status"])
    p = float(row["p_value"])  # type: ignore[arg-type]
    said = f"P {p:.2g}" if p >= LEAST_P else f"P below {LEAST_P:g}"
    return f"z {wording.signed(float(row['value']))}, {said}"  # type: ignore[arg-type]


def _dispersion(row: Row) -> str:
    if row["value"] is None:
        return wording.named(wording.STATUS_WORDS, row["status"])
    return wording.number(float(row["value"]), "ratio")  # type: ignore[arg-type]


TABLES = (
    Table(
        "rate_ratio",
        "outcomes",
        "Rates by level, compared",
        (
            Column("name", "Level"),
            Column("standardised", "Standardised rate", "rate"),
            Column("ratio", "Rate ratio (exact)", "ratio"),
            Column("stratified", "Stratified", "ratio"),
            Column("difference", "Difference", "excess"),
            Column("stratified_difference", "Stratified difference", "excess"),
            Column("dispersion", "Dispersion", "literature"),
        ),
        compared_rates,
        "Cohort from entry to the first outcome; rates and differences per 100 person-years. Standardised: to age and sex of all time at "
        "risk, so that levels are rates of the same people. Stratified (Mantel-Haenszel): age band, sex and calendar year. Dispersion: of "
        "the events over these strata, 1 where they vary as counts of one rate would; above it limits are too narrow, or the strata "
        "differ. Trend: Mantel's test over 0, 1 and two or more, in pooled periods. Illness that goes with level is not held equal.",
        NO_CONTRAST,
    ),
)
