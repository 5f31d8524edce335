"""Persons and doses as the model takes them, and who cannot be modelled.

Owns the checks of both frames. Dates belong to SQL: days are whole numbers from the day of a person's first dose, which is day 0.
Doses of one day are summed. Prescribed is not administered, and vials are not mg: the caller says what was given.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.pkpd.quantities import NG_PER_IU, STUDIED_IGE_IU_PER_ML, STUDIED_WEIGHT_KG, Floats, Integers, PkpdError

_PERSON = {
    "person_id": None, "weight_kg": pl.Float64, "baseline_ige_iu_per_ml": pl.Float64, "until_day": pl.Int64,
}  # fmt: skip
_DOSE = {"person_id": None, "day": pl.Int64, "dose_mg": pl.Float64}


@dataclass(frozen=True, slots=True)
class Histories:
    """Some persons with all their doses: arrays by person, and doses sorted by day with the index of their person."""

    person_id: pl.Series
    weight_kg: Floats
    baseline_ige_ng_per_ml: Floats
    until_day: Integers
    dose_day: Integers
    dose_person: Integers
    dose_mg: Floats


def assessed(persons: pl.DataFrame, doses: pl.DataFrame) -> pl.DataFrame:
    """Who can be modelled: `person_id`, `is_assessable`, `reason` (NULL if so), `is_extrapolated`.

    persons: `person_id`, `weight_kg`, `baseline_ige_iu_per_ml` (before treatment), `until_day` (last day asked for). doses:
    `person_id`, `day` (from the first dose), `dose_mg`. Not assessable: no weight, no baseline IgE, no dose, a dose without
    an amount. `is_extrapolated`: weight or IgE outside the data of Lowe 2009; NULL where either is missing.
    Raises PkpdError for missing columns, a repeated or missing person_id, doses of unknown persons, weight or IgE not above 0,
    doses not above 0, and a first dose on another day than 0.
    """
    people, given = _checked(persons, doses)
    amounts = given.group_by("person_id").agg(without_amount=pl.col("dose_mg").null_count())
    weight, ige = pl.col("weight_kg"), pl.col("baseline_ige_iu_per_ml")
    reason = (
        pl.when(weight.is_null()).then(pl.lit("no weight"))
        .when(ige.is_null()).then(pl.lit("no baseline IgE"))
        .when(pl.col("without_amount").is_null()).then(pl.lit("no dose"))
        .when(pl.col("without_amount") > 0).then(pl.lit("a dose without an amount"))
    )  # fmt: skip
    outside = ~(weight.is_between(*STUDIED_WEIGHT_KG) & ige.is_between(*STUDIED_IGE_IU_PER_ML))
    return (
        people.join(amounts, on="person_id", how="left", maintain_order="left")
        .with_columns(reason=reason, is_extrapolated=outside)
        .select("person_id", is_assessable=pl.col("reason").is_null(), reason="reason", is_extrapolated="is_extrapolated")
    )  # fmt: skip


def histories(persons: pl.DataFrame, doses: pl.DataFrame, *, persons_at_once: int) -> Iterator[Histories]:
    """Persons in pieces of at most `persons_at_once`, shortest `until_day` first; frames as in `assessed`.

    Raises PkpdError as `assessed`, and where a person is not assessable: leave those out and count them.
    """
    standing = assessed(persons, doses)
    left = standing.filter(~pl.col("is_assessable"))
    if left.height:
        raise PkpdError(f"{left.height} persons are not assessable, the first reason: {left['reason'][0]}")
    people, given = _checked(persons, doses)
    people = people.sort("until_day", maintain_order=True).with_row_index("number")
    given = (
        given.join(people.select("person_id", "number"), on="person_id")
        .group_by("number", "day")
        .agg(pl.col("dose_mg").sum())
        .with_columns(piece=pl.col("number") // persons_at_once)
        .sort("piece", "day", "number")
    )
    bounds = np.searchsorted(given["piece"].to_numpy(), np.arange(-(-people.height // persons_at_once) + 1))
    for piece, (first, last) in enumerate(itertools.pairwise(bounds)):
        here, their = people.slice(piece * persons_at_once, persons_at_once), given.slice(first, last - first)
        yield Histories(
            person_id=here["person_id"],
            weight_kg=here["weight_kg"].to_numpy(),
            baseline_ige_ng_per_ml=NG_PER_IU * here["baseline_ige_iu_per_ml"].to_numpy(),
            until_day=here["until_day"].to_numpy().astype(np.intp),
            dose_day=their["day"].to_numpy().astype(np.intp),
            dose_person=their["number"].to_numpy().astype(np.intp) - piece * persons_at_once,
            dose_mg=their["dose_mg"].to_numpy(),
        )


def _checked(persons: pl.DataFrame, doses: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    people, given = _typed(persons, _PERSON, "persons"), _typed(doses, _DOSE, "doses")
    _refuse(people, pl.col("person_id").is_null() | pl.col("person_id").is_duplicated(), "persons repeated or nameless")
    _refuse(people, pl.col("until_day").is_null() | (pl.col("until_day") < 0), "persons without an until_day from 0 on")
    for column in ("weight_kg", "baseline_ige_iu_per_ml"):
        _refuse(people, ~(pl.col(column).is_finite() & (pl.col(column) > 0.0)), f"persons with a {column} not above 0")
    unknown = given.join(people, on="person_id", how="anti").height
    if unknown:
        raise PkpdError(f"{unknown} doses of persons that are not in persons")
    _refuse(given, ~(pl.col("dose_mg").is_finite() & (pl.col("dose_mg") > 0.0)), "doses not above 0 mg")
    _refuse(given, pl.col("day").is_null(), "doses without a day")
    firsts = given.group_by("person_id").agg(pl.col("day").min())
    _refuse(firsts, pl.col("day") < 0, "persons with a dose before day 0")
    _refuse(firsts, pl.col("day") > 0, "persons whose first dose is not on day 0")
    return people, given


def _typed(frame: pl.DataFrame, columns: Mapping[str, type[pl.DataType] | None], name: str) -> pl.DataFrame:
    missing = columns.keys() - set(frame.columns)
    if missing:
        raise PkpdError(f"{name} lack the columns {sorted(missing)}")
    try:
        return frame.select(pl.col(key) if kind is None else pl.col(key).cast(kind) for key, kind in columns.items())
    except pl.exceptions.InvalidOperationError as error:
        raise PkpdError(f"{name} hold something else than numbers") from error


def _refuse(frame: pl.DataFrame, condition: pl.Expr, what: str) -> None:
    count = frame.filter(condition).height
    if count:
        raise PkpdError(f"{count} {what}")
