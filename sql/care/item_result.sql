-- Each care item of each policy at each of its moments: met, late, not met or not assessable. Of the alternatives of a requirement one is
-- enough; of the requirements, for every drug of the regimen, all are needed. Where one of them cannot be assessed the item cannot, for else only what is found, or only
-- failures, would count. A
-- checklist reads the last result of each of its parts to its own moment, and is judged by those that can be assessed.
-- deciding_date: the last day that was needed to be met or late; where not met the day of what was recorded instead, if anything was.
-- grain: care_item_id, policy, person_id, regimen_id, trigger_date
WITH requirement AS (
  SELECT
    r.care_item_id,
    r.policy,
    r.person_id,
    r.regimen_id,
    r.trigger_date,
    r.drug_id,
    r.requirement_number,
    CASE
      WHEN MAX(CASE WHEN r.status = 'not_assessable' THEN 1 ELSE 0 END) = 1 THEN 4
      WHEN MAX(CASE WHEN r.status = 'met' THEN 1 ELSE 0 END) = 1 THEN 1
      WHEN MAX(CASE WHEN r.status = 'late' THEN 1 ELSE 0 END) = 1 THEN 2
      ELSE 3
    END AS status_number,
    COALESCE(
      MIN(CASE WHEN r.status = 'met' THEN r.deciding_date END),
      MIN(CASE WHEN r.status = 'late' THEN r.deciding_date END),
      MIN(r.deciding_date)
    ) AS deciding_date,
    MIN(r.reason) AS reason
  FROM care.requirement_result AS r
  GROUP BY r.care_item_id, r.policy, r.person_id, r.regimen_id, r.trigger_date, r.drug_id, r.requirement_number
),
asked AS (
  SELECT
    t.care_item_id,
    t.policy,
    t.person_id,
    t.regimen_id,
    t.trigger_date,
    MIN(t.dose_number) AS dose_number,
    MIN(t.setting) AS setting,
    MIN(t.current_regimen_id) AS current_regimen_id,
    MIN(t.calendar_year) AS calendar_year
  FROM care.trigger AS t
  GROUP BY t.care_item_id, t.policy, t.person_id, t.regimen_id, t.trigger_date
),
direct AS (
  SELECT
    q.care_item_id,
    q.policy,
    q.person_id,
    q.regimen_id,
    q.trigger_date,
    MAX(q.status_number) AS status_number,
    COUNT(*) AS part_count,
    SUM(CASE WHEN q.status_number < 4 THEN 1 ELSE 0 END) AS assessable_part_count
  FROM requirement AS q
  GROUP BY q.care_item_id, q.policy, q.person_id, q.regimen_id, q.trigger_date
),
explained AS (
  SELECT
    d.care_item_id,
    d.policy,
    d.person_id,
    d.regimen_id,
    d.trigger_date,
    d.status_number,
    d.part_count,
    d.assessable_part_count,
    MAX(CASE WHEN q.status_number = d.status_number THEN q.deciding_date END) AS deciding_date,
    MIN(CASE WHEN q.status_number = d.status_number AND d.status_number > 1 THEN q.reason END) AS reason
  FROM direct AS d
  INNER JOIN requirement AS q
    ON
      d.care_item_id = q.care_item_id
      AND d.policy = q.policy
      AND d.person_id = q.person_id
      AND d.regimen_id = q.regimen_id
      AND d.trigger_date = q.trigger_date
  GROUP BY
    d.care_item_id, d.policy, d.person_id, d.regimen_id, d.trigger_date, d.status_number, d.part_count, d.assessable_part_count
),
last_part AS (
  SELECT
    k.care_item_id,
    k.policy,
    a.person_id,
    a.regimen_id,
    a.trigger_date,
    k.part_item_id,
    e.status_number,
    e.deciding_date,
    ROW_NUMBER() OVER (
      PARTITION BY k.care_item_id, k.policy, a.person_id, a.regimen_id, a.trigger_date, k.part_item_id, e.regimen_id
      ORDER BY e.trigger_date DESC
    ) AS choice
  FROM asked AS a
  INNER JOIN reference.care_item AS i ON a.care_item_id = i.care_item_id AND a.policy = i.policy AND i.is_composite = 1
  INNER JOIN reference.care_part AS k ON a.care_item_id = k.care_item_id AND a.policy = k.policy
  INNER JOIN explained AS e
    ON
      a.person_id = e.person_id
      AND k.part_item_id = e.care_item_id
      AND k.part_policy = e.policy
      AND e.trigger_date <= a.trigger_date
      AND CONTAINS(CONCAT('+', a.regimen_id, '+'), CONCAT('+', e.regimen_id, '+'))
),
checklist AS (
  SELECT
    p.care_item_id,
    p.policy,
    p.person_id,
    p.regimen_id,
    p.trigger_date,
    MAX(CASE WHEN p.status_number < 4 THEN p.status_number END) AS status_number,
    MAX(p.deciding_date) AS deciding_date,
    COUNT(*) AS part_count,
    SUM(CASE WHEN p.status_number < 4 THEN 1 ELSE 0 END) AS assessable_part_count,
    MIN(CASE WHEN p.status_number = 3 THEN p.part_item_id END) AS failed_item_id,
    MIN(CASE WHEN p.status_number = 2 THEN p.part_item_id END) AS late_item_id
  FROM last_part AS p
  WHERE p.choice = 1
  GROUP BY p.care_item_id, p.policy, p.person_id, p.regimen_id, p.trigger_date
)
SELECT
  a.care_item_id,
  a.policy,
  a.person_id,
  a.regimen_id,
  a.trigger_date,
  a.dose_number,
  a.setting,
  a.current_regimen_id,
  a.calendar_year,
  CASE COALESCE(e.status_number, c.status_number, 4)
    WHEN 1 THEN 'met'
    WHEN 2 THEN 'late'
    WHEN 3 THEN 'not_met'
    ELSE 'not_assessable'
  END AS status,
  CASE WHEN COALESCE(e.status_number, c.status_number, 4) < 4 THEN COALESCE(e.deciding_date, c.deciding_date) END AS deciding_date,
  CASE
    WHEN e.care_item_id IS NOT NULL THEN e.reason
    WHEN c.status_number = 3 THEN CONCAT(c.failed_item_id, ' is not met')
    WHEN c.status_number = 2 THEN CONCAT(c.late_item_id, ' is late')
    WHEN c.status_number IS NULL THEN 'no part can be assessed'
  END AS reason,
  CAST(COALESCE(e.part_count, c.part_count, 0) AS BIGINT) AS part_count,
  CAST(COALESCE(e.assessable_part_count, c.assessable_part_count, 0) AS BIGINT) AS assessable_part_count
FROM asked AS a
LEFT JOIN explained AS e
  ON
    a.care_item_id = e.care_item_id
    AND a.policy = e.policy
    AND a.person_id = e.person_id
    AND a.regimen_id = e.regimen_id
    AND a.trigger_date = e.trigger_date
LEFT JOIN checklist AS c
  ON
    a.care_item_id = c.care_item_id
    AND a.policy = c.policy
    AND a.person_id = c.person_id
    AND a.regimen_id = c.regimen_id
    AND a.trigger_date = c.trigger_date
