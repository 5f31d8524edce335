-- Visits of an OMOP source in native shape.
SELECT
  v.source_file,
  v.row_number,
  CAST(v.visit_occurrence_id AS VARCHAR) AS visit_id,
  CAST(v.person_id AS VARCHAR) AS person_id,
  CASE CAST(v.visit_concept_id AS VARCHAR)
    WHEN '9201' THEN 'inpatient'
    WHEN '262' THEN 'inpatient'
    WHEN '8717' THEN 'inpatient'
    WHEN '9203' THEN 'emergency'
    WHEN '8870' THEN 'emergency'
    ELSE 'outpatient'
  END AS visit_type,
  COALESCE(CAST(v.visit_start_datetime AS VARCHAR), CAST(v.visit_start_date AS VARCHAR)) AS start_datetime,
  COALESCE(CAST(v.visit_end_datetime AS VARCHAR), CAST(v.visit_end_date AS VARCHAR)) AS end_datetime
FROM raw.visit_occurrence AS v
