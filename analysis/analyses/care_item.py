"""Care as it was given: the share of moments at which each care item was met, under each policy, with what cannot be assessed beside it.

Owns which questions are asked of `care.item_summary`. What an item asks is in `reference.care_item`; met and late are in `sql/care`.
"""

from __future__ import annotations

import polars as pl

from analysis.estimate.clustered_proportion import METHOD, Clustered, clustered_proportion
from analysis.estimate.result import Answer, Estimate, Question, not_assessable, not_estimable

ANALYSIS = "care_item"
POPULATION = "eligible"
MET = "met"
COUNTED = ("eligible", "assessable", "late", "not_met", "not_assessable")
NO_MOMENT = "nobody had a moment at which it is asked"
ALL = "all"


def stratum_of(item: str, policy: str, **more: str) -> str:
    """The stratum of an item under a policy: pairs in byte order."""
    return ";".join(f"{name}={value}" for name, value in sorted({"item": item, "policy": policy, **more}.items()))


def care_item_estimates(
    items: pl.DataFrame,
    summary: pl.DataFrame,
    reasons: pl.DataFrame,
    drugs: pl.DataFrame,
    *,
    rule: str,
    confidence: float,
) -> list[Estimate]:
    """Proportion met among the assessable moments, and the counts beside it: overall, by dose number, drugs, setting and year.

    items: `reference.care_item`; summary: `care.item_summary`; reasons: `care_item_id`, `policy`, `reason`, `moment_count` of what is not
    assessable; drugs: `drug_id`, `is_biologic` of drugs with a dose. An item whose drug nobody has gives no row: it is not applicable.
    Without any assessable moment the proportion is `not_assessable`, without any moment `not_estimable`, never 0. Late is not met, and
    counted by itself. Misleads as a measure of a clinic where what is done elsewhere is not in the records.
    """
    asked = {"analysis": ANALYSIS, "exposure_rule": rule, "population": POPULATION}
    held, has_biologic = set(drugs["drug_id"]), bool(drugs["is_biologic"].any())
    found: list[Estimate] = []
    for item in items.sort("care_item_id", "policy").iter_rows(named=True):
        if not (item["drug_id"] in held if item["drug_id"] else has_biologic):
            continue
        name, policy = item["care_item_id"], item["policy"]
        rows = summary.filter((pl.col("care_item_id") == name) & (pl.col("policy") == policy))
        why = _most_frequent(reasons.filter((pl.col("care_item_id") == name) & (pl.col("policy") == policy)))
        overall = rows.filter(pl.col("stratum_name") == ALL)
        if overall.is_empty():
            question = Question(estimand="proportion", stratum=stratum_of(name, policy), level=MET, **asked)  # type: ignore[arg-type]
            found.append(Estimate(question, not_estimable(METHOD, NO_MOMENT, person_count=0, event_count=0)))
            continue
        found += _counts(overall.row(0, named=True), stratum_of(name, policy), asked)
        if not overall["assessable_count"][0]:
            rows = overall  # what nobody can assess needs no strata
        for row in rows.sort("stratum_name", "stratum_value").iter_rows(named=True):
            found.append(Estimate(_question(row, name, policy, asked), _share(row, why, confidence)))
    return found


def _question(row: dict[str, object], item: str, policy: str, asked: dict[str, str]) -> Question:
    by, value = str(row["stratum_name"]), str(row["stratum_value"])
    more = {by: value} if by in ("dose", "setting", "year") else {}
    asked = asked | {"regimen_id": value if by == "regimen" else "", "stratum": stratum_of(item, policy, **more)}
    return Question(estimand="proportion", level=MET, **asked)  # type: ignore[arg-type]


def _share(row: dict[str, object], why: str, confidence: float) -> Answer:
    if row["assessable_count"] == 0:
        return not_assessable(METHOD, why)
    return clustered_proportion(
        Clustered(
            persons=_whole(row["assessable_person_count"]),
            moments=_whole(row["assessable_count"]),
            met=_whole(row["met_count"]),
            moments_squared=_whole(row["assessable_square_sum"]),
            moments_by_met=_whole(row["assessable_met_sum"]),
            met_squared=_whole(row["met_square_sum"]),
        ),
        confidence=confidence,
    )


def _counts(row: dict[str, object], stratum: str, asked: dict[str, str]) -> list[Estimate]:
    """Moments by what became of them; `person_count` is the persons behind each number."""
    persons = {"eligible": "person_count"} | {level: f"{level}_person_count" for level in COUNTED[1:]}
    return [
        Estimate(
            Question(estimand="count", stratum=stratum, level=level, **asked),  # type: ignore[arg-type]
            Answer(
                method="count",
                value=float(_whole(row[f"{level}_count"])),
                person_count=_whole(row[persons[level]]),
                event_count=_whole(row[f"{level}_count"]),
            ),
        )
        for level in COUNTED
    ]


def _most_frequent(reasons: pl.DataFrame) -> str:
    """Why most moments cannot be assessed; the first in byte order where several are as frequent."""
    if reasons.is_empty():
        return "no moment can be assessed"
    return str(reasons.sort("moment_count", "reason", descending=[True, False])["reason"][0])


def _whole(value: object) -> int:
    return int(value)  # type: ignore[call-overload,no-any-return]
