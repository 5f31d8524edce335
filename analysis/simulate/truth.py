"""The planted numbers, each with the question it answers, and the latent state of each person.

Owns `truth.json` and `truth_person`. A value here is computed from the hazards, and from realised time only where
it must be weighted by it; never from counted events.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from analysis.simulate.design import COMPONENTS, ENDINGS, STOP_REASONS, Interaction, Profile
from analysis.simulate.infections import LEVELS, Expectation, Infections, first_days
from analysis.simulate.population import Population
from analysis.simulate.reference import DrugBook, Ints
from analysis.simulate.tables import dates, person_ids
from analysis.simulate.timeline import Timeline

_PER_100PY = 1200.0  # months of 30.4375 days in 100 years of 365.25 days
REASON_LABELS = {  # words in the records -> what the staged records call them
    "adverse event": "adverse_event", "lack of efficacy": "efficacy", "cost or access": "cost_access",
    "patient choice": "personal_choice",
}  # fmt: skip
_LADDERS = {"toruner": "opportunistic_infection", "broad": "serious_infection"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One planted number and the estimate it is the truth of (names of the contract, section 4).

    `regimen_id` is `all` for the pairs of all regimens taken together. `comparator_id` is the reference level of a
    ladder. `stratum`: `name=value` pairs, empty for overall.
    """

    name: str
    estimand: str
    value: float | None
    unit: str
    note: str
    population: str
    exposure_rule: str = "primary"
    regimen_id: str = ""
    outcome_id: str = ""
    comparator_id: str = ""
    stratum: str = ""
    level: str = ""


def planted_numbers(
    profile: Profile, people: Population, timeline: Timeline, *, book: DrugBook,
    expectations: dict[str, list[Expectation]],
) -> list[Planted]:  # fmt: skip
    """Every planted number. expectations: of first events, by ladder (`toruner`, `broad`)."""
    days = pair_days(timeline)
    found = [
        Planted(
            name="pair_median", estimand="median_duration_months", population="first_episode", regimen_id="all",
            value=profile.pair.median_months, unit="months",
            note="ln 2 over the hazard of all endings but loss to follow-up; only first pair episodes carry it",
        ),
        _stop_rate(per_month=profile.pair.stop, note="stops only: no death, no loss"),
    ]  # fmt: skip
    for component, per_month in component_hazards(profile, people, book, days=days).items():
        note = "weighted by realised days: before its first interval is over the second drug cannot stop"
        level = component if component == "both" else f"{component}_started"
        found.append(_stop_rate(per_month=per_month, note=note, stratum="by=component", level=level))
    reasons = reason_hazards(profile, timeline, days=days)
    for reason, per_month in reasons.items():
        note = "true hazard x share recorded; pregnancy weighted by realised days, elsewhere it is patient choice"
        if reason == "unknown":
            note = "stops whose reason is not recorded"
        level = REASON_LABELS.get(reason, reason)
        found.append(_stop_rate(per_month=per_month, note=note, stratum="by=reason", level=level))
    plan = profile.infection
    for ladder, outcome_id in _LADDERS.items():
        ratios = plan.opportunistic_ratio if ladder == "toruner" else plan.serious_ratio
        for level, ratio in list(zip(LEVELS, ratios, strict=True))[1:]:
            found.append(
                Planted(
                    name=f"{outcome_id}_ladder", estimand="odds_ratio", population="all_time", outcome_id=outcome_id,
                    comparator_id="0", stratum=f"ladder={ladder}", level=level, value=ratio, unit="ratio",
                    note=f"hazard ratio of the state {plan.lag_days} days earlier; conditional on age above 50",
                )
            )  # fmt: skip
        found += [
            Planted(
                name=f"{outcome_id}_incidence", estimand="incidence_rate_per_100py", population="all_time",
                outcome_id=outcome_id, stratum=f"ladder={ladder}", level=item.level, value=item.per_100py,
                unit="per 100 person-years",
                note="true hazard over realised days from entry to first event, death or observed end",
            )
            for item in expectations[ladder]
        ]  # fmt: skip
    return found + (_joint_numbers(plan.interaction, lag_days=plan.lag_days) if plan.interaction else [])


def _joint_numbers(pair: Interaction, *, lag_days: int) -> list[Planted]:
    """What joint odds ratios are the truth of. Conditional on the ladder level, which the two may raise besides."""
    both = "+".join(sorted((pair.first, pair.second)))
    questions = (
        ("odds_ratio", pair.first, pair.first_ratio), ("odds_ratio", pair.second, pair.second_ratio),
        ("odds_ratio", both, pair.joint_ratio), ("ratio_of_ratios", "", pair.ratio_of_ratios),
        ("reri", "", pair.excess_risk),
    )  # fmt: skip
    return [
        Planted(
            name="interaction", estimand=estimand, population="incidence_density", outcome_id=outcome_id,
            regimen_id=both, comparator_id="neither", level=level, value=value, unit="excess" if estimand == "reri" else "ratio",
            note=f"hazards of the state {lag_days} days earlier, on top of the ladder",
        )
        for outcome_id in _LADDERS.values()
        for estimand, level, value in questions
    ]  # fmt: skip


