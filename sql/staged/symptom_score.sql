-- Kept symptom scores; instrument_id and whether more is better where the reference knows the instrument.
-- grain: source_file, row_number
SELECT
  s.source_file,
  s.row_number,
  p.person_id,
  s.instrument,
  i.instrument_id,
  i.better,
  s.date AS score_date,
  s.value AS score
FROM intake.symptom_score AS s
INNER JOIN staged.person AS p ON s.person_source_value = p.person_source_value
LEFT JOIN reference.instrument AS i ON CONTAINS(CONCAT(';', LOWER(i.synonyms), ';'), CONCAT(';', LOWER(s.instrument), ';'))
WHERE NOT EXISTS (
  SELECT 1 FROM quality.quarantine AS q
  WHERE q.table_name = 'symptom_score' AND q.source_file = s.source_file AND q.row_number = s.row_number
)
