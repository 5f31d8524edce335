"""How often and why first pair episodes stop: rates by reason and component, and shares with exact limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from analysis.estimate.incidence import incidence_rate_per_100py
from analysis.estimate.proportion import proportion
from analysis.estimate.result import Estimate, Question, not_assessable

ANALYSIS = "discontinuation"
POPULATION = "first_episode"
NO_REASONS = "the source has no records that could name this reason"
# Shown with their zero and its upper limit even where nobody stopped for them.
REASONS = (
    "adverse_event", "efficacy", "remission", "cost_access", "personal_choice", "pregnancy", "unknown",
)  # fmt: skip
COMPONENTS = ("first_started", "second_started", "both")


@dataclass(frozen=True, slots=True)
class ReasonRecords:
    """Which records of the source could give a reason: stop records or reasons on prescriptions; adverse events."""

    names_reasons: bool
    has_adverse_events: bool

    def can_tell(self, reason: str) -> bool:
        """Whether a stop for this reason could be seen; that a reason is not recorded always can."""
        return self.names_reasons or reason == "unknown" or (reason == "adverse_event" and self.has_adverse_events)


def discontinuation(endings: pl.DataFrame, *, confidence: float, reason_records: ReasonRecords) -> list[Estimate]:
    """Stops per 100 person-years of combination and their share among all first pair episodes.

    endings: `summary.ending_count`. Rates: all stops, by recorded reason (`stratum` by=reason), by the component that
    stopped (by=component), and death as an ending (by=ending). Shares: of all first episodes, ongoing ones included,
    and so a lower bound of the eventual share; the rates have no such defect. A reason for which the source has no
    kind of record is not assessable, never zero.
    """
    estimates: list[Estimate] = []
    for (rule, regimen), group in endings.group_by(("exposure_rule", "regimen_id"), maintain_order=True):
        persons, days = int(group["person_count"].sum()), int(group["person_days"].sum())
        for stratum, level, count in _counts(group):
            asked = {
                "analysis": ANALYSIS, "exposure_rule": rule, "population": POPULATION, "regimen_id": regimen,
                "stratum": stratum, "level": level,
            }  # fmt: skip
            if stratum == "by=reason" and not reason_records.can_tell(level):
                rate, share = not_assessable("garwood", NO_REASONS), not_assessable("clopper_pearson", NO_REASONS)
            else:
                rate = incidence_rate_per_100py(count, days, person_count=persons, confidence=confidence)
                share = proportion(count, persons, confidence=confidence)
            estimates.append(Estimate(Question(estimand="incidence_rate_per_100py", **asked), rate))
            estimates.append(Estimate(Question(estimand="proportion", **asked), share))
    return estimates


def _counts(group: pl.DataFrame) -> Iterator[tuple[str, str, int]]:
    stops = group.filter(pl.col("ending") == "stopped")
    yield "", "", int(stops["person_count"].sum())
    yield "by=ending", "death", int(group.filter(pl.col("ending") == "death")["person_count"].sum())
    yield from _by(stops, "reason", REASONS)
    yield from _by(stops, "component", COMPONENTS)


def _by(stops: pl.DataFrame, column: str, always: tuple[str, ...]) -> Iterator[tuple[str, str, int]]:
    counted = {level: int(count) for level, count in stops.group_by(column).agg(pl.col("person_count").sum()).rows()}
    for level in sorted({*always, *counted}):
        yield f"by={column}", level, counted.get(level, 0)
