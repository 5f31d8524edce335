"""The dose that a table gives for weight and IgE.

Owns the reading of one dosing table and the look-up. What was given against it belongs in `dose_check`.

A band holds its upper bound and not its lower one; the first band of either side holds both. A cell without a dose is one where no
allowed dose would suffice. Tables differ by region and date: each carries its name and version into what is said of it. The EU
table of 2005 (IgE up to 700 IU/mL) and the tables of other indications are not among the reference tables.
Source: US label, asthma from 12 years; EU summary of product characteristics, rows above 800 IU/mL unconfirmed.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from analysis.pkpd.quantities import PkpdError

DAYS_PER_WEEK = 7
_COLUMNS = ("ige_gt", "ige_le", "wt_gt", "wt_le", "mg", "interval_weeks")


@dataclass(frozen=True, slots=True)
class DosingTable:
    """One table: its cells (`_COLUMNS`, doses NULL where there is none) and what it covers, IU/mL and kg."""

    name: str
    version: str
    cells: pl.DataFrame
    lowest_ige: float
    highest_ige: float
    lowest_weight: float
    highest_weight: float


def dosing_table(rows: pl.DataFrame, *, name: str, version: str) -> DosingTable:
    """A table from rows such as `reference.omalizumab_dosing_eu`, whose columns may still be text.

    Raises PkpdError where the cells are not every pair of bands that follow each other without gaps, once, and where a cell
    has a dose without an interval or the other way round.
    """
    cells = rows.select(pl.col(column).cast(pl.Float64) for column in _COLUMNS)
    sides = {}
    for low, high in (("ige_gt", "ige_le"), ("wt_gt", "wt_le")):
        bands = cells.select(low, high).unique().sort(low, high)
        if not (bands[low] < bands[high]).all() or bands[low].to_list()[1:] != bands[high].to_list()[:-1]:
            raise PkpdError(f"{name}: bands of {low} do not follow each other")
        sides[low] = bands
    is_repeated = cells.select("ige_gt", "wt_gt").is_duplicated().any()
    if is_repeated or cells.height != sides["ige_gt"].height * sides["wt_gt"].height:
        raise PkpdError(f"{name}: the cells are not each pair of bands once")
    half = cells.filter(pl.col("mg").is_null() != pl.col("interval_weeks").is_null())
    if half.height or cells.filter((pl.col("mg") <= 0.0) | (pl.col("interval_weeks") <= 0.0)).height:
        raise PkpdError(f"{name}: a dose above 0 needs an interval above 0, and the other way round")
    return DosingTable(
        name=name,
        version=version,
        cells=cells,
        lowest_ige=sides["ige_gt"]["ige_gt"][0],
        highest_ige=sides["ige_gt"]["ige_le"][-1],
        lowest_weight=sides["wt_gt"]["wt_gt"][0],
        highest_weight=sides["wt_gt"]["wt_le"][-1],
    )


def expected_dose(persons: pl.DataFrame, table: DosingTable) -> pl.DataFrame:
    """What the table gives each person: `person_id`, `status`, `expected_dose_mg`, `expected_interval_days`.

    persons: `person_id` (once), `weight_kg`, `baseline_ige_iu_per_ml` (IgE before treatment: on treatment it is several times higher).
    status: the first that applies of `no_weight`, `no_ige`, `off_table_weight`, `off_table_ige`, `no_dose` (inside, but too much
    for any dose), `dosed`. Doses are NULL but for `dosed`.
    """
    asked = persons.select(
        "person_id", weight=pl.col("weight_kg").cast(pl.Float64), ige=pl.col("baseline_ige_iu_per_ml").cast(pl.Float64)
    ).with_row_index("row")
    weight, ige = pl.col("weight"), pl.col("ige")
    # An inequality join knows no inclusive first band: its lower bound is taken for the one just below.
    first_ige = pl.when(pl.col("ige_gt") == table.lowest_ige).then(-1.0).otherwise("ige_gt")
    first_weight = pl.when(pl.col("wt_gt") == table.lowest_weight).then(-1.0).otherwise("wt_gt")
    cells = table.cells.with_columns(ige_gt=first_ige, wt_gt=first_weight)
    inside = asked.join_where(
        cells,
        pl.col("ige") > pl.col("ige_gt"),
        pl.col("ige") <= pl.col("ige_le"),
        pl.col("weight") > pl.col("wt_gt"),
        pl.col("weight") <= pl.col("wt_le"),
    ).select("row", "mg", "interval_weeks")
    status = (
        pl.when(weight.is_null()).then(pl.lit("no_weight"))
        .when(ige.is_null()).then(pl.lit("no_ige"))
        .when(~weight.is_between(table.lowest_weight, table.highest_weight)).then(pl.lit("off_table_weight"))
        .when(~ige.is_between(table.lowest_ige, table.highest_ige)).then(pl.lit("off_table_ige"))
        .when(pl.col("mg").is_null()).then(pl.lit("no_dose"))
        .otherwise(pl.lit("dosed"))
    )  # fmt: skip
    is_dosed = pl.col("status") == "dosed"
    return (
        asked.join(inside, on="row", how="left", maintain_order="left")
        .with_columns(status=status)
        .select(
            "person_id",
            "status",
            expected_dose_mg=pl.when(is_dosed).then("mg"),
            expected_interval_days=pl.when(is_dosed).then(DAYS_PER_WEEK * pl.col("interval_weeks")).cast(pl.Int64),
        )
    )
