-- Exposure of each person from cohort entry to the end of observed time and study, with the state lagged as outcomes ask, and under the
-- primary rule also as the lag grid does: the first lag_days of a state belong to the state before. Time at risk of an outcome is a
-- part of it.
-- grain: exposure_rule, lag_days, person_id, start_date
WITH lag_setting AS (
  SELECT r.exposure_rule, o.lag_days
  FROM spec.exposure_rule AS r
  CROSS JOIN spec.outcome AS o
  UNION DISTINCT
  SELECT r.exposure_rule, d.lag_days
  FROM spec.exposure_rule AS r
  CROSS JOIN spec.lag_grid AS d
  WHERE r.is_primary
),
lagged AS (
  SELECT
    e.exposure_rule,
    g.lag_days,
    e.person_id,
    e.entry_date,
    CASE
      WHEN i.start_date = o.start_date THEN i.start_date
      ELSE i.start_date + CAST(g.lag_days AS INTEGER)
    END AS state_start_date,
    CASE WHEN i.stop_date = o.stop_date THEN i.stop_date ELSE i.stop_date + CAST(g.lag_days AS INTEGER) END AS state_stop_date,
    o.stop_date AS period_stop_date,
    COALESCE(s.end_date + 1, DATE '9999-12-31') AS latest_date,
    i.regimen_id,
    i.risk_regimen_id,
    i.risk_drug_count,
    i.toruner_count,
    i.broad_count
  FROM cohort.entry AS e
  INNER JOIN lag_setting AS g ON e.exposure_rule = g.exposure_rule
  CROSS JOIN spec.study AS s
  INNER JOIN exposure.combination_interval AS i ON e.exposure_rule = i.exposure_rule AND e.person_id = i.person_id
  INNER JOIN staged.observation_period AS o
    ON i.person_id = o.person_id AND o.start_date <= i.start_date AND i.stop_date <= o.stop_date
),
clipped AS (
  SELECT
    l.exposure_rule,
    l.lag_days,
    l.person_id,
    GREATEST(l.state_start_date, l.entry_date) AS start_date,
    LEAST(l.state_stop_date, l.period_stop_date, l.latest_date) AS stop_date,
    l.regimen_id,
    l.risk_regimen_id,
    l.risk_drug_count,
    l.toruner_count,
    l.broad_count
  FROM lagged AS l
)
SELECT
  c.exposure_rule,
  c.lag_days,
  c.person_id,
  c.start_date,
  c.stop_date,
  c.regimen_id,
  c.risk_regimen_id,
  c.risk_drug_count,
  c.toruner_count,
  c.broad_count
FROM clipped AS c
WHERE c.start_date < c.stop_date
