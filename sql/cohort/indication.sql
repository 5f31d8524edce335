-- What persons are treated for, from one inpatient diagnosis or two diagnoses at least 30 days apart up to the day itself; several are
-- joined by +, and none is its own group. Where the source has no diagnoses it is unknown.
-- grain: exposure_rule, person_id, baseline_date
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
confirmed AS (
  SELECT b.exposure_rule, b.person_id, b.baseline_date, m.condition_id
  FROM cohort.baseline_date AS b
  INNER JOIN staged.condition AS c ON b.person_id = c.person_id AND c.start_date <= b.baseline_date
  INNER JOIN meaning AS m ON c.code_system = m.code_system AND c.code = m.code
  GROUP BY b.exposure_rule, b.person_id, b.baseline_date, m.condition_id
  HAVING
    MAX(CASE WHEN c.setting = 'inpatient' THEN 1 ELSE 0 END) = 1
    OR DATE_DIFF('day', MIN(c.start_date), MAX(c.start_date)) >= 30
),
indicated AS (
  SELECT c.exposure_rule, c.person_id, c.baseline_date, STRING_AGG(c.condition_id, '+' ORDER BY c.condition_id) AS indication
  FROM confirmed AS c
  GROUP BY c.exposure_rule, c.person_id, c.baseline_date
)
SELECT
  b.exposure_rule,
  b.person_id,
  b.baseline_date,
  CASE WHEN m.has_condition THEN COALESCE(i.indication, 'none') ELSE 'unknown' END AS indication
FROM cohort.baseline_date AS b
CROSS JOIN meta.source AS m
LEFT JOIN indicated AS i
  ON b.exposure_rule = i.exposure_rule AND b.person_id = i.person_id AND b.baseline_date = i.baseline_date
