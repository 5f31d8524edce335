-- Cohort entry: the first day with a study drug covered, the look-back observed, the age and the calendar of the study.
-- is_new_user: no study drug was covered before that day.
-- grain: exposure_rule, person_id
WITH candidate AS (
  SELECT
    i.exposure_rule,
    i.person_id,
    o.period_number,
    GREATEST(
      i.start_date,
      o.start_date + CAST(s.look_back_days AS INTEGER),
      COALESCE(s.start_date, i.start_date),
      MAKE_DATE(CAST(YEAR(p.birth_date) + s.minimum_age_years AS INTEGER), CAST(MONTH(p.birth_date) AS INTEGER), 1)
      + CAST(DAY(p.birth_date) - 1 AS INTEGER)
    ) AS entry_date,
    LEAST(
      i.stop_date,
      COALESCE(s.end_date + 1, i.stop_date),
      MAKE_DATE(CAST(YEAR(p.birth_date) + s.maximum_age_years + 1 AS INTEGER), CAST(MONTH(p.birth_date) AS INTEGER), 1)
      + CAST(DAY(p.birth_date) - 1 AS INTEGER)
    ) AS before_date
  FROM exposure.combination_interval AS i
  INNER JOIN staged.person AS p ON i.person_id = p.person_id
  INNER JOIN staged.observation_period AS o
    ON i.person_id = o.person_id AND o.start_date <= i.start_date AND i.stop_date <= o.stop_date
  CROSS JOIN spec.study AS s
  WHERE i.regimen_id <> 'none'
),
entered AS (
  SELECT c.exposure_rule, c.person_id, MIN(c.entry_date) AS entry_date
  FROM candidate AS c
  WHERE c.entry_date < c.before_date
  GROUP BY c.exposure_rule, c.person_id
),
first_use AS (
  SELECT e.exposure_rule, e.person_id, MIN(e.start_date) AS first_study_date
  FROM exposure.episode AS e
  INNER JOIN spec.drug AS d ON e.drug_id = d.drug_id
  WHERE d.role = 'study'
  GROUP BY e.exposure_rule, e.person_id
)
SELECT
  e.exposure_rule,
  e.person_id,
  e.entry_date,
  o.stop_date AS period_stop_date,
  f.first_study_date,
  f.first_study_date >= e.entry_date AS is_new_user,
  i.regimen_id AS entry_regimen_id,
  p.sex,
  CAST(FLOOR((
    YEAR(e.entry_date) * 10000 + MONTH(e.entry_date) * 100 + DAY(e.entry_date)
    - YEAR(p.birth_date) * 10000 - MONTH(p.birth_date) * 100 - DAY(p.birth_date)
  ) / 10000) AS BIGINT) AS age_years,
  YEAR(e.entry_date) AS calendar_year
FROM entered AS e
INNER JOIN staged.person AS p ON e.person_id = p.person_id
INNER JOIN first_use AS f ON e.exposure_rule = f.exposure_rule AND e.person_id = f.person_id
INNER JOIN staged.observation_period AS o
  ON e.person_id = o.person_id AND o.start_date <= e.entry_date AND e.entry_date < o.stop_date
INNER JOIN exposure.combination_interval AS i
  ON
    e.exposure_rule = i.exposure_rule
    AND e.person_id = i.person_id
    AND i.start_date <= e.entry_date
    AND e.entry_date < i.stop_date
