-- Kept procedures; codes are compared trimmed, upper-case and without dots, within a vocabulary.
-- grain: procedure_id
SELECT
  c.procedure_id,
  p.person_id,
  UPPER(REPLACE(TRIM(c.code), '.', '')) AS code,
  UPPER(c.code_system) AS code_system,
  c.date AS procedure_date
FROM intake.procedure AS c
INNER JOIN staged.person AS p ON c.person_source_value = p.person_source_value
WHERE NOT EXISTS (
  SELECT 1 FROM quality.quarantine AS q
  WHERE q.table_name = 'procedure' AND q.source_file = c.source_file AND q.row_number = c.row_number
)
