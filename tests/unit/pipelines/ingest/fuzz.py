"""Damaged sources: a small right one, what can happen to its bytes, and what the intake must do with the outcome.

Shared by the test and by `benchmarks/fuzz_intake.py`.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import random
import re
from collections import Counter
from pathlib import Path

import pyarrow as pa

from analysis.study.source import Source
from pipelines.ingest.csv_files import DELIMITERS
from pipelines.ingest.files import InputError
from pipelines.ingest.native import ingest_native
from sql.warehouse import Warehouse

MARKED = "pz-7781"  # part of every person identifier: no message may hold it
TABLES = {
    "person": "person_id,sex,birth_date,note\n"
    + "".join(f'{MARKED}-{n},F,19{40 + n}-02-0{n},"a,""b""\nc"\n' for n in range(1, 8)),
    "prescription": "prescription_id,person_id,record_type,drug_source_value,start_date,quantity\n"
    + "".join(f"{n},{MARKED}-{n % 7 + 1},order,omalizumab Zoë,2020-0{n % 9 + 1}-11,{n}.5\n" for n in range(1, 12)),
    "adverse_event": "adverse_event_id,person_id,term,onset_datetime\n"
    + "".join(f"{n},{MARKED}-{n % 7 + 1},fever,2020-03-0{n} 10:00:00\n" for n in range(1, 6)),
}
FRAGMENTS = (
    b'"', b'""', b",", b";", b"\t", b"|", b"\n", b"\r\n", b"\r", b"\x00", b"\xff", b"\xc3\xa9", b"\xe9", b"\x81", b" ", b' "',
    b'" ', b"\xef\xbb\xbf", b"\xff\xfe", b"'", b"\\", b"\\N", b"#", b"NULL", b"03/04/2020", b"2020", b"2020-03", b"1,5", b"-",
    b"\xe2\x80\xa8", b"\x0b", b"\x0c", b"\x1a", b"\x85", b"9" * 400, b"nan", b"=1+1", b"x" * 70_000, b"\n\n", b",,,,,,",
)  # fmt: skip


def damaged(seed: int) -> dict[str, bytes]:
    """The files of a source, by name, after one to three things have happened to them."""
    dice = random.Random(seed)  # noqa: S311
    files = {f"{name}.csv": text.encode() for name, text in TABLES.items()}
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        name = dice.choice(sorted(files))
        files[name] = dice.choice(_DAMAGES)(files[name], dice)
    if dice.random() < 0.15:
        name = dice.choice(sorted(files))
        content = files.pop(name)
        packed = gzip.compress(content) if dice.random() < 0.5 else pa.Codec("zstd").compress(content, asbytes=True)
        if dice.random() < 0.5:
            packed = dice.choice((_cut, _flip))(packed, dice)
        files[name + (".gz" if packed[:1] == b"\x1f" else ".zst")] = packed
    return files


def declared(seed: int) -> Source:
    """What the study says of the source: mostly nothing, else something that may be wrong."""
    dice = random.Random(-seed - 1)  # noqa: S311
    settings: dict[str, object] = {}
    if dice.random() < 0.3:
        settings = {
            "encoding": dice.choice((None, "utf-8", "latin-1", "windows-1252")),
            "delimiter": dice.choice((None, None, *DELIMITERS)),
            "decimal": dice.choice(".,"),
            "date_formats": dice.choice(((), ("%d/%m/%Y",), ("%m/%d/%Y", "%Y%m%d"), ("%d-%b-%Y", "%d.%m.%Y %H:%M"))),
            "time_zone": dice.choice((None, "Europe/Berlin")),
        }
    return Source.model_validate(settings)


def outcome(warehouse: Warehouse, folder: Path, files: dict[str, bytes], source: Source = Source()) -> str:  # noqa: B008
    """What the intake did with a damaged source: `refused` or `read`. Raises AssertionError where it may not."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    warehouse.execute(
        "CREATE OR REPLACE TABLE intake.duplicate (table_name VARCHAR, source_file VARCHAR, row_number BIGINT)"
    )
    try:
        read = ingest_native(warehouse, folder, source)
    except InputError as error:
        message = str(error)
        assert any(name in message for name in files), f"no file is named: {message}"
        assert MARKED not in message.lower(), f"a cell is shown: {message}"
        assert len(message) < 700, message
        return "refused"
    for file in read:
        table = file.table
        received = warehouse.count(f"raw.{table}")
        twice = warehouse.query(f"SELECT COUNT(*) AS n FROM intake.duplicate WHERE table_name = '{table}'")["n"][0]
        assert received == warehouse.count(f"intake.{table}") + twice, f"rows of {table} are lost"
        if not file.compression:
            expected = records(files[file.name], file.encoding or "", source.delimiter)
            assert expected in (None, received), f"{file.name}: {received} rows read, {expected} records written"
    return "read"


