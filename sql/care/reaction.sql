-- Reactions attributed to administered doses: for each window, each reaction (anaphylaxis, hypersensitivity, infusion or injection
-- reaction) and each drug, the latest dose before it within the window. Where both times of day are known the window is of minutes, and
-- a reaction before the dose is not attributed to it. Where one is not known it is of calendar days, and the latency is not known,
-- never 0. A reaction whose day stands for a month or a year is left out, as is one with a diagnosis of another cause (food, a
-- transfusion) within a day of it. Doses of several drugs within the window: attributed to each, and is_shared.
-- grain: window_hours, person_id, outcome_id, event_number, drug_id
WITH onset AS (
  SELECT
    v.person_id,
    v.outcome_id,
    v.event_number,
    v.event_date,
    MIN(a.onset_minute) AS onset_minute
  FROM cohort.outcome_event AS v
  INNER JOIN spec.outcome AS o ON v.outcome_id = o.outcome_id AND o.is_reaction
  INNER JOIN cohort.outcome_record AS r
    ON v.person_id = r.person_id AND v.outcome_id = r.outcome_id AND v.event_date = r.record_date
  LEFT JOIN staged.adverse_event AS a ON r.record_table = 'adverse_event' AND r.record_id = a.adverse_event_id
  WHERE r.record_table <> 'adverse_event' OR a.is_onset_day_known
  GROUP BY v.person_id, v.outcome_id, v.event_number, v.event_date
),
other_cause AS (
  SELECT DISTINCT n.person_id, n.outcome_id, n.event_number
  FROM onset AS n
  INNER JOIN staged.condition AS c
    ON n.person_id = c.person_id AND n.event_date - 1 <= c.start_date AND c.start_date <= n.event_date + 1
  INNER JOIN spec.outcome_code AS k
    ON n.outcome_id = k.outcome_id AND c.code_system = k.vocabulary AND STARTS_WITH(c.code, k.code_prefix) AND k.is_exclusion
),
timed AS (
  SELECT
    n.person_id,
    n.outcome_id,
    n.event_number,
    n.event_date,
    a.drug_id,
    a.dose_date,
    a.dose_number,
    a.is_number_known,
    a.risk_regimen_id,
    DATE_DIFF('day', a.dose_date, n.event_date) AS day_count,
    1440 * DATE_DIFF('day', a.dose_date, n.event_date) + n.onset_minute - a.dose_minute AS latency_minutes
  FROM onset AS n
  INNER JOIN care.administration AS a ON n.person_id = a.person_id AND a.dose_date <= n.event_date
  INNER JOIN staged.observation_period AS o
    ON n.person_id = o.person_id AND o.start_date <= n.event_date AND n.event_date < o.stop_date
  LEFT JOIN other_cause AS x
    ON n.person_id = x.person_id AND n.outcome_id = x.outcome_id AND n.event_number = x.event_number
  WHERE x.person_id IS NULL
),
within AS (
  SELECT
    w.window_hours,
    t.person_id,
    t.outcome_id,
    t.event_number,
    t.event_date,
    t.drug_id,
    t.dose_date,
    t.dose_number,
    t.is_number_known,
    t.risk_regimen_id,
    t.latency_minutes,
    ROW_NUMBER() OVER (
      PARTITION BY w.window_hours, t.person_id, t.outcome_id, t.event_number, t.drug_id ORDER BY t.dose_date DESC
    ) AS choice
  FROM timed AS t
  CROSS JOIN spec.reaction_window AS w
  WHERE
    (t.latency_minutes >= 0 AND t.latency_minutes <= w.window_minutes)
    OR (t.latency_minutes IS NULL AND t.day_count <= w.window_days)
),
attributed AS (
  SELECT i.window_hours, i.person_id, i.outcome_id, i.event_number, COUNT(*) AS attributed_count
  FROM within AS i
  WHERE i.choice = 1
  GROUP BY i.window_hours, i.person_id, i.outcome_id, i.event_number
)
SELECT
  i.window_hours,
  i.person_id,
  i.outcome_id,
  i.event_number,
  i.event_date,
  i.drug_id,
  i.dose_date,
  i.dose_number,
  i.is_number_known,
  i.risk_regimen_id,
  i.latency_minutes,
  c.attributed_count > 1 AS is_shared
FROM within AS i
INNER JOIN attributed AS c
  ON
    i.window_hours = c.window_hours
    AND i.person_id = c.person_id
    AND i.outcome_id = c.outcome_id
    AND i.event_number = c.event_number
WHERE i.choice = 1
