"""Reactions to administered doses: times of day for doses, anaphylaxis with a known latency, and the truth of both.

Owns what is added to finished tables, so that a world without reactions stays as it is. A share of the reactions falls on each number
of the dose; who has it is drawn among those who got that dose, so that the shares are those that are planted, whoever stopped before.
Nobody has two. The plan's values are in `reaction_plan.py`.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from analysis.simulate.design import SimulationError
from analysis.simulate.dosing import Records
from analysis.simulate.reaction_plan import ReactionPlan
from analysis.simulate.reference import DrugBook, Flags, Floats, Ints
from analysis.simulate.tables import dates, ids_of, numbered
from analysis.simulate.truth import Planted

_DAY = 1440  # minutes
_MICROSECONDS = 60_000_000  # of a minute
_LEVELS = ("1", "2", "3", ">=4")


def with_reactions(
    plan: ReactionPlan, tables: dict[str, pl.DataFrame], records: Records, book: DrugBook, *, observed_stop: Ints,
    rng: np.random.Generator,
) -> dict[str, pl.DataFrame]:  # fmt: skip
    """The tables with times of day of administered doses and with reactions to the plan's drug.

    Every record of the drug becomes an administration. Raises SimulationError for shares that do not sum to 1.
    """
    _check(plan)
    is_ours = records.drug == book.position(plan.drug_id)
    is_given = is_ours | book.is_infusion[records.drug]
    minute = rng.integers(plan.first_minute, plan.last_minute, size=records.day.size)
    dose = _reacting(plan, records, is_ours, observed_stop, rng)
    wait = _waits(plan, dose.size, rng)
    is_dated_only = rng.random(dose.size) < plan.date_only_share
    onset = records.day[dose] * _DAY + minute[dose] + wait
    return tables | {
        "prescription": _timed(tables["prescription"], is_given, records.day * _DAY + minute),
        "adverse_event": _with_events(
            tables["adverse_event"], plan, records.person[dose], onset, is_dated_only,
            suspect=book.products[book.position(plan.drug_id)][0],
        ),
    }  # fmt: skip


def planted_reactions(plan: ReactionPlan) -> list[Planted]:
    """What the estimates of reactions are the truth of."""
    drug = f"drug={plan.drug_id}"
    asked = {"estimand": "proportion", "unit": "proportion", "outcome_id": plan.outcome_id}
    return [
        Planted(
            name="reaction_risk", value=plan.risk, population="administered", stratum=drug,
            note="persons with a dose; nobody has two", **asked,
        ),
        Planted(
            name="reaction_late", value=plan.late_share, population="known_latency", stratum=drug, level="later than 60 min",
            note="of reactions whose onset has a time of day", **asked,
        ),
        *(
            Planted(
                name="reaction_dose", value=share, population="administered", stratum=f"by=dose_number;{drug}", level=level,
                note="share of reactions", **asked,
            )
            for level, share in plan.dose_shares
        ),
    ]  # fmt: skip


def _check(plan: ReactionPlan) -> None:
    shares = [share for _, share in plan.dose_shares], [share for *_, share in plan.latency]
    if any(not math.isclose(math.fsum(part), 1.0) for part in shares):
        raise SimulationError(f"reactions to {plan.drug_id}: the shares of doses and of latencies must add up to 1")
    if [level for level, _ in plan.dose_shares] != list(_LEVELS):
        raise SimulationError(f"reactions to {plan.drug_id}: shares are of doses {', '.join(_LEVELS)}")


def _reacting(
    plan: ReactionPlan, records: Records, is_ours: Flags, observed_stop: Ints, rng: np.random.Generator
) -> Ints:
    """Positions of the records with a reaction."""
    place = np.flatnonzero(is_ours)
    person = records.person[place]
    _, start, size = np.unique(person, return_index=True, return_counts=True)
    number = np.arange(place.size) - np.repeat(start, size) + 1
    # The reaction may come on the day after, which must be observed.
    can = records.day[place] + 1 < observed_stop[person]
    total = int(rng.binomial(size.size, plan.risk))
    level = np.minimum(number, len(_LEVELS))
    taken: set[int] = set()
    chosen: list[int] = []
    wanted = rng.choice(len(_LEVELS), size=total, p=[share for _, share in plan.dose_shares]) + 1
    # The rarest first: few have a fourth dose, and one taken for an early dose is lost to it.
    for rung in range(len(_LEVELS), 0, -1):
        count = int(np.sum(wanted == rung))
        order = rng.permutation(np.flatnonzero(can & (level == rung)))
        for at in order:
            if count == 0:
                break
            if int(person[at]) not in taken:
                taken.add(int(person[at]))
                chosen.append(int(place[at]))
                count -= 1
        if count:
            raise SimulationError(f"reactions to {plan.drug_id}: too few persons with dose {_LEVELS[rung - 1]}")
    return np.sort(np.array(chosen, dtype=np.int64))


def _waits(plan: ReactionPlan, size: int, rng: np.random.Generator) -> Ints:
    """Minutes from dose to onset, even within each bin."""
    over, until, share = (np.array([item[part] for item in plan.latency]) for part in range(3))
    which = rng.choice(over.size, size=size, p=share)
    draw: Floats = rng.random(size)
    found: Ints = (over[which] + 1 + np.floor(draw * (until - over)[which])).astype(np.int64)
    return found


def _timed(prescription: pl.DataFrame, is_given: Flags, minute: Ints) -> pl.DataFrame:
    given = pl.Series(is_given)
    return prescription.with_columns(
        record_type=pl.when(given).then(pl.lit("administration")).otherwise("record_type"),
        start_datetime=pl.when(given).then(_datetimes(minute)),
    )


def _with_events(
    events: pl.DataFrame, plan: ReactionPlan, person: Ints, onset: Ints, is_dated_only: Flags, *, suspect: str
) -> pl.DataFrame:
    size = person.size
    same = {"serious": "Y", "hospitalisation": "Y", "action_taken": "dose not changed", "suspect_drug": suspect}
    reactions = pl.DataFrame(
        {
            "adverse_event_id": numbered("AE", count=size, digits=8, after=events.height),
            "person_id": ids_of(person),
            "term": pl.repeat(plan.term, size, eager=True),
            "onset_date": dates(onset // _DAY),
            "onset_datetime": _datetimes(onset),
        }
    ).with_columns(
        onset_datetime=pl.when(~pl.Series(is_dated_only)).then("onset_datetime"),
        **{name: pl.lit(value) for name, value in same.items()},
    )
    return pl.concat([events, reactions], how="diagonal")


def _datetimes(minute: Ints) -> pl.Series:
    return pl.Series(values=minute * _MICROSECONDS, dtype=pl.Int64).cast(pl.Datetime("us"))
