-- Procedures of an OMOP source in native shape.
SELECT
  p.source_file,
  p.row_number,
  CAST(p.procedure_occurrence_id AS VARCHAR) AS procedure_id,
  CAST(p.person_id AS VARCHAR) AS person_id,
  CAST(p.procedure_source_value AS VARCHAR) AS code,
  'source' AS code_system,
  CAST(p.procedure_date AS VARCHAR) AS date
FROM raw.procedure_occurrence AS p
