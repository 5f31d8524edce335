"""Adverse events by system organ class and term: rates by time and by dose, differences, days from the last dose, and a screen.

Owns the questions asked of `summary.adverse_event_*`. What is followed, and which words mean severe or related, is in `sql/care`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from analysis.estimate.incidence import METHOD as GARWOOD
from analysis.estimate.incidence import incidence_rate_per_100py, rate_per_10000_administrations
from analysis.estimate.information_component import METHOD as SHRINKAGE
from analysis.estimate.information_component import information_component
from analysis.estimate.proportion import proportion
from analysis.estimate.rates import TwoRates, rate_difference_per_100py
from analysis.estimate.result import Answer, Estimand, Estimate, Question, not_assessable, not_estimable
from analysis.estimate.sample_median import sample_median

ANALYSIS = "adverse_event_rate"
ALL_EVENTS, FIRST_EVENTS, SCREEN = "all_events", "first_events", "screen"
ALL, NOT_GIVEN, ANY = "all", "not given", "any"
RECORDS, SAYING = "records", "records that say"
LADDER = "study_drugs"
LEVELS = ("0", "1", ">=2")
NAMED_LEVELS = {"1": "one", ">=2": "several"}
NO_TABLE = "the source has no table of adverse events"
NO_FIELD = "no adverse event of the source says whether it is of this class"
NO_DOSES = "doses of a drug of this set are not recorded as administrations"
DAY_BINS = (
    ("0 days", 0, 0), ("1 day", 1, 1), ("2 to 7 days", 2, 7), ("8 to 14 days", 8, 14), ("15 to 28 days", 15, 28),
    ("29 to 56 days", 29, 56), ("later than 56 days", 57, 100_000),
)  # fmt: skip

Row = Mapping[str, object]
Cell = tuple[str, str]  # system organ class, term


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the study asks: exposure rule, confidence, fewest persons on a pair for a difference, fewest events for the screen."""

    rule: str
    confidence: float
    pair_minimum_persons: int
    screen_minimum_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """`summary.adverse_event_count`, `_class`, `_onset` and `summary.regimen_dose`."""

    counts: pl.DataFrame
    classes: pl.DataFrame
    onsets: pl.DataFrame
    doses: pl.DataFrame


def stratum(organ_class: str, term: str, event_class: str, *others: str) -> str:
    """`name=value` pairs in byte order; all terms, any class, and organ classes that are all or not given are left out."""
    pairs = {"class": event_class, "organ_class": organ_class, "term": term}
    named = [f"{name}={value.replace(';', ',')}" for name, value in pairs.items() if value not in (ALL, ANY, NOT_GIVEN)]
    return ";".join(sorted([*named, *others]))


def adverse_events(frames: Frames, settings: Settings) -> list[Estimate]:
    """Every estimate of adverse events.

    * `incidence_rate_per_100py`: population `all_events` counts every event in all of the time, `first_events` the first of each person
      since cohort entry in the time before it; by number of study drugs (`ladder=study_drugs`; 1 and more are treatment-emergent) and by
      which they are (`regimen_id`).
    * `rate_difference_per_100py`: several study drugs less one, and each pair less each of its drugs alone, of all events.
    * `rate_per_10000_administrations`: of a regimen whose drugs are all recorded as administrations.
    * `median_time_days` and shares by bin: days from the latest dose or other record of a study drug.
    * `count`: the records, and those of them that say whether they are of a class.
    * `information_component`: a screen for terms under a regimen, not a risk; fewer events than the least count have none.

    `stratum` names class, organ class and term. A class that no record tells of is `not_assessable`, a term without an event 0 with an
    upper limit. Misleads as a comparison: who gets a second drug differs from who does not, many terms differ by chance, and events
    of one person are taken as independent, so that limits of `all_events` are too narrow where a few persons have most.
    """
    told = {str(row["event_class"]): row for row in frames.classes.iter_rows(named=True)}
    found = [*_untold(told, settings), *_saying(told, settings)]
    counts = frames.counts.filter(
        pl.col("event_class").is_in([name for name, row in told.items() if row["is_assessable"]])
    )
    if counts.is_empty():
        return found
    found += _rates(counts, settings)
    found += _differences(counts, settings)
    found += _by_dose(counts, frames.doses, settings)
    found += _onset(frames.onsets, told, settings)
    return found + list(_screen(counts, settings))


