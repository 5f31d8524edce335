-- Received values that mean nothing to this study's reference, with how many kept records carry them.
-- grain: table_name, source_value, code_system
WITH prescription AS (
  SELECT
    COALESCE(p.drug_source_value, p.drug_code, '') AS source_value,
    COALESCE(p.code_system, '') AS code_system,
    COUNT(*) AS row_count
  FROM staged.prescription AS p
  WHERE p.drug_id IS NULL
  GROUP BY COALESCE(p.drug_source_value, p.drug_code, ''), COALESCE(p.code_system, '')
),
discontinuation AS (
  SELECT COALESCE(d.drug_source_value, '') AS source_value, COUNT(*) AS row_count
  FROM staged.discontinuation AS d
  WHERE d.drug_id IS NULL
  GROUP BY COALESCE(d.drug_source_value, '')
),
reason AS (
  SELECT d.reason_source_value AS source_value, COUNT(*) AS row_count
  FROM staged.discontinuation AS d
  WHERE d.reason = 'unmapped'
  GROUP BY d.reason_source_value
),
suspect AS (
  SELECT a.suspect_drug AS source_value, COUNT(*) AS row_count
  FROM staged.adverse_event AS a
  WHERE a.suspect_drug IS NOT NULL AND a.suspect_drug_id IS NULL
  GROUP BY a.suspect_drug
),
condition_code AS (
  SELECT COALESCE(c.code, '') AS source_value, COUNT(*) AS row_count
  FROM staged.condition AS c
  WHERE c.code_system IS NULL
  GROUP BY COALESCE(c.code, '')
)
SELECT 'prescription' AS table_name, p.source_value, p.code_system, p.row_count FROM prescription AS p
UNION ALL
SELECT 'discontinuation' AS table_name, d.source_value, '' AS code_system, d.row_count FROM discontinuation AS d
UNION ALL
SELECT 'discontinuation' AS table_name, r.source_value, 'reason' AS code_system, r.row_count FROM reason AS r
UNION ALL
SELECT 'adverse_event' AS table_name, s.source_value, 'suspect_drug' AS code_system, s.row_count FROM suspect AS s
UNION ALL
SELECT 'condition' AS table_name, c.source_value, '' AS code_system, c.row_count FROM condition_code AS c
