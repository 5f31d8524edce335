-- Observed time on each set of study drugs by age band, sex and calendar year: each interval is cut at 1 January and at the
-- birthdays that begin an age band, and the pieces are added up without being kept.
-- start_count: times that the set begins, which is a change of the set or the first day of an observed period.
-- grain: exposure_rule, regimen_id, age_band, sex, calendar_year
WITH preceded AS (
  SELECT
    i.exposure_rule,
    i.person_id,
    i.regimen_id,
    i.start_date,
    i.stop_date,
    LAG(i.regimen_id) OVER (PARTITION BY i.exposure_rule, i.person_id ORDER BY i.start_date) AS previous_regimen_id,
    LAG(i.stop_date) OVER (PARTITION BY i.exposure_rule, i.person_id ORDER BY i.start_date) AS previous_stop_date
  FROM exposure.combination_interval AS i
),
yearly AS (
  SELECT
    i.exposure_rule,
    i.person_id,
    i.regimen_id,
    k.calendar_year,
    CASE WHEN i.previous_regimen_id = i.regimen_id AND i.previous_stop_date = i.start_date THEN NULL ELSE i.start_date END AS begun_date,
    GREATEST(i.start_date, MAKE_DATE(CAST(k.calendar_year AS INTEGER), 1, 1)) AS start_date,
    LEAST(i.stop_date, MAKE_DATE(CAST(k.calendar_year + 1 AS INTEGER), 1, 1)) AS stop_date
  FROM preceded AS i
  CROSS JOIN UNNEST(GENERATE_SERIES(YEAR(i.start_date), YEAR(i.stop_date - 1))) AS k (calendar_year)
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
)
SELECT
  y.exposure_rule,
  y.regimen_id,
  b.age_band,
  b.sex,
  y.calendar_year,
  COUNT(DISTINCT y.person_id) AS person_count,
  COUNT(CASE WHEN y.begun_date = GREATEST(y.start_date, b.from_date) THEN 1 END) AS start_count,
  CAST(SUM(DATE_DIFF('day', GREATEST(y.start_date, b.from_date), LEAST(y.stop_date, b.below_date))) AS BIGINT) AS person_days
FROM yearly AS y
INNER JOIN band AS b ON y.person_id = b.person_id AND b.from_date < y.stop_date AND y.start_date < b.below_date
GROUP BY y.exposure_rule, y.regimen_id, b.age_band, b.sex, y.calendar_year
