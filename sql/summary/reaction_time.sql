-- First reactions attributed to a drug and the time at risk of them: from the first administered dose to the reaction, the days on
-- which the drug is covered or in tail, in all and by the study drugs covered or in tail. Primary window and exposure rule.
-- grain: outcome_id, drug_id, regimen_id
WITH first_dose AS (
  SELECT a.person_id, a.drug_id, MIN(a.dose_date) AS first_date
  FROM care.administration AS a
  GROUP BY a.person_id, a.drug_id
),
first_reaction AS (
  SELECT r.person_id, r.outcome_id, r.drug_id, MIN(r.event_date) AS event_date
  FROM care.reaction AS r
  INNER JOIN spec.reaction_window AS w ON r.window_hours = w.window_hours AND w.is_primary
  GROUP BY r.person_id, r.outcome_id, r.drug_id
),
followed AS (
  SELECT
    o.outcome_id,
    f.person_id,
    CAST(f.drug_id AS VARCHAR) AS drug_id,
    i.risk_regimen_id,
    GREATEST(i.start_date, f.first_date) AS start_date,
    LEAST(i.stop_date, COALESCE(s.end_date + 1, i.stop_date), COALESCE(r.event_date + 1, i.stop_date)) AS stop_date,
    r.event_date
  FROM first_dose AS f
  CROSS JOIN spec.outcome AS o
  CROSS JOIN spec.study AS s
  INNER JOIN spec.exposure_rule AS x ON x.is_primary
  INNER JOIN exposure.combination_interval AS i
    ON
      x.exposure_rule = i.exposure_rule
      AND f.person_id = i.person_id
      AND f.first_date < i.stop_date
      AND CONTAINS(CONCAT('+', i.risk_regimen_id, '+'), CONCAT('+', CAST(f.drug_id AS VARCHAR), '+'))
  LEFT JOIN first_reaction AS r ON f.person_id = r.person_id AND o.outcome_id = r.outcome_id AND f.drug_id = r.drug_id
  WHERE o.is_reaction
),
held AS (
  SELECT
    f.outcome_id,
    f.person_id,
    f.drug_id,
    f.risk_regimen_id,
    DATE_DIFF('day', f.start_date, f.stop_date) AS day_count,
    CASE WHEN f.start_date <= f.event_date AND f.event_date < f.stop_date THEN 1 ELSE 0 END AS event_count
  FROM followed AS f
  WHERE f.start_date < f.stop_date
),
cut AS (
  SELECT h.outcome_id, h.person_id, h.drug_id, 'all' AS regimen_id, h.day_count, h.event_count
  FROM held AS h
  UNION ALL
  SELECT h.outcome_id, h.person_id, h.drug_id, h.risk_regimen_id AS regimen_id, h.day_count, h.event_count
  FROM held AS h
)
SELECT
  c.outcome_id,
  c.drug_id,
  c.regimen_id,
  COUNT(DISTINCT c.person_id) AS person_count,
  CAST(SUM(c.day_count) AS BIGINT) AS person_days,
  CAST(SUM(c.event_count) AS BIGINT) AS event_count
FROM cut AS c
GROUP BY c.outcome_id, c.drug_id, c.regimen_id
