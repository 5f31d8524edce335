-- Reactions by the time from dose to onset, by window, in all and by drug; not known where one of the two times is not. In all a
-- reaction that several drugs share has the shortest of its times.
-- grain: outcome_id, window_hours, drug_id, latency_bin
WITH drug AS (
  SELECT DISTINCT CAST(a.drug_id AS VARCHAR) AS drug_id
  FROM care.administration AS a
  UNION DISTINCT
  SELECT 'all' AS drug_id
  FROM care.administration AS a
),
bin AS (
  SELECT b.latency_bin, b.over_minutes, b.up_to_minutes
  FROM reference.latency_bin AS b
  UNION ALL
  SELECT 'not known' AS latency_bin, CAST(NULL AS BIGINT) AS over_minutes, CAST(NULL AS BIGINT) AS up_to_minutes
),
timed AS (
  SELECT r.outcome_id, r.window_hours, r.person_id, r.event_number, CAST(r.drug_id AS VARCHAR) AS drug_id, r.latency_minutes
  FROM care.reaction AS r
  UNION ALL
  SELECT r.outcome_id, r.window_hours, r.person_id, r.event_number, 'all' AS drug_id, MIN(r.latency_minutes) AS latency_minutes
  FROM care.reaction AS r
  GROUP BY r.outcome_id, r.window_hours, r.person_id, r.event_number
),
binned AS (
  SELECT t.outcome_id, t.window_hours, t.drug_id, COALESCE(b.latency_bin, 'not known') AS latency_bin, COUNT(*) AS reaction_count
  FROM timed AS t
  LEFT JOIN reference.latency_bin AS b
    ON t.latency_minutes > b.over_minutes AND t.latency_minutes <= COALESCE(b.up_to_minutes, t.latency_minutes)
  GROUP BY t.outcome_id, t.window_hours, t.drug_id, COALESCE(b.latency_bin, 'not known')
)
SELECT
  o.outcome_id,
  w.window_hours,
  w.is_primary,
  d.drug_id,
  b.latency_bin,
  b.over_minutes,
  b.up_to_minutes,
  COALESCE(n.reaction_count, 0) AS reaction_count
FROM drug AS d
CROSS JOIN spec.outcome AS o
CROSS JOIN spec.reaction_window AS w
CROSS JOIN bin AS b
LEFT JOIN binned AS n
  ON
    o.outcome_id = n.outcome_id
    AND w.window_hours = n.window_hours
    AND d.drug_id = n.drug_id
    AND b.latency_bin = n.latency_bin
WHERE o.is_reaction
