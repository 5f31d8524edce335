-- First outcomes and time at risk by exposure: overall, by risk regimen, by number of study drugs and by ladder level.
-- grain: exposure_rule, population, outcome_id, dimension, level
WITH labelled AS (
  SELECT
    t.exposure_rule, t.population, t.outcome_id, 'overall' AS dimension, 'all' AS level, t.person_id,
    DATE_DIFF('day', t.start_date, t.stop_date) AS person_days, t.event_count
  FROM cohort.person_time AS t
  UNION ALL
  SELECT
    t.exposure_rule, t.population, t.outcome_id, 'regimen' AS dimension, t.risk_regimen_id AS level, t.person_id,
    DATE_DIFF('day', t.start_date, t.stop_date) AS person_days, t.event_count
  FROM cohort.person_time AS t
  UNION ALL
  SELECT
    t.exposure_rule, t.population, t.outcome_id, 'study_drugs' AS dimension,
    CASE t.risk_drug_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS level, t.person_id,
    DATE_DIFF('day', t.start_date, t.stop_date) AS person_days, t.event_count
  FROM cohort.person_time AS t
  UNION ALL
  SELECT
    t.exposure_rule, t.population, t.outcome_id, 'toruner' AS dimension,
    CASE t.toruner_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS level, t.person_id,
    DATE_DIFF('day', t.start_date, t.stop_date) AS person_days, t.event_count
  FROM cohort.person_time AS t
  UNION ALL
  SELECT
    t.exposure_rule, t.population, t.outcome_id, 'broad' AS dimension,
    CASE t.broad_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS level, t.person_id,
    DATE_DIFF('day', t.start_date, t.stop_date) AS person_days, t.event_count
  FROM cohort.person_time AS t
)
SELECT
  l.exposure_rule,
  l.population,
  l.outcome_id,
  l.dimension,
  l.level,
  COUNT(DISTINCT l.person_id) AS person_count,
  CAST(SUM(l.person_days) AS BIGINT) AS person_days,
  CAST(SUM(l.event_count) AS BIGINT) AS event_count
FROM labelled AS l
GROUP BY l.exposure_rule, l.population, l.outcome_id, l.dimension, l.level
