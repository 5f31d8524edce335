"""The ways to episodes and combination intervals that `benchmarks.exposure` measures, and the tables they read.

Owns what stands beside the project's SQL in DuckDB: its sort, and the OMOP drug_era algorithm in our own words. What works on
arrays is in `benchmarks.exposure_arrays`. Measures nothing.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from sql.catalog import queries

GAP_DAYS, TAIL_DAYS = 30, 60
STUDY_DRUGS = 24  # of 30; the others are background drugs
DATABASE = "bench.duckdb"

SPEC = f"""
CREATE SCHEMA spec; CREATE SCHEMA staged; CREATE SCHEMA exposure;
CREATE TABLE spec.exposure_rule AS
  SELECT 'primary' AS exposure_rule, CAST(1 AS BIGINT) AS rule_number, 'primary' AS label, TRUE AS is_primary,
    CAST(1 AS BIGINT) AS min_episode_days, CAST(NULL AS BIGINT) AS max_episode_days, CAST(28 AS BIGINT) AS min_overlap_days;
CREATE TABLE spec.drug AS SELECT
  FORMAT('drug_{{:02d}}', n) AS drug_id, CASE WHEN n < {STUDY_DRUGS} THEN 'study' ELSE 'background' END AS role,
  CONCAT('class_', n // 2) AS drug_class, n % 3 = 0 OR n >= {STUDY_DRUGS} AS counts_toruner, n % 4 < 3 AS counts_broad,
  n % 2 = 0 AS is_biologic
  FROM RANGE(30) AS r (n);
CREATE TABLE spec.drug_policy AS SELECT
  'primary' AS exposure_rule, d.drug_id, CAST({GAP_DAYS} AS BIGINT) AS gap_days, CAST({TAIL_DAYS} AS BIGINT) AS tail_days,
  'merge' AS overlap_handling, CAST(0 AS BIGINT) AS stockpile_cap_days, 'carry' AS dose_change, FALSE AS bridges_hospital_stays
  FROM spec.drug AS d;
"""


def prepare(folder: Path, *, memory_limit: str | None) -> None:
    """A database with the tables that the project's SQL reads, from the folder's `source`."""
    source = folder / "source"
    with connected(folder / DATABASE, memory_limit=memory_limit, read_only=False) as con:
        con.execute(SPEC)
        con.execute(
            f"""
            CREATE TABLE staged.observation_period AS SELECT * FROM '{source}/observation_period.parquet';
            CREATE TABLE staged.death AS SELECT o.person_id, MAX(o.stop_date) - 1 AS death_date
              FROM staged.observation_period AS o WHERE o.person_id % 20 = 0 GROUP BY o.person_id;
            CREATE TABLE exposure.hospital_stay AS
              SELECT o.person_id, o.start_date, o.stop_date FROM staged.observation_period AS o WHERE FALSE;
            CREATE TABLE exposure."window" AS SELECT
              CONCAT('rx', p.file_row_number) AS prescription_id, p.person_id, FORMAT('drug_{{:02d}}', p.drug) AS drug_id,
              'dispensing' AS record_type, p.start_date, p.start_date + p.days AS stop_date, 'days_supply' AS window_source,
              'used' AS record_use, CAST(NULL AS DECIMAL(18, 6)) AS day_dose, CAST(NULL AS VARCHAR) AS dose_unit, FALSE AS is_era_level
              FROM READ_PARQUET('{source}/prescription.parquet', file_row_number = TRUE) AS p
            """
        )


def add_episodes(folder: Path, *, memory_limit: str | None) -> None:
    """The episodes that the combination step reads: a table of the database and a Parquet file for polars."""
    with connected(folder / DATABASE, memory_limit=memory_limit, read_only=False) as con:
        con.execute(f"CREATE TABLE exposure.episode AS {episode_step()}")
        con.execute(f"COPY exposure.episode TO '{folder}/episode.parquet'")
        con.execute(f"COPY (SELECT * FROM spec.drug ORDER BY drug_id) TO '{folder}/drug.parquet'")


def episode_step() -> str:
    """From windows to episodes: the SELECT of `exposure.episode` on those of the tables before it, as one."""
    text = queries()["exposure.episode"].text
    for name, alias in (("coverage", "c"), ("supply", "s"), ("handling", "h")):
        text = text.replace(f"exposure.{name} AS {alias}", f"({queries()[f'exposure.{name}'].text}\n) AS {alias}")
    return text


def connected(database: Path, *, memory_limit: str | None, read_only: bool = True) -> duckdb.DuckDBPyConnection:
    """A database with the limit of the measurement, its temporary files beside it."""
    con = duckdb.connect(str(database), read_only=read_only)
    con.execute(f"SET enable_progress_bar = false; SET temp_directory = '{database}.tmp'")
    if memory_limit:
        con.execute(f"SET memory_limit = '{memory_limit}'; SET preserve_insertion_order = false")
    return con


def sweep_ends(rows: str, start: str, end: str) -> str:
    """Days on which as many intervals have ended as have begun, by the ordinals of starts and of all events.

    A start comes before an end of the same day, so intervals that touch are one.
    """
    return f"""
      SELECT o.person_id, o.drug, o.event_date FROM (
        SELECT v.person_id, v.drug, v.event_date,
          MAX(v.start_ordinal) OVER (PARTITION BY v.person_id, v.drug ORDER BY v.event_date, v.event_type
            ROWS UNBOUNDED PRECEDING) AS start_ordinal,
          ROW_NUMBER() OVER (PARTITION BY v.person_id, v.drug ORDER BY v.event_date, v.event_type) AS overall_ordinal
        FROM (
          SELECT person_id, drug, {start} AS event_date, -1 AS event_type,
            ROW_NUMBER() OVER (PARTITION BY person_id, drug ORDER BY {start}) AS start_ordinal FROM {rows}
          UNION ALL
          SELECT person_id, drug, {end} AS event_date, 1 AS event_type, NULL AS start_ordinal FROM {rows}
        ) AS v
      ) AS o WHERE 2 * o.start_ordinal = o.overall_ordinal"""


def drug_era(source: Path) -> str:
    """Eras of the OMOP drug_era algorithm, from its public description.

    Overlapping records are first made sub-exposures, then sub-exposures whose end, padded by 30 days, reaches the next start are
    made eras; each time every interval looks up the first end at or after its start. Surplus of an early refill is lost.
    """
    return f"""
    WITH record AS (
      SELECT p.file_row_number AS id, p.person_id, p.drug, p.start_date, p.start_date + p.days AS end_date
      FROM READ_PARQUET('{source}/prescription.parquet', file_row_number = TRUE) AS p
    ),
    sub_end AS ({sweep_ends("record", "start_date", "end_date")}),
    record_end AS (
      SELECT r.id, r.person_id, r.drug, r.start_date, MIN(e.event_date) AS end_date FROM record AS r
      INNER JOIN sub_end AS e ON r.person_id = e.person_id AND r.drug = e.drug AND e.event_date >= r.start_date
      GROUP BY r.id, r.person_id, r.drug, r.start_date
    ),
    sub_exposure AS (
      SELECT ROW_NUMBER() OVER (PARTITION BY person_id, drug, end_date ORDER BY person_id) AS row_number,
        person_id, drug, MIN(start_date) AS start_date, end_date, COUNT(*) AS record_count,
        DATE_DIFF('day', MIN(start_date), end_date) AS days_exposed
      FROM record_end GROUP BY person_id, drug, end_date
    ),
    era_end AS ({sweep_ends("sub_exposure", "start_date", f"end_date + {GAP_DAYS}")}),
    sub_era AS (
      SELECT s.person_id, s.drug, s.start_date, s.record_count, s.days_exposed,
        MIN(e.event_date) - {GAP_DAYS} AS end_date FROM sub_exposure AS s
      INNER JOIN era_end AS e ON s.person_id = e.person_id AND s.drug = e.drug AND e.event_date >= s.start_date
      GROUP BY s.person_id, s.drug, s.start_date, s.end_date, s.record_count, s.days_exposed
    )
    SELECT ROW_NUMBER() OVER (ORDER BY person_id) AS drug_era_id, person_id, drug, MIN(start_date) AS start_date, end_date AS stop_date,
      CAST(SUM(record_count) AS BIGINT) AS prescription_count,
      DATE_DIFF('day', MIN(start_date), end_date) - CAST(SUM(days_exposed) AS BIGINT) AS gap_days
    FROM sub_era GROUP BY person_id, drug, end_date"""


def sql_step(folder: Path, name: str, *, memory_limit: str | None) -> None:
    """One way in DuckDB, its rows written to `result.parquet`."""
    source = folder / "source"
    columns = "person_id, drug, start_date, days"
    text = {
        "sort": f"SELECT {columns} FROM '{source}/prescription.parquet' ORDER BY person_id, drug, start_date",
        "drug_era": drug_era(source),
        "episode_sql": episode_step(),
        "interval_sql": queries()["exposure.combination_interval"].text,
        "class_sql": queries()["exposure.class_interval"].text,
    }[name]
    with connected(folder / DATABASE, memory_limit=memory_limit) as con:
        con.execute(f"COPY ({text}) TO '{folder}/result.parquet' (COMPRESSION lz4)")
