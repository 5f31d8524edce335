"""The one shape of result: a `Question` (what was asked of whom) with an `Answer` (what the data say).

Owns the columns of `estimate.result`, the closed sets of estimands and statuses, and the rule that nothing undefined
is ever a number. Does not estimate anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

import polars as pl

Estimand = Literal[
    "count", "person_days", "median_duration_months", "median_time_days", "incidence_rate_per_100py",
    "incidence_rate_ratio", "rate_difference_per_100py", "rate_per_10000_administrations", "odds_ratio",
    "hazard_ratio", "risk", "risk_ratio", "risk_difference", "proportion", "survival", "cumulative_incidence",
    "rmst_days", "rmst_difference_days", "mean_cumulative_count", "ratio_of_ratios", "reri",
    "attributable_proportion", "synergy_index", "e_value", "information_component", "minimal_detectable_ratio",
    "half_time_days", "hysteresis_index", "correlation", "mean", "test",
]  # fmt: skip
Status = Literal["ok", "limit_only", "not_estimable", "not_assessable", "gate_failed"]


class EstimationError(ValueError):
    """The estimator was asked something its input cannot mean, such as negative person-time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked: the columns of `estimate.result` that make `estimate_id`.

    `stratum`: `name=value` pairs in byte order joined by `;`, empty for overall. `level`: ladder level, reason, dose
    number, bin or period. `time_days`: days from time zero where the estimand is a curve's value.
    """

    analysis: str
    estimand: Estimand
    exposure_rule: str
    population: str
    regimen_id: str = ""
    comparator_id: str = ""
    outcome_id: str = ""
    stratum: str = ""
    level: str = ""
    time_days: int | None = None

    def __post_init__(self) -> None:
        if self.estimand not in get_args(Estimand):
            raise EstimationError(f"unknown estimand {self.estimand!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the data say. `standard_error` is on the log scale for ratios; counts are those behind the value.

    Raises EstimationError for a number that is not finite, for a value outside its limits, for `ok` without a value
    and for any other status without a reason.
    """

    method: str
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    confidence_level: float | None = None
    standard_error: float | None = None
    p_value: float | None = None
    person_count: int | None = None
    event_count: int | None = None
    person_days: int | None = None
    status: Status = "ok"
    reason: str = ""

    def __post_init__(self) -> None:
        numbers = (self.value, self.lower, self.upper, self.standard_error, self.p_value)
        if any(number is not None and not math.isfinite(number) for number in numbers):
            raise EstimationError(f"{self.method}: a result must be finite or absent, got {numbers}")
        if self.status == "ok" and self.value is None:
            raise EstimationError(f"{self.method}: status ok needs a value")
        if self.status != "ok" and not self.reason:
            raise EstimationError(f"{self.method}: status {self.status} needs a reason")
        if self.status == "limit_only" and (self.value is not None or (self.lower is None) == (self.upper is None)):
            raise EstimationError(f"{self.method}: limit_only has no value and exactly one limit")
        for low, high in ((self.lower, self.value), (self.value, self.upper), (self.lower, self.upper)):
            if low is not None and high is not None and low > high + 1e-9 * max(1.0, abs(high)):
                raise EstimationError(f"{self.method}: value outside its limits: {numbers}")


def not_estimable(method: str, reason: str, **counts: int | None) -> Answer:
    """The answer when the data hold no information on the question."""
    return Answer(method=method, status="not_estimable", reason=reason, **counts)


def not_assessable(method: str, reason: str) -> Answer:
    """The answer when a table or field that the question needs is absent."""
    return Answer(method=method, status="not_assessable", reason=reason)


@dataclass(frozen=True, slots=True)
class Estimate:
    """One row of `estimate.result`."""

    question: Question
    answer: Answer

    @property
    def estimate_id(self) -> str:
        """`analysis` to `time_days` joined by `/`, then the method."""
        asked = [getattr(self.question, field.name) for field in fields(Question)]
        return "/".join(["" if part is None else str(part) for part in asked] + [self.answer.method])

    def with_status(self, status: Status, reason: str) -> Estimate:
        """The same numbers under another verdict, such as `gate_failed`."""
        return Estimate(self.question, replace(self.answer, status=status, reason=reason))


RESULT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "estimate_id": pl.String, "analysis": pl.String, "estimand": pl.String, "exposure_rule": pl.String,
    "population": pl.String, "regimen_id": pl.String, "comparator_id": pl.String, "outcome_id": pl.String,
    "stratum": pl.String, "level": pl.String, "time_days": pl.Int64, "value": pl.Float64, "lower": pl.Float64,
    "upper": pl.Float64, "confidence_level": pl.Float64, "standard_error": pl.Float64, "p_value": pl.Float64,
    "method": pl.String, "person_count": pl.Int64, "event_count": pl.Int64, "person_days": pl.Int64,
    "status": pl.String, "reason": pl.String, "study_digest": pl.String,
}  # fmt: skip

CURVE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "analysis": pl.String, "exposure_rule": pl.String, "population": pl.String, "regimen_id": pl.String,
    "comparator_id": pl.String, "outcome_id": pl.String, "stratum": pl.String, "level": pl.String,
    "time_days": pl.Int64, "value": pl.Float64, "lower": pl.Float64, "upper": pl.Float64,
    "at_risk_count": pl.Int64, "event_count": pl.Int64, "censored_count": pl.Int64,
}  # fmt: skip

DIAGNOSTIC_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "analysis": pl.String, "diagnostic": pl.String, "item": pl.String, "value": pl.Float64,
    "threshold": pl.Float64, "status": pl.String,
}  # fmt: skip


def result_frame(estimates: Iterable[Estimate], *, study_digest: str) -> pl.DataFrame:
    """Rows of `estimate.result`, sorted by `estimate_id`.

    Raises EstimationError when two estimates carry the same `estimate_id`.
    """
    rows = []
    for estimate in estimates:
        row: dict[str, object] = {"estimate_id": estimate.estimate_id, "study_digest": study_digest}
        for part in (estimate.question, estimate.answer):
            row |= {field.name: getattr(part, field.name) for field in fields(part)}
        rows.append(row)
    frame = pl.DataFrame(rows, schema=RESULT_SCHEMA).sort("estimate_id")
    if frame["estimate_id"].n_unique() != frame.height:
        twice = frame.filter(frame["estimate_id"].is_duplicated())["estimate_id"].unique().sort().to_list()
        raise EstimationError(f"{len(twice)} estimates were made twice, the first: {twice[0]}")
    return frame
