-- Kept drug records, typed and mapped; stop_date is the day after the last day named by the record. start_minute is NULL where the
-- record knows the day only: no time of day, midnight, which stands for an unknown time, or a time of another day than the start.
-- grain: prescription_id
SELECT
  x.prescription_id,
  p.person_id,
  m.drug_id,
  CASE WHEN LOWER(x.record_type) IN ('administration', 'dispensing') THEN LOWER(x.record_type) ELSE 'order' END AS record_type,
  x.drug_source_value,
  x.drug_code,
  x.code_system,
  x.start_date,
  CASE
    WHEN CAST(x.start_datetime AS DATE) = x.start_date
      THEN NULLIF(CAST(EXTRACT(HOUR FROM x.start_datetime) * 60 + EXTRACT(MINUTE FROM x.start_datetime) AS BIGINT), 0)
  END AS start_minute,
  x.end_date + 1 AS stop_date,
  x.days_supply,
  x.quantity,
  x.dose,
  x.dose_unit,
  x.route,
  LOWER(x.site_of_care) AS site_of_care,
  CASE WHEN x.observed_minutes >= 0 THEN x.observed_minutes END AS observed_minutes,
  x.stop_reason,
  i.era_level AS is_era_level
FROM intake.prescription AS x
INNER JOIN staged.person AS p ON x.person_source_value = p.person_source_value
INNER JOIN quality.drug_map AS m
  ON
    COALESCE(x.drug_source_value, '') = m.drug_source_value
    AND COALESCE(x.drug_code, '') = m.drug_code
    AND COALESCE(x.code_system, '') = m.code_system
CROSS JOIN meta.source AS i
WHERE NOT EXISTS (
  SELECT 1 FROM quality.quarantine AS q
  WHERE q.table_name = 'prescription' AND q.source_file = x.source_file AND q.row_number = x.row_number
)
