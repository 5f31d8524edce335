-- Administered doses and the reactions attributed to them, by window: in all, by drug, by number of the dose, and by the study drugs
-- covered or in tail on the day. A reaction that several drugs share is one in all and one of each drug; where their doses have
-- different numbers it is one of each number.
-- grain: outcome_id, window_hours, drug_id, regimen_id, dose_level
WITH cut AS (
  SELECT FALSE AS by_drug, FALSE AS by_regimen, FALSE AS by_dose
  UNION ALL
  SELECT TRUE AS by_drug, FALSE AS by_regimen, FALSE AS by_dose
  UNION ALL
  SELECT FALSE AS by_drug, FALSE AS by_regimen, TRUE AS by_dose
  UNION ALL
  SELECT TRUE AS by_drug, FALSE AS by_regimen, TRUE AS by_dose
  UNION ALL
  SELECT FALSE AS by_drug, TRUE AS by_regimen, FALSE AS by_dose
  UNION ALL
  SELECT TRUE AS by_drug, TRUE AS by_regimen, FALSE AS by_dose
),
dose AS (
  SELECT
    a.person_id,
    CASE WHEN c.by_drug THEN CAST(a.drug_id AS VARCHAR) ELSE 'all' END AS drug_id,
    CASE WHEN c.by_regimen THEN a.risk_regimen_id ELSE 'all' END AS regimen_id,
    CASE
      WHEN NOT c.by_dose THEN 'all'
      WHEN NOT a.is_number_known THEN 'not known'
      WHEN a.dose_number >= 4 THEN '>=4'
      ELSE CAST(a.dose_number AS VARCHAR)
    END AS dose_level
  FROM care.administration AS a
  CROSS JOIN cut AS c
),
dosed AS (
  SELECT d.drug_id, d.regimen_id, d.dose_level, COUNT(DISTINCT d.person_id) AS person_count, COUNT(*) AS administration_count
  FROM dose AS d
  GROUP BY d.drug_id, d.regimen_id, d.dose_level
),
reacted AS (
  SELECT
    r.outcome_id,
    r.window_hours,
    r.person_id,
    r.event_number,
    r.is_shared,
    CASE WHEN c.by_drug THEN CAST(r.drug_id AS VARCHAR) ELSE 'all' END AS drug_id,
    CASE WHEN c.by_regimen THEN r.risk_regimen_id ELSE 'all' END AS regimen_id,
    CASE
      WHEN NOT c.by_dose THEN 'all'
      WHEN NOT r.is_number_known THEN 'not known'
      WHEN r.dose_number >= 4 THEN '>=4'
      ELSE CAST(r.dose_number AS VARCHAR)
    END AS dose_level
  FROM care.reaction AS r
  CROSS JOIN cut AS c
),
counted AS (
  SELECT
    r.outcome_id,
    r.window_hours,
    r.drug_id,
    r.regimen_id,
    r.dose_level,
    COUNT(DISTINCT r.person_id) AS reaction_person_count,
    COUNT(DISTINCT CONCAT(r.person_id, '/', r.event_number)) AS reaction_count,
    COUNT(DISTINCT CASE WHEN r.is_shared THEN CONCAT(r.person_id, '/', r.event_number) END) AS shared_count
  FROM reacted AS r
  GROUP BY r.outcome_id, r.window_hours, r.drug_id, r.regimen_id, r.dose_level
)
SELECT
  o.outcome_id,
  w.window_hours,
  w.is_primary,
  d.drug_id,
  d.regimen_id,
  d.dose_level,
  d.person_count,
  d.administration_count,
  COALESCE(n.reaction_person_count, 0) AS reaction_person_count,
  COALESCE(n.reaction_count, 0) AS reaction_count,
  COALESCE(n.shared_count, 0) AS shared_count
FROM dosed AS d
CROSS JOIN spec.outcome AS o
CROSS JOIN spec.reaction_window AS w
LEFT JOIN counted AS n
  ON
    o.outcome_id = n.outcome_id
    AND w.window_hours = n.window_hours
    AND d.drug_id = n.drug_id
    AND d.regimen_id = n.regimen_id
    AND d.dose_level = n.dose_level
WHERE o.is_reaction
