-- Symptom scores of those who get omalizumab, in instruments that the reference knows; of several on a day the mean.
-- day: from the day of the first dose.
-- grain: person_id, instrument_id, score_date
SELECT
  s.person_id,
  s.instrument_id,
  s.score_date,
  DATE_DIFF('day', p.first_date, s.score_date) AS day,
  MIN(s.better) AS better,
  AVG(s.score) AS score
FROM staged.symptom_score AS s
INNER JOIN pkpd.person AS p ON s.person_id = p.person_id
WHERE s.instrument_id IS NOT NULL AND s.score IS NOT NULL
GROUP BY s.person_id, s.instrument_id, s.score_date, p.first_date
