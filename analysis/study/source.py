"""Where the records are and how their text is read: section `[source]` of the study file.

Owns the keys and which declarations cannot hold together. Reads no file (`read.py` adds the code map to the drugs).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Literal
from zoneinfo import available_timezones

from pydantic import Field, field_validator

from analysis.study.code_map import MappedCode
from analysis.study.section import Section

Vocabulary = Literal["ICD10", "ICD10CM", "ICD9CM", "SNOMED", "OMOP"]
Encoding = Literal["utf-8", "latin-1", "windows-1252"]

_DIRECTIVE = re.compile(r"%(.?)")
_PARTS = {"Y": "year", "m": "month", "b": "month", "B": "month", "d": "day", "H": "hour", "M": "minute", "S": "second"}
_LITERALS = re.compile(r"[-/. ,T:]*")


def _or_file_name(schema: dict[str, Any]) -> None:
    """In the study file the name of a file may stand for its rows."""
    rows = {key: schema.pop(key) for key in ("items", "type")}
    schema["anyOf"] = [{"type": "string"}, rows]


class Source(Section):
    """Where the records are and how to read them."""

    format: Literal["native", "omop"] = "native"
    path: str | None = Field(None, description="Folder of the records, relative to the study file; --source wins.")
    condition_vocabulary: Literal["by_concept", "by_shape"] | Vocabulary = Field(
        "by_concept", description="How to tell the vocabulary of a condition code of an OMOP source that declares none."
    )
    drug_mapping: Literal["auto", "code_list", "drug_era"] = Field(
        "auto", description="auto: concept_ancestor, else code list, else drug_era; or one of the last two by name."
    )
    placeholder_dates: tuple[dt.date, ...] = Field(
        (dt.date(1900, 1, 1), dt.date(1970, 1, 1)), description="Dates that stand for 'unknown' and are set aside."
    )
    encoding: Encoding | None = Field(None, description="Encoding of CSV files; by default told from their bytes.")
    delimiter: Literal[",", ";", "\t", "|"] | None = Field(
        None, description="Delimiter of CSV files; by default told from their headers."
    )
    decimal: Literal[".", ","] = Field(".", description="Decimal sign of numbers that are text.")
    date_formats: tuple[str, ...] = Field(
        (), description="Formats (strptime) of dates that are text, besides YYYY-MM-DD: %d.%m.%Y."
    )
    time_zone: str | None = Field(None, description="Zone of times without one: Europe/Berlin.")
    code_map: tuple[MappedCode, ...] = Field(
        (),
        description="Codes that mean a drug: the name of a CSV file relative to the study file, or its rows.",
        json_schema_extra=_or_file_name,
    )

    @field_validator("date_formats")
    @classmethod
    def _formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        orders = {_order(text) for text in formats}
        if {"day-month", "month-day"} <= orders:
            raise ValueError(
                "a format with the day before the month and one with the month before the day cannot both be declared: "
                "03/04/2020 would be two days"
            )
        return formats

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, zone: str | None) -> str | None:
        if zone is not None and (zone not in available_timezones() or ("/" not in zone and zone != "UTC")):
            raise ValueError(f"{zone!r} is not a time zone; write it as Europe/Berlin")
        return zone


def _order(text: str) -> str:
    """Which of day and month comes first in a format; empty where the month is a word or the year comes first.

    Raises ValueError for a format that is not of a whole date, or whose years have two digits.
    """
    directives = _DIRECTIVE.findall(text)
    if "y" in directives:
        raise ValueError(f"date format {text!r}: a year of two digits does not tell its century; only %Y is read")
    unknown = [name for name in directives if name not in _PARTS]
    if unknown or not _LITERALS.fullmatch(_DIRECTIVE.sub("", text)):
        raise ValueError(
            f"date format {text!r} cannot be used: it may hold %Y %m %d %b %B %H %M %S and, between them, - / . , : T or blanks"
        )
    parts = [_PARTS[name] for name in directives]
    if len(set(parts)) < len(parts) or not {"year", "month", "day"} <= set(parts):
        raise ValueError(f"date format {text!r} must hold a year, a month and a day, each once")
    if "m" not in directives:
        return ""
    is_day_first = parts.index("day") < parts.index("month")
    if parts[0] == "year":
        if is_day_first:
            raise ValueError(f"date format {text!r}: with the year first the month comes second, as in YYYY-MM-DD")
        return ""
    return "day-month" if is_day_first else "month-day"
