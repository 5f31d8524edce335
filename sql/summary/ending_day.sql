-- Endings of first pair episodes by day as counts, from which the cumulative incidence of each is estimated: by recorded reason and by the
-- component that stopped. Death is an ending of its own in both, and who is still on the pair is censored.
-- grain: exposure_rule, population, regimen_id, dimension, cause, entry_days, time_days
WITH told AS (
  SELECT
    c.exposure_rule, c.population, c.regimen_id, 'reason' AS dimension,
    CASE c.ending WHEN 'stopped' THEN COALESCE(c.reason, 'unknown') ELSE c.ending END AS cause, c.entry_days, c.time_days
  FROM cohort.combination AS c
  UNION ALL
  SELECT
    c.exposure_rule, c.population, c.regimen_id, 'component' AS dimension,
    CASE c.ending WHEN 'stopped' THEN c.stopped_component ELSE c.ending END AS cause, c.entry_days, c.time_days
  FROM cohort.combination AS c
)
SELECT
  t.exposure_rule,
  t.population,
  t.regimen_id,
  t.dimension,
  t.cause,
  t.entry_days,
  t.time_days,
  COUNT(*) AS person_count
FROM told AS t
GROUP BY t.exposure_rule, t.population, t.regimen_id, t.dimension, t.cause, t.entry_days, t.time_days
