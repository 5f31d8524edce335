-- Time on exactly one study drug, covered and with no other in its tail, from cohort entry until the first day on which two are covered
-- together. added_drug_id: the drug whose new use, the washout observed, ended that time by making it a pair: its stop_date is time zero of
-- the combination. drug_start_date: first day on which the drug was ever covered. Days of one drug on end are one row.
-- grain: exposure_rule, person_id, start_date
WITH first_pair AS (
  SELECT c.exposure_rule, c.person_id, MIN(c.start_date) AS pair_date
  FROM exposure.combination_episode AS c
  WHERE c.drug_count = 2
  GROUP BY c.exposure_rule, c.person_id
),
alone AS (
  SELECT
    i.exposure_rule,
    i.person_id,
    i.regimen_id AS drug_id,
    o.period_number,
    GREATEST(i.start_date, e.entry_date) AS start_date,
    LEAST(i.stop_date, COALESCE(s.end_date + 1, i.stop_date)) AS stop_date
  FROM exposure.combination_interval AS i
  INNER JOIN cohort.entry AS e ON i.exposure_rule = e.exposure_rule AND i.person_id = e.person_id
  INNER JOIN staged.observation_period AS o
    ON i.person_id = o.person_id AND o.start_date <= i.start_date AND i.stop_date <= o.stop_date
  LEFT JOIN first_pair AS f ON i.exposure_rule = f.exposure_rule AND i.person_id = f.person_id
  CROSS JOIN spec.study AS s
  WHERE
    i.drug_count = 1
    AND i.risk_drug_count = 1
    AND i.stop_date > e.entry_date
    AND i.start_date < COALESCE(f.pair_date, i.stop_date)
    AND i.start_date <= COALESCE(s.end_date, i.start_date)
),
compared AS (
  SELECT
    a.exposure_rule,
    a.person_id,
    a.drug_id,
    a.start_date,
    a.stop_date,
    CASE
      WHEN
        LAG(a.stop_date) OVER (PARTITION BY a.exposure_rule, a.person_id, a.drug_id, a.period_number ORDER BY a.start_date) = a.start_date
        THEN 0
      ELSE 1
    END AS is_first
  FROM alone AS a
),
numbered AS (
  SELECT
    c.exposure_rule,
    c.person_id,
    c.drug_id,
    c.start_date,
    c.stop_date,
    SUM(c.is_first) OVER (
      PARTITION BY c.exposure_rule, c.person_id, c.drug_id ORDER BY c.start_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS spell_number
  FROM compared AS c
),
spell AS (
  SELECT n.exposure_rule, n.person_id, n.drug_id, MIN(n.start_date) AS start_date, MAX(n.stop_date) AS stop_date
  FROM numbered AS n
  GROUP BY n.exposure_rule, n.person_id, n.drug_id, n.spell_number
),
first_use AS (
  SELECT e.exposure_rule, e.person_id, e.drug_id, MIN(e.start_date) AS drug_start_date
  FROM exposure.episode AS e
  GROUP BY e.exposure_rule, e.person_id, e.drug_id
),
added AS (
  SELECT f.exposure_rule, f.person_id, f.pair_date, MIN(n.drug_id) AS drug_id
  FROM first_pair AS f
  INNER JOIN exposure.initiation AS n
    ON f.exposure_rule = n.exposure_rule AND f.person_id = n.person_id AND f.pair_date = n.start_date AND n.is_new_use
  INNER JOIN spec.drug AS d ON n.drug_id = d.drug_id AND d.role = 'study'
  GROUP BY f.exposure_rule, f.person_id, f.pair_date
)
SELECT
  p.exposure_rule,
  p.person_id,
  p.drug_id,
  p.start_date,
  p.stop_date,
  u.drug_start_date,
  a.drug_id AS added_drug_id
FROM spell AS p
INNER JOIN first_use AS u ON p.exposure_rule = u.exposure_rule AND p.person_id = u.person_id AND p.drug_id = u.drug_id
INNER JOIN staged.observation_period AS o
  ON p.person_id = o.person_id AND o.start_date <= p.start_date AND p.stop_date <= o.stop_date
CROSS JOIN spec.study AS s
LEFT JOIN added AS a
  ON
    p.exposure_rule = a.exposure_rule
    AND p.person_id = a.person_id
    AND p.stop_date = a.pair_date
    AND p.drug_id <> a.drug_id
    AND p.stop_date < o.stop_date
    AND p.stop_date <= COALESCE(s.end_date, p.stop_date)
