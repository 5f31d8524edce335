-- Continuous use of one drug: covers joined while the next begins at most gap_days after the last covered day.
-- The end is known when the day stop_date + gap_days is still observed without interruption; death before it ends the use.
-- Eras as delivered are joined only where they overlap or touch. A use shorter than min_episode_days does not count; one longer
-- than max_episode_days is cut there and censored.
-- grain: exposure_rule, person_id, drug_id, episode_number
WITH placed AS (
  SELECT
    g.exposure_rule,
    c.person_id,
    c.drug_id,
    c.cover_number,
    c.start_date,
    c.stop_date,
    c.prescription_count,
    g.gap_days,
    CASE WHEN c.is_era_level THEN 0 ELSE g.gap_days END AS joining_gap_days,
    LAG(c.stop_date) OVER (PARTITION BY g.exposure_rule, c.person_id, c.drug_id ORDER BY c.cover_number) AS covered_until
  FROM exposure.coverage AS c
  INNER JOIN spec.drug_policy AS g
    ON
      c.drug_id = g.drug_id
      AND c.overlap_handling = g.overlap_handling
      AND c.stockpile_cap_days = g.stockpile_cap_days
),
numbered AS (
  SELECT
    p.exposure_rule,
    p.person_id,
    p.drug_id,
    p.start_date,
    p.stop_date,
    p.prescription_count,
    p.gap_days,
    SUM(CASE
      WHEN p.covered_until IS NULL OR DATE_DIFF('day', p.covered_until, p.start_date) > p.joining_gap_days THEN 1
      ELSE 0
    END) OVER (
      PARTITION BY p.exposure_rule, p.person_id, p.drug_id
      ORDER BY p.cover_number
      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS use_number
  FROM placed AS p
),
joined AS (
  SELECT
    n.exposure_rule,
    n.person_id,
    n.drug_id,
    n.use_number,
    MIN(n.start_date) AS start_date,
    MAX(n.stop_date) AS covered_until,
    MIN(n.gap_days) AS gap_days,
    CAST(SUM(n.prescription_count) AS BIGINT) AS prescription_count
  FROM numbered AS n
  GROUP BY n.exposure_rule, n.person_id, n.drug_id, n.use_number
),
measured AS (
  SELECT
    j.exposure_rule,
    j.person_id,
    j.drug_id,
    ROW_NUMBER() OVER (PARTITION BY j.exposure_rule, j.person_id, j.drug_id ORDER BY j.use_number) AS episode_number,
    j.start_date,
    LEAST(j.covered_until, COALESCE(j.start_date + CAST(s.max_episode_days AS INTEGER), j.covered_until)) AS stop_date,
    COALESCE(DATE_DIFF('day', j.start_date, j.covered_until) > s.max_episode_days, FALSE) AS is_cut,
    CAST(j.gap_days AS INTEGER) AS gap_days,
    j.prescription_count
  FROM joined AS j
  INNER JOIN spec.exposure_rule AS s ON j.exposure_rule = s.exposure_rule
  WHERE DATE_DIFF('day', j.start_date, j.covered_until) >= s.min_episode_days
),
ended AS (
  SELECT
    m.exposure_rule,
    m.person_id,
    m.drug_id,
    m.episode_number,
    m.start_date,
    m.stop_date,
    m.prescription_count,
    CASE
      WHEN m.is_cut AND COALESCE(d.death_date >= m.stop_date, TRUE) THEN 'censored'
      WHEN d.death_date <= m.stop_date + CAST(m.gap_days AS INTEGER) THEN 'death'
      WHEN o.person_id IS NOT NULL THEN 'stopped'
      ELSE 'censored'
    END AS ending,
    d.death_date
  FROM measured AS m
  LEFT JOIN staged.death AS d ON m.person_id = d.person_id
  LEFT JOIN staged.observation_period AS o
    ON
      m.person_id = o.person_id
      AND o.start_date < m.stop_date
      AND o.stop_date > m.stop_date + CAST(m.gap_days AS INTEGER)
)
SELECT
  e.exposure_rule,
  e.person_id,
  e.drug_id,
  e.episode_number,
  e.start_date,
  e.stop_date,
  e.prescription_count,
  e.ending = 'censored' AS is_censored,
  e.ending,
  CASE WHEN e.ending = 'death' THEN LEAST(e.stop_date, e.death_date + 1) ELSE e.stop_date END AS ending_date
FROM ended AS e
