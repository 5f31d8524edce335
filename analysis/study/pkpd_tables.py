"""The settings of what follows omalizumab as rows, with the codes and terms that mean an exacerbation of asthma."""

from __future__ import annotations

import polars as pl

from analysis.study.outcomes import component_codes
from analysis.study.pkpd import Pkpd

EXACERBATION = "asthma_exacerbation"  # of the reference


def pkpd_tables(settings: Pkpd, outcomes: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Rows of `spec.pkpd`, `spec.exacerbation_code` and `spec.exacerbation_term`.

    outcomes: table `outcome` of the reference, all text. A reference without EXACERBATION has no codes and no terms.
    """
    rows = outcomes.filter(pl.col("outcome_id") == EXACERBATION).to_dicts()
    codes = {
        (vocabulary, prefix)
        for row in rows
        for vocabulary, prefix, is_exclusion in component_codes(row)
        if not is_exclusion
    }
    terms = {term.strip().lower() for row in rows for term in (row["meddra_pt_names"] or "").split(";") if term.strip()}
    return {
        "pkpd": pl.DataFrame(
            {
                "stop_days": [settings.stop_days],
                "follow_up_days": [settings.follow_up_days],
                "exacerbation_gap_days": [int(rows[0]["episode_gap_days"] or 14) if rows else 14],
            }
        ),
        "exacerbation_code": pl.DataFrame(
            sorted(codes), schema={"vocabulary": pl.String, "code_prefix": pl.String}, orient="row"
        ),
        "exacerbation_term": pl.DataFrame({"term": sorted(terms)}, schema={"term": pl.String}),
    }
