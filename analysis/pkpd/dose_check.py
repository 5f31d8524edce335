"""The dose given against the dose of each table, and against 0.016 mg for each kg and IU/mL in four weeks.

Owns the comparison and its classes. Reading of tables belongs in `dosing_table`.

Chronic urticaria is dosed without IgE and weight and is never held against a table. EU doses are at least 0.016 mg a kg
and IU/mL in four weeks at the upper corner of every cell, and a cell is empty exactly where this needs more than 1,200 mg; the US table
goes down to 0.0133 there. The rule is no class of its own: it is a number beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

from analysis.pkpd.dosing_table import DosingTable, expected_dose
from analysis.pkpd.quantities import PkpdError

MG_PER_KG_AND_IU = 0.016  # in four weeks; what every cell of the EU table keeps
FOUR_WEEKS = 28
DoseClass = Literal[
    "as_table", "equal_four_week_dose", "under", "over", "off_table_ige", "off_table_weight", "no_dose", "not_applicable",
    "not_assessable",
]  # fmt: skip
_REASONS = {
    "no_weight": "no weight",
    "no_ige": "no baseline IgE",
    "off_table_ige": "IgE is outside the table",
    "off_table_weight": "weight is outside the table",
    "no_dose": "the table gives no dose for this IgE and weight",
}
_BY_TABLE = ("given_to_expected", "mg_per_kg_and_iu", "to_0016")  # NULL where no table applies
_GIVEN = ("given_dose_mg", "given_interval_days")


def dose_check(given: pl.DataFrame, tables: Sequence[DosingTable], *, tolerance: float) -> pl.DataFrame:
    """One row a person and table: what was expected, what was given, and the class of the difference.

    given: `person_id` (once), `weight_kg`, `baseline_ige_iu_per_ml`, `given_dose_mg`, `given_interval_days`,
    `is_dosed_by_table` (false for urticaria). tolerance: share by which doses and intervals may differ and still be the
    same, as intervals in records are seldom 28 days.
    Columns: `person_id`, `table_name`, `table_version`, `expected_dose_mg`, `expected_interval_days`, `given_dose_mg`,
    `given_interval_days`, `given_to_expected` (of mg in four weeks), `mg_per_kg_and_iu` (in four weeks), `to_0016` (as share of
    0.016), `dose_class`, `reason` (why there is no comparison; NULL else).
    Misleads where IgE was measured on treatment or weight has changed since.
    Raises PkpdError for a repeated person, a given dose, interval, weight or IgE that is not above 0, and a tolerance outside 0 to 0.5.
    """
    if not 0.0 <= tolerance < 0.5:
        raise PkpdError(f"tolerance must be from 0 to below 0.5, not {tolerance}")
    if given["person_id"].is_duplicated().any():
        raise PkpdError("a person is given more than once")
    numbers = (*_GIVEN, "weight_kg", "baseline_ige_iu_per_ml")
    typed = given.with_columns(pl.col(*numbers).cast(pl.Float64))
    for column in numbers:
        wrong = typed.filter(~(pl.col(column).is_finite() & (pl.col(column) > 0.0))).height
        if wrong:
            raise PkpdError(f"{wrong} persons with a {column} not above 0")
    if not tables:
        raise PkpdError("there are no dosing tables")
    return pl.concat(_against(typed, table, tolerance) for table in tables)


def _against(given: pl.DataFrame, table: DosingTable, tolerance: float) -> pl.DataFrame:
    held = given.join(expected_dose(given, table), on="person_id", how="left", maintain_order="left")
    four_weeks = FOUR_WEEKS * pl.col("given_dose_mg") / pl.col("given_interval_days")
    expected = FOUR_WEEKS * pl.col("expected_dose_mg") / pl.col("expected_interval_days")
    by_need = four_weeks / (pl.col("weight_kg") * pl.col("baseline_ige_iu_per_ml"))
    is_by_table, status = pl.col("is_dosed_by_table"), pl.col("status")
    is_missing = pl.any_horizontal(pl.col(column).is_null() for column in _GIVEN)

    def same(one: str, other: str) -> pl.Expr:
        # One part in a billion above the tolerance: shares of whole mg and days are rounded.
        return (pl.col(one) / pl.col(other) - 1.0).abs() <= tolerance + 1e-9

    ratio = pl.col("given_to_expected")
    dose_class = (
        pl.when(is_by_table.is_null()).then(pl.lit("not_assessable"))
        .when(~is_by_table).then(pl.lit("not_applicable"))
        .when(is_missing | status.is_in(["no_weight", "no_ige"])).then(pl.lit("not_assessable"))
        .when(status != "dosed").then(status)
        .when(same("given_dose_mg", "expected_dose_mg") & same("given_interval_days", "expected_interval_days"))
        .then(pl.lit("as_table"))
        .when((ratio - 1.0).abs() <= tolerance + 1e-9).then(pl.lit("equal_four_week_dose"))
        .when(ratio < 1.0).then(pl.lit("under"))
        .otherwise(pl.lit("over"))
    )  # fmt: skip
    reason = (
        pl.when(is_by_table.is_null()).then(pl.lit("indication unknown"))
        .when(~is_by_table).then(pl.lit("dosed without IgE and weight"))
        .when(is_missing).then(pl.lit("no given dose or interval"))
        .when(status != "dosed").then(status.replace_strict(_REASONS, default=None, return_dtype=pl.String))
    )  # fmt: skip
    return (
        held.with_columns(given_to_expected=four_weeks / expected, mg_per_kg_and_iu=by_need)
        .with_columns(to_0016=pl.col("mg_per_kg_and_iu") / MG_PER_KG_AND_IU, dose_class=dose_class, reason=reason)
        .select(
            "person_id",
            "expected_dose_mg",
            "expected_interval_days",
            *_GIVEN,
            *(pl.when(is_by_table).then(name).alias(name) for name in _BY_TABLE),
            "dose_class",
            "reason",
            table_name=pl.lit(table.name),
            table_version=pl.lit(table.version),
        )
    )
