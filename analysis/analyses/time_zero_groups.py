"""Those who add a second study drug and those who do not, made comparable: propensity score, overlap weights, matched sets.

Owns the covariates of the score and what balance and equipoise were reached. Follow-up and estimates are in `time_zero.py`.
Source: Li, Morgan and Zaslavsky 2018, JASA 113:390 (overlap weights); Austin 2009, Stat Med 28:3083 (balance).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from analysis.analyses.gates import Diagnostic, item
from analysis.estimate.balance import standardised_differences
from analysis.estimate.matching import match
from analysis.estimate.propensity import Propensity, equipoise, propensity
from analysis.estimate.result import EstimationError
from analysis.estimate.weighting import overlap_weights
from analysis.study.comparison import Comparison, Diagnostics

ANALYSIS = "time_zero_comparison"
CRUDE, OVERLAP, MATCHED = "crude", "overlap", "matched"
NUMBERS = (
    "age_years", "calendar_year", "drug_days", "broad_count", "charlson_score", "hospital_days", "steroid_days",
)  # fmt: skip
_UNKNOWN = ("none", "unknown")


@dataclass(frozen=True, slots=True)
class Groups:
    """The members of one exposure rule with a weight for each way of making them comparable.

    members: `set_number`, `member_number`, `person_id`, `is_combination` (0, 1) and the weights `crude` (1), `overlap` and `matched`
    (0 where not matched); only sets with a comparator. `reason` of a way that could not be gone. `diagnostics` and `failures` by way.
    """

    members: pl.DataFrame = field(repr=False)
    reasons: dict[str, str]
    diagnostics: list[Diagnostic]
    failures: dict[str, list[str]]
    unknown: tuple[str, ...]
    added_count: int
    compared_count: int


def groups_of_rule(comparison: pl.DataFrame, rule: str, settings: Comparison, gates: Diagnostics) -> Groups:
    """Scores, weights, balance and equipoise of one exposure rule.

    comparison: `cohort.comparison` of the rule. The score has age, sex, calendar year, time on the first drug and which drug it
    is, indications, classes of the broad ladder, and the covariates of the look-back that the source can tell. Misleads when
    what decides on the second drug is not among them.
    """
    added = comparison["is_combination"].sum()
    held = comparison.filter(pl.len().over("set_number") > 1).sort("set_number", "member_number")
    frame, names, unknown = _covariates(held)
    members = held.select(
        "set_number", "member_number", "person_id", is_combination=pl.col("is_combination").cast(pl.Int64)
    ).with_columns(pl.lit(1.0).alias(CRUDE))
    reasons = {CRUDE: "", OVERLAP: "", MATCHED: ""}
    diagnostics: list[Diagnostic] = []
    failures: dict[str, list[str]] = {CRUDE: [], OVERLAP: [], MATCHED: []}
    scores = None
    if not held.height:
        reasons = dict.fromkeys(reasons, "nobody who adds a drug has a comparator" if added else "nobody adds a drug")
    else:
        scores = propensity(frame, covariates=names, exposed="is_combination")
        if scores.reason:
            reasons |= dict.fromkeys((OVERLAP, MATCHED), scores.reason)
            scores = None
    members = members.with_columns(*_weights(members, scores, settings, reasons))
    if scores is not None:
        found, failure = _equipoise(scores, rule, gates)
        diagnostics += found
        failures = {way: [*failures[way], failure] for way in failures}
    for way in (CRUDE, OVERLAP, MATCHED):
        if not reasons[way]:
            found, failure = _balance(frame.with_columns(members[way]), names, way, rule, gates)
            diagnostics += found
            failures[way].append(failure)
    return Groups(
        members, reasons, diagnostics, failures, tuple(unknown), int(added), int(held["is_combination"].sum())
    )


def numbered(followed: pl.DataFrame) -> pl.DataFrame:
    """Members with a number of their own (`member`): a person who serves in several sets is several members."""
    return (
        followed.sort("set_number", "member_number")
        .with_row_index("member")
        .with_columns(pl.col("member").cast(pl.Int64))
    )


def _covariates(held: pl.DataFrame) -> tuple[pl.DataFrame, list[str], list[str]]:
    """Covariates as Float64 with `is_combination`, their names, and those that the source cannot tell."""
    unknown = [name for name in NUMBERS if held.height and held[name].null_count() == held.height]
    known = [name for name in NUMBERS if name not in unknown]
    missing = [name for name in known if held[name].null_count()]
    if missing:
        raise EstimationError(f"{missing[0]} is missing for some members of the comparison")
    conditions = sorted({c for text in held["indication"].unique() for c in text.split("+")} - set(_UNKNOWN))
    if held.height and (held["indication"] == "unknown").all():
        unknown.append("indication")
    drugs = sorted(held["drug_id"].unique())
    frame = held.select(
        *[pl.col(name).cast(pl.Float64) for name in known],
        is_combination=pl.col("is_combination").cast(pl.Int64),
        is_female=(pl.col("sex") == "F").cast(pl.Float64),
        has_prior_event=(pl.col("prior_event_count") > 0).cast(pl.Float64),
        **{
            f"indication {c}": pl.col("indication").str.split("+").list.contains(c).cast(pl.Float64) for c in conditions
        },
        **{f"first drug {d}": (pl.col("drug_id") == d).cast(pl.Float64) for d in drugs},
    )
    return frame, [name for name in frame.columns if name != "is_combination"], unknown


def _weights(
    members: pl.DataFrame, scores: Propensity | None, settings: Comparison, reasons: dict[str, str]
) -> list[pl.Series]:
    """Overlap weights and those of matched sets; says in `reasons` where there are none."""
    if scores is None:
        return [pl.Series(way, [None] * members.height, dtype=pl.Float64) for way in (OVERLAP, MATCHED)]
    row = pl.Series("person_id", range(members.height), dtype=pl.Int64)
    matched = pl.Series(MATCHED, [None] * members.height, dtype=pl.Float64)
    try:
        sets = match(scores, row, comparators=settings.comparators_matched, seed=settings.seed)
    except EstimationError as too_few:
        reasons[MATCHED] = str(too_few)
    else:
        weights = row.to_frame().join(
            sets.select("person_id", "weight"), on="person_id", how="left", maintain_order="left"
        )
        matched = weights["weight"].fill_null(0.0).alias(MATCHED)
        if not sets.height:
            reasons[MATCHED] = "nobody who adds a drug has a comparator with a like score"
    return [pl.Series(OVERLAP, overlap_weights(scores), dtype=pl.Float64), matched]


def _equipoise(scores: Propensity, rule: str, gates: Diagnostics) -> tuple[list[Diagnostic], str]:
    shares = equipoise(scores)
    by_group = {"combination": shares.exposed_share, "one_drug": shares.comparator_share}
    rows = [
        Diagnostic(
            analysis=ANALYSIS, diagnostic="equipoise", item=item(exposure_rule=rule, group=group), value=share,
            threshold=gates.equipoise_share, status="pass" if share >= gates.equipoise_share else "fail",
        )
        for group, share in by_group.items()
    ]  # fmt: skip
    least = min(by_group.values())
    if least >= gates.equipoise_share:
        return rows, ""
    return rows, f"{100 * least:.0f}% of a group in equipoise, below {100 * gates.equipoise_share:g}%"


def _balance(
    frame: pl.DataFrame, names: Sequence[str], way: str, rule: str, gates: Diagnostics
) -> tuple[list[Diagnostic], str]:
    table = standardised_differences(frame, covariates=names, weight=way, exposed="is_combination")
    rows, worst = [], ("", -1.0)
    unclear = ""
    for row in table.iter_rows(named=True):
        difference = row["standardised_difference"]
        size = None if difference is None else abs(difference)
        if size is None:
            unclear = row["reason"]
        elif size > worst[1]:
            worst = (row["covariate"], size)
        rows.append(
            Diagnostic(
                analysis=ANALYSIS, diagnostic="standardised_difference",
                item=item(covariate=row["covariate"], exposure_rule=rule, method=way), value=difference,
                threshold=gates.largest_difference,
                status="fail" if size is None or size > gates.largest_difference else "pass",
            )
        )  # fmt: skip
    if unclear:
        return rows, unclear
    if worst[1] <= gates.largest_difference:
        return rows, ""
    named = worst[0].replace("_", " ")
    return rows, f"standardised difference of {worst[1]:.2f} in {named}, above {gates.largest_difference:g}"
