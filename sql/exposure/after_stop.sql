-- What follows a stop, looked for after_stop_days: the stopped drug again (restart; sooner than restart_after_days a
-- resumption), a study drug that is not of the regimen (switch; after switch_within_days another start), death, or nothing;
-- censored where observation ends before any of these and before the window does. The first of them is told; what it is called
-- changes no day.
-- remaining_regimen_id: study drugs whose use goes on over the day of the stop; not none after a combination is de-escalation.
-- grain: exposure_rule, person_id, regimen_id, episode_number
WITH stop AS (
  SELECT
    d.exposure_rule,
    d.person_id,
    d.regimen_id,
    d.episode_number,
    d.ending_date,
    d.stopped_drugs,
    d.ending_date + CAST(s.after_stop_days AS INTEGER) AS window_stop_date,
    s.restart_after_days,
    s.switch_within_days
  FROM exposure.discontinuation AS d
  INNER JOIN spec.exposure_rule AS s ON d.exposure_rule = s.exposure_rule
  WHERE d.ending = 'stopped'
),
study_episode AS (
  SELECT e.exposure_rule, e.person_id, e.drug_id, e.episode_number, e.start_date, e.stop_date
  FROM exposure.episode AS e
  INNER JOIN spec.drug AS d ON e.drug_id = d.drug_id
  WHERE d.role = 'study'
),
remaining AS (
  SELECT
    k.exposure_rule,
    k.person_id,
    k.regimen_id,
    k.episode_number,
    STRING_AGG(e.drug_id, '+' ORDER BY e.drug_id) AS remaining_regimen_id
  FROM stop AS k
  INNER JOIN study_episode AS e
    ON
      k.exposure_rule = e.exposure_rule
      AND k.person_id = e.person_id
      AND e.start_date < k.ending_date
      AND k.ending_date < e.stop_date
  GROUP BY k.exposure_rule, k.person_id, k.regimen_id, k.episode_number
),
begun AS (
  SELECT
    k.exposure_rule,
    k.person_id,
    k.regimen_id,
    k.episode_number,
    e.drug_id,
    e.start_date,
    CASE WHEN CONTAINS(CONCAT('+', k.stopped_drugs, '+'), CONCAT('+', e.drug_id, '+')) THEN 0 ELSE 1 END AS is_other_drug,
    DATE_DIFF('day', k.ending_date, e.start_date) AS begun_days,
    k.restart_after_days,
    k.switch_within_days
  FROM stop AS k
  INNER JOIN study_episode AS e
    ON
      k.exposure_rule = e.exposure_rule
      AND k.person_id = e.person_id
      AND k.ending_date <= e.start_date
      AND e.start_date < k.window_stop_date
      AND (
        CONTAINS(CONCAT('+', k.stopped_drugs, '+'), CONCAT('+', e.drug_id, '+'))
        OR NOT CONTAINS(CONCAT('+', k.regimen_id, '+'), CONCAT('+', e.drug_id, '+'))
      )
),
first_begun AS (
  SELECT
    b.exposure_rule,
    b.person_id,
    b.regimen_id,
    b.episode_number,
    b.drug_id,
    b.start_date,
    CASE
      WHEN b.is_other_drug = 0 AND b.begun_days < b.restart_after_days THEN 'resumption'
      WHEN b.is_other_drug = 0 THEN 'restart'
      WHEN b.begun_days < b.switch_within_days THEN 'switch'
      ELSE 'other_start'
    END AS next_event,
    ROW_NUMBER() OVER (
      PARTITION BY b.exposure_rule, b.person_id, b.regimen_id, b.episode_number ORDER BY b.start_date, b.is_other_drug, b.drug_id
    ) AS begun_number
  FROM begun AS b
),
followed AS (
  SELECT
    k.exposure_rule,
    k.person_id,
    k.regimen_id,
    k.episode_number,
    k.ending_date,
    k.stopped_drugs,
    COALESCE(r.remaining_regimen_id, 'none') AS remaining_regimen_id,
    f.next_event,
    f.drug_id AS next_drug_id,
    f.start_date AS begun_date,
    CASE WHEN d.death_date < k.window_stop_date THEN d.death_date END AS death_date,
    LEAST(k.window_stop_date, COALESCE(o.stop_date, k.ending_date)) AS followed_until_date,
    k.window_stop_date
  FROM stop AS k
  LEFT JOIN remaining AS r
    ON
      k.exposure_rule = r.exposure_rule
      AND k.person_id = r.person_id
      AND k.regimen_id = r.regimen_id
      AND k.episode_number = r.episode_number
  LEFT JOIN first_begun AS f
    ON
      k.exposure_rule = f.exposure_rule
      AND k.person_id = f.person_id
      AND k.regimen_id = f.regimen_id
      AND k.episode_number = f.episode_number
      AND f.begun_number = 1
  LEFT JOIN staged.death AS d ON k.person_id = d.person_id AND d.death_date >= k.ending_date
  LEFT JOIN staged.observation_period AS o
    ON k.person_id = o.person_id AND o.start_date < k.ending_date AND k.ending_date < o.stop_date
)
SELECT
  f.exposure_rule,
  f.person_id,
  f.regimen_id,
  f.episode_number,
  f.ending_date,
  f.stopped_drugs,
  f.remaining_regimen_id,
  CASE
    WHEN f.begun_date < f.followed_until_date THEN f.next_event
    WHEN f.death_date < f.followed_until_date THEN 'death'
    WHEN f.followed_until_date < f.window_stop_date THEN 'censored'
    ELSE 'none'
  END AS next_event,
  CASE WHEN f.begun_date < f.followed_until_date THEN f.next_drug_id END AS next_drug_id,
  DATE_DIFF('day', f.ending_date, CASE
    WHEN f.begun_date < f.followed_until_date THEN f.begun_date
    WHEN f.death_date < f.followed_until_date THEN f.death_date
    ELSE f.followed_until_date
  END) AS time_days
FROM followed AS f
