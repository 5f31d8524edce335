"""Reactions after administered doses: how many persons, doses and years, by drug, number of the dose and study drugs together.

Owns the questions asked of `summary.reaction_count` and `summary.reaction_time`, and what a literature value of the risk makes
of the number of persons here. Times from dose to onset are in `reaction_latency`; what is attributed to a dose is in `sql/care`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.estimate import at_least_one
from analysis.estimate.incidence import METHOD as GARWOOD
from analysis.estimate.incidence import incidence_rate_per_100py, rate_per_10000_administrations
from analysis.estimate.proportion import proportion
from analysis.estimate.result import Answer, Estimand, Estimate, Question, not_assessable, not_estimable

ANALYSIS = "anaphylaxis"
POPULATION = "administered"
ALL = "all"
DOSE_LEVELS = ("1", "2", "3", ">=4")
UNKNOWN_DOSE = "not known"
BY_DOSE = "by=dose_number"
NO_DOSES = "no record of the source is the administration of such a drug: doses are not known"
NO_NUMBERS = "of no reaction is the number of the dose known"
BENCHMARKS = "anaphylaxis_per_person"  # identifiers in reference.benchmark begin so
BENCHMARK_DRUG = "omalizumab"
SEEN = 0.95  # probability of at least one event that is asked for


def stratum(**pairs: str | int) -> str:
    """`name=value` pairs in byte order; those that are `all` or empty are left out."""
    return ";".join(f"{name}={value}" for name, value in sorted(pairs.items()) if value not in (ALL, ""))


def reactions(
    counts: pl.DataFrame,
    times: pl.DataFrame,
    *,
    outcomes: Iterable[str],
    undosed: Collection[str],
    rule: str,
    confidence: float,
    assessable: Collection[str],
) -> list[Estimate]:
    """Share of persons, rate per 10,000 doses and per 100 person-years, and shares by number of the dose.

    counts, times: `summary.reaction_count` and `summary.reaction_time`. outcomes: the reactions of the study. undosed: study drugs in use
    of which no record is an administration. `stratum`: the drug of the dose, and a window other than the main one; `regimen_id`: the
    study drugs covered or in tail; `level`: the number of the dose. Doses whose number is not known have a level of their own. A
    share of reactions by number of the dose (`by=dose_number`) has as denominator the reactions whose number is known. Nobody is 0 with
    an upper limit; a source without administered doses, or without a table that could hold the reaction, is `not_assessable`.
    Misleads as the risk of a drug where reactions bring the next dose to be given elsewhere, or not at all.
    """
    found: list[Estimate] = []
    for outcome in outcomes:
        asked = {"analysis": ANALYSIS, "exposure_rule": rule, "population": POPULATION, "outcome_id": outcome}
        if outcome not in assessable or counts.is_empty():
            why = NO_RECORDS if outcome not in assessable else NO_DOSES
            found += _without(asked, "", why)
            continue
        for drug in sorted(undosed):
            found += _without(asked, stratum(drug=drug), NO_DOSES)
        rows = counts.filter(pl.col("outcome_id") == outcome)
        for row in rows.filter(pl.col("is_primary") | _is_whole()).iter_rows(named=True):
            found += _counted(row, asked, confidence)
        found += _by_dose(rows.filter("is_primary"), asked, confidence)
        for row in times.filter(pl.col("outcome_id") == outcome).iter_rows(named=True):
            question = Question(
                estimand="incidence_rate_per_100py", regimen_id=_named(row["regimen_id"]),
                stratum=stratum(drug=row["drug_id"]), **asked,  # type: ignore[arg-type]
            )  # fmt: skip
            answer = incidence_rate_per_100py(
                row["event_count"], row["person_days"], person_count=row["person_count"], confidence=confidence
            )
            found.append(Estimate(question, answer))
    return found


def _is_whole() -> pl.Expr:
    return (pl.col("regimen_id") == ALL) & (pl.col("dose_level") == ALL)


def _named(value: str) -> str:
    return "" if value == ALL else value


def _without(asked: Mapping[str, str], where: str, why: str) -> list[Estimate]:
    estimands: tuple[tuple[Estimand, str], ...] = (
        ("proportion", "clopper_pearson"), ("rate_per_10000_administrations", GARWOOD), ("incidence_rate_per_100py", GARWOOD),
    )  # fmt: skip
    return [
        Estimate(Question(estimand=estimand, stratum=where, **asked), not_assessable(method, why))  # type: ignore[arg-type]
        for estimand, method in estimands
    ]


def _counted(row: Mapping[str, object], asked: Mapping[str, str], confidence: float) -> list[Estimate]:
    """Persons and doses of one row; the doses themselves beside them."""
    hours = "" if row["is_primary"] else int(str(row["window_hours"]))
    where = {
        "regimen_id": _named(str(row["regimen_id"])),
        "stratum": stratum(drug=str(row["drug_id"]), window_hours=hours),
        "level": _named(str(row["dose_level"])),
    }
    persons, doses, events = (
        int(str(row[name])) for name in ("person_count", "administration_count", "reaction_count")
    )
    share = proportion(int(str(row["reaction_person_count"])), persons, confidence=confidence)
    rate = replace(rate_per_10000_administrations(events, doses, confidence=confidence), person_count=persons)
    found: list[tuple[Estimand, Answer, str]] = [
        ("proportion", share, ""), ("rate_per_10000_administrations", rate, ""),
    ]  # fmt: skip
    if row["is_primary"]:
        found.append(("count", Answer(method="count", value=float(doses), person_count=persons), "doses"))
        if row["shared_count"]:
            shared = Answer(
                method="count", value=float(str(row["shared_count"])), event_count=int(str(row["shared_count"]))
            )
            found.append(("count", shared, "shared"))
    return [
        Estimate(
            Question(estimand=estimand, **asked, **(where | {"stratum": _with(where["stratum"], kind)})),  # type: ignore[arg-type]
            answer,
        )
        for estimand, answer, kind in found
    ]


def _with(where: str, kind: str) -> str:
    parts = [part for part in (where, f"of={kind}" if kind else "") if part]
    return ";".join(sorted(part for group in parts for part in group.split(";")))


def _by_dose(rows: pl.DataFrame, asked: Mapping[str, str], confidence: float) -> list[Estimate]:
    """Share of reactions at each number of the dose, of those whose number is known, in all and by drug."""
    found = []
    numbered = rows.filter((pl.col("regimen_id") == ALL) & pl.col("dose_level").is_in(DOSE_LEVELS))
    for (drug,), held in numbered.group_by(["drug_id"], maintain_order=True):
        by_level = dict(held.select("dose_level", "reaction_count").iter_rows())
        total = sum(by_level.values())
        where = stratum(by="dose_number", drug=str(drug))
        for level in DOSE_LEVELS:
            question = Question(estimand="proportion", stratum=where, level=level, **asked)  # type: ignore[arg-type]
            answer = (
                replace(proportion(by_level.get(level, 0), total, confidence=confidence), person_count=None)
                if total
                else not_estimable("clopper_pearson", NO_NUMBERS, event_count=0)
            )
            found.append(Estimate(question, answer))
    return found


def power(
    benchmarks: pl.DataFrame, counts: pl.DataFrame, *, outcome: str, rule: str, is_assessable: bool
) -> list[Estimate]:
    """What each literature value of the risk makes of the persons here: expected number, chance of one, persons needed for one.

    benchmarks: `reference.benchmark`; counts: `summary.reaction_count`. For persons with a dose of the drug, in all and under each
    pair with it. Limits are those that the limits of the literature value give, not of our data. `persons needed`
    is for a chance of 95 %. Misleads where the persons of the literature are not those here.
    """
    found = []
    risks = benchmarks.filter(pl.col("benchmark_id").str.starts_with(BENCHMARKS) & pl.col("value").is_not_null())
    held = counts.filter(
        (pl.col("outcome_id") == outcome) & pl.col("is_primary") & (pl.col("drug_id") == BENCHMARK_DRUG) & (pl.col("dose_level") == ALL)
    )  # fmt: skip
    for risk in risks.sort("benchmark_id").iter_rows(named=True):
        asked = {
            "analysis": ANALYSIS, "exposure_rule": rule, "population": POPULATION, "outcome_id": outcome,
            "stratum": stratum(benchmark=risk["benchmark_id"], drug=BENCHMARK_DRUG),
        }  # fmt: skip
        limits = {"lower": risk["lower"], "upper": risk["upper"]}
        level_of = risk["confidence_level"] if risk["lower"] is not None else None
        question = Question(estimand="count", level="persons needed", **asked)  # type: ignore[arg-type]
        answer = at_least_one.needed(risk["value"], probability=SEEN, **limits)
        found.append(Estimate(question, replace(answer, confidence_level=level_of)))
        for row in held.iter_rows(named=True) if is_assessable else ():
            where, persons = _named(row["regimen_id"]), row["person_count"]
            if where.count("+") != 1 and where:
                continue
            for estimand, level, make in (
                ("count", "expected", at_least_one.expected),
                ("risk", "at least one", at_least_one.chance),
            ):
                question = Question(estimand=estimand, regimen_id=where, level=level, **asked)  # type: ignore[arg-type]
                answer = make(risk["value"], persons, **limits)
                found.append(Estimate(question, replace(answer, confidence_level=level_of)))
    return found
