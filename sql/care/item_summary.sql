-- Care items counted: overall, by number of the dose, by the drugs in use that day, by setting and by year. For limits that know that the moments of one person
-- are alike, the sums over persons of the products of their assessable and met moments are here too.
-- grain: care_item_id, policy, stratum_name, stratum_value
WITH stratum AS (
  SELECT 'all' AS stratum_name
  UNION ALL
  SELECT 'dose' AS stratum_name
  UNION ALL
  SELECT 'regimen' AS stratum_name
  UNION ALL
  SELECT 'setting' AS stratum_name
  UNION ALL
  SELECT 'year' AS stratum_name
),
placed AS (
  SELECT
    r.care_item_id,
    r.policy,
    s.stratum_name,
    CASE s.stratum_name
      WHEN 'all' THEN 'all'
      WHEN 'dose' THEN CASE WHEN r.dose_number > 3 THEN '4 and later' ELSE CAST(r.dose_number AS VARCHAR) END
      WHEN 'regimen' THEN r.current_regimen_id
      WHEN 'setting' THEN r.setting
      ELSE CAST(r.calendar_year AS VARCHAR)
    END AS stratum_value,
    r.person_id,
    r.status
  FROM care.item_result AS r
  CROSS JOIN stratum AS s
  WHERE s.stratum_name <> 'dose' OR r.dose_number IS NOT NULL
),
person AS (
  SELECT
    p.care_item_id,
    p.policy,
    p.stratum_name,
    p.stratum_value,
    p.person_id,
    COUNT(*) AS eligible_count,
    SUM(CASE WHEN p.status = 'not_assessable' THEN 0 ELSE 1 END) AS assessable_count,
    SUM(CASE WHEN p.status = 'met' THEN 1 ELSE 0 END) AS met_count,
    SUM(CASE WHEN p.status = 'late' THEN 1 ELSE 0 END) AS late_count,
    SUM(CASE WHEN p.status = 'not_met' THEN 1 ELSE 0 END) AS not_met_count
  FROM placed AS p
  GROUP BY p.care_item_id, p.policy, p.stratum_name, p.stratum_value, p.person_id
)
SELECT
  p.care_item_id,
  p.policy,
  p.stratum_name,
  p.stratum_value,
  COUNT(*) AS person_count,
  CAST(SUM(CASE WHEN p.assessable_count > 0 THEN 1 ELSE 0 END) AS BIGINT) AS assessable_person_count,
  CAST(SUM(p.eligible_count) AS BIGINT) AS eligible_count,
  CAST(SUM(p.assessable_count) AS BIGINT) AS assessable_count,
  CAST(SUM(p.met_count) AS BIGINT) AS met_count,
  CAST(SUM(p.late_count) AS BIGINT) AS late_count,
  CAST(SUM(p.not_met_count) AS BIGINT) AS not_met_count,
  CAST(SUM(p.eligible_count - p.assessable_count) AS BIGINT) AS not_assessable_count,
  CAST(SUM(CASE WHEN p.met_count > 0 THEN 1 ELSE 0 END) AS BIGINT) AS met_person_count,
  CAST(SUM(CASE WHEN p.late_count > 0 THEN 1 ELSE 0 END) AS BIGINT) AS late_person_count,
  CAST(SUM(CASE WHEN p.not_met_count > 0 THEN 1 ELSE 0 END) AS BIGINT) AS not_met_person_count,
  CAST(SUM(CASE WHEN p.eligible_count > p.assessable_count THEN 1 ELSE 0 END) AS BIGINT) AS not_assessable_person_count,
  CAST(SUM(p.assessable_count * p.assessable_count) AS BIGINT) AS assessable_square_sum,
  CAST(SUM(p.assessable_count * p.met_count) AS BIGINT) AS assessable_met_sum,
  CAST(SUM(p.met_count * p.met_count) AS BIGINT) AS met_square_sum
FROM person AS p
GROUP BY p.care_item_id, p.policy, p.stratum_name, p.stratum_value
