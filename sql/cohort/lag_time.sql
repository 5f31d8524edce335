-- Time at risk of new users once more under the primary rule, with other lags than the outcome's own, for outcomes of hazard ratios. The same
-- persons, days and events as in person_time; only the state of a day is that of another day before it.
-- grain: exposure_rule, outcome_id, lag_days, person_id, start_date
WITH followed AS (
  SELECT
    t.exposure_rule,
    t.outcome_id,
    t.person_id,
    MIN(t.start_date) AS start_date,
    MAX(t.stop_date) AS stop_date,
    MAX(t.event_count) AS event_count
  FROM cohort.person_time AS t
  INNER JOIN spec.exposure_rule AS r ON t.exposure_rule = r.exposure_rule AND r.is_primary
  WHERE t.population = 'from_first'
  GROUP BY t.exposure_rule, t.outcome_id, t.person_id
),
clipped AS (
  SELECT
    f.exposure_rule,
    f.outcome_id,
    g.lag_days,
    f.person_id,
    f.start_date AS entry_date,
    f.stop_date AS follow_up_stop_date,
    f.event_count,
    GREATEST(l.start_date, f.start_date) AS start_date,
    LEAST(l.stop_date, f.stop_date) AS stop_date,
    l.risk_drug_count
  FROM followed AS f
  INNER JOIN spec.outcome AS o ON f.outcome_id = o.outcome_id
  INNER JOIN spec.lag_grid AS g ON f.outcome_id = g.outcome_id AND g.lag_days <> o.lag_days
  INNER JOIN cohort.lagged_state AS l
    ON f.exposure_rule = l.exposure_rule AND f.person_id = l.person_id AND g.lag_days = l.lag_days
)
SELECT
  c.exposure_rule,
  c.outcome_id,
  c.lag_days,
  c.person_id,
  c.start_date,
  c.stop_date,
  DATE_DIFF('day', c.entry_date, c.start_date) AS start_day,
  DATE_DIFF('day', c.entry_date, c.stop_date) AS stop_day,
  c.risk_drug_count,
  CASE WHEN c.stop_date = c.follow_up_stop_date THEN c.event_count ELSE 0 END AS event_count
FROM clipped AS c
WHERE c.start_date < c.stop_date
