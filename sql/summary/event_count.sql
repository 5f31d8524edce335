-- First outcomes and time at risk by exposure: overall, by risk regimen, by number of study drugs and by ladder level. Negative
-- controls are left out.
-- grain: exposure_rule, population, outcome_id, dimension, level
WITH followed AS (
  SELECT
    t.exposure_rule, t.population, t.outcome_id, t.person_id, t.start_date, t.stop_date, t.risk_regimen_id, t.risk_drug_count,
    t.toruner_count, t.broad_count, t.event_count
  FROM cohort.person_time AS t
  INNER JOIN spec.outcome AS o ON t.outcome_id = o.outcome_id AND NOT o.is_negative_control
),
labelled AS (
  SELECT
    t.exposure_rule, t.population, t.outcome_id, 'overall' AS dimension, 'all' AS level, t.person_id,
    DATE_DIFF('day', t.start_date, t.stop_date) AS person_days, t.event_count
  FROM followed AS t
  UNION ALL
  SELECT
    t.exposure_rule, t.population, t.outcome_id, 'regimen' AS dimension, t.risk_regimen_id AS level, t.person_id,
    DATE_DIFF('day', t.start_date, t.stop_date) AS person_days, t.event_count
  FROM followed AS t
  UNION ALL
  SELECT
    t.exposure_rule, t.population, t.outcome_id, 'study_drugs' AS dimension,
    CASE t.risk_drug_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS level, t.person_id,
    DATE_DIFF('day', t.start_date, t.stop_date) AS person_days, t.event_count
  FROM followed AS t
  UNION ALL
  SELECT
    t.exposure_rule, t.population, t.outcome_id, 'toruner' AS dimension,
    CASE t.toruner_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS level, t.person_id,
    DATE_DIFF('day', t.start_date, t.stop_date) AS person_days, t.event_count
  FROM followed AS t
  UNION ALL
  SELECT
    t.exposure_rule, t.population, t.outcome_id, 'broad' AS dimension,
    CASE t.broad_count WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS level, t.person_id,
    DATE_DIFF('day', t.start_date, t.stop_date) AS person_days, t.event_count
  FROM followed AS t
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
