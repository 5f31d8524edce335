-- Kept diagnoses; codes are compared trimmed, upper-case and without dots, within a vocabulary.
-- grain: condition_id
SELECT
  c.condition_id,
  p.person_id,
  UPPER(REPLACE(TRIM(c.code), '.', '')) AS code,
  UPPER(c.code_system) AS code_system,
  c.start_date,
  c.end_date + 1 AS stop_date,
  LOWER(c.position) AS position,
  LOWER(c.setting) AS setting
FROM intake.condition AS c
INNER JOIN staged.person AS p ON c.person_source_value = p.person_source_value
WHERE NOT EXISTS (
  SELECT 1 FROM quality.quarantine AS q
  WHERE q.table_name = 'condition' AND q.source_file = c.source_file AND q.row_number = c.row_number
)
