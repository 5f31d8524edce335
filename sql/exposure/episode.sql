-- Continuous use of one drug: windows joined while the next begins at most gap_days after the last covered day so far.
-- The end is known when the day stop_date + gap_days is still observed without interruption; death before it ends the use.
-- Eras as delivered are joined only where they overlap or touch.
-- grain: exposure_rule, person_id, drug_id, episode_number
WITH placed AS (
  SELECT
    g.exposure_rule,
    w.person_id,
    w.drug_id,
    w.prescription_id,
    w.start_date,
    w.stop_date,
    g.gap_days,
    CASE WHEN w.is_era_level THEN 0 ELSE g.gap_days END AS joining_gap_days,
    MAX(w.stop_date) OVER (
      PARTITION BY g.exposure_rule, w.person_id, w.drug_id
      ORDER BY w.start_date, w.stop_date, w.prescription_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_until
  FROM exposure."window" AS w
  INNER JOIN spec.drug_policy AS g ON w.drug_id = g.drug_id
  WHERE w.stop_date IS NOT NULL
),
numbered AS (
  SELECT
    p.exposure_rule,
    p.person_id,
    p.drug_id,
    p.start_date,
    p.stop_date,
    p.gap_days,
    SUM(CASE
      WHEN p.covered_until IS NULL OR DATE_DIFF('day', p.covered_until, p.start_date) > p.joining_gap_days THEN 1
      ELSE 0
    END) OVER (
      PARTITION BY p.exposure_rule, p.person_id, p.drug_id
      ORDER BY p.start_date, p.stop_date, p.prescription_id
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS episode_number
  FROM placed AS p
),
joined AS (
  SELECT
    n.exposure_rule,
    n.person_id,
    n.drug_id,
    CAST(n.episode_number AS BIGINT) AS episode_number,
    MIN(n.start_date) AS start_date,
    MAX(n.stop_date) AS stop_date,
    MAX(n.stop_date) + CAST(MIN(n.gap_days) AS INTEGER) AS known_from_date,
    COUNT(*) AS prescription_count
  FROM numbered AS n
  GROUP BY n.exposure_rule, n.person_id, n.drug_id, n.episode_number
)
SELECT
  j.exposure_rule,
  j.person_id,
  j.drug_id,
  j.episode_number,
  j.start_date,
  j.stop_date,
  j.prescription_count,
  NOT COALESCE(d.death_date <= j.known_from_date, FALSE) AND o.person_id IS NULL AS is_censored,
  CASE
    WHEN d.death_date <= j.known_from_date THEN 'death'
    WHEN o.person_id IS NOT NULL THEN 'stopped'
    ELSE 'censored'
  END AS ending,
  CASE WHEN d.death_date <= j.known_from_date THEN LEAST(j.stop_date, d.death_date + 1) ELSE j.stop_date END AS ending_date
FROM joined AS j
LEFT JOIN staged.death AS d ON j.person_id = d.person_id
LEFT JOIN staged.observation_period AS o
  ON j.person_id = o.person_id AND o.start_date < j.stop_date AND o.stop_date > j.known_from_date
