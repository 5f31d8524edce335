-- The days on which persons are described: cohort entry, and time zero of the comparison of combinations with monotherapy.
-- grain: exposure_rule, person_id, baseline_date
SELECT e.exposure_rule, e.person_id, e.entry_date AS baseline_date
FROM cohort.entry AS e
UNION
SELECT c.exposure_rule, c.person_id, c.time_zero AS baseline_date
FROM cohort.comparison_sample AS c
