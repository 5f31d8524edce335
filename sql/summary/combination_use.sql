-- Each pair and triple of study drugs used together: persons, episodes and how they ended, days, and the doses in them. Pairs
-- and triples overlap: no column may be added up over regimens.
-- use_days: all days together, observed or not. observed_use_days: those in observed time, as the partition counts them. A dose
-- day is a day together on which at least one used record of a person and one of the drugs begins, for each drug one.
-- grain: exposure_rule, regimen_id
WITH used AS (
  SELECT
    c.exposure_rule,
    c.regimen_id,
    MIN(c.drug_count) AS drug_count,
    COUNT(DISTINCT c.person_id) AS person_count,
    COUNT(*) AS episode_count,
    COUNT(CASE WHEN c.is_switch_overlap THEN 1 END) AS switch_overlap_count,
    COUNT(CASE WHEN c.ending = 'stopped' THEN 1 END) AS stopped_count,
    COUNT(CASE WHEN c.ending = 'death' THEN 1 END) AS death_count,
    COUNT(CASE WHEN c.ending = 'censored' THEN 1 END) AS censored_count,
    CAST(SUM(DATE_DIFF('day', c.start_date, c.stop_date)) AS BIGINT) AS use_days
  FROM exposure.combination_episode AS c
  GROUP BY c.exposure_rule, c.regimen_id
),
observed AS (
  SELECT
    c.exposure_rule,
    c.regimen_id,
    CAST(SUM(DATE_DIFF('day', GREATEST(c.start_date, o.start_date), LEAST(c.stop_date, o.stop_date))) AS BIGINT) AS observed_use_days
  FROM exposure.combination_episode AS c
  INNER JOIN staged.observation_period AS o
    ON c.person_id = o.person_id AND o.start_date < c.stop_date AND c.start_date < o.stop_date
  GROUP BY c.exposure_rule, c.regimen_id
),
regimen AS (
  SELECT DISTINCT u.regimen_id
  FROM used AS u
),
component AS (
  SELECT r.regimen_id, d.drug_id
  FROM regimen AS r
  INNER JOIN spec.drug AS d ON CONTAINS(CONCAT('+', r.regimen_id, '+'), CONCAT('+', d.drug_id, '+'))
),
dose_day AS (
  SELECT
    w.person_id,
    w.drug_id,
    w.start_date,
    COUNT(CASE WHEN w.record_type = 'administration' THEN 1 END) AS administration_count
  FROM exposure."window" AS w
  WHERE w.record_use = 'used'
  GROUP BY w.person_id, w.drug_id, w.start_date
),
dosed AS (
  SELECT
    c.exposure_rule,
    c.regimen_id,
    COUNT(*) AS dose_day_count,
    CAST(SUM(y.administration_count) AS BIGINT) AS administration_count
  FROM exposure.combination_episode AS c
  INNER JOIN component AS k ON c.regimen_id = k.regimen_id
  INNER JOIN dose_day AS y
    ON c.person_id = y.person_id AND k.drug_id = y.drug_id AND c.start_date <= y.start_date AND y.start_date < c.stop_date
  GROUP BY c.exposure_rule, c.regimen_id
)
SELECT
  u.exposure_rule,
  u.regimen_id,
  u.drug_count,
  u.person_count,
  u.episode_count,
  u.switch_overlap_count,
  u.stopped_count,
  u.death_count,
  u.censored_count,
  u.use_days,
  COALESCE(o.observed_use_days, 0) AS observed_use_days,
  COALESCE(y.administration_count, 0) AS administration_count,
  COALESCE(y.dose_day_count, 0) AS dose_day_count
FROM used AS u
LEFT JOIN observed AS o ON u.exposure_rule = o.exposure_rule AND u.regimen_id = o.regimen_id
LEFT JOIN dosed AS y ON u.exposure_rule = y.exposure_rule AND u.regimen_id = y.regimen_id
