-- What persons are treated for: the conditions known on the day itself; several are joined by +, and none is its own group. Where the source
-- has no diagnoses it is unknown.
-- grain: exposure_rule, person_id, baseline_date
WITH indicated AS (
  SELECT b.exposure_rule, b.person_id, b.baseline_date, STRING_AGG(c.condition_id, '+' ORDER BY c.condition_id) AS indication
  FROM cohort.baseline_date AS b
  INNER JOIN cohort.condition_start AS c ON b.person_id = c.person_id AND c.known_date <= b.baseline_date
  GROUP BY b.exposure_rule, b.person_id, b.baseline_date
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
