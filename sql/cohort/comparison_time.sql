-- Follow-up of the comparison from time zero, by outcome, inside the observed period that holds it. as_treated: until either drug of a pair,
-- or the one drug, is neither covered nor in its tail, and for one drug alone until another is; carried_forward: for the horizon, whatever
-- becomes of the drugs. The state acts after the lag: follow-up begins lag_days after time zero and runs lag_days past the change. A
-- person with the outcome within its episode gap before that day is not at risk. Negative controls only under the primary rule. In day numbers a row is (start_day, stop_day], to the
-- first event; follow_up_stop_day runs on past it, for events that recur.
-- grain: exposure_rule, population, outcome_id, set_number, member_number
WITH member AS (
  SELECT
    c.exposure_rule,
    c.set_number,
    c.member_number,
    c.person_id,
    c.is_combination,
    c.drug_id,
    c.added_drug_id,
    c.time_zero,
    LEAST(o.stop_date, COALESCE(s.end_date + 1, o.stop_date)) AS latest_date,
    s.horizon_days
  FROM cohort.comparison_sample AS c
  INNER JOIN staged.observation_period AS o
    ON c.person_id = o.person_id AND o.start_date <= c.time_zero AND c.time_zero < o.stop_date
  CROSS JOIN spec.study AS s
),
changed AS (
  SELECT m.exposure_rule, m.set_number, m.member_number, MIN(i.start_date) AS change_date
  FROM member AS m
  INNER JOIN exposure.combination_interval AS i
    ON m.exposure_rule = i.exposure_rule AND m.person_id = i.person_id AND m.time_zero < i.start_date AND i.start_date < m.latest_date
  WHERE
    CASE
      WHEN m.is_combination
        THEN
          NOT CONTAINS(CONCAT('+', i.risk_regimen_id, '+'), CONCAT('+', m.drug_id, '+'))
          OR NOT CONTAINS(CONCAT('+', i.risk_regimen_id, '+'), CONCAT('+', m.added_drug_id, '+'))
      ELSE i.risk_regimen_id <> m.drug_id
    END
  GROUP BY m.exposure_rule, m.set_number, m.member_number
),
at_risk AS (
  SELECT
    m.exposure_rule,
    m.set_number,
    m.member_number,
    m.person_id,
    m.is_combination,
    m.time_zero,
    m.latest_date,
    m.horizon_days,
    o.outcome_id,
    o.lag_days,
    m.time_zero + CAST(o.lag_days AS INTEGER) AS start_date,
    MIN(CASE WHEN v.event_date >= m.time_zero + CAST(o.lag_days AS INTEGER) THEN v.event_date END) AS event_date
  FROM member AS m
  INNER JOIN spec.exposure_rule AS r ON m.exposure_rule = r.exposure_rule
  INNER JOIN spec.outcome AS o ON r.is_primary OR NOT o.is_negative_control
  LEFT JOIN cohort.outcome_event AS v ON m.person_id = v.person_id AND o.outcome_id = v.outcome_id
  GROUP BY
    m.exposure_rule, m.set_number, m.member_number, m.person_id, m.is_combination, m.time_zero, m.latest_date, m.horizon_days, o.outcome_id,
    o.lag_days, o.episode_gap_days
  HAVING COALESCE(MAX(CASE
    WHEN
      v.event_date < m.time_zero + CAST(o.lag_days AS INTEGER)
      AND v.last_record_date + CAST(o.episode_gap_days AS INTEGER) >= m.time_zero + CAST(o.lag_days AS INTEGER)
      THEN 1
    ELSE 0
  END), 0) = 0
),
followed AS (
  SELECT
    a.exposure_rule, 'as_treated' AS population, a.outcome_id, a.set_number, a.member_number, a.person_id, a.is_combination, a.time_zero,
    a.start_date, a.event_date,
    LEAST(a.latest_date, COALESCE(c.change_date + CAST(a.lag_days AS INTEGER), a.latest_date)) AS latest_date
  FROM at_risk AS a
  LEFT JOIN changed AS c
    ON a.exposure_rule = c.exposure_rule AND a.set_number = c.set_number AND a.member_number = c.member_number
  UNION ALL
  SELECT
    a.exposure_rule, 'carried_forward' AS population, a.outcome_id, a.set_number, a.member_number, a.person_id, a.is_combination, a.time_zero,
    a.start_date, a.event_date,
    LEAST(a.latest_date, a.time_zero + CAST(a.horizon_days AS INTEGER)) AS latest_date
  FROM at_risk AS a
)
SELECT
  f.exposure_rule,
  f.population,
  f.outcome_id,
  f.set_number,
  f.member_number,
  f.person_id,
  f.is_combination,
  DATE_DIFF('day', f.time_zero, f.start_date) AS start_day,
  DATE_DIFF('day', f.time_zero, LEAST(f.latest_date, COALESCE(f.event_date + 1, f.latest_date))) AS stop_day,
  CAST(CASE WHEN f.event_date < f.latest_date THEN 1 ELSE 0 END AS BIGINT) AS event_count,
  CASE
    WHEN f.event_date < f.latest_date THEN 'event'
    WHEN d.death_date + 1 = f.latest_date THEN 'death'
    ELSE 'censored'
  END AS ending,
  DATE_DIFF('day', f.time_zero, f.latest_date) AS follow_up_stop_day,
  COALESCE(d.death_date + 1 = f.latest_date, FALSE) AS is_death
FROM followed AS f
LEFT JOIN staged.death AS d ON f.person_id = d.person_id
WHERE f.start_date < f.latest_date
