"""The reference tables as the simulator needs them: drugs by position, and the terms of each outcome.

Owns the reading of `drug` and `outcome` frames (all text). The order of their rows never matters: drugs stand in the
order of the profile's identifiers, terms in byte order. Invents no name and no code.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analysis.simulate.design import SimulationError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Definitions 17 and the dispensing habit: a background drug is dispensed for 30 days and its gap is 30 days.
DISPENSED_DAYS = 30
BACKGROUND_GAP_DAYS = 30

_DRUG_COLUMNS = (
    "drug_id", "generic_name", "brands", "drug_class", "is_biologic", "counts_toruner", "counts_broad",
    "interval_days", "induction_days", "new_user_washout_days", "gap_days", "tail_days", "routes", "rxnorm_rxcui",
    "rxcui_certainty", "atc_code_2026",
)  # fmt: skip
_CONTROL_COLUMNS = ("outcome_id", "category", "icd10_who_include")
_OUTCOME_COLUMNS = ("outcome_id", "meddra_pt_names", "serious_infection_component", "opportunistic_winthrop2015")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugBook:
    """The profile's drugs, by position. Days: `window` of one record, `gap` that joins, `reach` of risk past a stop.

    `induction_doses`: doses of a new course before the first that covers `window`. `planned`: day of each dose of a new
    course, `cover`: the days it covers, by drug and dose from 0; the last column holds for every later dose.
    `look_back`: a course is new when no dose lies in it.
    `class_index`: same number, same drug_class. `products`: the names a record may carry, the generic name first, then
    the originator, then biosimilars. `is_study`: forms the regimen; the others are background.
    """

    ids: tuple[str, ...]
    window: Ints
    induction_doses: Ints
    planned: Ints
    cover: Ints
    look_back: Ints
    gap: Ints
    reach: Ints
    class_index: Ints
    drug_class: tuple[str, ...]
    counts_toruner: Flags
    counts_broad: Flags
    is_study: Flags
    is_infusion: Flags
    products: tuple[tuple[str, ...], ...]
    code: tuple[str, ...]
    code_system: tuple[str, ...]
    route: tuple[str, ...]

    def position(self, drug_id: str) -> int:
        """Position of a drug in every array of the book."""
        return self.ids.index(drug_id)

    def agent(self, name: str) -> Flags:
        """Which drugs an agent is: the drug of that drug_id, or all of that drug_class. Raises SimulationError for none."""
        found = np.array([name in pair for pair in zip(self.ids, self.drug_class, strict=True)])
        if not found.any():
            raise SimulationError(f"no drug or class of the profile is called {name!r}")
        return found


def read_drugs(drugs: pl.DataFrame, *, study: tuple[str, ...], background: tuple[str, ...]) -> DrugBook:
    """The drugs of a profile as arrays, in the byte order of their identifiers.

    drugs: the reference table `drug`, all text, one row a drug, in any order.
    Raises SimulationError when a column or a drug is missing, when a study drug is no biologic, when a class counts on
    the toruner ladder but not on the broad one, or when an induction cannot be dosed for every length of a course.
    """
    _require(drugs, _DRUG_COLUMNS, table="drug")
    wanted = sorted({*study, *background})
    rows = {row["drug_id"]: row for row in drugs.filter(pl.col("drug_id").is_in(wanted)).iter_rows(named=True)}
    missing = [drug for drug in wanted if drug not in rows]
    if missing:
        raise SimulationError(f"reference drug: {len(missing)} drugs of the profile are missing: {', '.join(missing)}")
    if any(rows[drug]["is_biologic"] != "1" for drug in study):
        raise SimulationError("reference drug: a study drug of the profile is not a biologic")
    if any(rows[drug]["counts_toruner"] == "1" and rows[drug]["counts_broad"] != "1" for drug in wanted):
        raise SimulationError("reference drug: counts_toruner without counts_broad; the ladders must be nested")
    taken = [rows[drug] for drug in wanted]
    is_study = np.array([drug in study for drug in wanted])
    classes = sorted({row["drug_class"] for row in taken})
    gap = np.where(is_study, _whole(taken, "gap_days"), BACKGROUND_GAP_DAYS)
    is_certain = [row["rxcui_certainty"].startswith("certain") and bool(row["rxnorm_rxcui"]) for row in taken]
    routes = [row["routes"].split("|")[0] for row in taken]
    window = np.where(is_study, _whole(taken, "interval_days"), DISPENSED_DAYS)
    series = [
        _induction(row, interval) if studied else ()
        for row, interval, studied in zip(taken, window.tolist(), is_study, strict=True)
    ]
    cover = np.repeat(window[:, np.newaxis], max(map(len, series)) + 1, axis=1)
    for drug, spaces in enumerate(series):
        cover[drug, : len(spaces)] = spaces
    return DrugBook(
        ids=tuple(wanted),
        window=window,
        induction_doses=np.array([len(spaces) for spaces in series], dtype=np.int64),
        planned=np.cumsum(cover, axis=1) - cover,
        cover=cover,
        look_back=_whole(taken, "new_user_washout_days"),
        gap=gap,
        reach=np.maximum(gap, _whole(taken, "tail_days")),
        drug_class=tuple(row["drug_class"] for row in taken),
        class_index=np.array([classes.index(row["drug_class"]) for row in taken], dtype=np.int64),
        counts_toruner=np.array([row["counts_toruner"] == "1" for row in taken]),
        counts_broad=np.array([row["counts_broad"] == "1" for row in taken]),
        is_study=is_study,
        is_infusion=np.array([route == "IV" for route in routes]) & is_study,
        products=tuple(_products(row, with_brands=row["drug_id"] in study) for row in taken),
        code=tuple(
            row["rxnorm_rxcui"] if certain else row["atc_code_2026"].split(";")[0]
            for row, certain in zip(taken, is_certain, strict=True)
        ),
        code_system=tuple("RxNorm" if certain else "ATC" for certain in is_certain),
        route=tuple(routes),
    )


def read_terms(outcomes: pl.DataFrame, *, weights: tuple[tuple[str, float], ...], opportunistic: bool) -> pl.DataFrame:
    """Share of each preferred term among the infections of one kind: columns `term`, `share` (adding up to 1).

    outcomes: the reference table `outcome`, all text, in any order. weights: outcome_id and its share; an outcome's
    terms share equally. A term listed under two outcomes is left out, so that a record belongs to one component.
    Raises SimulationError when an outcome is missing, is not flagged as the kind asked for, or has no term left.
    """
    _require(outcomes, _OUTCOME_COLUMNS, table="outcome")
    rows = {row["outcome_id"]: row for row in outcomes.iter_rows(named=True)}
    listed: dict[str, int] = {}
    for row in rows.values():
        for term in (row["meddra_pt_names"] or "").split(";"):
            listed[term.casefold()] = listed.get(term.casefold(), 0) + 1
    flag = "1" if opportunistic else "0"
    shares: dict[str, float] = {}
    for outcome_id, weight in weights:
        found = rows.get(outcome_id, {})
        if (found.get("serious_infection_component"), found.get("opportunistic_winthrop2015")) != ("1", flag):
            raise SimulationError(f"reference outcome: {outcome_id} is missing or not flagged as simulated")
        terms = sorted(term for term in (found["meddra_pt_names"] or "").split(";") if listed[term.casefold()] == 1)
        if not terms or not terms[0]:
            raise SimulationError(f"reference outcome: {outcome_id} has no term of its own")
        shares |= {term: weight / len(terms) for term in terms}
    names = sorted(shares)
    total = sum(shares[name] for name in names)
    return pl.DataFrame({"term": names, "share": [shares[name] / total for name in names]})


def read_negative_control_codes(outcomes: pl.DataFrame, *, outcome_ids: tuple[str, ...]) -> list[str]:
    """The first WHO ICD-10 code of each negative control, in the order asked for.

    outcomes: the reference table `outcome`, all text, in any order.
    Raises SimulationError when an outcome is missing, is no negative control or has no code.
    """
    _require(outcomes, _CONTROL_COLUMNS, table="outcome")
    rows = {row["outcome_id"]: row for row in outcomes.iter_rows(named=True)}
    codes = []
    for outcome_id in outcome_ids:
        row = rows.get(outcome_id, {})
        if row.get("category") != "negative_control" or not row["icd10_who_include"]:
            raise SimulationError(f"reference outcome: {outcome_id} is no negative control with a code")
        codes.append(row["icd10_who_include"].split(";")[0])
    return codes


def _products(row: dict[str, str | None], *, with_brands: bool) -> tuple[str, ...]:
    generic, brands = row["generic_name"] or "", (row["brands"] or "").split(";")
    # "X and other biosimilars" is a remark, not a name a record could carry.
    named = [brand for brand in brands if brand and " and " not in brand]
    return (generic, *(named if with_brands else ()))


def _induction(row: dict[str, str], interval: int) -> tuple[int, ...]:
    """Days to the next planned dose, for each dose of a series but its last; none where all equal the interval."""
    days = [int(day) for day in (row["induction_days"] or "0").split("|")]
    spaces = tuple(following - day for day, following in pairwise(days))
    if all(space == interval for space in spaces):
        return ()
    # A course is at least one interval long: it must hold the series, and an end before its last dose.
    if len(spaces) < 2 or list(spaces) != sorted(spaces) or days[-1] > interval:
        raise SimulationError(f"reference drug: the induction of {row['drug_id']} cannot be dosed for every length")
    return spaces


def _whole(rows: list[dict[str, str]], column: str) -> Ints:
    return np.array([int(row[column]) for row in rows], dtype=np.int64)


def _require(frame: pl.DataFrame, columns: tuple[str, ...], *, table: str) -> None:
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise SimulationError(f"reference {table}: columns missing: {', '.join(missing)}")
