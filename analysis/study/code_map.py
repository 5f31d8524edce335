"""A table of the study's own that says which codes mean which drug, beside the codes of the study file and the reference.

Owns the shape of the table and the forms in which one NDC is written. Which drugs there are is known in `tables.py`.
Source of the NDC formats: 21 CFR 207.33 (10 digits in three parts); billing writes 11, each part with its zeros in front.
"""

from __future__ import annotations

import csv
import io
from typing import Annotated, Literal, get_args

from pydantic import Field

from analysis.study.section import Identifier, Section

CodeSystem = Literal["RxNorm", "ATC", "OMOP", "NDC", "HCPCS", "local"]
COLUMNS = ("code_system", "code", "drug_id")
_NDC_PARTS = {(5, 4, 2), (4, 4, 2), (5, 3, 2), (5, 4, 1)}


class MappedCode(Section):
    """One row of the table."""

    code_system: CodeSystem
    code: Annotated[str, Field(min_length=1)]
    drug_id: Identifier


def mapped_codes(content: bytes) -> list[dict[str, str]]:
    """The rows of a code map. Raises ValueError, telling the row, where it is not such a table."""
    try:
        text = content.decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except UnicodeDecodeError:
        raise ValueError("it is not in UTF-8") from None
    except csv.Error:
        raise ValueError("it is not a CSV file with commas") from None
    header = [name.strip().lower() for name in rows[0]] if rows else []
    if sorted(header) != sorted(COLUMNS):
        raise ValueError(f"its header must be {', '.join(COLUMNS)}, with commas")
    systems = {name.lower(): name for name in get_args(CodeSystem)}
    meanings: dict[tuple[str, str], str] = {}
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header) or not all(cell.strip() for cell in row):
            raise ValueError(f"row {number} does not have the three cells {', '.join(COLUMNS)}")
        cells = dict(zip(header, (cell.strip() for cell in row), strict=True))
        system = systems.get(cells["code_system"].lower())
        if system is None:
            raise ValueError(
                f"row {number}: code_system {cells['code_system']!r} is not one of {', '.join(systems.values())}"
            )
        key = (system, cells["code"].upper())
        if meanings.setdefault(key, cells["drug_id"]) != cells["drug_id"]:
            raise ValueError(
                f"row {number}: {system} {key[1]!r} would mean two drugs, {meanings[key]!r} and {cells['drug_id']!r}"
            )
    return [{"code_system": system, "code": code, "drug_id": drug} for (system, code), drug in sorted(meanings.items())]


def code_forms(system: str, code: str) -> set[str]:
    """Every way in which a code may be written in a record: an NDC with each of its hyphens, and in 11 digits.

    Ten digits without hyphens do not tell where the missing zero stands and are no form of any other.
    """
    parts = tuple(code.split("-")) if "-" in code else (code[:5], code[5:9], code[9:])
    lengths = tuple(map(len, parts))
    is_whole = lengths in _NDC_PARTS and ("-" in code or len(code) == 11)
    if system != "NDC" or not is_whole or not all(part.isascii() and part.isdigit() for part in parts):
        return {code}
    labeler, product, package = parts[0].zfill(5), parts[1].zfill(4), parts[2].zfill(2)
    forms = {code, f"{labeler}{product}{package}", f"{labeler}-{product}-{package}"}
    if labeler.startswith("0"):
        forms.add(f"{labeler[1:]}-{product}-{package}")
    if product.startswith("0"):
        forms.add(f"{labeler}-{product[1:]}-{package}")
    if package.startswith("0"):
        forms.add(f"{labeler}-{product}-{package[1:]}")
    return forms
