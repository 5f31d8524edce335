-- Observation periods of an OMOP source in native shape.
SELECT
  o.source_file,
  o.row_number,
  CAST(o.person_id AS VARCHAR) AS person_id,
  CAST(o.observation_period_start_date AS VARCHAR) AS start_date,
  CAST(o.observation_period_end_date AS VARCHAR) AS end_date
FROM raw.observation_period AS o
