-- Measurements of an OMOP source in native shape; the test is named as the source names it.
SELECT
  m.source_file,
  m.row_number,
  CAST(m.measurement_id AS VARCHAR) AS measurement_id,
  CAST(m.person_id AS VARCHAR) AS person_id,
  COALESCE(CAST(m.measurement_source_value AS VARCHAR), CAST(m.measurement_concept_id AS VARCHAR)) AS test,
  COALESCE(CAST(m.measurement_datetime AS VARCHAR), CAST(m.measurement_date AS VARCHAR)) AS datetime,
  CAST(m.value_as_number AS VARCHAR) AS value,
  CAST(m.unit_source_value AS VARCHAR) AS unit,
  CAST(m.value_source_value AS VARCHAR) AS value_text
FROM raw.measurement AS m
