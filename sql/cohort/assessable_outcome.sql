-- Which outcomes the source could hold: diagnoses in a vocabulary of theirs, adverse events that say what the outcome asks of
-- them, or deaths. Where it could not, nobody with the outcome is no zero.
-- grain: outcome_id
WITH vocabulary AS (
  SELECT DISTINCT c.code_system
  FROM staged.condition AS c
  WHERE c.code_system IS NOT NULL
),
vocabulary_count AS (
  SELECT COUNT(*) AS known_count
  FROM vocabulary AS v
),
told AS (
  SELECT COUNT(*) AS event_count, COUNT(a.is_serious) AS seriousness_count, COUNT(a.severity) AS severity_count
  FROM staged.adverse_event AS a
),
named AS (
  SELECT t.outcome_id
  FROM spec.outcome_term AS t
  UNION DISTINCT
  SELECT o.outcome_id
  FROM spec.outcome AS o
  WHERE o.any_term
),
findable AS (
  SELECT k.outcome_id
  FROM spec.outcome_code AS k
  CROSS JOIN meta.source AS m
  CROSS JOIN vocabulary_count AS n
  LEFT JOIN vocabulary AS v ON k.vocabulary = v.code_system
  WHERE NOT k.is_exclusion AND m.has_condition AND (v.code_system IS NOT NULL OR n.known_count = 0)
  UNION DISTINCT
  SELECT o.outcome_id
  FROM named AS d
  INNER JOIN spec.outcome AS o ON d.outcome_id = o.outcome_id
  CROSS JOIN meta.source AS m
  CROSS JOIN told AS t
  WHERE
    m.has_adverse_event
    AND (NOT o.serious_only OR t.seriousness_count > 0 OR t.event_count = 0)
    AND (o.any_severity OR t.severity_count > 0 OR t.event_count = 0)
  UNION DISTINCT
  SELECT o.outcome_id
  FROM spec.outcome AS o
  CROSS JOIN meta.source AS m
  WHERE o.is_death AND m.has_death
)
SELECT o.outcome_id, f.outcome_id IS NOT NULL AS is_assessable
FROM spec.outcome AS o
LEFT JOIN findable AS f ON o.outcome_id = f.outcome_id
