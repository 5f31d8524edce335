-- Durations of first pair episodes as counts, from which persistence is estimated.
-- grain: exposure_rule, population, regimen_id, entry_days, time_days
SELECT
  c.exposure_rule,
  c.population,
  c.regimen_id,
  c.entry_days,
  c.time_days,
  COUNT(CASE WHEN c.ending <> 'censored' THEN 1 END) AS event_count,
  COUNT(CASE WHEN c.ending = 'censored' THEN 1 END) AS censored_count
FROM cohort.combination AS c
GROUP BY c.exposure_rule, c.population, c.regimen_id, c.entry_days, c.time_days
