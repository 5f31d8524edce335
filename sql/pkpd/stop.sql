-- The first stop of omalizumab of each person: a dose that none follows for stop_days of observed time, what follows it, and why it was.
-- until_date: the first of a restart, another biologic that was not in use before, death, the end of observation and the end of
-- follow-up; of several on a day the first in this order. A stop that observation does not show for stop_days is none.
-- reason: of the episode that holds the dose, under the primary rule; NULL where nothing says.
-- grain: person_id
WITH dose AS (
  SELECT
    d.person_id,
    d.dose_date,
    LEAD(d.dose_date) OVER (PARTITION BY d.person_id ORDER BY d.dose_date) AS next_date
  FROM pkpd.dose AS d
),
shown AS (
  SELECT
    d.person_id,
    MIN(d.dose_date) AS last_dose_date
  FROM dose AS d
  INNER JOIN pkpd.person AS p ON d.person_id = p.person_id
  CROSS JOIN spec.pkpd AS s
  WHERE
    (d.next_date IS NULL OR DATE_DIFF('day', d.dose_date, d.next_date) > s.stop_days)
    AND DATE_DIFF('day', d.dose_date, p.observed_stop_date) > s.stop_days
  GROUP BY d.person_id
),
restarted AS (
  SELECT s.person_id, MIN(d.dose_date) AS restart_date
  FROM shown AS s
  INNER JOIN pkpd.dose AS d ON s.person_id = d.person_id AND d.dose_date > s.last_dose_date
  GROUP BY s.person_id
),
begun AS (
  SELECT w.person_id, w.drug_id, MIN(w.start_date) AS begin_date
  FROM exposure."window" AS w
  INNER JOIN spec.drug AS d ON w.drug_id = d.drug_id
  WHERE d.is_biologic AND d.role = 'study' AND w.drug_id <> 'omalizumab'
  GROUP BY w.person_id, w.drug_id
),
switched AS (
  SELECT s.person_id, MIN(b.begin_date) AS switch_date
  FROM shown AS s
  INNER JOIN begun AS b ON s.person_id = b.person_id AND b.begin_date > s.last_dose_date
  GROUP BY s.person_id
),
told AS (
  SELECT
    s.person_id,
    e.reason,
    ROW_NUMBER() OVER (PARTITION BY s.person_id ORDER BY e.start_date DESC, e.episode_number DESC) AS choice
  FROM shown AS s
  INNER JOIN exposure.discontinuation AS e
    ON s.person_id = e.person_id AND e.regimen_id = 'omalizumab' AND e.start_date <= s.last_dose_date AND s.last_dose_date < e.ending_date
  INNER JOIN spec.exposure_rule AS r ON e.exposure_rule = r.exposure_rule
  WHERE r.is_primary
),
dated AS (
  SELECT
    s.person_id,
    p.first_date,
    s.last_dose_date,
    r.restart_date,
    w.switch_date,
    x.death_date,
    p.observed_stop_date,
    s.last_dose_date + CAST(c.follow_up_days AS INTEGER) AS follow_up_date,
    t.reason
  FROM shown AS s
  INNER JOIN pkpd.person AS p ON s.person_id = p.person_id
  CROSS JOIN spec.pkpd AS c
  LEFT JOIN restarted AS r ON s.person_id = r.person_id
  LEFT JOIN switched AS w ON s.person_id = w.person_id
  LEFT JOIN staged.death AS x ON s.person_id = x.person_id AND x.death_date > s.last_dose_date
  LEFT JOIN told AS t ON s.person_id = t.person_id AND t.choice = 1
),
ended AS (
  SELECT
    d.person_id,
    d.first_date,
    d.last_dose_date,
    d.restart_date,
    d.switch_date,
    d.death_date,
    d.observed_stop_date,
    d.follow_up_date,
    d.reason,
    LEAST(
      COALESCE(d.restart_date, d.follow_up_date),
      COALESCE(d.switch_date, d.follow_up_date),
      COALESCE(d.death_date, d.follow_up_date),
      d.observed_stop_date - 1,
      d.follow_up_date
    ) AS until_date
  FROM dated AS d
)
SELECT
  e.person_id,
  e.last_dose_date,
  DATE_DIFF('day', e.first_date, e.last_dose_date) AS last_dose_day,
  DATE_DIFF('day', e.first_date, e.until_date) AS until_day,
  CASE
    WHEN e.until_date = e.restart_date THEN 'restart'
    WHEN e.until_date = e.switch_date THEN 'switch'
    WHEN e.until_date = e.death_date THEN 'death'
    WHEN e.until_date = e.observed_stop_date - 1 THEN 'end_of_observation'
    ELSE 'end_of_follow_up'
  END AS ending,
  e.reason
FROM ended AS e
