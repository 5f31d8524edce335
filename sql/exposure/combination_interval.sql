-- Observed time of each person cut into maximal intervals with a constant set of drugs; together they are all of it.
-- regimen_id: study drugs covered. risk_regimen_id: study drugs covered or in their risk tail, which is never shorter than
-- the gap. The ladder counts are classes of study and background drugs, covered or in tail.
-- grain: exposure_rule, person_id, start_date
WITH risk_window AS (
  SELECT
    e.exposure_rule,
    e.person_id,
    e.drug_id,
    d.role = 'study' AS is_study,
    d.drug_class,
    d.counts_toruner,
    d.counts_broad,
    e.start_date,
    e.stop_date AS covered_until,
    LEAST(
      e.stop_date + CAST(GREATEST(g.gap_days, g.tail_days) AS INTEGER),
      COALESCE(
        LEAD(e.start_date) OVER (PARTITION BY e.exposure_rule, e.person_id, e.drug_id ORDER BY e.start_date, e.episode_number),
        DATE '9999-12-31'
      )
    ) AS risk_until
  FROM exposure.episode AS e
  INNER JOIN spec.drug AS d ON e.drug_id = d.drug_id
  INNER JOIN spec.drug_policy AS g ON e.exposure_rule = g.exposure_rule AND e.drug_id = g.drug_id
),
change AS (
  SELECT r.exposure_rule, r.person_id, r.start_date AS change_date FROM risk_window AS r
  UNION
  SELECT r.exposure_rule, r.person_id, r.covered_until AS change_date FROM risk_window AS r WHERE r.is_study
  UNION
  SELECT r.exposure_rule, r.person_id, r.risk_until AS change_date FROM risk_window AS r
),
point AS (
  SELECT s.exposure_rule, o.person_id, o.period_number, o.start_date AS point_date, o.stop_date AS period_stop_date
  FROM staged.observation_period AS o
  CROSS JOIN spec.exposure_rule AS s
  UNION
  SELECT c.exposure_rule, o.person_id, o.period_number, c.change_date AS point_date, o.stop_date AS period_stop_date
  FROM staged.observation_period AS o
  INNER JOIN change AS c ON o.person_id = c.person_id AND o.start_date < c.change_date AND c.change_date < o.stop_date
),
segment AS (
  SELECT
    p.exposure_rule,
    p.person_id,
    p.point_date AS start_date,
    COALESCE(
      LEAD(p.point_date) OVER (PARTITION BY p.exposure_rule, p.person_id, p.period_number ORDER BY p.point_date),
      p.period_stop_date
    ) AS stop_date
  FROM point AS p
),
state AS (
  SELECT
    s.exposure_rule,
    s.person_id,
    s.start_date,
    s.stop_date,
    COALESCE(STRING_AGG(CASE WHEN r.is_study AND s.start_date < r.covered_until THEN r.drug_id END, '+' ORDER BY r.drug_id), 'none')
      AS regimen_id,
    COALESCE(STRING_AGG(CASE WHEN r.is_study THEN r.drug_id END, '+' ORDER BY r.drug_id), 'none') AS risk_regimen_id,
    COUNT(CASE WHEN r.is_study AND s.start_date < r.covered_until THEN 1 END) AS drug_count,
    COUNT(CASE WHEN r.is_study THEN 1 END) AS risk_drug_count,
    COUNT(DISTINCT CASE WHEN r.counts_toruner THEN r.drug_class END) AS toruner_count,
    COUNT(DISTINCT CASE WHEN r.counts_broad THEN r.drug_class END) AS broad_count
  FROM segment AS s
  LEFT JOIN risk_window AS r
    ON
      s.exposure_rule = r.exposure_rule
      AND s.person_id = r.person_id
      AND r.start_date <= s.start_date
      AND s.start_date < r.risk_until
  GROUP BY s.exposure_rule, s.person_id, s.start_date, s.stop_date
),
compared AS (
  SELECT
    s.exposure_rule,
    s.person_id,
    s.start_date,
    s.stop_date,
    s.regimen_id,
    s.risk_regimen_id,
    s.drug_count,
    s.risk_drug_count,
    s.toruner_count,
    s.broad_count,
    CASE
      WHEN
        s.start_date = LAG(s.stop_date) OVER (PARTITION BY s.exposure_rule, s.person_id ORDER BY s.start_date)
        AND s.regimen_id = LAG(s.regimen_id) OVER (PARTITION BY s.exposure_rule, s.person_id ORDER BY s.start_date)
        AND s.risk_regimen_id = LAG(s.risk_regimen_id) OVER (PARTITION BY s.exposure_rule, s.person_id ORDER BY s.start_date)
        AND s.toruner_count = LAG(s.toruner_count) OVER (PARTITION BY s.exposure_rule, s.person_id ORDER BY s.start_date)
        AND s.broad_count = LAG(s.broad_count) OVER (PARTITION BY s.exposure_rule, s.person_id ORDER BY s.start_date)
        THEN 0
      ELSE 1
    END AS is_change
  FROM state AS s
),
numbered AS (
  SELECT
    c.exposure_rule,
    c.person_id,
    c.start_date,
    c.stop_date,
    c.regimen_id,
    c.risk_regimen_id,
    c.drug_count,
    c.risk_drug_count,
    c.toruner_count,
    c.broad_count,
    SUM(c.is_change) OVER (
      PARTITION BY c.exposure_rule, c.person_id ORDER BY c.start_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS interval_number
  FROM compared AS c
)
SELECT
  n.exposure_rule,
  n.person_id,
  MIN(n.start_date) AS start_date,
  MAX(n.stop_date) AS stop_date,
  n.regimen_id,
  n.risk_regimen_id,
  n.drug_count,
  n.risk_drug_count,
  n.toruner_count,
  n.broad_count
FROM numbered AS n
GROUP BY
  n.exposure_rule, n.person_id, n.interval_number, n.regimen_id, n.risk_regimen_id, n.drug_count, n.risk_drug_count,
  n.toruner_count, n.broad_count
