-- What persons of the cohort are matched on: sex and indication, which must be equal, birth and entry, which must be near.
-- indication: what the person is treated for at entry, from one inpatient diagnosis or two diagnoses at least 30 days apart up to the
-- day of entry; several are joined by +, and none is its own group. Where the study does not match on it, or the source has
-- no diagnoses, it is the same for all.
-- grain: exposure_rule, person_id
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
  SELECT e.exposure_rule, e.person_id, m.condition_id
  FROM cohort.entry AS e
  INNER JOIN staged.condition AS c ON e.person_id = c.person_id AND c.start_date <= e.entry_date
  INNER JOIN meaning AS m ON c.code_system = m.code_system AND c.code = m.code
  GROUP BY e.exposure_rule, e.person_id, m.condition_id
  HAVING
    MAX(CASE WHEN c.setting = 'inpatient' THEN 1 ELSE 0 END) = 1
    OR DATE_DIFF('day', MIN(c.start_date), MAX(c.start_date)) >= 30
),
indicated AS (
  SELECT c.exposure_rule, c.person_id, STRING_AGG(c.condition_id, '+' ORDER BY c.condition_id) AS indication
  FROM confirmed AS c
  GROUP BY c.exposure_rule, c.person_id
)
SELECT
  e.exposure_rule,
  e.person_id,
  e.sex,
  CASE
    WHEN NOT s.match_indication THEN 'all'
    WHEN NOT m.has_condition THEN 'unknown'
    ELSE COALESCE(i.indication, 'none')
  END AS indication,
  p.birth_date,
  e.entry_date
FROM cohort.entry AS e
INNER JOIN staged.person AS p ON e.person_id = p.person_id
CROSS JOIN spec.study AS s
CROSS JOIN meta.source AS m
LEFT JOIN indicated AS i ON e.exposure_rule = i.exposure_rule AND e.person_id = i.person_id
