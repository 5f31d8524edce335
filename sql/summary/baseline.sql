-- Persons of the cohort by what is known of them at entry, in all and by whether a pair episode was seen later.
-- grain: exposure_rule, person_group, variable, level
WITH person_group AS (
  SELECT e.exposure_rule, e.person_id, 'all' AS person_group FROM cohort.entry AS e
  UNION ALL
  SELECT
    e.exposure_rule, e.person_id, CASE WHEN c.person_id IS NULL THEN 'one_at_a_time' ELSE 'combination' END AS person_group
  FROM cohort.entry AS e
  LEFT JOIN cohort.combination AS c
    ON e.exposure_rule = c.exposure_rule AND e.person_id = c.person_id AND c.population = 'first_episode' AND c.regimen_id = 'all'
),
fact AS (
  SELECT e.exposure_rule, e.person_id, 'sex' AS variable, e.sex AS level FROM cohort.entry AS e
  UNION ALL
  SELECT e.exposure_rule, e.person_id, 'age_band' AS variable, a.age_band AS level
  FROM cohort.entry AS e
  INNER JOIN spec.age_band AS a ON a.from_age <= e.age_years AND e.age_years < a.below_age
  UNION ALL
  SELECT e.exposure_rule, e.person_id, 'entry_year' AS variable, CAST(e.calendar_year AS VARCHAR) AS level FROM cohort.entry AS e
  UNION ALL
  SELECT e.exposure_rule, e.person_id, 'new_user' AS variable, CASE WHEN e.is_new_user THEN 'yes' ELSE 'no' END AS level
  FROM cohort.entry AS e
  UNION ALL
  SELECT e.exposure_rule, e.person_id, 'entry_regimen' AS variable, e.entry_regimen_id AS level FROM cohort.entry AS e
)
SELECT g.exposure_rule, g.person_group, f.variable, f.level, COUNT(*) AS person_count
FROM person_group AS g
INNER JOIN fact AS f ON g.exposure_rule = f.exposure_rule AND g.person_id = f.person_id
GROUP BY g.exposure_rule, g.person_group, f.variable, f.level
