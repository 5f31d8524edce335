-- Adverse events from cohort entry on with the study drugs covered or in tail on the day of onset, under the primary rule: treatment-
-- emergent where there is one. What a record does not say is missing, never no. drug_day: days from the latest dose or other record of a
-- study drug covered or in tail. A day that stands for a month or a year is no day of onset.
-- grain: adverse_event_id
WITH state AS (
  SELECT
    e.person_id,
    GREATEST(i.start_date, e.entry_date) AS start_date,
    LEAST(i.stop_date, COALESCE(s.end_date + 1, i.stop_date)) AS stop_date,
    i.risk_regimen_id,
    i.risk_drug_count
  FROM cohort.entry AS e
  INNER JOIN spec.exposure_rule AS x ON e.exposure_rule = x.exposure_rule AND x.is_primary
  CROSS JOIN spec.study AS s
  INNER JOIN exposure.combination_interval AS i
    ON e.exposure_rule = i.exposure_rule AND e.person_id = i.person_id AND e.entry_date < i.stop_date
),
occurred AS (
  SELECT
    a.adverse_event_id,
    a.person_id,
    LOWER(TRIM(a.term)) AS term_key,
    COALESCE(NULLIF(TRIM(a.system_organ_class), ''), 'not given') AS system_organ_class,
    a.onset_date,
    s.risk_regimen_id,
    s.risk_drug_count,
    a.is_serious,
    LOWER(TRIM(a.severity)) AS severity,
    a.is_fatal,
    LOWER(TRIM(a.action_taken)) AS action_taken,
    LOWER(TRIM(a.causality)) AS causality
  FROM staged.adverse_event AS a
  INNER JOIN state AS s ON a.person_id = s.person_id AND s.start_date <= a.onset_date AND a.onset_date < s.stop_date
  WHERE a.is_onset_day_known AND a.term IS NOT NULL
),
named AS (
  SELECT LOWER(TRIM(a.term)) AS term_key, MIN(TRIM(a.term)) AS term
  FROM staged.adverse_event AS a
  WHERE a.term IS NOT NULL
  GROUP BY LOWER(TRIM(a.term))
),
dosed AS (
  SELECT o.adverse_event_id, MAX(w.start_date) AS dose_date
  FROM occurred AS o
  INNER JOIN exposure."window" AS w
    ON
      o.person_id = w.person_id
      AND w.start_date <= o.onset_date
      AND w.record_use = 'used'
      AND CONTAINS(CONCAT('+', o.risk_regimen_id, '+'), CONCAT('+', CAST(w.drug_id AS VARCHAR), '+'))
  WHERE NOT w.is_era_level
  GROUP BY o.adverse_event_id
)
SELECT
  o.adverse_event_id,
  o.person_id,
  o.system_organ_class,
  n.term,
  o.onset_date,
  o.risk_regimen_id,
  o.risk_drug_count,
  o.is_serious,
  CASE WHEN o.severity IS NOT NULL THEN v.word IS NOT NULL END AS is_severe,
  o.is_fatal,
  CASE WHEN o.action_taken IS NOT NULL THEN t.word IS NOT NULL END AS is_withdrawal,
  CASE c.meaning WHEN 'related' THEN TRUE WHEN 'not_related' THEN FALSE END AS is_related,
  DATE_DIFF('day', d.dose_date, o.onset_date) AS drug_day
FROM occurred AS o
INNER JOIN named AS n ON o.term_key = n.term_key
LEFT JOIN dosed AS d ON o.adverse_event_id = d.adverse_event_id
LEFT JOIN reference.event_word AS v ON v.field = 'severity' AND v.meaning = 'severe' AND o.severity = v.word
LEFT JOIN reference.event_word AS t ON t.field = 'action_taken' AND t.meaning = 'withdrawn' AND o.action_taken = t.word
LEFT JOIN reference.event_word AS c ON c.field = 'causality' AND o.causality = c.word
