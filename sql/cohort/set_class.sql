-- Drug classes at risk of the members of matched sets on the index date, lagged as the outcome asks; what was current on the first
-- observed day holds before the lag is over. Sets of controls at risk on the event date, under the primary exposure rule.
-- grain: exposure_rule, outcome_id, design, set_number, control_number
SELECT
  m.exposure_rule,
  m.outcome_id,
  m.design,
  m.set_number,
  m.control_number,
  m.person_id,
  m.is_case,
  c.risk_class_regimen_id
FROM cohort.matched_set AS m
INNER JOIN spec.exposure_rule AS x ON m.exposure_rule = x.exposure_rule
INNER JOIN spec.outcome AS o ON m.outcome_id = o.outcome_id AND NOT o.is_negative_control
INNER JOIN staged.observation_period AS p
  ON m.person_id = p.person_id AND p.start_date <= m.index_date AND m.index_date < p.stop_date
INNER JOIN exposure.class_interval AS c
  ON
    m.exposure_rule = c.exposure_rule
    AND m.person_id = c.person_id
    AND c.start_date <= GREATEST(m.index_date - CAST(o.lag_days AS INTEGER), p.start_date)
    AND GREATEST(m.index_date - CAST(o.lag_days AS INTEGER), p.start_date) < c.stop_date
WHERE m.design = 'incidence_density' AND x.is_primary
