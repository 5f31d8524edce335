"""What a CSV file is before DuckDB reads it: encoding, delimiter, names, and that its text is whole.

One pass over the bytes of a file, in pieces, gives its SHA-256 and refuses what DuckDB would read without a word: NUL
bytes, a compressed file that is cut off, text of no known encoding. Text that is not UTF-8 is rewritten on the way.
The rows themselves are DuckDB's.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from analysis.study.source import Source
from pipelines.ingest.files import InputError, SourceFile

DELIMITERS = (",", ";", "\t", "|")
MAX_COLUMNS = 2_000
MAX_HEADER_BYTES = 1 << 20
_PIECE_BYTES = 1 << 20
_CODECS = {"latin-1": "latin-1", "windows-1252": "cp1252"}
_NOT_1252 = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")  # bytes that Windows-1252 leaves without a meaning
_LONGER_THAN_A_BYTE = re.compile(  # a letter of UTF-8 in more than one byte
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}"
)


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file that can be given to DuckDB: in UTF-8, at `path`."""

    path: Path
    compression: str
    delimiter: str
    names: tuple[str, ...]
    encoding: str
    digest: str


def check_csv(file: SourceFile, source: Source, rewritten: Path) -> CsvFile:
    """Reads a CSV file once. Where it is not in UTF-8, its text is written to `rewritten` in UTF-8. Raises InputError."""
    text = _Text(file, source.encoding)
    head = bytearray()
    for piece in text.pieces():
        if len(head) < MAX_HEADER_BYTES:
            head += piece
    encoding = text.encoding()
    delimiter, names = read_header(file.name, bytes(head[:MAX_HEADER_BYTES]), encoding, source.delimiter)
    path, compression = file.path, file.compression or ""
    if encoding != "utf-8":
        _rewrite(file, encoding, rewritten)
        path, compression = rewritten, ""
    return CsvFile(path, compression, delimiter, names, encoding, text.digest)


def read_header(name: str, head: bytes, encoding: str, declared: str | None) -> tuple[str, tuple[str, ...]]:
    """Delimiter and column names, in lower case, from the first bytes of a file. Raises InputError.

    No message shows the header: where it is missing, the first line is a record.
    """
    text = head.decode("utf-8-sig" if encoding == "utf-8" else _CODECS[encoding], errors="replace")
    delimiter = declared or _delimiter(text)
    try:
        cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:
        raise InputError(f"{name}: the header cannot be read: a name is too long, or a quote does not end.") from None
    names = tuple(cell.strip().lower() for cell in cells)
    if len(names) > MAX_COLUMNS:
        raise InputError(f"{name} has {len(names)} columns; at most {MAX_COLUMNS} can be read.")
    if not any(names):
        raise InputError(
            f"{name} does not begin with a header: its first line is blank. Begin it with the column names."
        )
    if "" in names:
        raise InputError(
            f"{name}: a column has no name (the {names.index('') + 1}. of {len(names)} in the header). Give every column "
            "its own name."
        )
    places: dict[str, int] = {}
    for place, column in enumerate(names, start=1):
        if column in places:
            raise InputError(
                f"{name}: a column is named twice (the {places[column]}. and the {place}. in the header, compared without "
                "case). Give every column its own name."
            )
        places[column] = place
    return delimiter, names


def _delimiter(text: str) -> str:
    """The delimiter that the first line holds most often outside quotes; a comma where it holds none."""
    is_quoted = False
    counts = dict.fromkeys(DELIMITERS, 0)
    for letter in text:
        if letter == '"':
            is_quoted = not is_quoted
        elif not is_quoted:
            if letter in "\r\n":
                break
            if letter in counts:
                counts[letter] += 1
    return max(DELIMITERS, key=counts.__getitem__)


