-- Continuous use of one drug: covers joined while the next begins at most gap_days after the last covered day.
-- The end is known when the day stop_date + gap_days is still observed without interruption; death before it ends the use.
-- Eras as delivered are joined only where they overlap or touch. A use shorter than min_episode_days does not count; one longer
-- than max_episode_days is cut there and censored.
-- grain: exposure_rule, person_id, drug_id, episode_number
WITH policy AS (
  SELECT
    g.exposure_rule,
    CAST(s.rule_number AS INTEGER) AS rule_number,
    h.handling_number,
    h.drug_id,
    g.gap_days,
    s.max_episode_days
  FROM spec.drug_policy AS g
  INNER JOIN spec.exposure_rule AS s ON g.exposure_rule = s.exposure_rule
  INNER JOIN exposure.handling AS h
    ON
      g.drug_id = h.drug_id
      AND g.overlap_handling = h.overlap_handling
      AND g.stockpile_cap_days = h.stockpile_cap_days
      AND g.dose_change = h.dose_change
      AND g.bridges_hospital_stays = h.bridges_hospital_stays
),
opening AS (
  SELECT
    g.rule_number,
    c.handling_number,
    c.person_id,
    c.start_date,
    c.covered_until,
    c.record_number,
    c.last_stop_date,
    c.record_count
  FROM exposure.coverage AS c
  INNER JOIN policy AS g ON c.handling_number = g.handling_number
  WHERE
    c.covered_until IS NULL
    OR DATE_DIFF('day', c.covered_until, c.start_date) > CASE WHEN c.is_era_level THEN 0 ELSE g.gap_days END
),
joined AS (
  SELECT
    o.rule_number,
    o.handling_number,
    o.person_id,
    o.start_date,
    ROW_NUMBER() OVER (PARTITION BY o.person_id, o.handling_number, o.rule_number ORDER BY o.start_date) AS use_number,
    LEAD(o.start_date) OVER (PARTITION BY o.person_id, o.handling_number, o.rule_number ORDER BY o.start_date) AS next_start_date,
    COALESCE(
      LEAD(o.covered_until) OVER (PARTITION BY o.person_id, o.handling_number, o.rule_number ORDER BY o.start_date),
      o.last_stop_date
    ) AS covered_until,
    COALESCE(
      LEAD(o.record_number) OVER (PARTITION BY o.person_id, o.handling_number, o.rule_number ORDER BY o.start_date),
      o.record_count + 1
    ) - o.record_number AS prescription_count
  FROM opening AS o
),
-- A rule under which every use counts numbers them once; under the others they are numbered again without the short ones.
counted AS (
  SELECT j.rule_number, j.handling_number, j.person_id, j.start_date, j.use_number, j.next_start_date, j.covered_until, j.prescription_count
  FROM joined AS j
  INNER JOIN spec.exposure_rule AS s ON j.rule_number = s.rule_number
  WHERE s.min_episode_days <= 1
  UNION ALL
  SELECT
    j.rule_number,
    j.handling_number,
    j.person_id,
    j.start_date,
    ROW_NUMBER() OVER (PARTITION BY j.person_id, j.handling_number, j.rule_number ORDER BY j.start_date) AS use_number,
    LEAD(j.start_date) OVER (PARTITION BY j.person_id, j.handling_number, j.rule_number ORDER BY j.start_date) AS next_start_date,
    j.covered_until,
    j.prescription_count
  FROM joined AS j
  INNER JOIN spec.exposure_rule AS s ON j.rule_number = s.rule_number
  WHERE s.min_episode_days > 1 AND DATE_DIFF('day', j.start_date, j.covered_until) >= s.min_episode_days
),
measured AS (
  SELECT
    g.exposure_rule,
    c.person_id,
    g.drug_id,
    c.use_number AS episode_number,
    c.start_date,
    LEAST(c.covered_until, COALESCE(c.start_date + CAST(g.max_episode_days AS INTEGER), c.covered_until)) AS stop_date,
    c.next_start_date,
    COALESCE(c.covered_until > c.start_date + CAST(g.max_episode_days AS INTEGER), FALSE) AS is_cut,
    g.gap_days,
    c.prescription_count
  FROM counted AS c
  INNER JOIN policy AS g ON c.rule_number = g.rule_number AND c.handling_number = g.handling_number
),
ended AS (
  SELECT
    m.exposure_rule,
    m.person_id,
    m.drug_id,
    m.episode_number,
    m.start_date,
    m.stop_date,
    m.next_start_date,
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
  e.next_start_date,
  e.prescription_count,
  e.ending = 'censored' AS is_censored,
  e.ending,
  CASE WHEN e.ending = 'death' THEN LEAST(e.stop_date, e.death_date + 1) ELSE e.stop_date END AS ending_date
FROM ended AS e
