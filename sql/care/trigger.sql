-- What each care item asks of whom and when, under each policy: the moments of its kind, of its drug or, where it names none, of every
-- biologic. Who cannot be judged is here with the reason: the time before the first dose is not observed, use ended before it was due, or the source does not
-- hold what makes a person eligible.
-- grain: care_item_id, policy, person_id, regimen_id, trigger_date, drug_id
WITH biologic_count AS (
  SELECT m.trigger_kind, m.person_id, m.regimen_id, m.trigger_date, COUNT(*) AS drug_count, SUM(CASE WHEN d.is_biologic THEN 1 ELSE 0 END) AS biologic_count
  FROM care.moment AS m
  INNER JOIN spec.drug AS d ON m.drug_id = d.drug_id
  GROUP BY m.trigger_kind, m.person_id, m.regimen_id, m.trigger_date
),
asked AS (
  SELECT
    i.care_item_id,
    i.policy,
    m.person_id,
    m.regimen_id,
    m.trigger_date,
    m.drug_id,
    m.anchor_date,
    m.trigger_kind,
    m.dose_number,
    m.is_numbered,
    m.is_subcutaneous,
    m.setting,
    i.history_days,
    i.on_drug_days,
    i.given_kind,
    i.given_start_days,
    i.given_stop_days,
    i.excluded_kind
  FROM care.moment AS m
  INNER JOIN biologic_count AS b
    ON
      m.trigger_kind = b.trigger_kind
      AND m.person_id = b.person_id
      AND m.regimen_id = b.regimen_id
      AND m.trigger_date = b.trigger_date
  INNER JOIN reference.care_item AS i
    ON
      m.trigger_kind = i.trigger_kind
      AND (m.drug_id = i.drug_id OR (i.drug_id IS NULL AND b.drug_count = b.biologic_count))
),
eligible AS (
  SELECT
    a.care_item_id,
    a.policy,
    a.person_id,
    a.regimen_id,
    a.trigger_date,
    a.drug_id,
    a.anchor_date,
    a.trigger_kind,
    a.dose_number,
    a.is_numbered,
    a.is_subcutaneous,
    a.setting,
    a.history_days,
    a.on_drug_days,
    g.is_assessable = FALSE AS is_unknown_given,
    x.is_assessable = FALSE AS is_unknown_excluded
  FROM asked AS a
  LEFT JOIN care.evidence_source AS g ON a.given_kind = g.evidence_kind
  LEFT JOIN care.evidence_source AS x ON a.excluded_kind = x.evidence_kind
  WHERE
    (
      a.given_kind IS NULL
      OR g.is_assessable = FALSE
      OR EXISTS (
        SELECT 1 FROM care.evidence AS e
        WHERE
          e.person_id = a.person_id
          AND e.evidence_kind = a.given_kind
          AND COALESCE(e.is_positive, TRUE)
          AND (a.given_start_days IS NULL OR e.evidence_date >= a.anchor_date + CAST(a.given_start_days AS INTEGER))
          AND e.evidence_date <= a.anchor_date + CAST(a.given_stop_days AS INTEGER)
      )
    )
    AND NOT EXISTS (
      SELECT 1 FROM care.evidence AS e
      WHERE
        e.person_id = a.person_id
        AND e.evidence_kind = a.excluded_kind
        AND COALESCE(e.is_positive, TRUE)
        AND e.evidence_date <= a.anchor_date
    )
),
in_use AS (
  SELECT p.person_id, p.drug_id, p.start_date, p.stop_date
  FROM exposure.episode AS p
  INNER JOIN spec.exposure_rule AS r ON p.exposure_rule = r.exposure_rule AND r.is_primary
),
current_state AS (
  SELECT i.person_id, i.start_date, i.stop_date, i.regimen_id
  FROM exposure.combination_interval AS i
  INNER JOIN spec.exposure_rule AS r ON i.exposure_rule = r.exposure_rule AND r.is_primary
)
SELECT
  e.care_item_id,
  e.policy,
  e.person_id,
  e.regimen_id,
  e.trigger_date,
  e.drug_id,
  e.anchor_date,
  e.dose_number,
  e.is_numbered,
  COALESCE(e.setting, 'not recorded') AS setting,
  COALESCE(s.regimen_id, 'not observed') AS current_regimen_id,
  CAST(EXTRACT(YEAR FROM e.trigger_date) AS BIGINT) AS calendar_year,
  CASE
    WHEN e.is_unknown_given OR e.is_unknown_excluded THEN 'the source does not hold what makes a person eligible'
    WHEN e.trigger_kind IN ('first_dose', 'course_start') AND e.dose_number = 1 AND NOT e.is_numbered
      THEN 'the look-back of the drug before the first dose is not observed'
    WHEN e.history_days > 0 AND h.person_id IS NULL THEN 'the time before is not observed'
    WHEN e.trigger_kind = 'course_start' AND e.is_subcutaneous THEN 'given under the skin'
    WHEN e.on_drug_days IS NOT NULL AND u.person_id IS NULL THEN 'use ended before it was due'
  END AS reason
FROM eligible AS e
LEFT JOIN staged.observation_period AS h
  ON
    e.person_id = h.person_id
    AND h.start_date <= e.trigger_date - CAST(e.history_days AS INTEGER)
    AND h.stop_date > e.trigger_date
LEFT JOIN in_use AS u
  ON
    e.person_id = u.person_id
    AND e.drug_id = u.drug_id
    AND u.start_date <= e.anchor_date
    AND u.stop_date > e.anchor_date + CAST(e.on_drug_days AS INTEGER)
LEFT JOIN current_state AS s
  ON e.person_id = s.person_id AND s.start_date <= e.trigger_date AND e.trigger_date < s.stop_date
