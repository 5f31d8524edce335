-- Time that two or three study drugs are covered together, as maximal intervals; pairs and triples overlap and are never
-- summed. The ending is that of the component whose use ends first.
-- grain: exposure_rule, person_id, regimen_id, episode_number
WITH study_episode AS (
  SELECT e.exposure_rule, e.person_id, e.drug_id, e.start_date, e.stop_date, e.ending, e.ending_date
  FROM exposure.episode AS e
  INNER JOIN spec.drug AS d ON e.drug_id = d.drug_id
  WHERE d.role = 'study'
),
pair AS (
  SELECT
    a.exposure_rule,
    a.person_id,
    a.drug_id AS drug_a,
    b.drug_id AS drug_b,
    a.start_date AS start_a,
    b.start_date AS start_b,
    GREATEST(a.start_date, b.start_date) AS start_date,
    LEAST(a.stop_date, b.stop_date) AS stop_date
  FROM study_episode AS a
  INNER JOIN study_episode AS b
    ON
      a.exposure_rule = b.exposure_rule
      AND a.person_id = b.person_id
      AND a.drug_id < b.drug_id
      AND a.start_date < b.stop_date
      AND b.start_date < a.stop_date
),
combination AS (
  SELECT
    p.exposure_rule,
    p.person_id,
    CONCAT(p.drug_a, '+', p.drug_b) AS regimen_id,
    2 AS drug_count,
    p.start_date,
    p.stop_date,
    CASE WHEN p.start_a < p.start_b THEN p.drug_a WHEN p.start_b < p.start_a THEN p.drug_b ELSE 'together' END AS first_drug_id,
    DATE_DIFF('day', LEAST(p.start_a, p.start_b), GREATEST(p.start_a, p.start_b)) AS start_lag_days
  FROM pair AS p
  UNION ALL
  SELECT
    p.exposure_rule,
    p.person_id,
    CONCAT(p.drug_a, '+', p.drug_b, '+', c.drug_id) AS regimen_id,
    3 AS drug_count,
    GREATEST(p.start_date, c.start_date) AS start_date,
    LEAST(p.stop_date, c.stop_date) AS stop_date,
    CASE
      WHEN p.start_a < LEAST(p.start_b, c.start_date) THEN p.drug_a
      WHEN p.start_b < LEAST(p.start_a, c.start_date) THEN p.drug_b
      WHEN c.start_date < LEAST(p.start_a, p.start_b) THEN c.drug_id
      ELSE 'together'
    END AS first_drug_id,
    DATE_DIFF('day', LEAST(p.start_a, p.start_b, c.start_date), GREATEST(p.start_a, p.start_b, c.start_date)) AS start_lag_days
  FROM pair AS p
  INNER JOIN study_episode AS c
    ON
      p.exposure_rule = c.exposure_rule
      AND p.person_id = c.person_id
      AND p.drug_b < c.drug_id
      AND p.start_date < c.stop_date
      AND c.start_date < p.stop_date
),
ended AS (
  SELECT
    k.exposure_rule,
    k.person_id,
    k.regimen_id,
    k.drug_count,
    k.start_date,
    k.stop_date,
    k.first_drug_id, k.start_lag_days,
    MIN(e.ending_date) AS ending_date
  FROM combination AS k
  INNER JOIN study_episode AS e
    ON
      k.exposure_rule = e.exposure_rule
      AND k.person_id = e.person_id
      AND e.start_date <= k.start_date
      AND k.stop_date <= e.stop_date
      AND CONTAINS(CONCAT('+', k.regimen_id, '+'), CONCAT('+', e.drug_id, '+'))
  GROUP BY k.exposure_rule, k.person_id, k.regimen_id, k.drug_count, k.start_date, k.stop_date, k.first_drug_id, k.start_lag_days
),
decided AS (
  SELECT
    k.exposure_rule,
    k.person_id,
    k.regimen_id,
    k.drug_count,
    k.start_date,
    k.stop_date,
    k.first_drug_id, k.start_lag_days,
    k.ending_date,
    MAX(CASE WHEN e.ending = 'death' THEN 1 ELSE 0 END) AS has_death,
    MAX(CASE WHEN e.ending = 'stopped' THEN 1 ELSE 0 END) AS has_stop,
    STRING_AGG(CASE WHEN e.ending = 'stopped' THEN e.drug_id END, '+' ORDER BY e.drug_id) AS stopped_drugs
  FROM ended AS k
  INNER JOIN study_episode AS e
    ON
      k.exposure_rule = e.exposure_rule
      AND k.person_id = e.person_id
      AND e.start_date <= k.start_date
      AND k.stop_date <= e.stop_date
      AND e.ending_date = k.ending_date
      AND CONTAINS(CONCAT('+', k.regimen_id, '+'), CONCAT('+', e.drug_id, '+'))
  GROUP BY
    k.exposure_rule, k.person_id, k.regimen_id, k.drug_count, k.start_date, k.stop_date, k.first_drug_id, k.start_lag_days, k.ending_date
)
SELECT
  d.exposure_rule,
  d.person_id,
  d.regimen_id,
  ROW_NUMBER() OVER (PARTITION BY d.exposure_rule, d.person_id, d.regimen_id ORDER BY d.start_date, d.stop_date) AS episode_number,
  CAST(d.drug_count AS BIGINT) AS drug_count,
  d.start_date,
  d.stop_date,
  d.first_drug_id,
  d.start_lag_days,
  DATE_DIFF('day', d.start_date, d.stop_date) < r.min_overlap_days AS is_switch_overlap,
  d.has_death = 0 AND d.has_stop = 0 AS is_censored,
  CASE WHEN d.has_death = 1 THEN 'death' WHEN d.has_stop = 1 THEN 'stopped' ELSE 'censored' END AS ending,
  d.ending_date,
  CASE WHEN d.has_death = 0 THEN d.stopped_drugs END AS stopped_drugs
FROM decided AS d
INNER JOIN spec.exposure_rule AS r ON d.exposure_rule = r.exposure_rule
CROSS JOIN spec.study AS s
WHERE d.drug_count <= s.max_drugs
