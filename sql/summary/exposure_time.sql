-- Observed time on each set of study drugs: of everybody observed, and of the cohort after entry.
-- grain: exposure_rule, population, regimen_id
WITH observed AS (
  SELECT i.exposure_rule, 'observed' AS population, i.regimen_id, i.person_id, i.start_date, i.stop_date
  FROM exposure.combination_interval AS i
  UNION ALL
  SELECT
    i.exposure_rule, 'all_time' AS population, i.regimen_id, i.person_id, GREATEST(i.start_date, e.entry_date) AS start_date,
    LEAST(i.stop_date, COALESCE(s.end_date + 1, i.stop_date)) AS stop_date
  FROM exposure.combination_interval AS i
  INNER JOIN cohort.entry AS e ON i.exposure_rule = e.exposure_rule AND i.person_id = e.person_id
  CROSS JOIN spec.study AS s
)
SELECT
  o.exposure_rule,
  o.population,
  o.regimen_id,
  COUNT(DISTINCT o.person_id) AS person_count,
  COUNT(*) AS interval_count,
  CAST(SUM(DATE_DIFF('day', o.start_date, o.stop_date)) AS BIGINT) AS person_days
FROM observed AS o
WHERE o.start_date < o.stop_date
GROUP BY o.exposure_rule, o.population, o.regimen_id
