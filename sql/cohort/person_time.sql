-- Time at risk of each outcome by exposure state, from cohort entry to the first outcome, with the state lagged: the first
-- lag_days of a state belong to the state before. all_time: every observed day after entry. from_first: new users, inside the
-- observed period of their first study drug, which is day 0. A person with the outcome within its episode gap before entry
-- is not at risk. Negative controls only for all_time under the primary rule. In day numbers a row is (start_day, stop_day], an
-- outcome on its last day.
-- grain: exposure_rule, population, outcome_id, person_id, start_date
WITH at_risk AS (
  SELECT
    e.exposure_rule,
    e.person_id,
    e.entry_date,
    e.period_stop_date,
    e.is_new_user,
    o.outcome_id,
    o.lag_days,
    o.is_negative_control,
    MIN(CASE WHEN v.event_date >= e.entry_date THEN v.event_date END) AS event_date
  FROM cohort.entry AS e
  INNER JOIN spec.exposure_rule AS r ON e.exposure_rule = r.exposure_rule
  INNER JOIN spec.outcome AS o ON r.is_primary OR NOT o.is_negative_control
  LEFT JOIN cohort.outcome_event AS v ON e.person_id = v.person_id AND o.outcome_id = v.outcome_id
  GROUP BY
    e.exposure_rule, e.person_id, e.entry_date, e.period_stop_date, e.is_new_user, o.outcome_id, o.lag_days, o.episode_gap_days,
    o.is_negative_control
  HAVING COALESCE(MAX(CASE
    WHEN v.event_date < e.entry_date AND v.last_record_date + CAST(o.episode_gap_days AS INTEGER) >= e.entry_date THEN 1
    ELSE 0
  END), 0) = 0
),
followed AS (
  SELECT
    a.exposure_rule, 'all_time' AS population, a.outcome_id, a.person_id, a.lag_days, a.entry_date, a.event_date,
    COALESCE(a.event_date + 1, DATE '9999-12-31') AS follow_up_stop_date
  FROM at_risk AS a
  UNION ALL
  SELECT
    a.exposure_rule, 'from_first' AS population, a.outcome_id, a.person_id, a.lag_days, a.entry_date, a.event_date,
    LEAST(a.period_stop_date, COALESCE(a.event_date + 1, a.period_stop_date)) AS follow_up_stop_date
  FROM at_risk AS a
  WHERE a.is_new_user AND NOT a.is_negative_control
),
clipped AS (
  SELECT
    f.exposure_rule,
    f.population,
    f.outcome_id,
    f.person_id,
    f.entry_date,
    f.event_date,
    l.start_date,
    LEAST(l.stop_date, f.follow_up_stop_date) AS stop_date,
    l.regimen_id,
    l.risk_regimen_id,
    l.risk_drug_count,
    l.toruner_count,
    l.broad_count
  FROM followed AS f
  INNER JOIN cohort.lagged_state AS l
    ON f.exposure_rule = l.exposure_rule AND f.person_id = l.person_id AND f.lag_days = l.lag_days
)
SELECT
  c.exposure_rule,
  c.population,
  c.outcome_id,
  c.person_id,
  c.start_date,
  c.stop_date,
  DATE_DIFF('day', c.entry_date, c.start_date) AS start_day,
  DATE_DIFF('day', c.entry_date, c.stop_date) AS stop_day,
  c.regimen_id,
  c.risk_regimen_id,
  c.risk_drug_count,
  c.toruner_count,
  c.broad_count,
  CAST(CASE WHEN c.start_date <= c.event_date AND c.event_date < c.stop_date THEN 1 ELSE 0 END AS BIGINT) AS event_count
FROM clipped AS c
WHERE c.start_date < c.stop_date
