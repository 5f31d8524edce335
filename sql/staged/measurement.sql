-- Kept measurements; test_id and standard_value where the reference knows the test and its unit.
-- grain: measurement_id
SELECT
  m.measurement_id,
  p.person_id,
  m.test,
  t.test_id,
  CAST(m.datetime AS DATE) AS measured_date,
  m.value,
  m.operator,
  m.unit,
  m.value * u.factor AS standard_value,
  u.standard_unit,
  LOWER(m.value_text) AS value_text
FROM intake.measurement AS m
INNER JOIN staged.person AS p ON m.person_source_value = p.person_source_value
LEFT JOIN quality.test_map AS t ON m.test = t.test
LEFT JOIN reference.unit_conversion AS u ON t.test_id = u.test_id AND LOWER(m.unit) = LOWER(u.unit)
WHERE NOT EXISTS (
  SELECT 1 FROM quality.quarantine AS q
  WHERE q.table_name = 'measurement' AND q.source_file = m.source_file AND q.row_number = m.row_number
)
