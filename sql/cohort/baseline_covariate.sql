-- Who persons were before they entered, or before time zero of a comparison: comorbidity, days in hospital, days of systemic
-- corticosteroids and earlier outcomes in the look-back, the day itself not included. Charlson's score with the weights of Quan 2011: a
-- condition counts from one inpatient diagnosis or two diagnoses at least 30 days apart, a superseded one not beside its severe
-- form. Codes that mean an indication do not count: what a person is treated for is matched on, and would make every user of a drug look
-- alike. An outcome that is any adverse event is no earlier outcome: it would count the others twice. What needs a table that the source lacks, or a drug that the study does not name, is NULL.
-- grain: exposure_rule, person_id, baseline_date
WITH span AS (
  SELECT b.exposure_rule, b.person_id, b.baseline_date, b.baseline_date - CAST(s.look_back_days AS INTEGER) AS from_date
  FROM cohort.baseline_date AS b
  CROSS JOIN spec.study AS s
),
code AS (
  SELECT DISTINCT c.code_system, c.code
  FROM staged.condition AS c
  WHERE c.code_system IS NOT NULL
),
meaning AS (
  SELECT DISTINCT c.code_system, c.code, p.condition_id
  FROM code AS c
  INNER JOIN spec.charlson_code AS p ON c.code_system = p.vocabulary AND STARTS_WITH(c.code, p.code_prefix)
  WHERE NOT EXISTS (
    SELECT 1 FROM spec.indication_code AS i WHERE c.code_system = i.vocabulary AND STARTS_WITH(c.code, i.code_prefix)
  )
),
confirmed AS (
  SELECT e.exposure_rule, e.person_id, e.baseline_date, m.condition_id
  FROM span AS e
  INNER JOIN staged.condition AS c ON e.person_id = c.person_id AND e.from_date <= c.start_date AND c.start_date < e.baseline_date
  INNER JOIN meaning AS m ON c.code_system = m.code_system AND c.code = m.code
  GROUP BY e.exposure_rule, e.person_id, e.baseline_date, m.condition_id
  HAVING
    MAX(CASE WHEN c.setting = 'inpatient' THEN 1 ELSE 0 END) = 1
    OR DATE_DIFF('day', MIN(c.start_date), MAX(c.start_date)) >= 30
),
weight AS (
  SELECT DISTINCT p.condition_id, p.weight, p.superseded_by
  FROM spec.charlson_code AS p
),
comorbidity AS (
  SELECT c.exposure_rule, c.person_id, c.baseline_date, CAST(SUM(w.weight) AS BIGINT) AS charlson_score
  FROM confirmed AS c
  INNER JOIN weight AS w ON c.condition_id = w.condition_id
  LEFT JOIN confirmed AS v
    ON
      c.exposure_rule = v.exposure_rule
      AND c.person_id = v.person_id
      AND c.baseline_date = v.baseline_date
      AND w.superseded_by = v.condition_id
  WHERE v.condition_id IS NULL
  GROUP BY c.exposure_rule, c.person_id, c.baseline_date
),
stay AS (
  SELECT
    e.exposure_rule,
    e.person_id,
    e.baseline_date,
    CAST(SUM(DATE_DIFF('day', GREATEST(y.start_date, e.from_date), LEAST(y.stop_date, e.baseline_date))) AS BIGINT) AS hospital_days
  FROM span AS e
  INNER JOIN exposure.hospital_stay AS y
    ON e.person_id = y.person_id AND y.start_date < e.baseline_date AND e.from_date < y.stop_date
  GROUP BY e.exposure_rule, e.person_id, e.baseline_date
),
corticosteroid AS (
  SELECT COUNT(*) AS drug_count
  FROM spec.drug AS d
  WHERE d.agent_type = 'systemic_corticosteroid'
),
steroid AS (
  SELECT
    e.exposure_rule,
    e.person_id,
    e.baseline_date,
    CAST(SUM(DATE_DIFF('day', GREATEST(i.start_date, e.from_date), LEAST(i.stop_date, e.baseline_date))) AS BIGINT) AS steroid_days
  FROM span AS e
  INNER JOIN exposure.episode AS i
    ON
      e.exposure_rule = i.exposure_rule
      AND e.person_id = i.person_id
      AND i.start_date < e.baseline_date
      AND e.from_date < i.stop_date
  INNER JOIN spec.drug AS d ON i.drug_id = d.drug_id AND d.agent_type = 'systemic_corticosteroid'
  GROUP BY e.exposure_rule, e.person_id, e.baseline_date
),
outcome AS (
  SELECT e.exposure_rule, e.person_id, e.baseline_date, COUNT(*) AS prior_event_count
  FROM span AS e
  INNER JOIN cohort.outcome_event AS v ON e.person_id = v.person_id AND e.from_date <= v.event_date AND v.event_date < e.baseline_date
  INNER JOIN spec.outcome AS o ON v.outcome_id = o.outcome_id AND NOT o.is_negative_control AND NOT o.any_term
  GROUP BY e.exposure_rule, e.person_id, e.baseline_date
)
SELECT
  e.exposure_rule,
  e.person_id,
  e.baseline_date,
  CASE WHEN m.has_condition THEN COALESCE(c.charlson_score, 0) END AS charlson_score,
  CASE WHEN m.has_visit THEN COALESCE(y.hospital_days, 0) END AS hospital_days,
  CASE WHEN n.drug_count > 0 THEN COALESCE(r.steroid_days, 0) END AS steroid_days,
  COALESCE(o.prior_event_count, 0) AS prior_event_count
FROM span AS e
CROSS JOIN meta.source AS m
CROSS JOIN corticosteroid AS n
LEFT JOIN comorbidity AS c ON e.exposure_rule = c.exposure_rule AND e.person_id = c.person_id AND e.baseline_date = c.baseline_date
LEFT JOIN stay AS y ON e.exposure_rule = y.exposure_rule AND e.person_id = y.person_id AND e.baseline_date = y.baseline_date
LEFT JOIN steroid AS r ON e.exposure_rule = r.exposure_rule AND e.person_id = r.person_id AND e.baseline_date = r.baseline_date
LEFT JOIN outcome AS o ON e.exposure_rule = o.exposure_rule AND e.person_id = o.person_id AND e.baseline_date = o.baseline_date
