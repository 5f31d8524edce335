-- The work list at the data cut: care items that a clinic can still act on, not met at their last moment, of persons observed on the last day of the data and
-- still covered by the drug, without any such record since. Internal: it names persons.
-- grain: care_item_id, policy, person_id, regimen_id
WITH numbered AS (
  SELECT
    r.care_item_id,
    r.policy,
    r.person_id,
    r.regimen_id,
    r.trigger_date,
    r.status,
    r.reason,
    ROW_NUMBER() OVER (PARTITION BY r.care_item_id, r.policy, r.person_id, r.regimen_id ORDER BY r.trigger_date DESC) AS choice
  FROM care.item_result AS r
  INNER JOIN reference.care_item AS i ON r.care_item_id = i.care_item_id AND r.policy = i.policy AND i.is_actionable = 1
),
due AS (
  SELECT
    n.care_item_id,
    n.policy,
    n.person_id,
    n.regimen_id,
    n.trigger_date,
    n.reason,
    MAX(t.anchor_date + CAST(q.stop_days AS INTEGER)) AS due_date
  FROM numbered AS n
  INNER JOIN care.trigger AS t
    ON
      n.care_item_id = t.care_item_id
      AND n.policy = t.policy
      AND n.person_id = t.person_id
      AND n.regimen_id = t.regimen_id
      AND n.trigger_date = t.trigger_date
  INNER JOIN reference.care_requirement AS q ON n.care_item_id = q.care_item_id AND n.policy = q.policy
  WHERE n.choice = 1 AND n.status = 'not_met'
  GROUP BY n.care_item_id, n.policy, n.person_id, n.regimen_id, n.trigger_date, n.reason
),
in_use AS (
  SELECT e.person_id, e.drug_id
  FROM exposure.episode AS e
  INNER JOIN spec.exposure_rule AS r ON e.exposure_rule = r.exposure_rule AND r.is_primary
  INNER JOIN staged.observation_period AS o ON e.person_id = o.person_id
  CROSS JOIN quality.data_cut AS c
  WHERE e.start_date <= c.data_cut_date AND c.data_cut_date < e.stop_date AND o.start_date <= c.data_cut_date AND c.data_cut_date < o.stop_date
)
SELECT
  d.care_item_id,
  d.policy,
  d.person_id,
  d.regimen_id,
  d.trigger_date,
  d.due_date,
  DATE_DIFF('day', d.due_date, c.data_cut_date) AS overdue_days,
  d.reason
FROM due AS d
CROSS JOIN quality.data_cut AS c
WHERE
  d.due_date < c.data_cut_date
  AND NOT EXISTS (
    SELECT 1 FROM care.trigger AS t
    LEFT JOIN in_use AS u ON t.person_id = u.person_id AND t.drug_id = u.drug_id
    WHERE
      t.care_item_id = d.care_item_id
      AND t.policy = d.policy
      AND t.person_id = d.person_id
      AND t.regimen_id = d.regimen_id
      AND t.trigger_date = d.trigger_date
      AND u.person_id IS NULL
  )
  AND NOT EXISTS (
    SELECT 1 FROM care.evidence AS e
    INNER JOIN reference.care_requirement AS q ON e.evidence_kind = q.evidence_kind
    WHERE
      q.care_item_id = d.care_item_id
      AND q.policy = d.policy
      AND e.person_id = d.person_id
      AND e.evidence_date > d.trigger_date
  )
