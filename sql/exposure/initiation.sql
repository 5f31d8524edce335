-- How each use of a drug began: as a new use, or not. A use is new when its first day and every day of the washout before it
-- are observed and no earlier use covers a day of the washout. A use after one that was cut at max_episode_days is never new,
-- for nobody knows when that one ended. cohort.entry tells instead whether a person is new to all study drugs.
-- grain: exposure_rule, person_id, drug_id, episode_number
WITH followed AS (
  SELECT
    e.exposure_rule,
    e.person_id,
    e.drug_id,
    e.episode_number,
    e.start_date,
    LAG(e.stop_date) OVER (PARTITION BY e.exposure_rule, e.person_id, e.drug_id ORDER BY e.episode_number) AS used_until,
    LAG(CASE
      WHEN e.ending = 'censored' AND DATE_DIFF('day', e.start_date, e.stop_date) = s.max_episode_days THEN 1
      ELSE 0
    END) OVER (PARTITION BY e.exposure_rule, e.person_id, e.drug_id ORDER BY e.episode_number) AS is_cut_before
  FROM exposure.episode AS e
  INNER JOIN spec.exposure_rule AS s ON e.exposure_rule = s.exposure_rule
),
looked_back AS (
  SELECT
    f.exposure_rule,
    f.person_id,
    f.drug_id,
    f.episode_number,
    f.start_date,
    g.washout_days,
    DATE_DIFF('day', o.start_date, f.start_date) AS observed_days,
    DATE_DIFF('day', f.used_until, f.start_date) AS free_days,
    COALESCE(f.is_cut_before, 0) = 1 AS is_cut_before
  FROM followed AS f
  INNER JOIN spec.drug_policy AS g ON f.exposure_rule = g.exposure_rule AND f.drug_id = g.drug_id
  LEFT JOIN staged.observation_period AS o
    ON f.person_id = o.person_id AND o.start_date <= f.start_date AND f.start_date < o.stop_date
)
SELECT
  b.exposure_rule,
  b.person_id,
  b.drug_id,
  b.episode_number,
  b.start_date,
  b.washout_days,
  b.observed_days,
  b.free_days,
  COALESCE(b.observed_days >= b.washout_days, FALSE)
  AND COALESCE(b.free_days >= b.washout_days, TRUE)
  AND NOT b.is_cut_before AS is_new_use
FROM looked_back AS b
