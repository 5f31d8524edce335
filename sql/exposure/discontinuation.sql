-- How each episode of a study drug and each combination ended, with the reason where a record gives one.
-- The reason is that of a stop record near the end, else of the prescription, else of an adverse event for which the drug
-- was withdrawn; where several are given the adverse event wins, then the nearest. An event for which another drug is
-- suspected explains nothing.
-- ending_kind: after a combination de_escalation where every other drug goes on; partly_known where the records of another end on
-- the same day and nobody knows whether it goes on. What follows a stop, a switch among it, is in exposure.after_stop.
-- grain: exposure_rule, person_id, regimen_id, episode_number
WITH ended AS (
  SELECT
    e.exposure_rule,
    e.person_id,
    e.drug_id AS regimen_id,
    e.episode_number,
    1 AS drug_count,
    CAST(NULL AS VARCHAR) AS first_drug_id,
    e.start_date,
    e.ending_date,
    e.ending,
    CASE WHEN e.ending = 'stopped' THEN e.drug_id END AS stopped_drugs
  FROM exposure.episode AS e
  INNER JOIN spec.drug AS d ON e.drug_id = d.drug_id
  WHERE d.role = 'study'
  UNION ALL
  SELECT
    c.exposure_rule, c.person_id, c.regimen_id, c.episode_number, c.drug_count, c.first_drug_id, c.start_date, c.ending_date, c.ending,
    c.stopped_drugs
  FROM exposure.combination_episode AS c
),
going_on AS (
  SELECT c.exposure_rule, c.person_id, c.regimen_id, c.episode_number, COUNT(*) AS drug_count
  FROM exposure.combination_episode AS c
  INNER JOIN exposure.episode AS e
    ON
      c.exposure_rule = e.exposure_rule
      AND c.person_id = e.person_id
      AND e.start_date < c.ending_date
      AND c.ending_date < e.stop_date
      AND CONTAINS(CONCAT('+', c.regimen_id, '+'), CONCAT('+', e.drug_id, '+'))
  WHERE c.ending = 'stopped'
  GROUP BY c.exposure_rule, c.person_id, c.regimen_id, c.episode_number
),
judged AS (
  SELECT
    e.exposure_rule,
    e.person_id,
    e.regimen_id,
    e.episode_number,
    e.drug_count,
    e.first_drug_id,
    e.start_date,
    e.ending_date,
    e.ending,
    e.stopped_drugs,
    LENGTH(e.stopped_drugs) - LENGTH(REPLACE(e.stopped_drugs, '+', '')) + 1 AS stopped_count,
    COALESCE(g.drug_count, 0) AS going_on_count
  FROM ended AS e
  LEFT JOIN going_on AS g
    ON
      e.exposure_rule = g.exposure_rule
      AND e.person_id = g.person_id
      AND e.regimen_id = g.regimen_id
      AND e.episode_number = g.episode_number
),
stop_record AS (
  SELECT d.person_id, d.drug_id, d.stop_date, d.reason, 1 AS preference, 'stop_record' AS reason_source
  FROM staged.discontinuation AS d
  WHERE d.reason <> 'unknown' AND d.drug_id IS NOT NULL
  UNION ALL
  SELECT w.person_id, w.drug_id, w.stop_date, COALESCE(r.reason, 'unmapped') AS reason, 2 AS preference, 'prescription' AS reason_source
  FROM staged.prescription AS p
  INNER JOIN exposure."window" AS w ON p.prescription_id = w.prescription_id
  LEFT JOIN reference.stop_reason AS r ON LOWER(p.stop_reason) = r.synonym
  WHERE p.stop_reason IS NOT NULL AND w.stop_date IS NOT NULL AND COALESCE(r.reason, 'unmapped') <> 'unknown'
),
candidate AS (
  SELECT
    e.exposure_rule, e.person_id, e.regimen_id, e.episode_number, s.reason, s.reason_source, s.preference,
    ABS(DATE_DIFF('day', s.stop_date, e.ending_date)) AS distance_days
  FROM ended AS e
  INNER JOIN stop_record AS s
    ON e.person_id = s.person_id AND CONTAINS(CONCAT('+', e.stopped_drugs, '+'), CONCAT('+', s.drug_id, '+'))
  CROSS JOIN spec.study AS k
  WHERE e.ending = 'stopped' AND ABS(DATE_DIFF('day', s.stop_date, e.ending_date)) <= k.stop_reason_window_days
  UNION ALL
  SELECT
    e.exposure_rule, e.person_id, e.regimen_id, e.episode_number, 'adverse_event' AS reason, 'adverse_event' AS reason_source,
    3 AS preference, DATE_DIFF('day', a.onset_date, e.ending_date) AS distance_days
  FROM ended AS e
  INNER JOIN staged.adverse_event AS a ON e.person_id = a.person_id
  CROSS JOIN spec.study AS k
  WHERE
    e.ending = 'stopped'
    AND (a.suspect_drug_id IS NULL OR CONTAINS(CONCAT('+', e.stopped_drugs, '+'), CONCAT('+', a.suspect_drug_id, '+')))
    AND a.action_taken IN ('drug withdrawn', 'withdrawn', '1')
    AND e.start_date <= a.onset_date
    AND a.onset_date <= e.ending_date
    AND DATE_DIFF('day', a.onset_date, e.ending_date) <= k.stop_reason_window_days
),
ranked AS (
  SELECT
    c.exposure_rule,
    c.person_id,
    c.regimen_id,
    c.episode_number,
    c.reason,
    c.reason_source,
    ROW_NUMBER() OVER (
      PARTITION BY c.exposure_rule, c.person_id, c.regimen_id, c.episode_number
      ORDER BY CASE WHEN c.reason = 'adverse_event' THEN 0 ELSE 1 END, c.preference, c.distance_days, c.reason
    ) AS candidate_number
  FROM candidate AS c
)
SELECT
  e.exposure_rule,
  e.person_id,
  e.regimen_id,
  e.episode_number,
  e.start_date,
  e.ending_date,
  e.ending,
  CASE
    WHEN e.ending <> 'stopped' THEN e.ending
    WHEN e.stopped_count = e.drug_count THEN 'all_stopped'
    WHEN e.stopped_count + e.going_on_count = e.drug_count THEN 'de_escalation'
    ELSE 'partly_known'
  END AS ending_kind,
  e.stopped_drugs,
  CASE
    WHEN e.ending <> 'stopped' OR e.drug_count = 1 THEN NULL
    WHEN e.stopped_count = e.drug_count THEN CASE WHEN e.drug_count = 2 THEN 'both' ELSE 'all' END
    WHEN e.first_drug_id = 'together' THEN 'started_together'
    WHEN e.stopped_drugs = e.first_drug_id THEN 'first_started'
    WHEN CONTAINS(CONCAT('+', e.stopped_drugs, '+'), CONCAT('+', e.first_drug_id, '+')) THEN 'first_and_later'
    WHEN e.drug_count = 2 THEN 'second_started'
    ELSE 'later_started'
  END AS stopped_component,
  CASE e.ending WHEN 'stopped' THEN COALESCE(r.reason, 'unknown') WHEN 'death' THEN 'death' END AS reason,
  CASE e.ending WHEN 'stopped' THEN COALESCE(r.reason_source, 'none') WHEN 'death' THEN 'death_record' END AS reason_source
FROM judged AS e
LEFT JOIN ranked AS r
  ON
    e.exposure_rule = r.exposure_rule
    AND e.person_id = r.person_id
    AND e.regimen_id = r.regimen_id
    AND e.episode_number = r.episode_number
    AND r.candidate_number = 1
