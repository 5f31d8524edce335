"""From records to windows, record by record: the slow, obvious reference.

Owns nothing that the product uses and imports nothing of it. Every question is put to each record, each day and each
earlier dose by itself. A day is a whole number. What the words mean is in definitions.md, paragraph 11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

KINDS = ("administration", "dispensing", "order")  # the better source first
MILLIGRAMS = {"g": Fraction(1000), "mg": Fraction(1), "mcg": Fraction(1, 1000)}


@dataclass(frozen=True)
class Setting:
    """What the study says of a drug: `induction` are the days of the doses before maintenance, from 0."""

    interval: int | None = None
    is_injectable: bool = True
    induction: tuple[int, ...] = ()
    look_back: int = 0
    units_per_day: Decimal | None = None


@dataclass(frozen=True)
class Record:
    """One drug record; `stop` is the day after the last that it names."""

    name: str
    drug: str
    kind: str
    start: int
    stop: int | None = None
    supply: Decimal | None = None
    quantity: Decimal | None = None
    dose: Decimal | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Reversal:
    """A record that takes back one of the same drug, kind, day and quantity."""

    drug: str
    kind: str
    start: int
    quantity: Decimal


@dataclass(frozen=True)
class Chart:
    """The records of one person, and observed periods as (first day, last day + 1)."""

    records: tuple[Record, ...] = ()
    reversals: tuple[Reversal, ...] = ()
    periods: tuple[tuple[int, int], ...] = field(default=())

    @property
    def observed(self) -> set[int]:
        """Every observed day."""
        return {day for start, stop in self.periods for day in range(start, stop)}


def uses(chart: Chart) -> dict[str, str]:
    """What becomes of each record, by its name: used, superseded or reversed."""
    found: dict[str, str] = {}
    for reversal in chart.reversals:
        same = [
            record.name
            for record in sorted(chart.records, key=lambda record: record.name)
            if (record.drug, record.kind, record.start, record.quantity)
            == (reversal.drug, reversal.kind, reversal.start, reversal.quantity)
            and record.name not in found
        ]
        if same:
            found[same[0]] = "reversed"
    left = [record for record in chart.records if record.name not in found]
    for record in left:
        beside = [other for other in left if (other.drug, other.start) == (record.drug, record.start)]
        is_best = all(KINDS.index(record.kind) <= KINDS.index(other.kind) for other in beside)
        found[record.name] = "used" if is_best else "superseded"
    return found


def named_days(record: Record, setting: Setting) -> tuple[str, int] | None:
    """What in the record says how many days it covers, and how many; nothing where nothing does."""
    shortest = Decimal("1.000001") if setting.is_injectable else Decimal(1)
    if record.supply is not None and (record.supply == shortest or 1 < record.supply <= 400):
        return "days_supply", floor(record.supply + Decimal("0.5"))
    if record.stop is not None and record.stop - record.start >= (2 if setting.is_injectable else 1):
        return "end_date", record.stop - record.start
    if record.quantity is not None and setting.units_per_day is not None:
        days = ceil(record.quantity / setting.units_per_day)
        if 1 <= days <= 400:
            return "quantity", days
    return None


def dose_number(chart: Chart, drug: str, day: int, setting: Setting) -> int | None:
    """Place of a dose day in its course; nothing unless every day from the look-back to the dose is observed."""
    used = uses(chart)
    doses = [record for record in chart.records if record.drug == drug and used[record.name] == "used"]
    days = sorted({record.start for record in doses if record.start <= day})
    first = day
    while any(_names_a_day_before(record, first, setting) for record in doses):
        first = max(earlier for earlier in days if earlier < first)
    observed = chart.observed
    if all(before in observed for before in range(first - setting.look_back, day)):
        return sum(first <= earlier <= day for earlier in days)
    return None


def _names_a_day_before(record: Record, day: int, setting: Setting) -> bool:
    """Whether the record begins before the day and any day it names lies in the look-back before it."""
    named = named_days(record, setting)
    days = range(record.start, record.start + (named[1] if named else 1))
    return record.start < day and any(day - setting.look_back <= one < day for one in days)


def window(chart: Chart, record: Record, setting: Setting) -> tuple[str, int | None]:
    """What says how long the record covers, and the day after the last covered one."""
    named = named_days(record, setting)
    if named:
        return named[0], record.start + named[1]
    if uses(chart)[record.name] == "used":
        number = dose_number(chart, record.drug, record.start, setting)
        if number is not None and number < len(setting.induction):
            return "induction", record.start + setting.induction[number] - setting.induction[number - 1]
    if setting.interval is not None:
        return "interval", record.start + setting.interval
    return "window_unknown", None


def day_dose(chart: Chart, record: Record) -> tuple[Fraction | None, str | None]:
    """The dose of the day and its unit: what administrations of one day add up to, else the record's own."""
    used = uses(chart)
    parts: Sequence[Record] = [record]
    if record.kind == "administration" and used[record.name] == "used":
        parts = [
            other
            for other in chart.records
            if (other.drug, other.start, other.kind) == (record.drug, record.start, "administration")
            and used[other.name] == "used"
        ]
    doses = [_dose(part) for part in parts]
    units = {_unit(part) for part in parts}
    known = [dose for dose in doses if dose is not None]
    return (sum(known, Fraction(0)) if len(known) == len(doses) and len(units) == 1 else None), _unit(record)


def _dose(record: Record) -> Fraction | None:
    if record.dose is None or record.dose <= 0:
        return None
    return Fraction(record.dose) * MILLIGRAMS.get(record.unit or "", Fraction(1))


def _unit(record: Record) -> str | None:
    return "mg" if record.unit in MILLIGRAMS else record.unit