def _question(
    settings: Settings, estimand: Estimand, population: str, where: str, *, regimen: str = "", level: str = "", comparator: str = ""
) -> Question:  # fmt: skip
    return Question(
        analysis=ANALYSIS, estimand=estimand, exposure_rule=settings.rule, population=population, regimen_id=regimen,
        comparator_id=comparator, stratum=where, level=level,
    )  # fmt: skip


def _untold(told: Mapping[str, Row], settings: Settings) -> Iterator[Estimate]:
    for name, row in told.items():
        if not row["is_assessable"]:
            why = NO_FIELD if row["record_count"] else NO_TABLE
            for population in (ALL_EVENTS, FIRST_EVENTS):
                question = _question(settings, "incidence_rate_per_100py", population, stratum(ALL, ALL, name))
                yield Estimate(question, not_assessable(GARWOOD, why))


def _saying(told: Mapping[str, Row], settings: Settings) -> Iterator[Estimate]:
    """How many of the followed records say whether they are of a class: the others count as not of it."""
    for name, row in told.items():
        if row["is_assessable"]:
            number = int(str(row["record_count" if name == ANY else "known_count"]))
            question = _question(
                settings, "count", ALL_EVENTS, stratum(ALL, ALL, name), level=RECORDS if name == ANY else SAYING
            )
            yield Estimate(question, Answer(method="count", value=float(number), event_count=number))


def _rates(counts: pl.DataFrame, settings: Settings) -> Iterator[Estimate]:
    for row in counts.iter_rows(named=True):
        by_regimen = row["dimension"] == "regimen"
        if _repeats_all(row):
            continue
        others = () if by_regimen else (f"ladder={LADDER}",)
        where = stratum(row["system_organ_class"], row["term"], row["event_class"], *others)
        place = {"regimen": row["level"]} if by_regimen else {"level": row["level"]}
        every = incidence_rate_per_100py(
            row["event_count"], row["person_days"], person_count=row["person_count"], confidence=settings.confidence
        )
        yield Estimate(_question(settings, "incidence_rate_per_100py", ALL_EVENTS, where, **place), every)
        first = incidence_rate_per_100py(
            row["first_event_count"], row["first_person_days"], person_count=row["first_person_count"], confidence=settings.confidence
        )  # fmt: skip
        yield Estimate(_question(settings, "incidence_rate_per_100py", FIRST_EVENTS, where, **place), first)


def _repeats_all(row: Row) -> bool:
    """Whether a row of an organ class only repeats that of all terms: where the source gives no class."""
    return row["system_organ_class"] == NOT_GIVEN and row["term"] == ALL


def _cells(counts: pl.DataFrame, dimension: str, event_class: str = ANY) -> dict[Cell, dict[str, Row]]:
    found: dict[Cell, dict[str, Row]] = {}
    chosen = counts.filter((pl.col("dimension") == dimension) & (pl.col("event_class") == event_class))
    for row in chosen.iter_rows(named=True):
        if not _repeats_all(row):
            found.setdefault((row["system_organ_class"], row["term"]), {})[row["level"]] = row
    return found


def _less(one: Row, other: Row, settings: Settings) -> Answer:
    table = TwoRates(*(int(str(row[name])) for row in (one, other) for name in ("event_count", "person_days")))
    answer = rate_difference_per_100py(table, confidence=settings.confidence)
    return replace(answer, person_count=int(str(one["person_count"])))


def _differences(counts: pl.DataFrame, settings: Settings) -> Iterator[Estimate]:
    for name in counts["event_class"].unique().sort():
        for (organ_class, term), levels in _cells(counts, LADDER, str(name)).items():
            if {"1", ">=2"} <= set(levels):
                where = stratum(organ_class, term, str(name), f"ladder={LADDER}")
                question = _question(
                    settings, "rate_difference_per_100py", ALL_EVENTS, where, level=">=2", comparator="1"
                )
                yield Estimate(question, _less(levels[">=2"], levels["1"], settings))
    by_regimen = _cells(counts, "regimen")
    time = by_regimen.get((ALL, ALL), {})
    for (organ_class, term), levels in by_regimen.items():
        for pair, alone in _pairs(time, settings):
            if pair in levels or alone in levels:
                one, other = (
                    levels.get(name, {**time[name], "event_count": 0, "event_person_count": 0})
                    for name in (pair, alone)
                )
                where = stratum(organ_class, term, ANY)
                question = _question(
                    settings, "rate_difference_per_100py", ALL_EVENTS, where, regimen=pair, comparator=alone
                )
                yield Estimate(question, _less(one, other, settings))


