-- Ladder counts of the members of matched sets without the courses of systemic corticosteroid begun within steroid_window_days
-- before the index date or on it, which may treat the first symptoms. The class still counts where an earlier course of it
-- is covered or in its risk tail on the day whose state is read. Primary exposure rule; no rows where the window is 0.
-- grain: exposure_rule, outcome_id, design, set_number, control_number
WITH member AS (
  SELECT
    m.exposure_rule,
    m.outcome_id,
    m.design,
    m.set_number,
    m.control_number,
    m.person_id,
    m.is_case,
    m.risk_drug_count,
    m.toruner_count,
    m.broad_count,
    m.index_date - CAST(s.steroid_window_days AS INTEGER) AS window_date,
    CASE
      WHEN m.design = 'toruner_replica' THEN m.index_date
      ELSE GREATEST(m.index_date - CAST(o.lag_days AS INTEGER), p.start_date)
    END AS state_date
  FROM cohort.matched_set AS m
  INNER JOIN spec.exposure_rule AS x ON m.exposure_rule = x.exposure_rule
  INNER JOIN spec.outcome AS o ON m.outcome_id = o.outcome_id AND NOT o.is_negative_control
  INNER JOIN staged.observation_period AS p
    ON m.person_id = p.person_id AND p.start_date <= m.index_date AND m.index_date < p.stop_date
  CROSS JOIN spec.study AS s
  WHERE x.is_primary AND s.steroid_window_days > 0
),
steroid_class AS (
  SELECT DISTINCT d.drug_class
  FROM spec.drug AS d
  WHERE d.agent_type = 'systemic_corticosteroid' AND d.role IN ('study', 'background')
),
course AS (
  SELECT
    e.exposure_rule,
    e.person_id,
    d.drug_class,
    d.counts_toruner,
    d.counts_broad,
    e.start_date,
    e.stop_date + CAST(GREATEST(g.gap_days, g.tail_days) AS INTEGER) AS risk_until
  FROM exposure.episode AS e
  INNER JOIN spec.drug AS d ON e.drug_id = d.drug_id
  INNER JOIN steroid_class AS c ON d.drug_class = c.drug_class
  INNER JOIN spec.drug_policy AS g ON e.exposure_rule = g.exposure_rule AND e.drug_id = g.drug_id
),
class_of_member AS (
  SELECT
    m.exposure_rule,
    m.outcome_id,
    m.design,
    m.set_number,
    m.control_number,
    c.drug_class,
    MAX(CASE WHEN c.counts_toruner THEN 1 ELSE 0 END) AS any_toruner,
    MAX(CASE WHEN c.counts_toruner AND c.start_date < m.window_date THEN 1 ELSE 0 END) AS old_toruner,
    MAX(CASE WHEN c.counts_broad THEN 1 ELSE 0 END) AS any_broad,
    MAX(CASE WHEN c.counts_broad AND c.start_date < m.window_date THEN 1 ELSE 0 END) AS old_broad
  FROM member AS m
  INNER JOIN course AS c
    ON
      m.exposure_rule = c.exposure_rule
      AND m.person_id = c.person_id
      AND c.start_date <= m.state_date
      AND m.state_date < c.risk_until
  GROUP BY m.exposure_rule, m.outcome_id, m.design, m.set_number, m.control_number, c.drug_class
),
removed AS (
  SELECT
    c.exposure_rule,
    c.outcome_id,
    c.design,
    c.set_number,
    c.control_number,
    CAST(SUM(c.any_toruner - c.old_toruner) AS BIGINT) AS toruner_count,
    CAST(SUM(c.any_broad - c.old_broad) AS BIGINT) AS broad_count
  FROM class_of_member AS c
  GROUP BY c.exposure_rule, c.outcome_id, c.design, c.set_number, c.control_number
)
SELECT
  m.exposure_rule,
  m.outcome_id,
  m.design,
  m.set_number,
  m.control_number,
  m.person_id,
  m.is_case,
  m.risk_drug_count,
  m.toruner_count - COALESCE(r.toruner_count, 0) AS toruner_count,
  m.broad_count - COALESCE(r.broad_count, 0) AS broad_count,
  COALESCE(r.toruner_count, 0) + COALESCE(r.broad_count, 0) > 0 AS is_changed
FROM member AS m
LEFT JOIN removed AS r
  ON
    m.exposure_rule = r.exposure_rule
    AND m.outcome_id = r.outcome_id
    AND m.design = r.design
    AND m.set_number = r.set_number
    AND m.control_number = r.control_number
