-- Observed time under combinations that labels or rules warn of: the days on which both drugs of a pair are covered, by the primary rule. A
-- pair may fall under several warnings; warnings are not summed.
-- grain: warning_id, person_id, pair_id, start_date
WITH member AS (
  SELECT DISTINCT m.warning_id, m.side, d.drug_id, d.drug_class
  FROM reference.combination_warning_member AS m
  INNER JOIN spec.drug AS d
    ON
      (m.matched_by = 'drug_id' AND d.drug_id = m.matched_value)
      OR (m.matched_by = 'drug_class' AND d.drug_class = m.matched_value)
      OR (m.matched_by = 'agent_type' AND d.agent_type = m.matched_value)
),
pair AS (
  SELECT DISTINCT
    w.warning_id,
    LEAST(CAST(a.drug_id AS VARCHAR), CAST(b.drug_id AS VARCHAR)) AS first_id,
    GREATEST(CAST(a.drug_id AS VARCHAR), CAST(b.drug_id AS VARCHAR)) AS second_id
  FROM reference.combination_warning AS w
  INNER JOIN member AS a ON w.warning_id = a.warning_id AND a.side = 1
  INNER JOIN member AS b ON w.warning_id = b.warning_id AND b.side = 2 AND a.drug_id <> b.drug_id
  WHERE w.is_same_class = 0 OR a.drug_class = b.drug_class
),
used AS (
  SELECT e.person_id, e.drug_id, e.start_date, e.stop_date, r.min_overlap_days
  FROM exposure.episode AS e
  INNER JOIN spec.exposure_rule AS r ON e.exposure_rule = r.exposure_rule AND r.is_primary
),
together AS (
  SELECT
    p.warning_id,
    a.person_id,
    CONCAT(p.first_id, '+', p.second_id) AS pair_id,
    GREATEST(a.start_date, b.start_date) AS start_date,
    LEAST(a.stop_date, b.stop_date) AS stop_date,
    a.min_overlap_days
  FROM pair AS p
  INNER JOIN used AS a ON p.first_id = a.drug_id
  INNER JOIN used AS b
    ON p.second_id = b.drug_id AND a.person_id = b.person_id AND a.start_date < b.stop_date AND b.start_date < a.stop_date
)
SELECT
  t.warning_id,
  t.person_id,
  t.pair_id,
  GREATEST(t.start_date, o.start_date) AS start_date,
  LEAST(t.stop_date, o.stop_date) AS stop_date,
  DATE_DIFF('day', t.start_date, t.stop_date) < t.min_overlap_days AS is_switch_overlap
FROM together AS t
INNER JOIN staged.observation_period AS o
  ON t.person_id = o.person_id AND t.start_date < o.stop_date AND o.start_date < t.stop_date
