-- Void and reversal records, which are set aside as records, as what they take back: so many records of one drug, person, day,
-- kind and quantity.
-- grain: person_id, drug_id, record_type, start_date, quantity
SELECT
  p.person_id,
  m.drug_id,
  CASE WHEN LOWER(x.record_type) IN ('administration', 'dispensing') THEN LOWER(x.record_type) ELSE 'order' END AS record_type,
  x.start_date,
  ABS(x.quantity) AS quantity,
  COUNT(*) AS record_count
FROM intake.prescription AS x
INNER JOIN staged.person AS p ON x.person_source_value = p.person_source_value
INNER JOIN quality.drug_map AS m
  ON
    COALESCE(x.drug_source_value, '') = m.drug_source_value
    AND COALESCE(x.drug_code, '') = m.drug_code
    AND COALESCE(x.code_system, '') = m.code_system
WHERE x.quantity < 0 AND x.start_date IS NOT NULL AND m.drug_id IS NOT NULL
GROUP BY
  p.person_id,
  m.drug_id,
  CASE WHEN LOWER(x.record_type) IN ('administration', 'dispensing') THEN LOWER(x.record_type) ELSE 'order' END,
  x.start_date,
  ABS(x.quantity)
