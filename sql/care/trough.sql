-- Trough levels of infliximab after induction: a level drawn 28 days or more after a dose from the third of its course on, on the day
-- of the next dose or in the seven days before it; of several on a day the lowest. is_below_limit: told as below a limit, which
-- then stands for it.
-- has_antibody: a positive test to the day; NULL where nobody tested to the day. has_immunomodulator: covered 30 days before, as in
-- care.antibody_time.
-- grain: person_id, measured_date
WITH used AS (
  SELECT e.person_id, e.start_date, e.stop_date
  FROM exposure.episode AS e
  INNER JOIN spec.exposure_rule AS r ON e.exposure_rule = r.exposure_rule AND r.is_primary
  INNER JOIN spec.drug AS d ON e.drug_id = d.drug_id
  WHERE d.agent_type = 'immunosuppressant'
),
dose AS (
  SELECT
    g.person_id,
    g.dose_date,
    g.course_dose_number,
    LEAD(g.dose_date) OVER (PARTITION BY g.person_id ORDER BY g.dose_date) AS next_date
  FROM care.given_dose AS g
  WHERE g.drug_id = 'infliximab'
),
drawn AS (
  SELECT
    m.person_id,
    m.measured_date,
    MIN(m.standard_value) AS level_ug_per_ml,
    MAX(CASE WHEN m.operator IN ('<', '<=') THEN 1 ELSE 0 END) AS below
  FROM staged.measurement AS m
  WHERE m.test_id = 'infliximab_trough' AND m.standard_value IS NOT NULL AND COALESCE(m.operator, '=') NOT IN ('>', '>=')
  GROUP BY m.person_id, m.measured_date
),
placed AS (
  SELECT
    w.person_id,
    w.measured_date,
    w.level_ug_per_ml,
    w.below,
    DATE_DIFF('day', d.dose_date, w.measured_date) AS days_since_dose
  FROM drawn AS w
  INNER JOIN dose AS d ON w.person_id = d.person_id AND d.dose_date < w.measured_date AND w.measured_date <= d.next_date
  WHERE
    d.course_dose_number >= 3
    AND DATE_DIFF('day', d.dose_date, w.measured_date) >= 28
    AND DATE_DIFF('day', w.measured_date, d.next_date) <= 7
),
covered AS (
  SELECT DISTINCT p.person_id, p.measured_date
  FROM placed AS p
  INNER JOIN used AS u ON p.person_id = u.person_id AND u.start_date <= p.measured_date - 30 AND p.measured_date - 30 < u.stop_date
)
SELECT
  p.person_id,
  p.measured_date,
  CAST(p.days_since_dose AS BIGINT) AS days_since_dose,
  p.level_ug_per_ml,
  p.below = 1 AS is_below_limit,
  CASE WHEN a.first_test_date <= p.measured_date THEN COALESCE(a.first_positive_date <= p.measured_date, FALSE) END AS has_antibody,
  c.person_id IS NOT NULL AS has_immunomodulator
FROM placed AS p
LEFT JOIN care.antibody AS a ON p.person_id = a.person_id AND a.drug_id = 'infliximab'
LEFT JOIN covered AS c ON p.person_id = c.person_id AND p.measured_date = c.measured_date