def truth_document(
    profile: Profile, *, persons: int, seed: int, planted: list[Planted], expectations: dict[str, list[Expectation]]
) -> dict[str, Any]:
    """`truth.json`: what was asked, every parameter, every planted number; numbers to 12 significant digits.

    `realised` is what happened by chance, for orientation; it is no truth.
    """
    return {
        "profile": profile.name,
        "persons": persons,
        "seed": seed,
        "parameters": _plain(asdict(profile))
        | {
            "opportunistic_note": f"opportunistic base rate x {profile.infection.opportunistic_base_factor:g}",
            "smallest_other_serious_per_1000py": _plain(profile.infection.smallest_other_per_1000py()),
        },
        "planted": [_plain(asdict(number)) for number in planted],
        "realised": {ladder: [_plain(asdict(item)) for item in items] for ladder, items in expectations.items()},
    }


def truth_persons(people: Population, timeline: Timeline, book: DrugBook, infections: Infections) -> pl.DataFrame:
    """One row a person: severity, age on entry, the planned first pair, its true ending, first infections.

    `pair_start_date`, `pair_planned_stop_date`: half-open, and the plan may reach past the observed end. `component`
    is null where the ending is no stop; `is_reason_recorded` null without a pair.
    """
    size = people.entry.size
    pairs = [["+".join(sorted((one, other))) for other in book.ids] for one in book.ids]
    pair = pl.Series([name for row in pairs for name in row]).gather(
        people.first_drug * len(book.ids) + people.second_drug
    )
    has_pair = pl.Series(timeline.has_pair)
    component = pl.Series([*COMPONENTS, None], dtype=pl.String).gather(timeline.component % (len(COMPONENTS) + 1))
    every = first_days(infections, persons=size, opportunistic_only=False)
    opportunistic = first_days(infections, persons=size, opportunistic_only=True)
    return pl.DataFrame(
        {
            "person_id": person_ids(size),
            "z": people.severity,
            "age": people.age,
            "entry_date": dates(people.entry),
            "pair": _where(has_pair, pair),
            "pair_start_date": _where(has_pair, dates(timeline.pair_start)),
            "pair_planned_stop_date": _where(has_pair, dates(timeline.pair_stop)),
            "pair_ending": _where(has_pair, pl.Series(list(ENDINGS)).gather(timeline.ending)),
            "component": _where(has_pair, component),
            "is_reason_recorded": _where(has_pair, pl.Series(timeline.is_recorded)),
            "first_serious_infection_date": _where(pl.Series(every >= 0), dates(every)),
            "first_opportunistic_infection_date": _where(pl.Series(opportunistic >= 0), dates(opportunistic)),
        }
    )


def pair_days(timeline: Timeline) -> Ints:
    """Observed days of each person's first pair, 0 without one."""
    days = np.minimum(timeline.pair_stop, timeline.observed_stop) - timeline.pair_start
    return np.where(timeline.has_pair, days, 0)


def component_hazards(profile: Profile, people: Population, book: DrugBook, *, days: Ints) -> dict[str, float]:
    """Hazard per month of a stop by the drug that stops, averaged over the realised days of first pairs."""
    window = book.window[people.second_drug]
    early = float(np.sum(np.minimum(days, window - 1)) / max(int(np.sum(days)), 1))
    shares = dict(profile.pair.component_share)
    return {
        name: profile.pair.stop * ((1 - early) * shares[name] + (early if name == "first" else 0.0))
        for name in COMPONENTS
    }


def reason_hazards(profile: Profile, timeline: Timeline, *, days: Ints) -> dict[str, float]:
    """Hazard per month of a stop by recorded reason, and of `unknown`; averaged over realised days of first pairs."""
    plan = profile.pair
    able = float(np.sum(days[timeline.is_childbearing]) / max(int(np.sum(days)), 1))
    hazard = {name: value for name, value in plan.hazard_per_month if name in STOP_REASONS}
    hazard["patient choice"] += hazard["pregnancy"] * (1 - able)
    hazard["pregnancy"] *= able
    recorded = {str(name): value * plan.reason_recorded_share for name, value in hazard.items()}
    return recorded | {"unknown": plan.stop * (1 - plan.reason_recorded_share)}


def _stop_rate(*, per_month: float, note: str, stratum: str = "", level: str = "") -> Planted:
    return Planted(
        name="pair_stop_rate", estimand="incidence_rate_per_100py", population="first_episode", regimen_id="all",
        stratum=stratum, level=level, value=per_month * _PER_100PY,
        unit="per 100 person-years", note=note,
    )  # fmt: skip


def _where(condition: pl.Series, values: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"condition": condition, "values": values})
    return frame.select(pl.when("condition").then("values").alias("values")).to_series()


def _plain(value: Any) -> Any:
    """Values that JSON knows; floats to 12 significant digits, the last ones differing between processors."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.12g}") if math.isfinite(value) else None
    return value if value is None or isinstance(value, (int, str)) else str(value)
