-- Use of each study and background drug: persons, uses and how they began and ended, days, and the records behind them.
-- use_days: all days of the uses, observed or not. observed_use_days: those in observed time, as the partition counts them.
-- Records are those used, the same under every rule; a dose day is a day on which at least one of a person begins.
-- grain: exposure_rule, drug_id
WITH used AS (
  SELECT
    e.exposure_rule,
    e.drug_id,
    COUNT(DISTINCT e.person_id) AS person_count,
    COUNT(*) AS episode_count,
    COUNT(CASE WHEN e.ending = 'stopped' THEN 1 END) AS stopped_count,
    COUNT(CASE WHEN e.ending = 'death' THEN 1 END) AS death_count,
    COUNT(CASE WHEN e.ending = 'censored' THEN 1 END) AS censored_count,
    CAST(SUM(DATE_DIFF('day', e.start_date, e.stop_date)) AS BIGINT) AS use_days
  FROM exposure.episode AS e
  GROUP BY e.exposure_rule, e.drug_id
),
begun AS (
  SELECT i.exposure_rule, i.drug_id, COUNT(*) AS new_use_count
  FROM exposure.initiation AS i
  WHERE i.is_new_use
  GROUP BY i.exposure_rule, i.drug_id
),
observed AS (
  SELECT
    e.exposure_rule,
    e.drug_id,
    CAST(SUM(DATE_DIFF('day', GREATEST(e.start_date, o.start_date), LEAST(e.stop_date, o.stop_date))) AS BIGINT) AS observed_use_days
  FROM exposure.episode AS e
  INNER JOIN staged.observation_period AS o
    ON e.person_id = o.person_id AND o.start_date < e.stop_date AND e.start_date < o.stop_date
  GROUP BY e.exposure_rule, e.drug_id
),
recorded AS (
  SELECT
    w.drug_id,
    COUNT(*) AS record_count,
    COUNT(CASE WHEN w.record_type = 'administration' THEN 1 END) AS administration_count,
    COUNT(CASE WHEN w.stop_date IS NULL THEN 1 END) AS window_unknown_count
  FROM exposure."window" AS w
  WHERE w.record_use = 'used'
  GROUP BY w.drug_id
),
dose_day AS (
  SELECT DISTINCT w.drug_id, w.person_id, w.start_date
  FROM exposure."window" AS w
  WHERE w.record_use = 'used'
),
dosed AS (
  SELECT y.drug_id, COUNT(*) AS dose_day_count
  FROM dose_day AS y
  GROUP BY y.drug_id
)
SELECT
  g.exposure_rule,
  g.drug_id,
  COALESCE(u.person_count, 0) AS person_count,
  COALESCE(u.episode_count, 0) AS episode_count,
  COALESCE(b.new_use_count, 0) AS new_use_count,
  COALESCE(u.stopped_count, 0) AS stopped_count,
  COALESCE(u.death_count, 0) AS death_count,
  COALESCE(u.censored_count, 0) AS censored_count,
  COALESCE(u.use_days, 0) AS use_days,
  COALESCE(o.observed_use_days, 0) AS observed_use_days,
  COALESCE(r.record_count, 0) AS record_count,
  COALESCE(r.administration_count, 0) AS administration_count,
  COALESCE(r.window_unknown_count, 0) AS window_unknown_count,
  COALESCE(y.dose_day_count, 0) AS dose_day_count
FROM spec.drug_policy AS g
LEFT JOIN used AS u ON g.exposure_rule = u.exposure_rule AND g.drug_id = u.drug_id
LEFT JOIN begun AS b ON g.exposure_rule = b.exposure_rule AND g.drug_id = b.drug_id
LEFT JOIN observed AS o ON g.exposure_rule = o.exposure_rule AND g.drug_id = o.drug_id
LEFT JOIN recorded AS r ON g.drug_id = r.drug_id
LEFT JOIN dosed AS y ON g.drug_id = y.drug_id
