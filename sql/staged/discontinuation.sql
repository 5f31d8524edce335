-- Kept stop records; stop_date is the day after the last day on the drug that the record names.
-- grain: source_file, row_number
SELECT
  d.source_file,
  d.row_number,
  p.person_id,
  m.drug_id,
  d.drug_source_value,
  d.stop_date + 1 AS stop_date,
  d.reason AS reason_source_value,
  CASE WHEN d.reason IS NULL THEN 'unknown' ELSE COALESCE(r.reason, 'unmapped') END AS reason
FROM intake.discontinuation AS d
INNER JOIN staged.person AS p ON d.person_source_value = p.person_source_value
LEFT JOIN quality.drug_map AS m
  ON COALESCE(d.drug_source_value, '') = m.drug_source_value AND m.drug_code = '' AND m.code_system = ''
LEFT JOIN reference.stop_reason AS r ON LOWER(d.reason) = r.synonym
WHERE NOT EXISTS (
  SELECT 1 FROM quality.quarantine AS q
  WHERE q.table_name = 'discontinuation' AND q.source_file = d.source_file AND q.row_number = d.row_number
)
