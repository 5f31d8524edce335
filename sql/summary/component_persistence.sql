-- How long each drug of a first pair goes on from the first day of the pair, whatever becomes of the other, as counts of days to its stop
-- or death; censored where its end is not known, and at the end of the observed period or of the study. Pairs are those of
-- cohort.combination; two drugs begun on one day are both started_together.
-- grain: exposure_rule, regimen_id, component, time_days
WITH component AS (
  SELECT
    c.exposure_rule,
    c.regimen_id,
    c.person_id,
    c.start_date,
    e.drug_id,
    CASE
      WHEN c.first_drug_id = 'together' THEN 'started_together'
      WHEN c.first_drug_id = e.drug_id THEN 'first_started'
      ELSE 'second_started'
    END AS component,
    e.ending,
    e.ending_date,
    LEAST(o.stop_date, COALESCE(s.end_date + 1, o.stop_date)) AS latest_date
  FROM cohort.combination AS c
  INNER JOIN exposure.episode AS e
    ON
      c.exposure_rule = e.exposure_rule
      AND c.person_id = e.person_id
      AND CONTAINS(CONCAT('+', c.pair_id, '+'), CONCAT('+', e.drug_id, '+'))
      AND e.start_date <= c.start_date
      AND c.start_date < e.stop_date
  INNER JOIN staged.observation_period AS o
    ON c.person_id = o.person_id AND o.start_date <= c.start_date AND c.start_date < o.stop_date
  CROSS JOIN spec.study AS s
  WHERE c.population = 'first_episode'
),
followed AS (
  SELECT
    n.exposure_rule,
    n.regimen_id,
    n.component,
    DATE_DIFF('day', n.start_date, LEAST(n.ending_date, n.latest_date)) AS time_days,
    CASE WHEN n.ending <> 'censored' AND n.ending_date <= n.latest_date THEN 1 ELSE 0 END AS has_ended
  FROM component AS n
)
SELECT
  f.exposure_rule,
  f.regimen_id,
  f.component,
  f.time_days,
  CAST(SUM(f.has_ended) AS BIGINT) AS event_count,
  CAST(SUM(1 - f.has_ended) AS BIGINT) AS censored_count
FROM followed AS f
GROUP BY f.exposure_rule, f.regimen_id, f.component, f.time_days
