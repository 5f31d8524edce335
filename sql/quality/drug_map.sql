-- Which drug each received combination of name and code means; a name and a code that disagree mean none.
-- grain: drug_source_value, drug_code, code_system
WITH received AS (
  SELECT DISTINCT
    COALESCE(p.drug_source_value, '') AS drug_source_value,
    COALESCE(p.drug_code, '') AS drug_code,
    COALESCE(p.code_system, '') AS code_system
  FROM intake.prescription AS p
  UNION
  SELECT DISTINCT
    COALESCE(d.drug_source_value, '') AS drug_source_value,
    '' AS drug_code,
    '' AS code_system
  FROM intake.discontinuation AS d
  UNION
  SELECT DISTINCT
    a.suspect_drug AS drug_source_value,
    '' AS drug_code,
    '' AS code_system
  FROM intake.adverse_event AS a
  WHERE a.suspect_drug IS NOT NULL
),
by_name AS (
  SELECT r.drug_source_value, MIN(n.drug_id) AS drug_id, COUNT(DISTINCT n.drug_id) AS drug_count
  FROM received AS r
  INNER JOIN spec.drug_name AS n
    ON (NOT n.is_pattern AND LOWER(r.drug_source_value) = n.name) OR (n.is_pattern AND LOWER(r.drug_source_value) LIKE n.name)
  GROUP BY r.drug_source_value
),
coded AS (
  SELECT r.drug_source_value, r.drug_code, r.code_system, c.drug_id
  FROM received AS r
  INNER JOIN spec.drug_code AS c ON UPPER(r.code_system) = UPPER(c.code_system) AND UPPER(r.drug_code) = c.code
  UNION
  SELECT r.drug_source_value, r.drug_code, r.code_system, c.drug_id
  FROM received AS r
  INNER JOIN spec.drug_code AS c ON c.code_system = 'local' AND UPPER(r.drug_source_value) = c.code
  UNION
  SELECT r.drug_source_value, r.drug_code, r.code_system, c.drug_id
  FROM received AS r
  INNER JOIN intake.drug_ancestor AS a ON r.drug_code = a.code
  INNER JOIN spec.drug_code AS c ON c.code_system = 'OMOP' AND a.ancestor_code = c.code
  WHERE UPPER(r.code_system) = 'OMOP'
),
by_code AS (
  SELECT k.drug_source_value, k.drug_code, k.code_system, MIN(k.drug_id) AS drug_id, COUNT(DISTINCT k.drug_id) AS drug_count
  FROM coded AS k
  GROUP BY k.drug_source_value, k.drug_code, k.code_system
),
judged AS (
  SELECT
    r.drug_source_value,
    r.drug_code,
    r.code_system,
    COALESCE(c.drug_id, n.drug_id) AS drug_id,
    COALESCE(c.drug_count > 1, FALSE) OR COALESCE(n.drug_count > 1, FALSE) OR COALESCE(c.drug_id <> n.drug_id, FALSE) AS is_conflict,
    CASE WHEN c.drug_id IS NOT NULL THEN 'code' WHEN n.drug_id IS NOT NULL THEN 'name' ELSE '' END AS mapped_by
  FROM received AS r
  LEFT JOIN by_name AS n ON r.drug_source_value = n.drug_source_value
  LEFT JOIN by_code AS c
    ON r.drug_source_value = c.drug_source_value AND r.drug_code = c.drug_code AND r.code_system = c.code_system
)
SELECT
  j.drug_source_value,
  j.drug_code,
  j.code_system,
  CASE WHEN NOT j.is_conflict THEN j.drug_id END AS drug_id,
  j.is_conflict,
  j.mapped_by
FROM judged AS j
