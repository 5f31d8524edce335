-- Everybody with a dose of omalizumab: weight nearest to the first dose, total IgE before it, and what the dose is for.
-- weight: in the year before the first dose or the 90 days after, the nearest. IgE: the last before the day of the first dose;
-- what was measured on treatment is several times higher and is counted, never used. is_dosed_by_table: true for asthma, false for
-- urticaria without asthma, else not known.
-- grain: person_id
WITH first_dose AS (
  SELECT d.person_id, MIN(d.dose_date) AS first_date, MAX(d.dose_date) AS last_date, COUNT(*) AS dose_count
  FROM pkpd.dose AS d
  GROUP BY d.person_id
),
weighed AS (
  SELECT
    f.person_id,
    m.standard_value,
    m.measured_date,
    ROW_NUMBER() OVER (
      PARTITION BY f.person_id
      ORDER BY ABS(DATE_DIFF('day', m.measured_date, f.first_date)), m.measured_date, m.measurement_id
    ) AS choice
  FROM first_dose AS f
  INNER JOIN staged.measurement AS m
    ON
      f.person_id = m.person_id
      AND m.test_id = 'weight'
      AND m.standard_value IS NOT NULL
      AND m.measured_date >= f.first_date - 365
      AND m.measured_date <= f.first_date + 90
),
ige AS (
  SELECT
    f.person_id,
    m.standard_value,
    m.measured_date,
    m.measured_date < f.first_date AS is_before,
    ROW_NUMBER() OVER (
      PARTITION BY f.person_id, m.measured_date < f.first_date ORDER BY m.measured_date DESC, m.measurement_id
    ) AS choice
  FROM first_dose AS f
  INNER JOIN staged.measurement AS m
    ON f.person_id = m.person_id AND m.test_id = 'total_ige' AND m.standard_value > 0
),
on_treatment AS (
  SELECT i.person_id, COUNT(*) AS ige_count
  FROM ige AS i
  WHERE NOT i.is_before
  GROUP BY i.person_id
),
diagnosed AS (
  SELECT
    f.person_id,
    MAX(CASE WHEN c.code LIKE 'J45%' OR c.code LIKE 'J46%' OR (c.code_system = 'ICD9CM' AND c.code LIKE '493%') THEN 1 ELSE 0 END)
      AS has_asthma,
    MAX(CASE WHEN c.code LIKE 'L50%' OR (c.code_system = 'ICD9CM' AND c.code LIKE '708%') THEN 1 ELSE 0 END) AS has_urticaria
  FROM first_dose AS f
  INNER JOIN staged.condition AS c
    ON f.person_id = c.person_id AND c.start_date <= f.first_date + 30 AND c.code_system IN ('ICD10', 'ICD10CM', 'ICD9CM')
  GROUP BY f.person_id
)
SELECT
  f.person_id,
  f.first_date,
  f.last_date,
  f.dose_count,
  o.stop_date AS observed_stop_date,
  w.standard_value AS weight_kg,
  w.measured_date AS weight_date,
  i.standard_value AS baseline_ige_iu_per_ml,
  i.measured_date AS baseline_ige_date,
  COALESCE(t.ige_count, 0) AS on_treatment_ige_count,
  CASE WHEN g.has_asthma = 1 THEN TRUE WHEN g.has_urticaria = 1 THEN FALSE END AS is_dosed_by_table
FROM first_dose AS f
LEFT JOIN staged.observation_period AS o
  ON f.person_id = o.person_id AND o.start_date <= f.first_date AND f.first_date < o.stop_date
LEFT JOIN weighed AS w ON f.person_id = w.person_id AND w.choice = 1
LEFT JOIN ige AS i ON f.person_id = i.person_id AND i.is_before AND i.choice = 1
LEFT JOIN on_treatment AS t ON f.person_id = t.person_id
LEFT JOIN diagnosed AS g ON f.person_id = g.person_id