def _pairs(time: Mapping[str, Row], settings: Settings) -> list[tuple[str, str]]:
    """Pairs with enough persons, each with either of its drugs alone."""
    return [
        (pair, alone)
        for pair, row in sorted(time.items())
        if pair.count("+") == 1 and int(str(row["person_count"])) >= settings.pair_minimum_persons
        for alone in pair.split("+")
        if alone in time
    ]


def _by_dose(counts: pl.DataFrame, doses: pl.DataFrame, settings: Settings) -> Iterator[Estimate]:
    given = {str(row["regimen_id"]): row for row in doses.iter_rows(named=True)}
    for (organ_class, term), levels in _cells(counts, "regimen").items():
        for regimen, row in sorted(levels.items()):
            if regimen == "none":
                continue
            held = given.get(regimen)
            where = stratum(organ_class, term, ANY)
            question = _question(settings, "rate_per_10000_administrations", ALL_EVENTS, where, regimen=regimen)
            if held is None or held["dosed_drug_count"] != regimen.count("+") + 1:
                if (organ_class, term) == (ALL, ALL):
                    yield Estimate(question, not_assessable(GARWOOD, NO_DOSES))
                continue
            answer = rate_per_10000_administrations(
                int(str(row["event_count"])), int(str(held["administration_count"])), confidence=settings.confidence
            )
            yield Estimate(question, replace(answer, person_count=int(str(row["person_count"]))))


def _onset(onsets: pl.DataFrame, told: Mapping[str, Row], settings: Settings) -> Iterator[Estimate]:
    for name in (ANY, "serious"):
        if not told[name]["is_assessable"]:
            continue
        for level, words in NAMED_LEVELS.items():
            rows = onsets.filter((pl.col("event_class") == name) & (pl.col("level") == level))
            by_day = dict(rows.select("drug_day", "event_count").iter_rows())
            where = stratum(ALL, ALL, name, f"drugs={words}")
            question = _question(settings, "median_time_days", ALL_EVENTS, where)
            yield Estimate(question, sample_median(by_day, confidence=settings.confidence))
            total = sum(by_day.values())
            for label, first, last in DAY_BINS:
                held = sum(count for day, count in by_day.items() if first <= day <= last)
                answer = (
                    replace(proportion(held, total, confidence=settings.confidence), person_count=None)
                    if total
                    else not_estimable("clopper_pearson", "there are no events", event_count=0)
                )
                yield Estimate(_question(settings, "proportion", ALL_EVENTS, where, level=label), answer)


def _screen(counts: pl.DataFrame, settings: Settings) -> Iterator[Estimate]:
    """Events of a term under a regimen against what the term's share of all events would give."""
    ladder, by_regimen = _cells(counts, LADDER), _cells(counts, "regimen")
    totals = {cell: sum(int(str(row["event_count"])) for row in levels.values()) for cell, levels in ladder.items()}
    under = {name: int(str(row["event_count"])) for name, row in by_regimen.get((ALL, ALL), {}).items()}
    for (organ_class, term), levels in by_regimen.items():
        if term == ALL:
            continue
        for regimen, row in sorted(levels.items()):
            if regimen == "none":
                continue
            observed = int(str(row["event_count"]))
            question = _question(
                settings, "information_component", SCREEN, stratum(organ_class, term, ANY), regimen=regimen
            )
            if observed < settings.screen_minimum_count:
                why = f"fewer than {settings.screen_minimum_count} events: too few for a screen"
                answer = not_estimable(
                    SHRINKAGE, why, person_count=int(str(row["event_person_count"])), event_count=observed
                )
            else:
                expected = under[regimen] * totals[organ_class, term] / totals[ALL, ALL]
                answer = replace(
                    information_component(observed, expected, confidence=settings.confidence),
                    person_count=int(str(row["event_person_count"])),
                )
            yield Estimate(question, answer)
