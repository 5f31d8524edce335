"""Numbers and words as the report shows them.

Owns the format of counts, rates, shares and ratios, the words for estimates that have no value, the sentence for a
zero and the names of levels, reasons and methods. Knows no frame and no table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from analysis.report.names import METHODS

THIN = "\N{NARROW NO-BREAK SPACE}"
DASH = "\N{EN DASH}"
NONE = "\N{EN DASH}"
WITHHELD = "withheld"
DAYS_PER_YEAR = 365.25  # definitions.md 1
DAYS_PER_MONTH = 30.4375

Style = Literal["percent", "rate", "ratio", "months", "days", "excess", "dose_rate", "points", "rare_percent"]
SIGNED = ("excess", "points")
EstimateRow = Mapping[str, object]

STATUS_WORDS = {
    "limit_only": "limit only",
    "not_estimable": "not estimable",
    "not_assessable": "not assessable",
    "gate_failed": "set aside by a check",
    "suppressed": WITHHELD,
}
REASONS = {
    "adverse_event": "adverse event",
    "efficacy": "lack of efficacy",
    "remission": "remission",
    "cost_access": "cost or access",
    "personal_choice": "own choice",
    "pregnancy": "pregnancy",
    "unknown": "reason not recorded",
    "death": "death",
}
COMPONENTS = {
    "first_started": "the drug started first stopped",
    "second_started": "the drug started second stopped",
    "both": "both stopped on the same day",
    "started_together": "one of two started on the same day stopped",
}
LADDERS = {
    "study_drugs": "number of study drugs",
    "toruner": "immunosuppressive classes, Toruner ladder",
    "broad": "immunosuppressive classes, broad ladder",
}
POPULATIONS = {
    "first_episode": "every first combination, from its first day",
    "reached_min_overlap": "first combinations that reached the minimum overlap",
    "all_time": "cohort, from entry to the first outcome",
    "from_first": "new users, from their first study drug",
    "incidence_density": "matched sets, controls at risk on the day of the event",
    "toruner_replica": "matched sets, two controls a case, exposure on the day itself",
    "observed": "all observed time",
    "as_treated": "from time zero, as treated",
    "carried_forward": "from time zero, first exposure carried forward",
    "time_zero": "persons at time zero",
}


def plain(identifier: object) -> str:
    """An identifier as words: underscores become spaces."""
    return str(identifier).replace("_", " ")


def named(names: Mapping[str, str], key: object) -> str:
    """The name of `key`, or the identifier as words."""
    return names.get(str(key), plain(key))


def method_name(method: object) -> str:
    """The name of an estimator; the prefix that says how periods were pooled is left out."""
    return named(METHODS, str(method).removeprefix("pooled_periods_"))


def level_name(ladder: str, level: str) -> str:
    """A level of a ladder in words."""
    noun = "study drug" if ladder == "study_drugs" else "class"
    plural = "study drugs" if ladder == "study_drugs" else "classes"
    names = {
        "0": f"no {noun}",
        "1": f"one {noun}",
        "2": f"two {plural}",
        ">=2": f"two or more {plural}",
        ">=3": f"three or more {plural}",
        "per level": f"each further {noun}, up to three",
    }
    return names.get(level, plain(level))


def count(value: object) -> str:
    """A whole number in groups of three; absent numbers are a dash."""
    return NONE if value is None else f"{int(value):,}".replace(",", THIN)  # type: ignore[call-overload]


def years(days: object) -> str:
    """Person-years from person-days: one decimal from ten, two below."""
    if days is None:
        return NONE
    value = float(days) / DAYS_PER_YEAR  # type: ignore[arg-type]
    return grouped(value, 0 if value >= 1000 else 1 if value >= 10 else 2)


def grouped(value: float, decimals: int) -> str:
    """A number with a fixed number of decimals, its whole part in groups of three."""
    return f"{value:,.{decimals}f}".replace(",", THIN)


def number(value: float, style: Style, *, beside: float | None = None) -> str:
    """One value in the digits of its kind: shares in percent, rates with two decimals, ratios with about three digits.

    beside: the estimate to which a limit belongs; a limit of a rate has as many decimals as its rate.
    """
    if style in ("percent", "rare_percent"):
        size = 1.0 if style == "percent" else abs(value if beside is None else beside)
        return grouped(100 * value, 3 if size < 0.01 else 2 if size < 0.1 else 1)
    if style in ("rate", "dose_rate"):
        return grouped(value, 2 if abs(value if beside is None else beside) < 100 else 0)
    if style in SIGNED:
        return signed(100 * value if style == "points" else value)
    if style in ("months", "days"):
        return grouped(value, 0 if style == "days" else 1 if abs(value) >= 1 else 2)
    if value and abs(value) < 0.1:
        return f"{value:.2g}"
    return grouped(value, 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0)


def unit(style: Style) -> str:
    """What follows a number of this kind in a sentence."""
    return {
        "percent": f"{THIN}%",
        "rate": " per 100 person-years",
        "ratio": "",
        "months": " months",
        "days": " days",
        "excess": "",
        "dose_rate": " per 10,000 doses",
        "points": " percentage points",
        "rare_percent": f"{THIN}%",
    }[style]


def signed(value: float) -> str:
    """A difference with two decimals and a minus sign; what rounds to zero has no sign."""
    return f"{value:.2f}".replace("-", "" if abs(value) < 0.005 else "\N{MINUS SIGN}")


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell of a table says: the number or words, its limits, and what a reader must know of it."""

    text: str
    limits: str = ""
    note: str = ""
    is_number: bool = False


