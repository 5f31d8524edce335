-- Time on the first course of infliximab, from the first dose to the outcome, the end of use or of observed time, cut where the
-- immunomodulator or the systemic steroid covered 30 days before changes: one begun because of antibodies is not taken for their cause. antibody: of those who were
-- tested from the first dose on. loss_of_response: from day 98, when who is still treated is taken for a responder. An outcome on day e falls at e + 1.
-- grain: outcome_id, person_id, start_day
WITH used AS (
  SELECT e.person_id, e.drug_id, e.start_date, e.stop_date
  FROM exposure.episode AS e
  INNER JOIN spec.exposure_rule AS r ON e.exposure_rule = r.exposure_rule AND r.is_primary
),
course AS (
  SELECT g.person_id, g.dose_date AS first_date, LEAST(u.stop_date, o.stop_date) AS stop_date
  FROM care.given_dose AS g
  INNER JOIN used AS u ON g.person_id = u.person_id AND u.drug_id = g.drug_id AND u.start_date = g.dose_date
  INNER JOIN staged.observation_period AS o
    ON g.person_id = o.person_id AND o.start_date <= g.dose_date AND g.dose_date < o.stop_date
  WHERE g.drug_id = 'infliximab' AND g.dose_number = 1 AND g.is_numbered
),
followed AS (
  SELECT
    'antibody' AS outcome_id,
    c.person_id,
    c.first_date,
    0 AS entry_day,
    DATE_DIFF('day', c.first_date, LEAST(c.stop_date, COALESCE(a.first_positive_date + 1, c.stop_date))) AS exit_day,
    CASE WHEN a.first_positive_date < c.stop_date THEN 1 ELSE 0 END AS has_event
  FROM course AS c
  INNER JOIN care.antibody AS a ON c.person_id = a.person_id AND a.drug_id = 'infliximab'
  WHERE a.last_test_date >= c.first_date AND (a.first_positive_date IS NULL OR a.first_positive_date >= c.first_date)
  UNION ALL
  SELECT
    'loss_of_response' AS outcome_id,
    c.person_id,
    c.first_date,
    98 AS entry_day,
    DATE_DIFF('day', c.first_date, LEAST(c.stop_date, COALESCE(l.sign_date + 1, c.stop_date))) AS exit_day,
    CASE WHEN l.sign_date < c.stop_date THEN 1 ELSE 0 END AS has_event
  FROM course AS c
  LEFT JOIN care.loss_of_response AS l ON c.person_id = l.person_id
),
beside AS (
  SELECT
    f.outcome_id,
    f.person_id,
    CASE WHEN d.drug_class = 'glucocorticoid' THEN 'steroid' ELSE 'immunomodulator' END AS agent,
    DATE_DIFF('day', f.first_date, u.start_date) + 30 AS start_day,
    DATE_DIFF('day', f.first_date, u.stop_date) + 30 AS stop_day
  FROM followed AS f
  INNER JOIN used AS u ON f.person_id = u.person_id
  INNER JOIN spec.drug AS d ON u.drug_id = d.drug_id
  WHERE d.drug_class = 'glucocorticoid' OR d.agent_type = 'immunosuppressant'
),
cut AS (
  SELECT f.outcome_id, f.person_id, f.entry_day AS cut_day
  FROM followed AS f
  UNION DISTINCT
  SELECT b.outcome_id, b.person_id, b.start_day AS cut_day
  FROM beside AS b
  UNION DISTINCT
  SELECT b.outcome_id, b.person_id, b.stop_day AS cut_day
  FROM beside AS b
),
piece AS (
  SELECT
    f.outcome_id,
    f.person_id,
    c.cut_day AS start_day,
    COALESCE(LEAD(c.cut_day) OVER (PARTITION BY c.outcome_id, c.person_id ORDER BY c.cut_day), f.exit_day) AS stop_day,
    f.exit_day,
    f.has_event
  FROM followed AS f
  INNER JOIN cut AS c
    ON f.outcome_id = c.outcome_id AND f.person_id = c.person_id AND c.cut_day >= f.entry_day AND c.cut_day < f.exit_day
)
SELECT
  p.outcome_id,
  p.person_id,
  CAST(p.start_day AS BIGINT) AS start_day,
  CAST(p.stop_day AS BIGINT) AS stop_day,
  COALESCE(MAX(CASE WHEN b.agent = 'immunomodulator' THEN 1 ELSE 0 END), 0) = 1 AS has_immunomodulator,
  COALESCE(MAX(CASE WHEN b.agent = 'steroid' THEN 1 ELSE 0 END), 0) = 1 AS has_steroid,
  CAST(MAX(CASE WHEN p.stop_day = p.exit_day THEN p.has_event ELSE 0 END) AS BIGINT) AS event_count
FROM piece AS p
LEFT JOIN beside AS b
  ON p.outcome_id = b.outcome_id AND p.person_id = b.person_id AND b.start_day <= p.start_day AND p.start_day < b.stop_day
GROUP BY p.outcome_id, p.person_id, p.start_day, p.stop_day
