-- How many persons are left after each restriction, from the records received to the people each analysis follows.
-- grain: exposure_rule, step_number
WITH has_record AS (
  SELECT DISTINCT x.person_id
  FROM staged.prescription AS x
  INNER JOIN spec.drug AS d ON x.drug_id = d.drug_id AND d.role = 'study'
),
observed AS (
  SELECT DISTINCT o.person_id FROM staged.observation_period AS o
),
treated AS (
  SELECT DISTINCT i.exposure_rule, i.person_id FROM exposure.combination_interval AS i WHERE i.regimen_id <> 'none'
),
together AS (
  SELECT DISTINCT c.exposure_rule, c.person_id FROM exposure.combination_episode AS c WHERE c.drug_count = 2
),
step AS (
  SELECT r.exposure_rule, '' AS population, 1 AS step_number, 'persons received' AS step, a.rows_in - a.rows_duplicate AS person_count
  FROM spec.exposure_rule AS r
  CROSS JOIN quality.row_account AS a
  WHERE a.table_name = 'person'
  UNION ALL
  SELECT
    r.exposure_rule, '' AS population, 2 AS step_number, 'record of the person kept by the checks' AS step,
    (SELECT COUNT(*) FROM staged.person AS p) AS person_count
  FROM spec.exposure_rule AS r
  UNION ALL
  SELECT
    r.exposure_rule, '' AS population, 3 AS step_number, 'observed for at least one day' AS step,
    (SELECT COUNT(*) FROM observed AS o) AS person_count
  FROM spec.exposure_rule AS r
  UNION ALL
  SELECT
    r.exposure_rule, '' AS population, 4 AS step_number, 'with a record of a study drug' AS step,
    (SELECT COUNT(*) FROM observed AS o INNER JOIN has_record AS h ON o.person_id = h.person_id) AS person_count
  FROM spec.exposure_rule AS r
  UNION ALL
  SELECT
    r.exposure_rule, '' AS population, 5 AS step_number, 'a study drug covered on an observed day' AS step,
    (SELECT COUNT(*) FROM treated AS t WHERE t.exposure_rule = r.exposure_rule) AS person_count
  FROM spec.exposure_rule AS r
  UNION ALL
  SELECT
    r.exposure_rule, 'all_time' AS population, 6 AS step_number, 'with look-back, age and calendar: cohort entry' AS step,
    (SELECT COUNT(*) FROM cohort.entry AS e WHERE e.exposure_rule = r.exposure_rule) AS person_count
  FROM spec.exposure_rule AS r
  UNION ALL
  SELECT
    r.exposure_rule, 'from_first' AS population, 7 AS step_number, 'new users of a study drug' AS step,
    (SELECT COUNT(*) FROM cohort.entry AS e WHERE e.exposure_rule = r.exposure_rule AND e.is_new_user) AS person_count
  FROM spec.exposure_rule AS r
  UNION ALL
  SELECT
    r.exposure_rule, 'first_episode' AS population, 8 AS step_number, 'ever two study drugs covered together' AS step,
    (SELECT COUNT(*) FROM together AS t WHERE t.exposure_rule = r.exposure_rule) AS person_count
  FROM spec.exposure_rule AS r
  UNION ALL
  SELECT
    r.exposure_rule, 'first_episode' AS population, 9 AS step_number, 'first day of the pair observed and in the study' AS step,
    (
      SELECT COUNT(*) FROM cohort.combination AS c
      WHERE c.exposure_rule = r.exposure_rule AND c.population = 'first_episode' AND c.regimen_id = 'all'
    ) AS person_count
  FROM spec.exposure_rule AS r
  UNION ALL
  SELECT
    r.exposure_rule, 'reached_min_overlap' AS population, 10 AS step_number, 'together for the minimum overlap' AS step,
    (
      SELECT COUNT(*) FROM cohort.combination AS c
      WHERE c.exposure_rule = r.exposure_rule AND c.population = 'reached_min_overlap' AND c.regimen_id = 'all'
    ) AS person_count
  FROM spec.exposure_rule AS r
),
at_risk AS (
  SELECT t.exposure_rule, t.population, t.outcome_id, COUNT(DISTINCT t.person_id) AS person_count
  FROM cohort.person_time AS t
  INNER JOIN spec.outcome AS o ON t.outcome_id = o.outcome_id AND NOT o.is_negative_control
  GROUP BY t.exposure_rule, t.population, t.outcome_id
),
outcome_step AS (
  SELECT
    a.exposure_rule, a.population,
    10 + ROW_NUMBER() OVER (PARTITION BY a.exposure_rule ORDER BY a.population, a.outcome_id) AS step_number,
    CONCAT('at risk of ', a.outcome_id) AS step, a.person_count
  FROM at_risk AS a
)
SELECT s.exposure_rule, s.population, CAST(s.step_number AS BIGINT) AS step_number, s.step, CAST(s.person_count AS BIGINT) AS person_count
FROM step AS s
UNION ALL
SELECT o.exposure_rule, o.population, CAST(o.step_number AS BIGINT) AS step_number, o.step, CAST(o.person_count AS BIGINT) AS person_count
FROM outcome_step AS o
