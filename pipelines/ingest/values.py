"""How the text of a cell becomes a date, a time or a number, as SQL.

Owns which texts are read exactly, which dates are partial, and which times carry a zone. A value that is not read is NULL,
never guessed: `intake.py` names its column. The SQL reads `"text.NAME"`, the trimmed text of a received column (NULL where
it is stored typed), and `"read.NAME"`, what was read from it.
"""

from __future__ import annotations

import re

from analysis.study.source import Source
from pipelines.ingest.tables import Field
from sql.warehouse import identifier, quoted

SQL_TYPES = {"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "date": "DATE", "datetime": "TIMESTAMP"}
FIRST_YEAR, LAST_YEAR = 1900, 2300
OPEN_ENDS = "(DATE '9999-12-31', DATE '2099-12-31')"
DATED = ("date", "datetime")
_AMBIGUOUS = r"^\d{1,2}[/.\-]\d{1,2}[/.\-]\d{2,4}"  # 03/04/2020: day-month or month-day cannot be told
_PARTIAL = r"^\d{4}(-\d{2})?$"
_DAY = r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}"
_TIME = r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_ZONE = r" ?(Z|z|UTC|GMT|[+-](0\d|1[0-4])(:?[0-5]\d)?)"
# A replacement character, or two or three letters of Windows-1252 that are one of UTF-8 read byte by byte.
_MOJIBAKE = r"\x{FFFD}|[\x{C2}\x{C3}][\x{80}-\x{BF}\x{20AC}\x{201A}\x{2122}\x{0160}\x{0178}\x{017D}]|\x{E2}\x{20AC}"
_STORED_NUMBER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$|UINTEGER$|FLOAT$|DOUBLE$|DECIMAL\(")
_STORED_TIME = re.compile(r"DATE$|TIMESTAMP")
_ZONED = "TIMESTAMP WITH TIME ZONE"


def is_text(field: Field, stored: str) -> bool:
    """Whether a column of this stored type is read from its text."""
    if field.kind in DATED:
        return not _STORED_TIME.match(stored)
    return not _STORED_NUMBER.match(stored)


def text_of(name: str) -> str:
    """The column of the trimmed text."""
    return identifier(f"text.{name}")


def read_of(name: str) -> str:
    """The column of the exact value."""
    return identifier(f"read.{name}")


def trimmed(name: str, stored: str) -> str:
    """The trimmed text of a received column; blank text is missing."""
    text = identifier(name) if stored == "VARCHAR" else f"CAST({identifier(name)} AS VARCHAR)"
    return f"NULLIF(TRIM({text}), '')"


def exact(field: Field, stored: str, source: Source) -> str:
    """The value that a column states exactly, in whatever year; NULL where it states none."""
    column = text_of(field.name) if is_text(field, stored) else identifier(field.name)
    if field.kind in DATED:
        if is_text(field, stored):
            return _exact_time(field, column, source)
        instant = f"{column} AT TIME ZONE 'UTC'" if stored == _ZONED else column
        return f"TRY_CAST({instant} AS {SQL_TYPES[field.kind]})"
    if is_text(field, stored):
        if field.operator:
            column = f"TRIM(LTRIM({column}, '<>='))"
        column = f"CASE WHEN NOT CONTAINS({column}, '_') THEN {column} END"  # 1_000 is a number to DuckDB
        if source.decimal == ",":
            column = f"REPLACE(CASE WHEN NOT CONTAINS({column}, '.') THEN {column} END, ',', '.')"
    number = f"TRY_CAST({column} AS DOUBLE)"
    if field.kind == "integer":
        return f"CASE WHEN {number} = TRUNC({number}) THEN TRY_CAST({column} AS BIGINT) END"
    return f"CASE WHEN ISFINITE({number}) THEN {number} END"


def _exact_time(field: Field, text: str, source: Source) -> str:
    kind = SQL_TYPES[field.kind]
    # DuckDB reads any word behind a time as a zone, PM too, so that the shape is looked at first; the usual ones are fast.
    is_iso = f"{_is_usual(text)} OR REGEXP_FULL_MATCH({text}, '{_DAY}([T ]{_TIME}({_ZONE})?)?')"
    value = f"CASE WHEN {is_iso} THEN TRY_CAST({text} AS {kind}) END"
    if not source.date_formats:
        return value
    formats = ", ".join(map(quoted, source.date_formats))
    return f"COALESCE({value}, CAST(TRY_STRPTIME({text}, [{formats}]) AS {kind}))"


def _is_usual(text: str) -> str:
    """YYYY-MM-DD, or YYYY-MM-DD HH:MM:SS."""
    return f"LENGTH({text}) = 10 OR (LENGTH({text}) = 19 AND SUBSTRING({text}, 17, 1) = ':')"


def sign_of(field: Field) -> str:
    """The sign before a number that is text: <, >, <= or >=."""
    return f"NULLIF(REGEXP_EXTRACT({text_of(field.name)}, '^[<>]=?'), '')"


def is_untidy(name: str) -> str:
    """Whether a received text has blanks around it, control characters, or letters of UTF-8 that were read as Windows-1252."""
    text = identifier(name)
    return (
        f"{text} <> TRIM({text}) OR REGEXP_MATCHES({text}, '[[:cntrl:]]') "
        f"OR (STRLEN({text}) <> LENGTH({text}) AND REGEXP_MATCHES({text}, '{_MOJIBAKE}'))"
    )


def accepted(field: Field) -> str:
    """The exact value where it lies in the years that the system accepts."""
    read = read_of(field.name)
    if field.kind in DATED:
        return f"CASE WHEN YEAR({read}) BETWEEN {FIRST_YEAR} AND {LAST_YEAR} THEN {read} END"
    return read


def is_open_end(field: Field) -> str:
    """Whether an inclusive end means open."""
    return f"COALESCE(CAST({read_of(field.name)} AS DATE) IN {OPEN_ENDS}, FALSE)" if field.is_end else "FALSE"


def imputed(field: Field) -> str:
    """The day that stands for a partial date: the 15th of a month, 1 July of a year; NULL where the date is not partial."""
    text = text_of(field.name)
    day = f"TRY_CAST(CONCAT({text}, CASE WHEN LENGTH({text}) = 4 THEN '-07-01' ELSE '-15' END) AS DATE)"
    is_partial = f"{read_of(field.name)} IS NULL AND LENGTH({text}) IN (4, 7) AND REGEXP_MATCHES({text}, '{_PARTIAL}')"
    return f"CASE WHEN {is_partial} AND YEAR({day}) BETWEEN {FIRST_YEAR} AND {LAST_YEAR} THEN {day} END"


def is_ambiguous(field: Field) -> str:
    """Whether the day and the month of a date that was not read cannot be told apart."""
    return f"{accepted(field)} IS NULL AND REGEXP_MATCHES({text_of(field.name)}, '{_AMBIGUOUS}')"


def is_zoned(field: Field, stored: str) -> str:
    """Whether a time that was read carries a zone."""
    read = f"{read_of(field.name)} IS NOT NULL"
    if not is_text(field, stored):
        return read if stored == _ZONED else "FALSE"
    text = text_of(field.name)
    return f"{read} AND NOT ({_is_usual(text)}) AND REGEXP_FULL_MATCH({text}, '{_DAY}[T ]{_TIME}{_ZONE}')"


def is_nonexistent(field: Field, stored: str, zone: str) -> str:
    """Whether a time without a zone falls into the hour that the clocks of `zone` skip."""
    read = accepted(field)
    has_time = f"LENGTH({text_of(field.name)}) > 10" if is_text(field, stored) else "TRUE"
    there_and_back = f"({read} AT TIME ZONE {quoted(zone)}) AT TIME ZONE {quoted(zone)}"
    return f"{has_time} AND NOT ({is_zoned(field, stored)}) AND {there_and_back} <> {read}"
