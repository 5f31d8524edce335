-- Persons of an OMOP source in native shape; a birth date only where month and day are known.
SELECT
  p.source_file,
  p.row_number,
  CAST(p.person_id AS VARCHAR) AS person_id,
  CASE CAST(p.gender_concept_id AS VARCHAR) WHEN '8507' THEN 'M' WHEN '8532' THEN 'F' ELSE 'U' END AS sex,
  CAST(p.year_of_birth AS VARCHAR) AS year_of_birth,
  CASE
    WHEN p.month_of_birth IS NOT NULL AND p.day_of_birth IS NOT NULL
      THEN CONCAT(
        CAST(p.year_of_birth AS VARCHAR), '-', LPAD(CAST(p.month_of_birth AS VARCHAR), 2, '0'), '-',
        LPAD(CAST(p.day_of_birth AS VARCHAR), 2, '0')
      )
    ELSE SUBSTRING(CAST(p.birth_datetime AS VARCHAR), 1, 10)
  END AS birth_date
FROM raw.person AS p
