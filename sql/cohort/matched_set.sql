-- Cases and their controls with the exposure of each on the index date. incidence_density: the state of person-time, lagged as
-- the outcome asks. toruner_replica: the state of the day itself, as in the study that it repeats.
-- grain: exposure_rule, outcome_id, design, set_number, control_number
SELECT
  m.exposure_rule,
  m.outcome_id,
  m.design,
  m.set_number,
  m.control_number,
  m.person_id,
  m.is_case,
  m.index_date,
  m.age_caliper_years,
  t.regimen_id,
  t.risk_regimen_id,
  t.risk_drug_count,
  t.toruner_count,
  t.broad_count
FROM cohort.control_sample AS m
INNER JOIN cohort.person_time AS t
  ON
    m.exposure_rule = t.exposure_rule
    AND m.outcome_id = t.outcome_id
    AND m.person_id = t.person_id
    AND t.population = 'all_time'
    AND t.start_date <= m.index_date
    AND m.index_date < t.stop_date
WHERE m.design = 'incidence_density'
UNION ALL
SELECT
  m.exposure_rule,
  m.outcome_id,
  m.design,
  m.set_number,
  m.control_number,
  m.person_id,
  m.is_case,
  m.index_date,
  m.age_caliper_years,
  i.regimen_id,
  i.risk_regimen_id,
  i.risk_drug_count,
  i.toruner_count,
  i.broad_count
FROM cohort.control_sample AS m
INNER JOIN exposure.combination_interval AS i
  ON
    m.exposure_rule = i.exposure_rule
    AND m.person_id = i.person_id
    AND i.start_date <= m.index_date
    AND m.index_date < i.stop_date
WHERE m.design = 'toruner_replica'
