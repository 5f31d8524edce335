"""The ways to episodes and combination intervals that `benchmarks.exposure` measures, and the tables they read.

Owns what stands beside the project's SQL: DuckDB's sort, the OMOP drug_era algorithm in our own words, and a polars
formulation of the combination sweep. Measures nothing.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from sql.catalog import queries

GAP_DAYS, TAIL_DAYS = 30, 60
STUDY_DRUGS = 24  # of 30; the others are background drugs

SPEC = f"""
CREATE SCHEMA spec; CREATE SCHEMA staged; CREATE SCHEMA exposure;
CREATE TABLE spec.exposure_rule AS
  SELECT 'primary' AS exposure_rule, CAST(1 AS BIGINT) AS rule_number, 'primary' AS label, TRUE AS is_primary;
CREATE TABLE spec.drug AS SELECT
  FORMAT('drug_{{:02d}}', n) AS drug_id, CASE WHEN n < {STUDY_DRUGS} THEN 'study' ELSE 'background' END AS role,
  CONCAT('class_', n // 2) AS drug_class, n % 3 = 0 OR n >= {STUDY_DRUGS} AS counts_toruner, n % 4 < 3 AS counts_broad
  FROM RANGE(30) AS r (n);
CREATE TABLE spec.drug_policy AS SELECT
  'primary' AS exposure_rule, d.drug_id, CAST({GAP_DAYS} AS BIGINT) AS gap_days, CAST({TAIL_DAYS} AS BIGINT) AS tail_days
  FROM spec.drug AS d;
"""


def prepare(source: Path, database: Path, *, enum: bool) -> None:
    """A database with the tables that the project's SQL reads, `drug_id` as text or as an ENUM."""
    with duckdb.connect(str(database)) as con:
        con.execute(SPEC)
        names = ", ".join(f"'drug_{n:02d}'" for n in range(30))
        kind = f"ENUM ({names})" if enum else "VARCHAR"
        con.execute(f"CREATE TYPE spec.drug_name AS {kind}")
        for table in ("drug", "drug_policy"):
            con.execute(f"ALTER TABLE spec.{table} ALTER drug_id TYPE {'spec.drug_name' if enum else 'VARCHAR'}")
        con.execute(
            f"""
            CREATE TABLE staged.observation_period AS SELECT * FROM '{source}/observation_period.parquet';
            CREATE TABLE staged.death AS SELECT o.person_id, MAX(o.stop_date) - 1 AS death_date
              FROM staged.observation_period AS o WHERE o.person_id % 20 = 0 GROUP BY o.person_id;
            CREATE TABLE exposure."window" AS SELECT
              CONCAT('rx', p.file_row_number) AS prescription_id, p.person_id, CAST(FORMAT('drug_{{:02d}}', p.drug) AS {kind}) AS drug_id,
              'dispensing' AS record_type, p.start_date, p.start_date + p.days AS stop_date, 'days_supply' AS window_source,
              FALSE AS is_era_level
              FROM READ_PARQUET('{source}/prescription.parquet', file_row_number = TRUE) AS p
            """
        )
