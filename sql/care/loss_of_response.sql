-- First sign of secondary loss of response to infliximab, of everybody who is treated for long enough to be taken for a primary
-- responder: 98 days after the first dose or later, and in use that day. A sign: a dose raised by a quarter or more, an interval
-- shorter than 49 days after one that was not, a systemic steroid begun, or a score worse by the least important difference than the best of day 56 to 98.
-- grain: person_id
WITH dosed AS (
  SELECT
    g.person_id,
    g.dose_date,
    g.course_dose_number,
    g.dose_mg,
    DATE_DIFF('day', g.previous_date, g.dose_date) AS interval_days,
    LAG(g.dose_mg) OVER (PARTITION BY g.person_id ORDER BY g.dose_date) AS previous_mg,
    DATE_DIFF('day', LAG(g.previous_date) OVER (PARTITION BY g.person_id ORDER BY g.dose_date), g.previous_date) AS previous_interval_days
  FROM care.given_dose AS g
  WHERE g.drug_id = 'infliximab' AND g.record_type <> 'order' AND NOT g.is_subcutaneous
),
started AS (
  SELECT g.person_id, g.dose_date AS first_date
  FROM care.given_dose AS g
  WHERE g.drug_id = 'infliximab' AND g.dose_number = 1 AND g.is_numbered
),
in_use AS (
  SELECT s.person_id, s.first_date, e.start_date, e.stop_date
  FROM started AS s
  INNER JOIN exposure.episode AS e ON s.person_id = e.person_id AND e.drug_id = 'infliximab'
  INNER JOIN spec.exposure_rule AS r ON e.exposure_rule = r.exposure_rule AND r.is_primary
),
best AS (
  SELECT
    s.person_id,
    x.instrument_id,
    MAX(CASE WHEN x.better = 'higher' THEN x.score ELSE -x.score END) AS best_score
  FROM started AS s
  INNER JOIN staged.symptom_score AS x
    ON s.person_id = x.person_id AND x.score_date >= s.first_date + 56 AND x.score_date <= s.first_date + 98
  WHERE x.instrument_id IS NOT NULL
  GROUP BY s.person_id, x.instrument_id
),
sign AS (
  SELECT d.person_id, d.dose_date AS sign_date, 'a dose raised by a quarter or more' AS sign
  FROM dosed AS d
  WHERE d.course_dose_number >= 4 AND d.dose_mg >= 1.25 * d.previous_mg
  UNION ALL
  SELECT d.person_id, d.dose_date AS sign_date, 'b interval shorter than 49 days' AS sign
  FROM dosed AS d
  WHERE d.course_dose_number >= 5 AND d.interval_days < 49 AND d.previous_interval_days >= 49
  UNION ALL
  SELECT e.person_id, e.start_date AS sign_date, 'c systemic steroid begun' AS sign
  FROM exposure.episode AS e
  INNER JOIN spec.exposure_rule AS r ON e.exposure_rule = r.exposure_rule AND r.is_primary
  INNER JOIN spec.drug AS d ON e.drug_id = d.drug_id AND d.drug_class = 'glucocorticoid'
  UNION ALL
  SELECT b.person_id, x.score_date AS sign_date, 'd score worse than the best of day 56 to 98' AS sign
  FROM best AS b
  INNER JOIN staged.symptom_score AS x ON b.person_id = x.person_id AND b.instrument_id = x.instrument_id
  INNER JOIN reference.instrument AS i ON b.instrument_id = i.instrument_id
  WHERE b.best_score - CASE WHEN x.better = 'higher' THEN x.score ELSE -x.score END >= i.mcid
),
placed AS (
  SELECT
    s.person_id,
    s.sign_date,
    s.sign,
    ROW_NUMBER() OVER (PARTITION BY s.person_id ORDER BY s.sign_date, s.sign) AS choice
  FROM sign AS s
  INNER JOIN in_use AS u
    ON s.person_id = u.person_id AND u.start_date <= s.sign_date AND s.sign_date < u.stop_date AND s.sign_date >= u.first_date + 98
)
SELECT p.person_id, p.sign_date, SUBSTR(p.sign, 3) AS sign
FROM placed AS p
WHERE p.choice = 1
