-- Deaths of an OMOP source in native shape.
SELECT
  d.source_file,
  d.row_number,
  CAST(d.person_id AS VARCHAR) AS person_id,
  CAST(d.death_date AS VARCHAR) AS death_date
FROM raw.death AS d
