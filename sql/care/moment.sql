-- The moments that care items can hang on: doses, first doses, courses, starts and completed years of a combination, loss of response. A
-- moment of a combination has a row for each of its drugs; windows are counted from the start of that drug (combination_start), or of the pair (pair_start).
-- grain: trigger_kind, person_id, regimen_id, trigger_date, drug_id
WITH bit AS (
  SELECT 0 AS is_set
  UNION ALL
  SELECT 1 AS is_set
),
year_number AS (
  SELECT 1 + a.is_set + 2 * b.is_set + 4 * c.is_set + 8 * d.is_set + 16 * e.is_set + 32 * f.is_set AS number
  FROM bit AS a
  CROSS JOIN bit AS b
  CROSS JOIN bit AS c
  CROSS JOIN bit AS d
  CROSS JOIN bit AS e
  CROSS JOIN bit AS f
),
pair AS (
  SELECT
    e.person_id,
    e.regimen_id,
    e.start_date,
    e.stop_date,
    ROW_NUMBER() OVER (PARTITION BY e.person_id, e.regimen_id ORDER BY e.start_date, e.episode_number) AS pair_number
  FROM exposure.combination_episode AS e
  INNER JOIN spec.exposure_rule AS r ON e.exposure_rule = r.exposure_rule AND r.is_primary
  WHERE e.drug_count = 2
),
pair_drug AS (
  SELECT p.person_id, p.regimen_id, p.start_date, p.stop_date, p.pair_number, e.drug_id, e.start_date AS drug_start_date
  FROM pair AS p
  INNER JOIN exposure.episode AS e
    ON p.person_id = e.person_id AND e.start_date <= p.start_date AND p.start_date < e.stop_date
  INNER JOIN spec.exposure_rule AS r ON e.exposure_rule = r.exposure_rule AND r.is_primary
  WHERE CONTAINS(CONCAT('+', p.regimen_id, '+'), CONCAT('+', e.drug_id, '+'))
),
dose AS (
  SELECT g.person_id, g.drug_id, g.dose_date, g.dose_number, g.course_dose_number, g.is_numbered, g.record_type, g.setting, g.is_subcutaneous
  FROM care.given_dose AS g
),
happened AS (
  SELECT 'first_dose' AS trigger_kind, d.person_id, d.drug_id AS regimen_id, d.drug_id, d.dose_date AS anchor_date, d.dose_date AS trigger_date
  FROM dose AS d
  WHERE d.dose_number = 1
  UNION ALL
  SELECT 'dose' AS trigger_kind, d.person_id, d.drug_id AS regimen_id, d.drug_id, d.dose_date AS anchor_date, d.dose_date AS trigger_date
  FROM dose AS d
  WHERE d.record_type <> 'order'
  UNION ALL
  SELECT 'supervised_dose' AS trigger_kind, d.person_id, d.drug_id AS regimen_id, d.drug_id, d.dose_date AS anchor_date, d.dose_date AS trigger_date
  FROM dose AS d
  WHERE d.record_type <> 'order' AND COALESCE(d.setting, 'supervised') = 'supervised'
  UNION ALL
  SELECT 'course_start' AS trigger_kind, d.person_id, d.drug_id AS regimen_id, d.drug_id, d.dose_date AS anchor_date, d.dose_date AS trigger_date
  FROM dose AS d
  WHERE d.record_type <> 'order' AND d.course_dose_number = 1
  UNION ALL
  SELECT 'maintenance_dose' AS trigger_kind, d.person_id, d.drug_id AS regimen_id, d.drug_id, d.dose_date AS anchor_date, d.dose_date AS trigger_date
  FROM dose AS d
  WHERE d.record_type <> 'order' AND d.course_dose_number >= 4 AND NOT d.is_subcutaneous
  UNION ALL
  SELECT 'loss_of_response' AS trigger_kind, l.person_id, 'infliximab' AS regimen_id, 'infliximab' AS drug_id, l.sign_date AS anchor_date, l.sign_date AS trigger_date
  FROM care.loss_of_response AS l
  UNION ALL
  SELECT 'combination_start' AS trigger_kind, p.person_id, p.regimen_id, p.drug_id, p.drug_start_date AS anchor_date, p.start_date AS trigger_date
  FROM pair_drug AS p
  WHERE p.pair_number = 1
  UNION ALL
  SELECT 'pair_start' AS trigger_kind, p.person_id, p.regimen_id, p.drug_id, p.start_date AS anchor_date, p.start_date AS trigger_date
  FROM pair_drug AS p
  WHERE p.pair_number = 1
  UNION ALL
  SELECT
    'combination_year' AS trigger_kind,
    p.person_id,
    p.regimen_id,
    p.drug_id,
    p.start_date + CAST(365 * y.number AS INTEGER) AS anchor_date,
    p.start_date + CAST(365 * y.number AS INTEGER) AS trigger_date
  FROM pair_drug AS p
  INNER JOIN year_number AS y ON p.start_date + CAST(365 * y.number AS INTEGER) <= p.stop_date
)
SELECT
  h.trigger_kind,
  h.person_id,
  h.regimen_id,
  h.trigger_date,
  h.drug_id,
  h.anchor_date,
  d.dose_number,
  d.is_numbered,
  d.is_subcutaneous,
  d.setting
FROM happened AS h
LEFT JOIN dose AS d ON h.person_id = d.person_id AND h.drug_id = d.drug_id AND h.anchor_date = d.dose_date