class _Text:
    """The text of a file in pieces, and what all of them together tell of its encoding and content."""

    def __init__(self, file: SourceFile, declared: str | None) -> None:
        self._file = file
        self._declared = declared
        self._hash = hashlib.sha256()
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_utf8 = True
        self._has_mark = False
        self._has_letters = False  # of UTF-8, in more than one byte
        self._has_undefined = False

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def pieces(self) -> Iterator[bytes]:
        """The pieces, each checked. Raises InputError."""
        is_first = True
        for piece in _pieces(self._file, self._hash.update):
            if is_first:
                self._begin(piece)
                is_first = False
            if b"\x00" in piece:
                raise InputError(
                    f"{self._file.name} holds NUL bytes and is not a CSV file, or is one in UTF-16. Export it again as text in UTF-8."
                )
            self._see(piece)
            yield piece
        if is_first:
            raise InputError(f"{self._file.name} is empty once unpacked. Export it again.")
        self._decode(b"", is_last=True)

    def encoding(self) -> str:
        """The encoding, once every piece was seen. Raises InputError."""
        declared, name = self._declared, self._file.name
        if self._is_utf8 and (declared in (None, "utf-8") or self._has_mark):
            return "utf-8"
        if declared == "utf-8" or self._has_mark:
            raise InputError(
                f"{name} is not in UTF-8, as {'its first bytes say' if self._has_mark else 'source.encoding declares'}. "
                "Export it again in UTF-8, or declare source.encoding."
            )
        if declared == "latin-1":
            return declared
        if self._has_undefined:
            raise InputError(
                f"{name} is neither in UTF-8 nor in Windows-1252: it holds bytes that are no letter in either. Export it "
                "again in UTF-8."
            )
        if declared is None and self._has_letters:
            raise InputError(
                f"{name} holds letters in UTF-8 and bytes that are not UTF-8: it is damaged or joined from files in different "
                "encodings. Export it again in UTF-8, or declare source.encoding."
            )
        return "windows-1252"

    def _begin(self, piece: bytes) -> None:
        if piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise InputError(f"{self._file.name} is in UTF-16, which is not read. Export it again in UTF-8.")
        self._has_mark = piece.startswith(codecs.BOM_UTF8)

    def _see(self, piece: bytes) -> None:
        if piece.isascii():
            if self._is_utf8 and self._decoder.getstate()[0]:
                self._decode(piece[:1])
            return
        self._decode(piece)
        self._has_letters = self._has_letters or _LONGER_THAN_A_BYTE.search(piece) is not None
        self._has_undefined = self._has_undefined or any(byte in piece for byte in _NOT_1252)

    def _decode(self, piece: bytes, *, is_last: bool = False) -> None:
        if self._is_utf8:
            try:
                self._decoder.decode(piece, is_last)
            except UnicodeDecodeError:
                self._is_utf8 = False


class _Seen(io.RawIOBase):
    """The bytes of a file as stored, told of as they are read: what unpacks them reads from here."""

    def __init__(self, file: BinaryIO, see: Callable[[bytes], object]) -> None:
        self._file = file
        self._see = see

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        piece = self._file.read(size)
        self._see(piece)
        return piece


def _pieces(file: SourceFile, see: Callable[[bytes], object]) -> Iterator[bytes]:
    """The text of a file in pieces, unpacked; `see` is told of its bytes as stored. Raises InputError."""
    try:
        with file.path.open("rb") as stored:
            if not file.compression:
                while piece := stored.read(_PIECE_BYTES):
                    see(piece)
                    yield piece
                return
            with pa.CompressedInputStream(pa.PythonFile(_Seen(stored, see), mode="r"), file.compression) as text:
                while piece := text.read(_PIECE_BYTES):
                    yield piece
    except (OSError, pa.ArrowException):
        packed = f"unpacked ({file.compression}): it is cut off or damaged" if file.compression else "opened"
        raise InputError(f"{file.name} cannot be {packed}. Copy or export it again.") from None


def _rewrite(file: SourceFile, encoding: str, target: Path) -> None:
    """Writes the text of a file in an encoding of one byte a letter to `target` in UTF-8."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        for piece in _pieces(file, len):
            stream.write(piece.decode(_CODECS[encoding]).encode())
