-- Conditions of an OMOP source in native shape, with the code as received; the vocabulary is told afterwards.
-- OMOP condition status: primary 32902, 32901, 32903 and type concepts of a first position; everything else is unknown.
SELECT
  c.source_file,
  c.row_number,
  CAST(c.condition_occurrence_id AS VARCHAR) AS condition_id,
  CAST(c.person_id AS VARCHAR) AS person_id,
  CAST(c.condition_source_value AS VARCHAR) AS code,
  CAST(c.condition_source_concept_id AS VARCHAR) AS source_concept_id,
  CAST(c.condition_concept_id AS VARCHAR) AS concept_id,
  CAST(c.condition_start_date AS VARCHAR) AS start_date,
  CAST(c.condition_end_date AS VARCHAR) AS end_date,
  CASE
    WHEN CAST(c.condition_status_concept_id AS VARCHAR) IN ('32901', '32902', '32903') THEN 'primary'
    WHEN CAST(c.condition_status_concept_id AS VARCHAR) IN ('32908', '32909') THEN 'secondary'
  END AS position
FROM raw.condition_occurrence AS c
