-- Persons, episodes, time and outcomes under each warned combination, by pair and over all its pairs, whose time is counted once. The
-- outcome none is the exposure itself. Outcomes are those on a covered day, first or not; what comes after the last covered day is not here.
-- grain: warning_id, pair_id, outcome_id
WITH part AS (
  SELECT w.warning_id, w.pair_id, w.person_id, w.start_date, w.stop_date, w.is_switch_overlap
  FROM care.warned_combination AS w
  UNION ALL
  SELECT w.warning_id, 'all' AS pair_id, w.person_id, w.start_date, w.stop_date, w.is_switch_overlap
  FROM care.warned_combination AS w
),
reached AS (
  SELECT
    p.warning_id,
    p.pair_id,
    p.person_id,
    p.start_date,
    p.stop_date,
    p.is_switch_overlap,
    MAX(p.stop_date) OVER (
      PARTITION BY p.warning_id, p.pair_id, p.person_id
      ORDER BY p.start_date, p.stop_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS until_date
  FROM part AS p
),
island AS (
  SELECT
    r.warning_id,
    r.pair_id,
    r.person_id,
    r.start_date,
    r.stop_date,
    r.is_switch_overlap,
    SUM(CASE WHEN r.until_date IS NULL OR r.until_date < r.start_date THEN 1 ELSE 0 END) OVER (
      PARTITION BY r.warning_id, r.pair_id, r.person_id
      ORDER BY r.start_date, r.stop_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS island_number
  FROM reached AS r
),
episode AS (
  SELECT
    i.warning_id,
    i.pair_id,
    i.person_id,
    i.island_number,
    MIN(i.start_date) AS start_date,
    MAX(i.stop_date) AS stop_date,
    MIN(CASE WHEN i.is_switch_overlap THEN 1 ELSE 0 END) AS switch_overlap
  FROM island AS i
  GROUP BY i.warning_id, i.pair_id, i.person_id, i.island_number
),
exposed AS (
  SELECT
    e.warning_id,
    e.pair_id,
    COUNT(DISTINCT e.person_id) AS person_count,
    COUNT(*) AS episode_count,
    SUM(e.switch_overlap) AS switch_overlap_count,
    SUM(DATE_DIFF('day', e.start_date, e.stop_date)) AS person_days
  FROM episode AS e
  GROUP BY e.warning_id, e.pair_id
),
event AS (
  SELECT e.warning_id, e.pair_id, o.outcome_id, COUNT(*) AS event_count, COUNT(DISTINCT e.person_id) AS event_person_count
  FROM episode AS e
  INNER JOIN cohort.outcome_event AS o
    ON e.person_id = o.person_id AND e.start_date <= o.event_date AND o.event_date < e.stop_date
  GROUP BY e.warning_id, e.pair_id, o.outcome_id
),
asked AS (
  SELECT 'none' AS outcome_id
  UNION ALL
  SELECT s.outcome_id
  FROM spec.outcome AS s
  WHERE NOT s.is_negative_control
)
SELECT
  x.warning_id,
  x.pair_id,
  a.outcome_id,
  x.person_count,
  x.episode_count,
  CAST(x.switch_overlap_count AS BIGINT) AS switch_overlap_count,
  CAST(x.person_days AS BIGINT) AS person_days,
  COALESCE(v.event_count, 0) AS event_count,
  COALESCE(v.event_person_count, 0) AS event_person_count
FROM exposed AS x
CROSS JOIN asked AS a
LEFT JOIN event AS v ON x.warning_id = v.warning_id AND x.pair_id = v.pair_id AND a.outcome_id = v.outcome_id
