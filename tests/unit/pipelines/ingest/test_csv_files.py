"""CSV files before their rows are read: encoding, delimiter, names, and what is refused."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

import pyarrow as pa
import pytest

from analysis.study.source import Source
from pipelines.ingest.csv_files import CsvFile, check_csv
from pipelines.ingest.files import InputError, SourceFile

BODY = "\n1,F\n"
ZSTD = pa.Codec("zstd")


def _checked(folder: Path, content: bytes | str, *, name: str = "person.csv", **settings: object) -> CsvFile:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return check_csv(SourceFile("person", name, path), Source.model_validate(settings), folder / "text" / "1.csv")


def _refused(folder: Path, content: bytes | str, *, name: str = "person.csv", **settings: object) -> str:
    with pytest.raises(InputError) as caught:
        _checked(folder, content, name=name, **settings)
    assert str(caught.value).startswith(name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"person_id,\x00sex\n", "holds NUL bytes"),
        (b"\xff\xfep\x00e\x00", "is in UTF-16"),
        (b"\xfe\xff\x00p\x00e", "is in UTF-16"),
        (b"p\x00e\x00", "or is one in UTF-16"),
        (b"person_id,Jane,jane\n", "a column is named twice (the 2. and the 3. in the header"),
        (b"person_id,,Jane\n", "a column has no name (the 2. of 3 in the header)"),
        (b"person_id,Jane,\n", "a column has no name (the 3. of 3 in the header)"),
        (b"\nperson_id,Jane\n", "does not begin with a header: its first line is blank"),
        (b"  \n", "its first line is blank"),
        (b",,\n", "its first line is blank"),
        (b"\xef\xbb\xbf", "its first line is blank"),
        (b'person_id,"' + b"x" * 200_000, "the header cannot be read"),
        (",".join(f"c{i}" for i in range(2_001)).encode(), "has 2001 columns; at most 2000"),
    ],
)
def test_a_header_that_cannot_be_used_is_told_without_showing_it(tmp_path: Path, content: bytes, told: str) -> None:
    message = _refused(tmp_path, content)
    assert told in message
    assert "jane" not in message.lower()


def test_two_thousand_columns_are_read(tmp_path: Path) -> None:
    assert len(_checked(tmp_path, ",".join(f"c{i}" for i in range(2_000))).names) == 2_000


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("person_id,sex", ","),
        ("person_id;sex", ";"),
        ("person_id\tsex", "\t"),
        ("person_id|sex", "|"),
        ('" Person_ID ","SEX"', ","),
        ("\ufeffperson_id,sex", ","),
        ('\ufeff"person_id",sex', ","),
        ("person_id,sex\r", ","),
    ],
)
def test_delimiter_and_names_are_read_from_the_header(tmp_path: Path, header: str, delimiter: str) -> None:
    found = _checked(tmp_path, header + BODY)
    assert (found.delimiter, found.names) == (delimiter, ("person_id", "sex"))


@pytest.mark.parametrize(
    ("header", "delimiter", "names"),
    [
        ('person_id;"a,b,c"', ";", ("person_id", "a,b,c")),
        ('person_id,"a;b;c\nd"', ",", ("person_id", "a;b;c\nd")),
        ("person_id", ",", ("person_id",)),
    ],
)
def test_delimiters_and_newlines_in_quotes_are_part_of_a_name(
    tmp_path: Path, header: str, delimiter: str, names: tuple[str, ...]
) -> None:
    found = _checked(tmp_path, f"{header}\n1\n")
    assert (found.delimiter, found.names) == (delimiter, names)


def test_a_declared_delimiter_is_used_whatever_the_header_holds(tmp_path: Path) -> None:
    assert _checked(tmp_path, "a,b,c;d\n1;2\n", delimiter=";").names == ("a,b,c", "d")


UTF8 = "person_id,sex\nZo\u00eb,F\n".encode()
LATIN = "person_id,sex\nZo\u00eb,F\n".encode("latin-1")
EURO = "person_id,sex\n\u20ac,F\n".encode("cp1252")


@pytest.mark.parametrize(
    ("content", "declared", "encoding"),
    [
        (b"person_id,sex\n", None, "utf-8"),
        (UTF8, None, "utf-8"),
        (UTF8, "utf-8", "utf-8"),
        (UTF8, "latin-1", "latin-1"),
        (b"\xef\xbb\xbf" + UTF8, "latin-1", "utf-8"),
        (LATIN, None, "windows-1252"),
        (LATIN, "windows-1252", "windows-1252"),
        (LATIN, "latin-1", "latin-1"),
        (EURO, None, "windows-1252"),
        (b"a\n\x81\n", "latin-1", "latin-1"),
        (UTF8 + LATIN, "windows-1252", "windows-1252"),
    ],
)
def test_the_encoding_is_declared_or_told_from_the_bytes(
    tmp_path: Path, content: bytes, declared: str | None, encoding: str
) -> None:
    found = _checked(tmp_path, content, encoding=declared)
    assert found.encoding == encoding
    assert found.digest == hashlib.sha256(content).hexdigest()
    if encoding != "utf-8":
        codec = {"latin-1": "latin-1", "windows-1252": "cp1252"}[encoding]
        assert found.path.read_bytes().decode() == content.decode(codec, errors="replace")


@pytest.mark.parametrize(
    ("content", "declared", "told"),
    [
        (LATIN, "utf-8", "is not in UTF-8, as source.encoding declares"),
        (b"\xef\xbb\xbf" + LATIN, None, "is not in UTF-8, as its first bytes say"),
        (b"a\n\x81\n", None, "neither in UTF-8 nor in Windows-1252"),
        (b"a\n\x81\n", "windows-1252", "neither in UTF-8 nor in Windows-1252"),
        (UTF8 + LATIN, None, "joined from files in different encodings"),
    ],
)
def test_text_in_no_one_encoding_is_refused(tmp_path: Path, content: bytes, declared: str | None, told: str) -> None:
    message = _refused(tmp_path, content, encoding=declared)
    assert told in message
    assert "Zo" not in message


PIECE = 1 << 20


@pytest.mark.parametrize("place", [PIECE - 1, PIECE, 3 * PIECE])
def test_every_piece_of_a_file_is_looked_at(tmp_path: Path, place: int) -> None:
    text = bytearray(b"a\n" + b"x\n" * (2 * PIECE))
    text[place] = 0
    assert "holds NUL bytes" in _refused(tmp_path, bytes(text))
    assert "holds NUL bytes" in _refused(tmp_path, gzip.compress(bytes(text)), name="person.csv.gz")
    text[place] = 0xEB
    assert _checked(tmp_path, bytes(text)).encoding == "windows-1252"


@pytest.mark.parametrize("before", [PIECE - 3, PIECE - 2, PIECE - 1])
def test_a_letter_cut_by_the_end_of_a_piece_is_a_letter(tmp_path: Path, before: int) -> None:
    text = b"a\n" + b"x" * (before - 2) + "\u20ac".encode() + b"\n"
    assert _checked(tmp_path, text).encoding == "utf-8"
    assert _checked(tmp_path, text.replace(b"\x82\xac", b"yy")).encoding == "windows-1252"


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_packed_file_that_is_cut_off_or_none_is_refused(tmp_path: Path, suffix: str) -> None:
    text = b"a,b\n" + os.urandom(300_000).hex().encode() + b",1\n"
    packed = gzip.compress(text) if suffix == "gz" else ZSTD.compress(text, asbytes=True)
    name = f"person.csv.{suffix}"
    assert _checked(tmp_path, packed, name=name).digest == hashlib.sha256(packed).hexdigest()
    for content in (packed[:-1], packed[: len(packed) // 2], b"a,b\n1,2\n"):
        assert "cut off or damaged" in _refused(tmp_path, content, name=name)
    nothing = gzip.compress(b"") if suffix == "gz" else ZSTD.compress(b"", asbytes=True)
    assert "is empty once unpacked" in _refused(tmp_path, nothing, name=name)
