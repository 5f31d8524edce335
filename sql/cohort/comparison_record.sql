-- Days with a record of an outcome of members of the comparison, before and after time zero, from which events that recur are told.
-- In day numbers a record on time zero has day 1. Negative controls are left out.
-- grain: exposure_rule, outcome_id, set_number, member_number, record_day
SELECT DISTINCT
  c.exposure_rule,
  r.outcome_id,
  c.set_number,
  c.member_number,
  DATE_DIFF('day', c.time_zero, r.record_date) + 1 AS record_day
FROM cohort.comparison_sample AS c
INNER JOIN cohort.outcome_record AS r ON c.person_id = r.person_id
INNER JOIN spec.outcome AS o ON r.outcome_id = o.outcome_id AND NOT o.is_negative_control
