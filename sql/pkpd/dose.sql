-- Doses of omalizumab in mg by day, from the records that are used. What was dispensed for two intervals or more at once is spread
-- over them, and says so: a supply of 56 days is two doses, of the named amount where that is one dose (at most 600 mg), else its
-- half. A dose whose amount is not known in mg is there without one.
-- grain: person_id, dose_date
WITH used AS (
  SELECT
    w.person_id,
    w.start_date,
    MIN(w.day_dose) AS day_dose,
    MIN(w.dose_unit) AS dose_unit,
    MAX(CASE WHEN w.window_source = 'days_supply' THEN DATE_DIFF('day', w.start_date, w.stop_date) ELSE 0 END) AS supply_days,
    MAX(CASE WHEN w.record_type = 'administration' THEN 1 ELSE 0 END) AS is_given
  FROM exposure."window" AS w
  WHERE w.drug_id = 'omalizumab' AND w.record_use = 'used' AND NOT w.is_era_level
  GROUP BY w.person_id, w.start_date
),
counted AS (
  SELECT
    u.person_id,
    u.start_date,
    CASE WHEN u.dose_unit = 'mg' THEN u.day_dose END AS dose_mg,
    CASE
      WHEN u.is_given = 0 AND u.supply_days >= 2 * d.interval_days
        THEN CAST(FLOOR(u.supply_days / CAST(d.interval_days AS DOUBLE) + 0.5) AS BIGINT)
      ELSE 1
    END AS dose_count,
    d.interval_days
  FROM used AS u
  INNER JOIN spec.drug AS d ON d.drug_id = 'omalizumab'
),
bit AS (
  SELECT 0 AS is_set
  UNION ALL
  SELECT 1 AS is_set
),
numbered AS (
  -- 1 to 512: a supply of up to 400 days of a daily dose
  SELECT
    1 + a.is_set + 2 * b.is_set + 4 * c.is_set + 8 * d.is_set + 16 * e.is_set + 32 * f.is_set + 64 * g.is_set
    + 128 * h.is_set + 256 * i.is_set AS dose_number
  FROM bit AS a
  CROSS JOIN bit AS b
  CROSS JOIN bit AS c
  CROSS JOIN bit AS d
  CROSS JOIN bit AS e
  CROSS JOIN bit AS f
  CROSS JOIN bit AS g
  CROSS JOIN bit AS h
  CROSS JOIN bit AS i
),
spread AS (
  SELECT
    c.person_id,
    c.start_date + CAST((n.dose_number - 1) * c.interval_days AS INTEGER) AS dose_date,
    CASE WHEN c.dose_mg > 600 THEN c.dose_mg / c.dose_count ELSE c.dose_mg END AS dose_mg,
    c.dose_count > 1 AS is_spread
  FROM counted AS c
  INNER JOIN numbered AS n ON n.dose_number <= c.dose_count
)
SELECT
  s.person_id,
  s.dose_date,
  CASE WHEN COUNT(*) = COUNT(s.dose_mg) THEN CAST(SUM(s.dose_mg) AS DOUBLE) END AS dose_mg,
  MAX(CASE WHEN s.is_spread THEN 1 ELSE 0 END) = 1 AS is_spread
FROM spread AS s
GROUP BY s.person_id, s.dose_date
