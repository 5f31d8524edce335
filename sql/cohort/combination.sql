-- The first pair episode of each person, over all pairs and of each pair, followed as treated inside the observed period that
-- holds its first day. entry_days: the day the person enters the risk set; for the population that reached the minimum overlap
-- it is that day.
-- grain: exposure_rule, population, regimen_id, person_id
WITH observed AS (
  SELECT
    c.exposure_rule,
    c.person_id,
    c.regimen_id,
    c.start_date,
    c.ending,
    c.ending_date,
    c.stopped_drugs,
    x.stopped_component,
    c.first_drug_id,
    c.is_switch_overlap,
    x.reason,
    x.reason_source,
    o.stop_date AS period_stop_date,
    r.min_overlap_days,
    ROW_NUMBER() OVER (
      PARTITION BY c.exposure_rule, c.person_id ORDER BY c.start_date, c.regimen_id, c.episode_number
    ) AS overall_number
  FROM exposure.combination_episode AS c
  INNER JOIN staged.observation_period AS o
    ON c.person_id = o.person_id AND o.start_date <= c.start_date AND c.start_date < o.stop_date
  INNER JOIN exposure.discontinuation AS x
    ON
      c.exposure_rule = x.exposure_rule
      AND c.person_id = x.person_id
      AND c.regimen_id = x.regimen_id
      AND c.episode_number = x.episode_number
  INNER JOIN spec.exposure_rule AS r ON c.exposure_rule = r.exposure_rule
  CROSS JOIN spec.study AS s
  WHERE
    c.drug_count = 2
    AND c.start_date < c.ending_date
    AND c.start_date >= COALESCE(s.start_date, c.start_date)
    AND c.start_date <= COALESCE(s.end_date, c.start_date)
),
chosen AS (
  SELECT
    o.exposure_rule, 'all' AS regimen_id, o.regimen_id AS pair_id, o.person_id, o.start_date, o.ending, o.ending_date,
    o.stopped_drugs, o.stopped_component, o.first_drug_id, o.is_switch_overlap, o.reason, o.reason_source, o.period_stop_date, o.min_overlap_days
  FROM observed AS o
  WHERE o.overall_number = 1
  UNION ALL
  SELECT
    o.exposure_rule, o.regimen_id, o.regimen_id AS pair_id, o.person_id, o.start_date, o.ending, o.ending_date,
    o.stopped_drugs, o.stopped_component, o.first_drug_id, o.is_switch_overlap, o.reason, o.reason_source, o.period_stop_date, o.min_overlap_days
  FROM observed AS o
  QUALIFY ROW_NUMBER() OVER (PARTITION BY o.exposure_rule, o.person_id, o.regimen_id ORDER BY o.start_date, o.overall_number) = 1
),
followed AS (
  SELECT
    c.exposure_rule,
    c.regimen_id,
    c.pair_id,
    c.person_id,
    c.start_date,
    c.first_drug_id,
    c.is_switch_overlap,
    c.min_overlap_days,
    LEAST(c.ending_date, c.period_stop_date, COALESCE(s.end_date + 1, c.ending_date)) AS stop_date,
    CASE
      WHEN c.ending_date <= LEAST(c.period_stop_date, COALESCE(s.end_date + 1, c.ending_date)) THEN c.ending
      ELSE 'censored'
    END AS ending,
    c.stopped_drugs,
    c.stopped_component,
    c.reason,
    c.reason_source
  FROM chosen AS c
  CROSS JOIN spec.study AS s
)
SELECT
  f.exposure_rule,
  'first_episode' AS population,
  f.regimen_id,
  f.person_id,
  f.pair_id,
  f.start_date,
  f.stop_date,
  CAST(0 AS BIGINT) AS entry_days,
  DATE_DIFF('day', f.start_date, f.stop_date) AS time_days,
  f.first_drug_id,
  f.is_switch_overlap,
  f.ending,
  CASE WHEN f.ending = 'stopped' THEN f.stopped_drugs END AS stopped_drugs,
  CASE WHEN f.ending = 'stopped' THEN f.stopped_component END AS stopped_component,
  CASE WHEN f.ending <> 'censored' THEN f.reason END AS reason,
  CASE WHEN f.ending <> 'censored' THEN f.reason_source END AS reason_source
FROM followed AS f
UNION ALL
SELECT
  f.exposure_rule,
  'reached_min_overlap' AS population,
  f.regimen_id,
  f.person_id,
  f.pair_id,
  f.start_date,
  f.stop_date,
  f.min_overlap_days AS entry_days,
  DATE_DIFF('day', f.start_date, f.stop_date) AS time_days,
  f.first_drug_id,
  f.is_switch_overlap,
  f.ending,
  CASE WHEN f.ending = 'stopped' THEN f.stopped_drugs END AS stopped_drugs,
  CASE WHEN f.ending = 'stopped' THEN f.stopped_component END AS stopped_component,
  CASE WHEN f.ending <> 'censored' THEN f.reason END AS reason,
  CASE WHEN f.ending <> 'censored' THEN f.reason_source END AS reason_source
FROM followed AS f
WHERE DATE_DIFF('day', f.start_date, f.stop_date) > f.min_overlap_days
