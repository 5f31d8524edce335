-- Days on which a dose of a study drug is recorded, with what the record says of where it was given and how long the person was
-- observed. Doses are counted over everything the source has; is_numbered tells whether the drug's look-back before the first is observed,
-- without which the number is not that of the treatment. A course begins where no dose was recorded in the days that the care
-- items name for the drug.
-- setting: supervised or home by the words of the record; a dispensing without any, where the source records settings at all, is taken home. observed_minutes: as recorded,
-- else from the time of the dose to the end of its visit where both times are known; a stay in hospital over night is a day.
-- grain: person_id, drug_id, dose_date
WITH site AS (
  SELECT x.site_of_care, MIN(k.setting) AS setting
  FROM (SELECT DISTINCT p.site_of_care FROM staged.prescription AS p WHERE p.site_of_care IS NOT NULL) AS x
  INNER JOIN reference.care_site AS k ON LOWER(x.site_of_care) LIKE k.site_pattern
  GROUP BY x.site_of_care
),
site_count AS (
  SELECT COUNT(*) AS known_count
  FROM site AS s
),
visit_minutes AS (
  SELECT
    x.prescription_id,
    MAX(
      CASE
        WHEN v.visit_type = 'inpatient' AND v.start_date <= x.start_date AND v.stop_date > x.start_date + 1 THEN 1440
        WHEN
          CAST(CAST(v.end_datetime AS DATE) AS TIMESTAMP) <> v.end_datetime
          AND DATE_DIFF('minute', v.start_datetime, CAST(x.start_date AS TIMESTAMP)) + x.start_minute >= 0
          AND DATE_DIFF('minute', CAST(x.start_date AS TIMESTAMP), v.end_datetime) >= x.start_minute
          THEN DATE_DIFF('minute', CAST(x.start_date AS TIMESTAMP), v.end_datetime) - x.start_minute
      END
    ) AS observed_minutes
  FROM staged.prescription AS x
  INNER JOIN staged.visit AS v
    ON x.person_id = v.person_id AND v.start_date <= x.start_date AND v.stop_date > x.start_date
  GROUP BY x.prescription_id
),
dose_day AS (
  SELECT
    w.person_id,
    w.drug_id,
    w.start_date AS dose_date,
    MIN(w.record_type) AS record_type,
    MAX(CASE WHEN w.dose_unit = 'mg' THEN w.day_dose END) AS dose_mg,
    MAX(
      COALESCE(s.setting, CASE WHEN w.record_type = 'dispensing' AND n.known_count > 0 THEN 'home' END)
    ) AS setting,
    MAX(COALESCE(x.observed_minutes, v.observed_minutes)) AS observed_minutes,
    MAX(CASE WHEN LOWER(x.route) IN ('sc', 'subcutaneous', 'subcutaneous use') THEN 1 ELSE 0 END) = 1 AS is_subcutaneous
  FROM exposure."window" AS w
  INNER JOIN spec.drug AS d ON w.drug_id = d.drug_id AND d.role = 'study'
  INNER JOIN staged.prescription AS x ON w.prescription_id = x.prescription_id
  CROSS JOIN site_count AS n
  LEFT JOIN site AS s ON x.site_of_care = s.site_of_care
  LEFT JOIN visit_minutes AS v ON x.prescription_id = v.prescription_id
  WHERE w.record_use = 'used' AND NOT w.is_era_level
  GROUP BY w.person_id, w.drug_id, w.start_date
),
spacing AS (
  SELECT i.drug_id, MAX(i.gap_days) AS gap_days
  FROM reference.care_item AS i
  WHERE i.gap_days IS NOT NULL
  GROUP BY i.drug_id
),
followed AS (
  SELECT
    d.person_id,
    d.drug_id,
    d.dose_date,
    ROW_NUMBER() OVER (PARTITION BY d.person_id, d.drug_id ORDER BY d.dose_date) AS dose_number,
    LAG(d.dose_date) OVER (PARTITION BY d.person_id, d.drug_id ORDER BY d.dose_date) AS previous_date,
    MIN(d.dose_date) OVER (PARTITION BY d.person_id, d.drug_id) AS first_date,
    g.gap_days
  FROM dose_day AS d
  LEFT JOIN spacing AS g ON d.drug_id = g.drug_id
),
coursed AS (
  SELECT
    f.person_id,
    f.drug_id,
    f.dose_date,
    f.dose_number,
    f.previous_date,
    f.first_date,
    SUM(
      CASE WHEN f.previous_date IS NULL OR DATE_DIFF('day', f.previous_date, f.dose_date) > f.gap_days THEN 1 ELSE 0 END
    ) OVER (
      PARTITION BY f.person_id, f.drug_id ORDER BY f.dose_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS course_number
  FROM followed AS f
)
SELECT
  c.person_id,
  c.drug_id,
  c.dose_date,
  c.dose_number,
  ROW_NUMBER() OVER (PARTITION BY c.person_id, c.drug_id, c.course_number ORDER BY c.dose_date) AS course_dose_number,
  c.previous_date,
  o.person_id IS NOT NULL AS is_numbered,
  d.record_type,
  d.setting,
  CAST(d.observed_minutes AS DOUBLE) AS observed_minutes,
  CAST(d.dose_mg AS DOUBLE) AS dose_mg,
  d.is_subcutaneous
FROM coursed AS c
INNER JOIN dose_day AS d ON c.person_id = d.person_id AND c.drug_id = d.drug_id AND c.dose_date = d.dose_date
INNER JOIN spec.drug AS p ON c.drug_id = p.drug_id
LEFT JOIN staged.observation_period AS o
  ON
    c.person_id = o.person_id
    AND o.start_date <= c.first_date - CAST(p.washout_days AS INTEGER)
    AND o.stop_date > c.first_date
