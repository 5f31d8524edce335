"""Diagnostics of a comparison and the gates they make.

Owns the rows of `estimate.diagnostic`, what each diagnostic says of an estimate, and how an estimate that fails is marked. Balance and
equipoise are computed where groups are made; thresholds are those of the study file.
Source: OHDSI's diagnostics (Schuemie 2023, PNAS Nexus 2:pgad306 [balance, equipoise, expected absolute systematic error, minimal
detectable ratio]); Walker 2013, Comp Eff Res 3:11 (equipoise).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Literal

import polars as pl

from analysis.estimate.empirical_calibration import SystematicError, fit_systematic_error
from analysis.estimate.result import DIAGNOSTIC_SCHEMA, Answer, Estimate
from analysis.study.comparison import Diagnostics

Verdict = Literal["pass", "fail", "not_assessable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One row of `estimate.diagnostic`; `item`: `name=value` pairs in byte order joined by `;`."""

    analysis: str
    diagnostic: str
    item: str
    value: float | None
    threshold: float | None
    status: Verdict


def item(**parts: str) -> str:
    """What a diagnostic is of, in the words of a stratum."""
    return ";".join(f"{name}={parts[name]}" for name in sorted(parts) if parts[name])


def diagnostic_frame(diagnostics: Iterable[Diagnostic]) -> pl.DataFrame:
    """Rows of `estimate.diagnostic`."""
    return pl.DataFrame([astuple(each) for each in diagnostics], schema=DIAGNOSTIC_SCHEMA, orient="row")


@dataclass(frozen=True, slots=True)
class NegativeControls:
    """What the negative controls of one design say: rows for them, why estimates fail, and the error where it can be fitted."""

    diagnostics: list[Diagnostic]
    failure: str
    error: SystematicError | None


def judge_negative_controls(
    answers: Mapping[str, Answer], settings: Diagnostics, *, analysis: str, parts: Mapping[str, str]
) -> NegativeControls:
    """Verdict of the negative controls that share a design with an estimate.

    answers: ratio by outcome. A control is usable when its ratio has a value above 0 and a standard error. With `controls_to_calibrate`
    usable ones the systematic error is fitted, and estimates fail where its expected absolute size on the log scale exceeds
    `systematic_error`; with fewer they fail where the limits of more than `controls_off_null` exclude 1. Without a usable one the
    gate is not assessable, which fails nobody and is said.
    Misleads when the controls share less, or more, confounding with exposure than the outcome of interest does.
    """
    rows = []
    off = 0
    usable = {}
    for outcome, answer in sorted(answers.items()):
        excludes = (answer.lower is not None and answer.lower > 1.0) or (
            answer.upper is not None and answer.upper < 1.0
        )
        is_told = answer.status in ("ok", "limit_only")
        if answer.value and answer.standard_error is not None and answer.status == "ok":
            usable[outcome] = answer
        off += excludes
        rows.append(
            Diagnostic(
                analysis=analysis, diagnostic="negative_control", item=item(outcome_id=outcome, **parts),
                value=answer.value, threshold=1.0, status="fail" if excludes else "pass" if is_told else "not_assessable",
            )
        )  # fmt: skip
    error = None
    failure = ""
    if len(usable) >= settings.controls_to_calibrate:
        error = fit_systematic_error(
            [math.log(a.value) for a in usable.values() if a.value],
            [a.standard_error for a in usable.values() if a.standard_error is not None],
        )
        size = expected_absolute_error(error)
        is_large = size > settings.systematic_error
        rows.append(
            Diagnostic(
                analysis=analysis, diagnostic="expected_systematic_error", item=item(**parts), value=size,
                threshold=settings.systematic_error, status="fail" if is_large else "pass",
            )
        )  # fmt: skip
        if is_large:
            failure = (
                f"expected systematic error {size:.2f} on the log scale by {len(usable)} negative controls, "
                f"above {settings.systematic_error:g}"
            )
    else:
        is_assessable = bool(usable) or off > 0
        is_off = off > settings.controls_off_null
        rows.append(
            Diagnostic(
                analysis=analysis, diagnostic="negative_controls_off_null", item=item(**parts),
                value=float(off) if is_assessable else None, threshold=float(settings.controls_off_null),
                status="fail" if is_off else "pass" if is_assessable else "not_assessable",
            )
        )  # fmt: skip
        if is_off:
            failure = f"{off} of {len(answers)} negative controls have limits that exclude 1"
    return NegativeControls(rows, failure, error)


def expected_absolute_error(error: SystematicError) -> float:
    """Mean of the absolute systematic error on the log scale, of a normal distribution folded at 0.

    Source: Leone, Nelson and Nottingham 1961, Technometrics 3:543.
    """
    mean, deviation = error.mean, error.standard_deviation
    if deviation == 0.0:
        return abs(mean)
    scaled = mean / deviation
    return deviation * math.sqrt(2.0 / math.pi) * math.exp(-0.5 * scaled**2) + mean * math.erf(scaled / math.sqrt(2.0))


def judge_detectable(
    answer: Answer, settings: Diagnostics, *, analysis: str, parts: Mapping[str, str]
) -> tuple[Diagnostic, str]:
    """Whether the study could have seen a ratio worth seeing: the row and, where not, why.

    answer: a minimal detectable ratio; without one nothing can be detected.
    """
    is_large = answer.value is None or answer.value > settings.detectable_ratio
    row = Diagnostic(
        analysis=analysis, diagnostic="minimal_detectable_ratio", item=item(**parts), value=answer.value,
        threshold=settings.detectable_ratio, status="fail" if is_large else "pass",
    )  # fmt: skip
    if not is_large:
        return row, ""
    told = answer.reason if answer.value is None else f"it is {answer.value:.1f}"
    return row, f"no ratio up to {settings.detectable_ratio:g} could be detected ({told})"


def gated(estimate: Estimate, failures: Sequence[str]) -> Estimate:
    """The estimate as it stands, or as failed where it has numbers and a gate fails; what was said of it before is kept."""
    reasons = [failure for failure in failures if failure]
    if not reasons or estimate.answer.status not in ("ok", "limit_only"):
        return estimate
    said = [estimate.answer.reason] if estimate.answer.reason else []
    return estimate.with_status("gate_failed", "; ".join([*reasons, *said]))
