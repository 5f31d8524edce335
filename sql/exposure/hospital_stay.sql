-- Days in hospital of each person: inpatient visits that overlap or touch are one stay.
-- grain: person_id, start_date
WITH placed AS (
  SELECT
    v.person_id,
    v.start_date,
    MAX(v.stop_date) OVER (
      PARTITION BY v.person_id ORDER BY v.start_date, v.stop_date, v.visit_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS stayed_until,
    MAX(v.stop_date) OVER (PARTITION BY v.person_id) AS last_stop_date
  FROM staged.visit AS v
  WHERE v.visit_type = 'inpatient' AND v.stop_date > v.start_date
),
opening AS (
  SELECT p.person_id, p.start_date, p.stayed_until, p.last_stop_date
  FROM placed AS p
  WHERE p.stayed_until IS NULL OR p.start_date > p.stayed_until
)
SELECT
  o.person_id,
  o.start_date,
  COALESCE(LEAD(o.stayed_until) OVER (PARTITION BY o.person_id ORDER BY o.start_date), o.last_stop_date) AS stop_date
FROM opening AS o
