-- Kept adverse events, typed and mapped; is_serious is NULL where the record does not say, suspect_drug_id where no drug is
-- named or the name means none of ours.
-- grain: adverse_event_id
SELECT
  a.adverse_event_id,
  p.person_id,
  a.term,
  a.code,
  a.code_system,
  a.onset_date,
  a.end_date + 1 AS stop_date,
  CASE
    WHEN UPPER(a.serious) IN ('Y', 'YES', '1', 'TRUE') THEN TRUE
    WHEN UPPER(a.serious) IN ('N', 'NO', '0', 'FALSE') THEN FALSE
  END AS is_serious,
  a.severity,
  a.outcome,
  LOWER(a.action_taken) AS action_taken,
  a.suspect_drug,
  m.drug_id AS suspect_drug_id
FROM intake.adverse_event AS a
INNER JOIN staged.person AS p ON a.person_source_value = p.person_source_value
LEFT JOIN quality.drug_map AS m ON a.suspect_drug = m.drug_source_value AND m.drug_code = '' AND m.code_system = ''
WHERE NOT EXISTS (
  SELECT 1 FROM quality.quarantine AS q
  WHERE q.table_name = 'adverse_event' AND q.source_file = a.source_file AND q.row_number = a.row_number
)
