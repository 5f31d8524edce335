-- Each requirement of each care item against the evidence: met, late, not met or not assessable, with the day that decided. A window that
-- is not observed from end to end is not assessable, whatever was found in the rest of it: else only what is found would count.
-- grain: care_item_id, policy, person_id, regimen_id, trigger_date, drug_id, requirement_number, alternative_number
WITH asked AS (
  SELECT
    t.care_item_id,
    t.policy,
    t.person_id,
    t.regimen_id,
    t.trigger_date,
    t.drug_id,
    t.anchor_date,
    t.dose_number,
    t.is_numbered,
    t.reason AS trigger_reason,
    q.requirement_number,
    q.alternative_number,
    q.label,
    q.evidence_kind,
    q.expectation,
    q.start_days,
    q.stop_days,
    COALESCE(q.late_until_days, q.stop_days) AS late_until_days,
    q.least_value,
    q.most_value,
    q.late_most_value,
    q.absent_means,
    q.first_dose IS NOT NULL OR q.last_dose IS NOT NULL AS needs_number
  FROM care.trigger AS t
  INNER JOIN reference.care_requirement AS q
    ON
      t.care_item_id = q.care_item_id
      AND t.policy = q.policy
      AND (q.first_dose IS NULL OR t.dose_number >= q.first_dose)
      AND (q.last_dose IS NULL OR t.dose_number <= q.last_dose)
),
found AS (
  SELECT
    a.care_item_id,
    a.policy,
    a.person_id,
    a.regimen_id,
    a.trigger_date,
    a.drug_id,
    a.requirement_number,
    a.alternative_number,
    e.evidence_date,
    e.evidence_date <= a.anchor_date + CAST(a.stop_days AS INTEGER) AS is_in_time,
    CASE
      WHEN a.expectation = 'recorded' AND a.least_value IS NULL AND a.most_value IS NULL THEN 'met'
      WHEN a.expectation = 'recorded' AND e.value >= COALESCE(a.least_value, e.value) AND e.value <= COALESCE(a.most_value, e.value) THEN 'met'
      WHEN a.expectation = 'recorded' AND e.value > a.most_value AND e.value <= a.late_most_value THEN 'late'
      WHEN a.expectation = 'recorded' AND e.value IS NOT NULL THEN 'not_met'
      WHEN a.expectation <> 'recorded' AND e.is_positive THEN 'met'
      WHEN a.expectation <> 'recorded' AND NOT e.is_positive THEN 'not_met'
    END AS said
  FROM asked AS a
  INNER JOIN care.evidence AS e
    ON
      a.person_id = e.person_id
      AND a.evidence_kind = e.evidence_kind
      AND (e.about_drug_id = 'any' OR e.about_drug_id = a.drug_id)
      AND (a.start_days IS NULL OR e.evidence_date >= a.anchor_date + CAST(a.start_days AS INTEGER))
      AND e.evidence_date <= a.anchor_date + CAST(a.late_until_days AS INTEGER)
),
summed AS (
  SELECT
    f.care_item_id,
    f.policy,
    f.person_id,
    f.regimen_id,
    f.trigger_date,
    f.drug_id,
    f.requirement_number,
    f.alternative_number,
    MIN(CASE WHEN f.is_in_time AND f.said = 'met' THEN f.evidence_date END) AS met_date,
    MIN(CASE WHEN f.said = 'late' OR (NOT f.is_in_time AND f.said = 'met') THEN f.evidence_date END) AS late_date,
    MIN(CASE WHEN f.is_in_time AND f.said = 'not_met' THEN f.evidence_date END) AS other_date
  FROM found AS f
  GROUP BY
    f.care_item_id, f.policy, f.person_id, f.regimen_id, f.trigger_date, f.drug_id, f.requirement_number, f.alternative_number
),
judged AS (
  SELECT
    a.care_item_id,
    a.policy,
    a.person_id,
    a.regimen_id,
    a.trigger_date,
    a.drug_id,
    a.requirement_number,
    a.alternative_number,
    a.label,
    a.expectation,
    s.met_date,
    s.late_date,
    s.other_date,
    CASE
      WHEN a.trigger_reason IS NOT NULL THEN a.trigger_reason
      WHEN a.needs_number AND NOT COALESCE(a.is_numbered, FALSE) THEN 'the number of the dose is not known'
      WHEN NOT k.is_assessable THEN 'the source has no record of this kind'
      WHEN o.person_id IS NULL THEN 'the window is not observed'
      WHEN
        a.expectation <> 'absent'
        AND a.absent_means = 'not_assessable'
        AND s.met_date IS NULL AND s.late_date IS NULL AND s.other_date IS NULL
        THEN 'nothing is recorded'
    END AS missing
  FROM asked AS a
  INNER JOIN care.evidence_source AS k ON a.evidence_kind = k.evidence_kind
  LEFT JOIN summed AS s
    ON
      a.care_item_id = s.care_item_id
      AND a.policy = s.policy
      AND a.person_id = s.person_id
      AND a.regimen_id = s.regimen_id
      AND a.trigger_date = s.trigger_date
      AND a.drug_id = s.drug_id
      AND a.requirement_number = s.requirement_number
      AND a.alternative_number = s.alternative_number
  LEFT JOIN staged.observation_period AS o
    ON
      a.person_id = o.person_id
      AND o.start_date <= a.anchor_date + CAST(LEAST(COALESCE(a.start_days, 0), 0) AS INTEGER)
      AND o.stop_date > a.anchor_date + CAST(GREATEST(a.stop_days, 0) AS INTEGER)
)
SELECT
  j.care_item_id,
  j.policy,
  j.person_id,
  j.regimen_id,
  j.trigger_date,
  j.drug_id,
  j.requirement_number,
  j.alternative_number,
  CASE
    WHEN j.missing IS NOT NULL THEN 'not_assessable'
    WHEN j.expectation = 'absent' AND j.met_date IS NULL THEN 'met'
    WHEN j.expectation = 'absent' THEN 'not_met'
    WHEN j.met_date IS NOT NULL THEN 'met'
    WHEN j.late_date IS NOT NULL THEN 'late'
    ELSE 'not_met'
  END AS status,
  CASE
    WHEN j.missing IS NOT NULL THEN NULL
    WHEN j.expectation = 'absent' THEN j.met_date
    ELSE COALESCE(j.met_date, j.late_date, j.other_date)
  END AS deciding_date,
  CASE
    WHEN j.missing IS NOT NULL THEN CONCAT(j.label, ': ', j.missing)
    WHEN j.expectation = 'absent' AND j.met_date IS NOT NULL THEN CONCAT(j.label, ': on record')
    WHEN j.expectation <> 'absent' AND j.met_date IS NULL AND j.late_date IS NOT NULL THEN CONCAT(j.label, ': late')
    WHEN j.expectation <> 'absent' AND j.met_date IS NULL AND j.other_date IS NOT NULL THEN CONCAT(j.label, ': recorded, and not as asked')
    WHEN j.expectation <> 'absent' AND j.met_date IS NULL THEN CONCAT(j.label, ': none')
  END AS reason
FROM judged AS j
