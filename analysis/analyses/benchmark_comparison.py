"""Our estimates beside the literature values of the same question: compatible or not, and why some cannot be compared.

Owns which comparison is made and the words where none is. The literature is in `reference.benchmark`, which estimate asks the same in
`reference.benchmark_estimate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from analysis.estimate.against_published import DIFFERENCE, RATIO, Known, difference, ratio
from analysis.estimate.result import Answer, Estimand, Estimate, Question, not_estimable

ANALYSIS = "benchmark_comparison"
LITERATURE = "literature"
NO_ESTIMATE = "none of our estimates asks the same question"
NOT_ASKED = "the study does not ask for it"
NO_VALUE = "the value was not taken from its source"
ASKED = (
    "analysis",
    "estimand",
    "population",
    "regimen_id",
    "comparator_id",
    "outcome_id",
    "stratum",
    "level",
    "method",
)
COMPARED: dict[str, tuple[Estimand, str]] = {
    "odds_ratio": ("ratio_of_ratios", RATIO),
    "proportion": ("risk_difference", DIFFERENCE),
}
NEUTRAL = {"ratio_of_ratios": 1.0, "risk_difference": 0.0}

Row = Mapping[str, object]


def own_estimate(asked: Row, found: Mapping[tuple[str, ...], Row]) -> Row | None:
    """Our estimate that a row of `reference.benchmark_estimate` names."""
    return found.get(tuple(str(asked[name] or "") for name in ASKED))


def by_question(results: Iterable[Row], rule: str) -> dict[tuple[str, ...], Row]:
    """Rows of `estimate.result` of one exposure rule by what `own_estimate` looks for."""
    return {tuple(str(row[name]) for name in ASKED): row for row in results if row["exposure_rule"] == rule}


def stratum(benchmark: object, asked: Row | None) -> str:
    """`stratum` of a comparison: the literature value and the analysis of ours."""
    against = f"analysis={asked['analysis']};" if asked else ""
    return f"{against}benchmark={benchmark}"


def benchmark_comparison(
    benchmarks: pl.DataFrame, mapping: pl.DataFrame, results: pl.DataFrame, *, rule: str, confidence: float
) -> list[Estimate]:
    """Each literature value against each of our estimates of the same question.

    benchmarks: `reference.benchmark`; mapping: `reference.benchmark_estimate`; results: `estimate.result` of the other analyses. Ratios are
    compared by their ratio (`ratio_of_ratios`), proportions by their difference (`risk_difference`), both from values and limits alone:
    they are compatible where the limits hold 1 or 0. Where the literature has no interval, or ours is not `ok`, there is no comparison
    and a reason. Misleads where the persons differ: a difference from the literature may be one of persons, and compatible is not
    alike, since wide limits hold anything.
    """
    found = by_question(results.iter_rows(named=True), rule)
    named: dict[str, list[Row]] = {}
    for row in mapping.iter_rows(named=True):
        named.setdefault(str(row["benchmark_id"]), []).append(row)
    estimates = []
    for value in benchmarks.iter_rows(named=True):
        for asked in named.get(str(value["benchmark_id"]), [None]):
            ours = own_estimate(asked, found) if asked else None
            estimand, method = COMPARED.get(str(value["estimand"]), (str(value["estimand"]), "none"))
            question = Question(
                analysis=ANALYSIS,
                estimand=estimand,  # type: ignore[arg-type]
                exposure_rule=rule,
                population=str(asked["population"]) if asked else LITERATURE,
                comparator_id=LITERATURE,
                outcome_id=str(value["outcome_id"] or ""),
                stratum=stratum(value["benchmark_id"], asked),
                level=str(value["level"] or ""),
            )
            why = _why_not(value, asked, ours)
            answer = not_estimable(method, why) if why else _compared(value, ours or {}, confidence)
            estimates.append(Estimate(question, answer))
    return estimates


def _why_not(value: Row, asked: Row | None, ours: Row | None) -> str:  # noqa: PLR0911 (one return a reason)
    if value["value"] is None:
        return NO_VALUE
    if asked is None:
        return NO_ESTIMATE
    if ours is None:
        return NOT_ASKED
    if ours["status"] != "ok" or ours["lower"] is None or ours["upper"] is None:
        return f"ours has no value with two limits: {ours['reason'] or ours['status']}"
    if value["lower"] is None or value["upper"] is None:
        own, place = _known(ours), float(str(value["value"]))
        return f"the literature value has no interval; it lies {'inside' if own.lower <= place <= own.upper else 'outside'} ours"
    if value["estimand"] not in COMPARED:
        return "no method compares two of these"
    if value["estimand"] == "odds_ratio" and min(_known(ours).lower, _known(value).lower) <= 0.0:
        return "a limit is 0, so that there is no ratio of the two"
    if value["estimand"] == "proportion" and value["confidence_level"] != ours["confidence_level"]:
        return "the limits are of different confidence"
    return ""


def _known(row: Row) -> Known:
    value, lower, upper, confidence = (
        float(str(row[name])) for name in ("value", "lower", "upper", "confidence_level")
    )
    return Known(value, lower, upper, confidence)


def _compared(value: Row, ours: Row, confidence: float) -> Answer:
    if value["estimand"] == "odds_ratio":
        return ratio(_known(ours), _known(value), confidence=confidence)
    return difference(_known(ours), _known(value))


def is_compatible(row: Row) -> bool | None:
    """Whether the limits of a comparison hold no difference; None where there is none."""
    if row["status"] != "ok" or row["lower"] is None or row["upper"] is None:
        return None
    return float(str(row["lower"])) <= NEUTRAL[str(row["estimand"])] <= float(str(row["upper"]))
