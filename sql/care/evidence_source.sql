-- Which kinds of evidence the source could hold. A table of diagnoses or adverse events is enough where the kind is one of many in it; a
-- test, a visit to a specialist or a drug outside the study must be on record of somebody, for else it may be written elsewhere and nobody with it is
-- no zero.
-- grain: evidence_kind
WITH vocabulary AS (
  SELECT DISTINCT c.code_system
  FROM staged.condition AS c
  WHERE c.code_system IS NOT NULL
),
vocabulary_count AS (
  SELECT COUNT(*) AS known_count
  FROM vocabulary AS v
),
seen AS (
  SELECT DISTINCT e.evidence_kind
  FROM care.evidence AS e
),
possible AS (
  SELECT DISTINCT k.evidence_kind
  FROM reference.care_evidence AS k
  CROSS JOIN meta.source AS m
  CROSS JOIN vocabulary_count AS n
  LEFT JOIN vocabulary AS v ON k.code_system = v.code_system
  WHERE
    k.assessable_by = 'computed'
    OR (
      k.assessable_by = 'table'
      AND (
        (k.record_table = 'condition' AND m.has_condition AND (v.code_system IS NOT NULL OR n.known_count = 0))
        OR (k.record_table = 'adverse_event' AND m.has_adverse_event)
      )
    )
  UNION DISTINCT
  SELECT k.evidence_kind
  FROM reference.care_evidence AS k
  INNER JOIN seen AS s ON k.evidence_kind = s.evidence_kind
  WHERE k.assessable_by = 'seen'
)
SELECT k.evidence_kind, MAX(p.evidence_kind) IS NOT NULL AS is_assessable
FROM reference.care_evidence AS k
LEFT JOIN possible AS p ON k.evidence_kind = p.evidence_kind
GROUP BY k.evidence_kind
