-- What persons of the cohort are matched on: sex and indication at entry, which must be equal, birth and entry, which must be near.
-- Where the study does not match on the indication it is the same for all.
-- grain: exposure_rule, person_id
SELECT
  e.exposure_rule,
  e.person_id,
  e.sex,
  CASE WHEN s.match_indication THEN i.indication ELSE 'all' END AS indication,
  p.birth_date,
  e.entry_date
FROM cohort.entry AS e
INNER JOIN staged.person AS p ON e.person_id = p.person_id
INNER JOIN cohort.indication AS i
  ON e.exposure_rule = i.exposure_rule AND e.person_id = i.person_id AND e.entry_date = i.baseline_date
CROSS JOIN spec.study AS s
