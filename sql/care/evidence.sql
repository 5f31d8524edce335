-- What the records hold that a care item asks for, by day, of everybody with a dose of a study drug. What a kind of evidence is made of
-- are rows of reference.care_evidence; what is computed from doses and scores is here.
-- about_drug_id: the drug that the evidence speaks of, any where it speaks of none. value: the highest of the day. is_positive: NULL where the kind knows no positive.
-- grain: evidence_kind, person_id, about_drug_id, evidence_date
WITH person AS (
  SELECT DISTINCT g.person_id
  FROM care.given_dose AS g
),
code AS (
  SELECT DISTINCT c.code_system, c.code
  FROM staged.condition AS c
  WHERE c.code_system IS NOT NULL
),
code_meaning AS (
  SELECT DISTINCT k.evidence_kind, COALESCE(k.about_drug_id, 'any') AS about_drug_id, c.code_system, c.code
  FROM code AS c
  INNER JOIN reference.care_evidence AS k
    ON k.record_table = 'condition' AND c.code_system = k.code_system AND STARTS_WITH(c.code, k.code_prefix)
),
drug_name AS (
  SELECT DISTINCT
    COALESCE(x.drug_source_value, '') AS drug_source_value,
    COALESCE(x.drug_code, '') AS drug_code,
    COALESCE(x.code_system, '') AS code_system,
    x.drug_id
  FROM staged.prescription AS x
),
drug_meaning AS (
  SELECT DISTINCT k.evidence_kind, x.drug_source_value, x.drug_code, x.code_system
  FROM drug_name AS x
  INNER JOIN reference.care_evidence AS k
    ON
      k.record_table = 'prescription'
      AND (
        x.drug_id = k.drug_id
        OR (UPPER(x.code_system) = k.code_system AND STARTS_WITH(UPPER(x.drug_code), k.code_prefix))
        OR LOWER(x.drug_source_value) LIKE k.name_pattern
      )
),
term_meaning AS (
  SELECT DISTINCT k.evidence_kind, a.term
  FROM (SELECT DISTINCT e.term FROM staged.adverse_event AS e) AS a
  INNER JOIN reference.care_evidence AS k ON k.record_table = 'adverse_event' AND LOWER(a.term) LIKE k.name_pattern
),
specialty_meaning AS (
  SELECT DISTINCT k.evidence_kind, v.specialty
  FROM (SELECT DISTINCT s.specialty FROM staged.visit AS s) AS v
  INNER JOIN reference.care_evidence AS k ON k.record_table = 'visit' AND LOWER(v.specialty) LIKE k.name_pattern
),
weighed AS (
  SELECT
    g.person_id,
    g.dose_date,
    g.dose_mg / m.standard_value AS dose_mg_per_kg,
    ROW_NUMBER() OVER (
      PARTITION BY g.person_id, g.dose_date
      ORDER BY ABS(DATE_DIFF('day', m.measured_date, g.dose_date)), m.measured_date, m.measurement_id
    ) AS choice
  FROM care.given_dose AS g
  INNER JOIN staged.measurement AS m
    ON
      g.person_id = m.person_id
      AND m.test_id = 'weight'
      AND m.standard_value > 0
      AND m.measured_date >= g.dose_date - 365
      AND m.measured_date <= g.dose_date + 90
  WHERE g.drug_id = 'infliximab' AND g.dose_mg IS NOT NULL
),
month_dose AS (
  SELECT
    d.person_id,
    d.dose_date,
    CASE WHEN COUNT(*) = COUNT(b.dose_mg) THEN SUM(b.dose_mg) END AS dose_mg
  FROM pkpd.dose AS d
  INNER JOIN pkpd.dose AS b
    ON d.person_id = b.person_id AND b.dose_date <= d.dose_date AND b.dose_date > d.dose_date - 28
  GROUP BY d.person_id, d.dose_date
),
pair_start AS (
  SELECT e.person_id, e.regimen_id, MIN(e.start_date) AS start_date
  FROM exposure.combination_episode AS e
  INNER JOIN spec.exposure_rule AS r ON e.exposure_rule = r.exposure_rule AND r.is_primary
  WHERE e.drug_count = 2
  GROUP BY e.person_id, e.regimen_id
),
score_before AS (
  SELECT
    p.person_id,
    p.regimen_id,
    p.start_date,
    s.instrument_id,
    s.score,
    ROW_NUMBER() OVER (
      PARTITION BY p.person_id, p.regimen_id, s.instrument_id ORDER BY s.score_date DESC, s.source_file, s.row_number
    ) AS choice
  FROM pair_start AS p
  INNER JOIN staged.symptom_score AS s
    ON p.person_id = s.person_id AND s.score_date <= p.start_date AND s.score_date >= p.start_date - 90
  WHERE s.instrument_id IS NOT NULL AND s.score IS NOT NULL
),
record AS (
  SELECT
    k.evidence_kind,
    m.person_id,
    'any' AS about_drug_id,
    m.measured_date AS evidence_date,
    m.standard_value AS value,
    CASE
      WHEN k.positive_text IS NULL AND k.least_positive IS NULL THEN NULL
      WHEN STARTS_WITH(m.value_text, k.positive_text) OR m.standard_value >= k.least_positive THEN 1
      WHEN m.value_text IS NOT NULL OR m.standard_value IS NOT NULL THEN 0
    END AS positive
  FROM staged.measurement AS m
  INNER JOIN reference.care_evidence AS k ON k.record_table = 'measurement' AND m.test_id = k.test_id
  WHERE
    (m.value IS NOT NULL OR m.value_text IS NOT NULL)
    AND (k.excluded_pattern IS NULL OR COALESCE(m.value_text, '') NOT LIKE k.excluded_pattern)
  UNION ALL
  SELECT k.evidence_kind, c.person_id, k.about_drug_id, c.start_date AS evidence_date, NULL AS value, 1 AS positive
  FROM staged.condition AS c
  INNER JOIN code_meaning AS k ON c.code_system = k.code_system AND c.code = k.code
  UNION ALL
  SELECT k.evidence_kind, c.person_id, 'any' AS about_drug_id, c.procedure_date AS evidence_date, NULL AS value, NULL AS positive
  FROM staged.procedure AS c
  INNER JOIN reference.care_evidence AS k
    ON k.record_table = 'procedure' AND c.code_system = k.code_system AND STARTS_WITH(c.code, k.code_prefix)
  UNION ALL
  SELECT k.evidence_kind, x.person_id, 'any' AS about_drug_id, x.start_date AS evidence_date, NULL AS value, NULL AS positive
  FROM staged.prescription AS x
  INNER JOIN drug_meaning AS k
    ON
      COALESCE(x.drug_source_value, '') = k.drug_source_value
      AND COALESCE(x.drug_code, '') = k.drug_code
      AND COALESCE(x.code_system, '') = k.code_system
  WHERE x.quantity IS NULL OR x.quantity > 0
  UNION ALL
  SELECT k.evidence_kind, a.person_id, 'any' AS about_drug_id, a.onset_date AS evidence_date, NULL AS value, 1 AS positive
  FROM staged.adverse_event AS a
  INNER JOIN term_meaning AS k ON a.term = k.term
  UNION ALL
  SELECT k.evidence_kind, v.person_id, 'any' AS about_drug_id, v.start_date AS evidence_date, NULL AS value, NULL AS positive
  FROM staged.visit AS v
  INNER JOIN specialty_meaning AS k ON v.specialty = k.specialty
  UNION ALL
  SELECT
    k.evidence_kind,
    s.person_id,
    'any' AS about_drug_id,
    s.score_date AS evidence_date,
    s.score AS value,
    CASE WHEN k.least_positive IS NULL THEN NULL WHEN s.score >= k.least_positive THEN 1 ELSE 0 END AS positive
  FROM staged.symptom_score AS s
  INNER JOIN reference.care_evidence AS k ON k.record_table = 'symptom_score' AND s.instrument_id = k.test_id
  WHERE s.score IS NOT NULL
  UNION ALL
  SELECT
    'score_response' AS evidence_kind,
    b.person_id,
    'any' AS about_drug_id,
    s.score_date AS evidence_date,
    CASE WHEN i.better = 'higher' THEN s.score - b.score ELSE b.score - s.score END AS value,
    CASE WHEN CASE WHEN i.better = 'higher' THEN s.score - b.score ELSE b.score - s.score END >= i.mcid THEN 1 ELSE 0 END AS positive
  FROM score_before AS b
  INNER JOIN staged.symptom_score AS s
    ON b.person_id = s.person_id AND b.instrument_id = s.instrument_id AND s.score_date > b.start_date
  INNER JOIN reference.instrument AS i ON b.instrument_id = i.instrument_id AND i.mcid IS NOT NULL
  WHERE b.choice = 1 AND s.score IS NOT NULL AND s.score_date <= b.start_date + 126
  UNION ALL
  SELECT
    'supervised_setting' AS evidence_kind,
    g.person_id,
    g.drug_id AS about_drug_id,
    g.dose_date AS evidence_date,
    NULL AS value,
    CASE WHEN g.setting = 'supervised' THEN 1 ELSE 0 END AS positive
  FROM care.given_dose AS g
  WHERE g.setting IS NOT NULL
  UNION ALL
  SELECT 'observed_minutes' AS evidence_kind, g.person_id, g.drug_id, g.dose_date, g.observed_minutes, NULL AS positive
  FROM care.given_dose AS g
  WHERE g.observed_minutes IS NOT NULL
  UNION ALL
  SELECT 'dose_given' AS evidence_kind, g.person_id, g.drug_id, g.dose_date, g.dose_mg, NULL AS positive
  FROM care.given_dose AS g
  WHERE g.record_type <> 'order'
  UNION ALL
  SELECT
    'dose_interval_days' AS evidence_kind,
    g.person_id,
    g.drug_id,
    g.dose_date,
    DATE_DIFF('day', g.previous_date, g.dose_date) AS value,
    NULL AS positive
  FROM care.given_dose AS g
  WHERE g.previous_date IS NOT NULL
  UNION ALL
  SELECT 'dose_mg_per_kg' AS evidence_kind, w.person_id, 'infliximab' AS about_drug_id, w.dose_date, w.dose_mg_per_kg, NULL AS positive
  FROM weighed AS w
  WHERE w.choice = 1
  UNION ALL
  SELECT 'dose_mg' AS evidence_kind, d.person_id, 'omalizumab' AS about_drug_id, d.dose_date, d.dose_mg, NULL AS positive
  FROM pkpd.dose AS d
  WHERE d.dose_mg IS NOT NULL
  UNION ALL
  SELECT 'dose_28_day_mg' AS evidence_kind, d.person_id, 'omalizumab' AS about_drug_id, d.dose_date, d.dose_mg, NULL AS positive
  FROM month_dose AS d
  WHERE d.dose_mg IS NOT NULL
  UNION ALL
  SELECT
    CONCAT('dose_by_table_', c.table_name) AS evidence_kind,
    c.person_id,
    'omalizumab' AS about_drug_id,
    p.first_date AS evidence_date,
    NULL AS value,
    CASE WHEN c.dose_class IN ('as_table', 'equal_four_week_dose') THEN 1 ELSE 0 END AS positive
  FROM pkpd.dose_check AS c
  INNER JOIN pkpd.person AS p ON c.person_id = p.person_id
  WHERE c.dose_class NOT IN ('not_applicable', 'not_assessable')
  UNION ALL
  SELECT DISTINCT
    'dose_table_not_applicable' AS evidence_kind,
    c.person_id,
    'omalizumab' AS about_drug_id,
    p.first_date AS evidence_date,
    NULL AS value,
    1 AS positive
  FROM pkpd.dose_check AS c
  INNER JOIN pkpd.person AS p ON c.person_id = p.person_id
  WHERE c.dose_class = 'not_applicable'
  UNION ALL
  SELECT DISTINCT
    'usual_dose_mg' AS evidence_kind,
    c.person_id,
    'omalizumab' AS about_drug_id,
    p.first_date AS evidence_date,
    c.given_dose_mg AS value,
    NULL AS positive
  FROM pkpd.dose_check AS c
  INNER JOIN pkpd.person AS p ON c.person_id = p.person_id
  WHERE c.given_dose_mg IS NOT NULL
  UNION ALL
  SELECT DISTINCT
    'usual_interval_days' AS evidence_kind,
    c.person_id,
    'omalizumab' AS about_drug_id,
    p.first_date AS evidence_date,
    c.given_interval_days AS value,
    NULL AS positive
  FROM pkpd.dose_check AS c
  INNER JOIN pkpd.person AS p ON c.person_id = p.person_id
  WHERE c.given_interval_days IS NOT NULL
)
SELECT
  r.evidence_kind,
  r.person_id,
  r.about_drug_id,
  r.evidence_date,
  CAST(MAX(r.value) AS DOUBLE) AS value,
  MAX(r.positive) = 1 AS is_positive
FROM record AS r
INNER JOIN person AS p ON r.person_id = p.person_id
GROUP BY r.evidence_kind, r.person_id, r.about_drug_id, r.evidence_date
