-- The day from which a condition that a study drug is given for is known of a person: that of the first inpatient diagnosis, or that of the
-- first diagnosis at least 30 days after another.
-- grain: person_id, condition_id
WITH code AS (
  SELECT DISTINCT c.code_system, c.code
  FROM staged.condition AS c
  WHERE c.code_system IS NOT NULL
),
meaning AS (
  SELECT DISTINCT c.code_system, c.code, p.condition_id
  FROM code AS c
  INNER JOIN spec.indication_code AS p ON c.code_system = p.vocabulary AND STARTS_WITH(c.code, p.code_prefix)
),
diagnosis AS (
  SELECT
    c.person_id,
    m.condition_id,
    c.start_date,
    c.setting,
    MIN(c.start_date) OVER (PARTITION BY c.person_id, m.condition_id) AS first_date
  FROM staged.condition AS c
  INNER JOIN meaning AS m ON c.code_system = m.code_system AND c.code = m.code
)
SELECT
  d.person_id,
  d.condition_id,
  MIN(d.start_date) AS known_date
FROM diagnosis AS d
WHERE d.setting = 'inpatient' OR DATE_DIFF('day', d.first_date, d.start_date) >= 30
GROUP BY d.person_id, d.condition_id
