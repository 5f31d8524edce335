-- Persons tested for antibodies to a drug, with a result in words. A number without words is no result: its threshold differs between assays.
-- grain: person_id, drug_id
SELECT
  m.person_id,
  t.drug_id,
  MIN(m.measured_date) AS first_test_date,
  MAX(m.measured_date) AS last_test_date,
  MIN(CASE WHEN STARTS_WITH(m.value_text, t.positive_text) THEN m.measured_date END) AS first_positive_date,
  COUNT(*) AS test_count
FROM staged.measurement AS m
INNER JOIN reference.antibody_test AS t ON m.test_id = t.test_id
WHERE STARTS_WITH(m.value_text, t.positive_text) OR STARTS_WITH(m.value_text, t.negative_text)
GROUP BY m.person_id, t.drug_id