def records(content: bytes, encoding: str, delimiter: str | None = None) -> int | None:
    """Number of records of a CSV file as Python's reader has it; None where it does not read the file cleanly.

    Blanks before a quote are part of the cell to it and nothing to DuckDB: such a file can be read in two ways.
    """
    if re.search(rb'(^|[,;|\t\r\n]) +"', content):
        return None
    codec = {"utf-8": "utf-8-sig", "windows-1252": "cp1252", "latin-1": "latin-1"}[encoding]
    text = content.decode(codec)
    first = text.splitlines()[0]
    delimiter = delimiter or max(DELIMITERS, key=Counter(first).__getitem__)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row]
    except csv.Error:
        return None
    return len(rows) - 1 if len({len(row) for row in rows}) == 1 else None


def _cut(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content) + 1)]


def _flip(content: bytes, dice: random.Random) -> bytes:
    return _replaced(content, dice, bytes([dice.randrange(256)]), length=1)


def _replaced(content: bytes, dice: random.Random, by: bytes, *, length: int) -> bytes:
    place = dice.randrange(len(content) + 1)
    return content[:place] + by + content[place + length :]


def _insert(content: bytes, dice: random.Random) -> bytes:
    return _replaced(content, dice, dice.choice(FRAGMENTS), length=0)


def _overwrite(content: bytes, dice: random.Random) -> bytes:
    return _replaced(content, dice, dice.choice(FRAGMENTS), length=dice.randrange(12))


def _cell(content: bytes, dice: random.Random) -> bytes:
    cells = content.split(b",")
    cells[dice.randrange(len(cells))] = dice.choice(FRAGMENTS)
    return b",".join(cells)


def _line(content: bytes, dice: random.Random) -> bytes:
    """A line repeated, dropped, moved to the front or emptied."""
    lines = content.splitlines(keepends=True) or [b""]
    place = dice.randrange(len(lines))
    kind = dice.randrange(4)
    if kind == 0:
        lines.insert(place, lines[place])
    elif kind == 1:
        lines.pop(place)
    elif kind == 2:
        lines.insert(0, lines.pop(place))
    else:
        lines[place] = dice.choice((b"\n", b" \n", b",\n", b"\r\n"))
    return b"".join(lines)


def _ends(content: bytes, dice: random.Random) -> bytes:
    return content.replace(b"\n", dice.choice((b"\r\n", b"\r", b"\n\n", b"")))


def _delimiter(content: bytes, dice: random.Random) -> bytes:
    return content.replace(b",", dice.choice((b";", b"\t", b"|", b":", b" ")))


def _recode(content: bytes, dice: random.Random) -> bytes:
    text = content.decode(errors="ignore")
    codec = dice.choice(("cp1252", "latin-1", "utf-16", "utf-8-sig", "utf-32", "cp437", "utf-16-le"))
    mark = codecs.BOM_UTF8 if dice.random() < 0.1 else b""
    return mark + text.encode(codec, errors="replace")


_DAMAGES = (_cut, _flip, _insert, _overwrite, _cell, _line, _line, _insert, _cell, _ends, _delimiter, _recode)
