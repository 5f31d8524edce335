-- Severe asthma exacerbations of those who get omalizumab: a diagnosis in hospital or an emergency department, first where positions
-- are told, or a serious adverse event; records no further apart than exacerbation_gap_days are one.
-- Courses of corticosteroids are not looked at: what they are given for is not told. day: from the day of the first dose.
-- grain: person_id, exacerbation_date
WITH diagnosis AS (
  SELECT DISTINCT c.person_id, c.start_date AS record_date
  FROM staged.condition AS c
  INNER JOIN spec.exacerbation_code AS x ON c.code_system = x.vocabulary AND STARTS_WITH(c.code, x.code_prefix)
  LEFT JOIN staged.visit AS v
    ON c.person_id = v.person_id AND v.visit_type IN ('inpatient', 'emergency') AND v.start_date <= c.start_date AND c.start_date < v.stop_date
  WHERE COALESCE(c.position, 'primary') = 'primary' AND COALESCE(c.setting, v.visit_type) IN ('inpatient', 'emergency')
),
recorded AS (
  SELECT d.person_id, d.record_date
  FROM diagnosis AS d
  UNION
  SELECT a.person_id, a.onset_date AS record_date
  FROM staged.adverse_event AS a
  INNER JOIN spec.exacerbation_term AS t ON LOWER(TRIM(a.term)) = t.term
  WHERE a.is_serious
),
ordered AS (
  SELECT
    r.person_id,
    r.record_date,
    LAG(r.record_date) OVER (PARTITION BY r.person_id ORDER BY r.record_date) AS previous_date
  FROM recorded AS r
  INNER JOIN pkpd.person AS p ON r.person_id = p.person_id
)
SELECT
  o.person_id,
  o.record_date AS exacerbation_date,
  DATE_DIFF('day', p.first_date, o.record_date) AS day
FROM ordered AS o
INNER JOIN pkpd.person AS p ON o.person_id = p.person_id
CROSS JOIN spec.pkpd AS s
WHERE o.previous_date IS NULL OR DATE_DIFF('day', o.previous_date, o.record_date) > s.exacerbation_gap_days
