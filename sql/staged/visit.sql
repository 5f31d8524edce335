-- Kept visits as whole days; a visit without an end lasts one day.
-- grain: visit_id
SELECT
  v.visit_id,
  p.person_id,
  LOWER(v.visit_type) AS visit_type,
  CAST(v.start_datetime AS DATE) AS start_date,
  CAST(COALESCE(v.end_datetime, v.start_datetime) AS DATE) + 1 AS stop_date,
  v.start_datetime,
  v.end_datetime,
  v.specialty
FROM intake.visit AS v
INNER JOIN staged.person AS p ON v.person_source_value = p.person_source_value
WHERE NOT EXISTS (
  SELECT 1 FROM quality.quarantine AS q
  WHERE q.table_name = 'visit' AND q.source_file = v.source_file AND q.row_number = v.row_number
)
