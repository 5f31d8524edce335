-- Components that the case of each matched set has on its index date; an event may have several.
-- grain: exposure_rule, outcome_id, design, set_number, component_id
SELECT DISTINCT
  m.exposure_rule,
  m.outcome_id,
  m.design,
  m.set_number,
  c.component_id
FROM cohort.matched_set AS m
INNER JOIN cohort.outcome_record AS r
  ON m.person_id = r.person_id AND m.outcome_id = r.outcome_id AND m.index_date = r.record_date
INNER JOIN spec.outcome_component AS c ON r.outcome_id = c.outcome_id AND r.component_id = c.component_id
WHERE m.is_case
