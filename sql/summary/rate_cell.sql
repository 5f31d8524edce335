-- First outcomes and time at risk by ladder level in cells of age band, sex and calendar year: time is cut at 1 January and at
-- the birthdays that begin an age band; an outcome belongs to the piece that holds its day. Negative controls are left out.
-- grain: exposure_rule, outcome_id, ladder, level, age_band, sex, calendar_year
WITH yearly AS (
  SELECT
    t.exposure_rule,
    t.outcome_id,
    t.person_id,
    t.risk_drug_count,
    t.toruner_count,
    t.broad_count,
    CASE WHEN t.event_count = 1 THEN t.stop_date - 1 END AS event_date,
    k.calendar_year,
    GREATEST(t.start_date, MAKE_DATE(CAST(k.calendar_year AS INTEGER), 1, 1)) AS start_date,
    LEAST(t.stop_date, MAKE_DATE(CAST(k.calendar_year + 1 AS INTEGER), 1, 1)) AS stop_date
  FROM cohort.person_time AS t
  INNER JOIN spec.outcome AS o ON t.outcome_id = o.outcome_id AND NOT o.is_negative_control
  CROSS JOIN UNNEST(GENERATE_SERIES(YEAR(t.start_date), YEAR(t.stop_date - 1))) AS k (calendar_year)
  WHERE t.population = 'all_time'
),
band AS (
  SELECT
    p.person_id,
    p.sex,
    a.age_band,
    MAKE_DATE(CAST(YEAR(p.birth_date) + a.from_age AS INTEGER), CAST(MONTH(p.birth_date) AS INTEGER), 1)
    + CAST(DAY(p.birth_date) - 1 AS INTEGER) AS from_date,
    MAKE_DATE(CAST(YEAR(p.birth_date) + a.below_age AS INTEGER), CAST(MONTH(p.birth_date) AS INTEGER), 1)
    + CAST(DAY(p.birth_date) - 1 AS INTEGER) AS below_date
  FROM staged.person AS p
  CROSS JOIN spec.age_band AS a
),
piece AS (
  SELECT
    y.exposure_rule,
    y.outcome_id,
    y.risk_drug_count,
    y.toruner_count,
    y.broad_count,
    b.age_band,
    b.sex,
    y.calendar_year,
    y.event_date,
    GREATEST(y.start_date, b.from_date) AS start_date,
    LEAST(y.stop_date, b.below_date) AS stop_date
  FROM yearly AS y
  INNER JOIN band AS b ON y.person_id = b.person_id AND b.from_date < y.stop_date AND y.start_date < b.below_date
),
counted AS (
  SELECT
    p.exposure_rule,
    p.outcome_id,
    p.risk_drug_count,
    p.toruner_count,
    p.broad_count,
    p.age_band,
    p.sex,
    p.calendar_year,
    CAST(SUM(DATE_DIFF('day', p.start_date, p.stop_date)) AS BIGINT) AS person_days,
    COUNT(CASE WHEN p.start_date <= p.event_date AND p.event_date < p.stop_date THEN 1 END) AS event_count
  FROM piece AS p
  GROUP BY
    p.exposure_rule, p.outcome_id, p.risk_drug_count, p.toruner_count, p.broad_count, p.age_band, p.sex, p.calendar_year
),
laddered AS (
  SELECT
    c.exposure_rule, c.outcome_id, 'study_drugs' AS ladder, c.risk_drug_count AS rung, c.age_band, c.sex, c.calendar_year,
    c.person_days, c.event_count
  FROM counted AS c
  UNION ALL
  SELECT
    c.exposure_rule, c.outcome_id, 'toruner' AS ladder, c.toruner_count AS rung, c.age_band, c.sex, c.calendar_year,
    c.person_days, c.event_count
  FROM counted AS c
  UNION ALL
  SELECT
    c.exposure_rule, c.outcome_id, 'broad' AS ladder, c.broad_count AS rung, c.age_band, c.sex, c.calendar_year,
    c.person_days, c.event_count
  FROM counted AS c
)
SELECT
  l.exposure_rule,
  l.outcome_id,
  l.ladder,
  CASE l.rung WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END AS level,
  l.age_band,
  l.sex,
  l.calendar_year,
  CAST(SUM(l.person_days) AS BIGINT) AS person_days,
  CAST(SUM(l.event_count) AS BIGINT) AS event_count
FROM laddered AS l
GROUP BY
  l.exposure_rule, l.outcome_id, l.ladder, CASE l.rung WHEN 0 THEN '0' WHEN 1 THEN '1' ELSE '>=2' END, l.age_band, l.sex,
  l.calendar_year
