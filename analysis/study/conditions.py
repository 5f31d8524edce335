"""Conditions of the reference as rows: Charlson's with their weights, and indications that are not part of a wider one.

Owns which indication stands for which: Crohn disease and ulcerative colitis are told as inflammatory bowel disease, allergic
and severe asthma as asthma, so that persons with the same disease are compared. Owns the hierarchy of Charlson's conditions.
Reads no records.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from analysis.study.outcomes import normalised_code

CONDITION_SCHEMA = dict.fromkeys(("condition_id", "vocabulary", "code_prefix"), pl.String)
SUPERSEDED_BY = {
    "cci_diab": "cci_diabwc",
    "cci_mld": "cci_msld",
    "cci_canc": "cci_metacanc",
}  # Quan 2005, Med Care 43:1130
CHARLSON_SCHEMA = {
    "condition_id": pl.String, "vocabulary": pl.String, "code_prefix": pl.String, "weight": pl.Int64, "superseded_by": pl.String,
}  # fmt: skip
VOCABULARIES = {"ICD10": "icd10_who_prefixes", "ICD10CM": "icd10cm_prefixes", "ICD9CM": "icd9cm_prefixes"}
Codes = Mapping[str, frozenset[str]]


def indication_rows(reference: pl.DataFrame) -> pl.DataFrame:
    """Rows of `spec.indication_code`: code prefixes of each indication that no other includes, by vocabulary.

    reference: table `condition`, all columns text.
    """
    known = {
        str(row["condition_id"]): _codes(row) for row in reference.iter_rows(named=True) if row["group"] == "indication"
    }
    rows = [
        (name, vocabulary, prefix)
        for name, codes in known.items()
        if not any(_includes(other, codes) for wider, other in known.items() if wider != name)
        for vocabulary, prefixes in codes.items()
        for prefix in prefixes
    ]
    return pl.DataFrame(sorted(rows), schema=CONDITION_SCHEMA, orient="row")


def _codes(row: Mapping[str, str | None]) -> Codes:
    return {
        vocabulary: frozenset(normalised_code(code) for code in (row[column] or "").split(";") if code.strip())
        for vocabulary, column in VOCABULARIES.items()
    }


def _includes(wider: Codes, codes: Codes) -> bool:
    """Whether every prefix of the narrower begins with one of the wider, in each vocabulary."""
    return all(
        all(any(prefix.startswith(other) for other in wider[vocabulary]) for prefix in prefixes)
        for vocabulary, prefixes in codes.items()
    )


def charlson_rows(reference: pl.DataFrame) -> pl.DataFrame:
    """Rows of `spec.charlson_code`: code prefixes of the Charlson conditions with their weights of Quan 2011.

    reference: table `condition`, all columns text. A condition is superseded by its severe form. A weight of 0 is kept: the
    condition is looked for and adds nothing.
    """
    rows = [
        (
            row["condition_id"],
            vocabulary,
            prefix,
            int(row["charlson_weight_quan2011"]),
            SUPERSEDED_BY.get(row["condition_id"]),
        )
        for row in reference.iter_rows(named=True)
        if row["group"] == "charlson"
        for vocabulary, prefixes in _codes(row).items()
        for prefix in prefixes
    ]
    return pl.DataFrame(sorted(rows, key=lambda row: row[:3]), schema=CHARLSON_SCHEMA, orient="row")