def limits(row: EstimateRow, style: Style) -> str:
    """`(lower-upper)`; an unknown limit is named as such; empty where there is neither."""
    lower, upper = row["lower"], row["upper"]
    if lower is None and upper is None:
        return ""
    value = None if row["value"] is None else float(row["value"])  # type: ignore[arg-type]
    between = " to " if style in SIGNED else DASH  # a dash beside a minus sign cannot be read
    ends = ["not reached" if end is None else number(float(end), style, beside=value) for end in (lower, upper)]  # type: ignore[arg-type]
    if value is None:
        return (
            f"(above {ends[0]})"
            if upper is None
            else f"(below {ends[1]})"
            if lower is None
            else f"({ends[0]}{between}{ends[1]})"
        )
    return f"({ends[0]}{between}{ends[1]})"


def zero_sentence(row: EstimateRow, style: Style) -> str:
    """What a zero does not exclude, such as `no events in 31 persons; up to 11.2 % not excluded`."""
    persons = row.get("person_count")
    of = "" if persons is None else f" in {count(persons)} {'person' if persons == 1 else 'persons'}"
    if style == "rate" and row.get("person_days") is not None:
        of += f" and {years(row['person_days'])} person-years"
    upper = row["upper"]
    beyond = "no upper limit"
    if upper is not None:
        beyond = f"up to {number(float(upper), style, beside=0.0)}{unit(style)} not excluded"  # type: ignore[arg-type]
    what = "no events among the exposed" if style == "ratio" else f"no events{of}"
    return f"{what}; {beyond}"


def is_zero(row: EstimateRow) -> bool:
    """Whether the estimate is an observed zero, whose upper limit is the finding."""
    return row["status"] == "ok" and row["value"] == 0


def estimate_cell(row: EstimateRow | None, style: Style) -> Cell:
    """An estimate as a cell: value and limits, a zero with its sentence, any other status in words with its reason."""
    if row is None:
        return Cell(NONE)
    status, reason = str(row["status"]), str(row["reason"] or "")
    if status == "suppressed":
        return Cell(WITHHELD)
    if status in ("not_estimable", "not_assessable") or row["value"] is None:
        return Cell(named(STATUS_WORDS, status), limits(row, style), reason)
    text, note = number(float(row["value"]), style), reason  # type: ignore[arg-type]
    if is_zero(row) and style not in SIGNED:
        note = "; ".join(part for part in (zero_sentence(row, style), reason) if part)
    if style == "months" and not note:
        note = days_note(row)
    if status != "ok":
        note = f"{named(STATUS_WORDS, status)}: {reason}"
    return Cell(text, limits(row, style), note, is_number=True)


def days_note(row: EstimateRow) -> str:
    """A duration below three months in days, which months with a decimal hide."""
    value = row["value"]
    if value is None or float(value) >= 3:  # type: ignore[arg-type]
        return ""
    return f"that is {count(round(float(value) * DAYS_PER_MONTH))} days"  # type: ignore[arg-type]


def in_words(row: EstimateRow | None, style: Style) -> str:
    """An estimate inside a sentence, with its limits; a zero is worded by what it does not exclude."""
    if row is None:
        return "not asked"
    if is_zero(row):
        return zero_sentence(row, style)
    cell = estimate_cell(row, style)
    if row["status"] == "suppressed":
        return "withheld for a small count"
    if not cell.is_number:
        return f"{cell.text} ({cell.note})" if cell.note else cell.text
    level = row.get("confidence_level")
    name = f"{float(level) * 100:g}{THIN}% limits " if level is not None else "limits "  # type: ignore[arg-type]
    ends = f" ({name}{cell.limits.strip('()')})" if cell.limits else ""
    in_days = f", {days_note(row)}" if style == "months" and days_note(row) else ""
    return f"{cell.text}{unit(style)}{in_days}{ends}"
