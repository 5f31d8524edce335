-- How first pair episodes ended: by ending, component that stopped (its place in the order of start) and recorded reason.
-- grain: exposure_rule, regimen_id, ending, component, reason
SELECT
  c.exposure_rule,
  c.regimen_id,
  c.ending,
  COALESCE(c.stopped_component, '') AS component,
  COALESCE(c.reason, '') AS reason,
  COUNT(*) AS person_count,
  CAST(SUM(c.time_days) AS BIGINT) AS person_days
FROM cohort.combination AS c
WHERE c.population = 'first_episode'
GROUP BY c.exposure_rule, c.regimen_id, c.ending, COALESCE(c.stopped_component, ''), COALESCE(c.reason, '')
